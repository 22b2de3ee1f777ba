"""What the statement catalogue counted, told in the last lines of a run and added up over its processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.notes import note, notes

if TYPE_CHECKING:
    from tests.tenants.catalogue import Report

_FIGURES = "catalogue-figures"
_RUNS = 13  # settings times databases: with the last of them comes the sum


def keep(report: Report, forms: int, leaks: int) -> None:
    """Leave the figures of one run of the catalogue; ``leaks``: those that nobody expected."""
    cells, leaked = len(report.verdicts), sum(v == "LEAK" for v in report.verdicts.values())
    refused = sum(v == "refused" for v in report.verdicts.values())
    where = f"{report.backend}, {report.mode}"
    note(_FIGURES, json.dumps({"run": where, "forms": forms, "cells": cells, "leaks": leaks}))
    expected = f"{leaks} unexpected" if leaks else "as listed"
    told = f"{cells} cells, {refused} refused, {leaked} leaked ({expected})"
    note("catalogue", f"statement catalogue, {where}: {told}")
    if len(notes(_FIGURES)) == _RUNS:
        note(
            "catalogue", lines()[0]
        )  # two that end together write the same line, which is told once


def lines() -> list[str]:
    """Return the one line that adds everything up; none where the catalogue did not run."""
    runs = [json.loads(line) for line in notes(_FIGURES)]
    if not runs:
        return []
    cells, leaks = sum(r["cells"] for r in runs), sum(r["leaks"] for r in runs)
    return [f"statement catalogue: {runs[0]['forms']} forms, {cells} cells, {leaks} leaks"]

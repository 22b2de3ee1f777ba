"""The last lines of a run: tests per database, and what the long proofs counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests import databases
from tests.notes import notes

_per_database: Counter[str] = Counter()
KINDS = ("catalogue", "nets", "property", "interleaving", "proof")


def count(report: pytest.TestReport) -> None:
    """Count each test that ran, under the database in its name; in the controlling process."""
    if report.when == "call" and report.outcome == "passed":
        for backend in databases.BACKENDS:
            if backend in report.nodeid.rsplit("[", 1)[-1]:
                _per_database[backend] += 1


def summarise(terminalreporter: Any) -> None:
    """Print tests per database, every figure that a proof left, and loudly what was missing."""
    write = terminalreporter.write_line
    for kind in KINDS:
        for line in notes(kind):
            write(line)
    write(
        "tests passed per database: "
        + ", ".join(f"{name} {_per_database[name]}" for name in databases.BACKENDS)
    )
    for line in databases.missing_lines():
        write(f"DATABASE MISSING: {line}", red=True, bold=True)

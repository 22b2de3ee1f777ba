"""The pytest side: the fixture, the switch and the last lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest

from saas.testing import checks
from saas.testing.lines import undeclared
from saas.testing.matrix import run
from saas.testing.outcome import Outcome, as_markdown, compare

_SHOWN = 40  # differences in a message; more of them have one cause
_PROPERTY = "permission matrix"
Hold = Callable[..., Outcome]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--matrix-write``."""
    group = parser.getgroup("permission matrix")
    group.addoption(
        "--matrix-write",
        action="store_true",
        help="write the file of the permission matrix anew instead of comparing it",
    )


@pytest.fixture
def permission_matrix(request: pytest.FixtureRequest) -> Hold:
    """Return ``hold(app, file, label="", services=…)``: run the whole matrix of an app and fail for whatever differs.

    ``file``: the committed matrix. ``label``: said in the last lines, such as the database. ``services``: the
    package whose functions must ask first (None: none), and the reasoned exceptions of those that need not.
    """

    def hold(app: flask.Flask, file: Path, *, label: str = "", **options: Any) -> Outcome:
        faults = [*undeclared(app), *checks.faults(app, **options)]
        outcome = run(app)
        outcome.faults = faults + outcome.faults
        said = f"permission matrix{f' ({label})' if label else ''}: {outcome.summary()}, {outcome.seconds:.0f} s"
        request.node.user_properties.append((_PROPERTY, said))
        found = outcome.differences()
        if found:
            pytest.fail(_told(outcome, found), pytrace=False)
        _hold_file(outcome, file, write=request.config.getoption("--matrix-write"))
        return outcome

    return hold


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many cells were run, whichever process ran them."""
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            for name, said in getattr(report, "user_properties", ()):
                if name == _PROPERTY and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(said)


def _hold_file(outcome: Outcome, file: Path, *, write: bool) -> None:
    if write:
        file.write_text(as_markdown(outcome), encoding="utf-8")
        return
    difference = compare(outcome, file)
    if difference:
        pytest.fail(
            f"The permissions are as declared, but not as committed in {file.name}:\n{difference}\n"
            "If this is what you want, run this test with --matrix-write and commit the file.",
            pytrace=False,
        )


def _told(outcome: Outcome, found: list[str]) -> str:
    more = f"\n… and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    listed = "\n".join(f"- {each}" for each in found[:_SHOWN])
    return f"The permission matrix: {outcome.summary()}\n{listed}{more}"

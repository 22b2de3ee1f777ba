"""The matrix serves an app that is not ours: it holds as it stands, and whatever its author forgets goes red."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

DESK = Path(__file__).parent / "desk"
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One thing that was forgotten: where it stood, what stands there instead, and what the run must say."""

    file: str
    there: str
    instead: str
    said: str


PERMISSION_CHECK = Forgotten(
    "ticket_services.py",
    "    require(actor, Permission.TICKET_WRITE)\n"
    "    with database.unit_of_work() as unit:\n        ticket_model = _find",
    "    with database.unit_of_work() as unit:\n        ticket_model = _find",
    r"ticket_services\.close_ticket acts without asking: make require\(actor, Permission\.…\) its first act"
    r"[\s\S]*/close \[own, service alone\] as member, viewer, all but it, in both, key without: expected 403, got ✓"
    r".*a refused call of this line changed",
)
SCOPE = Forgotten(
    "ticket_services.py",
    "    with database.reading() as unit:\n        return _find(unit, ticket_id)",
    '    with database.looking_across("whose ticket this is, was forgotten") as connection:\n'
    "        return connection.execute(_ROWS.where(_tickets.id == ticket_id)).one()",
    r"GET /api/tickets/<ticket_id> \[foreign\] as owner,.*expected 404, got ✓.*it shows 'zq",
)
NAMES_OF_OTHERS = Forgotten(
    "ticket_services.py",
    "        ticket_model = Ticket(project_id=project_id, subject=subject)",
    '        with database.looking_across("is the subject taken, in any account?") as others:\n'
    "            if others.execute(_ROWS.where(_tickets.subject == subject)).first():\n"
    '                raise errors.NameAlreadyExistsError(field="subject")\n'
    "        ticket_model = Ticket(project_id=project_id, subject=subject)",
    r"POST /api/tickets \[words in use elsewhere\] as owner: expected ✓, got 409",
)
COUNT_OF_OTHERS = Forgotten(
    "ticket_services.py",
    "    with database.reading() as unit:\n        if subject is None:",
    '    with database.looking_across("how many tickets there are") as others:\n'
    "        limit = min(limit, 2 + len(others.execute(_ROWS).all()) % 2)\n"
    "    with database.reading() as unit:\n        if subject is None:",
    r"GET /api/tickets \[while others change\] as owner: the answer changed when something was added in another",
)
AUDIT_EVENT = Forgotten(
    "ticket_services.py",
    "        record(AuditEvent.TICKET_CLOSED, actor=actor, target=ticket_model, changes=changes)\n",
    "        del changes\n",
    r"/close \[own\] as owner,.*expected ✓, got 500",
)
ROUTE = Forgotten(
    "desk.py",
    "    return app\n",
    '    app.add_url_rule("/api/tickets/count", "count", lambda: "7")\n    return app\n',
    r"GET /api/tickets/count is served and not declared.*Add Route\(\"GET\", \"/api/tickets/count\"",
)
FACTORY = Forgotten(
    "conftest.py",
    '@testing.factory("ticket_id")\n',
    "",
    r'nobody can make ticket_id: declare @testing\.factory\("ticket_id"\)',
)
ROLE = Forgotten(
    "additions.py",
    "Permission.TICKET_WRITE",
    "Permission.TICKET_READ",
    r"not as committed in matrix\.md:[\s\S]*run this test with --matrix-write",
)
# What is forgotten together in one run, since each run is a process of its own.
RUNS = {
    "what a service must do": (PERMISSION_CHECK, SCOPE, NAMES_OF_OTHERS, COUNT_OF_OTHERS),
    "an event, and a line of the route table": (AUDIT_EVENT, ROUTE),
    "the factory": (FACTORY,),
    "that a role loses a permission": (ROLE,),
}


def run_desk(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the desk's own tests in a process of their own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "FLASK_"))}
    paths = os.pathsep.join(map(str, (directory, ROOT)))
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
               "--rootdir", ".", "--show-capture=no", "."]  # fmt: skip
    return subprocess.run(
        command, cwd=directory, env=kept | {"PYTHONPATH": paths}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def copy_desk(directory: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(DESK, directory / "desk", ignore=ignored))


@pytest.mark.timeout(300)
def test_an_adopters_routes_are_in_their_matrix_once_they_are_declared(tmp_path: Path) -> None:
    ran = run_desk(copy_desk(tmp_path))

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert re.search(r"permission matrix: \d{3} cells run, 0 unspecified, 0 different", ran.stdout)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", RUNS)
def test_what_an_adopter_forgets_goes_red(what: str, tmp_path: Path) -> None:
    desk = copy_desk(tmp_path)
    for forgotten in RUNS[what]:
        source = (desk / forgotten.file).read_text("utf-8")
        assert source.count(forgotten.there) == 1, f"{forgotten.file}: {forgotten.there!r}"
        (desk / forgotten.file).write_text(
            source.replace(forgotten.there, forgotten.instead), "utf-8"
        )

    ran = run_desk(desk)

    assert ran.returncode == 1, ran.stdout[-3000:] + ran.stderr[-3000:]
    for forgotten in RUNS[what]:
        assert re.search(forgotten.said, ran.stdout), f"{forgotten.said}\n{ran.stdout[-6000:]}"

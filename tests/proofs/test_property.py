"""Random operations against an oracle of plain dictionaries: every answer, every row, every event.

Each part runs in a database of its own, which at the end holds what the oracles of all its examples
hold, and nothing else. `make proof` draws other examples each time and shrinks what fails.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select, true
from sqlalchemy.orm import with_loader_criteria

from saas import database
from saas.audit import coverage
from saas.models import Project
from saas.paging import Page
from saas.services import project_services, session_services
from tenants import TenantOwned, proof, session
from tests import databases, needs
from tests.house import House
from tests.notes import note
from tests.proofs.project_rules import ProjectRules
from tests.proofs.world import World, world
from tests.proving import PROVING

pytestmark = pytest.mark.timeout(600)  # on a machine that has much else to do
STEPS, MORE = 120, 20  # of one example, and about how many operations it makes beyond them
PARTS = {"sqlite": 4, "postgresql": 2, "mariadb": 2}
OPERATIONS = 2500  # of one part: 20,000 together
PROOF_PARTS = {"sqlite": 20, "postgresql": 12, "mariadb": 8}
PROOF_OPERATIONS = 25_000  # 1,000,000 together


def run(into: World, operations: int, first_seed: int) -> None:
    """Run examples until so many operations are done; raises what the first difference raised."""
    rounds = 0
    while into.operations < operations:
        missing = operations - into.operations
        machine = seed(first_seed + 10 * rounds)(type("Tenants", (ProjectRules,), {"world": into}))
        chosen = settings(
            max_examples=missing // (STEPS + MORE) + 1,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if PROVING else (Phase.generate,),
        )
        run_state_machine_as_test(machine, settings=chosen)
        rounds += 1


def check(backend: str, part: int, operations: int, lite: House) -> None:
    """Run one part and compare the whole database at its end."""
    first_seed = (
        secrets.randbelow(2**32) if PROVING else 1000 * part + databases.BACKENDS.index(backend)
    )
    try:
        with world(backend, lite.settings.var_dir, f"property_{part}") as into:
            run(into, operations, first_seed)
            events = into.check_whole_database()
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)
    told = into.outcomes
    note(
        "property",
        f"property: {backend} part {part}: {into.operations:,} operations in {into.examples} examples "
        f"({told['served']:,} served, {told['refused']:,} refused), {events:,} events verified, "
        "the whole database as the oracle has it: 0 differences",
    )


@pytest.mark.parametrize(
    ("backend", "part"),
    [(backend, n) for backend, parts in PARTS.items() for n in range(1, parts + 1)],
)
def test_random_operations_and_the_oracle_never_differ(
    backend: str, part: int, lite: House
) -> None:
    check(backend, part, OPERATIONS, lite)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("backend", "part"),
    [(backend, n) for backend, parts in PROOF_PARTS.items() for n in range(1, parts + 1)],
)
def test_a_million_random_operations_and_the_oracle_never_differ(
    backend: str, part: int, lite: House
) -> None:
    check(backend, part, PROOF_OPERATIONS, lite)


def nets_off(monkeypatch: pytest.MonkeyPatch, into: World) -> None:
    """The ORM's criterion lets every project through, and the guard proves nothing."""

    def criterion(cls: Any) -> Any:
        return true() if cls is Project else cls.account_id == session.ACCOUNT

    holed = with_loader_criteria(TenantOwned, criterion, include_aliases=True)
    monkeypatch.setattr(session, "SCOPE", holed)
    monkeypatch.setattr(proof.Scan, "prove", lambda self: None)


def unfiltered_list(monkeypatch: pytest.MonkeyPatch, into: World) -> None:
    """Somebody reads a list through the engine that looks across accounts."""

    class Unfiltered:
        def page(self, unit: Any, owner: Any, *, limit: int, cursor: str | None) -> Page:
            columns = [
                Project.__table__.c[name]
                for name in ("id", "name", "description", "created_at", "updated_at")
            ]
            with database.looking_across("a mistake") as connection:
                return Page(list(connection.execute(select(*columns).limit(limit)).all()), None)

    monkeypatch.setattr(project_services, "_LIST", Unfiltered())


def door_left_open(monkeypatch: pytest.MonkeyPatch, into: World) -> None:
    """The door does not close behind a request."""
    monkeypatch.setattr(into.house.app, "teardown_request_funcs", {})


def event_forgotten(monkeypatch: pytest.MonkeyPatch, into: World) -> None:
    """A service records nothing, and nobody asks."""
    monkeypatch.setattr(project_services, "record", lambda *args, **more: None)
    monkeypatch.setattr(coverage, "check", lambda unit: None)


def session_that_stays(monkeypatch: pytest.MonkeyPatch, into: World) -> None:
    """Signing out only takes the cookie away."""
    monkeypatch.setattr(session_services, "sign_out", lambda actor: None)


@pytest.mark.parametrize(
    ("leak", "finding"),
    [
        (nets_off, "shows|instead of 40401"),
        (unfiltered_list, "shows|projects: "),
        (door_left_open, "left {"),
        (event_forgotten, "audit_heads|audit-events|project\\."),
        (session_that_stays, "sessions|audit"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_oracle_finds_a_leak_that_was_put_in(
    leak: Callable[[pytest.MonkeyPatch, World], None],
    finding: str,
    lite: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world("sqlite", lite.settings.var_dir, leak.__name__) as into:
        leak(monkeypatch, into)
        with pytest.raises(AssertionError, match=finding):
            copy_context().run(run, into, 2000, 1)  # which takes along what a leak leaves behind
    note("property", f"property: {leak.__name__} was found after {into.operations} operations")

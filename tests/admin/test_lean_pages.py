"""No page of the console needs more than six statements, beside the record that somebody looked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests import acts, people
from tests.admin import desk
from tests.house import House
from tests.notes import note

MOST = 6
# The record of a look is written where it is told: head, event, head again in the log of the house, and the same in
# the account's (one statement on PostgreSQL). Counted apart, because it follows from what is shown and not from how.
RECORD = ("audit_heads", "audit_events (", "system_heads", "system_events (", "moved AS")


@contextmanager
def counting(house: House) -> Iterator[list[str]]:
    """Collect the statements that both engines run in the block."""
    seen: list[str] = []

    def heard(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    engines = (house.database.tenant_engine, house.database.system_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", heard)
    yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", heard)


def is_record(statement: str) -> bool:
    return statement.startswith(
        ("INSERT INTO audit", "INSERT INTO system", "UPDATE", "WITH locked")
    ) or (statement.startswith("SELECT") and "_heads" in statement)


def test_no_page_needs_more_than_six_statements_however_much_there_is(house: House) -> None:
    olga, acme = desk.hire(house), people.team(house)
    most: dict[str, tuple[int, int]] = {}
    few = measure(house, olga, acme)
    for number in range(6):
        acts.make_role(acme.ada, f"role {number}", "project:read")
        acts.invite(acme.ada, people.fresh_email("kim"), "viewer", f"role {number}")
        acts.make_key(house, acme.ada, "project:read")
        people.add(house, acme.ada, f"more{number}", "viewer")
    many = measure(house, olga, acme)

    for name, (read, recorded) in many.items():
        assert read <= MOST, (name, read)
        assert few[name][0] == read, (
            f"{name}: {few[name][0]} statements for few rows, {read} for many"
        )
        most[name] = (read, recorded)
    worst = max(most.items(), key=lambda each: each[1])
    note(
        "console",
        f"{house.backend}: at most {worst[1][0]} statements a page ({worst[0]}), flat in rows",
    )


def measure(house: House, olga: desk.Desk, acme: people.Team) -> dict[str, tuple[int, int]]:
    account, person = (
        f"/admin/accounts/{acme.account_id}/",
        f"/admin/people/{acme.ada.identity_id}/",
    )
    tabs = ("overview", "users", "roles", "invitations", "keys", "sessions", "events", "notes")
    event_id = acme.ada.events()[0]["id"]
    paths = [
        "/admin/", "/admin/accounts/", "/admin/accounts/?search=ac&view=ownerless", "/admin/people/",
        *(f"{account}?tab={tab}" for tab in tabs), f"{account}suspend/",
        *(f"{person}?tab={tab}" for tab in ("overview", "sessions", "events", "house", "notes")), f"{person}suspend/",
        "/admin/roles/", f"/admin/roles/?account={acme.account_id}", "/admin/audit/", "/admin/audit/?log=house",
        f"/admin/audit/?account_id={acme.account_id}&action=role.", f"/admin/audit/{event_id}/",
        "/admin/search/?q=ac", f"/admin/search/?q={acme.account_id}", "/admin/operators/",
        f"/admin/operators/{olga.id}/", "/admin/projects/", "/admin/me/",
    ]  # fmt: skip
    found = {}
    for path in paths:
        with counting(house) as seen:
            assert olga.get(path).status_code < 400, path
        recorded = [s for s in seen if is_record(s)]
        found[path.replace(str(acme.account_id), "…")[:60]] = (
            len(seen) - len(recorded),
            len(recorded),
        )
    return found


@pytest.mark.parametrize("path", ["/admin/nothing", "/admin/accounts/", "/admin/sign-in", "/admin"])
def test_strangers_cost_no_statement(lite: House, path: str) -> None:
    with counting(lite) as seen:
        lite.app.test_client().get(path)
    assert seen == []

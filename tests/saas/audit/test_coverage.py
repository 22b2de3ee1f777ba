"""Take one ``record()`` away: the commit is refused, nothing is changed, and the place is named.

The call sites are read from the code, so a new one without an act here fails the first test.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from structlog.testing import capture_logs

from saas import database
from saas.audit import record as record_module
from saas.audit.coverage import UnauditedChangeError
from saas.columns import utc_now
from saas.models import Account, Project, User, UserSession
from saas.services import project_services
from tenants import enter_account
from tests.house import House
from tests.people import Person
from tests.refusals import look, nothing_changes, refused
from tests.saas.audit.acts import Stage

SERVICES = Path(record_module.__file__).parent.parent / "services"

# (module, function that calls record, which call in it) → the act that comes by, and the tables
# that would be changed without an event.
SITES: dict[tuple[str, str, int], tuple[str, set[str]]] = {
    ("account_services", "register", 0): ("register", {"identities"}),
    ("account_services", "update_account", 0): ("update account", {"accounts"}),
    ("account_services", "open_account", 0): ("create account", {"accounts", "roles"}),
    ("account_services", "open_account", 1): ("create account", {"users", "users_x_roles"}),
    ("account_services", "set_audit_retention", 0): ("set retention", {"accounts"}),
    ("account_services", "_set_status", 0): ("suspend account", {"accounts"}),
    ("api_key_services", "create_api_key", 0): ("create key", {"api_keys"}),
    ("api_key_services", "revoke_api_key", 0): ("revoke key", {"api_keys"}),
    ("identity_services", "store_password_hash", 0): (
        "change password",
        {"identities", "sessions"},
    ),
    ("invitation_services", "create_invitation", 0): (
        "invite",
        {"invitations", "invitations_x_roles"},
    ),
    ("invitation_services", "resend_invitation", 0): ("resend invitation", {"invitations"}),
    ("invitation_services", "revoke_invitation", 0): ("revoke invitation", {"invitations"}),
    ("invitation_services", "accept_invitation", 0): ("accept invitation", {"identities"}),
    ("invitation_services", "accept_invitation", 1): (
        "accept invitation",
        {"invitations", "users", "users_x_roles"},
    ),
    ("mail_token_services", "_new_token", 0): ("change email", {"email_tokens"}),
    ("mail_token_services", "verify_email", 0): (
        "open new address",
        {"identities", "email_tokens", "sessions"},
    ),
    ("mail_token_services", "verify_email", 1): (
        "confirm address",
        {"identities", "email_tokens", "sessions"},
    ),
    ("mail_token_services", "reset_password", 0): (
        "reset password",
        {"identities", "email_tokens", "sessions"},
    ),
    ("mail_token_services", "_end_keys", 0): ("reset with a key", {"api_keys"}),
    ("ownership_services", "offer_ownership", 0): ("offer ownership", {"ownership_offers"}),
    ("ownership_services", "accept_ownership", 0): (
        "accept ownership",
        {"ownership_offers", "users_x_roles"},
    ),
    ("ownership_services", "close_account", 0): ("close account", {"accounts"}),
    ("role_services", "create_role", 0): ("create role", {"roles"}),
    ("role_services", "update_role", 0): ("update role", {"roles"}),
    ("role_services", "delete_role", 0): ("delete role", {"roles"}),
    ("role_services", "grant_role", 0): ("grant role", {"users_x_roles"}),
    ("role_services", "revoke_role", 0): ("revoke role", {"users_x_roles"}),
    ("project_services", "create_project", 0): ("create project", {"projects"}),
    ("project_services", "update_project", 0): ("update project", {"projects"}),
    ("project_services", "delete_project", 0): ("delete project", {"projects"}),
    ("session_services", "begin_session", 0): ("sign in", {"sessions"}),
    ("session_services", "_end", 0): ("sign out", {"sessions"}),
    ("user_services", "_set_status", 0): ("suspend user", {"users", "sessions"}),
    ("user_services", "update_user", 0): ("update user", {"users"}),
    ("user_services", "_end_seat", 0): ("remove user", {"users", "users_x_roles"}),
    ("user_services", "_add_identity", 0): ("add user", {"identities"}),
    ("webhook_services", "create_webhook", 0): ("create webhook", {"webhooks"}),
    ("webhook_services", "delete_webhook", 0): ("delete webhook", {"webhooks"}),
    ("webhook_services", "test_webhook", 0): ("test webhook", {"webhooks"}),
    ("webhook_services", "rotate_secret", 0): ("rotate secret", {"webhooks"}),
    ("webhook_services", "_switch", 0): ("disable webhook", {"webhooks"}),
    ("webhook_services", "_apply", 0): ("update webhook", {"webhooks"}),
    ("user_services", "add_user", 0): ("add user", {"users", "users_x_roles"}),
}


# Calls that tell of a reading: nothing is changed, so no commit could miss them. test_export.py does.
READINGS = {("audit_services", "export_events", 0)}


def call_sites() -> dict[tuple[str, str, int], range]:
    """Every call of ``record`` in a service: where it stands → its lines."""
    found: dict[tuple[str, str, int], range] = {}
    for path in sorted(SERVICES.glob("*_services.py")):
        if path.stem.startswith(("console_", "operator_")):
            continue  # what operators do: tests/admin/test_operator_events.py
        for function in ast.parse(path.read_text("utf-8")).body:
            if isinstance(function, ast.FunctionDef):
                calls = [n for n in ast.walk(function) if _is_record(n)]
                for number, call in enumerate(sorted(calls, key=lambda n: n.lineno)):
                    lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
                    found[path.stem, function.name, number] = lines
    return found


def _is_record(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "record"


def test_every_call_of_record_is_taken_away_once_here() -> None:
    assert call_sites().keys() == SITES.keys() | READINGS


@pytest.fixture
def stage(house: House) -> Stage:
    return Stage(house)


@pytest.mark.parametrize("site", SITES, ids=lambda site: f"{site[0]}.{site[1]}.{site[2]}")
def test_without_its_event_the_change_is_refused_and_the_place_named(
    house: House, stage: Stage, site: tuple[str, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"saas.services.{site[0]}")
    act, tables = SITES[site]
    stage.make_ready(act)
    lines, real, dropped = call_sites()[site], module.record, []

    def forgetful(*args: Any, **options: Any) -> None:
        if sys._getframe(1).f_lineno in lines:
            dropped.append(args[0])
        else:
            real(*args, **options)

    with nothing_changes(house, stage.ada, stage.zoe):
        monkeypatch.setattr(module, "record", forgetful)
        error = failure_of(stage.acts()[act])

    assert len(dropped) == 1
    told = str(error)
    for table in tables:
        place = re.search(
            rf"{table} \(changed at saas/services/(\w+_services)\.py:(\d+) (\w+)\)", told
        )
        assert place, told
        assert (SERVICES / f"{place[1]}.py").read_text("utf-8").count("\n") >= int(place[2])
    assert str(dropped[0]) not in told.split("recorded:")[1]


def failure_of(act: Callable[[], Any]) -> UnauditedChangeError:
    """The refusal behind an act: raised by a service, or logged behind an answer in our shape."""
    with capture_logs() as lines:
        try:
            answer = act()
        except UnauditedChangeError as error:
            return error
    refused(answer, 50002)
    assert "record" not in answer.get_data(as_text=True)
    (error,) = [line["exc_info"] for line in lines if line["log_level"] == "error"]
    assert isinstance(error, UnauditedChangeError)
    return error


class TestOtherWays:
    """Changes that no service makes: by ORM, by Core, in bulk, beside an event for something else."""

    def attempt(self, house: House, ada: Person, change: Callable[[Any], None]) -> str:
        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(UnauditedChangeError) as caught,
            database.unit_of_work() as unit,
        ):
            change(unit)
        return str(caught.value)

    def test_a_silent_change_by_orm_is_refused(self, house: House, ada: Person) -> None:
        told = self.attempt(house, ada, lambda unit: unit.session.add(Project(name="silent")))

        assert "projects (changed at" in told
        assert "test_coverage.py" in told

    @pytest.mark.parametrize("table", [Project, User, Account])
    def test_a_silent_change_by_core_is_refused(
        self, house: House, ada: Person, table: Any
    ) -> None:
        ada.post("/api/projects", {"name": "Apollo"})
        target = table.__table__
        mine = target.c.account_id == ada.account_id

        told = self.attempt(
            house,
            ada,
            lambda unit: unit.execute(update(target).where(mine).values(created_at=utc_now())),
        )

        assert target.name in told

    def test_a_silent_insert_or_delete_is_refused(self, house: House, ada: Person) -> None:
        ada.post("/api/projects", {"name": "Apollo"})
        table = Project.__table__
        row = {"account_id": ada.account_id, "name": "x", "description": ""}
        times = {"created_at": utc_now(), "updated_at": utc_now()}

        self.attempt(
            house,
            ada,
            lambda unit: unit.execute(insert(table), [row | times | {"id": ada.user_id}]),
        )
        mine = delete(table).where(table.c.account_id == ada.account_id)
        self.attempt(house, ada, lambda unit: unit.execute(mine))

    def test_an_event_about_another_table_does_not_excuse_it(
        self, house: House, ada: Person
    ) -> None:
        users = User.__table__
        mine = update(users).where(users.c.account_id == ada.account_id)

        def change(unit: Any) -> None:
            project_services.create_project(ada.actor(), name="Apollo")
            unit.execute(mine.values(username="renamed"))

        told = self.attempt(house, ada, change)

        assert "users (changed at" in told
        assert "recorded: project.created" in told
        assert "projects" not in told

    def test_traces_of_use_need_no_event_but_nothing_else_rides_along(
        self, house: House, ada: Person
    ) -> None:
        users, sessions = User.__table__, UserSession.__table__
        own_seat = update(users).where(users.c.account_id == ada.account_id)
        own_session = update(sessions).where(sessions.c.identity_id == ada.identity_id)
        with house.in_use(), enter_account(ada.account_id), database.unit_of_work() as unit:
            unit.execute(own_seat.values(last_used_at=utc_now()))
            unit.execute(own_session.values(last_seen_at=utc_now()))

        told = self.attempt(
            house,
            ada,
            lambda unit: unit.execute(own_seat.values(last_used_at=utc_now(), status="suspended")),
        )

        assert "users" in told

    def test_a_write_outside_every_unit_of_work_is_refused(self, house: House, ada: Person) -> None:
        users = User.__table__
        own_seat = update(users).where(users.c.account_id == ada.account_id)

        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            house.database.tenant_engine.connect() as connection,
            connection.begin(),
            pytest.raises(UnauditedChangeError, match=r"outside .*unit_of_work"),
        ):
            connection.execute(own_seat.values(last_used_at=utc_now()))

    def test_a_change_of_no_row_needs_no_event(self, house: House, ada: Person) -> None:
        users = User.__table__
        nobody = (users.c.account_id == ada.account_id) & (users.c.username == "nobody")

        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            database.unit_of_work() as unit,
        ):
            unit.execute(update(users).where(nobody).values(status="suspended"))
        assert look(house, users.select().where(users.c.id == ada.user_id))[0].status == "active"

"""What each act leaves in the log: its event, the whole envelope, the same on every database."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from saas import database
from saas.audit.events import AuditEvent
from saas.audit.record import Target, changed, clean, record
from saas.audit.record import plain as plain_value
from saas.models import AuditEventRow, Project, SystemEventRow, User
from saas.services import project_services
from saas.unit import NoUnitError
from tenants import enter_account
from tests import acts, databases, needs
from tests.house import House, Street
from tests.people import Person, sign_in
from tests.refusals import look, nothing_changes, refused
from tests.saas.audit.acts import Stage

# What every event says, whoever did it; `None`: may be null.
ALWAYS = {"v": int, "id": UUID, "seq": int, "action": str, "crud": str, "outcome": str}
ALWAYS |= {"severity": str, "actor_type": str, "actor_label": str, "target_type": str}
ALWAYS |= {"target_id": str, "target_label": str, "targets": list, "changes": list, "data": dict}
ALWAYS |= {"channel": str, "digest": str, "prev": str, "hash": str}

# act → the events it leaves, in the order of the two chains: account first.
LEAVES = {
    "sign in": ["session.created"],
    "create project": ["project.created"],
    "update project": ["project.updated"],
    "delete project": ["project.deleted"],
    "update account": ["account.updated"],
    "create account": [],  # in the new account's own chain
    "add user": ["user.created", "identity.created"],
    "suspend user": ["user.suspended"],
    "restore user": ["user.restored"],
    "suspend account": ["account.suspended"],
    "restore account": ["account.restored"],
    "set retention": ["account.updated"],
    "export events": ["audit.exported"],
    "confirm address": ["identity.confirmed"],
    "reset password": ["identity.password_reset"],
    "accept invitation": ["invitation.accepted", "session.created", "identity.created"],
    "create role": ["role.created"],
    "update role": ["role.updated"],
    "delete role": ["role.deleted"],
    "grant role": ["role.granted"],
    "revoke role": ["role.revoked"],
    "update user": ["user.updated"],
    "remove user": ["user.removed"],
    "invite": ["invitation.created"],
    "resend invitation": ["invitation.resent"],
    "revoke invitation": ["invitation.revoked"],
    "create key": ["api_key.created"],
    "revoke key": ["api_key.revoked"],
    "offer ownership": ["ownership.offered"],
    "create webhook": ["webhook.created"],
    "update webhook": ["webhook.updated"],
    "disable webhook": ["webhook.disabled"],
    "enable webhook": ["webhook.enabled"],
    "test webhook": ["webhook.tested"],
    "rotate secret": ["webhook.secret_rotated"],
    "delete webhook": ["webhook.deleted"],
    "change password": ["identity.password_changed"],
    "rehash password": ["session.created", "identity.password_rehashed"],
    "change email": ["token.sent"],
    "open new address": ["api_key.revoked", "identity.email_changed"],
    "switch account": ["session.ended"],
    "accept ownership": ["ownership.accepted"],
    "reset with a key": ["api_key.revoked", "identity.password_reset"],
    "close account": ["account.closed"],
}


def rows(house: House, stage: Stage) -> list[Any]:
    """Every event of the account, then those of the system that this account's people caused."""
    own, system, seats = AuditEventRow.__table__, SystemEventRow.__table__, User.__table__
    here = select(seats.c.id).where(seats.c.account_id == stage.ada.account_id)
    people = [str(row.id) for row in look(house, here)]
    identities = [str(person.identity_id) for person in (stage.ada, stage.zoe)]
    mine = select(own).where(own.c.account_id == stage.ada.account_id).order_by(own.c.seq)
    theirs = select(system).where(
        system.c.actor_id.in_(people) | system.c.target_id.in_(identities)
    )
    return look(house, mine) + look(house, theirs.order_by(system.c.seq))


def run(house: House) -> tuple[Stage, dict[str, list[Any]]]:
    """Do every act once; name → the rows that it left."""
    stage, left = Stage(house), {}
    for name, act in stage.acts().items():
        if name in LEAVES:
            stage.make_ready(name)
            known = {row.id for row in rows(house, stage)}
            answer = act()
            assert answer is None or answer.status_code < 300, (name, answer.json)
            left[name] = [row for row in rows(house, stage) if row.id not in known]
            if name == "restore account":
                sign_in(house, stage.ada)
            if name == "switch account":  # and back, into a session in this account
                body = {"account_id": str(stage.ada.account_id)}
                acts.done(stage.ada.post("/api/session/account", body))
    return stage, left


@pytest.fixture(scope="module")
def every_house(street: Street) -> list[House]:
    try:
        return [street.house(backend) for backend in databases.BACKENDS]
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


@pytest.fixture(scope="module")
def told(every_house: list[House]) -> list[tuple[Stage, dict[str, list[Any]]]]:
    """Every act, once on each database."""
    return [run(house) for house in every_house]


def test_each_act_leaves_its_events_and_no_others(told: Any) -> None:
    for _, left in told:
        assert {name: [row.action for row in each] for name, each in left.items()} == LEAVES


def test_acts_cover_the_catalogue(told: Any) -> None:
    seen = {row.action for each in told[0][1].values() for row in each}

    by_operators = ("operator.", "console.", "person.", "note.", "account.viewed")
    done = {event.value for event in AuditEvent if event.outcome == "success"}
    elsewhere = {"account.created", "audit.pruned"}  # in a new account; by the owner: test_prune.py
    done -= {"identity.restored", "identity.signed_out", "identity.suspended"}
    done = {action for action in done if not action.startswith(by_operators)}  # tests/admin
    assert seen | elsewhere == done  # refusals: test_refusals.py


def test_the_envelope_is_complete(told: Any) -> None:
    for _, left in told:
        for row in (row for each in left.values() for row in each):
            event = row._mapping
            for field, kind in ALWAYS.items():
                assert type(event[field]) is kind, (row.action, field)
            assert (event["v"], event["outcome"], event["severity"]) == (1, "success", "info")
            assert event["crud"] == AuditEvent(row.action).crud
            assert event["time"].utcoffset().total_seconds() == 0
            assert event["targets"][0]["id"] == event["target_id"]
            for name in ("digest", "prev", "hash"):
                assert re.fullmatch("[0-9a-f]{64}", event[name])
            if event["channel"] == "api":
                assert re.fullmatch("[0-9a-f]{32}", event["request_id"])
                assert (event["ip"], event["route"][:5]) == ("127.0.0.1", "/api/")
                assert event["user_agent"].startswith("Werkzeug")
            assert event["actor_label"] in ("ada", "zoe2", "lou", "flask accounts", "by mail")


def plain(row: Any, names: dict[str, str]) -> dict[str, Any]:
    """A row without what differs from run to run; ids are numbered in the order they appear."""
    skipped = {"seq", "time", "prev", "hash", "digest", "request_id"}
    text = repr({key: value for key, value in row._mapping.items() if key not in skipped})
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    for found in re.findall(uuid, text):
        names.setdefault(found, f"id {len(names)}")
        text = text.replace(found, names[found])
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}\+00:00", "a moment", text)
    return {"text": re.sub(r"\.[0-9a-f]{12}@", "@", text)}


def test_the_log_reads_the_same_on_every_database(told: Any) -> None:
    read = []
    for _, left in told:
        names: dict[str, str] = {}
        read.append([plain(row, names) for each in left.values() for row in each])

    assert read.count(read[0]) == len(databases.BACKENDS)


def test_changes_name_old_and_new(told: Any) -> None:
    for stage, left in told:
        assert left["update project"][0].changes == [
            {"field": "name", "old": "Apollo", "new": "Mercury"},
            {"field": "description", "old": "", "new": "1"},
        ]
        event = left["open new address"][-1]
        assert [change["field"] for change in event.changes] == ["email"]
        assert event.changes[0]["old"] == stage.ada.email
        (event,) = left["suspend user"]
        assert (event.reason, event.target_label) == ("because", "zoe")


def test_label_of_what_is_gone_is_still_read(told: Any) -> None:
    for stage, left in told:
        (event,) = left["delete project"]
        assert (event.target_id, event.target_label) == (stage.project["id"], "Mercury")
        assert event.actor_label == "ada"


class Channel(Enum):
    MAIL = "by mail"


class TestRecord:
    def test_it_belongs_to_a_unit_of_work(self, lite: House, solo: Person) -> None:
        with lite.in_use(), enter_account(solo.account_id), pytest.raises(NoUnitError):
            record(AuditEvent.PROJECT_CREATED, actor=solo.actor())

    def test_data_that_the_catalogue_does_not_know_is_refused(
        self, lite: House, solo: Person
    ) -> None:
        with lite.in_use(), enter_account(solo.account_id), nothing_changes(lite, solo):
            for event, data in (
                (AuditEvent.PROJECT_CREATED, {"password": "x"}),
                (AuditEvent.SESSION_CREATED, {}),
                (AuditEvent.USER_CREATED, {"roles": "owner"}),
            ):
                with pytest.raises(ValidationError), database.unit_of_work():
                    record(event, actor=solo.actor(), data=data)

    def test_what_is_rolled_back_leaves_no_event(self, house: House, ada: Person) -> None:
        def create_and_fail() -> None:
            with database.unit_of_work():
                project_services.create_project(ada.actor(), name="Apollo")
                raise RuntimeError("changed my mind")

        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(RuntimeError, match="changed my mind"),
        ):
            create_and_fail()

    def test_what_is_refused_leaves_no_event(self, house: House, ada: Person) -> None:
        ada.post("/api/projects", {"name": "Apollo"})

        with nothing_changes(house, ada):
            refused(ada.post("/api/projects", {"name": "Apollo"}), 40903)

    def test_only_named_fields_are_written_and_only_when_they_changed(self) -> None:
        project = Project(name="Apollo", description="secret")

        assert changed(project, "name") == []  # new, not changed

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("plain", "plain"),
            ("a\nb\r\n\x00\x1b[31mc", "a b    [31mc"),
            ("jose\u0301", "josé"),
            ("a\u2028b", "a b"),
            ("\ud800x", " x"),
            ("x" * 500, "x" * 254),
            (None, None),
        ],
    )
    def test_labels_are_safe_in_one_line(self, given: str | None, told: str | None) -> None:
        assert clean(given, 254) == told

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (1.5, "1.5"),
            (float("nan"), "nan"),
            (Decimal("1.10"), "1.10"),
            (date(2026, 1, 2), "2026-01-02"),
            (UUID(int=7), str(UUID(int=7))),
            (Channel.MAIL, "by mail"),
            (("a", 2, None, True), ["a", 2, None, True]),
            ({1: {"b": 2.0}}, {"1": {"b": "2.0"}}),
        ],
    )
    def test_what_json_cannot_hold_is_told_as_text(self, value: Any, told: Any) -> None:
        assert plain_value(value) == told

    def test_no_event_carries_a_float_whose_text_others_would_write_otherwise(self) -> None:
        for event in AuditEvent:
            assert '"number"' not in json.dumps(event.data_model.model_json_schema()), event

    def test_a_target_is_named_by_its_label(self) -> None:
        project = Project(id=UUID(int=7), name="Apollo\nand more")

        assert Target.of(project) == Target("project", str(UUID(int=7)), "Apollo and more")

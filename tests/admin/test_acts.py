"""What operators do: with permission and reason, told twice, felt at the customer's next request."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from config import worker
from saas import database, errors, outbox
from saas.audit import later
from saas.audit.events import AuditEvent
from saas.audit.reading import Chain, across
from saas.audit.record import make
from saas.audit.verify import Verdict
from saas.models import AccountNote, AuditEventRow, OutboxItem
from saas.operator import OPERATOR_ROLES
from tenants import enter_account
from tests import acts, mail, people
from tests.admin import desk
from tests.admin.desk import REASON, Desk
from tests.house import House
from tests.people import Person, Team
from tests.refusals import look, nothing_changes, refused

_events = AuditEventRow.__table__
TICKET = "https://tickets.example.com/4711"


def acted(operator: Desk) -> dict[str, Any]:
    """Return what the log of the house says of the last act."""
    event = [each for each in operator.told() if each.action == "console.acted"][-1]
    return {**event.data, "reason": event.reason, "target": event.target_label}


class TestAccounts:
    def test_suspending_locks_out_and_the_log_names_who_and_why(
        self, house: House, olga: Desk, acme: Team
    ) -> None:
        path = f"/admin/accounts/{acme.account_id}/"
        key = acts.make_key(house, acme.ada, "project:read").key
        asked = olga.get(path + "suspend/").get_data(as_text=True)
        assert "All 4 people of acme are locked out at their next request." in asked

        answer = olga.act(path + "suspend/", ticket=TICKET)

        assert answer.headers["Location"] == path + "?done=suspend-account"
        page = olga.get(path + "?done=suspend-account").get_data(as_text=True)
        assert "The account is suspended." in page
        assert f"Suspended by {olga.email}" in page
        for person in (acme.ada, acme.ben, acme.cleo, acme.vera):
            refused(person.get("/api/user"), 40102)
        with_key = house.app.test_client().get(
            "/api/projects", headers={"Authorization": f"Bearer {key}"}
        )
        refused(with_key, 40102)
        told = acted(olga)
        assert (told["act"], told["reason"], told["ticket"]) == ("suspend account", REASON, TICKET)
        assert (told["account_id"], told["account_name"]) == (str(acme.account_id), "acme")

        assert olga.act(path + "restore/").status_code == 303
        event = acme.ada.events(action="account.suspended")[0]
        assert (event["actor_type"], event["actor_label"]) == ("operator", olga.email)
        assert (event["reason"], event["channel"]) == (REASON, "console")
        assert event["changes"] == [{"field": "status", "old": "active", "new": "suspended"}]
        assert TICKET not in str(acme.ada.events())
        assert acme.ada.events(action="account.restored")[0]["actor_label"] == olga.email

    def test_twice_is_refused_and_told_once(self, house: House, olga: Desk, ada: Person) -> None:
        path = f"/admin/accounts/{ada.account_id}/"
        with nothing_changes(house, ada):
            assert olga.act(path + "restore/").status_code == 409
        olga.act(path + "suspend/")
        with nothing_changes(house, ada):
            assert olga.act(path + "suspend/").status_code == 409
            assert "suspended already" in olga.get(path + "suspend/").get_data(as_text=True)

    @pytest.mark.parametrize("reason", ["", "short", " " * 20, "x" * 501, "nine char"])
    def test_without_a_proper_reason_nothing_happens(self, lite: House, reason: str) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        with nothing_changes(lite, ada):
            answer = olga.act(f"/admin/accounts/{ada.account_id}/suspend/", reason=reason)
            assert answer.status_code == 422
            assert "Please correct what is marked." in answer.get_data(as_text=True)

    @pytest.mark.parametrize(
        "ticket",
        ["javascript:alert(1)", "tickets/1", "https://a b", 'https://x"><script>', "ftp://x"],
    )
    def test_a_ticket_is_a_link_or_nothing(self, lite: House, ticket: str) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        with nothing_changes(lite, ada):
            path = f"/admin/accounts/{ada.account_id}/suspend/"
            assert olga.act(path, ticket=ticket).status_code == 422

    def test_what_was_typed_is_there_again(self, lite: House) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        answer = olga.act(
            f"/admin/accounts/{ada.account_id}/suspend/", reason="too <b>", ticket=TICKET
        )
        assert f'value="{TICKET}"' in answer.get_data(as_text=True)
        assert "too &lt;b&gt;" in answer.get_data(as_text=True)


class TestPeople:
    def test_suspending_a_person_locks_them_out_of_every_account_and_each_log_tells(
        self, house: House, olga: Desk, ada: Person, gus: Person
    ) -> None:
        people.add(house, gus, "ada2", "viewer", email=ada.email)
        key = acts.make_key(house, ada, "project:read").key
        path = f"/admin/people/{ada.identity_id}/"

        assert olga.act(path + "suspend/", ticket=TICKET).status_code == 303

        refused(ada.get("/api/user"), 40102)
        bearer = {"Authorization": f"Bearer {key}"}
        refused(house.app.test_client().get("/api/projects", headers=bearer), 40102)
        login = {"email": ada.email, "password": ada.password}
        refused(house.app.test_client().post("/api/login", json=login), 40304)
        assert gus.get("/api/user").status_code == 200
        (there,) = gus.events(action="person.suspended")
        assert (there["actor_label"], there["reason"]) == (olga.email, REASON)
        assert there["target_label"] == "ada2"
        assert acted(olga)["act"] == "person suspended"
        assert "identity.suspended" in [event.action for event in olga.told()]

        assert olga.act(path + "restore/").status_code == 303
        assert people.come_in(house, ada).events(action="person.restored")
        assert gus.events(action="person.restored")

    def test_no_log_misses_it_when_something_dies_in_between(
        self, house: House, olga: Desk, ada: Person, gus: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people.add(house, gus, "ada2", "viewer", email=ada.email)
        logs = sorted((ada, gus), key=lambda person: person.account_id)

        with monkeypatch.context() as dying:
            dying.setattr(later, "_append_now", lambda promised: None)
            assert olga.act(f"/admin/people/{ada.identity_id}/suspend/").status_code == 303
        assert [len(events_of(house, log, "person.suspended")) for log in logs] == [1, 0]
        promised = promises(house, ada, gus)
        assert [each["account_id"] for each in promised] == [str(logs[1].account_id)]

        worker.run(house.settings, house.database, threading.Event(), until_idle=True)
        with house.in_use():
            later.append(promised[0])  # whoever comes with it once more

        told = [events_of(house, log, "person.suspended") for log in logs]
        assert [len(each) for each in told] == [1, 1]
        ((first,), (second,)) = told
        assert (first.actor_label, first.reason) == (second.actor_label, second.reason)
        assert {first.target_label, second.target_label} == {"ada", "ada2"}
        assert second.request_id == first.request_id
        assert second.time - first.time < timedelta(seconds=1)
        assert promises(house, ada, gus) == []
        with house.in_use(), enter_account(logs[1].account_id):
            assert Chain(logs[1].account_id).verify(across).verdict == Verdict.GOOD

    def test_two_who_append_it_at_once_append_it_once(
        self, house: House, olga: Desk, ada: Person, gus: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people.add(house, gus, "ada2", "viewer", email=ada.email)
        with monkeypatch.context() as dying:
            dying.setattr(later, "_append_now", lambda promised: None)
            olga.act(f"/admin/people/{ada.identity_id}/sign-out/")
        (promised,) = promises(house, ada, gus)
        together = threading.Barrier(4)

        def append(_: int) -> None:
            with house.in_use():
                together.wait()
                later.append(promised)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(append, range(4)))

        told = [len(events_of(house, log, "person.signed_out")) for log in (ada, gus)]
        assert told == [1, 1]

    def test_a_database_that_is_away_by_then_leaves_it_to_the_worker(
        self, house: House, olga: Desk, ada: Person, gus: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people.add(house, gus, "ada2", "viewer", email=ada.email)

        def away(promised: object) -> None:
            raise errors.DatabaseAwayError

        with monkeypatch.context() as gone:
            gone.setattr(later, "append", away)
            assert olga.act(f"/admin/people/{ada.identity_id}/suspend/").status_code == 303
        assert len(promises(house, ada, gus)) == 1
        worker.run(house.settings, house.database, threading.Event(), until_idle=True)

        assert [len(events_of(house, log, "person.suspended")) for log in (ada, gus)] == [1, 1]

    def test_an_account_that_is_gone_is_told_nothing(self, house: House, ada: Person) -> None:
        made = make(AuditEvent.PERSON_SUSPENDED, actor=ada.actor())
        with house.in_use(), enter_account(ada.account_id), database.unit_of_work() as unit:
            later.promise(unit, (nowhere := uuid7()), made)
        worker.run(house.settings, house.database, threading.Event(), until_idle=True)

        columns = OutboxItem.__table__.c
        left = look(house, select(columns.payload).where(columns.topic == outbox.AUDIT))
        assert str(nowhere) not in [row.payload.get("account_id") for row in left]
        assert look(house, select(_events).where(_events.c.id == made.envelope["id"])) == []

    def test_signing_a_person_out_ends_every_session_and_nothing_else(
        self, house: House, olga: Desk, ada: Person
    ) -> None:
        key = acts.make_key(house, ada, "project:read").key

        assert olga.act(f"/admin/people/{ada.identity_id}/sign-out/").status_code == 303

        refused(ada.get("/api/user"), 40102)
        bearer = {"Authorization": f"Bearer {key}"}
        assert house.app.test_client().get("/api/projects", headers=bearer).status_code == 200
        people.sign_in(house, ada)
        assert ada.events(action="person.signed_out")[0]["actor_label"] == olga.email

    def test_somebody_in_no_account_can_be_suspended_too(
        self, house: House, olga: Desk, ada: Person
    ) -> None:
        zoe = people.add(house, ada, "zoe", "member")
        acts.done(zoe.post("/api/account/leave"))
        path = f"/admin/people/{zoe.identity_id}/"

        assert "no account" in olga.get(path + "suspend/").get_data(as_text=True)
        assert olga.act(path + "suspend/").status_code == 303
        assert "suspended" in olga.get(path).get_data(as_text=True)
        assert olga.act(path + "suspend/").status_code == 409

    def test_their_page_says_what_they_may_and_which_role_gives_it(
        self, house: House, olga: Desk, acme: Team
    ) -> None:
        acts.make_role(acme.ada, "auditor", "audit:read")
        acts.give_role(acme.ada, acme.cleo, acts.role_ids(acme.ada)["auditor"])

        page = olga.get(f"/admin/people/{acme.cleo.identity_id}/").get_data(as_text=True)

        row = page.split("<code>audit:read</code>")[1].split("</tr>")[0]
        assert "<td>auditor</td>" in row
        row = page.split("<code>project:create</code>")[1].split("</tr>")[0]
        assert "<td>member</td>" in row
        assert "<code>account:close</code>" not in page


class TestInvitations:
    def test_sent_again_it_stays_its_senders_and_the_older_link_is_dead(
        self, house: House, olga: Desk, acme: Team
    ) -> None:
        email = people.fresh_email("kim")
        older = acts.invited(house, acme.ada, email, "viewer")
        row = acme.ada.get("/api/invitations").json["data"][0]
        path = f"/admin/accounts/{acme.account_id}/invitations/{row['id']}/resend/"

        assert olga.act(path).status_code == 303

        newer = mail.token(house, email)
        assert newer != older
        body = {"token": older, "username": "kim", "password": people.PASSWORD}
        nobody = house.app.test_client()
        refused(nobody.post("/api/invitations/accept", json=body), 40401)
        assert (
            nobody.post("/api/invitations/accept", json=body | {"token": newer}).status_code == 201
        )
        (event,) = acme.ada.events(action="invitation.resent")
        assert (event["actor_label"], event["reason"]) == (olga.email, REASON)
        assert acted(olga)["act"] == "resend invitation"

    def test_taken_back_nobody_comes_in(self, house: House, olga: Desk, acme: Team) -> None:
        email = people.fresh_email("kim")
        token = acts.invited(house, acme.ada, email, "viewer")
        row = acme.ada.get("/api/invitations").json["data"][0]
        path = f"/admin/accounts/{acme.account_id}/invitations/{row['id']}/revoke/"

        assert olga.act(path).status_code == 303
        assert olga.act(path).status_code == 409

        body = {"token": token, "username": "kim", "password": people.PASSWORD}
        refused(house.app.test_client().post("/api/invitations/accept", json=body), 41001)
        (event,) = acme.ada.events(action="invitation.revoked")
        assert (event["actor_label"], event["reason"]) == (olga.email, REASON)

    def test_an_invitation_of_another_account_is_nothing(
        self, house: House, olga: Desk, acme: Team, gus: Person
    ) -> None:
        row = acts.invite(gus, people.fresh_email("kim"), "viewer")
        for act in ("resend", "revoke"):
            path = f"/admin/accounts/{acme.account_id}/invitations/{row['id']}/{act}/"
            with nothing_changes(house, acme.ada, gus):
                assert olga.get(path).status_code == 404
                assert olga.act(path).status_code == 404


class TestNotes:
    def test_operators_read_them_and_the_customer_learns_that_there_is_one(
        self, house: House, olga: Desk, ada: Person
    ) -> None:
        text = "Calls every Monday.\nAsk for <b>Ada</b>."
        path = f"/admin/accounts/{ada.account_id}/"

        assert olga.post(path + "notes/", text=text).status_code == 303

        page = olga.get(path + "?tab=notes").get_data(as_text=True)
        assert "Calls every Monday.\nAsk for Ada." in page
        (event,) = ada.events(action="note.added")
        assert event["actor_label"] == olga.email
        assert "Monday" not in str(ada.events())
        assert acted(olga)["act"] == "write note"

    def test_about_a_seat_it_stands_on_the_persons_page(
        self, house: House, olga: Desk, acme: Team
    ) -> None:
        path = f"/admin/people/{acme.cleo.identity_id}/"
        fields = {"text": "Prefers to be written to.", "user_id": str(acme.cleo.user_id)}

        assert olga.post(path + "notes/", **fields).status_code == 303
        assert "Prefers to be written to." in olga.get(path + "?tab=notes").get_data(as_text=True)
        assert "Prefers" not in olga.get(
            f"/admin/people/{acme.ben.identity_id}/?tab=notes"
        ).get_data(as_text=True)
        with nothing_changes(house, acme.ada):
            other = fields | {"user_id": str(acme.ben.user_id)}
            assert olga.post(path + "notes/", **other).status_code == 404

    def test_a_note_of_one_account_is_in_no_other(
        self, house: House, olga: Desk, ada: Person, gus: Person
    ) -> None:
        olga.post(f"/admin/accounts/{ada.account_id}/notes/", text="Only about this account.")
        (row,) = look(
            house, select(AccountNote.__table__).where(AccountNote.__table__.c.author_id == olga.id)
        )
        assert row.account_id == ada.account_id
        assert "Only about" not in olga.get(
            f"/admin/accounts/{gus.account_id}/?tab=notes"
        ).get_data(as_text=True)


class TestOperators:
    def test_signing_an_operator_out(self, house: House) -> None:
        olga, sam = desk.hire(house), desk.hire(house, "support")

        assert olga.act(f"/admin/operators/{sam.id}/sign-out/").status_code == 303

        assert sam.get("/admin/").status_code == 303
        assert acted(olga)["act"] == "sign out operator"
        page = olga.get(f"/admin/operators/{olga.id}/").get_data(as_text=True)
        assert REASON in page


ACTS = {
    "/admin/accounts/{account}/suspend/": "account:suspend",
    "/admin/people/{person}/suspend/": "person:suspend",
    "/admin/people/{person}/sign-out/": "person:sign_out",
    "/admin/accounts/{account}/invitations/{invitation}/resend/": "invitation:resend",
    "/admin/accounts/{account}/invitations/{invitation}/revoke/": "invitation:revoke",
    "/admin/operators/{operator}/reset/": "operator:reset",
    "/admin/operators/{operator}/sign-out/": "operator:sign_out",
}


@pytest.mark.parametrize("role", OPERATOR_ROLES)
def test_who_may_not_changes_nothing_and_the_house_is_told(lite: House, role: str) -> None:
    operator, acme = desk.hire(lite, role), people.team(lite)
    fields = {
        "account": acme.account_id,
        "person": acme.ben.identity_id,
        "operator": desk.hire(lite, "viewer", signed_in=False).id,
        "invitation": acts.invite(acme.ada, people.fresh_email("kim"), "viewer")["id"],
    }
    held = {permission.value for permission in OPERATOR_ROLES[role]}
    refusals = [(path, needs) for path, needs in ACTS.items() if needs not in held]
    for path, needs in refusals:
        with nothing_changes(lite, acme.ada, acme.ben):
            for answer in (
                operator.get(path.format(**fields)),
                operator.act(path.format(**fields)),
            ):
                assert answer.status_code == 403
                assert needs in answer.get_data(as_text=True)
        told = operator.told()[-1]
        assert (told.action, told.outcome) == ("console.denied", "denied")
        assert told.data["permission"] == needs
    assert len(refusals) == {"administrator": 0, "support": 4, "viewer": 7}[role]


def test_what_one_may_not_is_shown_greyed_with_the_cause(lite: House) -> None:
    vic, ada = desk.hire(lite, "viewer"), people.register(lite, "ada")
    acts.invite(ada, people.fresh_email("kim"), "viewer")
    account, person = f"/admin/accounts/{ada.account_id}/", f"/admin/people/{ada.identity_id}/"
    for path, needs in (
        (account, "account:suspend"), (account + "?tab=invitations", "invitation:resend"),
        (account + "?tab=notes", "note:write"), (person, "person:suspend"), ("/admin/audit/", "audit:export"),
        ("/admin/people/", "list:export"), (f"/admin/operators/{vic.id}/", "operator:reset"),
    ):  # fmt: skip
        page = vic.get(path).get_data(as_text=True)
        assert f"Needs {needs}; your role is viewer." in page, path


def promises(house: House, *told: Person) -> list[dict[str, Any]]:
    """What waits to be told to the logs of these people's accounts."""
    columns = OutboxItem.__table__.c
    waiting = select(columns.payload).where(
        columns.topic == outbox.AUDIT, columns.done_at.is_(None)
    )
    accounts = {str(person.account_id) for person in told}
    payloads = [row.payload for row in look(house, waiting)]
    return [payload for payload in payloads if payload["account_id"] in accounts]


def events_of(house: House, person: Person, action: str) -> list[Any]:
    ours = (_events.c.account_id == person.account_id, _events.c.action == action)
    return look(house, select(_events).where(*ours))

"""What a link by mail proves: an address, a new address, a forgotten password; and what it ends."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select, update

from config import log
from saas.columns import utc_now
from saas.models import OWNERSHIP, EmailToken, Identity, OutboxItem, SystemEventRow
from saas.permissions import Permission
from tests import mail, people
from tests.acts import done, invite, make_key, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team, fresh_email
from tests.refusals import change, look, nothing_changes, refused, superuser

NEW = "another horse battery 77"
VERIFY, FORGOT, RESET = "/api/email/verify", "/api/password/forgot", "/api/password/reset"


def confirmed(house: House, person: Person) -> bool:
    statement = select(Identity.confirmed_at).where(Identity.id == person.identity_id)
    return look(house, statement)[0].confirmed_at is not None


def forget(house: House, email: str) -> str:
    """Ask for a link to a new password and return its token."""
    done(house.app.test_client().post(FORGOT, json={"email": email}), 202)
    return mail.token(house, email)


def reset(house: House, token: str, password: str = NEW) -> Any:
    return house.app.test_client().post(RESET, json={"token": token, "new_password": password})


def verify(house: House, token: str) -> Any:
    return house.app.test_client().post(VERIFY, json={"token": token})


def signs_in(house: House, email: str, password: str) -> bool:
    body = {"email": email, "password": password}
    return house.app.test_client().post("/api/login", json=body).status_code == 200


def expire(house: House, person: Person) -> None:
    of_person = update(EmailToken).where(EmailToken.identity_id == person.identity_id)
    assert change(house, of_person.values(expires_at=utc_now() - timedelta(seconds=1)))


def system_events(house: House, person: Person) -> list[Any]:
    rows = SystemEventRow.__table__
    of_person = select(rows).where(rows.c.target_id == str(person.identity_id))
    return look(house, of_person.order_by(rows.c.seq))


class TestVerifying:
    def test_signing_up_sends_a_link_and_it_confirms_the_address(
        self, house: House, ada: Person
    ) -> None:
        message = mail.newest(house, ada.email)
        where, token = mail.link(message)
        assert (message["Subject"], where) == (
            "Confirm your address",
            f"{house.settings.base_url}/email/verify",
        )
        assert not confirmed(house, ada)

        done(ada.post(VERIFY, {"token": token}))

        assert confirmed(house, ada)
        assert done(ada.get("/api/user"))["email"] == ada.email  # this session stays
        assert len(done(ada.get("/api/sessions"))) == 1  # and it alone
        last = system_events(house, ada)[-1]
        assert (last.action, last.actor_label) == ("identity.confirmed", "by mail")

    def test_a_link_is_used_once(self, house: House, ada: Person) -> None:
        token = mail.token(house, ada.email)
        done(verify(house, token))

        with nothing_changes(house, ada):
            assert "used" in refused(verify(house, token), 41001)["display_error"]

    def test_a_newer_link_ends_the_older(self, house: House, ada: Person) -> None:
        old = mail.token(house, ada.email)
        done(ada.post("/api/email/verification"))
        new = mail.token(house, ada.email)

        with nothing_changes(house, ada):
            assert "newer" in refused(verify(house, old), 40401)["display_error"]
        done(verify(house, new))
        people.sign_in(house, ada)
        done(ada.post("/api/email/verification"))
        assert len(mail.received(house, ada.email)) == 2  # nothing is left to confirm

    def test_a_link_ends_with_its_time(self, house: House, ada: Person) -> None:
        token = mail.token(house, ada.email)
        expire(house, ada)

        with nothing_changes(house, ada):
            assert "expired" in refused(verify(house, token), 41001)["display_error"]

    def test_a_link_does_what_it_was_sent_for_and_nothing_else(
        self, house: House, ada: Person
    ) -> None:
        to_verify, to_reset = mail.token(house, ada.email), forget(house, ada.email)

        with nothing_changes(house, ada):
            refused(reset(house, to_verify), 40401)
            refused(verify(house, to_reset), 40401)

    @pytest.mark.parametrize("path", [VERIFY, RESET])
    def test_what_is_no_token_is_refused_and_what_is_nobodys_not_found(
        self, lite: House, path: str
    ) -> None:
        client = lite.app.test_client()
        more = {"new_password": NEW} if path == RESET else {}

        for token in ("", "a\x00b", "x" * 513, None, 7):
            refused(client.post(path, json={"token": token} | more), 42201, "token")
        for token in ("x", "A" * 43, "inv_x", "é", "' OR 1=1"):
            refused(client.post(path, json={"token": token} | more), 40401)
        refused(client.post(path, json={"token": "x", "email": "x"} | more), 42201, "email")
        refused(client.post("/api/email/verification"), 40102)


class TestSquatting:
    def test_an_address_that_a_stranger_took_goes_back_to_its_owner(
        self, house: House, gus: Person
    ) -> None:
        """The stranger signs up with it, plants sessions, keys and a change of address, and waits."""
        email = fresh_email("victim")
        stranger = people.register(house, "mallory", email=email)
        planted = make_key(house, stranger, *Permission)
        invite(gus, email, "viewer")
        done(stranger.post("/api/invitations/accept", {"token": mail.token(house, email)}), 201)
        change_to = {"email": fresh_email("mallory"), "password": PASSWORD}
        done(stranger.post("/api/email", change_to), 201)
        pending = mail.token(house, change_to["email"])
        other = people.sign_in(house, replace_browser(house, stranger))
        assert planted.get("/api/projects").status_code == 200

        done(reset(house, forget(house, email)))

        for session in (stranger, other):
            refused(session.get("/api/user"), 40102)
        refused(planted.get("/api/projects"), 40102)
        refused(verify(house, pending), 40401)
        assert not signs_in(house, email, PASSWORD)
        assert signs_in(house, email, NEW)
        assert "identity.password_reset" in [e.action for e in system_events(house, stranger)]

    def test_confirming_the_address_ends_what_was_planted_too(
        self, house: House, ada: Person
    ) -> None:
        script = make_key(house, ada, "project:read")
        token = mail.token(house, ada.email)

        done(verify(house, token))

        refused(ada.get("/api/user"), 40102)
        refused(script.get("/api/projects"), 40102)
        people.sign_in(house, ada)
        revoked = [e for e in ada.events() if e["action"] == "api_key.revoked"]
        assert [(e["target_label"], e["actor_label"]) for e in revoked] == [("ci", "by mail")]


def replace_browser(house: House, person: Person) -> Person:
    """Return the same person at another browser."""
    return Person(
        person.name,
        person.email,
        person.account_id,
        person.user_id,
        person.identity_id,
        house.app.test_client(),
    )


class TestForgetting:
    def test_a_new_password_is_set_with_the_link_and_ends_every_session(
        self, house: House, ada: Person
    ) -> None:
        token = forget(house, ada.email)
        where, _ = mail.link(mail.newest(house, ada.email))
        assert where == f"{house.settings.base_url}/password/reset"

        done(reset(house, token))

        refused(ada.get("/api/user"), 40102)
        assert (signs_in(house, ada.email, PASSWORD), signs_in(house, ada.email, NEW)) == (
            False,
            True,
        )
        assert confirmed(house, ada)
        with nothing_changes(house, ada):
            refused(reset(house, token, "a third horse 99"), 41001)

    def test_a_newer_link_ends_the_older_and_both_end_with_their_time(
        self, house: House, ada: Person
    ) -> None:
        old, new = forget(house, ada.email), forget(house, ada.email)
        with nothing_changes(house, ada):
            refused(reset(house, old), 40401)
        expire(house, ada)
        with nothing_changes(house, ada):
            refused(reset(house, new), 41001)

    def test_a_weak_password_is_refused_and_the_link_stays_good(
        self, house: House, ada: Person
    ) -> None:
        token = forget(house, ada.email)

        with nothing_changes(house, ada):
            for weak in ("short", "password1", ada.email):
                refused(reset(house, token, weak), 42201, "new_password")
        done(reset(house, token))

    def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
        self, house: House, ada: Person
    ) -> None:
        seen = [asked(house, email) for email in (ada.email, fresh_email("nobody"), ada.email)]

        assert seen[0] == seen[1] == seen[2]
        assert seen[0]["status"] == 202
        assert len(seen[0]["statements"]) == 1  # an INSERT into the outbox, no look at anybody

    def test_nobody_and_suspended_people_are_sent_nothing(self, house: House, ada: Person) -> None:
        nobody = fresh_email("nobody")
        done(house.app.test_client().post(FORGOT, json={"email": nobody}), 202)
        of_ada = update(Identity).where(Identity.id == ada.identity_id)
        change(house, of_ada.values(suspended_at=utc_now()))
        done(house.app.test_client().post(FORGOT, json={"email": ada.email}), 202)

        assert mail.received(house, nobody) == []
        assert len(mail.received(house, ada.email)) == 1  # that of the day they signed up

    def test_a_link_leads_to_our_own_address_whatever_host_was_asked(
        self, house: House, ada: Person
    ) -> None:
        headers = {"X-Forwarded-Host": "evil.example.com", "Forwarded": "host=evil.example.com"}
        body = {"email": ada.email}
        done(house.app.test_client().post(FORGOT, json=body, headers=headers), 202)

        message = mail.newest(house, ada.email)
        assert mail.link(message)[0] == f"{house.settings.base_url}/password/reset"
        assert b"evil" not in message.as_bytes()
        answer = house.app.test_client().post(FORGOT, json=body, headers={"Host": "evil.example"})
        assert answer.status_code == 400

    def test_what_cannot_be_an_address_is_refused(self, lite: House) -> None:
        client = lite.app.test_client()

        refused(client.post(FORGOT, json={}), 42201, "email")
        refused(client.post(FORGOT, json={"email": "x"}), 42201, "email")
        refused(client.post(FORGOT, json={"email": "a@example.com", "x": 1}), 42201, "x")


def asked(house: House, email: str) -> dict[str, Any]:
    """Ask for a link; everything that an onlooker could compare."""
    with statements(house) as seen:
        answer = house.app.test_client().post(FORGOT, json={"email": email})
    headers = {k: v for k, v in answer.headers if k not in ("X-Request-ID", "Date")}
    return {
        "status": answer.status_code,
        "body": answer.get_data(),
        "headers": headers,
        "statements": seen,
    }


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """Collect the SQL that both engines run."""
    seen: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    engines = (house.database.tenant_engine, house.database.system_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


class TestChangingTheAddress:
    def test_it_is_confirmed_at_the_new_address_and_told_to_the_old(
        self, house: House, ada: Person
    ) -> None:
        new = fresh_email("ada")
        done(ada.post("/api/email", {"email": new, "password": PASSWORD}), 201)
        assert done(ada.get("/api/user"))["email"] == ada.email
        assert signs_in(house, ada.email, PASSWORD)

        done(ada.post(VERIFY, {"token": mail.token(house, new)}))

        assert done(ada.get("/api/user"))["email"] == new
        assert (signs_in(house, ada.email, PASSWORD), signs_in(house, new, PASSWORD)) == (
            False,
            True,
        )
        told = mail.newest(house, ada.email)
        assert told["Subject"] == "Your sign-in address was changed"
        assert new in mail.text(told)
        last = system_events(house, ada)[-2:]
        changed = [e for e in last if e.action == "identity.email_changed"]
        assert changed[0].changes == [{"field": "email", "old": ada.email, "new": new}]
        people.register(house, "ada", email=ada.email)  # the old address is free again

    def test_it_asks_for_the_password_and_a_free_address(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        new = fresh_email("ada")

        with nothing_changes(house, ada, gus):
            body = {"email": new, "password": "wrong horse battery 9"}
            refused(ada.post("/api/email", body), 42202, "password")
            body = {"email": gus.email, "password": PASSWORD}
            refused(ada.post("/api/email", body), 40902, "email")
        assert mail.received(house, new) == []

    def test_an_address_that_was_taken_meanwhile_changes_and_ends_nothing(
        self, house: House, ada: Person
    ) -> None:
        new = fresh_email("ada")
        script = make_key(house, ada, "project:read")
        done(ada.post("/api/email", {"email": new, "password": PASSWORD}), 201)
        token = mail.token(house, new)
        people.register(house, "eve", email=new)
        done(script.get("/api/projects"))

        with nothing_changes(house, ada):
            refused(verify(house, token), 40902, "email")
        assert script.get("/api/projects").status_code == 200

    def test_a_newer_wish_ends_the_older(self, house: House, ada: Person) -> None:
        first, second = fresh_email("ada"), fresh_email("ada")
        for new in (first, second):
            done(ada.post("/api/email", {"email": new, "password": PASSWORD}), 201)

        older, newer = mail.token(house, first), mail.token(house, second)
        with nothing_changes(house, ada):
            refused(verify(house, older), 40401)
        done(verify(house, newer))
        assert signs_in(house, second, PASSWORD)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged meanwhile."""
    stream, before = io.StringIO(), log._output
    log.configure("json", stream=stream)
    yield stream
    log.configure(before.log_format, stream=before.stream)


class TestSecrets:
    def test_no_secret_stays_in_any_table_or_in_the_log_once_its_mail_is_delivered(
        self, house: House, acme: Team, logged: io.StringIO
    ) -> None:
        secrets = every_secret(house, acme)
        mail.work(house)
        assert log.flush()
        written = logged.getvalue()

        assert len(set(secrets)) == len(secrets) == 9
        for secret in secrets:
            assert secret not in written
        assert "token.sent" in written  # the log was listened to
        with superuser(house) as connection:
            for table in OWNERSHIP.metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    told = str(row)
                    assert not [s for s in secrets if s in told], table.name

    def test_until_it_is_delivered_a_token_stands_in_the_outbox_alone(
        self, house: House, acme: Team
    ) -> None:
        mail.work(house)
        email = fresh_email("dora")
        invite(acme.ada, email, "viewer")
        waiting = select(OutboxItem.payload).where(OutboxItem.done_at.is_(None))
        (item,) = [row.payload for row in look(house, waiting) if row.payload.get("to") == email]

        with superuser(house) as connection:
            for table in OWNERSHIP.metadata.sorted_tables:
                if table.name != "outbox":
                    secret = secret_part(item["token"])
                    for row in connection.execute(select(table)):
                        assert secret not in str(row), table.name


def every_secret(house: House, acme: Team) -> list[str]:
    """Let every kind of secret be made, sent and used; returns their secret parts."""
    ada, dora = acme.ada, fresh_email("dora")
    found = [mail.token(house, ada.email)]
    done(ada.post(VERIFY, {"token": found[0]}))
    done(ada.post("/api/email", {"email": (new := fresh_email("ada")), "password": PASSWORD}), 201)
    found.append(mail.token(house, new))
    done(ada.post(VERIFY, {"token": found[1]}))
    invite(ada, dora, "viewer")
    found.append(mail.token(house, dora))
    done(ada.post("/api/invitations", {"email": dora, "role_ids": [role_ids(ada)["viewer"]]}), 201)
    found.append(mail.token(house, dora))
    script = make_key(house, ada, "project:read")
    done(script.get("/api/projects"))
    found += [forget(house, acme.cleo.email), forget(house, acme.cleo.email)]
    done(reset(house, found[-1]))
    found += [script.key, session_token(ada.client), NEW]
    return [secret_part(secret) for secret in found]


def secret_part(token: str) -> str:
    """Return what of a token nobody may know; it may hold what parts the rest."""
    ids = {"inv": 2, "tk": 3}.get(token.partition("_")[0], 0)
    return token.split("_", ids)[-1]


def session_token(client: FlaskClient) -> str:
    with client.session_transaction() as session:
        return str(session["_user_id"]).split(".")[1]

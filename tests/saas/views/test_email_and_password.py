"""POST /api/email and /api/password: changes of what a person signs in with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, update

from saas.columns import utc_now
from saas.models import Identity, SystemEventRow
from tests import mail
from tests.house import House
from tests.people import PASSWORD, Person, add, fresh_email, register
from tests.refusals import change, look, nothing_changes, refused
from tests.variants import variant

NEW = "quite another phrase 5"


def sign_in(house: House, email: str, password: str) -> Any:
    client = house.app.test_client()
    answer = client.post("/api/login", json={"email": email, "password": password})
    return client if answer.status_code == 200 else answer


def system_events(house: House, person: Person) -> list[Any]:
    table = SystemEventRow.__table__
    mine = table.c.target_id == str(person.identity_id)
    return look(house, select(table).where(mine).order_by(table.c.seq))


class TestEmail:
    def change(self, person: Person, email: Any, password: Any = PASSWORD) -> Any:
        return person.post("/api/email", {"email": email, "password": password})

    def open_link(self, house: House, person: Person, email: str) -> Any:
        """Open the link that came to the new address, in the browser that asked for it."""
        return person.post("/api/email/verify", {"token": mail.token(house, email)})

    def test_new_address_opens_the_door_and_the_old_one_is_free(
        self, house: House, ada: Person
    ) -> None:
        identities = Identity.__table__
        mine = identities.c.id == ada.identity_id
        email = fresh_email("Ada.Neu")

        answer = self.change(ada, email)

        assert (answer.status_code, answer.json) == (201, {"message": "success"})
        assert ada.get("/api/user").json["data"]["email"] == ada.email
        refused(sign_in(house, email, PASSWORD), 40101)  # the new address is nobody's word yet
        assert system_events(house, ada)[-1].action == "token.sent"
        (row,) = look(house, select(identities.c.confirmed_at).where(mine))
        assert row.confirmed_at is None

        assert self.open_link(house, ada, email).status_code == 200

        assert ada.get("/api/user").json["data"]["email"] == email
        refused(sign_in(house, ada.email, PASSWORD), 40101)
        assert sign_in(house, email.lower(), PASSWORD).get("/api/user").status_code == 200
        (row,) = look(house, select(identities.c.confirmed_at).where(mine))
        assert row.confirmed_at is not None  # the link was opened where it was sent
        event = system_events(house, ada)[-1]
        assert event.action == "identity.email_changed"
        assert event.changes == [{"field": "email", "old": ada.email, "new": email}]
        assert register(house, "bea", email=ada.email).get("/api/user").status_code == 200

    def test_until_the_link_is_opened_nothing_of_the_sign_in_changes(
        self, house: House, ada: Person
    ) -> None:
        identities = Identity.__table__
        mine = identities.c.id == ada.identity_id
        change(house, update(identities).where(mine).values(confirmed_at=utc_now()))
        before = look(house, select(identities).where(mine))

        assert self.change(ada, fresh_email("ada")).status_code == 201

        assert look(house, select(identities).where(mine)) == before
        assert sign_in(house, ada.email, PASSWORD).get("/api/user").status_code == 200

    def test_it_is_changed_in_every_account_of_the_person(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        at_gus = add(house, gus, "ada", "viewer", email=ada.email)
        email = fresh_email("ada")

        self.change(ada, email)
        assert self.open_link(house, ada, email).status_code == 200

        rows = gus.get("/api/users").json["data"]
        assert email in [row["email"] for row in rows if row["id"] == str(at_gus.user_id)]

    def test_another_way_to_write_it_is_kept_as_typed(self, house: House, ada: Person) -> None:
        assert self.change(ada, ada.email.upper()).status_code == 201
        assert self.open_link(house, ada, ada.email.upper()).status_code == 200

        assert ada.get("/api/user").json["data"]["email"] == ada.email.upper()
        assert sign_in(house, ada.email, PASSWORD).get("/api/user").status_code == 200

    def test_the_address_as_it_is_changes_nothing(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            assert self.change(ada, ada.email).status_code == 201

    @pytest.mark.parametrize("spelling", [str, str.upper])
    def test_an_address_in_use_is_refused(
        self, house: House, ada: Person, gus: Person, spelling: Any
    ) -> None:
        with nothing_changes(house, ada, gus):
            refused(self.change(ada, spelling(gus.email)), 40902, "email")
        assert sign_in(house, ada.email, PASSWORD).get("/api/user").status_code == 200

    def test_two_who_want_one_address_at_once_do_not_both_get_it(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        email, start = fresh_email("wanted"), Barrier(2)
        for person in (ada, gus):
            assert self.change(person, email).status_code == 201
        links = [mail.link(message)[1] for message in mail.received(house, email)]
        assert len(links) == 2

        def run(token: str) -> Any:
            start.wait()
            return house.app.test_client().post("/api/email/verify", json={"token": token})

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(run, links), key=lambda each: each.status_code)

        assert answers[0].status_code == 200
        refused(answers[1], 40902, "email")

    def test_wrong_password_changes_nothing(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            refused(self.change(ada, fresh_email("x"), "not the password"), 42202, "password")
            refused(self.change(ada, ada.email, "not the password"), 42202, "password")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"password": PASSWORD}, "email"),
            ({"email": "new@example.com"}, "password"),
            ({"email": "new", "password": PASSWORD}, "email"),
            ({"email": ["new@example.com"], "password": PASSWORD}, "email"),
            ({"email": "new@example.com", "password": None}, "password"),
            ({"email": "new@example.com", "password": PASSWORD, "confirmed": True}, "confirmed"),
            ({"email": "new@example.com", "password": PASSWORD, "id": "1"}, "id"),
        ],
    )
    def test_what_cannot_be_a_change_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post("/api/email", body), 42201, field)


class TestPassword:
    def change(self, person: Person, current: Any, new: Any) -> Any:
        body = {"current_password": current, "new_password": new}
        return person.post("/api/password", body)

    def test_new_password_opens_the_door_and_the_old_one_does_not(
        self, house: House, ada: Person
    ) -> None:
        answer = self.change(ada, PASSWORD, NEW)

        assert answer.json == {"message": "success"}
        refused(sign_in(house, ada.email, PASSWORD), 40101)
        assert sign_in(house, ada.email, NEW).get("/api/user").status_code == 200
        assert [event.action for event in system_events(house, ada)] == [
            "identity.created",
            "token.sent",
            "identity.password_changed",
            "sign_in.failed",  # with the old one
        ]

    def test_all_other_sessions_end_in_every_account_and_the_own_goes_on(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        at_gus = add(house, gus, "ada", "viewer", email=ada.email)
        elsewhere = at_gus.post("/api/session/account", {"account_id": str(gus.account_id)})
        assert elsewhere.status_code == 200
        second = sign_in(house, ada.email, PASSWORD)

        self.change(ada, PASSWORD, NEW)

        assert ada.get("/api/user").status_code == 200
        refused(second.get("/api/user"), 40102)
        refused(at_gus.get("/api/user"), 40102)
        assert len(ada.get("/api/sessions").json["data"]) == 1
        assert gus.get("/api/user").status_code == 200

    def test_wrong_current_password_changes_nothing(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            refused(self.change(ada, "not the password", NEW), 42202, "current_password")
        assert sign_in(house, ada.email, PASSWORD).get("/api/user").status_code == 200

    @pytest.mark.parametrize(
        ("current", "new", "field"),
        [
            (PASSWORD, "short 1", "new_password"),
            (PASSWORD, "x" * 1001, "new_password"),
            (PASSWORD, "password123", "new_password"),
            (PASSWORD, "aaaaaaaaaaaa", "new_password"),
            (PASSWORD, 12345678901, "new_password"),
            (PASSWORD, None, "new_password"),
            ("", NEW, "current_password"),
            (None, NEW, "current_password"),
            (PASSWORD, "a\x00 and seven more", "new_password"),
        ],
    )
    def test_what_cannot_be_a_password_is_refused_with_the_field(
        self, lite: House, solo: Person, current: Any, new: Any, field: str
    ) -> None:
        with nothing_changes(lite, solo):
            answer = self.change(solo, current, new)

        refused(answer, 42201, field)
        assert str(new) not in answer.get_data(as_text=True)

    @pytest.mark.parametrize("end", ["x", "y"])
    def test_every_character_counts_beyond_72_bytes(
        self, house: House, ada: Person, end: str
    ) -> None:
        other = {"x": "y", "y": "x"}[end]
        start = "long enough to be cut by bcrypt, which reads seventy-two bytes and no more "
        assert self.change(ada, PASSWORD, start + end).status_code == 200

        refused(sign_in(house, ada.email, start + other), 40101)
        refused(sign_in(house, ada.email, start[:72]), 40101)
        assert sign_in(house, ada.email, start + end).get("/api/user").status_code == 200

    @pytest.mark.parametrize(
        "password", ["🦉🐢🦊🐝🦀🐙🦋🐞🐌🦔🐧🦩🦚🦜🐳🦭🐊🦎🐍🐸", "ÄÖÜ äöü ß Ωmega"]
    )
    def test_letters_of_every_language_count(
        self, house: House, ada: Person, password: str
    ) -> None:
        assert self.change(ada, PASSWORD, password).status_code == 200
        assert sign_in(house, ada.email, password).get("/api/user").status_code == 200
        refused(sign_in(house, ada.email, password[:-1]), 40101)

    def test_guessing_it_from_a_stolen_session_is_throttled(self, lite: House) -> None:
        with variant(lite, throttle_sign_in="3/minute") as strict:
            ada = register(strict)
            for _ in range(3):
                refused(self.change(ada, "not the password", NEW), 42202)
            with nothing_changes(strict, ada):
                for answer in (
                    self.change(ada, PASSWORD, NEW),
                    ada.post("/api/email", {"email": fresh_email("x"), "password": PASSWORD}),
                ):
                    refused(answer, 42901)
                    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("path", ["/api/email", "/api/password"])
def test_nobody_changes_anything_without_signing_in(house: House, path: str) -> None:
    with nothing_changes(house):
        refused(house.app.test_client().post(path, json={}), 40102)

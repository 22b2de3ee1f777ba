"""POST /api/login: permissions, validation, business rules, success."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from saas.columns import utc_now
from saas.models import Account, Identity, SystemEventRow, User, UserSession
from saas.security import passwords
from tests.house import House
from tests.people import PASSWORD, Person, Team, add, fresh_email, register
from tests.refusals import change, look, nothing_changes, refused, said
from tests.variants import variant

LOCKED_OUT = ["identity", "seat", "account"]


def sign_in(house: House, email: str, password: str = PASSWORD, **more: Any) -> Any:
    body = {"email": email, "password": password} | more
    return house.app.test_client().post("/api/login", json=body)


def suspend(house: House, person: Person, what: str) -> None:
    """Suspend behind the product's back, so that nothing but the next look can notice it."""
    identities, users, accounts = Identity.__table__, User.__table__, Account.__table__
    statement = {
        "identity": update(identities)
        .where(identities.c.id == person.identity_id)
        .values(suspended_at=utc_now()),
        "seat": update(users).where(users.c.id == person.user_id).values(status="suspended"),
        "account": update(accounts)
        .where(accounts.c.account_id == person.account_id)
        .values(status="suspended"),
    }[what]
    assert change(house, statement) == 1


def test_right_password_opens_the_door(house: House, ada: Person) -> None:
    client = house.app.test_client()
    before = ada.actions()

    answer = client.post("/api/login", json={"email": ada.email, "password": PASSWORD})

    assert (answer.status_code, answer.json) == (200, {"message": "success"})
    assert client.get("/api/user").json["data"] == {
        "username": "ada",
        "email": ada.email,
        "id": str(ada.user_id),
        "account_id": str(ada.account_id),
        "account_name": "ada",
    }
    event = ada.events()[-1]
    assert ada.actions() == [*before, "session.created"]
    assert (event["data"], event["actor_id"]) == ({"how": "sign-in"}, str(ada.user_id))


@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda email: f" {email}\n"])
def test_address_may_be_written_in_any_case(house: House, ada: Person, spelling: Any) -> None:
    assert sign_in(house, spelling(ada.email)).status_code == 200


def test_wrong_password_and_unknown_address_read_alike_and_change_nothing(
    house: House, ada: Person
) -> None:
    with nothing_changes(house, ada):
        wrong = sign_in(house, ada.email, "not the password")
        unknown = sign_in(house, fresh_email("nobody"), "not the password")
        locked_out = sign_in(house, ada.email, PASSWORD.upper())

    assert refused(wrong, 40101) == refused(unknown, 40101) == refused(locked_out, 40101)
    for answer in (wrong, unknown):
        assert "Set-Cookie" not in answer.headers
    assert _headers(wrong) == _headers(unknown)
    assert len(wrong.data) == len(unknown.data)


def _headers(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name not in ("X-Request-ID", "Date")}


def test_unknown_address_costs_the_same_hash_as_a_wrong_password(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, checked = register(lite), []

    def count(secret: bytes, hashed: bytes) -> bool:
        checked.append(hashed[:7])  # scheme and cost
        return False

    monkeypatch.setattr("bcrypt.checkpw", count)
    assert said(sign_in(lite, ada.email)) == said(sign_in(lite, fresh_email("nobody")))
    assert checked == [b"$2b$04$", b"$2b$04$"]


@pytest.mark.parametrize("what", LOCKED_OUT)
def test_who_is_suspended_stays_outside_with_the_right_password_and_is_told_only_then(
    house: House, ada: Person, what: str
) -> None:
    suspend(house, ada, what)

    with nothing_changes(house, ada):
        refused(sign_in(house, ada.email), 40304)
        refused(sign_in(house, ada.email, "not the password"), 40101)


def test_person_without_any_seat_is_told_so(house: House, acme: Team) -> None:
    assert change(house, delete(User.__table__).where(User.__table__.c.id == acme.vera.user_id))

    with nothing_changes(house, acme.vera):
        refused(sign_in(house, acme.vera.email), 40302)


def test_seat_used_last_is_entered_and_a_suspended_one_passed_over(
    house: House, ada: Person, gus: Person
) -> None:
    at_gus = add(house, gus, "ida", "viewer")
    at_ada = add(house, ada, "ida", "member", email=at_gus.email)

    def enters() -> str:
        client = house.app.test_client()
        client.post("/api/login", json={"email": at_ada.email, "password": PASSWORD})
        return str(client.get("/api/user").json["data"]["account_id"])

    assert enters() == str(ada.account_id)
    switched = at_ada.post("/api/session/account", {"account_id": str(gus.account_id)})
    assert switched.status_code == 200
    assert enters() == str(gus.account_id)
    suspend(house, at_gus, "seat")
    assert enters() == str(ada.account_id)
    suspend(house, gus, "account")
    assert enters() == str(ada.account_id)


@pytest.mark.parametrize(("remember", "days"), [(True, 30), (False, 0.5), (None, 0.5)])
def test_remember_me_is_a_longer_session_and_no_other_cookie(
    house: House, ada: Person, remember: bool | None, days: float
) -> None:
    given = {} if remember is None else {"remember": remember}

    answer = sign_in(house, ada.email, **given)

    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("session=")
    assert ("Expires=" in cookie) == bool(remember)
    sessions = UserSession.__table__
    newest = look(
        house,
        select(sessions)
        .where(sessions.c.identity_id == ada.identity_id)
        .order_by(sessions.c.id.desc()),
    )[0]
    assert newest.expires_at - newest.created_at == timedelta(days=days)


def test_signing_in_again_ends_the_session_that_this_browser_had(house: House, ada: Person) -> None:
    old = ada.client.get_cookie("session")
    assert old is not None

    again = ada.post("/api/login", {"email": ada.email, "password": PASSWORD})

    assert again.status_code == 200
    new = ada.client.get_cookie("session")
    assert new is not None
    assert new.value != old.value
    assert ada.actions()[-2:] == ["session.created", "session.ended"]
    stolen = house.app.test_client()
    stolen.set_cookie("session", old.value)
    refused(stolen.get("/api/user"), 40102)


def test_a_session_id_chosen_by_somebody_else_is_worth_nothing(house: House, ada: Person) -> None:
    client = house.app.test_client()
    client.set_cookie("session", "chosen-by-somebody-else")

    client.post("/api/login", json={"email": ada.email, "password": PASSWORD})

    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.value != "chosen-by-somebody-else"


def test_password_is_hashed_anew_when_the_cost_has_risen(house: House, ada: Person) -> None:
    def stored() -> str:
        query = select(Identity.__table__.c.password_hash)
        return str(look(house, query.where(Identity.id == ada.identity_id))[0][0])

    before = stored()
    passwords.configure(house.settings.peppers, house.settings.password_cost + 1)
    try:
        assert sign_in(house, ada.email).status_code == 200
    finally:
        passwords.configure(house.settings.peppers, house.settings.password_cost)

    assert "$04$" in before
    assert "$05$" in stored()
    assert sign_in(house, ada.email).status_code == 200
    events = SystemEventRow.__table__
    mine = events.c.target_id == str(ada.identity_id)
    told = look(house, select(events.c.action).where(mine).order_by(events.c.seq))
    assert [row.action for row in told] == [
        "identity.created",
        "token.sent",
        "identity.password_rehashed",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "email"),
        ({"email": "ada@example.com"}, "password"),
        ({"email": "ada", "password": PASSWORD}, "email"),
        ({"email": 5, "password": PASSWORD}, "email"),
        ({"email": "ada@example.com", "password": ""}, "password"),
        ({"email": "ada@example.com", "password": 5}, "password"),
        ({"email": "ada@example.com", "password": "x" * 1001}, "password"),
        ({"email": "ada@example.com", "password": PASSWORD, "remember": "yes"}, "remember"),
        ({"email": "ada@example.com", "password": PASSWORD, "account_id": "x"}, "account_id"),
    ],
)
def test_what_cannot_be_a_sign_in_is_refused_with_the_field(
    lite: House, body: dict[str, Any], field: str
) -> None:
    with nothing_changes(lite):
        refused(lite.app.test_client().post("/api/login", json=body), 42201, field)


@pytest.mark.parametrize("password", ["x", "password", "x" * 73, "x" * 1000])
def test_a_password_that_no_rule_would_accept_is_simply_wrong(
    house: House, ada: Person, password: str
) -> None:
    refused(sign_in(house, ada.email, password), 40101)


class TestThrottle:
    def attempt(self, house: House, email: str, password: str, line: str, **headers: str) -> Any:
        return house.app.test_client().post(
            "/api/login",
            json={"email": email, "password": password},
            headers=headers,
            environ_overrides={"REMOTE_ADDR": line},
        )

    def test_guesses_are_stopped_however_they_are_dressed(self, lite: House) -> None:
        ada = register(lite)
        with variant(lite, throttle_sign_in="3/minute") as strict:
            dressed = [ada.email, ada.email.upper(), f" {ada.email}"]
            for number, email in enumerate(dressed):
                headers = {"X-Forwarded-For": f"10.9.8.{number}"}
                refused(self.attempt(strict, email, "wrong one", "203.0.113.1", **headers), 40101)

            with nothing_changes(strict, ada):
                stopped = self.attempt(strict, ada.email, PASSWORD, "203.0.113.1")

        refused(stopped, 42901)
        assert 1 <= int(stopped.headers["Retry-After"]) <= 60

    def test_a_stranger_who_guesses_never_locks_the_owner_out(self, lite: House) -> None:
        ada = register(lite)
        with variant(lite, throttle_sign_in="3/minute") as strict:
            for _ in range(5):
                last = self.attempt(strict, ada.email, "wrong one", "203.0.113.1")
            refused(last, 42901)

            assert self.attempt(strict, ada.email, PASSWORD, "198.51.100.7").status_code == 200

    def test_right_password_after_some_wrong_ones_is_let_in(self, lite: House) -> None:
        ada = register(lite)
        with variant(lite, throttle_sign_in="3/minute") as strict:
            for _ in range(2):
                refused(self.attempt(strict, ada.email, "wrong one", "203.0.113.1"), 40101)
            assert self.attempt(strict, ada.email, PASSWORD, "203.0.113.1").status_code == 200

    def test_behind_a_trusted_proxy_the_client_it_names_is_counted(self, lite: House) -> None:
        with variant(lite, throttle_sign_in="1/minute", trusted_proxies=1) as strict:
            emails = [fresh_email("nobody") for _ in range(3)]
            named = ["198.51.100.1", "10.0.0.1, 198.51.100.1", "198.51.100.2"]
            codes = [
                self.attempt(strict, email, PASSWORD, "127.0.0.1", **{"X-Forwarded-For": name})
                for email, name in zip(emails, named, strict=True)
            ]

        assert [answer.status_code for answer in codes] == [401, 429, 401]

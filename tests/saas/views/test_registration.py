"""POST /api/register: permissions, validation, business rules, success."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from saas.models import Account, Identity, SystemEventRow, User
from saas.permissions import Permission
from saas.services import role_services
from tests.house import House
from tests.people import PASSWORD, Person, fresh_email, register
from tests.refusals import look, nothing_changes, refused, said
from tests.variants import variant


def body(**more: Any) -> dict[str, Any]:
    return {"username": "ada", "email": fresh_email("ada"), "password": PASSWORD} | more


def send(client: FlaskClient, **more: Any) -> Any:
    return client.post("/api/register", json=body(**more))


def test_newcomer_is_signed_in_as_the_owner_of_an_account_of_their_own(client: FlaskClient) -> None:
    email = fresh_email("Ada")

    answer = send(client, email=email, account_name="Acme & Sons")

    assert (answer.status_code, answer.json) == (201, {"message": "success"})
    session = client.get("/api/session").json["data"]
    assert session["user"]["username"] == "ada"
    assert session["user"]["email"] == email
    assert session["account"]["name"] == "Acme & Sons"
    assert session["roles"] == ["owner"]
    assert session["permissions"] == [permission.value for permission in Permission]
    assert [each["current"] for each in session["accounts"]] == [True]
    assert client.get("/api/account").json["data"]["status"] == "active"


@pytest.mark.parametrize("nameless", [{}, {"account_name": None}, {"account_name": ""}])
def test_account_without_a_name_is_named_after_its_owner(
    client: FlaskClient, nameless: dict[str, Any]
) -> None:
    assert send(client, **nameless).status_code == 201
    assert client.get("/api/account").json["data"]["name"] == "ada"


def test_registering_is_told_by_both_chains(house: House, client: FlaskClient) -> None:
    email = fresh_email("ada")

    send(client, email=email)

    page = client.get("/api/audit-events?after_seq=0").json["data"]
    assert [event["action"] for event in page] == [
        "account.created",
        "user.created",
        "session.created",
    ]
    assert page[1]["data"] == {"roles": ["owner"]}
    assert page[2]["data"] == {"how": "register"}
    created = look(
        house, select(SystemEventRow).where(SystemEventRow.__table__.c.target_label == email)
    )
    assert [row.action for row in created] == ["identity.created", "token.sent"]


def test_two_accounts_may_have_one_name(ada: Person, client: FlaskClient) -> None:
    name = ada.get("/api/account").json["data"]["name"]

    assert send(client, account_name=name).status_code == 201


def test_somebody_signed_in_registers_another_person_and_leaves_the_old_session(
    ada: Person,
) -> None:
    old_cookie = ada.client.get_cookie("session")
    assert old_cookie is not None

    assert send(ada.client, username="bea").status_code == 201

    assert ada.get("/api/user").json["data"]["username"] == "bea"
    ada.client.set_cookie("session", old_cookie.value)
    refused(ada.get("/api/user"), 40102)


@pytest.mark.parametrize("way", ["as it is", "upper case", "domain in upper case", "spaces"])
def test_address_in_use_is_refused_in_every_spelling(
    house: House, ada: Person, client: FlaskClient, way: str
) -> None:
    local, domain = ada.email.split("@")
    spelling = {
        "as it is": ada.email,
        "upper case": ada.email.upper(),
        "domain in upper case": f"{local}@{domain.upper()}",
        "spaces": f"  {ada.email} ",
    }[way]

    with nothing_changes(house, ada):
        answer = send(client, email=spelling)

    told = refused(answer, 40902, "email")
    assert told["field_errors"][0]["message"] == told["display_error"]
    assert client.get_cookie("session") is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("josé{}@example.com", "jose\u0301{}@example.com"),  # NFC and NFD
        ("a{}@bücher.example.com", "a{}@xn--bcher-kva.example.com"),  # U- and A-label
        ("a{}@bücher.example.com", "A{}@BÜCHER.example.com"),
    ],
)
def test_address_is_one_however_unicode_spells_it(
    house: House, client: FlaskClient, first: str, second: str
) -> None:
    mark = uuid4().hex[:8]
    assert send(client, email=first.format(mark)).status_code == 201

    with nothing_changes(house):
        refused(send(house.app.test_client(), email=second.format(mark)), 40902, "email")


def test_two_who_register_one_address_at_the_same_instant_are_one_person(house: House) -> None:
    email, start = fresh_email("race"), Barrier(4)

    def run(number: int) -> Any:
        start.wait()
        return send(house.app.test_client(), username=f"racer{number}", email=email)

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(run, range(4)), key=lambda answer: answer.status_code)

    assert [answer.status_code for answer in answers] == [201, 409, 409, 409]
    for loser in answers[1:]:
        refused(loser, 40902, "email")
    assert len(look(house, select(Identity.id).where(Identity.email_key == email))) == 1


def test_what_fails_half_way_leaves_nothing_and_the_address_stays_free(
    house: House, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = fresh_email("ada")

    def fail(*args: Any) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patch, nothing_changes(house):
        patch.setattr(role_services, "hold", fail)
        refused(send(client, email=email), 50002)

    assert client.get_cookie("session") is None
    assert send(client, email=email).status_code == 201


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "1ada"}, "username"),
        ({"username": "_ada"}, "username"),
        ({"username": "a-b"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "é"}, "username"),
        ({"username": "a" * 16}, "username"),
        ({"username": 7}, "username"),
        ({"username": None}, "username"),
        ({"username": ["ada"]}, "username"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@"}, "email"),
        ({"email": "ada@localhost"}, "email"),
        ({"email": "a@b@example.com"}, "email"),
        ({"email": "ada@example.com\nBcc: x@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"email": {}}, "email"),
        ({"password": "short 1"}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"password": "password"}, "password"),
        ({"password": "abcabcabcabc"}, "password"),
        ({"password": 12345678}, "password"),
        ({"password": None}, "password"),
        ({"account_name": "a" * 81}, "account_name"),
        ({"account_name": "a\u202eb"}, "account_name"),
    ],
)
def test_each_field_has_its_rules(lite: House, given: dict[str, Any], field: str) -> None:
    client = lite.app.test_client()

    with nothing_changes(lite):
        refused(send(client, **given), 42201, field)
    assert client.get_cookie("session") is None


@pytest.mark.parametrize(
    ("given", "username"),
    [("ada\n", "ada"), ("a", "a"), ("A_" + "9" * 13, "A_" + "9" * 13), ("<b>ada</b>", "ada")],
)
def test_username_is_kept_without_markup_and_outer_spaces(
    client: FlaskClient, given: str, username: str
) -> None:
    assert send(client, username=given).status_code == 201
    assert client.get("/api/user").json["data"]["username"] == username


@pytest.mark.parametrize("letter", ["a", "Ω", "🏠"])
def test_length_of_a_name_is_counted_in_characters(client: FlaskClient, letter: str) -> None:
    assert send(client, account_name=letter * 80).status_code == 201
    assert client.get("/api/account").json["data"]["name"] == letter * 80


def test_password_made_of_the_own_name_is_refused(client: FlaskClient) -> None:
    answer = send(client, username="wilhelmina", password="wilhelmina12")

    refused(answer, 42201, "password")


@pytest.mark.parametrize("missing", ["username", "email", "password"])
def test_each_field_is_asked_for(client: FlaskClient, missing: str) -> None:
    given = body()
    del given[missing]

    refused(client.post("/api/register", json=given), 42201, missing)


@pytest.mark.parametrize(
    "extra",
    [
        *("id", "account_id", "role", "roles", "permissions", "is_operator", "status"),
        *("confirmed_at", "email_verified", "created_at", "suspended_at", "password_hash"),
    ],
)
def test_nobody_can_register_with_more_than_the_form_asks(lite: House, extra: str) -> None:
    with nothing_changes(lite):
        refused(send(lite.app.test_client(), **{extra: "owner"}), 42201, extra)


def test_stored_person_is_unconfirmed_and_the_password_a_salted_hash(
    house: House, client: FlaskClient
) -> None:
    email = fresh_email("ada")
    send(client, email=email)

    (row,) = look(house, select(Identity.__table__).where(Identity.email == email))

    assert row.confirmed_at is None
    assert row.suspended_at is None
    assert row.password_hash.startswith("v1$")
    assert PASSWORD not in row.password_hash
    (seat,) = look(house, select(User.__table__).where(User.__table__.c.identity_id == row.id))
    (account,) = look(
        house, select(Account.__table__).where(Account.__table__.c.account_id == seat.account_id)
    )
    assert (seat.username, account.status) == ("ada", "active")


def test_registering_is_throttled_by_address_whatever_headers_say(lite: House) -> None:
    with variant(lite, throttle_register="3/minute") as strict:

        def attempt(number: int, line: str = "203.0.113.9") -> Any:
            return strict.app.test_client().post(
                "/api/register",
                json=body(),
                headers={"X-Forwarded-For": f"10.0.0.{number}"},
                environ_overrides={"REMOTE_ADDR": line},
            )

        assert [attempt(number).status_code for number in range(3)] == [201] * 3
        with nothing_changes(strict):
            stopped = attempt(4)
        refused(stopped, 42901)
        assert 1 <= int(stopped.headers["Retry-After"]) <= 60
        assert attempt(5, line="203.0.113.10").status_code == 201


def test_taken_address_costs_the_same_hash_as_a_free_one(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = register(lite)
    hashed: list[bytes] = []

    def count(secret: bytes, salt: bytes) -> bytes:
        hashed.append(secret)
        return b"$2b$04$" + b"." * 53

    monkeypatch.setattr("bcrypt.hashpw", count)
    taken, free = (send(lite.app.test_client(), email=e) for e in (ada.email, fresh_email("new")))

    assert (taken.status_code, free.status_code, len(hashed)) == (409, 201, 2)
    assert said(taken)["internal_error_code"] == 40902

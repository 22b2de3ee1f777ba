"""The bugs of the code this grew from must not come back: one test each, in the order of their list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from saas.models import Identity
from tests import mail
from tests.house import House
from tests.people import PASSWORD, Person, fresh_email
from tests.refusals import look, nothing_changes, refused
from tests.variants import PRODUCTION, variant


def registration(**more: Any) -> dict[str, Any]:
    return {"username": "ada", "email": fresh_email("ada"), "password": PASSWORD} | more


def sign_in(house: House, email: str, password: str) -> Any:
    body = {"email": email, "password": password}
    return house.app.test_client().post("/api/login", json=body)


def test_signing_out_works(ada: Person) -> None:
    answer = ada.get("/logout")

    assert (answer.status_code, answer.location) == (303, "/")
    assert ada.get("/").status_code == 200
    refused(ada.get("/api/user"), 40102)


def test_a_changed_address_is_not_lost(house: House, ada: Person) -> None:
    email = fresh_email("new")

    assert ada.post("/api/email", {"email": email, "password": PASSWORD}).status_code == 201
    token = mail.token(house, email)
    assert ada.post("/api/email/verify", {"token": token}).status_code == 200

    assert ada.get("/api/user").json["data"]["email"] == email
    assert sign_in(house, email, PASSWORD).status_code == 200
    refused(sign_in(house, ada.email, PASSWORD), 40101)


def test_spellings_of_an_address_are_one_person(
    house: House, ada: Person, client: FlaskClient
) -> None:
    with nothing_changes(house, ada):
        again = client.post("/api/register", json=registration(email=ada.email.upper()))

    refused(again, 40902, "email")
    assert sign_in(house, ada.email.title(), PASSWORD).status_code == 200


@pytest.mark.parametrize("password", ["x", "1234567", "", "        "])
def test_a_password_of_one_character_is_refused(
    house: House, client: FlaskClient, password: str
) -> None:
    with nothing_changes(house):
        answer = client.post("/api/register", json=registration(password=password))

    refused(answer, 42201, "password")


def test_a_password_over_72_bytes_is_neither_cut_nor_a_crash(
    house: House, client: FlaskClient
) -> None:
    given = registration(
        password="seventy-two bytes is all that bcrypt looks at, " + "🦉" * 20 + "x"
    )

    assert client.post("/api/register", json=given).status_code == 201

    assert sign_in(house, given["email"], given["password"]).status_code == 200
    for other in (given["password"][:-1], given["password"][:-1] + "y"):
        refused(sign_in(house, given["email"], other), 40101)


def test_no_answer_repeats_a_password(house: House, client: FlaskClient, ada: Person) -> None:
    secret = "hunter2 hunter2"
    answers = [
        client.post("/api/register", json=registration(password=secret, username="1")),
        client.post("/api/register", json=registration(password=secret[:7])),
        client.post("/api/register", json=registration(password=[secret])),
        client.post("/api/register", json=registration(password={secret: secret})),
        client.post("/api/register", json=registration(password=secret + "\x00")),
        client.post("/api/login", json={"email": "no address", "password": secret}),
        client.post("/api/login", json={"email": ada.email, "password": secret, "x": secret}),
        ada.post("/api/email", {"email": "no address", "password": secret}),
        ada.post("/api/password", {"current_password": secret, "new_password": secret}),
        ada.post("/api/password", {"current_password": [secret], "new_password": secret * 99}),
        client.post("/register", data=registration(password=secret, username="1")),
        client.post("/login", data={"email": ada.email, "password": secret}),
        ada.client.post("/settings/email", data={"email": "no address", "password": secret}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert secret[:7] not in answer.get_data(as_text=True).replace("&#39;", "'")


@pytest.mark.parametrize("path", ["/api/register", "/api/login"])
def test_a_field_that_is_missing_or_no_text_is_no_500(client: FlaskClient, path: str) -> None:
    full = {"email": "ada@example.com", "password": PASSWORD}
    if path == "/api/register":
        full["username"] = "ada"
    for field in full:
        rest = {name: value for name, value in full.items() if name != field}
        refused(client.post(path, json=rest), 42201, field)
        for wrong in (None, 7, 1.5, True, [], {}):
            refused(client.post(path, json={**full, field: wrong}), 42201, field)


def test_an_array_as_body_is_no_500(client: FlaskClient, ada: Person) -> None:
    for path in ("/api/register", "/api/login"):
        refused(client.post(path, json=[registration()]), 40001)
    refused(ada.post("/api/email", [{"email": "x@example.com"}]), 40001)


def test_a_wrong_content_type_is_no_500(client: FlaskClient) -> None:
    refused(client.post("/api/login", data="email=ada"), 41501)
    refused(client.post("/api/login", data={"email": "ada"}), 41501)
    refused(client.post("/api/login", data="{}", content_type="text/plain"), 41501)


def test_malformed_json_is_no_500(client: FlaskClient) -> None:
    for raw in ("", "{", "{]", "email=ada", '{"email": "a', "\x00"):
        refused(client.post("/api/login", data=raw, content_type="application/json"), 40001)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/nowhere", 40401),
        ("PUT", "/api/login", 40501),
        ("POST", "/api/login", 41501),
        ("GET", "/api/user", 40102),
        ("GET", "/api/projects/x", 40401),
    ],
)
def test_callers_of_the_api_get_no_html(
    client: FlaskClient, method: str, path: str, code: int
) -> None:
    answer = client.open(path, method=method, headers={"Accept": "text/html"})

    refused(answer, code)
    assert b"<" not in answer.data


def test_nobody_is_confirmed_by_default(house: House, client: FlaskClient) -> None:
    given = registration()
    client.post("/api/register", json=given)

    query = select(Identity.__table__.c.confirmed_at).where(Identity.email == given["email"])

    assert [row.confirmed_at for row in look(house, query)] == [None]
    given = registration(confirmed=True)
    refused(client.post("/api/register", json=given), 42201, "confirmed")


def test_no_session_survives_signing_out(house: House, ada: Person) -> None:
    cookie = ada.client.get_cookie("session")
    assert cookie is not None
    ada.post("/api/logout")

    thief = house.app.test_client()
    thief.set_cookie("session", cookie.value)

    refused(thief.get("/api/user"), 40102)
    refused(thief.post("/api/projects", json={"name": "x"}), 40102)


def test_cookies_are_kept_from_scripts_and_other_sites_and_in_production_from_the_clear(
    lite: House, solo: Person
) -> None:
    (cookie,) = sign_in(lite, solo.email, PASSWORD).headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    with variant(lite, **PRODUCTION) as production:
        answer = production.app.test_client().post(
            "/api/login",
            json={"email": solo.email, "password": PASSWORD},
            base_url="https://app.example.com",
        )
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_race_for_one_address_is_a_409(house: House) -> None:
    given, start = registration(), Barrier(3)

    def run(number: int) -> Any:
        start.wait()
        return house.app.test_client().post("/api/register", json=given)

    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(run, range(3)), key=lambda answer: answer.status_code)

    assert answers[0].status_code == 201
    for loser in answers[1:]:
        refused(loser, 40902, "email")

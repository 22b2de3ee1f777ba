"""The origin check on the running app: a page of another site can make nobody's browser act."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from saas.routes import ROUTES
from saas.routing import SAFE, Route
from tests.house import House
from tests.people import PASSWORD, Person, register
from tests.refusals import nothing_changes, refused
from tests.variants import PRODUCTION, variant

OURS = "http://localhost"
UNSAFE = [route for route in ROUTES if route.method not in SAFE]

REFUSED: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "whatever"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://evil-localhost"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "https://localhost"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://LOCALHOST"},
    {"Origin": "http://localhost/"},
    {"Origin": "http://localhost https://evil.example"},
    {"Origin": "https://evil.example", "Referer": "http://localhost/settings"},
    {"Origin": "https://evil.example", "X-Requested-With": "XMLHttpRequest"},
    {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
    {"Origin": "https://evil.example", "Authorization": "Basic YWRhOng="},
]
ALLOWED: list[dict[str, str]] = [
    {},  # no browser: curl, a client library
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": OURS},
    {"Origin": OURS},
    {"Referer": "https://evil.example/"},
]


@pytest.mark.parametrize("headers", REFUSED, ids=str)
def test_another_site_is_refused_before_anything_is_done(
    lite: House, solo: Person, headers: dict[str, str]
) -> None:
    acts: list[Callable[[], Any]] = [
        lambda: solo.post("/api/projects", {"name": "x"}, headers=headers),
        lambda: solo.post("/api/logout", headers=headers),
        lambda: solo.patch("/api/account", {"name": "x"}, headers=headers),
        lambda: solo.client.post(
            "/api/login", json={"email": solo.email, "password": PASSWORD}, headers=headers
        ),
        lambda: solo.client.post(
            "/api/projects", data='{"name": "x"}', content_type="text/plain", headers=headers
        ),
    ]
    with nothing_changes(lite, solo):
        for act in acts:
            answer = act()
            refused(answer, 40303)
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
            assert "Set-Cookie" not in answer.headers
    # Where a key is expected the cookie does not count, whatever stands in the header.
    by_key = "Authorization" in headers
    assert solo.get("/api/user", headers=headers).status_code == (401 if by_key else 200)


@pytest.mark.parametrize("headers", ALLOWED, ids=str)
def test_our_own_pages_and_what_is_no_browser_may_act(
    solo: Person, headers: dict[str, str]
) -> None:
    assert solo.post("/api/projects", {"name": "x"}, headers=headers).status_code == 201


@pytest.mark.parametrize("route", UNSAFE, ids=lambda route: f"{route.method} {route.path}")
def test_every_unsafe_route_is_behind_the_check(lite: House, route: Route) -> None:
    path = re.sub(r"<\w+>", str(uuid4()), route.path)

    with nothing_changes(lite):
        answer = lite.app.test_client().open(
            path, method=route.method, headers={"Sec-Fetch-Site": "cross-site"}
        )

    assert answer.status_code == 403
    if route.kind == "page":
        assert answer.mimetype == "text/html"
    else:
        refused(answer, 40303)


def test_addresses_that_do_not_exist_are_behind_it_too(lite: House) -> None:
    client = lite.app.test_client()
    headers = {"Origin": "https://evil.example"}

    refused(client.post("/api/nowhere", headers=headers), 40303)
    refused(client.delete("/admin", headers=headers), 40303)


def test_a_form_of_another_site_signs_nobody_in_out_or_up(lite: House, solo: Person) -> None:
    foreign = {"Origin": "https://evil.example"}
    stranger = register(lite, "mallory")

    with nothing_changes(lite, solo, stranger):
        for path, form in (
            ("/login", {"email": stranger.email, "password": PASSWORD}),
            ("/register", {"username": "x", "email": "x@example.com", "password": PASSWORD}),
            ("/logout", {}),
            ("/settings/email", {"email": "x@example.com", "password": PASSWORD}),
            ("/settings/account", {"to_account_id": str(stranger.account_id)}),
        ):
            assert solo.client.post(path, data=form, headers=foreign).status_code == 403
    assert solo.get("/api/user").json["data"]["id"] == str(solo.user_id)


def test_no_site_is_ever_allowed_to_read_across(lite: House, solo: Person) -> None:
    preflight = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for origin in ("https://evil.example", "null", OURS):
        for answer in (
            solo.client.options("/api/projects", headers=preflight | {"Origin": origin}),
            solo.get("/api/projects", headers={"Origin": origin}),
        ):
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_behind_a_proxy_the_address_that_people_see_is_ours(lite: House) -> None:
    with variant(lite, **PRODUCTION, trusted_proxies=1) as house:
        client = house.app.test_client()
        outside = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com"}
        body = {"email": "nobody@example.com", "password": "x"}

        def send(origin: str) -> Any:
            return client.post("/api/login", json=body, headers=outside | {"Origin": origin})

        refused(send("https://app.example.com"), 40101)
        for origin in ("http://app.example.com", "https://localhost", "http://localhost"):
            refused(send(origin), 40303)


def test_a_cookie_beside_a_made_up_key_lets_nobody_act(lite: House, solo: Person) -> None:
    """A bearer token passes the door unasked where it comes from, so nothing but the token may count."""
    headers = {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer tk_made_up_here"}

    with nothing_changes(lite, solo):
        refused(solo.post("/api/projects", {"name": "x"}, headers=headers), 40102)
        refused(solo.patch("/api/account", {"name": "x"}, headers=headers), 40102)

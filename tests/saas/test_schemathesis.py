"""Schemathesis drives the running app from its own OpenAPI document: no 5xx, and what is answered conforms.

Each operation is called with what its schema allows and with what it forbids, by an owner and by
nobody, on every database. Left out is one check, that whatever the schema allows is accepted: some
rules (common passwords, control characters, the syntax of addresses) no JSON Schema can say.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from saas.routes import API
from saas.routing import PUBLIC, Route
from tests.house import House
from tests.people import register
from tests.saas.test_openapi import template

EXAMPLES = 6
# What made-up values seldom or never get past: another address or password is asked for, or an
# account of one's own; and the session ends with the first call.
ENDS_OR_ASKS = {
    *("/api/register", "/api/login", "/api/logout", "/api/email", "/api/password"),
    "/api/session/account",
}
# Nor these: a token out of a mail is asked for, the password, an id in the body, or another owner.
ASKS_FOR_WHAT_IS_NOT_MADE_UP = {
    *("/api/email/verify", "/api/password/reset", "/api/invitations/accept", "/api/account/close"),
    *("/api/account/leave", "/api/account/ownership-offers"),
    "/api/webhooks",  # a public address is asked for
}
ASKS_FOR_IDS = {("POST", "/api/invitations")}


def drive(
    house: House, route: Route, mode: GenerationMode, cookies: dict[str, str]
) -> Counter[int]:
    """Call one operation with generated cases and hold each answer; how often each status came."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", house.app)
    operation = schema[template(route)][route.method]
    answered: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, cookies=cookies))
    def call(case: Case) -> None:
        answer = case.call()
        answered[answer.status_code] += 1
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    call()
    return answered


def cookies_of(house: House) -> dict[str, str]:
    cookie: Any = register(house).client.get_cookie("session")
    return {"session": cookie.value}


@pytest.mark.parametrize("route", API, ids=lambda route: f"{route.method} {route.path}")
def test_what_the_schema_allows_is_answered_as_it_says(house: House, route: Route) -> None:
    answered = drive(house, route, GenerationMode.POSITIVE, cookies_of(house))

    assert max(answered) < 500
    assert 401 not in answered or route.path in ENDS_OR_ASKS
    asks = ENDS_OR_ASKS | ASKS_FOR_WHAT_IS_NOT_MADE_UP
    if (route.method, route.path) in ASKS_FOR_IDS or route.path in asks:
        return
    if "<" not in route.path:
        assert answered[route.status] >= 1


@pytest.mark.parametrize(
    "route", [r for r in API if r.body or r.query], ids=lambda route: f"{route.method} {route.path}"
)
def test_what_the_schema_forbids_is_refused_as_it_says(house: House, route: Route) -> None:
    answered = drive(house, route, GenerationMode.NEGATIVE, cookies_of(house))

    assert 400 <= min(answered) <= max(answered) < 500


@pytest.mark.parametrize("route", API, ids=lambda route: f"{route.method} {route.path}")
def test_nobody_is_answered_as_it_says(lite: House, route: Route) -> None:
    answered = drive(lite, route, GenerationMode.POSITIVE, {})

    assert max(answered) < 500
    if route.permission != PUBLIC:
        assert answered.keys() == {401}

"""Cookies for the callers: the product's through its own door, the bare app's as Flask signs it."""

from __future__ import annotations

import flask
from flask.sessions import SecureCookieSessionInterface

from benchmarks.data import HOST, Bench, Caller
from saas import database, request_scope
from saas.services import session_services
from saas.services.session_services import Client
from tenants import enter_account

PATH = "/api/users?limit=20"


def product_cookies(app: flask.Flask, bench: Bench) -> list[str]:
    """Begin a session for each caller and return their cookies (``name=value``)."""
    return [_product_cookie(app, caller) for caller in bench.callers]


def bare_cookies(app: flask.Flask, bench: Bench) -> list[str]:
    """Return a signed cookie for each caller of the bare app."""
    return [
        _signed(app, {"account_id": str(caller.account_id), "user_id": str(caller.user_id)})
        for caller in bench.callers
    ]


def request(cookie: str) -> bytes:
    """Return one HTTP request for the list, as a script with a cookie sends it."""
    return (
        f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\n"
        "User-Agent: benchmarks\r\nAccept: application/json\r\n\r\n"
    ).encode()


def _product_cookie(app: flask.Flask, caller: Caller) -> str:
    with database.use(app.extensions["database"]), enter_account(caller.account_id):
        with database.unit_of_work() as unit:
            actor = session_services.begin_session(
                unit, caller.identity_id, caller.user_id, how="sign-in", remember=True,
                client=Client("127.0.0.1", "benchmarks"),
            )  # fmt: skip
        with app.test_request_context(base_url=f"https://{HOST}"):
            request_scope.remember_actor(actor, remember=True)
            return _signed(app, dict(flask.session))


def _signed(app: flask.Flask, session: dict[str, object]) -> str:
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return f"{app.config['SESSION_COOKIE_NAME']}={signer.dumps(session)}"


def both_cookies(bench: Bench, product: flask.Flask) -> dict[str, list[str]]:
    """Return the cookies of every caller, for each of the two apps."""
    bare = flask.Flask("bare")
    bare.secret_key = bench.settings.secret_key.get_secret_value()
    return {"product": product_cookies(product, bench), "bare": bare_cookies(bare, bench)}

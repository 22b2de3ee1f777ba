"""Flask's signed session cookie, made cheaper: its serializer is built once, and an unchanged session is not saved."""

from __future__ import annotations

import flask
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer

from saas.actor import Actor


class SessionCookie(SecureCookieSessionInterface):
    """The session interface of one app, whose secrets never change while it runs.

    Flask builds the serializer for every cookie that it reads, which costs as much as checking the signature. What
    it does for an unchanged session is to add ``Vary: Cookie``, which every answer of ours has already.
    """

    def __init__(self) -> None:
        self._serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: flask.Flask) -> URLSafeTimedSerializer | None:
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        if session.modified:
            super().save_session(app, session, response)


def session_cookie(app: flask.Flask, actor: Actor) -> tuple[str, str]:
    """Return name and value of the cookie that a browser holds once this actor's session has begun: for tests."""
    signed = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    held = {"_user_id": actor.get_id(), "_fresh": True}
    return app.config["SESSION_COOKIE_NAME"], signed.dumps(held)

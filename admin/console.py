"""The console's place: closed. It answers 404 to everyone, as an address that does not exist would."""

from __future__ import annotations

from typing import NoReturn

import flask

from saas import errors

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def init_app(app: flask.Flask) -> None:
    """Put the console on the app; nobody is let in yet."""
    for rule, endpoint in (("/admin", "admin.closed"), ("/admin/<path:page>", "admin.closed_page")):
        app.add_url_rule(rule, endpoint, _closed, methods=_METHODS)


def _closed(page: str = "") -> NoReturn:
    raise errors.NotFoundError

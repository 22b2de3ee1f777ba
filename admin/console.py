"""The console's place: closed. It answers 404 to everyone, as an address that does not exist would."""

from __future__ import annotations

from typing import NoReturn

import flask

from saas import errors


def init_app(app: flask.Flask) -> None:
    """Put the console on the app; nobody is let in yet."""
    app.add_url_rule("/admin", "admin.closed", _closed)
    app.add_url_rule("/admin/<path:page>", "admin.closed_page", _closed)


def _closed(page: str = "") -> NoReturn:
    raise errors.NotFoundError

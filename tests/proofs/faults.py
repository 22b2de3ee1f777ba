"""Routes that go wrong on purpose, on an app of the product: for the proofs alone.

Each one does what a view does, inside an account and a transaction, and then raises, streams or sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import flask
from sqlalchemy import select

from saas import database, errors, request_scope
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import record
from saas.models import Project
from saas.services import project_services
from tenants import TenancyError, enter_account
from tenants.scope import entered_account_id


def add_to(app: flask.Flask) -> flask.Flask:
    """Put the routes on an app that has not served yet."""
    for path, view in VIEWS.items():
        app.add_url_rule(f"/fault/{path}", f"fault.{path}", view, methods=["GET", "POST"])
    return app


def _actor() -> Actor:
    actor = request_scope.current_actor()
    if actor is None:
        raise errors.SignInRequiredError
    return actor


def _names() -> list[str]:
    with database.reading() as unit:
        return list(unit.session.scalars(select(Project.name)))


def _raise() -> NoReturn:
    """Raise after reading (GET), or in the middle of a change (POST)."""
    actor = _actor()
    if flask.request.method == "GET":
        raise RuntimeError(f"after reading {_names()}")
    with database.unit_of_work() as unit:
        project_services.create_project(actor, name=f"half {flask.request.args['mark']}")
        unit.flush()
        raise RuntimeError("in the middle of a change")


def _leave() -> NoReturn:
    """Leave the worker, as a server's own time-out does."""
    _names_in_unit()
    raise SystemExit("the worker is asked to go")


def _names_in_unit() -> list[str]:
    _actor()
    with database.unit_of_work() as unit:
        return list(unit.session.scalars(select(Project.name)))


def _statement() -> Any:
    """Send a statement that the database refuses, and catch nothing."""
    actor = _actor()
    with database.unit_of_work() as unit:
        twins = [Project(name=flask.request.args["mark"]) for _ in range(2)]
        unit.session.add_all(twins)
        record(AuditEvent.PROJECT_CREATED, actor=actor, target=twins[0])
        unit.flush()
    return "never"


def _stream() -> flask.Response:
    """Stream as a download must: the account is left when the answer begins, so the stream enters it itself."""
    actor, house = _actor(), flask.current_app.extensions["database"]

    def lines() -> Iterator[str]:
        yield f"{entered_account_id()}\n"
        with database.use(house), enter_account(actor.account_id):
            for name in _names():
                yield f"{entered_account_id()} {name}\n"
                yield "more\n"

    return flask.Response(flask.stream_with_context(lines()), mimetype="text/plain")


def _bare_stream() -> flask.Response:
    """Stream as somebody would who believes that the account is still there."""
    _actor()

    def lines() -> Iterator[str]:
        yield f"{entered_account_id()}\n"
        try:
            _names()
        except (TenancyError, RuntimeError) as error:
            yield type(error).__name__

    return flask.Response(lines(), mimetype="text/plain")


def _sleep() -> dict[str, Any]:
    """Keep the transaction of a reader (GET) or of a writer (POST) open for a while."""
    _actor()
    if flask.request.method == "GET":
        names = _names()
        time.sleep(float(flask.request.args["seconds"]))
        return {"data": names}
    with database.unit_of_work() as unit:
        names = list(unit.session.scalars(select(Project.name)))
        time.sleep(float(flask.request.args["seconds"]))
    return {"data": names}


def _thread() -> dict[str, Any]:
    """Start a thread in the middle of a request and tell what it could do."""
    _actor()
    told: list[str] = []

    def work() -> None:
        try:
            with database.use(flask_database):
                told.extend(_names())
        except TenancyError as error:
            told.append(type(error).__name__)

    flask_database = flask.current_app.extensions["database"]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return {"data": told}


VIEWS = {
    "raise": _raise,
    "leave": _leave,
    "statement": _statement,
    "stream": _stream,
    "bare-stream": _bare_stream,
    "sleep": _sleep,
    "thread": _thread,
}

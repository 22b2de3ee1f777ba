"""What the house says of itself: health, readiness, the API document and its viewer."""

from __future__ import annotations

from typing import Any

import flask

from saas import errors, openapi
from saas.actor import Actor
from saas.pages import docs_pages
from saas.routing import json_response
from saas.services import house_services

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def healthz(actor: Actor | None) -> flask.Response:
    """GET /healthz: the process answers."""
    return json_response({"status": "ok"})


def readyz(actor: Actor | None) -> flask.Response:
    """GET /readyz: the database answers and has the schema of this code; 503 with the reason otherwise."""
    problem = house_services.unreadiness()
    if problem is not None:
        raise errors.DatabaseAwayError(problem)
    return json_response({"status": "ok"})


def metrics(actor: Actor | None) -> flask.Response:
    """GET /metrics: figures for Prometheus, where the setting METRICS says so; else there is no such address."""
    found = flask.current_app.extensions.get("metrics")
    if found is None:
        raise errors.NotFoundError
    return flask.Response(found.expose(), content_type=CONTENT_TYPE)


def openapi_document(actor: Actor | None) -> flask.Response:
    """GET /openapi.json: the API, made from the route table."""
    return json_response(_document())


def api_docs(actor: Actor | None) -> Any:
    """GET /api/docs: the same for people, without another host."""
    return docs_pages.api_docs(actor, _document())


def _document() -> dict[str, Any]:
    extensions = flask.current_app.extensions
    if "openapi" not in extensions:
        extensions["openapi"] = openapi.make_document(extensions["routes"])
    document: dict[str, Any] = extensions["openapi"]
    return document

"""What the log hears of a refused request: asked wherever an error becomes an answer, for programs or for people."""

from __future__ import annotations

import flask

from saas import errors, request_scope
from saas.actor import Actor
from saas.audit import refusals


def tell(error: errors.ProductError) -> None:
    """Let the audit log tell of a refusal, if this is one; raises nothing and changes nothing of the answer."""
    if error.status not in refusals.STATUSES or flask.request.routing_exception is not None:
        return
    refusal = refusals.of(error, _actor())
    if refusal is not None:
        flask.current_app.extensions["refusals"].tell(refusal)


def _actor() -> Actor | None:
    try:
        return request_scope.current_actor()
    except errors.ProductError:
        return None  # whoever it is, the database is what cannot say so

"""An error in words: what the API says in JSON, for people."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from saas import errors, request_scope
from saas.pages import permission_pages, shared_pages
from saas.permissions import Permission

_log = structlog.get_logger(__name__)

TITLES = {
    400: "We could not read that",
    401: "Please sign in first",
    403: "You may not do that here",
    404: "There is nothing here",
    405: "This address does not do that",
    409: "Something has changed in the meantime",
    410: "This no longer works",
    413: "That was too large",
    415: "That format is not accepted",
    422: "Something needs correcting",
    429: "That was a little too fast",
    503: "We will be right back",
}
LOCKED_OUT = (errors.NoSeatError, errors.SuspendedError)
"""Errors that meet a signed-in person on every page, so that signing out is the way on."""


def error_page(error: errors.ProductError, request_id: str) -> str:
    """The page for `error`: message, code, request id; for a missing permission also who can give it.

    Every other error asks no database: that may be away.
    """
    title = TITLES.get(error.status, "We made a mistake")
    permission = _missing_permission(error)
    return shared_pages.draw(
        "error.html",
        None,
        error=error,
        title=title,
        request_id=request_id,
        retry_after=error.headers.get("Retry-After"),
        offer_sign_out=isinstance(error, LOCKED_OUT),
        permission=permission,
        givers=shared_pages.in_words(_who_can_give(permission)) if permission else "",
    )


def _missing_permission(error: errors.ProductError) -> Permission | None:
    name = error.permission if isinstance(error, errors.PermissionDeniedError) else None
    return permission_pages.BY_NAME.get(name or "")


def _who_can_give(permission: Permission) -> list[str]:
    """Whom to ask. A refusal must be told even when the database goes away now: then it names nobody."""
    actor = request_scope.current_actor()
    if actor is None:
        return []
    try:
        return permission_pages.who_can_give(actor, permission)
    except (SQLAlchemyError, errors.DatabaseAwayError) as away:
        _log.warning("nobody named on the page of a refusal", error=type(away).__name__)
        return []

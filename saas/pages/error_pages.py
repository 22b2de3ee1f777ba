"""An error in words: what the API says in JSON, for people."""

from __future__ import annotations

from saas import errors
from saas.pages import shared_pages

TITLES = {
    400: "We could not read that",
    401: "Please sign in first",
    403: "You may not do that here",
    404: "There is nothing here",
    405: "This address does not do that",
    409: "Something has changed in the meantime",
    413: "That was too large",
    415: "That format is not accepted",
    422: "Something needs correcting",
    429: "That was a little too fast",
    503: "We will be right back",
}
LOCKED_OUT = (errors.NoSeatError, errors.SuspendedError)
"""Errors that meet a signed-in person on every page, so that signing out is the way on."""


def error_page(error: errors.ProductError, request_id: str) -> str:
    """The page for `error`: message, code, request id. It asks no database: that may be away."""
    title = TITLES.get(error.status, "We made a mistake")
    return shared_pages.draw(
        "error.html",
        None,
        error=error,
        title=title,
        request_id=request_id,
        retry_after=error.headers.get("Retry-After"),
        offer_sign_out=isinstance(error, LOCKED_OUT),
    )

"""One place where errors become answers: JSON for the API, words for pages, never a stack trace."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import flask
import structlog
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, SecurityError

from saas import database, errors, refused_requests
from saas.pages import error_pages
from saas.routing import json_response

_log = structlog.get_logger(__name__)


def init_app(app: flask.Flask) -> None:
    """Answer every error of the product, the framework and the database in the one shape."""
    app.register_error_handler(errors.ProductError, answer_product_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_product_error(error: errors.ProductError) -> Any:
    """Answer an error of the product; a page that needs a sign-in leads to it."""
    refused_requests.tell(error)
    request_id = flask.g.get("request_id", "")
    if not _is_page():
        response = json_response(error.body(request_id), error.status)
    elif isinstance(error, errors.SignInRequiredError):
        return flask.redirect(
            f"/login?next={quote(flask.request.full_path.rstrip('?'), safe='')}", 303
        )
    else:
        response = flask.make_response(error_pages.error_page(error, request_id), error.status)
    response.headers.extend(error.headers)
    return response


def answer_http_error(error: HTTPException) -> Any:
    """Answer an error of the framework (404, 405, 413, 415, a bad host …); redirects go through."""
    if error.response is not None or (error.code or 500) < 400:
        return error
    product_error = errors.for_status(error.code or 500)()
    product_error.headers |= {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
    return answer_product_error(product_error)


def answer_unexpected(error: Exception) -> Any:
    """Log what nobody expected, with the request id, and answer 503 for a database that is away, else 500."""
    if database.is_away(error):
        _log.warning("database away", error=str(getattr(error, "orig", error)))
        return answer_product_error(errors.DatabaseAwayError())
    _log.error("unexpected error", exc_info=error)
    return answer_product_error(
        errors.InternalDbError() if isinstance(error, DBAPIError) else errors.InternalError()
    )


def _is_page() -> bool:
    """Say whether a person looks at this: a page of ours, or an unknown address outside the API asked for as HTML."""
    request = flask.request
    if request.url_rule is not None and not flask.g.get(
        "hidden"
    ):  # hidden: as if there were no such address
        return request.endpoint in flask.current_app.extensions["pages"]
    if isinstance(request.routing_exception, SecurityError):
        return False  # a host that is not ours: no page of ours has an address there
    return not request.path.startswith("/api") and request.accept_mimetypes.accept_html

"""The origin check: unsafe requests of a browser must come from our own pages.

Needs no token in the page and covers JSON, forms and the console alike.
"""

from typing import TYPE_CHECKING

from saas.errors import CrossSiteRequestError

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


def check_origin(request: "Request") -> None:
    """Raise CrossSiteRequestError unless the request is safe, ours, or not from a browser.

    In this order: `Sec-Fetch-Site` is same-origin or none; else `Origin` equals scheme and host of
    the request; else neither header is there. `Origin: null` equals nothing. A browser never adds
    a Bearer token on its own, so it needs no check; Basic credentials it does add, so they do.
    Scheme and host are those the proxy setting of the application lets through.
    """
    environ = request.environ
    if environ["REQUEST_METHOD"] in _SAFE_METHODS:
        return
    if environ.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer ":
        return
    site = environ.get("HTTP_SEC_FETCH_SITE")
    if site in _OWN_SITES:
        return
    origin = environ.get("HTTP_ORIGIN")
    if site is None and origin is None:
        return
    if origin != f"{request.scheme}://{request.host}":
        raise CrossSiteRequestError

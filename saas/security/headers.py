"""Security headers of every answer, made once at import because this runs on every request."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_Headers = tuple[tuple[str, str], ...]
_PERMISSIONS_POLICY = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"
)
_ALWAYS: _Headers = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    # Not no-referrer: with it browsers send "Origin: null" from our own forms, which we refuse.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", _PERMISSIONS_POLICY),
)
_DYNAMIC: _Headers = (("Cache-Control", "no-store"), ("Vary", "Cookie"))
_SECURE: _Headers = (("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),)

_PLAIN_SET: _Headers = _ALWAYS + _DYNAMIC
_SECURE_SET: _Headers = _PLAIN_SET + _SECURE
_OURS = frozenset(name.lower() for name, _ in _SECURE_SET)
_CACHEABLE_STATUS = frozenset({200, 206, 304})


def apply(response: "Response", path: str, secure: bool = False) -> None:
    """Add the security headers; `secure` is whether the request came over TLS.

    A view may have set its own Content-Security-Policy (the console has to); every other header of
    ours replaces what is there. Everything outside /static/, and there every error and every answer
    with a cookie, is `no-store`: a cache in front must never keep a person's answer.
    """
    present = {name.lower() for name, _ in response.headers}
    wanted = _SECURE_SET if secure else _PLAIN_SET
    if path.startswith("/static/") and _may_be_cached(response, present):
        wanted = _ALWAYS + _SECURE if secure else _ALWAYS
    if present.isdisjoint(_OURS):
        # The list itself: Headers.extend() checks each constant again, 30 times slower.
        response.headers._list.extend(wanted)
        return
    _apply_with_care(response, wanted)


def _may_be_cached(response: "Response", present: set[str]) -> bool:
    return response.status_code in _CACHEABLE_STATUS and "set-cookie" not in present


def _apply_with_care(response: "Response", wanted: _Headers) -> None:
    for name, value in wanted:
        if name == "Vary":
            response.vary.add(value)
        elif name != "Content-Security-Policy" or name not in response.headers:
            response.headers[name] = value

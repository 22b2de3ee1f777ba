import re

import pytest
from werkzeug.wrappers import Response

from saas.security import headers


def answered(
    path: str, *, secure: bool = False, status: int = 200, given: dict[str, str] | None = None
) -> Response:
    response = Response("x", status=status, headers=given)
    headers.apply(response, path, secure)
    return response


def test_every_answer_carries_the_strict_headers() -> None:
    for path in ("/", "/api/users", "/static/app.css"):
        sent = answered(path).headers
        assert sent["X-Content-Type-Options"] == "nosniff"
        assert sent["Cross-Origin-Opener-Policy"] == "same-origin"
        assert sent["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in sent["Permissions-Policy"]
        assert sent["Content-Security-Policy"].startswith("default-src 'none'; ")


def test_content_security_policy_allows_nothing_inline_and_no_other_host() -> None:
    policy = answered("/").headers["Content-Security-Policy"]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))

    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"unsafe|https?:|\*", policy)


def test_referrer_policy_leaves_the_origin_of_our_own_forms_readable() -> None:
    assert answered("/").headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path", ["/", "/api/users", "/settings/x.css", "/static", "/staticky/x.css", "/api/static/x"]
)
def test_dynamic_answers_are_never_stored(path: str) -> None:
    sent = answered(path, given={"Cache-Control": "public, max-age=3600"}).headers

    assert sent.get_all("Cache-Control") == ["no-store"]
    assert sent["Vary"] == "Cookie"


def test_static_files_keep_their_own_caching() -> None:
    sent = answered("/static/app.css", given={"Cache-Control": "max-age=3600"}).headers

    assert sent.get_all("Cache-Control") == ["max-age=3600"]
    assert "Vary" not in sent


@pytest.mark.parametrize(
    ("status", "given"), [(404, {}), (500, {}), (302, {}), (200, {"Set-Cookie": "a=b"})]
)
def test_errors_and_cookies_below_static_are_not_stored(status: int, given: dict[str, str]) -> None:
    sent = answered("/static/app.css", status=status, given=given).headers

    assert sent["Cache-Control"] == "no-store"


def test_strict_transport_security_is_sent_over_tls_only() -> None:
    assert "Strict-Transport-Security" not in answered("/").headers
    for path in ("/", "/static/app.css"):
        sent = answered(path, secure=True).headers["Strict-Transport-Security"]
        assert int(re.search(r"max-age=(\d+)", sent)[1]) >= 31_536_000  # type: ignore[index]


def test_policy_of_a_view_is_kept_and_nothing_comes_twice() -> None:
    own = {"Content-Security-Policy": "default-src 'self'", "Vary": "Accept", "X-Frame": "y"}
    response = answered("/admin", secure=True, given=own)

    assert response.headers["Content-Security-Policy"] == "default-src 'self'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert {name.lower() for name in response.vary} == {"accept", "cookie"}
    names = [name.lower() for name, _ in response.headers]
    assert len(names) == len(set(names))


def test_weaker_header_of_a_view_is_replaced() -> None:
    sent = answered("/", given={"Referrer-Policy": "unsafe-url"}).headers

    assert sent.get_all("Referrer-Policy") == ["same-origin"]

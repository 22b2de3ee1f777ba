import pytest
from flask import Flask, request

from saas.errors import CrossSiteRequestError
from saas.security import csrf

app = Flask(__name__)


def checked(
    headers: dict[str, str], method: str = "POST", base_url: str = "https://app.example.com"
) -> None:
    with app.test_request_context("/api/x", method=method, base_url=base_url, headers=headers):
        csrf.check_origin(request)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "Same-Origin-ish"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "https://app.example.com.evil.example"},
        {"Origin": "https://evilapp.example.com"},
        {"Origin": "https://example.com"},
        {"Origin": "http://app.example.com"},
        {"Origin": "https://app.example.com:8443"},
        {"Origin": "https://app.example.com/"},
        {"Origin": "app.example.com"},
        {"Origin": "https://app.example.com, https://evil.example"},
        {"Origin": "https://evil.example", "Authorization": "Basic YTpi"},
        {"Origin": "https://evil.example", "Authorization": ""},
    ],
)
def test_browser_request_of_another_site_is_refused(headers: dict[str, str], method: str) -> None:
    with pytest.raises(CrossSiteRequestError):
        checked(headers, method)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "https://app.example.com"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.com"},
        {"Origin": "https://evil.example", "Authorization": "Bearer tk_1"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "bearer tk_1"},
    ],
)
def test_own_page_or_no_browser_may_pass(headers: dict[str, str]) -> None:
    checked(headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_are_not_asked(method: str) -> None:
    checked({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, method)


def test_port_is_part_of_the_origin() -> None:
    checked({"Origin": "http://127.0.0.1:5000"}, base_url="http://127.0.0.1:5000")
    with pytest.raises(CrossSiteRequestError):
        checked({"Origin": "http://127.0.0.1:5001"}, base_url="http://127.0.0.1:5000")

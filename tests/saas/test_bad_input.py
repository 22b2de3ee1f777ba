"""What bad input gets: a 4xx in the one error shape, the same on every database.

Each case goes to every route it can go to, in the houses on all three databases, and the answers
are compared with each other: a database that spoke itself would be heard.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from saas.routes import API, ROUTES
from saas.routing import PUBLIC, SIGNED_IN, Route
from tests import databases, needs
from tests.house import House, Street
from tests.people import PASSWORD, Person, register
from tests.refusals import nothing_changes, refused, said
from tests.variants import cuttable

JSON = "application/json"
DEEP = 100_000
_SOME = UUID(
    "3f9c1a52-7d1e-4c59-9a40-0b1d2c3e4f50"
)  # the same in every worker, since it names tests
WITH_BODY = [route for route in API if route.body]
LISTS = [route for route in API if route.query and route.method == "GET"]
BY_ID = [route for route in API if "<" in route.path]

# A body that each schema accepts; test_every_schema_has_a_body_here holds the list complete.
GOOD: dict[str, dict[str, Any]] = {
    "RegisterIn": {"username": "ada", "email": "ada@example.com", "password": PASSWORD},
    "LoginIn": {"email": "ada@example.com", "password": PASSWORD},
    "ChangeEmailIn": {"email": "ada@example.com", "password": PASSWORD},
    "ChangePasswordIn": {"current_password": PASSWORD, "new_password": PASSWORD},
    "SwitchAccountIn": {"account_id": str(uuid4())},
    "CreateAccountIn": {"name": "Umbrella"},
    "UpdateAccountIn": {"name": "Umbrella"},
    "CreateProjectIn": {"name": "Apollo"},
    "UpdateProjectIn": {"name": "Apollo"},
    "VerifyEmailIn": {"token": "a" * 43},
    "ForgotPasswordIn": {"email": "ada@example.com"},
    "ResetPasswordIn": {"token": "a" * 43, "new_password": PASSWORD},
    "CloseAccountIn": {"password": PASSWORD},
    "OfferOwnershipIn": {"user_id": str(_SOME)},
    "UpdateUserIn": {"username": "ada"},
    "ReasonIn": {"reason": "She left her laptop on a train."},
    "GrantRoleIn": {"role_id": str(_SOME)},
    "CreateRoleIn": {"name": "support", "permissions": ["project:read"]},
    "UpdateRoleIn": {"name": "support", "permissions": ["project:read"]},
    "CreateInvitationIn": {"email": "ada@example.com", "role_ids": [str(_SOME)]},
    "AcceptInvitationIn": {"token": f"inv_{_SOME.hex}_{'a' * 43}"},
    "CreateApiKeyIn": {"name": "nightly", "permissions": ["project:read"]},
    "CreateWebhookIn": {"url": "https://hooks.example.com/a"},
    "UpdateWebhookIn": {"actions": ["project.created"], "status": "disabled"},
}
# Fields in which null says the same as leaving them out, and those that may be an empty list.
NULLABLE = {"UpdateProjectIn", "UpdateRoleIn", "ReasonIn", "UpdateWebhookIn"}
MAY_BE_EMPTY = {"permissions"}


@pytest.fixture(scope="module")
def adas(street: Street) -> list[tuple[House, Person]]:
    """Ada on each database, once for this module: nothing here changes anything of hers."""
    try:
        houses = [street.house(backend) for backend in databases.BACKENDS]
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)
    return [(house, register(house, "ada")) for house in houses]


def same_everywhere(
    adas: list[tuple[House, Person]], call: Callable[[Person], Any], code: int
) -> dict[str, Any]:
    """Make one call in every house; hold code, shape and words alike and nothing changed."""
    told = []
    for house, ada in adas:
        with nothing_changes(house, ada):
            told.append(refused(call(ada), code))
    assert told.count(told[0]) == len(databases.BACKENDS), told
    assert len(json.dumps(told[0])) < 4000  # whatever was sent: the answer stays short
    return told[0]


def send(ada: Person, route: Route, raw: bytes, mimetype: str | None = JSON, **more: Any) -> Any:
    path = re.sub(r"<\w+>", str(uuid4()), route.path)
    return ada.client.open(path, method=route.method, data=raw, content_type=mimetype, **more)


def test_every_schema_has_a_body_here() -> None:
    assert {route.body.__name__ for route in WITH_BODY if route.body} == GOOD.keys()


MALFORMED = {
    "nothing": b"",
    "spaces": b" \n ",
    "half an object": b'{"name": ',
    "no JSON": b"name=Apollo",
    "single quotes": b"{'name': 'Apollo'}",
    "a comma too many": b'{"name": "Apollo",}',
    "a comment": b'{"name": "Apollo"} // mine',
    "two objects": b'{"name": "Apollo"}{"name": "Gemini"}',
    "an array": b'[{"name": "Apollo"}]',
    "an empty array": b"[]",
    "a string": b'"Apollo"',
    "a number": b"7",
    "true": b"true",
    "null": b"null",
    "a key twice": b'{"name": "Apollo", "name": "Gemini"}',
    "a key twice inside": b'{"name": {"a": 1, "a": 2}}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": -Infinity}',
    "2**70": b'{"name": %d}' % 2**70,
    "-2**70": b'{"name": -%d}' % 2**70,
    "5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "1e999": b'{"name": 1e999}',
    "100,000 arrays": b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "100,000 arrays, never closed": b"[" * DEEP,
    "100,000 objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "33 levels": b'{"name": ' + b"[" * 32 + b"]" * 32 + b"}",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "Latin-1": '{"name": "é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\x80"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "Apollo"}',
    "UTF-16": '{"name": "Apollo"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"name": "Apollo"}'.encode("utf-16-le"),
    "UTF-32": '{"name": "Apollo"}'.encode("utf-32"),
    "a raw NUL": b'{"name": "a\x00b"}',
    "a raw line break": b'{"name": "a\nb"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaK\xccMU\xb2R",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_body_that_is_not_one_json_object_is_refused(
    adas: list[tuple[House, Person]], case: str
) -> None:
    raw = MALFORMED[case]
    told = same_everywhere(adas, lambda ada: send(ada, WITH_BODY[-2], raw), 40001)

    for route in WITH_BODY:  # the body is read in one place; one house is enough to see that
        if route.permission != PUBLIC or route.path == "/api/login":
            assert refused(send(adas[0][1], route, raw), 40001) == told


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
def test_ten_megabytes_are_refused_unread(adas: list[tuple[House, Person]], route: Route) -> None:
    raw = b'{"name": "' + b"a" * 10_000_000 + b'"}'

    same_everywhere(adas, lambda ada: send(ada, route, raw), 41301)


@pytest.mark.parametrize(
    "mimetype",
    [
        *(None, "", "text/plain", "text/json", "application/xml", "application/problem+json"),
        *("application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "*/*"),
    ],
)
def test_wrong_content_type_is_refused(
    adas: list[tuple[House, Person]], mimetype: str | None
) -> None:
    same_everywhere(
        adas, lambda ada: send(ada, WITH_BODY[-2], b'{"name": "Apollo"}', mimetype), 41501
    )
    for route in WITH_BODY:
        refused(send(adas[0][1], route, b"{}", mimetype), 41501)


@pytest.mark.parametrize("mimetype", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_json_in_any_spelling_is_read(ada_sends: Callable[..., Any], mimetype: str) -> None:
    assert ada_sends(b'{"name": "%s"}' % uuid4().hex.encode(), mimetype).status_code == 201


@pytest.fixture
def ada_sends(solo: Person) -> Callable[..., Any]:
    """Send a raw body to POST /api/projects."""
    route = next(r for r in API if (r.method, r.path) == ("POST", "/api/projects"))
    return lambda raw, mimetype=JSON, **more: send(solo, route, raw, mimetype, **more)


UNSTORABLE = {
    "a lone high surrogate": '"a\\ud800b"',
    "a lone low surrogate": '"\\udc00"',
    "surrogates the wrong way round": '"\\ude00\\ud83d"',
    "NUL": '"a\\u0000b"',
    "NUL alone": '"\\u0000"',
}


@pytest.mark.parametrize("case", UNSTORABLE)
def test_text_that_no_database_can_hold_is_refused(
    adas: list[tuple[House, Person]], case: str
) -> None:
    for route in WITH_BODY:
        assert route.body is not None
        good = GOOD[route.body.__name__]
        for field in good:
            raw = json.dumps(good | {field: "@"}).replace('"@"', UNSTORABLE[case]).encode()
            refused(send(adas[0][1], route, raw), 42201)
    for key in ("\\ud800", "\\u0000"):
        raw = f'{{"name": "x", "{key}": 1}}'.encode()
        same_everywhere(adas, lambda ada, b=raw: send(ada, WITH_BODY[-2], b), 42201)
    raw = f'{{"name": {UNSTORABLE[case]}}}'.encode()
    same_everywhere(adas, lambda ada: send(ada, WITH_BODY[-2], raw), 42201)


WRONG: list[Any] = [0, 1, 1.5, True, [], ["x"], {}, {"$ne": ""}, 2**53, None]


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
def test_wrong_types_are_refused_on_their_field(
    adas: list[tuple[House, Person]], route: Route
) -> None:
    assert route.body is not None
    good = GOOD[route.body.__name__]
    wrong = WRONG[:-1] if route.body.__name__ in NULLABLE else WRONG
    for field in good:
        for value in [each for each in wrong if each != [] or field not in MAY_BE_EMPTY]:
            raw = json.dumps(good | {field: value}).encode()
            item = f"{field}.0" if value == ["x"] and isinstance(good[field], list) else field
            told = refused(send(adas[0][1], route, raw), 42201, item)
            assert told["field_errors"][0]["message"].endswith(".")
    raw = json.dumps({**good, "x": 1}).encode()
    same_everywhere(adas, lambda ada: send(ada, route, raw), 42201)


@pytest.mark.parametrize("text", ["", " ", "\u202e", "a\tb", "\u2028", "\x7f", "\u200b\u2060"])
def test_text_that_is_no_name_is_refused_on_its_field(
    adas: list[tuple[House, Person]], text: str
) -> None:
    for route in WITH_BODY:
        assert route.body is not None
        good = GOOD[route.body.__name__]
        for field in good.keys() & {"name", "username", "email"}:
            raw = json.dumps(good | {field: text}).encode()
            refused(send(adas[0][1], route, raw), 42201, field)


def test_ten_thousand_unknown_fields_are_answered_briefly(
    adas: list[tuple[House, Person]],
) -> None:
    raw = json.dumps({f"field{number}": number for number in range(10_000)}).encode()

    told = same_everywhere(adas, lambda ada: send(ada, WITH_BODY[-2], raw), 42201)

    assert len(told["field_errors"]) <= 20


def test_names_of_unknown_fields_come_back_cut_and_without_markup_to_fear(
    adas: list[tuple[House, Person]],
) -> None:
    for name in ("__proto__", "constructor", "a" * 5000, "\x1b[2J", "a\r\nSet-Cookie: x=1"):
        raw = json.dumps({"name": "x", name: 1}).encode()
        told = same_everywhere(adas, lambda ada, b=raw: send(ada, WITH_BODY[-2], b), 42201)
        field = told["field_errors"][0]["field"]
        assert len(field) <= 60
        assert field.isprintable()


MALFORMED_IDS = [
    *("1", "-1", "0", str(2**70), "None", "null", "undefined", "*", "'", "' OR 1=1 --", "%"),
    *(
        "%00",
        "%ff",
        "%ed%a0%80",
        "%2e%2e",
        "..%2f..",
        "🦉",
        "{3f9c1a52-7d1e-4c59-9a40-0b1d2c3e4f50}",
        "a" * 5000,
    ),
    *(_SOME.hex, f"urn:uuid:{_SOME}", str(_SOME)[:-1], f"{_SOME}0", f"{_SOME}%00"),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
]


@pytest.mark.parametrize("route", BY_ID, ids=lambda route: f"{route.method} {route.path}")
def test_malformed_ids_read_like_unknown_ones(
    adas: list[tuple[House, Person]], route: Route
) -> None:
    def call(ada: Person, unsafe_id: str) -> Any:
        path = re.sub(r"<\w+>", unsafe_id.replace(" ", "%20"), route.path)
        body = GOOD[route.body.__name__] if route.body else None
        return ada.client.open(path, method=route.method, json=body)

    unknown = same_everywhere(adas, lambda ada: call(ada, str(uuid4())), 40401)
    for unsafe_id in MALFORMED_IDS:
        assert refused(call(adas[0][1], unsafe_id), 40401) == unknown, unsafe_id
    for house, ada in adas[1:]:
        with nothing_changes(house, ada):
            for unsafe_id in MALFORMED_IDS[-2:]:  # these reach the database
                assert said(call(ada, unsafe_id)) == unknown


BAD_CURSORS = [
    "",
    "x",
    "=",
    "%00",
    "%ff",
    "%ed%a0%80",
    "🦉",
    "A" * 32,
    "A" * 43,
    "A" * 64,
    "A" * 9999,
]
BAD_LIMITS = [
    "",
    "0",
    "-1",
    "101",
    "1.5",
    "1e1",
    "x",
    "%00",
    "\uff11",
    "0x10",
    str(2**70),
    "9" * 5000,
]


def address(ada: Person, route: Route) -> str:
    """The path of a list; one that belongs to something of hers, with its id."""
    if "<" not in route.path:
        return route.path
    made = ada.post("/api/webhooks", GOOD["CreateWebhookIn"]).get_json()["data"]
    return route.path.replace("<webhook_id>", made["id"])


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_queries_that_make_no_sense_are_refused(
    adas: list[tuple[House, Person]], route: Route
) -> None:
    paths = {ada.account_id: address(ada, route) for _, ada in adas}
    house, ada = adas[0]
    path = paths[ada.account_id]
    with nothing_changes(house, ada):
        for field, values in (("cursor", BAD_CURSORS), ("limit", BAD_LIMITS)):
            for value in values:
                refused(ada.get(f"{path}?{field}={value}"), 42201, field)
        for query in ("limit=1&limit=2", "limit[]=1", "Limit=1", "offset=1", "%00=1", "%ff=1"):
            refused(ada.get(f"{path}?{query}"), 42201)
        flood = "&".join(f"field{number}=1" for number in range(10_000))
        assert len(refused(ada.get(f"{path}?{flood}"), 42201)["field_errors"]) <= 20
    for query in ("cursor=A%00", f"limit={2**63}"):
        same_everywhere(
            adas, lambda ada, query=query: ada.get(f"{paths[ada.account_id]}?{query}"), 42201
        )


class TestWithoutLength:
    """A chunked body has no length; the server marks its end, which gunicorn does in WSGI like this."""

    def chunked(self, raw: bytes) -> dict[str, Any]:
        stream = {"wsgi.input": io.BytesIO(raw), "wsgi.input_terminated": True}
        return {"environ_overrides": stream | {"HTTP_TRANSFER_ENCODING": "chunked"}}

    def test_it_is_read(self, ada_sends: Callable[..., Any]) -> None:
        assert ada_sends(b"", **self.chunked(b'{"name": "Apollo"}')).status_code == 201

    def test_too_much_of_it_is_refused(self, ada_sends: Callable[..., Any]) -> None:
        raw = b'{"name": "' + b"a" * 10_000_000 + b'"}'

        refused(ada_sends(b"", **self.chunked(raw)), 41301)

    @pytest.mark.parametrize("error", [OSError("gone"), ValueError("bad chunk"), Exception("?")])
    @pytest.mark.parametrize("path", ["/api/projects", "/projects"])
    def test_what_the_server_cannot_read_is_not_our_fault(
        self, solo: Person, path: str, error: Exception
    ) -> None:
        class Broken(io.BytesIO):
            def read(self, *args: Any) -> bytes:
                raise error

            readinto = read  # type: ignore[assignment]

        stream = self.chunked(b"")["environ_overrides"] | {"wsgi.input": Broken()}
        mimetype = JSON if path.startswith("/api") else "application/x-www-form-urlencoded"

        answer = solo.client.post(path, content_type=mimetype, environ_overrides=stream)

        assert answer.status_code == 400
        if path.startswith("/api"):
            refused(answer, 40002)

    def test_too_much_of_a_form_is_refused(self, solo: Person) -> None:
        answer = solo.client.post(
            "/projects",
            content_type="application/x-www-form-urlencoded",
            **self.chunked(b"name=" + b"a" * 10_000_000),
        )

        assert answer.status_code == 413

    def test_without_an_end_it_is_nothing(self, ada_sends: Callable[..., Any]) -> None:
        endless = self.chunked(b'{"name": "Apollo"}')["environ_overrides"]
        del endless["wsgi.input_terminated"]

        refused(ada_sends(b"", environ_overrides=endless), 40001)

    def test_less_than_was_announced_is_refused(self, ada_sends: Callable[..., Any]) -> None:
        short = {"wsgi.input": io.BytesIO(b'{"name": "Apollo"}'), "CONTENT_LENGTH": "500"}

        refused(ada_sends(b"", environ_overrides=short), 40002)


class TestHeadersAndAddresses:
    HUGE = "a" * 1_000_000

    @pytest.mark.parametrize(
        "name",
        [
            *("User-Agent", "X-Request-ID", "Referer", "Accept", "Accept-Language", "X-Whatever"),
            *("If-None-Match", "Range", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded"),
        ],
    )
    def test_a_huge_header_is_no_error_of_ours(
        self, adas: list[tuple[House, Person]], name: str
    ) -> None:
        for _, ada in adas:
            body = {"email": ada.email, "password": PASSWORD}
            assert ada.get("/api/projects", headers={name: self.HUGE}).status_code == 200
            assert ada.post("/api/login", body, headers={name: self.HUGE}).status_code == 200

    @pytest.mark.parametrize("value", ["\x00", "a\x00b", "\x1b[31m", "é" * 300, "\xff\xfe", "\x7f"])
    def test_a_browser_may_call_itself_what_it_will(
        self, adas: list[tuple[House, Person]], value: str
    ) -> None:
        for _, ada in adas:
            body = {"email": ada.email, "password": PASSWORD}
            called = {"environ_overrides": {"HTTP_USER_AGENT": value}}
            assert ada.post("/api/login", body, **called).status_code == 200
            newest = ada.get("/api/sessions?limit=1").json["data"][0]
            assert "\x00" not in newest["user_agent"]
            assert len(newest["user_agent"]) <= 256

    @pytest.mark.parametrize("name", ["Cookie", "X-Account-ID", "Origin", "Authorization"])
    def test_a_huge_header_that_means_something_is_a_4xx(self, lite: House, name: str) -> None:
        answer = lite.app.test_client().post(
            "/api/projects",
            json={"name": "x"},
            environ_overrides={f"HTTP_{name.upper().replace('-', '_')}": self.HUGE},
        )

        assert 400 <= answer.status_code < 500
        refused(answer, answer.json["errors"]["internal_error_code"])

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/api/" + "a" * 1_000_000, 40401),
            ("/api/projects/" + "a" * 1_000_000, 40401),
            ("/api/projects?cursor=" + "a" * 1_000_000, 42201),
            ("/api/projects?" + "a" * 1_000_000, 42201),
            ("/api/%00", 40401),
            ("/api/%ff%fe", 40401),
            ("/api/../api/%2e%2e/etc/passwd", 40401),
            ("/api/projects/%0d%0aSet-Cookie:%20x=1", 40401),
        ],
    )
    def test_a_strange_address_is_a_4xx(self, solo: Person, path: str, code: int) -> None:
        refused(solo.get(path), code)

    @pytest.mark.parametrize("accept", ["*/*", "text/html"])
    @pytest.mark.parametrize("path", ["/", "/login", "/api/user", "/nowhere", "/static/app.css"])
    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "a b", "", "[::1", "localhost:x"]
    )
    def test_a_host_that_is_not_ours_is_refused_whoever_asks(
        self, lite: House, host: str, path: str, accept: str
    ) -> None:
        answer = lite.app.test_client().get(
            path, headers={"Accept": accept}, environ_overrides={"HTTP_HOST": host}
        )

        assert "evil" not in answer.get_data(as_text=True)
        refused(answer, 40002)

    def test_names_of_a_proxy_that_nobody_trusts_are_not_believed(self, lite: House) -> None:
        forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

        answer = lite.app.test_client().get("/settings", headers=forged)

        assert answer.location == "/login?next=%2Fsettings"
        assert "Strict-Transport-Security" not in answer.headers


class TestMethods:
    @pytest.mark.parametrize("method", ["PUT", "TRACE", "CONNECT", "PROPFIND", "X" * 1000])
    def test_a_method_without_a_meaning_is_a_405_that_lists_the_others(
        self, solo: Person, method: str
    ) -> None:
        answer = solo.client.open("/api/projects", method=method)

        refused(answer, 40501)
        assert {each.strip() for each in answer.headers["Allow"].split(",")} == {
            *("GET", "HEAD", "OPTIONS", "POST")
        }

    def test_every_address_lists_the_methods_it_has(self, lite: House) -> None:
        client = lite.app.test_client()
        for path in {route.path for route in ROUTES}:
            methods = {route.method for route in ROUTES if route.path == path} | {"OPTIONS"}
            methods |= {"HEAD"} if "GET" in methods else set()
            concrete = re.sub(r"<\w+>", str(uuid4()), path)
            for answer in (client.options(concrete), client.put(concrete)):
                allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
                assert allowed == methods, path
            assert answer.status_code == 405

    def test_head_answers_like_get_without_a_body(self, solo: Person) -> None:
        for route in API:
            if route.method == "GET" and "<" not in route.path:
                got, head = solo.get(route.path), solo.client.head(route.path)
                assert (head.status_code, head.data) == (got.status_code, b""), route.path
                assert head.headers["Content-Type"] == got.headers["Content-Type"]

    def test_asking_for_the_options_needs_no_sign_in_and_changes_nothing(self, lite: House) -> None:
        client = lite.app.test_client()

        with nothing_changes(lite):
            for route in ROUTES:
                answer = client.options(re.sub(r"<\w+>", str(uuid4()), route.path))
                assert (answer.status_code, answer.data) == (200, b"")


class TestForms:
    """Pages read forms by the same schemas; here only that nothing gets past them."""

    @pytest.mark.parametrize("mimetype", [None, JSON, "text/plain", "multipart/form-data"])
    def test_what_is_no_form_is_a_4xx_in_words(self, solo: Person, mimetype: str | None) -> None:
        answer = solo.client.post("/projects", data=b'{"name": "x"}', content_type=mimetype)

        assert 400 <= answer.status_code < 500
        assert answer.mimetype == "text/html"

    def test_ten_megabytes_and_two_hundred_parts_are_too_much(self, solo: Person) -> None:
        big = solo.client.post("/projects", data={"name": "a" * 10_000_000})
        parts = {f"field{number}": "x" for number in range(200)}
        mimetype = "multipart/form-data"
        many = solo.client.post("/projects", data=parts, content_type=mimetype)

        assert (big.status_code, many.status_code) == (413, 413)
        assert solo.get("/api/projects").json["data"] == []

    @pytest.mark.parametrize("field", ["name", "description"])
    def test_nul_in_a_form_is_refused_on_every_database(
        self, adas: list[tuple[House, Person]], field: str
    ) -> None:
        for house, ada in adas:
            with nothing_changes(house, ada):
                form = {"name": "x", field: "a\x00b"}
                assert ada.client.post("/projects", data=form).status_code == 422


class TestDatabaseAway:
    """503 with Retry-After while it is away, and everything again when it is back: no restart."""

    def test_everybody_is_told_to_come_again_and_can(self, house: House) -> None:
        with cuttable(house) as (app_house, cut, restore):
            ada = register(app_house)
            body = {"email": ada.email, "password": PASSWORD}
            cut()
            for _ in range(2):
                for answer in (
                    ada.get("/api/projects"),
                    ada.post("/api/projects", {"name": "lost"}),
                    ada.get("/api/session"),
                    app_house.app.test_client().post("/api/login", json=body),
                    app_house.app.test_client().get("/readyz"),
                ):
                    refused(answer, 50301)
                    assert int(answer.headers["Retry-After"]) >= 1
            page = ada.get("/projects")
            assert (page.status_code, page.mimetype) == (503, "text/html")
            assert app_house.app.test_client().get("/healthz").status_code == 200
            restore()

            assert ada.get("/readyz").status_code == 200
            assert ada.get("/api/projects").json["data"] == []
            assert ada.post("/api/projects", {"name": "Apollo"}).status_code == 201
            assert app_house.app.test_client().post("/api/login", json=body).status_code == 200

    def test_one_cut_between_two_requests_is_not_noticed(self, house: House) -> None:
        with cuttable(house) as (app_house, cut, restore):
            ada = register(app_house)
            ada.get("/api/session")  # both engines hold a connection now
            cut()
            restore()

            assert ada.get("/api/session").status_code == 200
            assert ada.post("/api/projects", {"name": "Apollo"}).status_code == 201


@pytest.mark.parametrize("route", API, ids=lambda route: f"{route.method} {route.path}")
def test_a_stranger_learns_nothing_by_sending_nonsense(lite: House, route: Route) -> None:
    """Who is not signed in is told so before a body is read or an id looked at."""
    if route.permission == PUBLIC:
        return
    assert route.permission == SIGNED_IN or route.permission.value
    path = re.sub(r"<\w+>", str(uuid4()), route.path)
    with nothing_changes(lite):
        for raw in (b"", b"{", b"[" * DEEP, b"a" * 2_000_000):
            answer = lite.app.test_client().open(path, method=route.method, data=raw)
            refused(answer, 40102)

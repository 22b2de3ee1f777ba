"""Cookies, headers and what an error of ours tells: on every kind of answer of the running app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError
from structlog.testing import capture_logs

from saas.services import project_services, session_services
from tests.house import House
from tests.people import PASSWORD, Person, fresh_email, register
from tests.refusals import nothing_changes, refused
from tests.variants import PRODUCTION, variant


@pytest.fixture
def production(lite: House) -> Iterator[House]:
    with variant(lite, **PRODUCTION) as house:
        yield house


class TestCookie:
    def attributes(self, answer: Any) -> set[str]:
        (cookie,) = answer.headers.getlist("Set-Cookie")
        name, *rest = cookie.split("; ")
        assert name.startswith("session=")
        return {each.split("=")[0] if each.startswith("Expires") else each for each in rest}

    def test_no_script_and_no_other_site_gets_it(self, lite: House, solo: Person) -> None:
        body = {"email": solo.email, "password": PASSWORD}

        answer = lite.app.test_client().post("/api/login", json=body)

        assert self.attributes(answer) == {"HttpOnly", "Path=/", "SameSite=Lax"}

    def test_in_production_it_goes_over_tls_only(self, lite: House, production: House) -> None:
        answer = production.app.test_client().post(
            "/api/register",
            json={"username": "ada", "email": fresh_email("ada"), "password": PASSWORD},
            base_url="https://app.example.com",
        )

        assert answer.status_code == 201
        expected = {"HttpOnly", "Path=/", "SameSite=Lax", "Secure", "Expires"}
        assert self.attributes(answer) == expected

    def test_remembered_it_lasts_as_long_as_the_session(self, solo: Person) -> None:
        body = {"email": solo.email, "password": PASSWORD, "remember": True}

        (cookie,) = solo.post("/api/login", body).headers.getlist("Set-Cookie")

        told = re.search("Expires=([^;]+)", cookie)
        assert told is not None
        left = parsedate_to_datetime(told[1]) - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < left <= timedelta(days=30)

    def test_signing_out_takes_it_away(self, solo: Person) -> None:
        answer = solo.post("/api/logout")

        (cookie,) = answer.headers.getlist("Set-Cookie")
        assert cookie.startswith("session=;")
        assert "Max-Age=0" in cookie
        assert solo.client.get_cookie("session") is None

    def test_only_answers_that_change_it_set_it(self, solo: Person) -> None:
        for path in ("/api/user", "/api/projects", "/", "/settings", "/healthz", "/nowhere"):
            assert "Set-Cookie" not in solo.get(path).headers, path


ANSWERS = [  # (status, method, path, options); every kind of answer there is
    (200, "GET", "/api/user", {}),
    (200, "GET", "/", {}),
    (200, "GET", "/settings", {}),
    (200, "GET", "/api/docs", {}),
    (200, "GET", "/openapi.json", {}),
    (200, "GET", "/healthz", {}),
    (200, "HEAD", "/api/projects", {}),
    (200, "OPTIONS", "/api/projects", {}),
    (201, "POST", "/api/projects", {"json": {"name": "Apollo"}}),
    (303, "POST", "/projects", {"data": {"name": "Gemini"}}),
    (400, "POST", "/api/projects", {"data": b"{", "content_type": "application/json"}),
    (400, "GET", "/", {"headers": {"Host": "evil.example"}}),
    (401, "POST", "/api/login", {"json": {"email": "x@example.com", "password": "x"}}),
    (403, "POST", "/api/projects", {"headers": {"Origin": "null"}}),
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/nowhere", {"headers": {"Accept": "text/html"}}),
    (404, "GET", "/admin", {}),
    (404, "GET", "/static/nothing.css", {}),
    (405, "PUT", "/api/projects", {}),
    (409, "GET", "/api/user", {"headers": {"X-Account-ID": "another"}}),
    (413, "POST", "/api/projects", {"data": b" " * 2_000_000, "content_type": "application/json"}),
    (415, "POST", "/api/projects", {"data": b"{}"}),
    (422, "POST", "/api/projects", {"json": {}}),
    (422, "POST", "/projects", {"data": {"name": ""}}),
]


class TestHeaders:
    def hold(self, answer: Any) -> None:
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"https?:", policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "Cookie" in headers["Vary"]
        assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])
        once = [name.lower() for name, _ in headers if name != "Set-Cookie"]
        assert len(once) == len(set(once))

    @pytest.mark.parametrize(("status", "method", "path", "options"), ANSWERS, ids=str)
    def test_every_answer_carries_the_strict_headers(
        self, solo: Person, status: int, method: str, path: str, options: dict[str, Any]
    ) -> None:
        answer = solo.client.open(path, method=method, **options)

        assert answer.status_code == status
        self.hold(answer)

    def test_so_do_those_of_our_faults(self, solo: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(project_services, "list_projects", None)

        for path in ("/api/projects", "/projects"):
            answer = solo.get(path)
            assert answer.status_code == 500
            self.hold(answer)

    def test_so_do_refusals_of_the_throttle(self, lite: House) -> None:
        with variant(lite, throttle_sign_in="1/minute") as strict:
            body = {"email": "x@example.com", "password": "x"}
            strict.app.test_client().post("/api/login", json=body)

            answer = strict.app.test_client().post("/api/login", json=body)

        assert answer.status_code == 429
        self.hold(answer)

    def test_files_are_not_taken_for_something_else_and_may_be_kept(self, lite: House) -> None:
        with lite.app.test_client().get("/static/app.css") as answer:
            assert answer.status_code == 200
            assert answer.mimetype == "text/css"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "no-store" not in answer.headers.get("Cache-Control", "")
            assert "Set-Cookie" not in answer.headers

    @pytest.mark.parametrize(
        "given", ["abcd1234", "A" * 64, "0f8fad5b-d9cb-469f-a165-70867728950e"]
    )
    def test_a_request_keeps_the_id_it_came_with(self, solo: Person, given: str) -> None:
        answer = solo.post("/api/projects", {"name": "x"}, headers={"X-Request-ID": given})

        assert answer.headers["X-Request-ID"] == given
        assert solo.events()[-1]["request_id"] == given

    @pytest.mark.parametrize("given", ["", "short", "a" * 65, "a b c d e f", "é" * 9, "<script>x"])
    def test_an_id_that_is_none_is_replaced(self, solo: Person, given: str) -> None:
        answer = solo.get("/api/projects", headers={"X-Request-ID": given})

        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])

    def test_over_tls_browsers_are_told_to_stay_there(self, production: House) -> None:
        client = production.app.test_client()

        secure = client.get("/healthz", base_url="https://app.example.com")
        plain = client.get("/healthz", base_url="http://app.example.com")

        assert "max-age=" in secure.headers["Strict-Transport-Security"]
        assert "Strict-Transport-Security" not in plain.headers

    def test_production_answers_to_its_own_name_only(self, production: House) -> None:
        refused(production.app.test_client().get("/api/user", base_url="https://localhost"), 40002)


class TestOurFaults:
    """A fault of ours is told by a sentence, a code and an id; the rest stands in the log."""

    SECRET = "SELECT password_hash FROM identities WHERE id = 'x'"

    def fail(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def raise_it(*args: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(project_services, "list_projects", raise_it)
        monkeypatch.setattr(project_services, "create_project", raise_it)

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (RuntimeError(SECRET), 50002),
            (KeyError(SECRET), 50002),
            (RecursionError(SECRET), 50002),
            (MemoryError(SECRET), 50002),
            (ProgrammingError(SECRET, {"id": SECRET}, Exception(SECRET)), 50001),
            (IntegrityError(SECRET, {"id": SECRET}, Exception(SECRET)), 50001),
        ],
        ids=lambda each: type(each).__name__,
    )
    def test_no_trace_and_no_sql_reaches_anybody(
        self,
        lite: House,
        solo: Person,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        code: int,
    ) -> None:
        self.fail(monkeypatch, error)

        with nothing_changes(lite, solo), capture_logs() as lines:
            listed = solo.get("/api/projects")
            created = solo.post("/api/projects", {"name": "x"})
            page = solo.get("/projects")

        refused(listed, code)
        refused(created, code)
        assert (page.status_code, page.mimetype) == (500, "text/html")
        for answer in (listed, created, page):
            text = answer.get_data(as_text=True)
            for word in ("SELECT", "password_hash", "Traceback", "File ", ".py", "Error:", "line "):
                assert word not in text
        assert str(code) in page.get_data(as_text=True)
        logged = [line for line in lines if line["log_level"] == "error"]
        assert [line["exc_info"] for line in logged] == [error] * 3

    def test_the_request_can_be_found_in_the_log(
        self, solo: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail(monkeypatch, RuntimeError("boom"))
        page = solo.get("/projects", headers={"X-Request-ID": "find-me-again"})

        assert "find-me-again" in page.get_data(as_text=True)

    def test_the_next_request_is_as_if_nothing_had_been(
        self, house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            self.fail(patch, RuntimeError("boom"))
            assert ada.get("/api/projects").status_code == 500

        assert ada.get("/api/projects").status_code == 200
        assert ada.post("/api/projects", {"name": "x"}).status_code == 201

    def test_a_fault_at_the_door_itself_is_told_the_same_way(
        self, solo: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any) -> None:
            raise RuntimeError(self.SECRET)

        monkeypatch.setattr(session_services, "find_actor", fail)

        refused(solo.get("/api/projects"), 50002)
        page = solo.get("/settings")
        assert page.status_code == 500
        assert "SELECT" not in page.get_data(as_text=True)


class TestWhoGetsWords:
    """The API always speaks JSON; people who ask for a page get words."""

    @pytest.mark.parametrize("accept", [None, "*/*", "text/html", "application/json"])
    @pytest.mark.parametrize(
        "path", ["/api", "/api/nowhere", "/api/projects/3f9c1a52-7d1e-4c59-9a40-0b1d2c3e4f50"]
    )
    def test_below_api_errors_are_json_whatever_is_accepted(
        self, lite: House, path: str, accept: str | None
    ) -> None:
        ada = register(lite)

        refused(ada.get(path, headers={"Accept": accept} if accept else {}), 40401)

    def test_elsewhere_a_browser_gets_a_page_and_a_program_json(self, lite: House) -> None:
        client = lite.app.test_client()

        page = client.get("/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})

        assert (page.status_code, page.mimetype) == (404, "text/html")
        refused(client.get("/nowhere", headers={"Accept": "application/json"}), 40401)

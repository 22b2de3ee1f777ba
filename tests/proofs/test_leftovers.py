"""What a request leaves on its thread: nothing, however it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from saas import database
from saas.models import Project
from tenants import TenantMissingError
from tests.house import House
from tests.proofs import unrestricted, visitors
from tests.proofs.visitors import Visitor
from tests.proofs.wsgi import Browser, leftovers

Act = Callable[[Visitor], Any]
ENDINGS: dict[str, Act] = {
    "succeeds": lambda v: v.get("/api/projects"),
    "changes something": lambda v: v.create("another"),
    "signs in again": lambda v: v.post(
        "/api/login", {"email": f"{v.mark}@example.com", "password": visitors.PASSWORD}
    ),
    "is a page": lambda v: v.get("/projects"),
    "finds nothing": lambda v: v.get(f"/api/projects/{UUID(int=7)}"),
    "is unknown": lambda v: v.get("/nowhere"),
    "has the wrong method": lambda v: v.browser.call("DELETE", "/api/projects"),
    "is not JSON": lambda v: v.post("/api/projects", b"{"),
    "is too large": lambda v: v.post("/api/projects", {"name": "x" * 2_000_000}),
    "is invalid": lambda v: v.post("/api/projects", {"name": ""}),
    "is taken": lambda v: v.create("first"),
    "comes from another site": lambda v: v.post(
        "/api/projects", {}, headers={"Sec-Fetch-Site": "cross-site"}
    ),
    "names another host": lambda v: v.get("/api/projects", headers={"Host": "evil.example"}),
    "shows another account": lambda v: v.get(
        "/api/projects", headers={"X-Account-ID": str(UUID(int=7))}
    ),
    "raises while reading": lambda v: v.get("/fault/raise"),
    "raises while writing": lambda v: v.post("/fault/raise", query=f"mark={v.mark}"),
    "is refused by the database": lambda v: v.post("/fault/statement", query=f"mark={v.mark}"),
    "streams": lambda v: v.get("/fault/stream"),
    "streams bare": lambda v: v.get("/fault/bare-stream"),
    "disconnects while streaming": lambda v: v.get("/fault/stream", unread=True),
    "disconnects before a bare stream": lambda v: v.get("/fault/bare-stream", unread=True),
}


@pytest.fixture
def two(faulty: House) -> tuple[Visitor, Visitor]:
    return visitors.register(faulty.app), visitors.register(faulty.app)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_serving_thread_keeps_nothing_of_a_request_that(
    ending: str, two: tuple[Visitor, Visitor]
) -> None:
    ada, gus = two

    def serve() -> tuple[dict[str, Any], bytes]:
        ENDINGS[ending](ada)
        return leftovers(), gus.get("/api/projects").raw

    with ThreadPoolExecutor(1) as thread:
        left, answer = thread.submit(serve).result()
    assert left == {}
    assert gus.mark.encode() in answer
    assert ada.mark.encode() not in answer


def test_a_worker_that_is_told_to_go_keeps_nothing(two: tuple[Visitor, Visitor]) -> None:
    ada, _ = two
    with suppress(SystemExit):
        ada.post("/fault/leave")
        pytest.fail("it should have gone")
    assert leftovers() == {}


def test_nothing_of_a_change_that_raised_is_stored(
    two: tuple[Visitor, Visitor], faulty: House
) -> None:
    ada, _ = two
    with unrestricted.looking(faulty.urls) as eye:
        before = unrestricted.rows(eye, "audit_events", account_id=ada.account_id)
        assert ada.post("/fault/raise", query=f"mark={ada.mark}").code == 50002
        assert ada.post("/fault/statement", query=f"mark={ada.mark}").code == 50001
        assert [
            row["name"] for row in unrestricted.rows(eye, "projects", account_id=ada.account_id)
        ] == [f"first {ada.mark}"]
        assert unrestricted.rows(eye, "audit_events", account_id=ada.account_id) == before


def test_a_stream_begins_without_an_account_and_enters_its_own(
    two: tuple[Visitor, Visitor],
) -> None:
    ada, _ = two
    told = ada.get("/fault/stream").raw.decode()
    assert told == f"None\n{ada.account_id} first {ada.mark}\nmore\n"


def test_a_stream_that_enters_no_account_reads_nothing(two: tuple[Visitor, Visitor]) -> None:
    ada, _ = two
    account, refusal = ada.get("/fault/bare-stream").raw.decode().split()
    assert account == "None"
    assert refusal in ("TenantMissingError", "RuntimeError")


def test_a_thread_started_by_a_request_has_no_account(two: tuple[Visitor, Visitor]) -> None:
    ada, _ = two
    assert ada.get("/fault/thread").json == {"data": ["TenantMissingError"]}


def test_a_new_thread_starts_without_an_account_and_can_do_nothing(house: House) -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(leftovers())
        for open_transaction in (database.reading, database.unit_of_work):
            try:
                with house.in_use(), open_transaction() as unit:
                    found.append(unit.session.query(Project).all())
            except TenantMissingError as error:
                found.append(type(error))

    with house.in_use():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [{}, TenantMissingError, TenantMissingError]


def test_a_cookie_that_names_another_account_enters_none(
    two: tuple[Visitor, Visitor], faulty: House
) -> None:
    ada, gus = two
    serializer = faulty.app.session_interface.get_signing_serializer(faulty.app)  # type: ignore[attr-defined]
    forged = Browser(faulty.app)
    for account_id, token in (
        (gus.account_id, ada.browser.token),
        (ada.account_id, gus.browser.token),
    ):
        forged.cookie = serializer.dumps({"_user_id": f"{account_id.hex}.{token}"})
        assert forged.call("GET", "/api/projects").code == 40102
        assert leftovers() == {}

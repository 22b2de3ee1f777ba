"""The database goes away and comes back: 503 in our one shape meanwhile, and nothing half written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from saas import database
from tests import databases, needs
from tests.house import House
from tests.notes import note
from tests.proofs import outage as outages
from tests.proofs import processes
from tests.proofs.outage import ALL_WELL, AWAY, Outage, everybody_busy, ledgers
from tests.proofs.wsgi import Browser

SERVERS = ("postgresql", "mariadb")
ENOUGH = 30  # connections killed
SLOW = 40  # seconds that a machine with much else to do may take for a few requests
BUSY_SECONDS = 0.6  # in place of half a minute


@pytest.fixture
def outage(backend: str, lite: House) -> Iterator[Outage]:
    try:
        with outages.outage(backend, lite, "away") as made:
            yield made
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


def check_killing(outage: Outage, seconds: float) -> None:
    books = ledgers(outage.app, 4)
    killed, began = 0, time.monotonic()
    with everybody_busy(books):
        while time.monotonic() < began + seconds or (
            killed < ENOUGH and time.monotonic() < began + SLOW
        ):
            killed += outage.kill_connections()
            time.sleep(0.05)
    outage.kill_connections()  # those that wait in the pool, too
    # Whose sign-in was cut off between the old session's end and the new one's cookie is signed out by now.
    assert [book.sign_in().status for book in books] == [200] * len(books)
    after = [book.round() for book in books]
    for book in books:
        book.check(outage.urls)
    answers = [status for book in books for status in book.answers]
    assert killed >= ENOUGH
    assert answers.count(503) > 0
    assert after == [ALL_WELL] * len(books), "it was back, and somebody was still turned away"
    note(
        "proof",
        f"away: {outage.urls.backend}: {killed:,} connections killed under {len(answers):,} requests: "
        f"{answers.count(503):,} times 503, 0 times 500, the next requests served; "
        f"{sum(len(book.done) for book in books):,} acknowledged changes all there",
    )


@pytest.mark.parametrize("backend", SERVERS)
def test_killed_connections_are_503_and_then_forgotten(outage: Outage) -> None:
    check_killing(outage, 3)


@pytest.mark.proof
@pytest.mark.parametrize("backend", SERVERS)
def test_connections_killed_for_a_minute_are_503_and_then_forgotten(outage: Outage) -> None:
    check_killing(outage, 60)


@pytest.mark.parametrize("backend", SERVERS)
def test_a_database_that_refuses_is_503_and_served_again_when_it_is_back(outage: Outage) -> None:
    (book,) = ledgers(outage.app, 1)
    assert outage.proxy is not None
    for _ in range(3):
        assert book.round() == ALL_WELL
        outage.proxy.refuse()
        assert book.round() == AWAY
        assert Browser(outage.app).call("GET", "/healthz").status == 200
        assert Browser(outage.app).call("GET", "/readyz").code == 50301
        outage.proxy.forward()
    assert book.round() == ALL_WELL
    assert book.slowest < SLOW
    book.check(outage.urls)


@pytest.mark.parametrize("backend", SERVERS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_connection_cut_at_commit_leaves_a_change_whole_or_absent(
    outage: Outage, after: bool
) -> None:
    (book,) = ledgers(outage.app, 1)
    assert outage.proxy is not None
    for number in range(1, 6):
        outage.proxy.cut_commit_of, outage.proxy.after = b"entry", after
        assert book.create().status == 503
        assert outage.proxy.cuts == number
        outage.proxy.forward()
        found = book.ask(lambda: book.visitor.get("/api/projects")).json["data"]
        assert (book.unknown[-1] in {row["name"] for row in found}) == after
        assert book.round() == ALL_WELL
    book.check(outage.urls)


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_server_that_became_read_only_still_answers_readers(outage: Outage) -> None:
    (book,) = ledgers(outage.app, 1)
    role = make_url(outage.urls.tenant_url).username
    outage.run(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    assert book.round() == [503, 200, 200, 503, 200]
    outage.run(f"ALTER ROLE {role} RESET default_transaction_read_only")
    assert book.round() == ALL_WELL
    book.check(outage.urls)


HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("free", flush=True)
"""


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_write_lock_held_too_long_is_503_for_writers_alone(
    backend: str, lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", BUSY_SECONDS)
    with outages.outage(backend, lite, "locked") as outage:
        (book,) = ledgers(outage.app, 1)
        file = make_url(outage.urls.tenant_url).database or ""
        holder = processes.piped(
            "-c", HOLD_THE_LOCK, file, environment=processes.bare_environment()
        )
        try:
            assert processes.hear(holder) == "held"
            assert book.round() == [503, 200, 200, 503, 200]
            assert book.slowest >= BUSY_SECONDS
            assert book.slowest < SLOW
            processes.say(holder, "let go")
            assert processes.hear(holder) == "free"
        finally:
            holder.communicate(timeout=processes.PATIENCE)
        assert book.round() == ALL_WELL
        book.check(outage.urls)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_cannot_be_opened_is_503_until_it_is_back(outage: Outage) -> None:
    (book,) = ledgers(outage.app, 1)
    file = Path(make_url(outage.urls.tenant_url).database or "")
    outage.app.extensions["database"].dispose()
    aside = file.rename(file.with_suffix(".aside"))
    file.mkdir()  # root may read every file, so one that nobody can open is a folder
    try:
        assert book.round() == AWAY
        assert book.visitor.get("/readyz").code == 50301
    finally:
        file.rmdir()
        aside.rename(file)
    assert book.round() == ALL_WELL
    book.check(outage.urls)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_is_no_database_is_503_until_it_is_mended(outage: Outage) -> None:
    (book,) = ledgers(outage.app, 1)
    file = Path(make_url(outage.urls.tenant_url).database or "")
    outage.app.extensions["database"].dispose()
    whole = file.read_bytes()
    file.write_bytes(b"nothing like a database " * 1000)
    assert book.round() == AWAY
    outage.app.extensions["database"].dispose()
    file.write_bytes(whole)
    assert book.round() == ALL_WELL
    book.check(outage.urls)

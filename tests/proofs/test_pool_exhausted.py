"""More requests than connections: who waits too long is told so, and nobody hangs or keeps anything."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from saas import database
from tests import databases, needs
from tests.house import House
from tests.notes import note
from tests.proofs import outage as outages
from tests.proofs import visitors
from tests.proofs.outage import ALL_WELL, AWAY, Outage, ledgers
from tests.proofs.visitors import Visitor
from tests.proofs.wsgi import Browser, leftovers

POOL_SECONDS = 0.4  # in place of five
SLOW = 20  # seconds that a machine with much else to do may take for one request
MOST = 20  # connections of one engine
CROWD = 80


@pytest.fixture
def outage(backend: str, lite: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    monkeypatch.setattr(database, "POOL_SECONDS", POOL_SECONDS)
    try:
        with outages.outage(backend, lite, "pool") as made:
            yield made
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


def hold_all(engine: Engine, stack: ExitStack) -> None:
    """Take every connection that the engine's pool can give."""
    for _ in range(MOST):
        stack.enter_context(engine.connect())
    assert engine.pool.checkedout() == MOST  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", databases.BACKENDS)
def test_no_connection_left_is_503_in_bounded_time(outage: Outage) -> None:
    (book,) = ledgers(outage.app, 1)
    house = outage.app.extensions["database"]
    with ExitStack() as stack:
        hold_all(house.tenant_engine, stack)
        assert book.round() == AWAY
    assert book.round() == ALL_WELL
    with ExitStack() as stack:
        hold_all(house.system_engine, stack)
        assert book.round() == [201, 200, 503, 503, 200]
    assert book.round() == ALL_WELL
    assert POOL_SECONDS <= book.slowest < SLOW
    book.check(outage.urls)


@pytest.mark.parametrize("backend", databases.BACKENDS)
def test_a_crowd_is_served_or_told_503_and_leaves_no_account_behind(outage: Outage) -> None:
    pair = [visitors.register(outage.app) for _ in range(2)]
    told: list[int] = []
    faults: list[object] = []
    barrier = threading.Barrier(CROWD)

    def ask(own: Visitor, other: Visitor) -> None:
        browser = Browser(outage.app)
        browser.cookie = own.browser.cookie
        barrier.wait()
        for path in ("/fault/sleep", "/api/session", "/fault/sleep"):
            answer = browser.call("GET", path, query="seconds=0.3")
            told.append(answer.status)
            if answer.status not in (200, 503) or other.mark.encode() in answer.raw or leftovers():
                faults.append((answer.status, answer.raw[:300], leftovers()))

    threads = [threading.Thread(target=ask, args=pair[:: 1 if n % 2 else -1]) for n in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "somebody hangs"
    assert faults == []
    answers = Counter(told)
    assert answers.total() == 3 * CROWD
    assert answers[200] > 0
    assert answers[503] > 0
    house = outage.app.extensions["database"]
    assert [engine.pool.checkedout() for engine in (house.tenant_engine, house.system_engine)] == [
        0,
        0,
    ]
    assert pair[0].get("/api/projects").status == 200
    note(
        "interleaving",
        f"pool: {outage.urls.backend}: {CROWD} clients at {MOST} connections: {answers[200]} served, "
        f"{answers[503]} told 503, 0 hung, 0 foreign, nothing left behind",
    )

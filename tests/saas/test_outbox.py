"""The outbox: with the commit or not at all, leased to one, tried again with growing pauses, given up visibly."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from saas import columns, database, errors, outbox
from saas.database import Database
from saas.models import OutboxItem
from tenants import enter_account
from tests.house import House
from tests.people import Person
from tests.refusals import look

_items = OutboxItem.__table__


class Clock:
    """The time that the outbox reads, moved by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return columns.utc_now() + self.ahead

    def go_on(self, by: timedelta) -> None:
        self.ahead += by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outbox, "utc_now", clock.now)
    return clock


@dataclass
class Bench:
    """A topic of its own in the outbox of a house, and what its handler was given."""

    house: House
    topic: str = field(default_factory=lambda: f"t{secrets.token_hex(8)}")
    done: list[dict[str, Any]] = field(default_factory=list)
    fails: Exception | None = None

    def handle(self, payload: dict[str, Any]) -> None:
        if self.fails:
            raise self.fails
        self.done.append(payload)

    def put(self, count: int = 1) -> None:
        for number in range(count):
            outbox.put_outside(self.house.database, self.topic, {"number": number, "token": "s3"})

    def work(self, most: int = 20, in_use: Database | None = None) -> int:
        handlers = {self.topic: self.handle}
        return outbox.work_once(in_use or self.house.database, handlers, most)

    def rows(self) -> list[Any]:
        of_topic = select(_items).where(_items.c.topic == self.topic)
        return look(self.house, of_topic.order_by(_items.c.id))


@pytest.fixture
def bench(house: House) -> Bench:
    return Bench(house)


def fail_after_putting(topic: str) -> None:
    with database.unit_of_work() as unit:
        outbox.put(unit, topic, {"number": 1})
        raise ZeroDivisionError


class TestPutting:
    def test_work_exists_with_the_commit_of_what_makes_it_necessary(
        self, ada: Person, bench: Bench
    ) -> None:
        with bench.house.in_use(), enter_account(ada.account_id):
            with database.unit_of_work() as unit:
                outbox.put(unit, bench.topic, {"number": 1})
                assert bench.rows() == []
            assert bench.work() == 1
        (row,) = bench.rows()
        assert (row.account_id, row.attempts, bench.done) == (ada.account_id, 0, [{"number": 1}])

    def test_work_of_a_transaction_that_fails_never_was(self, ada: Person, bench: Bench) -> None:
        with bench.house.in_use(), enter_account(ada.account_id):
            with pytest.raises(ZeroDivisionError):
                fail_after_putting(bench.topic)
            assert bench.work() == 0
        assert bench.rows() == []

    def test_a_database_that_is_away_is_told_as_such(self, tmp_path: Any) -> None:
        nowhere = Database(f"sqlite:///{tmp_path}/no/such/folder/x.db")

        with pytest.raises(errors.DatabaseAwayError):
            outbox.put_outside(nowhere, "t", {})
        with pytest.raises(errors.DatabaseAwayError):
            outbox.work_once(nowhere, {"t": print})


class TestDoing:
    def test_what_is_done_is_wiped_and_never_done_again(self, bench: Bench, clock: Clock) -> None:
        bench.put()

        assert bench.work() == 1
        clock.go_on(timedelta(days=30))
        assert bench.work() == 0

        (row,) = bench.rows()
        assert bench.done == [{"number": 0, "token": "s3"}]
        assert (row.payload, row.lease_until, row.last_error) == ({}, None, None)
        assert row.done_at is not None

    def test_it_is_done_in_the_order_in_which_it_was_put_some_at_a_time(self, bench: Bench) -> None:
        bench.put(5)

        assert [bench.work(most=2) for _ in range(4)] == [2, 2, 1, 0]
        assert [payload["number"] for payload in bench.done] == [0, 1, 2, 3, 4]

    def test_topics_of_others_are_left_alone(self, bench: Bench) -> None:
        bench.put()

        assert outbox.work_once(bench.house.database, {"another": print}) == 0
        assert bench.rows()[0].done_at is None

    def test_what_fails_waits_longer_each_time_and_then_succeeds(
        self, bench: Bench, clock: Clock
    ) -> None:
        bench.put()
        bench.fails = ConnectionRefusedError("nobody there")
        pauses = []
        for _ in range(4):
            assert bench.work() == 1
            waits = bench.rows()[0].not_before - clock.now()
            pauses.append(round(waits.total_seconds()))
            assert bench.work() == 0
            clock.go_on(waits)
        (row,) = bench.rows()
        assert pauses == [5, 10, 20, 40]
        assert (row.attempts, row.lease_until) == (4, None)
        assert row.last_error == "ConnectionRefusedError: nobody there"

        bench.fails = None
        clock.go_on(timedelta(seconds=1))
        assert bench.work() == 1
        assert bench.rows()[0].done_at is not None

    def test_pauses_grow_to_an_hour_and_the_end_is_told_and_counted_and_wiped(
        self, lite: House, clock: Clock
    ) -> None:
        bench = Bench(lite)
        bench.put()
        bench.fails = ValueError("x" * 1000)
        before = outbox.depth(bench.house.database)
        started, longest = clock.now(), timedelta(0)
        with capture_logs() as lines:
            while bench.work():
                row = bench.rows()[0]
                if row.given_up_at is None:
                    longest = max(longest, row.not_before - clock.now())
                    clock.go_on(row.not_before - clock.now() + timedelta(milliseconds=1))

        (row,) = bench.rows()
        assert (row.attempts, row.payload) == (outbox.MOST_ATTEMPTS, {})
        assert timedelta(minutes=59) < longest <= outbox.LONGEST_PAUSE
        assert timedelta(hours=12) < clock.now() - started < timedelta(days=2)
        assert len(row.last_error) == 300
        told = [line for line in lines if line["event"] == "outbox.given_up"]
        assert [(line["log_level"], line["id"]) for line in told] == [("error", str(row.id))]
        after = outbox.depth(bench.house.database)
        assert after["given_up"] == before["given_up"] + 1
        clock.go_on(timedelta(days=30))
        assert bench.work() == 0

    def test_an_audit_event_is_never_given_up(
        self, lite: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = Bench(lite)
        monkeypatch.setattr(outbox, "AUDIT", bench.topic)
        bench.put()
        bench.fails = ValueError("not now")
        for _ in range(2 * outbox.MOST_ATTEMPTS):
            bench.work()
            clock.go_on(outbox.LONGEST_PAUSE)
        (row,) = bench.rows()
        assert (row.given_up_at, row.attempts) == (None, 2 * outbox.MOST_ATTEMPTS)
        assert row.payload

        bench.fails = None
        bench.work()
        assert len(bench.done) == 1

    def test_one_that_fails_does_not_hold_up_the_others(self, bench: Bench) -> None:
        bench.put(3)

        def handle(payload: dict[str, Any]) -> None:
            if payload["number"] == 0:
                raise TimeoutError
            bench.done.append(payload)

        assert outbox.work_once(bench.house.database, {bench.topic: handle}) == 3
        assert [payload["number"] for payload in bench.done] == [1, 2]

    def test_depth_counts_what_waits(self, bench: Bench) -> None:
        before = outbox.depth(bench.house.database)["waiting"]
        bench.put(2)
        assert outbox.depth(bench.house.database)["waiting"] == before + 2
        bench.work()
        assert outbox.depth(bench.house.database)["waiting"] == before


@contextmanager
def another(house: House) -> Iterator[Database]:
    """The engines that another worker process would have."""
    own = Database(house.settings.database_url, house.settings.database_system_url)
    try:
        yield own
    finally:
        own.dispose()


class TestLeasing:
    def test_two_workers_never_have_the_same_piece(self, bench: Bench) -> None:
        """Four workers with connections of their own, all at once: each piece is done once."""
        bench.put(80)
        start = threading.Barrier(4)

        def run() -> int:
            with another(bench.house) as own:
                start.wait()
                tried = 0
                while done := bench.work(most=3, in_use=own):
                    tried += done
                return tried

        with ThreadPoolExecutor(4) as pool:
            tried = [future.result() for future in [pool.submit(run) for _ in range(4)]]
        assert sum(tried) == 80
        assert sorted(payload["number"] for payload in bench.done) == list(range(80))

    def test_what_a_dead_worker_had_is_free_again_when_its_lease_is_over(
        self, bench: Bench, clock: Clock
    ) -> None:
        bench.put(3)
        assert len(outbox._lease(bench.house.database, (bench.topic,), 2)) == 2  # and it dies

        assert (bench.work(), bench.work()) == (1, 0)
        clock.go_on(outbox.LEASE - timedelta(seconds=1))
        assert bench.work() == 0
        clock.go_on(timedelta(seconds=2))
        assert bench.work() == 2
        assert sorted(payload["number"] for payload in bench.done) == [0, 1, 2]

    def test_a_slow_piece_does_not_lose_the_lease_of_those_behind_it(
        self, bench: Bench, clock: Clock
    ) -> None:
        bench.put(3)
        stolen: list[int] = []

        def slow(payload: dict[str, Any]) -> None:
            bench.done.append(payload)
            clock.go_on(outbox.LEASE * 0.8)
            stolen.append(outbox.work_once(bench.house.database, {bench.topic: bench.handle}))

        assert outbox.work_once(bench.house.database, {bench.topic: slow}) == 3
        # Each lease was renewed when its turn came; the one that came too late for it another worker did.
        assert stolen == [0, 1]
        assert sorted(payload["number"] for payload in bench.done) == [0, 1, 2]
        assert all(row.done_at is not None for row in bench.rows())

    def test_a_piece_that_another_worker_took_over_is_left_to_it(
        self, bench: Bench, clock: Clock
    ) -> None:
        bench.put(2)

        def dawdle(payload: dict[str, Any]) -> None:
            bench.done.append(payload)
            clock.go_on(outbox.LEASE + timedelta(seconds=1))  # all that it leased is over
            assert bench.work() == 2  # another worker does both

        assert outbox.work_once(bench.house.database, {bench.topic: dawdle}) == 2
        # The one it was doing twice, which nobody can help; the one behind it once.
        assert sorted(payload["number"] for payload in bench.done) == [0, 0, 1]

    def test_a_late_failure_does_not_touch_what_another_worker_has_or_did(
        self, bench: Bench, clock: Clock
    ) -> None:
        bench.put()

        def fail_late(payload: dict[str, Any]) -> None:
            clock.go_on(outbox.LEASE + timedelta(seconds=1))
            assert bench.work() == 1
            raise TimeoutError

        assert outbox.work_once(bench.house.database, {bench.topic: fail_late}) == 1
        (row,) = bench.rows()
        assert (row.attempts, row.last_error, row.payload) == (0, None, {})
        assert row.done_at is not None

    def test_a_late_success_is_a_success(self, bench: Bench, clock: Clock) -> None:
        bench.put()

        def succeed_late(payload: dict[str, Any]) -> None:
            clock.go_on(outbox.LEASE + timedelta(seconds=1))
            bench.fails = TimeoutError()
            assert bench.work() == 1

        assert outbox.work_once(bench.house.database, {bench.topic: succeed_late}) == 1
        clock.go_on(timedelta(days=1))
        assert bench.work() == 0
        assert bench.rows()[0].done_at is not None

    def test_who_is_stopped_finishes_the_piece_at_hand_and_gives_the_rest_back(
        self, bench: Bench
    ) -> None:
        bench.put(3)
        stop = threading.Event()

        def handle(payload: dict[str, Any]) -> None:
            bench.done.append(payload)
            stop.set()

        handlers = {bench.topic: handle}
        assert outbox.work_once(bench.house.database, handlers, stopped=stop.is_set) == 1
        assert [row.lease_until for row in bench.rows()] == [None] * 3
        assert bench.work() == 2
        assert [payload["number"] for payload in bench.done] == [0, 1, 2]

    def test_no_transaction_is_open_while_a_piece_is_done(self, bench: Bench, ada: Person) -> None:
        """A slow mail server holds no connection and, on SQLite, nobody's writing."""
        bench.put()
        doing, go_on = threading.Event(), threading.Event()

        def slow(payload: dict[str, Any]) -> None:
            doing.set()
            assert go_on.wait(20)

        handlers: dict[str, Callable[[dict[str, Any]], None]] = {bench.topic: slow}
        thread = threading.Thread(
            target=outbox.work_once, args=(bench.house.database, handlers), daemon=True
        )
        thread.start()
        assert doing.wait(20)
        try:
            pool = bench.house.database.system_engine.pool
            assert pool.checkedout() == 0  # type: ignore[attr-defined]
            assert ada.post("/api/projects", {"name": "meanwhile"}).status_code == 201
        finally:
            go_on.set()
            thread.join()

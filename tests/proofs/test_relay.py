"""Eight writers, three destinations, each of them killed once, and the workers too: nothing is lost, in order.

Beside it, in the same run, a reader that goes on after the greatest id it saw, which is what most audit logs offer:
it loses events, because an id is made before its transaction commits. The relay goes by ``seq``.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, update

from saas import database
from saas.actor import system_actor
from saas.audit import lag, relay
from saas.audit.destinations.http_stream import HttpStream
from saas.audit.events import AuditEvent
from saas.audit.record import Target, record
from saas.columns import utc_now
from saas.models import AuditCursor, AuditEventRow
from saas.security import signing
from tenants import enter_account
from tests import databases, nats_server, needs, people
from tests.acts import done
from tests.house import House, Street
from tests.notes import note
from tests.proofs import processes, unrestricted
from tests.proofs.event_writers import IN_A_UNIT
from tests.proving import grows, sized
from tests.receiver import Got, receiving
from tests.refusals import change
from tests.relay import Relay as Wire
from tests.waiting import until

EVENTS = sized(20_000, 1_000_000)
KILLS = sized(1, 50)  # of each destination
PATIENCE = sized(100, 3000)  # seconds
THREADS, ACCOUNTS, WORKERS = 8, 4, 2
DOWN = 1.0  # seconds for which each destination is away
SECRET = signing.new_secret()
_events = AuditEventRow.__table__.c
Arrived = list[tuple[str | None, int, str]]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[House]:
    """A house of its own on PostgreSQL: the operator's destinations get what everybody does."""
    nats_server.need()
    street = Street(tmp_path, "relay")
    try:
        yield street.house("postgresql")
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)
    finally:
        street.close()


class Naive(Thread):
    """Reads what has a greater id than the greatest it saw, as a consumer of a plain table of events would."""

    def __init__(self, house: House) -> None:
        super().__init__(daemon=True)
        self.seen: set[UUID] = set()
        self._house, self._stop_it = house, Event()
        self._last = UUID(int=0)

    def look(self) -> int:
        newer = select(_events.id).where(_events.id > self._last).order_by(_events.id)
        with unrestricted.looking(self._house.urls) as eye:
            found = list(eye.scalars(newer.limit(10_000)))
        if found:
            self.seen |= set(found)
            self._last = found[-1]
        return len(found)

    def run(self) -> None:
        while not self._stop_it.wait(0.02):
            self.look()

    def end(self) -> None:
        self._stop_it.set()
        self.join()
        while self.look():
            pass


class Workers:
    """``flask worker``, several times, as processes that can be killed."""

    def __init__(self, house: House, directory: Path, **settings: str) -> None:
        var_dir = house.settings.var_dir
        self._environment = processes.environment(
            house.urls, var_dir, WEBHOOK_ALLOW_LOOPBACK="1", LOG_FORMAT="console", **settings
        )
        self._log = directory / "workers.log"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        for _ in range(WORKERS):
            own = processes.start("flask", "worker", environment=self._environment, log=self._log)
            self._running.append(own)

    def kill(self) -> None:
        """All at once, as a power cut does."""
        for each in self._running:
            each.send_signal(signal.SIGKILL)
            each.wait()
        self._running.clear()

    def stop(self) -> None:
        for each in self._running:
            processes.stop(each)
        self._running.clear()


def slim(got: Got) -> Any:
    """Of what arrives only the place in its chain is kept, not a million bodies."""
    event = orjson.loads(got.body)
    return event["account_id"], event["seq"], event["id"]


def of_jetstream(subject: str) -> Arrived:
    found = []
    for _, headers, body in nats_server.read(subject):
        event = orjson.loads(body)
        assert headers["Nats-Msg-Id"] == event["id"]
        found.append((event["account_id"], event["seq"], event["id"]))
    return found


def hold(arrived: Arrived, chains: dict[str | None, list[str]]) -> int:
    """Hold that each chain arrived whole and in order once duplicates are dropped; how many duplicates there were."""
    by_chain: dict[str | None, list[str]] = defaultdict(list)
    for account_id, _, event_id in arrived:
        by_chain[account_id].append(event_id)
    for account_id, ids in chains.items():
        assert list(dict.fromkeys(by_chain[account_id])) == ids, f"chain {account_id}"
    return len(arrived) - len({event_id for _, _, event_id in arrived})


def chains_of(house: House) -> dict[str | None, list[str]]:
    """The ids of every account's chain, in the order of seq."""
    found: dict[str | None, list[str]] = defaultdict(list)
    ordered = select(_events.account_id, _events.id).order_by(_events.account_id, _events.seq)
    with unrestricted.looking(house.urls) as eye:
        for account_id, event_id in eye.execute(ordered):
            found[str(account_id)].append(str(event_id))
    return dict(found)


def caught_up(house: House) -> bool:
    return all(line.events_behind == 0 for line in relay.lag(house.database))


class Scene:
    """Owners of a few accounts, three destinations, each in front of a way to kill it, and workers."""

    def __init__(self, house: House, directory: Path, stack: ExitStack) -> None:
        self.house = house
        self.owners = [people.register(house, f"owner{n}") for n in range(ACCOUNTS)]
        self.subject = f"tenantry_t_{secrets.token_hex(4)}.audit"
        stack.callback(nats_server.drop, self.subject)
        self.http, self.hook = (stack.enter_context(receiving(keep=slim)) for _ in range(2))
        self.wire = Wire.to(nats_server.url())
        stack.callback(self.wire.cut)
        done(self.owners[0].post("/api/webhooks", {"url": self.hook.url()}), 201)
        stack.callback(lag.configure, list(lag._configured))
        lag.configure(["nats", "http"])
        self.workers = Workers(
            house, directory,
            NATS_URL=f"nats://127.0.0.1:{self.wire.port}", AUDIT_NATS_SUBJECT=self.subject,
            AUDIT_WEBHOOK_URL=self.http.url(), AUDIT_WEBHOOK_SECRET=SECRET,
        )  # fmt: skip
        stack.callback(self.workers.stop)

    def writers(self) -> subprocess.Popen[str]:
        """Start the writers; they wait for a word."""
        accounts = json.dumps([str(owner.account_id) for owner in self.owners])
        what = ("-m", "tests.proofs.event_writers", self.house.urls.tenant_url, accounts)
        own = processes.environment(self.house.urls, self.house.settings.var_dir)
        started = processes.piped(*what, str(THREADS), str(EVENTS), environment=own)
        assert processes.hear(started) == "ready"
        return started

    def kill_each_destination(self) -> None:
        """One after the other, each for a while."""
        for destination in (self.http, self.hook):
            destination.stop()
            time.sleep(DOWN)
            destination.start()
        self.wire.cut()
        time.sleep(DOWN)
        self.wire.restore()

    def kill_the_workers(self) -> None:
        """All of them; their leases run out in a minute, and as nobody lives that minute is over now."""
        self.workers.kill()
        change(self.house, update(AuditCursor.__table__).values(lease_until=utc_now()))
        self.workers.start()

    def hold(self) -> tuple[int, list[int]]:
        """Hold that every destination has everything, in order; how many events, and duplicates of each."""
        chains, own = chains_of(self.house), str(self.owners[0].account_id)
        http: Arrived = self.http.got  # type: ignore[assignment]
        hook: Arrived = self.hook.got  # type: ignore[assignment]
        assert {account for account, _, _ in hook} == {own}
        twice = [
            hold(of_jetstream(self.subject), chains),
            hold(http, chains),
            hold(hook, {own: chains[own][hook[0][1] - 1 :]}),
        ]
        assert twice[0] == 0
        return sum(len(ids) for ids in chains.values()), twice


@grows
@pytest.mark.timeout(sized(1800, 7200))
def test_nothing_is_lost_whatever_is_killed(apart: House, tmp_path: Path) -> None:
    naive = Naive(apart)
    with ExitStack() as stack:
        scene = Scene(apart, tmp_path, stack)
        writers = scene.writers()
        scene.workers.start()
        naive.start()
        processes.say(writers, "go")
        begun = time.monotonic()
        until(lambda: min(len(scene.http.got), len(scene.hook.got)) > 100, PATIENCE)
        for _ in range(KILLS):
            scene.kill_each_destination()
        until(lambda: len(scene.http.got) > 500, PATIENCE)
        scene.kill_the_workers()
        out, err = writers.communicate(timeout=PATIENCE)
        assert (writers.returncode, err) == (0, "")
        until(lambda: caught_up(apart), PATIENCE)
        seconds = time.monotonic() - begun
        scene.workers.stop()
        naive.end()
        total, twice = scene.hold()

    assert total > sum(json.loads(out)) == EVENTS // THREADS // IN_A_UNIT * IN_A_UNIT * THREADS
    note(
        "proof",
        f"relay: {total:,} events by {THREADS} writers in {ACCOUNTS} accounts, {seconds:.0f} s: to NATS, an "
        f"address and a webhook, each killed {KILLS} times and the workers too: 0 lost, in order; duplicates, "
        f"removable by id: {twice}. A reader by id lost {total - len(naive.seen):,}",
    )


def record_one(house: House, account_id: UUID, label: str, meanwhile: Any = None) -> None:
    """Record one event; what is done meanwhile is done before its transaction commits."""
    actor, target = system_actor(account_id, "writer"), Target("project", label, label)
    with house.in_use(), enter_account(account_id), database.unit_of_work():
        record(AuditEvent.PROJECT_UPDATED, actor=actor, target=target)
        if meanwhile is not None:
            meanwhile()


def test_a_reader_by_id_loses_what_the_relay_delivers(apart: House) -> None:
    """The interleaving by hand: what was recorded first commits last."""
    ada, naive = people.register(apart, "ada"), Naive(apart)
    recorded, finish = Event(), Event()

    def hold_open() -> None:
        recorded.set()
        assert finish.wait(20)

    slow = Thread(target=record_one, args=(apart, ada.account_id, "slow", hold_open))
    with receiving() as there:
        to = HttpStream(there.url(), SECRET)
        slow.start()
        assert recorded.wait(20)
        record_one(apart, ada.account_id, "quick")
        naive.look()
        relay.work_once(apart.database, to)
        finish.set()
        slow.join()
        naive.look()
        relay.work_once(apart.database, to)
        to.close()

    ids = {event["target_label"]: UUID(event["id"]) for event in ada.events()[-2:]}
    assert list(ids) == ["quick", "slow"]
    assert ids["slow"] < ids["quick"]
    assert ids["quick"] in naive.seen
    assert ids["slow"] not in naive.seen, "the naive reader is to lose it: that is the contrast"
    assert [e for e in there.events() if e["account_id"] == str(ada.account_id)] == ada.events()

"""The relay: cursors, leases, order, and destinations that go and come back; NATS and an address of the operator's."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
import standardwebhooks
from sqlalchemy import select, update

from saas.audit import cursors, lag, relay
from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.destinations import Destination, Stream
from saas.audit.destinations.account_webhooks import AccountWebhooks
from saas.audit.destinations.http_stream import HttpStream
from saas.audit.destinations.jetstream import JetStream
from saas.columns import utc_now
from saas.models import AuditCursor
from saas.security import signing
from tests import nats_server, people, receiver
from tests.acts import done
from tests.house import House, Street, settings_for
from tests.people import Person
from tests.receiver import Receiver, receiving
from tests.refusals import change, look, superuser
from tests.relay import Relay as Wire

_cursors = AuditCursor.__table__.c
SECRET = signing.new_secret()


@pytest.fixture
def house(street: Street, backend: str) -> House:
    """The relay goes over every chain, so these are few."""
    return street.open(backend, "the relay")


@pytest.fixture(autouse=True)
def _destinations(house: House) -> Iterator[None]:
    """Cursors of destinations of all chains are the whole house's: each test begins without any."""
    with superuser(house) as connection:
        connection.execute(AuditCursor.__table__.delete().where(_cursors.destination != "webhooks"))
    before = list(lag._configured)
    yield
    lag.configure(before)


@pytest.fixture
def subject() -> Iterator[str]:
    nats_server.need()
    name = f"tenantry_t_{secrets.token_hex(4)}.audit"
    yield name
    nats_server.drop(name)


def due(house: House) -> None:
    """What was put off is due now."""
    later = _cursors.not_before.is_not(None)
    change(house, update(AuditCursor.__table__).where(later).values(not_before=utc_now()))


def work(house: House, destination: Destination) -> int:
    """Let a worker do what there is for a destination, and end it."""
    due(house)
    turns = relay.work_once(house.database, destination)
    destination.close()
    return turns


def projects(person: Person, count: int) -> list[str]:
    before = person.events()[-1]["seq"]
    for number in range(count):
        done(person.post("/api/projects", {"name": f"P{before}.{number}"}), 201)
    return [event["id"] for event in person.events() if event["seq"] > before]


def cursor_of(house: House, name: str, stream_id: UUID) -> Any:
    this = (_cursors.destination == name, _cursors.stream_id == stream_id)
    found = look(house, select(AuditCursor.__table__).where(*this))
    return found[0] if found else None


def of_account(events: list[dict[str, Any]], person: Person) -> list[dict[str, Any]]:
    return [event for event in events if event["account_id"] == str(person.account_id)]


def recomputed(events: list[dict[str, Any]]) -> None:
    """Hold that events are a chain, each once, in order, from the first."""
    from saas.audit import chain

    last = chain.GENESIS
    for number, event in enumerate(events, start=1):
        assert (event["seq"], event["prev"]) == (number, last)
        assert event["digest"] == chain.digest(event)
        last = event["hash"]
        assert last == chain.link(event["prev"], number, event["digest"])


class TestTheOperatorsAddress:
    def test_every_event_of_every_chain_arrives_once_in_order_and_verifies(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        projects(ada, 3)
        with receiving() as there:
            to = HttpStream(there.url(), SECRET)
            work(house, to)
            projects(gus, 2)
            work(house, to)

        for person in (ada, gus):
            arrived = of_account(there.events(), person)
            assert arrived == person.events()
            recomputed(arrived)
        recomputed([event for event in there.events() if event["account_id"] is None])
        for got in there.got[:20]:
            standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)
        assert there.connections == 2  # one for each time

    def test_it_may_be_internal_since_the_operator_chose_it(
        self, house: House, ada: Person
    ) -> None:
        from saas.security import egress

        egress.configure(allow_loopback=False)
        try:
            with receiving() as there:
                work(house, HttpStream(there.url(), SECRET))
        finally:
            egress.configure(allow_loopback=True)
        assert of_account(there.events(), ada)

    def test_while_it_is_down_nothing_is_lost_and_others_go_on(
        self, house: House, ada: Person
    ) -> None:
        with receiving() as down, receiving() as up:
            made = done(ada.post("/api/webhooks", {"url": up.url()}), 201)
            to = HttpStream(down.url(), SECRET)
            work(house, to)
            before = len(of_account(down.events(), ada))
            down.stop()
            ids = projects(ada, 3)
            work(house, to)
            failing = look(house, select(_cursors.attempts).where(_cursors.destination == "http"))
            assert max(row.attempts for row in failing) == 1
            work(house, AccountWebhooks())
            assert [event["id"] for event in up.events()[-3:]] == ids

            down.start()
            work(house, to)
            arrived = of_account(down.events(), ada)
            assert arrived == ada.events()
            assert [event["id"] for event in arrived[-3:]] == ids
            assert len(arrived) > before
            assert cursor_of(house, "http", ada.account_id).failing_since is None
            done(ada.delete(f"/api/webhooks/{made['id']}"))

    def test_an_event_that_is_refused_holds_its_own_chain_and_no_other(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        """A 400 is the answer to one event; a 503 is the destination's as a whole."""

        def picky(connection: Any, there: Receiver) -> bool:
            hers = there.got[-1].event["account_id"] == str(ada.account_id)
            receiver.say(
                connection,
                f"HTTP/1.1 {400 if hers else 200} Some\r\nContent-Length: 0\r\n\r\n",
            )
            return True

        with receiving(picky) as there:
            to = HttpStream(there.url(), SECRET)
            work(house, to)
            work(house, to)
        assert cursor_of(house, "http", ada.account_id).attempts == 2
        assert cursor_of(house, "http", ada.account_id).seq == 0
        assert cursor_of(house, "http", gus.account_id).seq == gus.events()[-1]["seq"]

    def test_what_one_account_brings_about_stops_no_other(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        """A fault that nobody thought of: the thread goes on, and so do the others."""

        class Poisoned(HttpStream):
            def open(self, stream: Stream) -> Any:
                if stream.account_id == ada.account_id:
                    raise LookupError("nobody thought of this")
                return super().open(stream)

        stop = Event()
        with receiving() as there:
            running = relay.Relay(house.database, [Poisoned(there.url(), SECRET)], stop)
            running.start()
            until = time.monotonic() + 20
            while len(of_account(there.events(), gus)) < len(gus.events()):
                assert time.monotonic() < until, "the relay has stopped"
                time.sleep(0.1)
            projects(gus, 1)
            while len(of_account(there.events(), gus)) < len(gus.events()):
                assert time.monotonic() < until, "the relay has stopped"
                time.sleep(0.1)
            stop.set()
            running.join()

        assert of_account(there.events(), ada) == []
        assert of_account(there.events(), gus) == gus.events()

    def test_a_password_in_the_address_is_in_no_log_line(
        self, house: House, ada: Person, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with receiving() as gone:
            url = f"http://u:hidden-word@127.0.0.1:{gone.port}/path"
        work(house, HttpStream(url, SECRET))

        assert "hidden-word" not in caplog.text
        (row, *_) = look(house, select(_cursors.last_error).where(_cursors.destination == "http"))
        assert row.last_error == "connection refused"


class TestJetStream:
    def test_events_are_read_back_in_order_with_subject_and_id(
        self, house: House, ada: Person, subject: str
    ) -> None:
        projects(ada, 3)
        to = JetStream(nats_server.url(), subject)
        work(house, to)

        stored = nats_server.read(subject)
        hers = [json.loads(body) for _, _, body in stored]
        assert of_account(hers, ada) == ada.events()
        recomputed(of_account(hers, ada))
        recomputed([event for event in hers if event["account_id"] is None])
        for told, headers, body in stored:
            event = json.loads(body)
            owner = event["account_id"] or "system"
            assert told == f"{subject}.{owner}.{event['action']}"
            assert headers["Nats-Msg-Id"] == event["id"]

    def test_what_is_sent_again_is_stored_once(
        self, house: House, ada: Person, subject: str
    ) -> None:
        to = JetStream(nats_server.url(), subject)
        work(house, to)
        count = len(nats_server.read(subject))
        assert cursors.rewind(house.database, "nats", [ada.account_id, SYSTEM_HEAD_ID], 0) == 2
        work(house, to)

        assert len(nats_server.read(subject)) == count
        assert cursor_of(house, "nats", ada.account_id).seq == ada.events()[-1]["seq"]

    def test_a_stream_that_is_there_is_used_as_it_is(
        self, house: House, ada: Person, subject: str
    ) -> None:
        import nats

        async def make() -> None:
            client = await nats.connect(nats_server.url())
            await client.jetstream().add_stream(
                name=f"own_{subject[:14]}", subjects=[f"{subject}.>"]
            )
            await client.close()

        nats_server.run(make())
        to = JetStream(nats_server.url(), subject)
        work(house, to)
        assert nats_server.read(subject)

    def test_while_it_is_away_nothing_is_lost_and_the_order_holds(
        self, house: House, ada: Person, subject: str
    ) -> None:
        wire = Wire.to(nats_server.url())
        to = JetStream(f"nats://127.0.0.1:{wire.port}", subject)
        work(house, to)
        wire.cut()
        ids = projects(ada, 3)
        begun = time.monotonic()
        work(house, to)
        assert time.monotonic() - begun < 15
        wire.restore()
        work(house, to)
        wire.cut()

        hers = of_account([json.loads(body) for _, _, body in nats_server.read(subject)], ada)
        assert hers == ada.events()
        assert [event["id"] for event in hers[-3:]] == ids

    def test_nobody_there_is_told_in_words_without_the_password(
        self, house: House, ada: Person
    ) -> None:
        with receiving() as gone:
            url = f"nats://u:hidden-word@127.0.0.1:{gone.port}"
        to = JetStream(url, "tenantry_t_none")
        work(house, to)

        (row, *_) = look(house, select(_cursors.last_error).where(_cursors.destination == "nats"))
        assert row.last_error
        assert "hidden-word" not in row.last_error


class TestCursors:
    def hers(self, ada: Person) -> Stream:
        return Stream(ada.account_id, ada.account_id)

    def test_one_worker_holds_a_cursor_and_the_other_waits(self, house: House, ada: Person) -> None:
        held = cursors.hold(house.database, "http", self.hers(ada))
        assert held is not None
        assert cursors.hold(house.database, "http", self.hers(ada)) is None
        assert cursors.hold(house.database, "nats", self.hers(ada)) is not None
        cursors.let_go(house.database, held)
        assert cursors.hold(house.database, "http", self.hers(ada)) is not None

    def test_a_dead_worker_s_lease_runs_out_and_it_can_move_nothing_then(
        self, house: House, ada: Person
    ) -> None:
        dead = cursors.hold(house.database, "http", self.hers(ada))
        assert dead is not None
        table = AuditCursor.__table__
        past = utc_now() - timedelta(seconds=1)
        change(house, update(table).where(_cursors.destination == "http").values(lease_until=past))
        heir = cursors.hold(house.database, "http", self.hers(ada))

        assert heir is not None
        assert cursors.move(house.database, dead, 3) is None
        cursors.put_off(house.database, dead, "late", 1, 1)
        moved = cursors.move(house.database, heir, 2)
        assert moved is not None
        row = cursor_of(house, "http", ada.account_id)
        assert (row.seq, row.attempts, row.lease_until) == (2, 0, moved.lease_until)

    def test_a_rewind_takes_it_from_whoever_holds_it_and_never_goes_forward(
        self, house: House, ada: Person
    ) -> None:
        held = cursors.hold(house.database, "http", self.hers(ada))
        assert held is not None
        held = cursors.move(house.database, held, 5)
        assert held is not None
        assert cursors.rewind(house.database, "http", [ada.account_id], 9) == 0
        assert cursors.rewind(house.database, "http", [ada.account_id], 2) == 1
        assert cursors.move(house.database, held, 6) is None
        assert cursor_of(house, "http", ada.account_id).seq == 2

    def test_pauses_double_up_to_the_longest(self, house: House, ada: Person) -> None:
        pauses = []
        for _ in range(6):
            held = cursors.hold(house.database, "http", self.hers(ada))
            assert held is not None
            cursors.put_off(house.database, held, "away", 1.0, 8.0)
            row = cursor_of(house, "http", ada.account_id)
            pauses.append((row.not_before - row.updated_at).total_seconds())
            assert cursors.hold(house.database, "http", self.hers(ada)) is None
            due(house)
        for pause, expected in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
            assert 0.75 * expected < pause < 1.25 * expected

    def test_several_workers_at_once_keep_the_order_and_send_nothing_twice(
        self, house: House, ada: Person
    ) -> None:
        stop = Event()
        with receiving() as there:
            workers = [
                relay.Relay(house.database, [HttpStream(there.url(), SECRET)], stop)
                for _ in range(3)
            ]
            for each in workers:
                each.start()
            try:
                ids = projects(ada, 30)
                until = time.monotonic() + 20
                while ids[-1] not in [got.headers["webhook-id"] for got in there.got]:
                    assert time.monotonic() < until, "waited for nothing"
                    time.sleep(0.05)
            finally:
                stop.set()
                for each in workers:
                    each.join()
            assert of_account(there.events(), ada) == ada.events()


class TestLag:
    def test_it_counts_what_is_behind_and_how_old_that_is(self, house: House, ada: Person) -> None:
        lag.configure(["http"])
        with receiving() as there:
            to = HttpStream(there.url(), SECRET)
            work(house, to)
            assert relay.lag(house.database)[0] == ("http", 0, 0.0)
            ids = projects(ada, 3)
            behind = relay.lag(house.database)[0]
            assert (behind.destination, behind.events_behind) == ("http", 3)
            assert 0 < behind.seconds_behind < 30
            work(house, to)
            assert relay.lag(house.database)[0] == ("http", 0, 0.0)
            assert ids

    def test_webhooks_of_accounts_are_one_line(self, house: House, ada: Person) -> None:
        lag.configure([])
        with receiving() as there:
            before = relay.lag(house.database)[-1].events_behind
            done(ada.post("/api/webhooks", {"url": there.url()}), 201)
            projects(ada, 2)
            assert relay.lag(house.database)[-1].events_behind == before + 3

    def test_the_slowest_says_what_may_be_removed(self, house: House, ada: Person) -> None:
        def slowest(account_id: UUID | None) -> int | None:
            with house.database.system_engine.connect() as connection:
                return relay.slowest_seq(connection, account_id)

        lag.configure([])
        assert slowest(ada.account_id) is None
        assert slowest(None) is None
        lag.configure(["http", "nats"])
        assert slowest(ada.account_id) == slowest(None) == 0
        with receiving() as there:
            work(house, HttpStream(there.url(), SECRET))
            lag.configure(["http"])
            assert slowest(ada.account_id) == ada.events()[-1]["seq"]
            made = done(ada.post("/api/webhooks", {"url": there.url()}), 201)
            start = ada.events()[-2]["seq"]
            assert slowest(ada.account_id) == start
            lag.configure([])
            assert slowest(ada.account_id) == start
            work(house, AccountWebhooks())
            assert slowest(ada.account_id) == start + 1
            done(ada.patch(f"/api/webhooks/{made['id']}", {"status": "disabled"}))
            assert slowest(ada.account_id) is None


class TestCommands:
    @pytest.fixture
    def pushing(self, house: House) -> Iterator[tuple[Any, Receiver]]:
        """The command line of a house whose settings name an address of the operator's."""
        from tests.variants import variant

        with receiving() as there:
            more = {"audit_webhook_url": there.url(), "audit_webhook_secret": SECRET}
            with variant(house, **more) as own:
                yield own.app.test_cli_runner(), there

    def test_the_worker_pushes_and_status_and_rewind_tell_and_resend(
        self, house: House, ada: Person, pushing: Any
    ) -> None:
        run, there = pushing
        behind = json.loads(run.invoke(args=["relay", "status", "--json"]).stdout)
        assert behind[0]["destination"] == "http"
        assert behind[0]["events_behind"] > 0
        assert run.invoke(args=["worker", "--once"]).exit_code == 0
        assert of_account(there.events(), ada) == ada.events()
        status = json.loads(run.invoke(args=["relay", "status", "--json"]).stdout)
        assert (status[0]["events_behind"], status[0]["failing"]) == (0, 0)

        there.got.clear()
        args = ["relay", "rewind", "http", "--account", str(ada.account_id), "--to", "2"]
        told = run.invoke(args=args)
        assert (told.exit_code, "1 set back to 2" in told.output) == (0, True)
        assert run.invoke(args=["worker", "--once"]).exit_code == 0
        assert there.events() == ada.events()[2:]

    def test_what_makes_no_sense_is_refused(self, house: House, ada: Person, pushing: Any) -> None:
        run, _ = pushing
        for args, code in (
            (["rewind", "nats", "--to", "0"], 2),
            (["rewind", "webhook:x", "--to", "0"], 2),
            (["rewind", "http", "--to", "-1"], 2),
            (["rewind", "http"], 2),
            (["rewind", "http", "--account", str(ada.account_id), "--to", "999999"], 1),
            (["rewind", "http", "--account", "nobody has this name", "--to", "0"], 1),
        ):
            assert run.invoke(args=["relay", *args]).exit_code == code, args


class TestSettings:
    @pytest.mark.parametrize("secret", ["", "x", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ="])
    def test_an_address_without_a_good_secret_does_not_start(
        self, lite: House, secret: str
    ) -> None:
        from config.settings import SettingsError

        with pytest.raises(SettingsError, match="AUDIT_WEBHOOK_SECRET"):
            settings_for(
                lite.urls,
                lite.settings.var_dir,
                audit_webhook_url="https://siem.example.com/",
                audit_webhook_secret=secret,
            )

    def test_the_documented_settings_of_nats_are_read(self, lite: House) -> None:
        from tests import docs_runner

        page = (docs_runner.ROOT / "docs/operating.md").read_text("utf-8")
        lines = docs_runner.named(page, "nats").splitlines()
        told = dict(line.lower().split("=", 1) for line in lines)
        chosen = settings_for(lite.urls, lite.settings.var_dir, **told)
        assert (chosen.nats_url, chosen.audit_nats_subject) == (
            "nats://127.0.0.1:4222",
            "tenantry.audit",
        )

    def test_loopback_is_never_for_production(self, lite: House) -> None:
        from config.settings import problems

        chosen = lite.settings
        assert chosen.webhook_allow_loopback
        named = {each.variable for each in problems(chosen, production=True)}
        assert "WEBHOOK_ALLOW_LOOPBACK" in named


def test_only_a_sweep_finds_what_the_newest_ids_do_not_show(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that took longer than the overlap: its ids are older than the last look."""
    ada = people.register(house)
    with receiving() as there:
        to = HttpStream(there.url(), SECRET)
        post = relay._Post(house.database, to, Event())
        with house.in_use():
            assert post.look(sweep=True)
            work(house, to)
            later = utc_now() + timedelta(hours=1)
            projects(ada, 1)
            monkeypatch.setattr(post, "_looked", later)
            assert post.look(sweep=False) == []
            assert [stream.id for stream in post.look(sweep=True)] == [ada.account_id]

"""The worker: as a command, as a thread, many at once, and what a kill leaves behind."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs
from uuid_utils.compat import uuid7

from config import worker
from saas import errors, outbox
from saas.columns import utc_now
from saas.mail import messages
from saas.models import OutboxItem
from saas.services import mail_token_services, webhook_services
from tests import databases, mail, needs
from tests.house import House, Street
from tests.notes import note
from tests.people import fresh_email
from tests.proofs import processes
from tests.refusals import change, look, superuser
from tests.saas.mail.server import MailServer, Taken
from tests.waiting import until

FEW, MANY = 200, 2000
WORKERS = 4
_items = OutboxItem.__table__


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.close()


def put(house: House, count: int) -> set[str]:
    """Put mails into the outbox, each to an address of its own; returns the addresses."""
    now = utc_now()
    mails = [messages.payload("reset", fresh_email("x"), token="t") for _ in range(count)]
    row = {"topic": messages.TOPIC, "created_at": now, "not_before": now, "attempts": 0}
    with superuser(house) as connection:
        connection.execute(insert(_items), [row | {"id": uuid7(), "payload": p} for p in mails])
    return {payload["to"] for payload in mails}


def waiting(house: House, sent: set[str]) -> list[Any]:
    """Return what still waits of the mails that a test has put there."""
    columns = (_items.c.payload, _items.c.lease_until)
    rows = look(house, select(*columns).where(_items.c.done_at.is_(None)))
    return [row for row in rows if row.payload.get("to") in sent]


def arrived(server: MailServer, sent: set[str]) -> list[Taken]:
    return [taken for taken in server.taken if taken.recipients[0] in sent]


def start(house: House, server: MailServer, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start ``flask worker`` as a process of its own."""
    own = processes.environment(house.urls, house.settings.var_dir, MAIL_URL=server.url)
    return processes.start("flask", "worker", *arguments, environment=own, log=log)


class TestRunning:
    def test_whatever_is_put_into_the_outbox_has_its_handler(self, lite: House) -> None:
        assert worker.handlers(lite.settings).keys() == {
            outbox.AUDIT,
            messages.TOPIC,
            mail_token_services.FORGOT,
            webhook_services.TEST,
        }

    def test_mail_goes_into_files_or_where_the_setting_says(
        self, lite: House, server: MailServer
    ) -> None:
        (to_file,) = put(lite, 1)
        assert len(mail.received(lite, to_file)) == 1
        by_smtp = lite.settings.model_copy(update={"mail_url": server.url})
        (to_server,) = put(lite, 1)
        assert worker.run(by_smtp, lite.database, threading.Event(), until_idle=True) == 1
        assert [taken.recipients for taken in server.taken] == [(to_server,)]

    def test_a_database_that_is_away_is_waited_for(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (to,) = put(lite, 1)
        monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
        stop, real, tries = threading.Event(), outbox.work_once, []

        def away_twice(*arguments: Any, **options: Any) -> int:
            tries.append(1)
            if len(tries) < 3:
                raise errors.DatabaseAwayError
            done = real(*arguments, **options)
            if not done:
                stop.set()
            return done

        monkeypatch.setattr(outbox, "work_once", away_twice)
        with capture_logs() as lines:
            assert worker.run(lite.settings, lite.database, stop) >= 1
        told = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert told == ["worker waits for the database"] * 2
        assert len(mail.received(lite, to)) == 1

    def test_a_thread_of_the_process_does_the_work_until_it_is_stopped(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
        stop = worker.start_thread(lite.app)
        try:
            sent = put(lite, 3)
            until(lambda: not waiting(lite, sent))
        finally:
            stop.set()
        until(lambda: "worker" not in {thread.name for thread in threading.enumerate()})


class TestCommand:
    def test_once_does_what_is_due_and_says_how_much(
        self, lite: House, server: MailServer, tmp_path: Path
    ) -> None:
        mail.work(lite)
        sent = put(lite, 3)
        process = start(lite, server, tmp_path / "log", "--once")

        assert process.wait(processes.PATIENCE) == 0
        assert "3 done or put off." in (tmp_path / "log").read_text()
        assert {taken.recipients[0] for taken in arrived(server, sent)} == sent

    def test_asked_to_go_it_finishes_the_mail_at_hand_and_gives_the_rest_back(
        self, lite: House, server: MailServer, tmp_path: Path
    ) -> None:
        mail.work(lite)
        sent, server.pause = put(lite, 10), 0.1
        process = start(lite, server, tmp_path / "log")
        until(lambda: bool(arrived(server, sent)))
        process.send_signal(signal.SIGTERM)

        assert process.wait(processes.PATIENCE) == 0
        came, left = arrived(server, sent), waiting(lite, sent)
        assert 1 <= len(came) <= 2
        assert len(left) == 10 - len(came)
        assert {row.lease_until for row in left} == {None}
        mail.work(lite)


class Crew:
    """Four worker processes, each with a mail server of its own, so that it shows who sent what."""

    def __init__(self, stack: ExitStack, house: House, log: Path) -> None:
        self.house, self.log, self.stack = house, log, stack
        self.servers = [MailServer() for _ in range(WORKERS)]
        self.running: list[subprocess.Popen[bytes]] = []
        for server in self.servers:
            server.start()
            stack.callback(server.close)
            server.pause = 0.002

    def start(self) -> None:
        for server in self.servers:
            process = start(self.house, server, self.log, "--once")
            self.stack.callback(processes.stop, process)
            self.running.append(process)

    def taken(self, sent: set[str]) -> list[list[Taken]]:
        """Return what each worker has delivered of what a test has put there."""
        return [arrived(server, sent) for server in self.servers]

    def kill_one_at_work(self) -> None:
        """Kill a worker that is in the middle of its batch."""
        alive = [n for n, process in enumerate(self.running) if process.poll() is None]
        seen = {n: len(self.servers[n].taken) for n in alive}
        until(lambda: any(len(self.servers[n].taken) >= seen[n] + 5 for n in alive))
        self.running[next(n for n in alive if len(self.servers[n].taken) >= seen[n] + 5)].kill()


def check_delivery(house: House, log: Path, count: int, *, kills: int) -> None:
    """Let four processes deliver mails and kill some of them: nothing is lost, and hardly anything comes twice."""
    mail.work(house)
    sent = put(house, count)
    with ExitStack() as stack:
        crew = Crew(stack, house, log)
        crew.start()
        for _ in range(kills):
            crew.kill_one_at_work()
        ends = Counter(process.wait(300) for process in crew.running)
        assert ends == Counter({0: WORKERS - kills, -signal.SIGKILL: kills})
        if kills:
            finish_for_the_dead(house, crew, sent, kills)
        taken = crew.taken(sent)
    times = Counter(each.id for part in taken for each in part)
    twice = sum(times.values()) - count
    assert waiting(house, sent) == []
    assert {each.recipients[0] for part in taken for each in part} == sent
    assert len(times) == count
    assert twice <= kills  # the one that a killed worker had in hand
    note(
        "proof",
        f"mail: {house.backend}: {WORKERS} processes ({'/'.join(str(len(p)) for p in taken)} mails), "
        f"{kills} killed with -9: {count} arrived, 0 lost, {twice} sent twice",
    )


def finish_for_the_dead(house: House, crew: Crew, sent: set[str], kills: int) -> None:
    """Do what the dead had leased: free when the lease is over, for which nobody waits here."""
    assert len(waiting(house, sent)) <= 20 * kills
    change(house, update(_items).values(lease_until=utc_now() - timedelta(seconds=1)))
    last = house.settings.model_copy(update={"mail_url": crew.servers[0].url})
    worker.run(last, house.database, threading.Event(), until_idle=True)


class TestManyWorkers:
    def test_four_lose_nothing_and_send_nothing_twice_but_what_a_killed_one_had_in_hand(
        self, street: Street, tmp_path: Path
    ) -> None:
        try:
            house = street.house("postgresql")
        except databases.DatabaseMissingError as error:
            needs.skip_or_fail(error)
        check_delivery(house, tmp_path / "log", FEW, kills=1)

    @pytest.mark.proof
    @pytest.mark.parametrize("kills", [0, 2])
    def test_four_deliver_two_thousand_mails(
        self, house: House, tmp_path: Path, kills: int
    ) -> None:
        check_delivery(house, tmp_path / "log", MANY, kills=kills)

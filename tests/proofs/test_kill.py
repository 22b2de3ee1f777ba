"""kill -9 of the server under load: what was acknowledged is there, each change with exactly one event."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from saas.audit.reading import Chain
from saas.audit.verify import Verdict
from saas.models import AuditEventRow, Project
from tests.house import House
from tests.people import Person, register
from tests.proofs import processes
from tests.proving import grows, sized
from tests.refusals import look, superuser

KILLS = sized(5, 1000)
CLIENTS = 4
UNDER_LOAD = 0.7  # seconds between the first answer and the kill


@contextmanager
def serving(environment: dict[str, str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    told = environment | {"PORT": str(port), "WEB_CONCURRENCY": "2"}
    process = processes.start("flask", "serve", environment=told, log=log)
    try:
        processes.wait_until_served(port, process, log)
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the server and of each of its workers, by their ids."""
    if process.poll() is not None:
        return
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    process.wait()


class Ledger:
    """What was sent and what was acknowledged, by name, written by clients that outlive the server."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        self.port, self.cookies = port, cookies
        self.sent: list[str] = []
        self.acknowledged: dict[str, str] = {}  # name → id
        self.stop = threading.Event()

    def write(self, client: int) -> None:
        """Make projects until told to stop; a connection that dies tells nothing."""
        number = 0
        while not self.stop.is_set():
            number += 1
            name = f"{time.monotonic_ns()}-{client}-{number}"
            self.sent.append(name)
            try:
                made = self._post(client, {"name": name})
            except (OSError, HTTPException):
                time.sleep(0.02)
                continue
            if made is not None:
                self.acknowledged[name] = made

    def _post(self, client: int, body: dict[str, str]) -> str | None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            cookie = self.cookies[client % len(self.cookies)]
            headers = {"Cookie": f"session={cookie}", "Content-Type": "application/json"}
            connection.request("POST", "/api/projects", orjson.dumps(body), headers)
            answer = connection.getresponse()
            raw = answer.read()
            return orjson.loads(raw)["data"]["id"] if answer.status == 201 else None
        finally:
            connection.close()


def run(house: House, people: list[Person], port: int, log: Path) -> Ledger:
    """Serve, write, kill, KILLS times over; the ledger of it all."""
    cookies: list[Any] = [person.client.get_cookie("session") for person in people]
    ledger = Ledger(port, [cookie.value for cookie in cookies])
    environment = processes.environment(house.urls, house.settings.var_dir)
    writers = [threading.Thread(target=ledger.write, args=(n,)) for n in range(CLIENTS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(KILLS):
            before = len(ledger.acknowledged)
            with serving(environment, port, log) as process:
                until = time.monotonic() + processes.PATIENCE
                while len(ledger.acknowledged) == before and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(UNDER_LOAD)
                kill(process)
    finally:
        ledger.stop.set()
        for writer in writers:
            writer.join()
    return ledger


@grows
@pytest.mark.timeout(sized(300, 7200))
def test_what_was_acknowledged_has_exactly_one_event(on_postgresql: House, tmp_path: Path) -> None:
    house = on_postgresql
    people = [register(house, "ada"), register(house, "gus")]
    ledger = run(house, people, processes.free_port(), tmp_path / "server.log")

    assert len(ledger.acknowledged) > KILLS * 10
    projects, events = Project.__table__.c, AuditEventRow.__table__.c
    mine = [person.account_id for person in people]
    stored = {
        str(row.id): row.name
        for row in look(
            house, select(projects.id, projects.name).where(projects.account_id.in_(mine))
        )
    }
    told = look(
        house,
        select(events.target_id, events.target_label, events.account_id, events.seq).where(
            events.account_id.in_(mine), events.action == "project.created"
        ),
    )
    lost = {name for name, made in ledger.acknowledged.items() if stored.get(made) != name}
    assert not lost
    assert Counter(row.target_id for row in told) == Counter(
        stored.keys()
    )  # one each: none missing, no orphan
    assert set(stored.values()) <= set(ledger.sent)
    with superuser(house) as connection:
        for account_id in mine:
            report = Chain(account_id).verify(lambda s, p: connection.execute(s, p).all())
            assert (report.verdict, report.finding) == (Verdict.GOOD, None)
            assert report.events == report.last_seq

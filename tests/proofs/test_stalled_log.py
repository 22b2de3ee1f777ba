"""Nobody reads the log for a while, then nobody at all: requests go on, what is dropped is counted, nothing is lost."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.command_line import runner
from tests.house import House
from tests.people import Person, register
from tests.proofs import processes
from tests.proving import grows, sized

STALL = sized(10, 600)  # seconds
QUIET = 3
# What `flask serve` tells people outside production.
BANNER = re.compile(rb"\n|Tenantry is at home:\n|  \w[\w ]+ +http://\S+\n|Stop it with Ctrl-C\.\n")
PIPE = 4096  # bytes; as little as a pipe can hold


class Server:
    """``flask serve`` whose standard output is a pipe that we read, or do not."""

    def __init__(self, house: House, tmp_path: Path) -> None:
        self.port = processes.free_port()
        environment = processes.environment(
            house.urls,
            house.settings.var_dir,
            PORT=str(self.port),
        )
        self.reads = threading.Event()
        self.reads.set()
        self.ends = threading.Event()
        self.lines: list[bytes] = []
        errors = tmp_path / "stderr"
        with errors.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", "serve"],
                cwd=processes.ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=file,
            )
        assert self.process.stdout is not None
        fcntl.fcntl(self.process.stdout.fileno(), 1031, PIPE)  # F_SETPIPE_SZ
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        processes.wait_until_served(self.port, self.process, errors)

    def _read(self) -> None:
        assert self.process.stdout is not None
        while not self.ends.is_set():
            if not self.reads.wait(0.1):
                continue
            line = self.process.stdout.readline()
            if not line:
                return
            self.lines.append(line)

    def close(self) -> None:
        self.reads.set()
        processes.stop(self.process)
        self.ends.set()
        self.reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def dropped(self) -> float:
        text = self.ask("GET", "/metrics")[1].decode()
        return next(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "tenantry_log_lines_dropped_total"
        )

    def ask(self, method: str, path: str, cookie: str = "", body: Any = None) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"Cookie": f"session={cookie}", "Content-Type": "application/json"}
            connection.request(method, path, orjson.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def load(server: Server, cookie: str, goes_on: Callable[[], bool], names: list[str]) -> list[float]:
    """Make projects and look at pages that do not exist, one after another; how long each request took."""
    took = []
    while goes_on():
        name = f"p{len(names)}"
        before = time.perf_counter()
        assert server.ask("POST", "/api/projects", cookie, {"name": name})[0] == 201
        took.append(time.perf_counter() - before)
        names.append(name)
        for _ in range(10):  # each an access line
            assert server.ask("GET", f"/api/{'x' * 400}", cookie)[0] == 404
    return took


def p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def lasts(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


@grows
@pytest.mark.timeout(STALL + 120)
def test_a_reader_that_stalls_holds_up_nobody_and_loses_nothing_for_good(
    on_postgresql: House, tmp_path: Path
) -> None:
    house = on_postgresql
    ada = register(house, "ada")
    cookie: Any = ada.client.get_cookie("session")
    state, account = str(tmp_path / "state"), str(ada.account_id)
    runner(house)("audit", "tail", "--account", account, "--state", state)
    server = Server(house, tmp_path)
    names: list[str] = []
    try:
        quiet = load(server, cookie.value, lasts(QUIET), names)
        server.reads.clear()
        stalled = load(server, cookie.value, lasts(STALL), names)
        enough = lasts(60)
        while not server.dropped() and enough():
            load(server, cookie.value, lasts(1), names)
        lost = server.dropped()
        server.reads.set()
        after = load(server, cookie.value, lasts(1), names)
    finally:
        server.close()

    assert len(stalled) > 20
    assert len(after) > 2
    # Twice the quiet one, and never less than what a busy machine adds by itself.
    assert p99(stalled) < max(2 * p99(quiet), 0.25), (p99(quiet), p99(stalled))
    assert lost > 0
    assert not set(names) <= labels_in(server.lines)
    tailed = runner(house)("audit", "tail", "--account", account, "--state", state).stdout
    told = [json.loads(line) for line in tailed.splitlines()]
    assert [e["target_label"] for e in told if e["action"] == "project.created"] == names


def labels_in(lines: list[bytes]) -> set[str]:
    """What the audit lines that came through the pipe are about; that lines were lost is told among them."""
    seen = [json.loads(line) for line in lines if not BANNER.fullmatch(line)]
    assert any(line["message"] == "log.lines_lost" for line in seen)
    return {line["target_label"] for line in seen if line["log_type"] == "audit"}


@pytest.mark.timeout(120)
def test_a_reader_that_is_gone_breaks_nothing(lite: House, tmp_path: Path) -> None:
    ada: Person = register(lite, "ada")
    cookie: Any = ada.client.get_cookie("session")
    server = Server(lite, tmp_path)
    names: list[str] = []
    try:
        server.ends.set()
        assert server.ask("GET", "/healthz")[0] == 200
        server.reader.join(10)
        assert server.process.stdout is not None
        server.process.stdout.close()
        load(server, cookie.value, lasts(1), names)
        assert server.dropped() > 0
    finally:
        server.close()

    assert set(names) <= {e["target_label"] for e in ada.events()}

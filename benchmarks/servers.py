"""Two servers side by side on loopback, a small client, and the CPU time that each server took (from /proc)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.data import HOST

_TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Server:
    """One gunicorn (gthread, one worker of four threads) and the port it listens on."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Return the CPU seconds, user and system, of the server and its worker so far."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(cpu_of(pid) for pid in (self.pid, *map(int, children)))


def cpu_of(pid: int) -> float:
    """Return the CPU seconds, user and system, of one process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def serving(factory: str, environment: dict[str, str]) -> Iterator[Server]:
    """Serve an app (``module:function()``) with gunicorn until the block ends."""
    port = _free_port()
    command = [
        sys.executable, "-m", "gunicorn", factory, "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", "1", "--threads", str(CONNECTIONS), "--keep-alive", "60", "--log-level", "warning",
        "--no-control-socket",
    ]  # fmt: skip
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers; its master listens before the worker has built the app."""
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError("a server of the benchmark did not start")
        try:
            with Connection(port) as connection:
                connection.call(f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("a server of the benchmark does not answer")


class Connection:
    """One kept-alive HTTP connection that knows just enough of HTTP for our two servers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, request: bytes) -> tuple[int, bytes]:
        """Send one request and return status and body."""
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._read()
        start = received.lower().index(b"content-length:") + 15
        length = int(received[start : received.index(b"\r\n", start)])
        while len(received) < end + 4 + length:
            received += self._read()
        return int(received[9:12]), received[end + 4 :]

    def _read(self) -> bytes:
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError("the server closed the connection")
        return chunk


def cpu_per_request(server: Server, requests: list[bytes], seconds: float) -> float:
    """Call for so many seconds over four connections, callers in turn; CPU seconds of the server per request.

    Raises RuntimeError for any answer but a 200.
    """
    counts: list[int] = []
    before, until = server.cpu(), time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=lambda start=start: counts.append(
                _call_until(server.port, requests, start, until)
            )
        )
        for start in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < CONNECTIONS:
        raise RuntimeError("an answer was not 200")
    return (server.cpu() - before) / sum(counts)


def _call_until(port: int, requests: list[bytes], start: int, until: float) -> int:
    count = 0
    with Connection(port) as connection:
        for request in islice(cycle(requests), start * 7, None):
            status, _body = connection.call(request)
            if status != 200:
                raise RuntimeError(f"answered {status}")
            count += 1
            if time.monotonic() > until:
                return count
    raise AssertionError("unreachable")

"""Receivers of webhooks on loopback, each with a way of its own of taking what it gets."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[[socket.socket, "Receiver"], bool]


@dataclass(frozen=True, slots=True)
class Got:
    """One request: its headers in lower case, its body, and when it came (monotonic)."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """Takes every POST on a port of loopback, and answers as its behaviour says; ``status`` by default.

    ``keep``: what to keep of a request instead of all of it.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, *, wrap: Any = None, keep: Any = None
    ) -> None:
        self.got: list[Got] = []
        self._keep = keep
        self.status = 200
        self.connections = 0
        self._behaviour, self._wrap = behaviour or _answer, wrap
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.start()

    def url(self, path: str = "/hook", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Listen, again on the same port after ``stop``."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=100)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Go away: nobody listens, and every open connection is reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for each in self._open:
                reset(each)
            self._open.clear()

    def events(self) -> list[dict[str, Any]]:
        return [got.event for got in self.got]

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with self._lock:
                    self.connections += 1
                    self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        talk = connection
        with suppress(OSError, ValueError):
            if self._wrap is not None:
                talk = self._wrap(connection)
            with talk.makefile("rb") as reader:
                while (got := _read(reader)) is not None:
                    self.got.append(got if self._keep is None else self._keep(got))
                    if not self._behaviour(talk, self):
                        break
        with self._lock:
            self._open.discard(connection)
        talk.close()
        connection.close()


@contextmanager
def receiving(behaviour: Behaviour | None = None, **options: Any) -> Iterator[Receiver]:
    """A receiver for the length of a block."""
    receiver = Receiver(behaviour, **options)
    try:
        yield receiver
    finally:
        receiver.stop()


def reset(connection: socket.socket) -> None:
    """Close a connection with a RST."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def say(connection: socket.socket, text: str) -> None:
    connection.sendall(text.encode())


def redirecting_to(url: str) -> Behaviour:
    """Answer 302 to somewhere else."""

    def behave(connection: socket.socket, receiver: Receiver) -> bool:
        say(connection, f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n")
        return True

    return behave


def resetting(connection: socket.socket, receiver: Receiver) -> bool:
    """Reset the connection instead of an answer."""
    reset(connection)
    return False


def silent(connection: socket.socket, receiver: Receiver) -> bool:
    """Never answer."""
    with suppress(OSError):
        connection.recv(1)
    return False


def dripping(connection: socket.socket, receiver: Receiver) -> bool:
    """Send headers one byte at a time, without end."""
    say(connection, "HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        say(connection, "a")
        time.sleep(0.02)


def endless(connection: socket.socket, receiver: Receiver) -> bool:
    """Answer 200 with a body that does not end."""
    say(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        say(connection, "a" * 65536)


def endless_drip(connection: socket.socket, receiver: Receiver) -> bool:
    """Answer 200 with a body that comes slowly and does not end."""
    say(connection, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        say(connection, "a")
        time.sleep(0.02)


def no_http(connection: socket.socket, receiver: Receiver) -> bool:
    """Answer in another protocol."""
    say(connection, "220 smtp.example.com ESMTP\r\n")
    return False


def _answer(connection: socket.socket, receiver: Receiver) -> bool:
    say(connection, f"HTTP/1.1 {receiver.status} Some\r\nContent-Length: 2\r\n\r\nok")
    return True


def _read(reader: Any) -> Got | None:
    line = reader.readline(65537)
    if not line:
        return None
    path = line.split()[1].decode()
    headers: dict[str, str] = {}
    while (line := reader.readline(65537)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Got(path, headers, reader.read(int(headers.get("content-length", 0))))

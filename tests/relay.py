"""A relay in front of a database server that can be cut: the database is away, and comes back."""

from __future__ import annotations

import selectors
import socket
from contextlib import closing, suppress
from threading import Thread
from urllib.parse import urlsplit

from sqlalchemy import make_url

_DEFAULT_PORTS = {"postgresql": 5432, "mariadb": 3306}


class Relay:
    """Listens on a port of loopback and passes every byte on to the server behind a database URL."""

    def __init__(self, url: str, target: tuple[str, int] | None = None) -> None:
        self._target = target or _target(url)
        self._listening: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.port = 0
        self.restore()

    @classmethod
    def to(cls, url: str) -> Relay:
        """A relay in front of any server, whose URL names host and port."""
        parts = urlsplit(url)
        return cls(url, (parts.hostname or "127.0.0.1", parts.port or 0))

    def url(self, original: str) -> str:
        """The same database and role, through this relay."""
        query = dict(make_url(original).query)
        for name in ("host", "unix_socket"):
            query.pop(name, None)
        through = make_url(original).set(host="127.0.0.1", port=self.port, query=query)
        return through.render_as_string(hide_password=False)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        for each in (*self._listening, *self._open):
            with suppress(OSError):  # wakes the thread that waits for it, which then closes it
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in self._listening:
            each.close()
        for kept in (self._listening, self._open, self._threads):
            kept.clear()

    def restore(self) -> None:
        """Let connections through again, on the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listening.append(listener)
        self.port = listener.getsockname()[1]
        self._start(self._accept, listener)

    def _start(self, function: object, *args: object) -> None:
        thread = Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # cut() closes it
            while True:
                client, _ = listener.accept()
                server = _connect(self._target)
                self._open += [client, server]
                self._start(_pass_on, client, server)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side has enough."""
    with closing(one), closing(other), selectors.DefaultSelector() as selector, suppress(OSError):
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                received = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not received:
                    return
                key.data.sendall(received)


def _connect(target: str | tuple[str, int]) -> socket.socket:
    if isinstance(target, tuple):
        return socket.create_connection(target)
    server = socket.socket(socket.AF_UNIX)
    server.connect(target)
    return server


def _target(url: str) -> str | tuple[str, int]:
    """Where the server of a URL listens: the file of a Unix socket, or host and port."""
    parts = make_url(url)
    backend = "mariadb" if parts.get_backend_name() in ("mariadb", "mysql") else "postgresql"
    port = parts.port or _DEFAULT_PORTS[backend]
    directory = str(parts.query.get("host", parts.host or ""))
    if "unix_socket" in parts.query:
        return str(parts.query["unix_socket"])
    if directory.startswith("/"):
        return f"{directory}/.s.PGSQL.{parts.query.get('port', port)}"
    return directory or "127.0.0.1", int(parts.query.get("port", port))

"""A TCP proxy of our own in front of a database: it forwards, refuses, or cuts where it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from sqlalchemy import URL, make_url

from tests.databases import Urls


class Link:
    """One client's connection and the server's that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.armed = self.muted = False

    def close(self) -> None:
        _shut(self.client)
        _shut(self.server)


class Proxy:
    """Forwards bytes between its port and a server (a socket file or a host and port), one thread a direction.

    ``cut_commit_of``: bytes by which a connection is known; it is cut at its next COMMIT, before the server
    hears of it, or (``after``) when the server has done it and before the client hears of that.
    """

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self.refusing = self.after = False
        self.cut_commit_of: bytes | None = None
        self.cuts = 0
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def refuse(self) -> None:
        """Cut every connection, and each new one at once: the database is away."""
        self.refusing = True
        self.cut_all()

    def forward(self) -> None:
        """Let everybody through again: the database is back."""
        self.refusing, self.cut_commit_of = False, None

    def cut_all(self) -> None:
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.close()

    def close(self) -> None:
        self.refusing = True
        _shut(self._listener)
        self._accepting.join(5)
        self.cut_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                _shut(client)
                continue
            try:
                link = Link(client, self._connect())
            except OSError:
                _shut(client)
                continue
            with self._lock:
                self._links.add(link)
            for pump in (self._to_server, self._to_client):
                threading.Thread(target=self._run, args=(pump, link), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            return server
        return socket.create_connection(self._target)

    def _run(self, pump: Callable[[Link], None], link: Link) -> None:
        with suppress(OSError):
            pump(link)
        with self._lock:
            self._links.discard(link)
        link.close()

    def _to_server(self, link: Link) -> None:
        while data := link.client.recv(65536):
            link.armed = link.armed or (
                self.cut_commit_of is not None and self.cut_commit_of in data
            )
            if link.armed and b"COMMIT" in data:
                self.cuts += 1
                if not self.after:
                    return
                link.muted = True
            link.server.sendall(data)

    def _to_client(self, link: Link) -> None:
        while data := link.server.recv(65536):
            if link.muted:
                return
            link.client.sendall(data)


def _shut(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()


def server_of(url: URL) -> str | tuple[str, int]:
    """Where the server of a URL listens: a socket file, or a host and port."""
    postgresql = url.get_backend_name() == "postgresql"
    folder, file = url.query.get("host"), url.query.get("unix_socket")
    port = url.port or (5432 if postgresql else 3306)
    if isinstance(folder, str) and folder.startswith("/"):
        return f"{folder}/.s.PGSQL.{port}"
    return file if isinstance(file, str) else (url.host or str(folder or "127.0.0.1"), port)


def through(url: str, port: int) -> str:
    """The same URL by way of a port of this machine."""
    told = make_url(url).difference_update_query(["host", "unix_socket"])
    return told.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


@contextmanager
def in_front_of(urls: Urls) -> Iterator[tuple[Urls, Proxy]]:
    """The tenant's and the system's way through a proxy; the others stay as they are."""
    proxy = Proxy(server_of(make_url(urls.tenant_url)))
    try:
        tenant, system = through(urls.tenant_url, proxy.port), through(urls.system_url, proxy.port)
        yield replace(urls, tenant_url=tenant, system_url=system), proxy
    finally:
        proxy.close()

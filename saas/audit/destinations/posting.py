"""HTTP POSTs that can do us no harm: bounded in time and in what is read, no redirect followed, no proxy used."""

from __future__ import annotations

import io
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from saas.security import egress

TIME_LIMIT = 10.0  # seconds for one POST, from the look-up of the name to the end of what is read
_CONNECT = 3.0
_MOST = 16 * 1024  # bytes read of an answer; nothing is done with them
_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one POST: the status, or why there is none. ``refused``: we did not even connect."""

    status: int | None
    error: str | None
    milliseconds: int
    refused: bool = False

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == _GONE

    @property
    def problem(self) -> str | None:
        """Why it was not taken, in a few words; None when it was."""
        if self.taken:
            return None
        if self.status is not None and 300 <= self.status < 400:
            return f"answered {self.status}: redirects are not followed"
        return self.error or f"answered {self.status}"


class Channel:
    """A connection to one URL, kept open between POSTs; for one thread.

    ``guarded``: only to addresses that ``egress`` lets a customer name; an operator's own may be internal.
    """

    def __init__(self, url: str, *, guarded: bool) -> None:
        self._url, self._guarded = url, guarded
        parts = urlsplit(url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._host = parts.netloc.rpartition("@")[2]
        self._connection: HTTPConnection | None = None
        self._until = 0.0  # monotonic; the end of the POST at hand

    def post(self, body: bytes, headers: dict[str, str]) -> Answer:
        """POST once, or again where a kept connection turns out to be closed; never raises for what is out there."""
        begun = time.monotonic()
        self._until = begun + TIME_LIMIT
        status: int | None = None
        error: str | None = None
        refused = False
        try:
            status = self._post(body, {"Host": self._host, **headers})
        except egress.RefusedAddressError as problem:
            error, refused = f"refused: {problem}", True
        except (OSError, HTTPException, ValueError) as problem:
            error = _words(problem)
        if error is not None:
            self.close()
        return Answer(status, error, round((time.monotonic() - begun) * 1000), refused)

    def left(self) -> float:
        """Return the seconds that are left of this POST; raises TimeoutError when there are none."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def close(self) -> None:
        """Close the connection; the next POST opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        if self._connection is not None:
            try:
                return self._exchange(self._connection, body, headers)
            except (ConnectionError, HTTPException):
                self.close()  # closed since the last: an event may be sent twice, never not at all
        return self._exchange(self._open(), body, headers)

    def _exchange(self, connection: HTTPConnection, body: bytes, headers: dict[str, str]) -> int:
        connection.request("POST", self._path, body, headers)
        response = connection.getresponse()
        try:
            whole = len(response.read(_MOST + 1)) <= _MOST and response.isclosed()
        except (OSError, HTTPException):
            whole = False  # the status has come, and that is the acknowledgement
        if not whole or response.will_close:
            self.close()
        return response.status

    def _open(self) -> HTTPConnection:
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if self._guarded:
            target, raw = egress.connect(self._url, _CONNECT)
            host = target.host.rstrip(".")
        else:
            default = 443 if parts.scheme == "https" else 80
            raw = socket.create_connection((host, parts.port or default), _CONNECT)
        connection = self._connection = HTTPConnection("webhook")
        connection.auto_open = (
            0  # it must never connect by itself: that would be to whatever a name says by then
        )
        connection.sock = _Wire(self, raw)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(self.left())
        if parts.scheme == "https":
            connection.sock = _Wire(self, _tls().wrap_socket(raw, server_hostname=host))
        return connection


class _Wire:
    """A socket as http.client uses it, each of whose steps has no more time than the POST has left.

    A time-out of the socket alone would begin anew with every byte of somebody who sends one a second.
    """

    def __init__(self, channel: Channel, raw: socket.socket) -> None:
        self._channel, self._raw = channel, raw

    def sendall(self, data: bytes) -> None:
        self._raw.settimeout(self._channel.left())
        self._raw.sendall(data)

    def makefile(self, mode: str, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._channel, self._raw))

    def close(self) -> None:
        self._raw.close()


class _Reader(io.RawIOBase):
    def __init__(self, channel: Channel, raw: socket.socket) -> None:
        self._channel, self._raw = channel, raw

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        self._raw.settimeout(self._channel.left())
        return self._raw.recv_into(into)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _words(problem: Exception) -> str:
    """What went wrong without addresses: which of ours and theirs were tried is nobody's business."""
    if type(problem) is OSError and isinstance(problem.__cause__, OSError):
        problem = problem.__cause__  # the guard's own error, about the last address it tried
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {problem.verify_message}"[:200]
    known: dict[type[Exception], str] = {
        ConnectionRefusedError: "connection refused",
        socket.gaierror: "name not found",
        TimeoutError: "no answer in time",
        ConnectionError: "connection lost",
        ssl.SSLError: "TLS failed",
        HTTPException: "answer is not HTTP",
    }
    for kind, words in known.items():
        if isinstance(problem, kind):
            return words
    return "connection failed"

"""One client at a server: everything it says is marked with its account, everything it hears is looked at."""

from __future__ import annotations

import json
import random
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

from tests import people
from tests.proofs.oracle import MARK

SECONDS = 30  # an answer may take on a busy machine


@dataclass
class Side:
    """One of the two accounts: its mark, its people's addresses by role, and ids of projects that are there."""

    mark: str
    account_id: UUID
    emails: dict[str, str]
    projects: list[str] = field(default_factory=list)


class Client:
    """One client: a connection kept open, a cookie, and the side it is on at the moment."""

    def __init__(self, port: int, number: int, sides: list[Side], role: str, email: str) -> None:
        self.port, self.number, self.role, self.email = port, number, role, email
        self.own, self.other = sides
        self.tag = MARK.findall(email)[0]  # marks our requests, also those that switch accounts
        self.everywhere = role == "ida"  # pages and the session's own answer name all her accounts
        self.random = random.Random(number)
        self.connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self.cookie = ""
        self.asked = 0
        self.answers: Counter[int] = Counter()
        self.cut = 0
        self.foreign: list[str] = []
        self.wrong: list[str] = []

    # -- one request -----------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, body: Any = None, expected: tuple[int, ...] = (200,)
    ) -> bytes:
        """Send one request; note what is foreign in the answer and what is not as it must be."""
        self.asked += 1
        request_id = f"{self.tag}.{self.number}.{self.asked}"
        raw = (
            body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        )
        headers = self.headers(request_id, has_body=raw is not None)
        status, told, answer = self._send(method, path, raw, headers)
        self.answers[status] += 1
        text = str(told).encode() + answer
        shows_all = self.everywhere and (path == "/api/session" or not path.startswith("/api"))
        if not shows_all and self.other.mark.encode() in text:
            self.foreign.append(f"{method} {path} ({status}): {text[:500]!r}")
        if status not in expected or told.get("x-request-id") != request_id:
            self.wrong.append(f"{method} {path}: {status}, not {expected}: {text[:500]!r}")
        if "set-cookie" in told and (morsel := SimpleCookie(told["set-cookie"]).get("session")):
            self.cookie = morsel.value
        return answer

    def headers(self, request_id: str, *, has_body: bool) -> dict[str, str]:
        headers = {"X-Request-ID": request_id, "User-Agent": f"agent {self.email}"}
        if self.cookie:
            headers["Cookie"] = f"session={self.cookie}"
        return headers | ({"Content-Type": "application/json"} if has_body else {})

    def _send(
        self, method: str, path: str, raw: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        for last in (False, True):
            try:
                self.connection.request(method, path, raw, headers)
                response = self.connection.getresponse()
                told = {name.lower(): value for name, value in response.getheaders()}
                return response.status, told, response.read()
            except (
                ConnectionError,
                HTTPException,
            ):  # an idle connection that the server has just closed
                self.connection.close()
                if last:
                    raise
        raise AssertionError("unreachable")

    def cut_off(self, method: str, path: str, *, half: bool = False) -> None:
        """Send a request, or half of one, and hang up before the answer."""
        self.cut += 1
        told = {"Host": "127.0.0.1", **self.headers(f"{self.tag}.cut", has_body=half)}
        if half:
            told["Content-Length"] = "500"
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in told.items()),
            "",
            "",
        ]
        body = f'{{"name": "{self.own.mark}' if half else ""
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as wire,
        ):
            wire.sendall(("\r\n".join(lines) + body).encode())
            wire.settimeout(self.random.choice((0.001, 0.01, 0.03)))
            wire.recv(1)

    def sign_in(self) -> None:
        self.ask("POST", "/api/login", {"email": self.email, "password": people.PASSWORD})
        if self.everywhere:  # whichever seat it is, go to our own side
            self.ask("POST", "/api/session/account", {"account_id": str(self.own.account_id)})

    @property
    def may_write(self) -> bool:
        return self.role != "viewer"

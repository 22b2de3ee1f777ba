"""A crowd of clients of two accounts at one server: everything they say is marked, everything they hear is looked at."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID, uuid4

from tests import people
from tests.house import House
from tests.proofs.oracle import MARK, new_mark

ROLES = ("owner", "admin", "member", "viewer")
SECONDS = 30  # an answer may take on a busy machine


@dataclass
class Side:
    """One of the two accounts: its mark, its people's addresses by role, and ids of projects that are there."""

    mark: str
    account_id: UUID
    emails: dict[str, str]
    projects: list[str] = field(default_factory=list)


def settle(house: House) -> tuple[list[Side], str]:
    """Make two accounts with four people each, and Ida, who sits in both; returns them and her address."""
    sides, owners = [], []
    for _ in range(2):
        mark = new_mark()
        emails = {role: f"{role}.{mark}@example.com" for role in ROLES}
        owner = people.register(house, f"o{mark}", account_name=f"house {mark}", email=emails["owner"])
        for role in ROLES[1:]:
            people.add(house, owner, f"{role[0]}{mark}", role, email=emails[role])
        sides.append(Side(mark, owner.account_id, emails))
        owners.append(owner)
    ida = f"ida.{new_mark()}@example.com"
    for owner, side in zip(owners, sides, strict=True):
        people.add(house, owner, f"i{side.mark}", "member", email=ida)
    return sides, ida


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

    def ask(self, method: str, path: str, body: Any = None, expected: tuple[int, ...] = (200,)) -> bytes:
        """Send one request; note what is foreign in the answer and what is not as it must be."""
        self.asked += 1
        request_id = f"{self.tag}.{self.number}.{self.asked}"
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
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
            except (ConnectionError, HTTPException):  # an idle connection that the server has just closed
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
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        body = f'{{"name": "{self.own.mark}' if half else ""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as wire:
            wire.sendall(("\r\n".join(lines) + body).encode())
            wire.settimeout(self.random.choice((0.001, 0.01, 0.03)))
            wire.recv(1)

    # -- what a client does ------------------------------------------------------------------------

    def sign_in(self) -> None:
        self.ask("POST", "/api/login", {"email": self.email, "password": people.PASSWORD})
        if self.everywhere:  # whichever seat it is, go to our own side
            self.ask("POST", "/api/session/account", {"account_id": str(self.own.account_id)})

    def go_round(self) -> None:
        """Do one thing, chosen at random."""
        self.random.choice(DEEDS)(self)

    @property
    def _may_write(self) -> bool:
        return self.role != "viewer"

    def create(self) -> None:
        body = {"name": f"p {uuid4().hex} {self.own.mark}", "description": f"text {self.own.mark}"}
        answer = self.ask("POST", "/api/projects", body, (201,) if self._may_write else (403,))
        if self._may_write and not self.wrong:
            self.own.projects.append(json.loads(answer)["data"]["id"])

    def _one(self, side: Side) -> str:
        return f"/api/projects/{self.random.choice(side.projects) if side.projects else uuid4()}"

    def read_own(self) -> None:
        self.ask("GET", self._one(self.own), expected=(200, 404))

    def read_foreign(self) -> None:
        self.ask("GET", self._one(self.other), expected=(404,))

    def change_own(self) -> None:
        body = {"description": f"changed {self.asked} {self.own.mark}"}
        self.ask("PATCH", self._one(self.own), body, (200, 404) if self._may_write else (403,))

    def change_foreign(self) -> None:
        body = {"description": f"never {self.own.mark}"}
        self.ask("PATCH", self._one(self.other), body, (404,) if self._may_write else (403,))

    def remove(self) -> None:
        self.ask("DELETE", self._one(self.own), expected=(200, 404) if self._may_write else (403,))

    def list_projects(self) -> None:
        answer = self.ask("GET", "/api/projects")
        if self.own.mark.encode() not in answer and b'"data":[]' not in answer:
            self.wrong.append(f"a list without our mark: {answer[:300]!r}")

    def switch(self) -> None:
        """Ida goes to her other account: from now on the marks of this one are foreign."""
        if not self.everywhere:
            return self.ask_who()
        self.ask("POST", "/api/session/account", {"account_id": str(self.other.account_id)})
        self.own, self.other = self.other, self.own
        return None

    def ask_who(self) -> None:
        answer = self.ask("GET", "/api/user")
        if str(self.own.account_id).encode() not in answer:
            self.wrong.append(f"not our account: {answer[:300]!r}")

    def is_refused(self) -> None:
        method, path, body, status = self.random.choice(REFUSED)
        self.ask(method, path, body, (status,))

    def breaks(self) -> None:
        method, what = self.random.choice((("GET", "raise"), ("POST", "raise"), ("POST", "statement")))
        denied = (method, what) == ("POST", "raise") and not self._may_write
        self.ask(method, f"/fault/{what}?mark=broken-{self.own.mark}", expected=(403,) if denied else (500,))

    def streams(self) -> None:
        self.ask("GET", self.random.choice(("/fault/bare-stream", "/fault/thread")))

    def leaves_early(self) -> None:
        path = self.random.choice(("/fault/sleep?seconds=0.02", "/fault/stream", "/api/projects", "/projects"))
        self.cut_off("GET", path)

    def leaves_half_way(self) -> None:
        self.cut_off("POST", "/api/projects", half=True)


REFUSED: list[tuple[str, str, Any, int]] = [
    ("GET", "/nowhere", None, 404),
    ("PUT", "/api/projects", None, 405),
    ("POST", "/api/login", b"{", 400),
    ("POST", "/api/login", {"email": "nobody@example.com", "password": "wrong"}, 401),
    ("POST", "/api/login", {"email": 7}, 422),
    ("GET", "/api/projects?limit=0", None, 422),
    ("GET", "/api/projects/not-an-id", None, 404),
]
_SOME: list[Callable[[Client], None]] = [
    Client.create, Client.read_own, Client.list_projects, Client.list_projects, Client.change_own, Client.ask_who,
]  # fmt: skip
DEEDS: list[Callable[[Client], None]] = [
    *_SOME, *_SOME, Client.read_foreign, Client.change_foreign, Client.remove, Client.switch, Client.is_refused,
    Client.breaks, Client.streams, Client.leaves_early, Client.leaves_half_way,
    lambda c: c.ask("GET", "/api/users") and None,
    lambda c: c.ask("GET", "/api/session") and None,
    lambda c: c.ask("GET", "/projects") and None,
    lambda c: c.ask("GET", "/settings") and None,
    lambda c: c.ask("GET", "/api/audit-events?limit=5", expected=(200,) if c.role in ("owner", "admin") else (403,)) and None,
]  # fmt: skip


def gather(port: int, sides: list[Side], ida: str, number: int) -> list[Client]:
    """Clients of both accounts by turns, in every role; one in sixteen is Ida."""
    clients = []
    for n in range(number):
        own = sides if n % 2 else sides[::-1]
        role = "ida" if n % 16 in (6, 7) else ROLES[n // 2 % 4]
        clients.append(Client(port, n, own, role, ida if role == "ida" else own[0].emails[role]))
    return clients


def run(clients: list[Client], answers: int) -> None:
    """Let every client go round in a thread of its own until so many answers have come; raises what failed there."""
    each = -(-answers // len(clients))
    failures: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            client.sign_in()
            while client.answers.total() < each and not failures:
                client.go_round()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(error)
        finally:
            client.connection.close()

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]

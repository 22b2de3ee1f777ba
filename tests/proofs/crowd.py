"""A crowd of clients of two accounts at one server, and all that they do there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests import people
from tests.house import House
from tests.proofs.clients import Client, Side
from tests.proofs.oracle import new_mark

ROLES = ("owner", "admin", "member", "viewer")
Deed = Callable[[Client], None]
REFUSED: list[tuple[str, str, Any, int]] = [
    ("GET", "/nowhere", None, 404),
    ("PUT", "/api/projects", None, 405),
    ("POST", "/api/login", b"{", 400),
    ("POST", "/api/login", {"email": "nobody@example.com", "password": "wrong"}, 401),
    ("POST", "/api/login", {"email": 7}, 422),
    ("GET", "/api/projects?limit=0", None, 422),
    ("GET", "/api/projects/not-an-id", None, 404),
]
BREAKING = (("GET", "raise"), ("POST", "raise"), ("POST", "statement"))
LEFT_EARLY = ("/fault/sleep?seconds=0.02", "/fault/stream", "/api/projects", "/projects")


def settle(house: House) -> tuple[list[Side], str]:
    """Make two accounts with four people each, and Ida, who sits in both; returns them and her address."""
    sides, owners = [], []
    for _ in range(2):
        mark = new_mark()
        emails = {role: f"{role}.{mark}@example.com" for role in ROLES}
        owner = people.register(
            house, f"o{mark}", account_name=f"house {mark}", email=emails["owner"]
        )
        for role in ROLES[1:]:
            people.add(house, owner, f"{role[0]}{mark}", role, email=emails[role])
        sides.append(Side(mark, owner.account_id, emails))
        owners.append(owner)
    ida = f"ida.{new_mark()}@example.com"
    for owner, side in zip(owners, sides, strict=True):
        people.add(house, owner, f"i{side.mark}", "member", email=ida)
    return sides, ida


def create(c: Client) -> None:
    body = {"name": f"p {uuid4().hex} {c.own.mark}", "description": f"text {c.own.mark}"}
    answer = c.ask("POST", "/api/projects", body, (201,) if c.may_write else (403,))
    if c.may_write and not c.wrong:
        c.own.projects.append(json.loads(answer)["data"]["id"])


def _one(c: Client, side: Side) -> str:
    return f"/api/projects/{c.random.choice(side.projects) if side.projects else uuid4()}"


def read_own(c: Client) -> None:
    c.ask("GET", _one(c, c.own), expected=(200, 404))


def read_foreign(c: Client) -> None:
    c.ask("GET", _one(c, c.other), expected=(404,))


def change_own(c: Client) -> None:
    body = {"description": f"changed {c.asked} {c.own.mark}"}
    c.ask("PATCH", _one(c, c.own), body, (200, 404) if c.may_write else (403,))


def change_foreign(c: Client) -> None:
    body = {"description": f"never {c.own.mark}"}
    c.ask("PATCH", _one(c, c.other), body, (404,) if c.may_write else (403,))


def remove(c: Client) -> None:
    c.ask("DELETE", _one(c, c.own), expected=(200, 404) if c.may_write else (403,))


def list_projects(c: Client) -> None:
    answer = c.ask("GET", "/api/projects")
    if c.own.mark.encode() not in answer and b'"data":[]' not in answer:
        c.wrong.append(f"a list without our mark: {answer[:300]!r}")


def read_the_log(c: Client) -> None:
    may_read = c.role in ("owner", "admin")
    c.ask("GET", "/api/audit-events?limit=5", expected=(200,) if may_read else (403,))


def look_around(c: Client) -> None:
    c.ask("GET", c.random.choice(("/api/users", "/api/session", "/projects", "/settings")))


def switch(c: Client) -> None:
    """Ida goes to her other account: from now on the marks of this one are foreign. Others ask who they are."""
    if c.everywhere:
        c.ask("POST", "/api/session/account", {"account_id": str(c.other.account_id)})
        c.own, c.other = c.other, c.own
    ask_who(c)


def ask_who(c: Client) -> None:
    answer = c.ask("GET", "/api/user")
    if str(c.own.account_id).encode() not in answer:
        c.wrong.append(f"not our account: {answer[:300]!r}")


def be_refused(c: Client) -> None:
    method, path, body, status = c.random.choice(REFUSED)
    c.ask(method, path, body, (status,))


def break_something(c: Client) -> None:
    method, what = c.random.choice(BREAKING)
    denied = (method, what) == ("POST", "raise") and not c.may_write
    path = f"/fault/{what}?mark=broken-{c.own.mark}"
    c.ask(method, path, expected=(403,) if denied else (500,))


def stream(c: Client) -> None:
    c.ask("GET", c.random.choice(("/fault/bare-stream", "/fault/thread")))


def leave_early(c: Client) -> None:
    c.cut_off("GET", c.random.choice(LEFT_EARLY))


def leave_half_way(c: Client) -> None:
    c.cut_off("POST", "/api/projects", half=True)


OFTEN: tuple[Deed, ...] = (create, read_own, list_projects, change_own, ask_who, look_around)
DEEDS: tuple[Deed, ...] = (
    *OFTEN * 3, read_foreign, change_foreign, remove, switch, be_refused, read_the_log,
    break_something, stream, leave_early, leave_half_way,
)  # fmt: skip


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
                client.random.choice(DEEDS)(client)
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

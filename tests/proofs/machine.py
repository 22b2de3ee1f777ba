"""The base of the state machine: how an operation is sent, looked at and compared."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from saas.security import passwords
from tests.proofs import unrestricted
from tests.proofs.oracle import Account, Oracle, Seat, Session, Visit
from tests.proofs.world import World
from tests.proofs.wsgi import Answer, leftovers

STRONG = "correct horse battery {}"
MADE_UP = UUID("01890000-0000-7000-8000-00000000dead")


@dataclass(frozen=True)
class Call:
    """Where an operation came from, as its events must say."""

    channel: str = "job"
    request_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    route: str | None = None


@dataclass
class Sent:
    """What was sent last, and from which seat."""

    body: Any
    seat: Seat | None = None


# error code → the event that tells of it; what is not here is no refusal that the log tells
DENIALS = {40301: "access.denied", 40303: "access.denied", 42202: "password.refused"}
DENIALS_OF_NOBODY = {40101: "sign_in.failed", 40302: "sign_in.failed", 40304: "sign_in.failed"}
PERMISSION = re.compile(r"permission (\w+:\w+) ")


class Machine(RuleBasedStateMachine):
    """The product on one side, the oracle on the other."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()
        self.visits: list[Visit] = []
        self.number = 0
        self.not_found: dict[str, Any] = {}
        self.call = Call()
        self.sent = Sent(None)

    def teardown(self) -> None:
        """Compare the database with the oracle, unless the example has already failed."""
        self.world.remember(self.oracle)
        if sys.exc_info()[0] is None:
            self.world.check_example(self.oracle)
            for person in self.oracle.people:
                (row,) = unrestricted.rows(self.world.eye, "identities", id=person.id)
                assert passwords.verify_password(person.password, row["password_hash"])

    # -- sending ---------------------------------------------------------------------------------

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def send(
        self, visit: Visit, method: str, path: str, body: Any = None, *,
        route: str = "", query: str = "", everywhere: bool = False, headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Send one operation; no foreign mark, and nothing left on the thread. Comparing is the caller's."""
        request_id = f"r{self.next_number():07}.{visit.person.mark}"
        agent = visit.browser.user_agent
        self.call = Call("api", request_id, "127.0.0.1", agent, route or path)
        self.sent = Sent(body)
        sent = {"X-Request-ID": request_id, **(headers or {})}
        seat = self.sent.seat = self.oracle.seat_of(visit)
        answer: Answer = visit.browser.call(method, path, body, query=query, headers=sent)
        self.count(f"{method} {route or path}", "served" if answer.status < 400 else "refused")
        visible = self.oracle.visible(seat, visit.person, everywhere)
        foreign = self.oracle.foreign(answer.raw.decode() + str(answer.headers), visible)
        assert not foreign, f"{method} {path} shows {foreign}"
        assert answer.header("X-Request-ID") == request_id
        return answer

    def count(self, kind: str, outcome: str) -> None:
        self.world.operations += 1
        self.world.outcomes[outcome] += 1
        left = leftovers()
        assert not left, f"{kind} left {left}"

    def refused(self, answer: Answer, code: int | None) -> bool:
        """Compare an answer with the refusal that is due; whether it is one."""
        assert answer.code == code, f"{answer.code} instead of {code}: {answer.raw[:300]!r}"
        if code is None:
            return False
        told = dict(answer.json["errors"])
        assert told.pop("request_id") == self.call.request_id
        self.note_refusal(code, told["display_error"])
        if code == 40401:  # foreign, gone and made up: one and the same answer
            self.not_found = self.not_found or told
            assert told == self.not_found
        return True

    def note_refusal(self, code: int, reason: str) -> None:
        """Note what the log must say of a refusal: in the account of who was refused, or in the system's chain."""
        seat = self.sent.seat
        action = (DENIALS if seat else DENIALS_OF_NOBODY).get(code)
        if action is None:
            return
        told = PERMISSION.search(reason)
        data: dict[str, Any] = {"code": code, "count": 1}
        if action == "access.denied":
            data["permission"] = told[1] if told else None
        event = self.event(
            action,
            "x",
            seat or "nobody signed in",
            self.target_of_refusal(),
            data=data,
            reason=reason,
        )
        event |= {
            "outcome": "denied" if action == "access.denied" else "failure",
            "severity": "warning",
        }
        if seat is None:
            event["actor_type"] = "anonymous"
        (seat.account.events if seat else self.oracle.system_events).append(event)

    def target_of_refusal(self) -> tuple[str, UUID | str, str] | None:
        """What a refused call was about: whom it would have signed in."""
        if isinstance(self.sent.body, dict) and self.call.route == "/api/login":
            email = self.sent.body["email"]
            key = email.strip().lower()
            known = next((p for p in self.oracle.people if p.email.lower() == key), None)
            if known:
                return "identity", known.id, known.email
            label = f"{key[:1]}…@{key.rpartition('@')[2]}"
            return "address", sha256(key.encode()).hexdigest()[:32], label
        return None

    # -- what happened ---------------------------------------------------------------------------

    def event(
        self, action: str, crud: str, actor: Seat | str, target: tuple[str, UUID | str, str] | None, *,
        changes: list[dict[str, Any]] | None = None, data: dict[str, Any] | None = None, reason: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What an event of the present call must say."""
        seat = actor if isinstance(actor, Seat) else None
        subject: dict[str, str | None] = dict.fromkeys(("type", "id", "label"))
        if target is not None:
            subject = {"type": target[0], "id": str(target[1]), "label": target[2]}
        return {
            "v": 1, "action": action, "crud": crud, "outcome": "success", "reason": reason, "severity": "info",
            "actor_type": "user" if seat else "system", "actor_id": str(seat.id) if seat else None,
            "actor_label": seat.username if seat else actor, "on_behalf_of_id": None, "on_behalf_of_label": None,
            "target_type": subject["type"], "target_id": subject["id"], "target_label": subject["label"],
            "targets": [subject] if target else [], "changes": changes or [], "data": data or {},
            "request_id": self.call.request_id, "ip": self.call.ip, "user_agent": self.call.user_agent,
            "channel": self.call.channel, "route": self.call.route,
        }  # fmt: skip

    def happened(
        self, account: Account, action: str, crud: str, actor: Seat | str, target: Any, **more: Any
    ) -> None:
        account.events.append(self.event(action, crud, actor, target, **more))

    def signed_in(self, visit: Visit, seat: Seat, how: str) -> None:
        """Note the session that a browser now holds; its row is looked up by the token in the cookie."""
        hashed = sha256(visit.browser.token.encode()).hexdigest()
        (row,) = unrestricted.rows(self.world.eye, "sessions", token_hash=hashed)
        assert row["user_id"] == seat.id, "the sign-in entered another seat"
        agent = visit.browser.user_agent
        self.oracle.begin_session(visit, Session(row["id"], hashed, seat, agent))
        target = ("session", row["id"], agent)
        self.happened(seat.account, "session.created", "c", seat, target, data={"how": how})

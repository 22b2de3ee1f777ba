"""The base of the state machine: how an operation is sent, looked at and compared, and how people come to be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine

from saas import context
from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES, Permission
from saas.security import passwords
from saas.services import user_services
from tenants import enter_account
from tests.proofs import unrestricted
from tests.proofs.oracle import Account, Oracle, Person, Seat, Session, Visit, new_mark
from tests.proofs.world import World, told
from tests.proofs.wsgi import Answer, Browser, leftovers

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


class Machine(RuleBasedStateMachine):
    """Three accounts, each with an owner; Ida and Jon sit in two of them, Cleo and Vera in one."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle()
        self.visits: list[Visit] = []
        self.number = 0
        self.not_found: dict[str, Any] = {}
        self.call = Call()
        first, second, third = (self.register_new() for _ in range(3))
        self.seat_new(first, "member")
        self.seat_new(second, "viewer")
        self.seat_in(self.seat_new(first, "member"), second, "admin")
        self.seat_in(self.seat_new(second, "viewer"), third, "member")

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
        sent = {"X-Request-ID": request_id, **(headers or {})}
        seat = self.oracle.seat_of(visit)
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
        if code == 40401:  # foreign, gone and made up: one and the same answer
            self.not_found = self.not_found or told
            assert told == self.not_found
        return True

    # -- what happened ---------------------------------------------------------------------------

    def event(
        self, action: str, crud: str, actor: Seat | str, target: tuple[str, UUID, str], *,
        changes: list[dict[str, Any]] | None = None, data: dict[str, Any] | None = None, reason: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What an event of the present call must say."""
        seat = actor if isinstance(actor, Seat) else None
        subject = {"type": target[0], "id": str(target[1]), "label": target[2]}
        return {
            "v": 1, "action": action, "crud": crud, "outcome": "success", "reason": reason, "severity": "info",
            "actor_type": "user" if seat else "system", "actor_id": str(seat.id) if seat else None,
            "actor_label": seat.username if seat else actor, "on_behalf_of_id": None, "on_behalf_of_label": None,
            "target_type": subject["type"], "target_id": subject["id"], "target_label": subject["label"],
            "targets": [subject], "changes": changes or [], "data": data or {},
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

    # -- people come -----------------------------------------------------------------------------

    def visit_of(self, person: Person) -> Visit:
        agent = f"browser {len(person.browsers)} of {person.mark}"
        visit = Visit(person, Browser(self.world.house.app, agent))
        person.browsers.append(visit)
        self.visits.append(visit)
        return visit

    def register_new(self) -> Seat:
        """Register somebody new over HTTP, with an account of their own."""
        mark = new_mark()
        person = Person(MADE_UP, f"Ada.{mark}@Example.com", STRONG.format(mark), mark)
        visit = self.visit_of(person)
        account = Account(MADE_UP, f"house {mark}", mark)
        names = {"username": f"a{mark}", "account_name": account.name}
        body = {"email": person.email, "password": person.password, **names}
        answer = self.send(visit, "POST", "/api/register", body)
        assert (answer.status, answer.json) == (201, {"message": "success"})
        (row,) = unrestricted.rows(self.world.eye, "identities", email_key=person.email.lower())
        (user,) = unrestricted.rows(self.world.eye, "users", identity_id=row["id"])
        person.id, account.id = row["id"], user["account_id"]
        self.oracle.add_person(person)
        seat = self.opened(account, person, user, f"a{mark}")
        self.oracle.system_events.append(
            self.event("identity.created", "c", seat, ("identity", person.id, person.email))
        )
        sent = ("identity", person.id, person.email)
        self.oracle.system_events.append(
            self.event("token.sent", "c", seat, sent, data={"purpose": "verify"})
        )
        self.signed_in(visit, seat, "register")
        self.visit_of(person)  # a second browser, not signed in
        return seat

    def opened(self, account: Account, person: Person, user: Any, username: str) -> Seat:
        """Note a new account with its owner."""
        seat = Seat(user["id"], account, person, username, "owner", told(user["created_at"]))
        self.oracle.add_account(account)
        self.oracle.add_seat(seat)
        self.happened(account, "account.created", "c", seat, ("account", account.id, account.name))
        self.happened(
            account,
            "user.created",
            "c",
            seat,
            ("user", seat.id, username),
            data={"roles": ["owner"]},
        )
        return seat

    def seat_new(self, owner: Seat, role: str) -> Person:
        """Let the owner give a seat to somebody who is new here."""
        mark = new_mark()
        person = Person(MADE_UP, f"ida.{mark}@example.com", STRONG.format(mark), mark)
        self.seat_in(person, owner, role)
        self.visit_of(person)
        return person

    def seat_in(self, person: Person, owner: Seat, role: str) -> Seat:
        """Give a person a seat, through the service that invitations will use."""
        username = f"{'bcdefg'[len(person.seats)]}{person.mark}"
        self.call = Call()
        with self.in_account(owner.account):
            user = user_services.add_user(
                self.actor_of(owner),
                email=person.email,
                username=username,
                password=person.password,
                role_keys=[role],
            )
        self.count("add_user", "served")
        if person.id == MADE_UP:
            person.id = user.identity_id
            self.oracle.add_person(person)
            target = ("identity", person.id, person.email)
            self.oracle.system_events.append(self.event("identity.created", "c", owner, target))
        seat = Seat(user.id, owner.account, person, username, role, told(user.created_at))
        self.oracle.add_seat(seat)
        self.happened(
            owner.account,
            "user.created",
            "c",
            owner,
            ("user", seat.id, username),
            data={"roles": [role]},
        )
        return seat

    def actor_of(self, seat: Seat) -> Actor:
        held: frozenset[Permission] = SYSTEM_ROLES[seat.role]
        return Actor(
            "user", seat.id, seat.username, seat.account.id, held, identity_id=seat.person.id
        )

    def in_account(self, account: Account) -> Any:
        """Let services work inside an account, as a command or a job does."""
        from contextlib import ExitStack

        stack = ExitStack()
        stack.enter_context(self.world.house.in_use())
        stack.enter_context(context.calling_from(context.CallContext("job")))
        stack.enter_context(enter_account(account.id))
        return stack

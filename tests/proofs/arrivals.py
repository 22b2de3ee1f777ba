"""How people come to be in the state machine: they register, and are given seats in one account or two."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from saas import context
from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import user_services
from tenants import enter_account
from tests.proofs import unrestricted
from tests.proofs.machine import MADE_UP, STRONG, Call, Machine
from tests.proofs.oracle import Account, Person, Seat, Visit, new_mark
from tests.proofs.world import told
from tests.proofs.wsgi import Browser


class Arrivals(Machine):
    """Three accounts, each with an owner; two people sit in two of them, and two in one."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = (self.register_new() for _ in range(3))
        self.seat_new(first, "member")
        self.seat_new(second, "viewer")
        self.seat_in(self.seat_new(first, "member"), second, "admin")
        self.seat_in(self.seat_new(second, "viewer"), third, "member")

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
        stack = ExitStack()
        stack.enter_context(self.world.house.in_use())
        stack.enter_context(context.calling_from(context.CallContext("job")))
        stack.enter_context(enter_account(account.id))
        return stack

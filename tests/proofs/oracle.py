"""The oracle: what the product must hold and answer, in plain dictionaries and lists.

Every text carries the mark of the account or person it belongs to, so that one look at an answer
tells whether anything foreign is in it.
"""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from saas.permissions import SYSTEM_ROLES, Permission

MARK = re.compile(r"zq[0-9a-f]{8}")
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


_made: set[str] = set()  # every mark of this process, those of earlier examples too


def new_mark() -> str:
    mark = "zq" + secrets.token_hex(4)
    _made.add(mark)
    return mark


@dataclass(eq=False)
class Account:
    id: UUID
    name: str
    mark: str
    status: str = "active"
    roles_version: int = 1
    projects: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    seats: list[Seat] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Person:
    id: UUID
    email: str
    password: str
    mark: str
    seats: list[Seat] = field(default_factory=list)
    browsers: list[Visit] = field(default_factory=list)


@dataclass(eq=False)
class Seat:
    id: UUID
    account: Account
    person: Person
    username: str
    role: str
    created_at: str
    status: str = "active"
    used: int = 0  # the number of the sign-in that used it last

    @property
    def open(self) -> bool:
        return self.status == self.account.status == "active"


@dataclass(eq=False)
class Session:
    """A row of ``sessions``."""

    id: UUID
    token_hash: str
    seat: Seat
    user_agent: str


@dataclass(eq=False)
class Visit:
    """One browser of a person, and the session its cookie names, dead or alive."""

    person: Person
    browser: Any
    session: Session | None = None


class Oracle:
    """Three accounts and those that join them, their people, and everything that happened so far."""

    def __init__(self) -> None:
        self.accounts: dict[UUID, Account] = {}
        self.people: list[Person] = []
        self.sessions: dict[UUID, Session] = {}
        self.system_events: list[dict[str, Any]] = []
        self.sign_ins = 0
        self.owners: dict[str, set[str]] = {}  # id → marks of whom it belongs to

    # -- who may ---------------------------------------------------------------------------------

    def seat_of(self, visit: Visit) -> Seat | None:
        """The seat a browser is signed in to, if its session is alive."""
        session = visit.session
        if session is None or session.id not in self.sessions or not session.seat.open:
            return None
        return session.seat

    def refusal(self, visit: Visit, permission: Permission | None = None) -> int | None:
        """The error code of a route that asks for a permission (None: for a sign-in); None if it opens."""
        seat = self.seat_of(visit)
        if seat is None:
            return 40102
        return None if permission is None or permission in SYSTEM_ROLES[seat.role] else 40301

    def entered_by_sign_in(self, person: Person) -> Seat | int:
        """The seat a sign-in enters: the one used last; or the code of the refusal."""
        if not person.seats:
            return 40302
        seats = sorted(person.seats, key=lambda s: (s.used == 0, -s.used, s.id.bytes))
        return next((seat for seat in seats if seat.open), 40304)

    # -- what happens ----------------------------------------------------------------------------

    def add_account(self, account: Account) -> None:
        self.accounts[account.id] = account
        self.owners[str(account.id)] = {account.mark}

    def add_person(self, person: Person) -> None:
        self.people.append(person)
        self.owners[str(person.id)] = {person.mark}

    def add_seat(self, seat: Seat) -> None:
        seat.account.seats.append(seat)
        seat.person.seats.append(seat)
        self.owners[str(seat.id)] = {seat.account.mark}

    def begin_session(self, visit: Visit, session: Session) -> None:
        self.sign_ins += 1
        session.seat.used = self.sign_ins
        self.sessions[session.id] = visit.session = session
        self.owners[str(session.id)] = {session.seat.person.mark, session.seat.account.mark}

    def end_sessions(self, gone: Iterable[Session]) -> None:
        for session in list(gone):
            self.sessions.pop(session.id, None)

    def sessions_of(self, person: Person) -> list[Session]:
        """A person's sessions, newest first."""
        own = [s for s in self.sessions.values() if s.seat.person is person]
        return sorted(own, key=lambda s: s.id.bytes, reverse=True)

    # -- what may be seen ------------------------------------------------------------------------

    def visible(self, seat: Seat | None, person: Person, everywhere: bool) -> set[str]:
        """The marks an answer may hold: of the account and its people, or of all of one person's."""
        marks = {person.mark}
        seats = person.seats if everywhere else [seat] if seat else []
        for each in seats:
            marks.add(each.account.mark)
        if seat is not None:
            marks |= {other.person.mark for other in seat.account.seats}
        return marks

    def foreign(self, text: str, visible: set[str]) -> list[str]:
        """What stands in a text and belongs to none of the marks."""
        # Of those that were made: a signed cookie is random, and looks like a mark at one place in some million.
        found = [mark for mark in MARK.findall(text) if mark in _made and mark not in visible]
        return found + [i for i in ID.findall(text) if not self.owners.get(i, visible) & visible]

    # -- what must be stored ---------------------------------------------------------------------

    def tables(self) -> dict[str, set[tuple[Any, ...]]]:
        """Every row that must be there, as the columns named in ``COLUMNS``."""
        held: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
        for account in self.accounts.values():
            held["accounts"].add((account.id, account.name, account.status, account.roles_version))
            held["audit_heads"].add((account.id, len(account.events)))
            held["roles"] |= {(account.id, key, key) for key in SYSTEM_ROLES}
            for project_id, row in account.projects.items():
                times = (row["created_at"], row["updated_at"])
                text = (row["name"], row["description"])
                held["projects"].add((account.id, project_id, *text, *times))
            for seat in account.seats:
                who = (seat.id, seat.person.id, seat.username, seat.status, seat.created_at)
                held["users"].add((account.id, *who))
                held["users_x_roles"].add((account.id, seat.id, seat.role))
        for person in self.people:
            held["identities"].add((person.id, person.email.lower(), person.email))
        for session in self.sessions.values():
            seat = session.seat
            owner = (seat.person.id, seat.account.id, seat.id)
            held["sessions"].add((session.id, session.token_hash, *owner, session.user_agent))
        return held


COLUMNS = {
    "accounts": ("account_id", "name", "status", "roles_version"),
    "audit_heads": ("account_id", "seq"),
    "roles": ("account_id", "name", "system_key"),
    "projects": ("account_id", "id", "name", "description", "created_at", "updated_at"),
    "users": ("account_id", "id", "identity_id", "username", "status", "created_at"),
    "users_x_roles": ("account_id", "user_id", "role"),
    "identities": ("id", "email_key", "email"),
    "sessions": ("id", "token_hash", "identity_id", "account_id", "user_id", "user_agent"),
}

"""What the machine reads: lists page by page, single rows by own, foreign and made-up ids, the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from saas.permissions import SYSTEM_ROLES, Permission
from tests.proofs.machine import MADE_UP
from tests.proofs.oracle import Account, Seat, Visit
from tests.proofs.people_rules import PICK, WHO
from tests.proofs.staff_rules import StaffRules

LISTS: dict[str, Permission | None] = {
    "projects": Permission.PROJECT_READ,
    "users": Permission.USER_READ,
    "roles": Permission.ROLE_READ,
    "sessions": None,
    "audit-events": Permission.AUDIT_READ,
}
MOST_PAGES = 4


class ListRules(StaffRules):
    """Rules that change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.cursors: dict[str, tuple[UUID, str]] = {}

    @rule(who=WHO, kind=st.sampled_from(sorted(LISTS)), size=PICK)
    def walk_a_list(self, who: int, kind: str, size: int) -> None:
        """Follow the cursors of a list; every page is what the oracle has there."""
        visit = self.pick(who)
        limit = 1 + size % (40 if kind == "audit-events" else 6)
        query: dict[str, Any] = {"limit": limit}
        expected: list[Any] = []
        for page in range(MOST_PAGES):
            answer = self.send(visit, "GET", f"/api/{kind}", query=urlencode(query))
            if self.refused(answer, self.oracle.refusal(visit, LISTS[kind])):
                return
            seat = self.oracle.seat_of(visit)
            assert seat is not None
            expected = self.rows_of(kind, visit, seat)
            part = expected[page * limit : (page + 1) * limit]
            self.same_rows(kind, answer.json["data"], part)
            query["cursor"] = answer.json["next_cursor"]
            assert (query["cursor"] is None) == ((page + 1) * limit >= len(expected))
            if query["cursor"] is None:
                return
            owner = visit.person.id if kind == "sessions" else seat.account.id
            self.cursors[kind] = (owner, query["cursor"])

    @rule(who=WHO, kind=st.sampled_from(sorted(LISTS)), other=st.sampled_from(sorted(LISTS)))
    def use_a_foreign_cursor(self, who: int, kind: str, other: str) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        if other not in self.cursors:
            return
        owner, cursor = self.cursors[other]
        answer = self.send(visit, "GET", f"/api/{kind}", query=urlencode({"cursor": cursor}))
        code = self.oracle.refusal(visit, LISTS[kind])
        own = seat and owner == (visit.person.id if kind == "sessions" else seat.account.id)
        if code or not (own and kind == other):
            assert self.refused(answer, code or 42201)

    def rows_of(self, kind: str, visit: Visit, seat: Seat) -> list[Any]:
        """Every row of a list, in its order, as the oracle has it."""
        makers: dict[str, Callable[[], list[Any]]] = {
            "projects": lambda: newest(list(seat.account.projects.values())),
            "users": lambda: newest([user_row(s) for s in seat.account.seats]),
            "roles": lambda: [None] * len(SYSTEM_ROLES),
            "sessions": lambda: [
                {
                    "id": str(s.id),
                    "ip": "127.0.0.1",
                    "user_agent": s.user_agent,
                    "current": s is visit.session,
                }
                for s in self.oracle.sessions_of(visit.person)
            ],
            "audit-events": lambda: seat.account.events[::-1],
        }
        return makers[kind]()

    def same_rows(self, kind: str, found: list[dict[str, Any]], expected: list[Any]) -> None:
        """Compare rows in the columns that the oracle knows (all, but for times of sessions and hashes of events)."""
        assert len(found) == len(expected), f"{kind}: {len(found)} rows instead of {len(expected)}"
        for row, known in zip(found, expected, strict=True):
            if known is None:
                assert row["permissions"] == sorted(p.value for p in SYSTEM_ROLES[row["name"]])
                continue
            differing = {key: (row[key], known[key]) for key in known if row[key] != known[key]}
            assert not differing, f"{kind}: {differing}"
            if kind in ("projects", "users"):
                assert row.keys() == known.keys()
            elif kind == "audit-events":
                known["id"] = row["id"]  # made by the product: from now on it stays

    @rule(who=WHO, what=PICK)
    def read_user(self, who: int, what: int) -> None:
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        seats = [
            *(seat.account.seats if seat else []),
            *(s for p in self.oracle.people for s in p.seats),
            None,
        ]
        wanted = seats[what % len(seats)]
        path = f"/api/users/{wanted.id if wanted else MADE_UP}"
        answer = self.send(visit, "GET", path, route="/api/users/<uuid:user_id>")
        found = seat is not None and wanted in seat.account.seats
        code = self.oracle.refusal(visit, Permission.USER_READ) or (None if found else 40401)
        if not self.refused(answer, code):
            assert wanted is not None
            assert answer.json == {"data": user_row(wanted)}

    @rule(who=WHO, where=PICK, what=PICK)
    def read_event(self, who: int, where: int, what: int) -> None:
        """Read one event, of any account, by the id that its list has told."""
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        account: Account = list(self.oracle.accounts.values())[where % len(self.oracle.accounts)]
        seen = [event for event in account.events if "id" in event]
        known = seen[what % len(seen)] if seen else None
        path = f"/api/audit-events/{known['id'] if known else MADE_UP}"
        answer = self.send(visit, "GET", path, route="/api/audit-events/<uuid:event_id>")
        own = seat is not None and known is not None and seat.account is account
        code = self.oracle.refusal(visit, Permission.AUDIT_READ) or (None if own else 40401)
        if not self.refused(answer, code):
            assert known is not None
            self.same_rows("audit-events", [answer.json["data"]], [known])

    @rule(who=WHO, how=PICK, what=PICK)
    def filter_events(self, who: int, how: int, what: int) -> None:
        """Ask for events after a number, of an action, or about a target that may be foreign."""
        visit = self.pick(who)
        seat = self.oracle.seat_of(visit)
        events = seat.account.events if seat else []
        every = [event for account in self.oracle.accounts.values() for event in account.events]
        other = every[what % len(every)]
        number = what % (len(events) + 2)
        kinds = 4 if other["actor_id"] and other["target_id"] else 3 if other["target_id"] else 2
        matches, query = [
            (events[number:], {"after_seq": number}),
            (
                [e for e in events[::-1] if e["action"] == other["action"]],
                {"action": other["action"]},
            ),
            (
                [e for e in events[::-1] if e["target_id"] == other["target_id"]],
                {"target_id": other["target_id"]},
            ),
            (
                [e for e in events[::-1] if e["actor_id"] == other["actor_id"]],
                {"actor_id": other["actor_id"]},
            ),
        ][how % kinds]
        answer = self.send(
            visit, "GET", "/api/audit-events", query=urlencode({**query, "limit": 30})
        )
        if not self.refused(answer, self.oracle.refusal(visit, Permission.AUDIT_READ)):
            self.same_rows("audit-events", answer.json["data"], matches[:30])

    @rule(who=WHO)
    def read_session(self, who: int) -> None:
        visit = self.pick(who)
        seat, person = self.oracle.seat_of(visit), visit.person
        answer = self.send(visit, "GET", "/api/session", everywhere=True)
        if self.refused(answer, self.oracle.refusal(visit)):
            return
        assert seat is not None
        seats = sorted(person.seats, key=lambda s: (s.used == 0, -s.used, s.id.bytes))
        assert answer.json["data"] == {
            "user": {"id": str(seat.id), "username": seat.username, "email": person.email},
            "account": {"id": str(seat.account.id), "name": seat.account.name},
            "roles": [seat.role],
            "permissions": sorted(p.value for p in SYSTEM_ROLES[seat.role]),
            "accounts": [
                {
                    "id": str(s.account.id),
                    "name": s.account.name,
                    "username": s.username,
                    "current": s is seat,
                }
                for s in seats
                if s.open
            ],
        }


def newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by id, the newest first: ids are ordered by time."""
    return sorted(rows, key=lambda row: UUID(row["id"]).bytes, reverse=True)


def user_row(seat: Seat) -> dict[str, Any]:
    return {
        "id": str(seat.id), "username": seat.username, "email": seat.person.email, "status": seat.status,
        "roles": [seat.role], "created_at": seat.created_at,
    }  # fmt: skip

"""Races for roles, seats and keys: whoever comes first wins, and in every trial the invariants hold.

The naive variant leaves out the lock of the account's row and nothing else; it must break, or these trials would
prove nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from saas import errors
from saas.actor import Actor
from saas.models import Account, AuditEventRow, Identity, OutboxItem, Role, User, UserRole
from saas.permissions import SYSTEM_ROLES, Permission, require
from saas.services import guards
from saas.unit import Unit
from tests import acts, people
from tests.acts import give_role, make_key, make_role, role_ids
from tests.house import House
from tests.notes import note
from tests.people import Person, fresh_email
from tests.refusals import look

TRIALS, PROOF_TRIALS = 20, 1000
NAIVE_TRIALS = (
    300  # it breaks in about every second trial; so many without a break would be a wonder
)
AT_ONCE = 20
_events, _users, _held = AuditEventRow.__table__.c, User.__table__.c, UserRole.__table__.c
Seen = Counter[tuple[int, ...]]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make every call at the same instant, each in a thread of its own; returns the answers in order."""
    barrier = threading.Barrier(len(calls))
    answers: dict[int, Any] = {}

    def run(number: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        answers[number] = call()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(calls))]


def statuses(answers: list[Any]) -> tuple[int, ...]:
    return tuple(answer.status_code for answer in answers)


def owners(house: House, account_id: UUID) -> int:
    """Count the active owners of an account, past every policy."""
    roles = Role.__table__
    counted = (
        select(func.count())
        .select_from(UserRole.__table__)
        .join(roles, (roles.c.account_id == _held.account_id) & (roles.c.id == _held.role_id))
        .join(
            User.__table__, (_users.account_id == _held.account_id) & (_users.id == _held.user_id)
        )
        .where(_held.account_id == account_id, roles.c.system_key == "owner")
        .where(_users.status == "active")
    )
    return int(look(house, counted)[0][0])


def events(house: House, account_id: UUID, after: int = 0) -> list[Any]:
    """Return what the account's log tells since ``after``, past every policy; its numbers have no gap."""
    table = AuditEventRow.__table__
    chosen = select(table).where(_events.account_id == account_id, _events.seq > after)
    rows = look(house, chosen.order_by(_events.seq))
    assert [row.seq for row in rows] == list(range(after + 1, after + 1 + len(rows)))
    return rows


def tell(house: House, race: str, trials: int, seen: Seen) -> None:
    """Leave the figures of a race for the last lines of the run."""
    ends = ", ".join(f"{'/'.join(map(str, end))} {times}×" for end, times in seen.most_common(4))
    note(
        "proof",
        f"race: {race}: {house.backend}: {trials} trials, invariants held in each; answers {ends}",
    )


class Pair:
    """An account with two owners."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ada = people.register(house, "ada")
        self.ben = people.add(house, self.ada, "ben", "owner")
        self.account_id = self.ada.account_id
        self.owner = role_ids(self.ada)["owner"]

    def demotion(self, by: Person, whom: Person) -> Callable[[], Any]:
        return partial(by.delete, f"/api/users/{whom.user_id}/roles/{self.owner}")

    def demote_each_other(self) -> list[Any]:
        return at_once(self.demotion(self.ada, self.ben), self.demotion(self.ben, self.ada))

    def owners(self) -> int:
        return owners(self.house, self.account_id)


def race_of_demotions(house: House, trials: int) -> Seen:
    """Two owners demote each other; whoever comes first stays and makes the other one an owner again."""
    pair, seen = Pair(house), Seen()
    for _ in range(trials):
        answers = pair.demote_each_other()
        assert pair.owners() == 1
        assert sorted(statuses(answers)) == [200, 403]
        seen[statuses(answers)] += 1
        first, second = (
            (pair.ada, pair.ben) if answers[0].status_code == 200 else (pair.ben, pair.ada)
        )
        give_role(first, second, pair.owner)
    made = Counter(event.action for event in events(house, pair.account_id))
    assert made["role.revoked"] == trials
    return seen


def race_of_leaving(house: House, trials: int) -> Seen:
    """One owner leaves while the other steps down: one of the two cannot."""
    pair, seen = Pair(house), Seen()
    for _ in range(trials):
        ada, ben = pair.ada, pair.ben
        answers = at_once(partial(ada.post, "/api/account/leave"), pair.demotion(ben, ben))
        assert pair.owners() == 1
        assert sorted(statuses(answers)) == [200, 409]
        seen[statuses(answers)] += 1
        if answers[0].status_code == 200:
            pair.ada = people.add(house, ben, "ada", "owner", email=ada.email)
        else:
            give_role(ada, ben, pair.owner)
    return seen


def race_of_acceptances(house: House, trials: int) -> Seen:
    """One invitation, accepted twenty times at once by somebody new."""
    ada, seen = people.register(house, "ada"), Seen()
    for trial in range(trials):
        email, name = fresh_email("dora"), f"dora{trial}"
        before = events(house, ada.account_id)[-1].seq
        token = invited(house, ada, email)
        clients = [house.app.test_client() for _ in range(AT_ONCE)]
        answers = at_once(*(partial(acts.accept, client, token, name) for client in clients))
        ends = Counter(statuses(answers))
        assert ends[201] == 1
        assert set(ends) <= {201, 409, 410}
        seen[tuple(sorted(ends))] += 1
        assert len(look(house, select(Identity.id).where(Identity.email == email))) == 1
        here = (User.account_id == ada.account_id, User.username == name)
        assert len(look(house, select(User.id).where(*here))) == 1
        told = [event.action for event in events(house, ada.account_id, before)]
        assert told == ["invitation.created", "invitation.accepted", "session.created"]
    return seen


def invited(house: House, person: Person, email: str) -> str:
    """Invite an address and take the token out of the outbox: no worker runs here."""
    acts.invite(person, email, "viewer")
    box = OutboxItem.__table__.c
    waiting = select(box.payload).where(box.account_id == person.account_id, box.done_at.is_(None))
    payload = look(house, waiting.order_by(box.id.desc()).limit(1))[0].payload
    assert payload["to"] == email
    return str(payload["token"])


def race_of_a_role(house: House, trials: int) -> Seen:
    """A role is changed, given and deleted at once: nothing happens to it after its end, and nobody keeps it."""
    ada, seen = people.register(house, "ada"), Seen()
    ben, eve = (people.add(house, ada, name, "owner") for name in ("ben", "eve"))
    cleo = people.add(house, ada, "cleo", "viewer")
    for trial in range(trials):
        role_id = make_role(ada, f"role {trial}", "audit:read")
        before = events(house, ada.account_id)[-1].seq
        path, gift = f"/api/roles/{role_id}", f"/api/users/{cleo.user_id}/roles"
        answers = at_once(
            partial(ada.patch, path, {"permissions": ["project:create"]}),
            partial(ben.post, gift, {"role_id": role_id}),
            partial(eve.delete, path),
        )
        edited, given, deleted = statuses(answers)
        assert (edited in (200, 404), given in (201, 404), deleted) == (True, True, 200)
        seen[statuses(answers)] += 1
        assert look(house, select(Role.id).where(Role.id == UUID(role_id))) == []
        assert look(house, select(_held.user_id).where(_held.role_id == UUID(role_id))) == []
        assert acts.permissions_of(cleo) == SYSTEM_ROLES["viewer"]
        told = [event.action for event in events(house, ada.account_id, before)]
        assert told[-1] == "role.deleted"
        assert told.count("role.updated") == (edited == 200)
        assert told.count("role.granted") == (given == 201)
    return seen


def race_of_a_key(house: House, trials: int) -> Seen:
    """A key is revoked while it is used: whole or not at all, and nothing once its end was told."""
    ada, seen = people.register(house, "ada"), Seen()
    for trial in range(trials):
        script = make_key(house, ada, "project:create", "role:create")
        before = events(house, ada.account_id)[-1].seq
        hands = [replace(script, client=house.app.test_client()) for _ in range(6)]
        uses = [
            partial(hand.post, "/api/roles", {"name": f"r {trial} {n}", "permissions": []})
            if n % 2
            else partial(hand.post, "/api/projects", {"name": f"p {trial} {n}"})
            for n, hand in enumerate(hands)
        ]
        *used, revoked = at_once(*uses, partial(ada.delete, f"/api/api-keys/{script.id}"))
        assert revoked.status_code == 200
        assert set(statuses(used)) <= {201, 401, 403}
        seen[tuple(sorted(set(statuses(used))))] += 1
        told = events(house, ada.account_id, before)
        by_key = [e for e in told if e.actor_type == "api_key" and e.outcome == "success"]
        assert len(by_key) == statuses(used).count(201)
        (end,) = [event.seq for event in told if event.action == "api_key.revoked"]
        assert all(event.seq < end for event in by_key if event.action == "role.created")
        assert script.get("/api/projects").status_code == 401
    return seen


RACES: dict[str, Callable[[House, int], Seen]] = {
    "two owners demote each other": race_of_demotions,
    "one owner leaves, the other steps down": race_of_leaving,
    "an invitation accepted twenty times at once": race_of_acceptances,
    "a role changed and given while deleted": race_of_a_role,
    "a key revoked while used": race_of_a_key,
}


@pytest.mark.parametrize("race", RACES)
def test_the_first_wins_and_the_invariants_hold(house: House, race: str) -> None:
    tell(house, race, TRIALS, RACES[race](house, TRIALS))


@pytest.mark.proof
@pytest.mark.parametrize("race", RACES)
def test_the_invariants_hold_in_a_thousand_trials(house: House, race: str) -> None:
    tell(house, race, PROOF_TRIALS, RACES[race](house, PROOF_TRIALS))


def naive_lock_account(unit: Unit, actor: Actor, permission: Permission | None) -> Actor:
    """``guards.lock_account`` without the FOR UPDATE: what everybody writes first."""
    account_model: Account | None = unit.session.scalar(select(Account))
    if account_model is None or account_model.status != "active":
        raise errors.SuspendedError
    now = guards.reread(unit, actor)
    if permission is not None:
        require(now, permission)
    return now


def test_without_the_lock_an_account_is_left_without_an_owner(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite writes one transaction after the other, so there even the naive variant holds."""
    pair = Pair(house)
    monkeypatch.setattr(guards, "lock_account", naive_lock_account)
    broke_at = None
    for trial in range(1, (TRIALS if house.backend == "sqlite" else NAIVE_TRIALS) + 1):
        answers = pair.demote_each_other()
        left = pair.owners()
        if left == 0:
            broke_at = trial
            break
        if left == 1:
            one_stays = answers[0].status_code == 200
            first, second = (pair.ada, pair.ben) if one_stays else (pair.ben, pair.ada)
            give_role(first, second, pair.owner)

    note(
        "proof",
        f"race, naive, without the lock: {house.backend}: no owner left at trial {broke_at}",
    )
    assert (broke_at is None) == (house.backend == "sqlite")

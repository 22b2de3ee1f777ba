"""Twelve ways to tamper with a log, each done behind every guard, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Text, delete, insert, select, type_coerce, update

from saas.audit import canonical
from saas.audit.chain import link
from saas.models import AuditEventRow, AuditHead

EVENTS, HEADS = AuditEventRow.__table__, AuditHead.__table__
_FAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """The first bad seq that a chain must name (None: nothing), and the one that a copy from before must name."""

    by_chain: int | None
    by_copy: int | None


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one account, about to be tampered with; ``other``: another account. ``last``: its last seq."""

    connection: Connection
    account_id: UUID
    other: UUID
    last: int

    def mine(self, *more: Any) -> list[Any]:
        return [EVENTS.c.account_id == self.account_id, *more]

    def change(self, seq: int, /, **values: Any) -> None:
        done = self.connection.execute(
            update(EVENTS).where(*self.mine(EVENTS.c.seq == seq)).values(**values)
        )
        assert done.rowcount == 1

    def row(self, seq: int) -> dict[str, Any]:
        found = self.connection.execute(select(EVENTS).where(*self.mine(EVENTS.c.seq == seq)))
        return dict(found.one()._mapping)

    def move(self, seq: int, to: int) -> None:
        self.change(seq, seq=to)

    def relink(self, first: int) -> str:
        """Make digests and links anew from one event on, as somebody would who knows how; the last hash."""
        rows = self.connection.execute(
            canonical.select_events(EVENTS).where(*self.mine(EVENTS.c.seq >= first)).order_by("seq")
        ).all()
        prev = rows[0][1]
        for row in rows:
            digest = canonical.digest(canonical.of_row(row[4:]))
            linked = link(prev, row[0], digest)
            self.change(row[0], prev=prev, digest=digest, hash=linked)
            prev = linked
        return prev

    def set_head(self, **values: Any) -> None:
        self.connection.execute(
            update(HEADS).where(HEADS.c.account_id == self.account_id).values(**values)
        )

    def event_of(self, account_id: UUID, number: int) -> dict[str, Any]:
        found = select(EVENTS).where(EVENTS.c.account_id == account_id).order_by(EVENTS.c.seq)
        return dict(self.connection.execute(found.offset(number).limit(1)).one()._mapping)


def edit_field(log: Log, k: int) -> Found:
    log.change(k, actor_label="somebody else")
    return Found(k, None)


def edit_spacing(log: Log, k: int) -> Found:
    text = log.connection.scalar(
        select(type_coerce(EVENTS.c.targets, Text)).where(*log.mine(EVENTS.c.seq == k))
    )
    spaced = text.replace("[", "[ ", 1)
    log.change(k, targets=type_coerce(spaced, Text))
    return Found(k, None)


def delete_one(log: Log, k: int) -> Found:
    log.connection.execute(delete(EVENTS).where(*log.mine(EVENTS.c.seq == k)))
    return Found(k, k)


def delete_tail(log: Log, k: int) -> Found:
    log.connection.execute(delete(EVENTS).where(*log.mine(EVENTS.c.seq >= k)))
    return Found(k, k)


def insert_one(log: Log, k: int) -> Found:
    """One more at the end, well linked, as the head does not know it."""
    row = log.row(log.last) | {
        "id": uuid4(),
        "seq": log.last + 1,
        "prev": log.row(log.last)["hash"],
    }
    log.connection.execute(insert(EVENTS).values(**row))
    log.relink(log.last + 1)
    return Found(log.last + 1, None)


def swap(log: Log, k: int) -> Found:
    k = min(k, log.last - 1)
    log.move(k, _FAR)
    log.move(k + 1, k)
    log.move(_FAR, k + 1)
    return Found(k, k)


def copy_from_another_account(log: Log, k: int) -> Found:
    """The content of another account's event in the place of one, under its own link."""
    foreign, own = log.event_of(log.other, k % 3), log.row(k)
    kept = {name: own[name] for name in ("account_id", "id", "seq", "prev", "hash", "digest")}
    log.change(k, **(foreign | kept))
    return Found(k, None)


def renumber(log: Log, k: int) -> Found:
    for seq in range(log.last, k - 1, -1):
        log.move(seq, seq + 1)
    log.set_head(seq=log.last + 1)
    return Found(k, k)


def rehash(log: Log, k: int) -> Found:
    """Everything from one event on is made anew; only the head still tells."""
    log.change(k, reason="made up")
    log.relink(k)
    return Found(log.last, k)


def rehash_with_head(log: Log, k: int) -> Found:
    log.change(k, reason="made up")
    log.set_head(hash=log.relink(k))
    return Found(None, k)


def replace_head(log: Log, k: int) -> Found:
    log.set_head(hash=f"{k:064x}")
    return Found(log.last, None)


def change_the_clock(log: Log, k: int) -> Found:
    log.change(k, time=log.row(k)["time"] + timedelta(microseconds=1))
    return Found(k, None)


def roll_back(log: Log, k: int) -> Found:
    """As a backup that was put back would: events and head of an earlier moment."""
    k = min(k, log.last - 1)
    log.connection.execute(delete(EVENTS).where(*log.mine(EVENTS.c.seq > k)))
    log.set_head(seq=k, hash=log.row(k)["hash"])
    return Found(None, k + 1)


KINDS: Sequence[Callable[[Log, int], Found]] = (
    edit_field, edit_spacing, delete_one, delete_tail, insert_one, swap, copy_from_another_account,
    renumber, rehash, rehash_with_head, replace_head, change_the_clock, roll_back,
)  # fmt: skip

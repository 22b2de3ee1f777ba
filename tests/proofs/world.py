"""The world a state machine runs in: one house of its own, an eye on its whole database, and the counting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from tests import databases, house
from tests.house import House
from tests.proofs import unrestricted
from tests.proofs.oracle import COLUMNS, Oracle


class World:
    """What every example of one test shares: the house, and what all examples so far must have stored."""

    def __init__(self, house: House, eye: Connection) -> None:
        self.house = house
        self.eye = eye
        self.examples = 0
        self.operations = 0
        self.outcomes: Counter[str] = Counter()
        self.expected: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
        self.system_events: list[dict[str, Any]] = []

    def check_example(self, oracle: Oracle) -> None:
        """Compare the rows of one example's accounts and people with its oracle, chains included."""
        accounts, people = set(oracle.accounts), {person.id for person in oracle.people}
        stored = stored_rows(self.eye, accounts, people)
        # Events first: what differs in them says more than a head that counts one too many.
        events = unrestricted.rows(self.eye, "audit_events", account_id=accounts)
        for account in oracle.accounts.values():
            own = [row for row in events if row["account_id"] == account.id]
            check_events(own, account.events)
        for table, rows in oracle.tables().items():
            differing = rows ^ stored[table]
            assert not differing, f"{table}: {differing}"
        unrestricted.check_chains(self.eye, accounts)

    def remember(self, oracle: Oracle) -> None:
        """Add what one example must leave behind to what the whole database must hold."""
        self.examples += 1
        self.system_events += oracle.system_events
        for table, rows in oracle.tables().items():
            self.expected[table] |= rows

    def check_whole_database(self) -> int:
        """Compare every row of the database with every oracle; how many events were verified."""
        stored = stored_rows(self.eye)
        for table in COLUMNS:
            differing = self.expected[table] ^ stored[table]
            assert not differing, f"{table}: {len(differing)} rows, such as {list(differing)[:3]}"
        check_events(unrestricted.rows(self.eye, "system_events"), self.system_events)
        return unrestricted.check_chains(self.eye)


@contextmanager
def world(backend: str, directory: Path, label: str, **settings: Any) -> Iterator[World]:
    """Make a database of its own, empty but for what the examples do; raises DatabaseMissingError."""
    with databases.empty_database(backend, directory, label) as urls:
        built = house.build(urls, directory, **settings)
        try:
            with unrestricted.looking(urls) as eye:
                yield World(built, eye)
        finally:
            built.database.dispose()


def stored_rows(
    eye: Connection, accounts: Iterable[UUID] | None = None, people: Iterable[UUID] | None = None
) -> dict[str, set[tuple[Any, ...]]]:
    """Every row, or those of these accounts and people, as the columns that the oracle names."""
    stored = {}
    names = {row["id"]: row["name"] for row in unrestricted.rows(eye, "roles", **_owned(accounts))}
    for table, columns in COLUMNS.items():
        where = _owned(accounts)
        if people is not None and table in ("identities", "sessions"):
            where = {"id" if table == "identities" else "identity_id": people}
        found = unrestricted.rows(eye, table, **where)
        held = [{**row, "role": names.get(row.get("role_id"))} for row in found]
        stored[table] = {tuple(told(row[column]) for column in columns) for row in held}
    return stored


def _owned(accounts: Iterable[UUID] | None) -> dict[str, Any]:
    return {} if accounts is None else {"account_id": accounts}


def told(value: Any) -> Any:
    """A time as answers write it; everything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def check_events(rows: Iterable[Any], expected: list[dict[str, Any]]) -> None:
    """Compare events, in the order of ``seq``, with those that had to be recorded."""
    found = sorted(rows, key=lambda row: row["seq"])
    told, wanted = [row["action"] for row in found], [event["action"] for event in expected]
    same = next(
        (n for n, pair in enumerate(zip(told, wanted, strict=False)) if len(set(pair)) > 1), 0
    )
    assert told == wanted, f"after {same} alike: {told[same:]} instead of {wanted[same:]}"
    for row, event in zip(found, expected, strict=True):
        held = {key: str(row[key]) if isinstance(row[key], UUID) else row[key] for key in event}
        differing = {key: (held[key], event[key]) for key in event if held[key] != event[key]}
        assert not differing, f"event {row['seq']} {row['action']}: {differing}"

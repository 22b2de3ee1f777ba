"""What the statement guard costs: the same statement with and without it, and written by hand, in one run.

Each pair is measured in turns, so a busy machine is busy for both; the median of the ratios is what counts. CPU
time of this process, so a database server's own work is not in it. ``python -m benchmarks.guard_cost``
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, bindparam, create_engine, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import OWNERSHIP, Account, Base, Project
from tenants import enter_account, guard
from tenants.session import TenantSession
from tests import databases

PROJECTS = Project.__table__
COLUMNS = (PROJECTS.c.id, PROJECTS.c.name, PROJECTS.c.description)
# Prepared once, as the product's fast path prepares them.
PREPARED = (
    select(*COLUMNS)
    .where(PROJECTS.c.account_id == bindparam("account_id"))
    .order_by(PROJECTS.c.id)
    .limit(20)
)
Work = Callable[[], object]


@contextmanager
def engines(backend: str) -> Iterator[tuple[Engine, Engine]]:
    """Make a plain and a guarded engine on one database that holds our schema; both speak to it alike."""
    with ExitStack() as stack:
        if backend == "sqlite":
            plain = create_engine("sqlite://", poolclass=StaticPool)
            raw = plain.raw_connection().driver_connection
            guarded = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: raw)
        else:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls = stack.enter_context(databases.empty_database(backend, directory, "bench"))
            plain, guarded = (create_engine(urls.superuser_url) for _ in range(2))
        guard.install(guarded, OWNERSHIP)
        Base.metadata.create_all(plain)
        yield plain, guarded
        plain.dispose()
        guarded.dispose()


def fill(engine: Engine) -> UUID:
    """Make one account with 20 projects, and return its id."""
    account_id = uuid7()
    now = utc_now()
    times = {"created_at": now, "updated_at": now}
    projects = [
        {"account_id": account_id, "id": uuid7(), "name": f"project {n}", "description": ""} | times
        for n in range(20)
    ]
    with engine.begin() as connection:
        account = {"account_id": account_id, "name": "acme", "created_at": now}
        connection.execute(insert(Account.__table__), [account])
        connection.execute(insert(PROJECTS), projects)
    return account_id


def prepared(connection: Connection, account_id: UUID) -> Work:
    """Run the prepared Core statement."""
    own = {"account_id": account_id}
    return lambda: connection.execute(PREPARED, own).all()


def by_hand(connection: Connection, account_id: UUID) -> Work:
    """Build the statement anew for each call, with its WHERE written by hand."""

    def work() -> object:
        statement = select(*COLUMNS).where(PROJECTS.c.account_id == account_id)
        return connection.execute(statement.order_by(PROJECTS.c.id).limit(20)).all()

    return work


def entities(session: Session, *criteria: Any) -> Work:
    """Select models through a session; they are forgotten after each call."""

    def work() -> object:
        found = session.scalars(
            select(Project).where(*criteria).order_by(Project.id).limit(20)
        ).all()
        session.expunge_all()
        return found

    return work


def rows(connection: Connection, account_id: UUID) -> Work:
    """Insert one row and take it back."""
    now = utc_now()
    row = {"account_id": account_id, "description": "", "created_at": now, "updated_at": now}
    statement = insert(PROJECTS)

    def work() -> object:
        return connection.execute(statement, row | {"id": uuid7(), "name": str(uuid7())})

    return work


def compare(one: Work, other: Work, rounds: int, calls: int) -> tuple[float, float, float]:
    """Return CPU microseconds of one call of each, and the median ratio of one over the other."""
    pairs = []
    for number in range(rounds + 2):
        turns = [one, other] if number % 2 else [other, one]
        spent = {work: _seconds(work, calls) for work in turns}
        pairs.append((spent[one] / calls * 1e6, spent[other] / calls * 1e6))
    pairs = pairs[2:]  # the first rounds fill caches
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def _seconds(work: Work, calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - began


def measure(backend: str, rounds: int, calls: int) -> Iterator[tuple[str, float, float, float]]:
    """Yield each comparison: what, CPU microseconds with and without, median ratio."""
    with ExitStack() as stack:
        plain, guarded = stack.enter_context(engines(backend))
        account_id = fill(plain)
        stack.enter_context(enter_account(account_id))
        bare = stack.enter_context(plain.connect())
        safe = stack.enter_context(guarded.connect())
        tenant = stack.enter_context(TenantSession(safe, account_id))
        loose = stack.enter_context(Session(bare))
        own = Project.account_id == account_id
        pairs = {
            "prepared Core select: guarded / plain": (
                prepared(safe, account_id),
                prepared(bare, account_id),
            ),
            "prepared and guarded / built by hand, plain": (
                prepared(safe, account_id),
                by_hand(bare, account_id),
            ),
            "built by hand: guarded / plain": (
                by_hand(safe, account_id),
                by_hand(bare, account_id),
            ),
            "entities: all nets / WHERE by hand, plain": (entities(tenant), entities(loose, own)),
            "Core insert of a row: guarded / plain": (
                rows(safe, account_id),
                rows(bare, account_id),
            ),
        }
        for what, (one, other) in pairs.items():
            yield what, *compare(one, other, rounds, calls)
        safe.rollback()
        bare.rollback()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=60)
    chosen = parser.parse_args()
    print("| | database | with | without | median ratio |\n|---|---|---|---|---|")
    for backend in ("sqlite", "postgresql"):
        for what, one, other, ratio in measure(backend, chosen.rounds, chosen.calls):
            print(f"| {what} | {backend} | {one:.0f} µs | {other:.0f} µs | ×{ratio:.2f} |")


if __name__ == "__main__":
    main()

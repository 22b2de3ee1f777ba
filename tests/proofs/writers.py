"""Writers at one SQLite file: each thread counts up in one row and in rows of its own, and says what was committed."""

from __future__ import annotations

import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from sqlalchemy import select

from saas import database
from saas.actor import system_actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.database import Database
from saas.models import Project
from tenants import enter_account


def count_up(account_id: UUID, counter_id: UUID, name: str) -> int:
    """Read the counter, write one more, and a row that names it, in one unit of work; the number written."""
    actor = system_actor(account_id, name)
    with enter_account(account_id), database.unit_of_work() as unit:
        counter = unit.session.scalars(select(Project).where(Project.id == counter_id)).one()
        number = int(counter.description) + 1
        counter.description = str(number)
        record(
            AuditEvent.PROJECT_UPDATED,
            actor=actor,
            target=counter,
            changes=changed(counter, "description"),
        )
        entry = Project(name=f"{number}", description=name)
        unit.session.add(entry)
        unit.flush()
        record(AuditEvent.PROJECT_CREATED, actor=actor, target=entry)
    return number


def read(account_id: UUID) -> int:
    """Read beside the writers, who must not keep readers waiting; how many rows there are."""
    with enter_account(account_id), database.reading() as unit:
        return len(unit.session.scalars(select(Project.id)).all())


def write(
    house: Database, account_id: UUID, counter_id: UUID, name: str, until: float
) -> list[int]:
    """Count up until the time is over; every number whose commit was acknowledged."""
    numbers = []
    with database.use(house):
        while time.time() < until:
            numbers.append(count_up(account_id, counter_id, name))
            read(account_id)
    return numbers


def main(name: str, url: str, account: str, counter: str, threads: str) -> None:
    """Say that we are ready, wait for the time to stop at, write with several threads, print the numbers."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    house = Database(url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    until = time.time() + float(sys.stdin.readline())
    with ThreadPoolExecutor(int(threads)) as pool:
        work = [
            pool.submit(write, house, UUID(account), UUID(counter), f"{name}.{n}", until)
            for n in range(int(threads))
        ]
    house.dispose()
    sys.stdout.write(json.dumps([number for each in work for number in each.result()]))


if __name__ == "__main__":
    main(*sys.argv[1:])

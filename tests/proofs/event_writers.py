"""A process of writers: each thread records events in one account, several in a unit of work, as fast as it can."""

from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from saas import database
from saas.actor import system_actor
from saas.audit.events import AuditEvent
from saas.audit.record import Target, record
from saas.database import Database
from tenants import enter_account

IN_A_UNIT = 10


def write(house: Database, account_id: UUID, events: int) -> int:
    """Record so many events in one account; returns how many were committed."""
    actor, written = system_actor(account_id, "writer"), 0
    with database.use(house), enter_account(account_id):
        while written < events:
            with database.unit_of_work():
                for number in range(IN_A_UNIT):
                    target = Target("project", str(uuid7()), f"{written + number}")
                    record(AuditEvent.PROJECT_UPDATED, actor=actor, target=target)
            written += IN_A_UNIT
    return written


def main(url: str, accounts: str, threads: str, events: str) -> None:
    """Say that we are ready, wait to be told, write with several threads, say how many were committed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    house, owners = Database(url), [UUID(each) for each in json.loads(accounts)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    each = int(events) // int(threads)
    with ThreadPoolExecutor(int(threads)) as pool:
        work = [
            pool.submit(write, house, owners[n % len(owners)], each) for n in range(int(threads))
        ]
    house.dispose()
    sys.stdout.write(json.dumps([done.result() for done in work]))


if __name__ == "__main__":
    main(*sys.argv[1:])

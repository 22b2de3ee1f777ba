"""No thread may hold one connection of a pool and wait for another: with the pool empty, two of them wait for ever.

The suite watches the pools of every house that it builds, whatever a test is about.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from saas.database import Database

found: list[str] = []


def watch(in_use: Database) -> None:
    """Note every thread that takes a second connection of one pool while it holds the first."""
    for pool in {in_use.tenant_engine.pool, in_use.system_engine.pool}:
        _watch(pool)


def _watch(pool: Pool) -> None:
    held: Counter[int] = Counter()
    # Kept here: what `entry.info` holds ends with a broken connection.
    holders: dict[ConnectionPoolEntry, int] = {}
    lock = threading.Lock()

    def taken(_: Any, entry: ConnectionPoolEntry, __: Any) -> None:
        thread = threading.get_ident()
        with lock:
            holders[entry] = thread
            held[thread] += 1
            nested = held[thread] > 1
        if nested:
            found.append("".join(traceback.format_stack(limit=30)))

    def given_back(_: Any, entry: ConnectionPoolEntry) -> None:
        with lock:
            # Without a holder where the database was away: given back, and never taken.
            if (thread := holders.pop(entry, None)) is not None:
                held[thread] -= 1

    event.listen(pool, "checkout", taken)
    event.listen(pool, "checkin", given_back)

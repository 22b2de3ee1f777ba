"""A writing transaction of the system engine, for what belongs to no account and no customer: operators.

It is a unit like every other: what changes is accounted for by an event of the system's chain, or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from saas import database
from saas.actor import NOWHERE
from saas.unit import Unit, find_unit


@contextmanager
def system_unit_of_work() -> Iterator[Unit]:
    """Open the transaction; change and events commit together or not at all.

    Raises RuntimeError inside another unit, UnauditedChangeError, DatabaseAwayError.
    """
    if find_unit() is not None:
        raise RuntimeError("a unit of the system engine inside another unit")
    engine = database.current_database().system_engine
    with database.whole(database.begin_unit(engine, NOWHERE)) as unit:
        yield unit

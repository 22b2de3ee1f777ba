"""One connection at a time: a reader that rests gives its own back, what has ended stays ended, and the watch sees."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from saas import database
from saas.models import Account
from saas.unit import NoUnitError
from tenants import enter_account
from tests import connections
from tests.house import House
from tests.people import Person

NAME = select(Account.__table__.c.name)


def names(unit: Any) -> list[str]:
    return [
        row[0]
        for row in unit.rows(NAME.where(Account.__table__.c.account_id == unit.account_id), {})
    ]


def test_a_second_connection_in_one_thread_is_seen(house: House) -> None:
    engine = house.database.tenant_engine
    with engine.connect(), engine.connect():
        pass

    assert len(connections.found) == 1
    connections.found.clear()


def test_a_reader_rests_while_another_unit_is_open_and_reads_on(house: House, ada: Person) -> None:
    with house.in_use(), enter_account(ada.account_id), database.reading() as outer:
        before = names(outer)
        with database.reading_apart() as inner:
            assert names(inner) == before
            assert house.database.tenant_engine.pool.checkedout() == 1  # type: ignore[attr-defined]
        assert names(outer) == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_unit_that_has_ended_is_not_begun_anew(
    house: House, ada: Person, read_only: bool
) -> None:
    with house.in_use(), enter_account(ada.account_id):
        unit = database.open_unit(read_only=read_only)
        database.close_unit(unit)
        unit.rest()

        with pytest.raises(NoUnitError):
            names(unit)

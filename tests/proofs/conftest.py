"""Fixtures of the proofs: an app with routes that go wrong, and the promise that nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests import databases, needs
from tests.house import House, Street
from tests.proofs import faults
from tests.proofs.wsgi import leftovers
from tests.variants import variant


@pytest.fixture(autouse=True)
def _nothing_stays_on_the_thread() -> Iterator[None]:
    """After every test of this folder its thread has no account, no unit and no log context."""
    yield
    assert leftovers() == {}


@pytest.fixture(scope="session")
def _faulty_houses() -> Iterator[Callable[[House], House]]:
    made: dict[str, House] = {}
    with ExitStack() as stack:

        def build(house: House) -> House:
            if house.backend not in made:
                made[house.backend] = stack.enter_context(variant(house))
                faults.add_to(made[house.backend].app)
            return made[house.backend]

        yield build


@pytest.fixture
def on_postgresql(street: Street) -> House:
    """The house on PostgreSQL, for proofs that one database is enough for."""
    try:
        return street.house("postgresql")
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


@pytest.fixture
def faulty(house: House, _faulty_houses: Callable[[House], House]) -> House:
    """The house with an app of its own that also has the routes of ``faults``."""
    return _faulty_houses(house)

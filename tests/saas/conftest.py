"""What the tests of the product share beyond the houses."""

from __future__ import annotations

import pytest

from tests import people
from tests.house import House
from tests.people import Person


@pytest.fixture
def solo(lite: House) -> Person:
    """Ada in the house on SQLite alone: for rules that are decided before any database is asked."""
    return people.register(lite, "ada")

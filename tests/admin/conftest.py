"""What the tests of the console share."""

from __future__ import annotations

import pytest

from tests.admin import desk
from tests.admin.desk import Desk
from tests.house import House


@pytest.fixture
def olga(house: House) -> Desk:
    """An administrator, signed in."""
    return desk.hire(house)


@pytest.fixture
def vic(house: House) -> Desk:
    """A viewer, signed in."""
    return desk.hire(house, "viewer")

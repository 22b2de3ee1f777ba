"""What the tests of the command line share."""

from __future__ import annotations

import pytest

from tests.command_line import Run, runner
from tests.house import House


@pytest.fixture
def run(house: House) -> Run:
    return runner(house)


@pytest.fixture
def run_lite(lite: House) -> Run:
    return runner(lite)

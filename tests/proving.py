"""How large a proof is: small in every run, large where ``make proof`` asks for it.

A test with two sizes bears ``@grows``, so that ``make proof``, which runs what is marked ``proof``, runs it too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., object])

PROVING = os.environ.get("TENANTRY_PROOF") == "1"


def sized(small: int, large: int) -> int:
    """Return the size of this run."""
    return large if PROVING else small


def grows(test: Test) -> Test:
    """Let a test run in every run, and in its large size in ``make proof``."""
    return pytest.mark.proof(test) if PROVING else test

"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds, on a machine that has much else to do


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something holds; fails when it does not in that time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited for nothing"
        time.sleep(0.02)

"""What a test needs that a machine may not have: skipped on a laptop, failed by name where CI=true."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def skip_or_fail(missing: object) -> NoReturn:
    """End a test for want of something; what is not there proves nothing."""
    if IN_CI:
        pytest.fail(str(missing))
    pytest.skip(str(missing))


def command(name: str, also_in: str = "") -> str:
    """Return where a command is, on the path or else in ``also_in``; ends the test where it is not."""
    found = shutil.which(name) or shutil.which(name, path=also_in)
    return found or skip_or_fail(f"{name} is not installed")

"""Notes that a test run leaves for its last lines, whichever pytest-xdist worker wrote them.

Importing this in the controlling process (conftest.py does) makes one directory for the run; workers inherit
its name through the environment. Nothing is kept after the run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_VARIABLE = "TENANTRY_TEST_RUN"


def run_directory() -> Path:
    """Return the directory that every process of this test run shares."""
    if _VARIABLE not in os.environ:
        made = tempfile.mkdtemp(prefix="tenantry_t_")
        os.environ[_VARIABLE] = made
        atexit.register(_remove, made, os.getpid())
    return Path(os.environ[_VARIABLE])


def note(kind: str, line: str) -> None:
    """Leave one line under a kind; lines of parallel workers do not mix (one short append each)."""
    with (run_directory() / f"{kind}.txt").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def notes(kind: str) -> list[str]:
    """Return every line left under a kind so far, each once, in the order of writing."""
    file = run_directory() / f"{kind}.txt"
    return (
        list(dict.fromkeys(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []
    )


def _remove(directory: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not take the directory away
        shutil.rmtree(directory, ignore_errors=True)


run_directory()

"""How a run is shared out among its workers: what takes long first, what shares one long preparation together.

A scheduler of our own, because pytest 9.2 keeps the groups of pytest-xdist 3.8 from reaching its scheduler.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Files whose tests share one preparation of many seconds, which each worker would make for itself.
TOGETHER = ("tests/test_guide.py", "tests/saas/audit/test_record.py")
# Where tests take many seconds each: begun last, one of them would leave the other workers idle at the end.
LONG = ("tests/test_guide.py", "tests/test_matrix.py", "tests/adopter/", "tests/proofs/")


class LongestFirst(LoadScopeScheduling):
    """Each test by itself to whichever worker is free, but for those that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst:
    config.option.loadscopereorder = False  # it would begin with the files of most tests
    return LongestFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not _is_long(item))  # stable: the order in a file stays


def _is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None or item.nodeid.startswith(LONG)

"""The bound on refusals: nothing is lost from the count, and no number of sources fills log or memory."""

from __future__ import annotations

import pytest

from saas.audit.flood import MOST_ALONE, MOST_SOURCES, FloodGate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> FloodGate[str]:
    return FloodGate(5, 60, clock)


def test_the_first_are_told_and_the_rest_is_one_number(gate: FloodGate[str], clock: Clock) -> None:
    told = [gate.admit("sign_in.failed", "10.0.0.1", f"try {n}") for n in range(100_000)]

    assert told.count(True) == 5
    assert all(told[:5])
    assert gate.due() == []
    clock.now = 60
    assert gate.due() == [("try 5", 99_995)]
    assert gate.due() == []


def test_a_quiet_source_is_told_beside_a_loud_one(gate: FloodGate[str]) -> None:
    for n in range(1000):
        gate.admit("sign_in.failed", "loud", f"try {n}")

    assert gate.admit("sign_in.failed", "quiet", "mine")
    assert gate.admit("access.denied", "loud", "mine")


def test_many_sources_share_one_bound_and_none_is_uncounted(
    gate: FloodGate[str], clock: Clock
) -> None:
    told = sum(gate.admit("sign_in.failed", n, str(n)) for n in range(100_000))

    assert told <= 5 * MOST_ALONE
    assert len(gate._sources) <= 5 * MOST_SOURCES + 1
    clock.now = 61
    assert told + sum(count for _, count in gate.due()) == 100_000
    assert gate._sources == {}


def test_after_its_window_a_source_is_told_again(gate: FloodGate[str], clock: Clock) -> None:
    for _ in range(6):
        gate.admit("a", "b", "x")
    clock.now = 60
    gate.due()

    assert gate.admit("a", "b", "y")


def test_windows_without_a_count_end_by_themselves(gate: FloodGate[str], clock: Clock) -> None:
    for _ in range(5):
        gate.admit("a", "b", "x")
    assert gate.wait() is None
    clock.now = 60

    assert gate.admit("a", "b", "y")


def test_sources_of_windows_that_are_over_keep_no_newcomer_out(
    gate: FloodGate[str], clock: Clock
) -> None:
    for n in range(5 * MOST_SOURCES // 2):  # each takes a place for itself and one for its family
        assert gate.admit(f"family {n}", n, "x")
    assert len(gate._sources) == 5 * MOST_SOURCES
    clock.now = 61

    assert gate.admit("sign_in.failed", "new", "mine")
    assert len(gate._sources) <= 2


def test_it_says_when_the_next_summary_is_due(gate: FloodGate[str], clock: Clock) -> None:
    for _ in range(6):
        gate.admit("a", "b", "x")
    clock.now = 20

    assert gate.wait() == 40
    assert gate.due(all_of_it=True) == [("x", 1)]

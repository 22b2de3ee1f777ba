"""What ``make proof`` promises to run large is what it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = sorted(Path(__file__).parent.glob("**/test_*.py"))
TWO_SIZES = [
    path
    for path in TESTS
    if path != Path(__file__) and " sized(" in path.read_text(encoding="utf-8")
]


def test_some_tests_have_two_sizes() -> None:
    assert len(TWO_SIZES) >= 4


@pytest.mark.parametrize("path", TWO_SIZES, ids=lambda path: path.stem)
def test_a_test_of_two_sizes_is_in_make_proof(path: Path) -> None:
    assert "\n@grows\n" in path.read_text(encoding="utf-8")

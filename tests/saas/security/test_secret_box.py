"""Secrets at rest: they open with the key they were sealed with, for the place they were sealed for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from saas.security import secret_box

OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = list(secret_box._keys)
    yield
    secret_box._keys[:] = before


def test_what_was_sealed_opens_and_never_looks_the_same() -> None:
    secret_box.configure([NEW])
    one, two = (secret_box.seal("whsec_abc", "here") for _ in range(2))

    assert one != two
    assert "whsec" not in one
    assert secret_box.unseal(one, "here") == secret_box.unseal(two, "here") == "whsec_abc"


def test_a_former_key_opens_and_a_stranger_s_does_not() -> None:
    secret_box.configure([OLD])
    sealed = secret_box.seal("x", "here")
    secret_box.configure([NEW, OLD])
    assert secret_box.unseal(sealed, "here") == "x"

    secret_box.configure([NEW])
    with pytest.raises(secret_box.SealBrokenError):
        secret_box.unseal(sealed, "here")


@pytest.mark.parametrize("broken", ["", "x", "é", "gAAAA", "A" * 200])
def test_what_is_no_seal_is_refused(broken: str) -> None:
    secret_box.configure([NEW])

    with pytest.raises(secret_box.SealBrokenError):
        secret_box.unseal(broken, "here")


def test_a_secret_moved_to_another_place_does_not_open() -> None:
    secret_box.configure([NEW])
    sealed = secret_box.seal("x", "webhook a b")

    with pytest.raises(secret_box.SealBrokenError, match="another place"):
        secret_box.unseal(sealed, "webhook a c")
    changed = sealed[:30] + ("A" if sealed[30] != "A" else "B") + sealed[31:]
    with pytest.raises(secret_box.SealBrokenError):
        secret_box.unseal(changed, "webhook a b")


def test_a_secret_longer_than_a_column_holds_is_not_made_by_us() -> None:
    secret_box.configure([NEW])
    longest = secret_box.seal("whsec_" + "a" * 88, f"webhook {'a' * 32} {'b' * 32}")

    assert len(longest) <= 400

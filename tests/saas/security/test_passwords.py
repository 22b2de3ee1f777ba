import threading
import time
import unicodedata
from collections.abc import Iterator

import bcrypt
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from saas.errors import TooManyRequestsError, ValidationFailedError
from saas.security import passwords

OLD = ("k1", "an old pepper of some length")
NEW = ("k2", "a new pepper of some length")


@pytest.fixture(autouse=True)
def cheap_hashing() -> Iterator[None]:
    before = list(passwords._configured)
    passwords.configure([OLD], cost=4)
    yield
    passwords._configured[:] = before


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cost of every bcrypt check made, in order; 2**cost is the time it takes."""
    costs: list[int] = []
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        costs.append(int(hashed[4:6]))
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return costs


def test_right_password_verifies_and_another_does_not() -> None:
    stored = passwords.hash_password("open sesame 42")

    assert passwords.verify_password("open sesame 42", stored)
    assert not passwords.verify_password("open sesame 43", stored)


def test_stored_form_tells_scheme_key_and_cost() -> None:
    passwords.configure([NEW, OLD], cost=5)

    assert passwords.hash_password("open sesame 42").startswith("v1$k2$$2b$05$")


def test_default_cost_is_twelve() -> None:
    passwords.configure([OLD])

    stored = passwords.hash_password("open sesame 42")

    assert "$2b$12$" in stored
    assert passwords.verify_password("open sesame 42", stored)


@pytest.mark.parametrize("base", ["a" * 72, "\N{GRINNING FACE}" * 20, "é" * 500])
def test_long_passwords_are_neither_cut_nor_a_fault(base: str) -> None:
    stored = passwords.hash_password(base + "x")

    assert passwords.verify_password(base + "x", stored)
    assert not passwords.verify_password(base + "y", stored)
    assert not passwords.verify_password(base, stored)


def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    stored = passwords.hash_password("caf\u00e9 noir 7")

    assert passwords.verify_password("cafe\u0301 noir 7", stored)


def test_password_with_nul_is_hashed_whole() -> None:
    stored = passwords.hash_password("before\x00after")

    assert not passwords.verify_password("before\x00other", stored)


def test_another_pepper_makes_the_hash_worthless() -> None:
    stored = passwords.hash_password("open sesame 42")
    passwords.configure([("k1", "quite another pepper")], cost=4)

    assert not passwords.verify_password("open sesame 42", stored)


def test_rotated_pepper_still_verifies_and_asks_for_a_rehash() -> None:
    stored = passwords.hash_password("open sesame 42")
    assert not passwords.needs_rehash(stored)

    passwords.configure([NEW, OLD], cost=4)

    assert passwords.verify_password("open sesame 42", stored)
    assert passwords.needs_rehash(stored)
    again = passwords.hash_password("open sesame 42")
    assert again.startswith("v1$k2$")
    assert not passwords.needs_rehash(again)


def test_raised_cost_asks_for_a_rehash_and_lowered_does_not() -> None:
    stored = passwords.hash_password("open sesame 42")

    passwords.configure([OLD], cost=5)
    assert passwords.needs_rehash(stored)
    dearer = passwords.hash_password("open sesame 42")
    passwords.configure([OLD], cost=4)
    assert not passwords.needs_rehash(dearer)


def test_removed_pepper_refuses_instead_of_failing() -> None:
    stored = passwords.hash_password("open sesame 42")
    passwords.configure([NEW], cost=4)

    with structlog.testing.capture_logs() as log:
        assert not passwords.verify_password("open sesame 42", stored)

    assert log == [{"event": "password_pepper_missing", "key_id": "k1", "log_level": "error"}]


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "x",
        "v1$k1$",
        "v1$k1$$2b$04$short",
        "v2$k1$$2b$04$" + "." * 53,
        "\ud800",
        "v1$k1$\n",
        "v1$k1$$2b$99$" + "." * 53,
        "v1$k1$$2b$31$" + "." * 53,
        "$2b$04$" + "." * 53,
    ],
)
def test_unreadable_stored_value_refuses_and_costs_one_hash(stored: str, work: list[int]) -> None:
    with structlog.testing.capture_logs() as log:
        assert not passwords.verify_password("open sesame 42", stored)

    assert [line["event"] for line in log] == ["password_hash_unreadable"]
    assert work == [4]
    assert passwords.needs_rehash(stored)


def test_unknown_person_costs_one_hash_at_the_configured_cost(work: list[int]) -> None:
    passwords.configure([OLD], cost=6)

    assert not passwords.verify_password("open sesame 42", None)
    assert work == [6]


def test_dummy_hash_takes_the_time_of_a_real_one() -> None:
    passwords.configure([OLD], cost=10)
    stored = passwords.hash_password("open sesame 42")

    def least_time(target: str | None) -> float:
        times = []
        for _ in range(5):
            start = time.thread_time()
            passwords.verify_password("a wrong password", target)
            times.append(time.thread_time() - start)
        return min(times)

    assert least_time(None) == pytest.approx(least_time(stored), rel=0.3)


def test_wrong_password_on_an_old_cheap_hash_costs_as_much_as_a_new_one(work: list[int]) -> None:
    stored = passwords.hash_password("open sesame 42")
    passwords.configure([OLD], cost=8)

    assert not passwords.verify_password("a wrong password", stored)
    assert sum(2**cost for cost in work) == 2**8


@pytest.mark.parametrize("odd", ["", "\ud800" * 10, "x" * 1001, "x" * 100_000])
def test_odd_password_is_wrong_and_costs_one_hash(odd: str, work: list[int]) -> None:
    stored = passwords.hash_password("open sesame 42")

    assert not passwords.verify_password(odd, stored)
    assert work == [4]


@pytest.mark.parametrize("odd", ["\ud800" * 10, "x" * 1001])
def test_odd_password_cannot_be_hashed(odd: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        passwords.hash_password(odd)

    assert [error.field for error in caught.value.field_errors] == ["password"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=100), st.text(max_size=100))
def test_no_text_is_ever_a_fault_and_only_the_same_text_verifies(first: str, other: str) -> None:
    try:
        stored = passwords.hash_password(first)
    except ValidationFailedError:
        return
    assert passwords.verify_password(first, stored)
    same = unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", other)
    assert passwords.verify_password(other, stored) is same


def test_no_more_hashes_run_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords.configure([OLD], cost=4, concurrent=2)
    running, most, lock = 0, 0, threading.Lock()

    def slow(password: bytes, hashed: bytes) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return False

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    threads = [
        threading.Thread(target=passwords.verify_password, args=("open sesame 42", None))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2


def test_who_waits_too_long_for_a_hash_is_told_when_to_come_back() -> None:
    passwords.configure([OLD], cost=4, concurrent=1, wait_seconds=0.01)

    with passwords._turn(passwords._ready()), pytest.raises(TooManyRequestsError) as caught:
        passwords.verify_password("open sesame 42", None)

    assert caught.value.headers["Retry-After"] == "1"
    assert not passwords.verify_password("open sesame 42", None)  # the turn was given back


def test_a_failing_hash_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords.configure([OLD], cost=4, concurrent=1, wait_seconds=0.01)

    def broken(password: bytes, salt: bytes) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(bcrypt, "hashpw", broken)
        with pytest.raises(MemoryError):
            passwords.hash_password("open sesame 42")

    assert passwords.hash_password("open sesame 42")


@pytest.mark.parametrize(
    ("peppers", "cost"),
    [
        ([], 12),
        ([OLD, OLD], 12),
        ([("k 1", "long enough for a pepper")], 12),
        ([("k$1", "long enough for a pepper")], 12),
        ([("k1", "short")], 12),
        ([OLD], 3),
        ([OLD], 31),
    ],
)
def test_unusable_setup_is_refused(peppers: list[tuple[str, str]], cost: int) -> None:
    with pytest.raises(ValueError, match=r"pepper|cost"):
        passwords.configure(peppers, cost)


def test_hashing_before_the_setup_is_a_programming_error() -> None:
    passwords._configured.clear()

    with pytest.raises(RuntimeError):
        passwords.verify_password("open sesame 42", None)

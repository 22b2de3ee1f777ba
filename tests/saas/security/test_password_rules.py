import time

import pytest

from saas.errors import ValidationFailedError
from saas.security import passwords


def refusal(password: str, field: str = "password") -> str:
    with pytest.raises(ValidationFailedError) as caught:
        passwords.check_strength(
            password, username="adalove", email="Ada.Lovelace@example.com", field=field
        )
    (error,) = caught.value.field_errors
    assert error.field == field
    assert password not in error.message
    return error.message


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "Tk9!fGq2x",
        "vier Pferde ziehen",
        "😀é" * 4 + "x",
        "4@8({[<369&1!|i0$5+7%2zxs",
        "x1" * 499 + "yz",
        "ada is not mostly here",
    ],
)
def test_good_passwords_pass(password: str) -> None:
    passwords.check_strength(password, username="adalove", email="ada@example.com")


def test_short_passwords_are_refused_by_their_composed_length() -> None:
    assert "at least 8" in refusal("Tk9!fGq")
    assert "at least 8" in refusal("e\u0301u\u0300a\u0301o\u0300")  # 8 code points, 4 letters


def test_overlong_passwords_are_refused() -> None:
    assert "at most 1,000" in refusal("x1" * 500 + "y")


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "PassWord1",
        "p@ssw0rd",
        "!!password1!!",
        "iloveyou",
        "1q2w3e4r",
        "trustno1",
        "Football",
        "qwertyuiop",
        "b4$3b411",
    ],
)
def test_common_passwords_are_refused_also_in_disguise(password: str) -> None:
    assert "most used" in refusal(password)


@pytest.mark.parametrize(
    "password", ["aaaaaaaa", "hunter2hunter2", "testtest", "abcdefgh", "98765432", "ababababab"]
)
def test_repeating_and_counting_passwords_are_refused(password: str) -> None:
    assert "repeats" in refusal(password)


@pytest.mark.parametrize(
    "password",
    [
        "adalove12",
        "ADALOVE-99",
        "ada.lovelace",
        "Ada.Lovelace@example.com",
        "12ada.lovelace12",
        "example.com",
        "example1!",
    ],
)
def test_the_persons_own_words_are_refused(password: str) -> None:
    assert "name or email" in refusal(password)


def test_words_of_two_letters_are_not_held_against_a_password() -> None:
    passwords.check_strength("go7go4go9go1", username="go", email="go@example.com")


def test_refusal_names_the_field_it_was_asked_for() -> None:
    refusal("short", field="new_password")


def test_checking_stays_cheap_for_passwords_made_to_be_slow() -> None:
    passwords.check_strength("warm the list first", username="x", email="x@example.com")
    start = time.thread_time()

    passwords.check_strength(
        ("4@8({[<369&1!|i0$5+7%2zxs" * 40), username="adalove", email="ada@example.com"
    )

    assert time.thread_time() - start < 0.05

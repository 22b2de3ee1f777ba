import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saas.errors import ValidationFailedError
from saas.security import emails


def test_address_is_kept_as_typed_without_outer_spaces() -> None:
    assert emails.check_address("  Ada.Love@Example.COM\n") == "Ada.Love@Example.COM"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        (" ada@example.com ", "ada@example.com"),
        ("a\u0301da@example.com", "\u00e1da@example.com"),
        ("ada@xn--bcher-kva.example.com", "ada@bücher.example.com"),
        ("ada@BÜCHER.example.com", "ada@bücher.example.com"),
        ("ada@\uff45xample.com", "ada@example.com"),
        ("ada+news@example.com", "ada+news@example.com"),
        ("straße@example.com", "straße@example.com"),
    ],
)
def test_spellings_of_one_address_share_a_key(typed: str, key: str) -> None:
    assert emails.email_key(typed) == key


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "ada@@example.com",
        "a b@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada\x00@example.com",
        "\ud800@example.com",
        '"a b"@example.com',
        "ada@[127.0.0.1]",
        "Ada <ada@example.com>",
        "\u202eada@example.com",
        "ada@example..com",
        "a" * 250 + "@example.com",
        "@" * 100000,
        "ada@example.com,b@example.com",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(typed: str) -> None:
    for read in (emails.check_address, emails.email_key):
        with pytest.raises(ValidationFailedError) as caught:
            read(typed)
        assert [(e.field, e.message) for e in caught.value.field_errors] == [
            ("email", emails.MESSAGE)
        ]


def test_key_never_outgrows_the_column() -> None:
    # Lowered, this letter of two bytes becomes two characters.
    assert len(emails.email_key("İ" * 120 + "@example.com")) == 252
    with pytest.raises(ValidationFailedError):
        emails.email_key("İ" * 122 + "@example.com")


@settings(max_examples=100, deadline=None)
@given(st.emails() | st.text(st.characters(exclude_categories=[]), max_size=40))
def test_key_is_stable_and_nothing_else_is_raised(typed: str) -> None:
    try:
        key = emails.email_key(typed)
    except ValidationFailedError:
        return
    assert emails.email_key(key) == key
    assert len(key) <= emails.MAX_LENGTH

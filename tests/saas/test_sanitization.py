import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saas import sanitization

MARKUP = st.lists(
    st.sampled_from(
        [
            "<b>",
            "</b>",
            "<script>",
            "</script>",
            "&lt;",
            "&gt;",
            "&amp;",
            "<",
            ">",
            "&",
            "a",
            " ",
            "\n",
            "<!--",
            "-->",
            "<svg onload=x>",
            "&#60;",
            "&#x3c",
            "\x00",
            "é",
            '"',
            "<plaintext>",
            "&#0;",
        ]
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    "text",
    [
        "Tom & Jerry",
        "a < b",
        "I <3 you",
        "x > y",
        "5 < 6 & 7 > 6",
        "AT&T",
        "&lt;b&gt;",
        "O'Neil",
        'say "hi"',
        "日本 — ü",
        "a <- b",
        "<",
        "1<2",
        "https://example.com/?a=1&b=2",
    ],
)
def test_ordinary_text_is_unharmed(text: str) -> None:
    assert sanitization.plain_text(text) == text


@pytest.mark.parametrize(
    ("unsafe", "plain"),
    [
        ("<b>Ada</b>", "Ada"),
        ("<script>alert(1)</script>Ada", "alert(1)Ada"),
        ("Ada<img src=x onerror=alert(1)>", "Ada"),
        ("Ada <!-- x --> Love", "Ada  Love"),
        ("<<b>script>x", "x"),
        ("&lt;b&gt;Ada<i>", "Ada"),
        ("&amp;lt;b&amp;gt;Ada <i>", "&lt;b&gt;Ada"),
        ("&amp;lt;b&amp;gt;Ada < <i>", "Ada <"),
        ("  Ada \n", "Ada"),
        ("A\x00da", "Ada"),
        ("\x00<b>\x00", ""),
    ],
)
def test_markup_is_taken_out_and_words_stay(unsafe: str, plain: str) -> None:
    assert sanitization.plain_text(unsafe) == plain


@settings(max_examples=200, deadline=None)
@given(MARKUP | st.text(max_size=60) | st.text(alphabet="<>&;#ltgamp/!-b", max_size=30))
def test_cleaning_twice_changes_nothing_and_leaves_no_tag(unsafe: str) -> None:
    once = sanitization.plain_text(unsafe)

    assert sanitization.plain_text(once) == once
    assert "<b>" not in once
    assert "\x00" not in once


@settings(max_examples=50)
@given(st.text(st.characters(exclude_characters="<\x00"), max_size=200))
def test_text_without_a_bracket_is_only_trimmed(text: str) -> None:
    assert sanitization.plain_text(text) == text.strip()


def test_entities_nested_beyond_reason_lose_their_brackets() -> None:
    nested = "< &" + "amp;" * 20 + "lt;b&" + "amp;" * 20 + "gt;x"

    plain = sanitization.plain_text(nested)

    assert "<" not in plain
    assert sanitization.plain_text(plain) == plain


@pytest.mark.parametrize("piece", ["<", "<b>", "<a ", "&lt;", "<!--", "</"])
def test_long_input_is_cut_and_stays_cheap(piece: str) -> None:
    start = time.thread_time()

    plain = sanitization.plain_text(piece * 100_000)

    assert len(plain) <= sanitization.MAX_LENGTH
    assert time.thread_time() - start < 1.5


def test_lone_surrogate_is_no_fault() -> None:
    assert sanitization.plain_text("\ud800") == "\ud800"
    assert "<b>" not in sanitization.plain_text("\ud800<b>x")

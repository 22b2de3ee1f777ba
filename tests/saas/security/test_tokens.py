import base64
import hashlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from saas.security import tokens


def test_tokens_have_256_bits_and_never_repeat() -> None:
    made = {tokens.new_token() for _ in range(500)}

    assert len(made) == 500
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in made} == {32}


def test_token_hash_is_sha256_in_hex() -> None:
    assert tokens.token_hash("abc") == hashlib.sha256(b"abc").hexdigest()


@example("\ud800", "?")
@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_any_text_hashes_and_different_texts_differ(first: str, other: str) -> None:
    assert (tokens.token_hash(first) == tokens.token_hash(other)) is (first == other)

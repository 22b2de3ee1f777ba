import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saas.errors import MalformedBodyError
from saas.security import json_body

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def refusal(raw: bytes) -> str:
    with pytest.raises(MalformedBodyError) as caught:
        json_body.parse_json_object(raw)
    return caught.value.message


@settings(max_examples=100)
@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5))
def test_every_proper_object_is_read_as_it_is(value: dict[str, object]) -> None:
    assert json_body.parse_json_object(json.dumps(value).encode()) == value


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0dtruefalsn1e+-.', max_size=40))
def test_no_bytes_raise_anything_but_the_product_error(raw: bytes | str) -> None:
    try:
        parsed = json_body.parse_json_object(raw if isinstance(raw, bytes) else raw.encode())
    except MalformedBodyError:
        return
    assert isinstance(parsed, dict)


@pytest.mark.parametrize(
    "raw", [b"[]", b'["a"]', b'"a"', b"1", b"true", b"null", b"[" * 9 + b"]" * 9]
)
def test_body_that_is_no_object_is_refused_with_what_is_expected(raw: bytes) -> None:
    assert "must be a JSON object" in refusal(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x', b'{"a": 01}', b"{\x00}"]
)
def test_broken_json_is_refused(raw: bytes) -> None:
    assert "not valid JSON" in refusal(raw)


def test_other_encodings_are_refused() -> None:
    assert "UTF-8" in refusal(b'{"a": "\xff"}')
    assert "UTF-8" in refusal('{"a": "b"}'.encode("utf-16"))
    assert refusal('{"a": "b"}'.encode("utf-16-le"))
    assert refusal('{"a": "b"}'.encode("utf-32-be"))
    assert "byte order mark" in refusal('{"a": "b"}'.encode("utf-8-sig"))


@pytest.mark.parametrize(
    "raw", [b'{"a": 1, "a": 2}', b'{"x": {"a": 1, "b": 2, "a": 1}}', b'{"a":1,"\\u0061":1}']
)
def test_same_key_twice_is_refused_on_every_level(raw: bytes) -> None:
    assert "same key twice" in refusal(raw)


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775808", "1" + "0" * 21, "9" * 5000]
)
def test_whole_number_beyond_64_bits_is_refused(number: str) -> None:
    assert "too large" in refusal(b'{"a": %s}' % number.encode())


def test_largest_number_of_64_bits_is_read() -> None:
    assert json_body.parse_json_object(b'{"a": 9223372036854775807}') == {"a": 2**63 - 1}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_finite_number_is_refused(number: str) -> None:
    assert refusal(b'{"a": [%s]}' % number.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
)
def test_deep_nesting_is_refused_and_never_overflows(raw: bytes) -> None:
    assert "deeper than 32" in refusal(raw)


def test_depth_is_not_confused_with_the_number_of_brackets() -> None:
    wide = b'{"a": [' + b",".join([b"[]"] * 500) + b'], "b": "[[[[[[["}'
    deepest = b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}"

    assert len(json_body.parse_json_object(wide)["a"]) == 500
    assert json_body.parse_json_object(deepest)

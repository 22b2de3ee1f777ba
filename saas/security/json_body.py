"""Reads a JSON body as strictly as it can be read, before any schema looks at it.

The C decoder of the standard library does the work (about 2 µs for a small body); what it lets
through and should not (duplicate keys, NaN, huge integers, deep nesting) is refused here.
"""

import json
from typing import Any, NoReturn

from saas.errors import MalformedBodyError

MAX_DEPTH = 32  # levels of arrays and objects; our deepest schema has four
_MOST_DIGITS = 20  # of a whole number; enough for 64 bits and a sign
_LARGEST = 2**63 - 1  # what a database column can hold


def parse_json_object(raw: bytes) -> dict[str, Any]:
    """The object in `raw`; raises MalformedBodyError with a sentence that says what is wrong.

    Lone surrogates pass here; pydantic's own JSON reader refuses them.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedBodyError("The body is not valid UTF-8.") from None
    if text.startswith("\ufeff"):
        raise MalformedBodyError("The body begins with a byte order mark. Send UTF-8 without it.")
    parsed = _decode(text)
    if not isinstance(parsed, dict):
        raise MalformedBodyError("The body must be a JSON object, in braces.")
    # Fewer brackets than levels allowed: no need to look closer. Nearly every body ends here.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(parsed) > MAX_DEPTH:
        raise _too_deep()
    return parsed


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise MalformedBodyError("The body is not valid JSON.") from None


def _too_deep() -> MalformedBodyError:
    return MalformedBodyError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two readers may take different ones of the two: refuse instead of choosing.
        raise MalformedBodyError("The body names the same key twice.")
    return found


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS or abs(number := int(digits)) > _LARGEST:
        raise MalformedBodyError("The body has a number that is too large.")
    return number


def _not_a_number(_: str) -> NoReturn:
    raise MalformedBodyError("The body has NaN or Infinity, which JSON does not know.")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise MalformedBodyError("The body has a number that is too large.")
    return number


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    level, deepest = [value], 0
    while level:
        deepest += 1
        inner: list[Any] = []
        for item in level:
            children = item.values() if isinstance(item, dict) else item
            inner.extend(child for child in children if isinstance(child, dict | list))
        level = inner
    return deepest


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_whole_number,
    parse_float=_finite,
    parse_constant=_not_a_number,
)

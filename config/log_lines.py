"""What a log line looks like: columns for people, or one JSON object for machines.

No text that came from outside can end a line, begin another or command a terminal: in both forms
everything that does not print is written as an escape.
"""

import re
import traceback
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any
from uuid import UUID

import orjson
from pydantic import SecretStr
from structlog.tracebacks import ExceptionDictTransformer

MESSAGE_COLUMN = 40  # characters
# An audit event has thirty fields. These are for a person who watches; the JSON form has them all.
_AUDIT_COLUMNS = frozenset(
    ["@timestamp", "level", "message", "actor_label", "target_type", "target_label", "reason"]
)
NESTED = 6  # levels of a value that are written out
_COLOURS = {"debug": 36, "info": 32, "warning": 33, "error": 31, "critical": 31}
# Valid inside JSON, but a line break, terminal code or change of direction to who reads the file.
_RISKY = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS
# Without the local variables: they hold passwords.
_frames = ExceptionDictTransformer(show_locals=False, max_frames=30)


def to_json(fields: Mapping[str, Any], error: BaseException | None) -> bytes:
    """One JSON object and a line break; `error` becomes the field "exception", without locals."""
    if error is not None:
        frames = _frames((type(error), error, error.__traceback__))
        fields = {**fields, "exception": frames}
    try:
        line = orjson.dumps(fields, default=_known, option=_OPTIONS)
    except (TypeError, ValueError):  # a key, number or character that JSON does not have
        line = orjson.dumps(_simple(fields))
    return _finished(line)


def joined(fields: Mapping[str, Any], made: bytes) -> bytes:
    """Fields and one JSON object more, without line breaks and with other keys, as one JSON object and a line break."""
    return _finished(orjson.dumps(fields)[:-1] + b"," + made[1:])


def _finished(line: bytes) -> bytes:
    if not line.isascii() or b"\x7f" in line:
        line = _RISKY.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()
    return line + b"\n"


def _known(value: object) -> str | list[object]:
    """What stands for a value that JSON does not know: never the insides of an object of ours."""
    if isinstance(value, Decimal | PurePath | IPv4Address | IPv6Address | SecretStr):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return f"<{type(value).__name__}>"


def _simple(value: object, depth: int = 0) -> object:
    """The value in forms that JSON always takes; text with lone surrogates is escaped."""
    if depth > NESTED:
        return "…"
    if isinstance(value, Mapping):
        return {str(_simple(str(key))): _simple(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | set | frozenset | tuple):
        return [_simple(each, depth + 1) for each in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, int | str | UUID | datetime):
        return str(value).encode("utf-8", "backslashreplace").decode()
    return _simple(_known(value), depth + 1)


def to_console(fields: Mapping[str, Any], error: BaseException | None, colour: bool) -> bytes:
    """Time, level, message, key=value; a traceback follows, indented, so none can pose as a line."""
    rest = dict(fields)
    if rest.get("log_type") == "audit":
        rest = {key: each for key, each in rest.items() if key in _AUDIT_COLUMNS and each}
    moment = datetime.fromisoformat(rest.pop("@timestamp")).astimezone()
    level, message = rest.pop("level"), rest.pop("message")
    if rest.get("log_type") == "app":
        del rest["log_type"]
    padded = f"{level:<8}"
    if colour:
        padded = f"\x1b[{_COLOURS.get(level, 0)}m{padded}\x1b[0m"
    # What is not there is left out: people look for what is.
    told = {key: each for key, each in rest.items() if each not in (None, [], {})}
    pairs = " ".join(f"{_printable(key)}={_value(each)}" for key, each in told.items())
    line = f"{moment:%H:%M:%S} {padded} {_printable(message):<{MESSAGE_COLUMN}} {pairs}".rstrip()
    if error is not None:
        text = "".join(traceback.format_exception(error, limit=-30))
        line += "".join(f"\n    {_printable(each)}" for each in text.rstrip("\n").split("\n"))
    return f"{line}\n".encode()


def _value(value: object) -> str:
    """A value in one column: quoted when it would not read as one word."""
    text = value if isinstance(value, str) else _json_text(value)
    text = _printable(text)
    return f'"{text}"' if not text or any(each in text for each in ' ="') else text


def _json_text(value: object) -> str:
    """A value as JSON, as the other format would write it."""
    return to_json({"value": value}, None)[len(b'{"value":') : -2].decode().strip('"')


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

"""The log: structlog for our own lines, and the same form for those of libraries.

    log = structlog.get_logger()
    log.info("user.invited", user_id=user_id)

A line begins with @timestamp, level, message and log_type ("app" unless said otherwise); then comes
what is bound to the context (`structlog.contextvars`), then its own fields. The value of a field with
a telling name (password, token, …) is not written. Writing never blocks and never raises.

A line that is told elsewhere too, byte for byte, gives its fields as JSON that is made already:
`log.info("user.invited", log_type="audit", json=event)`. They are all it has, beside how it begins.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.contextvars import get_contextvars

from config import log_lines
from config.log_writer import LineWriter

HIDDEN = "[hidden]"
_SECRET_WORDS = frozenset({"authorization", "cookie", "password", "pepper", "secret", "token"})
_LEVELS = {"warn": "warning", "exception": "error", "fatal": "critical"}
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Output:
    """Where lines go and what they look like; loggers that exist already follow a change of it."""

    def __init__(self, log_format: str, stream: TextIO) -> None:
        self.log_format = log_format
        self.stream = stream
        self.colour = "NO_COLOR" not in os.environ and stream.isatty()
        self.writer = LineWriter(stream, self.tell_lost, on_lost=_count_lost)

    def line(
        self,
        level: str,
        message: str,
        fields: Mapping[str, Any],
        when: float | None = None,
    ) -> bytes:
        """The finished line; one that cannot be made says so instead of raising."""
        when = when or time.time()
        try:
            error = _error_of(fields.get("exc_info"))
            envelope = _envelope(level, message, fields, when)
            if self.log_format == "json":
                return log_lines.to_json(envelope, error)
            return log_lines.to_console(envelope, error, self.colour)
        except Exception as failure:  # noqa: BLE001 - a line must not break what it tells of
            return _failed(message, failure, when)

    def made_line(self, beginning: dict[str, Any], made: bytes) -> bytes:
        """The finished line of fields that are JSON already: every change has one, so it takes the short way."""
        when = time.time()
        envelope = {"@timestamp": _moment(when)} | beginning
        try:
            if self.log_format == "json":
                return log_lines.joined(envelope, made)
            return log_lines.to_console(orjson.loads(made) | envelope, None, self.colour)
        except Exception as failure:  # noqa: BLE001 - a line must not break what it tells of
            return _failed(str(beginning["message"]), failure, when)

    def tell_lost(self, lines: int) -> bytes:
        """The line about lines that nobody took."""
        return self.line("warning", "log.lines_lost", {"lines": lines})


_counters: list[Callable[[int], None]] = []  # who wants to know how many lines were lost


def on_lost(counter: Callable[[int], None]) -> None:
    """Call ``counter`` with the number of lines, from now on, whenever lines are lost; it must not log."""
    _counters[:] = [counter]


def _count_lost(lines: int) -> None:
    for counter in _counters:
        counter(lines)


def _failed(message: str, failure: Exception, when: float) -> bytes:
    reason = {"of": message, "reason": type(failure).__name__}
    return log_lines.to_json(_envelope("error", "log.line_failed", reason, when), None)


def _moment(when: float) -> str:
    second = int(when)
    return f"{_second(second)}.{int((when - second) * 1_000_000):06}Z"


@lru_cache(maxsize=4)  # many lines share a second
def _second(when: int) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat()[:-6]


def _envelope(level: str, message: str, fields: Mapping[str, Any], when: float) -> dict[str, Any]:
    """The fields in their order, what is secret hidden; a second `message` becomes `message_`."""
    envelope = {
        "@timestamp": _moment(when),
        "level": level,
        "message": message,
        "log_type": fields.get("log_type", "app"),
    }
    for key, value in fields.items():
        if key not in ("log_type", "exc_info"):
            name = f"{key}_" if key in envelope else key
            envelope[name] = HIDDEN if _is_secret(key) else _without_secrets(value)
    return envelope


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    words = key.lower().replace("-", "_").split("_")
    return words[-1] not in ("id", "hash") and not _SECRET_WORDS.isdisjoint(words)


def _without_secrets(value: Any, depth: int = log_lines.NESTED) -> Any:
    if not isinstance(value, dict) or depth == 0:  # what lies deeper is not written at all
        return value
    return {
        key: HIDDEN if _is_secret(str(key)) else _without_secrets(each, depth - 1)
        for key, each in value.items()
    }


def _error_of(exc_info: object) -> BaseException | None:
    """The exception an `exc_info` field means: itself, its tuple, or True for the current one."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


class _Door:
    """What structlog calls with the finished line: one method for every level, all the same."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def msg(self, line: bytes) -> None:
        """Send a line off to the output of now."""
        _output.writer.write(line)

    debug = info = warning = error = critical = msg
    warn = exception = fatal = log = err = failure = msg


def _to_line(door: Any, method: str, fields: MutableMapping[str, Any]) -> bytes:
    """The only processor: logger's name, context and fields become the finished line."""
    message = str(fields.pop("event", ""))
    named = {"logger": door.name} if getattr(door, "name", None) else {}
    level = _LEVELS.get(method, method)
    made = fields.get("json")
    if isinstance(made, bytes):
        kind = fields.get("log_type", "app")
        beginning = {"level": level, "message": message, "log_type": kind, **named}
        return _output.made_line(beginning, made)
    return _output.line(level, message, {**named, **get_contextvars(), **fields})


# One list for ever: `structlog.testing.capture_logs` swaps what is in it, cached loggers hold it.
_PROCESSORS: list[structlog.typing.Processor] = [_to_line]
_output = _Output("console", sys.stderr)


class RecordHandler(logging.Handler):
    """Gives the records of libraries (and of `warnings`) the same form and the same way out."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; fields given as `extra` come along."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # the arguments do not fit the text
            message = str(record.msg)
        fields: dict[str, Any] = {"logger": record.name, "exc_info": record.exc_info}
        fields |= {key: each for key, each in vars(record).items() if key not in _RECORD_FIELDS}
        level = record.levelname.lower()
        line = _output.line(level, message.strip(), {**get_contextvars(), **fields}, record.created)
        _output.writer.write(line)


def configure(
    log_format: Literal["console", "json"] = "console",
    *,
    stream: TextIO | None = None,
    level: int = logging.INFO,
) -> None:
    """Send every line of this process to `stream` (standard output) in that form, from `level` on.

    May be called again; commands that print data give `sys.stderr`.
    """
    global _output  # noqa: PLW0603 - a process has one log
    target = stream or sys.stdout
    if (_output.log_format, _output.stream) != (log_format, target):
        _output.writer.pause()
        _output = _Output(log_format, target)
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Door,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    if not any(isinstance(each, RecordHandler) for each in root.handlers):
        root.addHandler(RecordHandler())
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # migrations/env.py tells each step
    logging.captureWarnings(True)
    if log_format == "json":
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda told: _log_uncaught(
            told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback
        )


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """What ends a process or a thread is a line like every other; who stops it by hand needs none."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        structlog.get_logger("uncaught").critical("uncaught error", exc_info=error)


def flush(seconds: float = 2.0) -> bool:
    """Wait until the lines so far are written; False when nobody takes them in that time."""
    return _output.writer.flush(seconds)


def _before_fork() -> None:
    _output.writer.pause()


def _after_fork() -> None:
    _output.writer.after_fork()


atexit.register(flush)
os.register_at_fork(before=_before_fork, after_in_child=_after_fork)

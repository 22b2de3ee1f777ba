"""Where a call comes from: ambient, for audit events and log lines, never for a decision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallContext:
    """Channel (api, page, console, cli, job) and, for requests, the id, client and route template."""

    channel: str
    request_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    route: str | None = None


_NOBODY = CallContext("job")  # frozen, so it may be everybody's default
_context: ContextVar[CallContext] = ContextVar("saas_call_context", default=_NOBODY)


def current_context() -> CallContext:
    """Return where the present call comes from; a job where nobody said anything."""
    return _context.get()


def set_context(context: CallContext) -> None:
    """Say where the present call comes from (the door of a request does)."""
    _context.set(context)


@contextmanager
def calling_from(context: CallContext) -> Iterator[None]:
    """Say where calls in this block come from; for commands and jobs."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)

"""``record()``: say what happened, inside the transaction in which it happens."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, TypedDict, Unpack

from sqlalchemy import inspect
from uuid_utils.compat import uuid7

from saas.actor import Actor
from saas.audit.events import AuditEvent, check_data
from saas.columns import utc_now
from saas.context import current_context
from saas.unit import current_unit

VERSION = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What an event is about. The label is copied, so the entry still reads when its subject is gone."""

    type: str
    id: str
    label: str

    @classmethod
    def of(cls, model: Any) -> Target:
        """Name a model row by its class, id and ``LABEL`` column."""
        return cls(
            type(model).__name__.lower(),
            str(model.id),
            clean(getattr(model, model.LABEL), 254) or "",
        )


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One recorded event, waiting for COMMIT to be linked into its chain."""

    event: AuditEvent
    envelope: dict[str, Any] = field(repr=False)


class Said(TypedDict, total=False):
    """What may be said of an event besides what it is and who did it: see ``make``."""

    target: Any
    also: Iterable[Any]
    changes: list[dict[str, Any]] | None
    data: dict[str, Any] | None
    reason: str | None


def record(event: AuditEvent, *, actor: Actor, **said: Unpack[Said]) -> None:
    """Record an event in the current unit of work; it is written as the last thing before COMMIT.

    Takes and raises what ``make`` does, and raises NoUnitError outside a unit of work.
    """
    current_unit().events.append(make(event, actor=actor, **said))


def make(
    event: AuditEvent,
    *,
    actor: Actor,
    target: Any = None,
    also: Iterable[Any] = (),
    changes: list[dict[str, Any]] | None = None,
    data: dict[str, Any] | None = None,
    reason: str | None = None,
) -> PendingEvent:
    """Make an event of now, in the call's context, without recording it.

    ``target`` and ``also``: model rows or Targets. ``changes``: from ``changed()``. Raises ValidationError when
    ``data`` is not what the catalogue says.
    """
    targets = [
        t if isinstance(t, Target) else Target.of(t) for t in (target, *also) if t is not None
    ]
    main = targets[0] if targets else None
    context = current_context()
    envelope: dict[str, Any] = {
        "v": VERSION,
        "id": uuid7(),
        "time": utc_now(),
        "action": event.value,
        "crud": event.crud,
        "outcome": event.outcome,
        "reason": clean(reason, 1000),
        "severity": "info" if event.outcome == "success" else "warning",
        "actor_type": actor.kind,
        "actor_id": str(actor.id) if actor.id else None,
        "actor_label": clean(actor.label, 254),
        "on_behalf_of_id": str(actor.maker_id) if actor.maker_id else None,
        "on_behalf_of_label": clean(actor.maker_label, 254) if actor.maker_id else None,
        "target_type": main.type if main else None,
        "target_id": main.id if main else None,
        "target_label": main.label if main else None,
        "targets": [{"type": t.type, "id": t.id, "label": t.label} for t in targets],
        "changes": changes or [],
        "data": check_data(event, data or {}),
        "request_id": context.request_id,
        "ip": context.ip,
        "user_agent": clean(context.user_agent, 256),
        "channel": context.channel,
        "route": context.route,
    }
    return PendingEvent(event, envelope)


def changed(model: Any, *fields: str) -> list[dict[str, Any]]:
    """Return ``[{field, old, new}]`` of the named columns that were changed and are not flushed yet.

    Only named fields are ever written, so a secret cannot slip into the log by being added to a model.
    """
    state = inspect(model)
    changes = []
    for name in fields:
        history = state.attrs[name].history
        if history.added and history.deleted and history.added != history.deleted:
            changes.append(
                {"field": name, "old": plain(history.deleted[0]), "new": plain(history.added[0])}
            )
    return changes


def plain(value: Any) -> Any:
    """Return a value as canonical JSON can hold it; what it cannot (a float, a Decimal, a date) as its text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {clean(str(key), 254): plain(each) for key, each in value.items()}
    return clean(value.value if isinstance(value, Enum) else str(value), 4000)


def clean(value: str | None, length: int) -> str | None:
    """Return text that is safe in one log line: NFC, control characters replaced by spaces, cut at ``length``."""
    if value is None:
        return None
    if value.isascii() and value.isprintable():
        return value[:length]
    text = unicodedata.normalize("NFC", value[: length * 2])
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") else " " for c in text
    )[:length]

"""Refusals in the log: denied, throttled, failed to sign in; each in a transaction of its own, after the roll-back.

A 404 is not told: foreign and unknown must not differ, in the log neither. What is told one by one and what is
summarised decides ``flood``.
"""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from saas import context, database, errors
from saas.actor import NOWHERE, Actor
from saas.audit.events import AuditEvent
from saas.audit.flood import FloodGate
from saas.audit.record import Target, record
from saas.context import CallContext
from saas.database import Database
from saas.security.counters import Limit
from tenants import enter_account

STATUSES = frozenset(
    {401, 403, 422, 429}
)  # an answer with another status is never a refusal in this sense
_FAILED_SIGN_IN = (
    errors.CouldNotVerifyLoginError,
    errors.NoSeatError,
    errors.SuspendedError,
    errors.WrongPasswordError,
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused call, with all that its event will say; it outlives its request."""

    event: AuditEvent
    actor: Actor
    data: dict[str, str | int | None]
    reason: str
    target: Target | None
    called_from: CallContext

    @property
    def family(self) -> tuple[str, UUID | None]:
        """What shares one bound: a kind of event in one chain."""
        return self.event.value, self.actor.account_id if self.event.chain == "account" else None

    @property
    def source(self) -> tuple[object, ...]:
        """Who did what: refusals that are alike in this are summarised together."""
        told_by = str(self.actor.id) if self.actor.id else self.called_from.ip
        return told_by, self.data.get("code"), self.target.id if self.target else None


def nobody(account_id: UUID = NOWHERE) -> Actor:
    """Return the actor of calls without a sign-in."""
    return Actor("anonymous", None, "nobody signed in", account_id, frozenset())


def of(error: errors.ProductError, actor: Actor | None) -> Refusal | None:
    """Return what the log must say of an answer, or None for one that is no refusal in its sense (404, 422 …).

    The id in a refused path is not told: nobody has looked whether it is of this account. The access line of the
    same request id has the path.
    """
    who = actor or nobody()
    about = error.about if isinstance(error.about, Target) else None
    data: dict[str, str | int | None] = {"code": error.internal_error_code}
    if isinstance(error, errors.TooManyRequestsError):
        event = AuditEvent.REQUEST_THROTTLED
    elif actor is not None and isinstance(error, errors.WrongPasswordError):
        event = AuditEvent.PASSWORD_REFUSED
    elif actor is None and isinstance(error, _FAILED_SIGN_IN):
        event = AuditEvent.SIGN_IN_FAILED
    elif error.status == 403:
        event = AuditEvent.VISITOR_DENIED if actor is None else AuditEvent.ACCESS_DENIED
        data["permission"] = getattr(error, "permission", None)
    else:
        return None
    return Refusal(event, who, data, error.message, about, context.current_context())


class RefusalLog:
    """Writes refusals of one process to one database; ``limit``: of one source, before it is summarised."""

    def __init__(self, in_use: Database, limit: Limit) -> None:
        self._database = in_use
        self._gate: FloodGate[Refusal] = FloodGate(limit.amount, limit.seconds)
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def tell(self, refusal: Refusal) -> None:
        """Record a refusal, now or in the summary of its source. Never raises: the refusal itself stands."""
        if self._gate.admit(refusal.family, refusal.source, refusal):
            self._write(refusal, 1)
        else:
            self._summarise_later()

    def close(self) -> None:
        """Write every summary now: at the end of the process."""
        self._closing.set()
        self._write_due(all_of_it=True)

    def _write(self, refusal: Refusal, count: int) -> None:
        inside = refusal.actor.account_id if refusal.event.chain == "account" else NOWHERE
        try:
            with (
                database.use(self._database),
                context.calling_from(refusal.called_from),
                enter_account(inside),
                database.apart(),
                database.unit_of_work(),
            ):
                record(
                    refusal.event,
                    actor=refusal.actor,
                    target=refusal.target,
                    data=refusal.data | {"count": count},
                    reason=refusal.reason,
                )
        except (SQLAlchemyError, errors.DatabaseAwayError) as error:
            # The refusal stands without its event: it changed nothing, and the database is what could not be reached.
            _log.error(
                "refusal.not_recorded", action=refusal.event.value, error=type(error).__name__
            )

    def _summarise_later(self) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if self._thread is None:
                atexit.register(self.close)
            self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        # A thread begins with no account, no unit and no request, so summaries of any chain may be written here.
        while (wait := self._gate.wait()) is not None and not self._closing.wait(wait):
            self._write_due()

    def _write_due(self, *, all_of_it: bool = False) -> None:
        for refusal, count in self._gate.due(all_of_it=all_of_it):
            self._write(refusal, count)

"""Does the log tell of all that a call changed? The database before and after, against the events since."""

from __future__ import annotations

from sqlalchemy import func, select

from saas.audit.events import NOT_AUDITED, AuditEvent
from saas.models import AuditEventRow, SystemEventRow
from saas.testing import snapshots
from saas.testing.places import Site

_events, _system = AuditEventRow.__table__.c, SystemEventRow.__table__.c
_PERSONAL = {"identities", "email_tokens", "sessions"}
_UNTOLD = {table for table, (columns, _reason) in NOT_AUDITED.items() if columns is None}


class Watch:
    """Notes how an account is; ``silent_changes`` says what was changed since without an event that accounts for it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before = snapshots.take(site)
        self._seq, self._system_seq = snapshots.last_seq(site), self._last_of_system()

    def silent_changes(self) -> list[str]:
        """Return a sentence for each table whose change no event accounts for."""
        after = snapshots.take(self._site)
        changed = set(snapshots.differences(self._site, self._before, after)) - {snapshots.LOG}
        if (
            "users" in changed
        ):  # whoever comes or goes takes along what is their own, which nobody has changed
            changed -= _PERSONAL
        silent = changed - _UNTOLD - self._accounted()
        return [f"it changed {table}, and no event accounts for that" for table in sorted(silent)]

    def _accounted(self) -> set[str]:
        own = select(_events.action).where(
            _events.account_id == self._site.account_id, _events.seq > self._seq
        )
        system = select(_system.action).where(_system.seq > self._system_seq)
        with self._site.world.database.system_engine.connect() as connection:
            actions = [*connection.scalars(own), *connection.scalars(system)]
        return {
            table
            for action in actions
            for table in AuditEvent[action.upper().replace(".", "_")].tables
        }

    def _last_of_system(self) -> int:
        with self._site.world.database.system_engine.connect() as connection:
            return connection.scalar(select(func.max(_system.seq))) or 0

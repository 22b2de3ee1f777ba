"""What stands in the database for one account, to prove that a refusal changed nothing there."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, literal_column, select

from saas.audit.events import NOT_AUDITED
from saas.models import OWNERSHIP, AuditEventRow, AuditHead, Identity, User
from saas.testing.places import Site

LOG = "the audit log"
_LOG_TABLES = frozenset({"audit_events", "audit_heads"})
_users, _events, _heads = User.__table__, AuditEventRow.__table__, AuditHead.__table__
_HEAD = select(_heads.c.seq, _heads.c.hash).where(_heads.c.account_id == bindparam("account_id"))
Snapshot = dict[str, Any]


def take(site: Site) -> Snapshot:
    """Return every row that belongs to an account, its people's sign-ins and their tokens included.

    Left out: columns that are traces of use (``NOT_AUDITED``). The log is told by its last link, which covers it all.
    """
    mine = {"account_id": site.account_id}
    shared = site.world.shared_identities
    found: Snapshot = {}
    with site.world.database.system_engine.connect() as connection:
        for name, statement, personal in _statements():
            rows = map(tuple, connection.execute(statement, mine))
            found[name] = frozenset(r for r in rows if not personal or _hex(r[-1]) not in shared)
        found[LOG] = tuple(connection.execute(_HEAD, mine).one())
    return found


def differences(
    site: Site, before: Snapshot, after: Snapshot, *, denials: bool = False
) -> list[str]:
    """Return the names of what changed. ``denials``: events that tell of a refusal may have been added."""
    found = [name for name in before if before[name] != after[name]]
    if denials and LOG in found and not _succeeded(site, before[LOG][0]):
        found.remove(LOG)
    return sorted(found)


def last_seq(site: Site) -> int:
    """Return the number of the last event of an account."""
    with site.world.database.system_engine.connect() as connection:
        return int(connection.execute(_HEAD, {"account_id": site.account_id}).one().seq)


def _succeeded(site: Site, after_seq: int) -> bool:
    """Say whether an event was added since that tells of anything but a refusal."""
    told = select(_events.c.id).where(
        _events.c.account_id == site.account_id,
        _events.c.seq > after_seq,
        _events.c.outcome == "success",
    )
    with site.world.database.system_engine.connect() as connection:
        return connection.execute(told).first() is not None


@cache
def _statements() -> list[tuple[str, Select[Any], bool]]:
    """Return for each table its name, the statement that reads one account's part, and whether rows are a person's."""
    found = []
    for table in OWNERSHIP.tables:
        mine = _belongs(table)
        if table.name in _LOG_TABLES or mine is None:
            continue
        free, _reason = NOT_AUDITED.get(table.name, (None, ""))
        names = [column.name for column in table.c if column.name not in (free or ())]
        person = "id" if table.name == Identity.__tablename__ else "identity_id"
        personal = person in table.c
        # As the driver gives them: nothing is converted, since nothing but equality is asked.
        columns: list[Any] = [
            literal_column(name) for name in (*names, *([person] if personal else ()))
        ]
        found.append((table.name, select(*columns).select_from(table).where(mine), personal))
    return found


def _belongs(table: Table) -> Any:
    account_id: Any = bindparam("account_id")
    if "account_id" in table.c:
        return table.c.account_id == account_id
    people = select(_users.c.identity_id).where(_users.c.account_id == account_id)
    if table.name == Identity.__tablename__:
        return table.c.id.in_(people)
    return table.c.identity_id.in_(people) if "identity_id" in table.c else None


def _hex(value: Any) -> str:
    return str(value).replace("-", "")

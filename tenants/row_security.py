"""Row-level security: PostgreSQL holds the boundary by itself, whatever the statement says.

Three database roles and no bypass flag: *app* sees the entered account only, *system* reads across accounts and
writes global tables, *owner* migrates. Policies are written ``TO`` a role, so FORCE needs no BYPASSRLS. The
account is set in the same message as BEGIN and ends with the transaction, which is safe behind a transaction
pooler. https://www.postgresql.org/docs/15/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, event, text

from tenants.errors import ForeignTenantError
from tenants.ownership import OWNER, Ownership
from tenants.role_check import check_role
from tenants.scope import current_account_id, entered_account_id

__all__ = [
    "DatabaseRoles",
    "apply_policies",
    "begin_with_account",
    "begin_without_account",
    "check_role",
    "enable_statements",
    "policy_statements",
]

# nullif: after a SET LOCAL ended the setting is '', not NULL. The sub-select is evaluated once, not per row.
_ENTERED = f"{OWNER} = (SELECT nullif(current_setting('app.account_id', true), '')::uuid)"


@dataclass(frozen=True, slots=True)
class DatabaseRoles:
    """The names of the three database roles."""

    app: str
    system: str
    owner: str

    def distinct(self) -> bool:
        return len({self.app, self.system, self.owner}) == 3


def begin_with_account(engine: Engine) -> None:
    """Make every transaction of this engine begin with the entered account set (PostgreSQL, AUTOCOMMIT engine)."""
    event.listen(engine, "begin", _begin_in_account)
    event.listen(engine, "before_cursor_execute", _stay_in_account)


def _begin_in_account(connection: Connection) -> None:
    account_id = current_account_id()
    if type(account_id) is not UUID:  # it is interpolated into SQL text, so nothing else may pass
        raise TypeError(f"an account id is a uuid.UUID, not {type(account_id).__name__}")
    _begin(connection, f"; SET LOCAL app.account_id = '{account_id}'")
    connection.info[OWNER] = account_id


def _stay_in_account(connection: Connection, *_: Any) -> None:
    # The database still serves the account that the transaction began with, whichever is entered by now.
    if connection.info.get(OWNER) != entered_account_id():
        raise ForeignTenantError("this transaction began inside another account")


def begin_without_account(engine: Engine) -> None:
    """Make every transaction of this engine begin with no account: for the system and owner engines."""
    event.listen(engine, "begin", lambda connection: _begin(connection, ""))


def _begin(connection: Connection, setting: str) -> None:
    mode = " READ ONLY" if connection.get_execution_options().get("read_only") else ""
    # One simple-protocol message: no extra round trip for the setting.
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"BEGIN{mode}{setting}")


def enable_statements(table_name: str) -> list[str]:
    """Return the statements that switch row-level security on for one tenant-owned table, its owner included."""
    return [
        f'ALTER TABLE "{table_name}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table_name}" FORCE ROW LEVEL SECURITY',
    ]


def apply_policies(connection: Connection, ownership: Ownership, roles: DatabaseRoles) -> None:
    """Bring security, policies and grants of every table to what the metadata says; again and again.

    Runs as the owner of the tables. Roles that do not exist yet are left out: ``flask db roles`` makes them.
    """
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    policies = "SELECT tablename, policyname FROM pg_policies WHERE schemaname = current_schema()"
    present = set(connection.scalars(text(tables)))
    known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    made = {(table, policy) for table, policy in connection.execute(text(policies))}
    for statement in policy_statements(ownership, roles, present, known, made):
        connection.execute(text(statement))


def policy_statements(
    ownership: Ownership,
    roles: DatabaseRoles,
    present: Container[str],
    known_roles: Container[str],
    policies: Container[tuple[str, str]],
) -> Iterator[str]:
    """Yield the statements that ``apply_policies`` runs, given the tables, roles and policies that are there."""
    for table in ownership.tables:
        if table.name not in present:
            continue
        if ownership.owns(table):
            yield from enable_statements(table.name)
            yield from _policies(table, roles, known_roles, policies)
        yield from _grants(table, roles, known_roles, ownership)


def _policies(
    table: Table, roles: DatabaseRoles, known: Container[str], made: Container[tuple[str, str]]
) -> Iterator[str]:
    wanted = {"tenant": (roles.app, f"USING ({_ENTERED}) WITH CHECK ({_ENTERED})")}
    if roles.distinct():
        wanted["system_reads"] = (roles.system, "USING (true)")
        wanted["owner"] = (roles.owner, "USING (true) WITH CHECK (true)")
    for name, (role, body) in wanted.items():
        command = "FOR SELECT " if name == "system_reads" else ""
        if role not in known:
            continue
        if (table.name, name) in made:
            yield f'ALTER POLICY {name} ON "{table.name}" TO "{role}" {body}'
        else:
            yield f'CREATE POLICY {name} ON "{table.name}" {command}TO "{role}" {body}'


def _grants(
    table: Table, roles: DatabaseRoles, known: Container[str], ownership: Ownership
) -> Iterator[str]:
    if roles.app in known and roles.app != roles.owner:
        yield f'REVOKE ALL ON "{table.name}" FROM "{roles.app}"'
        for privilege in ownership.privileges(table):
            if (columns := _columns(table, privilege)) is not None:
                yield f'GRANT {privilege}{columns} ON "{table.name}" TO "{roles.app}"'
    if roles.system in known and roles.system not in (roles.owner, roles.app):
        verbs = "SELECT" if ownership.owns(table) else "SELECT, INSERT, UPDATE, DELETE"
        yield f'REVOKE ALL ON "{table.name}" FROM "{roles.system}"'
        yield f'GRANT {verbs} ON "{table.name}" TO "{roles.system}"'


def _columns(table: Table, privilege: str) -> str | None:
    """Return the column list of a grant, None for none: hidden columns are never read, keys never change."""
    if privilege == "SELECT" and "hidden" in table.info:
        names = [c.name for c in table.c if c.name not in table.info["hidden"]]
    elif privilege == "UPDATE":
        names = [c.name for c in table.c if not c.primary_key]
    else:
        return ""
    return " (" + ", ".join(f'"{name}"' for name in names) + ")" if names else None

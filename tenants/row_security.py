"""Row-level security: PostgreSQL holds the boundary by itself, whatever the statement says.

Three database roles and no bypass flag: *app* sees the entered account only, *system* reads across accounts and
writes global tables, *owner* migrates. Policies are written ``TO`` a role, so FORCE needs no BYPASSRLS. The
account is set in the same message as BEGIN and ends with the transaction, which is safe behind a transaction
pooler. https://www.postgresql.org/docs/15/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, event, text

from tenants.errors import UnsafeDatabaseRoleError
from tenants.ownership import OWNER, Ownership
from tenants.scope import current_account_id

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


def _begin_in_account(connection: Connection) -> None:
    _begin(connection, f"; SET LOCAL app.account_id = '{_uuid(current_account_id())}'")


def begin_without_account(engine: Engine) -> None:
    """Make every transaction of this engine begin with no account: for the system and owner engines."""
    event.listen(engine, "begin", lambda connection: _begin(connection, ""))


def _begin(connection: Connection, setting: str) -> None:
    mode = " READ ONLY" if connection.get_execution_options().get("read_only") else ""
    # One simple-protocol message: no extra round trip for the setting.
    with connection.connection.cursor() as cursor:
        cursor.execute(f"BEGIN{mode}{setting}")


def _uuid(value: Any) -> UUID:
    if type(value) is not UUID:  # interpolated into SQL text, so nothing else may pass
        raise TypeError(f"an account id is a uuid.UUID, not {type(value).__name__}")
    return value


def enable_statements(table_name: str) -> list[str]:
    """Return the statements that switch row-level security on for one tenant-owned table, its owner included."""
    return [
        f'ALTER TABLE "{table_name}" ENABLE ROW LEVEL SECURITY',
        f'ALTER TABLE "{table_name}" FORCE ROW LEVEL SECURITY',
    ]


def apply_policies(connection: Connection, ownership: Ownership, roles: DatabaseRoles) -> None:
    """Bring security, policies and grants of every table to what the metadata says; doing it again changes nothing.

    Runs as the owner of the tables. Roles that do not exist yet are left out: ``flask db roles`` makes them.
    """
    present = set(
        connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        )
    )
    known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    policies = {
        (t, p): set(r)
        for t, p, r in connection.execute(
            text("SELECT tablename, policyname, roles FROM pg_policies")
        )
    }
    for statement in policy_statements(ownership, roles, present, known, policies):
        connection.execute(text(statement))


def policy_statements(
    ownership: Ownership,
    roles: DatabaseRoles,
    present: set[str],
    known_roles: set[str],
    policies: dict[tuple[str, str], set[str]],
) -> Iterator[str]:
    """Yield the statements that ``apply_policies`` runs, given what the database already has."""
    for table in ownership.tables:
        if table.name not in present:
            continue
        if ownership.owns(table):
            yield from enable_statements(table.name)
            yield from _policies(table, roles, known_roles, policies)
        yield from _grants(table, roles, known_roles, ownership.owns(table))


def _policies(
    table: Table, roles: DatabaseRoles, known: set[str], policies: dict[Any, set[str]]
) -> Iterator[str]:
    wanted = {"tenant": (roles.app, f"USING ({_ENTERED}) WITH CHECK ({_ENTERED})")}
    if roles.distinct():
        wanted["system_reads"] = (roles.system, "USING (true)")
        wanted["owner"] = (roles.owner, "USING (true) WITH CHECK (true)")
    for name, (role, body) in wanted.items():
        command = "FOR SELECT " if name == "system_reads" else ""
        held_by = policies.get((table.name, name))
        if role not in known or held_by == {role}:
            continue
        if held_by is None:
            yield f'CREATE POLICY {name} ON "{table.name}" {command}TO "{role}" {body}'
        else:
            yield f'ALTER POLICY {name} ON "{table.name}" TO "{role}"'


def _grants(table: Table, roles: DatabaseRoles, known: set[str], owned: bool) -> Iterator[str]:
    if roles.app in known and roles.app != roles.owner:
        yield f'REVOKE ALL ON "{table.name}" FROM "{roles.app}"'
        for privilege in table.info.get("app", ("SELECT", "INSERT", "UPDATE", "DELETE")):
            yield f'GRANT {privilege}{_columns(table, privilege)} ON "{table.name}" TO "{roles.app}"'
    if roles.system in known and roles.system not in (roles.owner, roles.app):
        verbs = "SELECT" if owned else "SELECT, INSERT, UPDATE, DELETE"
        yield f'REVOKE ALL ON "{table.name}" FROM "{roles.system}"'
        yield f'GRANT {verbs} ON "{table.name}" TO "{roles.system}"'


def _columns(table: Table, privilege: str) -> str:
    """Return the column list of a grant: hidden columns are never read, keys never change."""
    if privilege == "SELECT" and "hidden" in table.info:
        names = [c.name for c in table.c if c.name not in table.info["hidden"]]
    elif privilege == "UPDATE":
        names = [c.name for c in table.c if not c.primary_key]
    else:
        return ""
    return " (" + ", ".join(f'"{name}"' for name in names) + ")"


def check_role(connection: Connection, ownership: Ownership) -> None:
    """Raise UnsafeDatabaseRoleError with every way in which this connection's role could pass the policies by."""
    role = connection.execute(
        text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    ).one()
    faults = [f"{role.rolname} is a superuser"] if role.rolsuper else []
    faults += [f"{role.rolname} has BYPASSRLS"] if role.rolbypassrls else []
    tables = connection.execute(
        text(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS secured,"
            " pg_has_role(current_user, c.relowner, 'MEMBER') AS owned, has_table_privilege(c.oid, 'TRUNCATE') AS truncates"
            " FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
        )
    ).all()
    ours = {table.name for table in ownership.owned_tables}
    for table in tables:
        faults += [f"{role.rolname} owns {table.relname}"] if table.owned else []
        faults += (
            [f"{role.rolname} may TRUNCATE {table.relname}"]
            if table.truncates and not table.owned
            else []
        )
        if table.relname in ours and not table.secured:
            faults.append(f"row-level security is not forced on {table.relname}")
    if faults:
        raise UnsafeDatabaseRoleError(
            "; ".join(faults) + ". Run `flask db roles` and use its roles in DATABASE_URL"
        )

"""The login roles of PostgreSQL: plain users who own nothing and can pass no policy by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, text

# What every transaction of these roles begins with, so that it holds behind a pooler too: a pooled connection
# takes no start-up options.
_DEFAULTS = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}
_TOO_MUCH = "(rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication OR NOT rolcanlogin)"
HIDDEN_PASSWORD = "********"  # noqa: S105 - what is printed in place of one


def create_logins(connection: Connection, logins: Iterable[tuple[str, str | None]]) -> None:
    """Make the login roles ``(name, password)``, or bring them back to what they must be; repeatable.

    Runs as a role that may create roles. A password of None leaves the one that is set.
    """
    database, schema = connection.execute(text("SELECT current_database(), current_schema()")).one()
    for statement in login_statements(logins, database, schema):
        connection.execute(text(statement))


def login_statements(
    logins: Iterable[tuple[str, str | None]], database: str, schema: str
) -> Iterator[str]:
    """Yield the statements that ``create_logins`` runs."""
    for name, password in logins:
        role = _name(name)
        # CREATE ROLE has no IF NOT EXISTS, and roles belong to the whole cluster: another database may be first.
        yield (
            f"DO $make$ BEGIN CREATE ROLE {role} LOGIN; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $make$"
        )
        # Only where something is wrong: a CREATEROLE user, as managed databases give one, may not even say NOSUPERUSER.
        yield (
            f"DO $mend$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {_text(name)} AND {_TOO_MUCH}) "
            f"THEN ALTER ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION; "
            "END IF; END $mend$"
        )
        if password is not None:
            yield f"ALTER ROLE {role} PASSWORD {_text(password)}"
        for setting, value in _DEFAULTS.items():
            yield f"ALTER ROLE {role} SET {setting} TO {_text(value)}"
        yield f"GRANT CONNECT ON DATABASE {_name(database)} TO {role}"
        yield f"GRANT USAGE ON SCHEMA {_name(schema)} TO {role}"


def grant_reading(connection: Connection, table: str, role: str) -> None:
    """Let a role read one table of the house's own, such as the schema version, where both are there."""
    there = text(
        "SELECT to_regclass(:table) IS NOT NULL AND EXISTS (SELECT FROM pg_roles WHERE rolname = :role)"
    )
    if connection.scalar(there, {"table": _name(table), "role": role}):
        connection.execute(text(f"GRANT SELECT ON {_name(table)} TO {_name(role)}"))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    # text() reads :name as a bind, so colons are escaped for it; quotes for the database.
    return "'" + value.replace("'", "''").replace(":", "\\:") + "'"

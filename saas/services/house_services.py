"""Whether the house can serve: is the database there, and is its schema the one this code was written for?"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.exc import DBAPIError

from saas import database, errors

_version = Table("alembic_version", MetaData(), Column("version_num", String(32)))
_wanted: list[str] = []


def configure(schema_version: str) -> None:
    """Set the schema version (the newest migration) that this code was written for."""
    _wanted[:] = [schema_version]


def unreadiness() -> str | None:
    """Return why the house cannot serve, in words for an operator, or None when it can."""
    try:
        with database.looking_across("readiness: which schema version is this?") as connection:
            found = connection.scalar(select(_version.c.version_num))
    except errors.DatabaseAwayError as error:
        return error.message
    except DBAPIError:
        return "The database has no schema yet. Run `flask db upgrade`."
    if _wanted and found != _wanted[0]:
        return f"The schema is at {found}, this code needs {_wanted[0]}. Run `flask db upgrade`."
    return None

"""``flask db …``: migrations, one at a time, and the three database roles of PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Connection, make_url

from config import command_tools, migrating
from config.settings import Settings
from saas.models import OWNERSHIP
from tenants import database_roles, row_security
from tenants.row_security import DatabaseRoles

db = AppGroup("db", help="Migrate the database; make its roles.")


@db.command("upgrade")
@click.argument("revision", default="head")
@command_tools.as_json
@command_tools.command
def upgrade(revision: str, as_json: bool) -> None:
    """Bring the database up to a revision; two at once wait for each other."""
    if not as_json:
        command_tools.log_to_output()
    _say(migrating.upgrade(_admin_url(), revision, after=_secure), as_json)


@db.command("downgrade")
@click.argument("revision", default="-1")
@command_tools.as_json
@command_tools.command
def downgrade(revision: str, as_json: bool) -> None:
    """Take the database back; "base" empties it."""
    if not as_json:
        command_tools.log_to_output()
    _say(migrating.downgrade(_admin_url(), revision, after=_secure), as_json)


@db.command("current")
@command_tools.as_json
@command_tools.command
def current(as_json: bool) -> None:
    """Print the revision the database is at."""
    revision = migrating.current(_admin_url())
    click.echo(json.dumps({"revision": revision}) if as_json else revision or "empty")


@db.command("check")
@command_tools.command
def check() -> None:
    """Fail when models and migrations differ."""
    differences = migrating.check(_admin_url())
    for difference in differences:
        click.echo(difference)
    if differences:
        raise click.ClickException("models and migrations differ: make a revision")
    click.echo("Models and migrations agree.")


@db.command("revision")
@click.argument("what")
@click.option("--empty", is_flag=True, help="Write no differences into it: for data, or by hand.")
@command_tools.command
def revision(what: str, empty: bool) -> None:
    """Write a new migration from the differences between models and database."""
    click.echo(f"Written: {migrating.revision(_admin_url(), what, autogenerate=not empty)}")


@db.command("roles")
@click.option("--print", "only_print", is_flag=True, help="Print the statements and run nothing.")
@command_tools.command
def roles(only_print: bool) -> None:
    """Make the PostgreSQL roles of DATABASE_URL and DATABASE_SYSTEM_URL, their grants and policies; again and again."""
    chosen = command_tools.settings()
    named = roles_of(chosen)
    if named is None:
        raise click.ClickException(
            f"{chosen.dialect} has no row-level security: there are no roles to make."
        )
    if not named.distinct():
        raise click.ClickException(
            "DATABASE_URL, DATABASE_SYSTEM_URL and DATABASE_ADMIN_URL must name three different users."
        )
    if only_print:
        for statement in _role_statements(chosen, named):
            click.echo(f"{statement};")
        return
    with migrating.locked(chosen.database_admin_url) as connection, connection.begin():
        database_roles.create_logins(connection, _logins(chosen))
        _secure(connection)
    command_tools.say(f"Roles {named.app} and {named.system} are ready.")


def _logins(chosen: Settings) -> list[tuple[str, str | None]]:
    urls = [make_url(chosen.database_url), make_url(chosen.database_system_url)]
    return [(str(url.username), url.password) for url in urls]


def _role_statements(chosen: Settings, named: DatabaseRoles) -> Iterator[str]:
    """What `flask db roles` would run on a fresh database, with no password in it."""
    database = make_url(chosen.database_admin_url).database or ""
    logins: list[tuple[str, str | None]] = [
        (name, database_roles.HIDDEN_PASSWORD) for name, _ in _logins(chosen)
    ]
    yield from database_roles.login_statements(logins, database, "public")
    known = {named.app, named.system, named.owner}
    yield from row_security.policy_statements(
        OWNERSHIP, named, set(OWNERSHIP.metadata.tables), known, {}
    )


def roles_of(chosen: Settings) -> DatabaseRoles | None:
    """Return the three database roles that the settings name, or None where the database has none."""
    if chosen.dialect != "postgresql":
        return None
    urls = (chosen.database_url, chosen.database_system_url, chosen.database_admin_url)
    names = [make_url(url).username or "" for url in urls]
    return DatabaseRoles(*names)


def _secure(connection: Connection) -> None:
    """After every move of the schema: policies and grants of each table, on PostgreSQL."""
    secure(connection, command_tools.settings())


def secure(connection: Connection, chosen: Settings) -> None:
    """Bring policies and grants to what the models say; runs as the owner, and does nothing without policies."""
    named = roles_of(chosen)
    if named is None:
        return
    row_security.apply_policies(connection, OWNERSHIP, named)
    database_roles.grant_reading(connection, "alembic_version", named.system)


def _admin_url() -> str:
    return command_tools.settings().database_admin_url


def _say(moved: tuple[Any, Any], as_json: bool) -> None:
    before, now = moved
    if as_json:
        click.echo(json.dumps({"before": before, "now": now}))
    elif before == now:
        command_tools.say(f"The database is at {now or 'nothing'}; nothing to do.")
    else:
        command_tools.say(f"Migrated from {before or 'nothing'} to {now or 'nothing'}.")

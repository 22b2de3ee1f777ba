"""A PostgreSQL database of the run's own: 1,000 accounts of 20 users with two roles each, dropped at the end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from uuid_utils.compat import uuid7

from config import database_commands, migrating
from config.settings import Settings, load
from saas.audit.chain import GENESIS
from saas.columns import utc_now
from saas.permissions import SYSTEM_ROLES
from tenants import database_roles

SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
HOST = "app.example.com"
ACCOUNTS = 1000
USERS = 20
_PREFIX = "tenantry_b_"


@dataclass(frozen=True, slots=True)
class Caller:
    """One seat that calls: the first user of an account."""

    account_id: UUID
    user_id: UUID
    identity_id: UUID


@dataclass(frozen=True, slots=True)
class Bench:
    """A filled database: its production settings, who calls, and the way in for the bare app (libpq form)."""

    settings: Settings
    callers: list[Caller]
    bare_database: str

    def environment(self) -> dict[str, str]:
        """Return what a server process of either app needs."""
        chosen = self.settings
        return os.environ | {
            "FLASK_CONFIG": chosen.flask_config,
            "SECRET_KEY": chosen.secret_key.get_secret_value(),
            "PASSWORD_PEPPERS": ",".join(f"{key}:{secret}" for key, secret in chosen.peppers),
            "DATABASE_URL": chosen.database_url,
            "DATABASE_SYSTEM_URL": chosen.database_system_url,
            "BASE_URL": chosen.base_url,
            "TRUSTED_HOSTS": HOST,
            "BARE_DATABASE": self.bare_database,
            "BARE_SECRET_KEY": chosen.secret_key.get_secret_value(),
            "PYTHONHASHSEED": "0",
        }

    @contextmanager
    def logging_statements(self) -> Iterator[None]:
        """Let new connections of the app's role be told every statement that PostgreSQL runs for them."""
        role = sql.Identifier(make_url(self.settings.database_url).username or "")
        options = {"log_statement": "all", "client_min_messages": "log"}
        with psycopg.connect(self.bare_database, autocommit=True) as superuser:
            for option, value in options.items():
                superuser.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(option), value)
                )
            yield
            for option in options:
                superuser.execute(
                    sql.SQL("ALTER ROLE {} RESET {}").format(role, sql.Identifier(option))
                )


@contextmanager
def filled_database(*, accounts: int = ACCOUNTS, callers: int = 50) -> Iterator[Bench]:
    """Make, migrate, fill and at the end drop a database with its two roles (see TEST_POSTGRESQL_URL)."""
    server = make_url(os.environ.get("TEST_POSTGRESQL_URL", SERVER)).set(
        drivername="postgresql+psycopg"
    )
    name = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(2)}"
    roles, password = (f"{name}_app", f"{name}_system"), secrets.token_hex(16)
    with psycopg.connect(libpq(server), autocommit=True) as superuser:
        superuser.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            owner = server.set(database=name)
            app, system = (owner.set(username=role, password=password) for role in roles)
            chosen = _settings(app, system, owner)
            migrating.upgrade(chosen.database_admin_url, after=partial(_secure, chosen, password))
            with psycopg.connect(libpq(owner)) as connection:
                called = _fill(connection, accounts, callers)
            yield Bench(chosen, called, libpq(owner))
        finally:
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in roles:
                superuser.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def libpq(url: URL) -> str:
    """Return a URL in the form that libpq and psycopg read."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _settings(app: URL, system: URL, owner: URL) -> Settings:
    """The settings of a production process: every net and every check is on."""
    urls = [url.render_as_string(hide_password=False) for url in (app, system, owner)]
    return load(
        flask_config="prod",
        secret_key=secrets.token_urlsafe(48),
        password_peppers=f"p1:{secrets.token_urlsafe(48)}",
        database_url=urls[0],
        database_system_url=urls[1],
        database_admin_url=urls[2],
        base_url=f"https://{HOST}",
        trusted_hosts=HOST,
        throttle_sign_in="100000/minute",
        throttle_register="100000/minute",
    )


def _secure(chosen: Settings, password: str, connection: Any) -> None:
    logins = [
        make_url(url).username or "" for url in (chosen.database_url, chosen.database_system_url)
    ]
    database_roles.create_logins(connection, [(login, password) for login in logins])
    database_commands.secure(connection, chosen)


def _fill(connection: psycopg.Connection[Any], accounts: int, callers: int) -> list[Caller]:
    now, called = utc_now(), []
    tables: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
    for number in range(accounts):
        account_id = uuid7()
        tables["accounts"].append((account_id, f"Account {number}", "active", 1, now))
        tables["audit_heads"].append((account_id, 0, GENESIS, GENESIS))
        roles = {key: uuid7() for key in SYSTEM_ROLES}
        tables["roles"] += [(account_id, roles[key], key, key, "[]", now) for key in roles]
        for seat in range(USERS):
            user_id, identity_id, address = uuid7(), uuid7(), f"person{seat}.{number}@example.com"
            tables["identities"].append((identity_id, address, address, "none", now))
            tables["users"].append(
                (account_id, user_id, identity_id, f"person{seat}", "active", now)
            )
            held = ("member", "viewer") if seat else ("owner", "member")
            tables["users_x_roles"] += [(account_id, user_id, roles[key], now) for key in held]
            if seat == 0 and number < callers:
                called.append(Caller(account_id, user_id, identity_id))
    for table, rows in tables.items():
        _copy(connection, table, rows)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    return called


_COLUMNS = {
    "accounts": "account_id, name, status, roles_version, created_at",
    "identities": "id, email_key, email, password_hash, created_at",
    "users": "account_id, id, identity_id, username, status, created_at",
    "roles": "account_id, id, name, system_key, permissions, created_at",
    "users_x_roles": "account_id, user_id, role_id, assigned_at",
    "audit_heads": "account_id, seq, prev, hash",
}


def _copy(connection: psycopg.Connection[Any], table: str, rows: list[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({_COLUMNS[table]}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)

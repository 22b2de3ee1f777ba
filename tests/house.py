"""A house to test in: a migrated database of one backend and the app on it, made once per worker process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import flask
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from config import application, database_commands, migrating, settings
from config.settings import Settings
from saas import database
from saas.database import Database
from tests import canaries, connections, databases, needs

# One for all houses and every process that a test starts: what an app sets for its whole process is then the same,
# whichever house was built last.
SECRET_KEY = "houses-of-the-tests-0123456789abcdefghijklmnop"
PEPPERS = "houses:of-the-tests-0123456789abcdefghijklmnopqr"
MANY = "100000/minute"  # a throttle that no test reaches by accident


@dataclass(frozen=True, slots=True)
class House:
    """One backend, ready: its URLs, settings, app and database."""

    backend: str
    urls: databases.Urls
    settings: Settings
    app: flask.Flask
    database: Database

    @contextmanager
    def in_use(self) -> Iterator[Database]:
        """Let services talk to this house's database."""
        with database.use(self.database):
            yield self.database


class Street:
    """Every house of this process, built when first asked for and torn down at the end."""

    def __init__(self, directory: Path, label: str) -> None:
        self._directory, self._label = directory, label
        self._houses: dict[tuple[str, str], House] = {}
        self._stack = ExitStack()

    def house(self, backend: str, of: str = "everybody") -> House:
        """Return the house of a backend; raises DatabaseMissingError.

        ``of``: whose it is. What walks over every account takes as long as there are accounts, so it has a house of its
        own and not the one where thousands of tests have left theirs.
        """
        if (backend, of) not in self._houses:
            urls = self._stack.enter_context(
                databases.empty_database(backend, self._directory, self._label)
            )
            self._houses[backend, of] = build(urls, self._directory)
        return self._houses[backend, of]

    def open(self, backend: str, of: str = "everybody") -> House:
        """Return a house for a test; skips the test, or fails it in CI, where the database is missing."""
        try:
            return self.house(backend, of)
        except databases.DatabaseMissingError as error:
            needs.skip_or_fail(error)

    def close(self) -> None:
        hits = [hit for house in self._houses.values() for hit in _secrets_kept(house)]
        for house in self._houses.values():
            house.database.dispose()
        self._stack.close()
        assert not hits, hits


def _secrets_kept(house: House) -> list[str]:
    """What of the suite's secrets stands in the logs of a house, or in its mails beyond their purpose."""
    engine = create_engine(house.urls.superuser_url, poolclass=NullPool)
    with engine.connect() as connection:
        hits = canaries.in_events(connection)
    mails = (house.settings.var_dir / "mail").glob("**/*")
    return hits + [
        str(mail) for mail in mails if mail.is_file() and canaries.in_mail(mail.read_bytes())
    ]


def settings_for(urls: databases.Urls, directory: Path, **more: object) -> Settings:
    """Return test settings on a database: a cheap password hash, and throttles nobody meets by accident."""
    chosen = {
        "flask_config": "test",
        "secret_key": SECRET_KEY,
        "password_peppers": PEPPERS,
        "password_cost": 4,
        "var_dir": directory,
        "database_url": urls.tenant_url,
        "database_system_url": urls.system_url,
        "database_admin_url": urls.admin_url,
        "throttle_sign_in": MANY,
        "throttle_register": MANY,
        "audit_refusals": MANY,
        "metrics": True,
        "log_format": "json",
        "webhook_allow_loopback": True,
    }
    return settings.load(**(chosen | more))


def migrate(chosen: Settings) -> None:
    """Migrate a database and bring its policies and grants up, as `flask db upgrade` does."""
    migrating.upgrade(chosen.database_admin_url, after=partial(_secure, chosen))


def _secure(chosen: Settings, connection: object) -> None:
    database_commands.secure(connection, chosen)  # type: ignore[arg-type]


def build(urls: databases.Urls, directory: Path, **more: object) -> House:
    """Migrate a database and build the app on it."""
    chosen = settings_for(urls, directory, **more)
    migrate(chosen)
    app = application.create_app(chosen)
    canaries.watch(app)
    connections.watch(app.extensions["database"])
    return House(urls.backend, urls, chosen, app, app.extensions["database"])

"""The same database behind an app with other settings, or out of reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import application
from config.destinations import destination_names
from saas import paging
from saas.audit import lag
from saas.security import egress, passwords, secret_box
from saas.services import session_services
from tests import connections
from tests.house import House, settings_for
from tests.relay import Relay

PRODUCTION = {
    "flask_config": "prod",
    "base_url": "https://app.example.com",
    "trusted_hosts": "app.example.com",
    "password_cost": 12,
    "webhook_allow_loopback": False,
}


@contextmanager
def variant(house: House, **more: Any) -> Iterator[House]:
    """A house with some settings changed; what an app sets for its whole process is put back."""
    chosen = settings_for(house.urls, house.settings.var_dir, **more)
    # Whether the roles could pass the policies by is asked by tests of its own.
    app = application.create_app(chosen, serving=False)
    connections.watch(app.extensions["database"])
    try:
        yield House(house.backend, house.urls, chosen, app, app.extensions["database"])
    finally:
        app.extensions["database"].dispose()
        _put_back(house)


def _put_back(house: House) -> None:
    given = house.settings
    passwords.configure(given.peppers, given.password_cost)
    paging.configure(given.secret_key.get_secret_value())
    secret_box.configure([given.secret_key.get_secret_value()])
    egress.configure(allow_loopback=given.webhook_allow_loopback)
    lag.configure(destination_names(given))
    session_services.configure(
        timedelta(hours=given.session_hours), timedelta(days=given.remember_days)
    )


@contextmanager
def cuttable(
    house: House,
) -> Iterator[tuple[House, Callable[[], None], Callable[[], None]]]:
    """A house whose database can be taken away: behind a relay, or on SQLite as a file."""
    if house.backend == "sqlite":
        file = Path(house.urls.tenant_url.removeprefix("sqlite:///"))
        with variant(house) as same:
            try:
                yield same, lambda: _hide(same, file), lambda: _bring_back(same, file)
            finally:
                _bring_back(same, file)
        return
    relay = Relay(house.urls.tenant_url)
    through = {
        "database_url": relay.url(house.urls.tenant_url),
        "database_system_url": relay.url(house.urls.system_url),
    }
    try:
        with variant(house, **through) as same:
            yield same, relay.cut, relay.restore
    finally:
        relay.cut()


def _hide(house: House, file: Path) -> None:
    house.database.dispose()  # an open file stays readable under any name
    file.rename(file.with_suffix(".away"))
    file.mkdir()


def _bring_back(house: House, file: Path) -> None:
    house.database.dispose()
    if file.is_dir():
        file.rmdir()
        file.with_suffix(".away").rename(file)

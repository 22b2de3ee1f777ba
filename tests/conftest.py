"""Shared fixtures: a migrated database per backend, the app on it, and people who register for each test.

Nothing is truncated between tests: every test works in accounts of its own, which is what tenancy is for.
"""

from __future__ import annotations

import os

os.environ["FLASK_CONFIG"] = "test"  # before any settings are read

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient

from saas.security import egress
from tests import canaries, connections, databases, people, reporting
from tests.house import House, Street
from tests.people import Person, Team


def _loopback_alone(host: str, *arguments: Any) -> Any:
    """Look up nothing but addresses of this machine: whatever a test makes up, no packet of ours leaves it."""
    if host not in ("127.0.0.1", "::1"):
        raise socket.gaierror(socket.EAI_NONAME, "the tests know loopback alone")
    return socket.getaddrinfo(host, *arguments)


egress.lookup = _loopback_alone
canaries.release()

# The permission matrix, Chromium, the order of the tests.
pytest_plugins = ["saas.testing", "tests.browsing", "tests.scheduling"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for a house on each of the three databases."""
    if "house" in metafunc.fixturenames and "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", databases.BACKENDS)


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    directory: Path = tmp_path_factory.mktemp("houses")
    street = Street(directory, os.environ.get("PYTEST_XDIST_WORKER", "main"))
    yield street
    street.close()


@pytest.fixture(autouse=True)
def _no_secret_turns_up() -> Iterator[None]:
    """No secret that the suite uses stands in a log line or in an error. Events and mails: when a house closes."""
    yield
    hits, canaries.found[:] = list(canaries.found), []
    assert not hits, hits


@pytest.fixture(autouse=True)
def _no_thread_holds_two_connections() -> Iterator[None]:
    yield
    nested, connections.found[:] = list(connections.found), []
    assert not nested, nested[0]


@pytest.fixture
def house(street: Street, backend: str) -> House:
    """A database of this backend, migrated, and the app on it."""
    return street.open(backend)


@pytest.fixture
def lite(street: Street) -> House:
    """The house on SQLite alone, for what no database can change."""
    return street.house("sqlite")


@pytest.fixture
def app(house: House) -> flask.Flask:
    return house.app


@pytest.fixture
def client(house: House) -> FlaskClient:
    """A browser that nobody is signed in with."""
    return house.app.test_client()


@pytest.fixture
def ada(house: House) -> Person:
    """Ada, who owns a fresh account."""
    return people.register(house, "ada")


@pytest.fixture
def acme(house: House) -> Team:
    """A fresh account with Ada, Ben, Cleo and Vera."""
    return people.team(house)


@pytest.fixture
def gus(house: House) -> Person:
    """Gus, who owns another fresh account."""
    return people.register(house, "gus", account_name="globex")


pytest_runtest_logreport = reporting.count
pytest_terminal_summary = reporting.summarise

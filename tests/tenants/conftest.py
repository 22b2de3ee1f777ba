"""Worlds to attack: one per backend and process, made when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests import databases, needs
from tests.tenants.world import World


@pytest.fixture(scope="session")
def world_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """Give the world of a backend; skips (or fails, where CI=true) for a server that is not there."""
    directory = tmp_path_factory.mktemp("worlds")
    label = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_w"
    worlds: dict[str, World] = {}
    with ExitStack() as stack:

        def give(backend: str) -> World:
            if backend not in worlds:
                try:
                    urls = stack.enter_context(databases.empty_database(backend, directory, label))
                except databases.DatabaseMissingError as error:
                    needs.skip_or_fail(error)
                worlds[backend] = stack.enter_context(closing(World(urls)))
            return worlds[backend]

        yield give


@pytest.fixture
def lite(world_of: Callable[[str], World]) -> World:
    """The world on SQLite, for what no database can change."""
    return world_of("sqlite")


@pytest.fixture
def world(world_of: Callable[[str], World], backend: str) -> World:
    """The world of the backend that the test is parametrised with."""
    return world_of(backend)

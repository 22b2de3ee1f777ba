"""Two replicas start at once and both migrate the empty database: one does it, the other waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import migrating
from saas.database import Database
from tests import databases, needs
from tests.notes import note
from tests.proofs import processes, unrestricted

pytestmark = pytest.mark.timeout(600)  # on a machine that has much else to do


def race(backend: str, directory: Path) -> None:
    """Start two upgrades at the same time on one empty database."""
    with databases.empty_database(backend, directory, "migrate") as urls:
        logs = [directory / f"{urls.backend}_{number}.log" for number in range(2)]
        environment = processes.environment(urls, directory / "var")
        started = [
            processes.start("flask", "db", "upgrade", environment=environment, log=log)
            for log in logs
        ]
        codes = [process.wait(processes.PATIENCE) for process in started]
        said = [log.read_text() for log in logs]
        for log in logs:
            log.unlink()
        assert codes == [0, 0], "\n".join(said)
        # The one that came second waited and found nothing to do: they did not work side by side.
        assert sorted("nothing to do" in text for text in said) == [False, True], said
        assert sorted("Migrated from nothing" in text for text in said) == [False, True], said
        check_schema(urls)


def check_schema(urls: databases.Urls) -> None:
    """The schema is the newest, equals the models, and its policies hold the app's roles."""
    assert migrating.current(urls.admin_url) == migrating.head_revision()
    assert migrating.check(urls.admin_url) == []
    database = Database(urls.tenant_url, urls.system_url)
    try:
        database.check(roles=True)
    finally:
        database.dispose()
    with unrestricted.looking(urls) as eye:
        assert {name: n for name, n in unrestricted.counts(eye).items() if n} == {"system_heads": 1}


def check_races(backend: str, races: int, directory: Path) -> None:
    try:
        for _ in range(races):
            race(backend, directory)
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)
    note(
        "proof",
        f"migrations: {backend}: two upgrades at once, {races} times: 0 crashes, the schema is right",
    )


@pytest.mark.parametrize("backend", databases.BACKENDS)
def test_two_upgrades_at_once_take_turns(backend: str, tmp_path: Path) -> None:
    check_races(backend, 3, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("backend", databases.BACKENDS)
def test_two_upgrades_at_once_take_turns_twenty_times(backend: str, tmp_path: Path) -> None:
    check_races(backend, 20, tmp_path)

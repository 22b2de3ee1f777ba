"""Sixteen writers at one SQLite file, four threads in each of four processes."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from saas.services import project_services
from tenants import enter_account
from tests import people
from tests.house import House
from tests.notes import note
from tests.people import Person
from tests.proofs import processes, unrestricted

PROCESSES, THREADS = 4, 4


def write_for(seconds: float, lite: House, ada: Person, counter_id: UUID) -> list[int]:
    """Let all writers write for some seconds; every number that any of them has committed."""
    environment = processes.environment(lite.urls, lite.settings.var_dir)
    what = (lite.urls.tenant_url, str(ada.account_id), str(counter_id), str(THREADS))
    started = [
        processes.piped("-m", "tests.proofs.writers", f"writer {n}", *what, environment=environment)
        for n in range(PROCESSES)
    ]
    assert [processes.hear(process) for process in started] == ["ready"] * PROCESSES
    for process in started:
        processes.say(process, str(seconds))
    numbers = []
    for process in started:
        out, err = process.communicate(timeout=seconds + processes.PATIENCE)
        assert (process.returncode, err) == (0, "")
        numbers += json.loads(out)
    return numbers


def check_writers(seconds: float, lite: House) -> None:
    ada = people.register(lite, "ada")
    with lite.in_use(), enter_account(ada.account_id):
        counter_id = project_services.create_project(
            ada.actor(), name="counter", description="0"
        ).id
    with unrestricted.looking(lite.urls) as eye:
        begun = len(unrestricted.rows(eye, "audit_events", account_id=ada.account_id))
        numbers = write_for(seconds, lite, ada, counter_id)
        rows = {
            row["name"]: row
            for row in unrestricted.rows(eye, "projects", account_id=ada.account_id)
        }
        ended = unrestricted.check_chains(eye, [ada.account_id])
        events = unrestricted.rows(eye, "audit_events", account_id=ada.account_id)[begun:]
    written = len(numbers)
    # What was acknowledged is there, once each, and nothing else is: no update was lost.
    assert sorted(numbers) == list(range(1, written + 1))
    assert rows.pop("counter")["description"] == str(written)
    assert {int(name) for name in rows} == set(numbers)
    assert ended - begun == 2 * written
    told = [e["changes"][0] for e in events if e["action"] == "project.updated"]
    assert sorted((int(c["old"]), int(c["new"])) for c in told) == [
        (n - 1, n) for n in range(1, written + 1)
    ]
    assert len({row["description"] for row in rows.values()}) == PROCESSES * THREADS, (
        "a writer never had its turn"
    )
    note(
        "proof",
        f"SQLite: {PROCESSES * THREADS} writers in {PROCESSES} processes, {seconds:g} s: {written:,} changes, "
        f"0 lost, 0 times locked, {2 * written:,} events without a gap",
    )


def test_sixteen_writers_lose_nothing_and_are_never_locked_out(lite: House) -> None:
    check_writers(5, lite)


@pytest.mark.proof
def test_sixteen_writers_lose_nothing_in_half_a_minute(lite: House) -> None:
    check_writers(30, lite)

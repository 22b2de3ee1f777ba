"""Nothing changes without an event: each act, command and task of the worker, by the database before and after.

Every writing route, pages included, is watched the same way by the permission matrix (``saas.testing.completeness``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from config import worker
from saas.audit.events import NOT_AUDITED, AuditEvent
from saas.models import OWNERSHIP, AuditEventRow, Project, SystemEventRow
from saas.services import mail_token_services
from tests.command_line import runner
from tests.house import House, Street
from tests.people import register, sign_in
from tests.refusals import look, superuser
from tests.saas.audit.acts import Stage
from tests.saas.audit.test_prune import grow_old
from tests.saas.audit.test_record import LEAVES

LOGS = (AuditEventRow.__table__, SystemEventRow.__table__)


@pytest.fixture(scope="module")
def own_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house where nothing happens but what is done here; what is counted depends on no database."""
    street = Street(Path(tmp_path_factory.mktemp("complete")), "complete")
    yield street.house("sqlite")
    street.close()


class Ledger:
    """Every audited row there is, and how far the logs have got."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.rows = self._rows()
        self.ids = self._ids()

    def _rows(self) -> dict[str, set[str]]:
        found = {}
        with superuser(self.house) as connection:
            for table in OWNERSHIP.metadata.sorted_tables:
                free, _ = NOT_AUDITED.get(table.name, (frozenset(), ""))
                if free is not None:
                    columns = [c for c in table.c if c.name not in free]
                    found[table.name] = {repr(row) for row in connection.execute(select(*columns))}
        return found

    def _ids(self) -> set[Any]:
        return {row.id for log in LOGS for row in look(self.house, select(log.c.id))}

    def silent(self) -> set[str]:
        """Tables that were changed since, and that no event since accounts for."""
        now = self._rows()
        changed = {name for name, rows in self.rows.items() if rows != now[name]}
        told = {
            row.action
            for log in LOGS
            for row in look(self.house, select(log.c.id, log.c.action))
            if row.id not in self.ids
        }
        return changed - {table for action in told for table in AuditEvent(action).tables}


def test_every_act(own_house: House) -> None:
    stage, silent = Stage(own_house), {}
    for name, act in stage.acts().items():
        if name not in LEAVES:
            continue
        stage.make_ready(name)
        ledger = Ledger(own_house)
        answer = act()
        assert answer is None or answer.status_code < 300, (name, answer.json)
        silent[name] = ledger.silent()
        if name == "restore account":
            sign_in(own_house, stage.ada)
        if name == "switch account":
            body = {"account_id": str(stage.ada.account_id)}
            assert stage.ada.post("/api/session/account", body).status_code == 200

    assert {name for name, tables in silent.items() if tables} == set()
    assert silent.keys() == LEAVES.keys()


def test_every_command_that_writes(own_house: House) -> None:
    ada = register(own_house, "ada")
    run, account = runner(own_house), str(ada.account_id)
    grow_old(own_house, ada, 2)
    because = ("--reason", "because of a contract")
    for command in (
        ("accounts", "suspend", account, *because),
        ("accounts", "restore", account, *because),
        ("audit", "retention", account, "30", *because),
        ("audit", "prune", "--account", account),
        ("audit", "export", "--account", account),
        ("audit", "verify"),
        ("seed",),
        ("worker", "--once"),
    ):
        ledger = Ledger(own_house)
        run(*command)
        assert ledger.silent() == set(), command


def test_every_task_of_the_worker(own_house: House) -> None:
    ada = register(own_house, "ada")
    tasks: dict[str, Callable[[], object]] = {
        "forgot": lambda: mail_token_services.send_reset({"email": ada.email})
    }
    assert set(worker.handlers(own_house.settings)) >= set(tasks)
    with own_house.in_use():
        for name, task in tasks.items():
            ledger = Ledger(own_house)
            task()
            assert ledger.silent() == set(), name
            told = look(own_house, select(func.count()).select_from(SystemEventRow.__table__))
            assert told[0][0] > 0


def test_a_silent_change_is_seen(own_house: House) -> None:
    ada = register(own_house, "ada")
    ada.post("/api/projects", {"name": "Apollo"})
    ledger = Ledger(own_house)

    with superuser(own_house) as connection:
        connection.execute(update(Project.__table__).values(description="changed in silence"))

    assert ledger.silent() == {"projects"}

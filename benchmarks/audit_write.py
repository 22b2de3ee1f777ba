"""A change with its audit event, linked into the account's chain, over the change alone (ORM path, PostgreSQL).

``python -m benchmarks.audit_write [--quick] [--json]``. CPU of this process and of PostgreSQL's backend together, one
writer, ``synchronous_commit`` off in both (a disk that is waited for is no CPU). The change is one field of a project;
alone, it is the same session, statement, guard and policies, without record, coverage, chain and log line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import make_url, select

from benchmarks import data, servers
from benchmarks import list as list_benchmark
from benchmarks.data import Bench, Caller
from saas import database
from saas.actor import Actor
from saas.audit import chain
from saas.models import Project
from saas.permissions import SYSTEM_ROLES
from saas.services import project_services
from tenants import enter_account

MUST = 1.35


def main() -> int:
    """Measure, print and say whether the figure holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_write", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few short pairs, for a look")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    result = measure(pairs=3 if asked.quick else 15, changes=100 if asked.quick else 400)
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if result["ratio"] <= MUST else 1


def measure(*, pairs: int, changes: int) -> dict[str, Any]:
    """Return the ratio of a change with event and chain to the change alone: median of the pairs."""
    with data.filled_database(accounts=20, callers=1) as bench:
        _without_waiting_for_the_disk(bench)
        with list_benchmark.product(bench) as app, database.use(app.extensions["database"]):
            caller = bench.callers[0]
            with enter_account(caller.account_id):
                times = _times(caller, pairs, changes)
                _refuse_broken_chain(caller)
    ratios = [audited / alone for alone, audited in times]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
        "pairs": pairs,
        "alone_us": round(statistics.median(t[0] for t in times) * 1e6),
        "audited_us": round(statistics.median(t[1] for t in times) * 1e6),
    }


def _times(caller: Caller, pairs: int, changes: int) -> list[tuple[float, float]]:
    actor = Actor(
        "user", caller.user_id, "person0", caller.account_id, SYSTEM_ROLES["owner"],
        identity_id=caller.identity_id, email="person0.0@example.com",
    )  # fmt: skip
    project_id = project_services.create_project(actor, name="Apollo").id
    with database.reading() as unit:
        backend = unit.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]

    def alone(text: str) -> None:
        _change_alone(project_id, text)

    def audited(text: str) -> None:
        project_services.update_project(actor, project_id=project_id, description=text)

    _cpu(alone, backend, changes // 4)
    _cpu(audited, backend, changes // 4)
    times = []
    for turn in range(pairs):
        order = (alone, audited) if turn % 2 else (audited, alone)
        taken = {act: _cpu(act, backend, changes) for act in order}
        times.append((taken[alone], taken[audited]))
    return times


def _change_alone(project_id: UUID, text: str) -> None:
    """What ``update_project`` does to the database, and nothing of what accounts for it."""
    unit = database.open_unit(read_only=False)
    try:
        project_model = unit.session.scalar(select(Project).where(Project.id == project_id))
        assert project_model is not None
        project_model.description = text
        unit.flush()
        unit.connection.commit()
    finally:
        database.close_unit(unit)


def _cpu(act: Callable[[str], None], backend: int, changes: int) -> float:
    """CPU seconds of one change, of this process and of its backend (where the server runs on this machine)."""
    before = time.process_time() + _backend_cpu(backend)
    for number in range(changes):
        act(f"{time.monotonic_ns()} {number}")
    return (time.process_time() + _backend_cpu(backend) - before) / changes


def _backend_cpu(pid: int) -> float:
    name = Path(f"/proc/{pid}/comm")
    return servers.cpu_of(pid) if name.exists() and "postgres" in name.read_text() else 0.0


def _without_waiting_for_the_disk(bench: Bench) -> None:
    role = sql.Identifier(make_url(bench.settings.database_url).username or "")
    with psycopg.connect(bench.bare_database, autocommit=True) as superuser:
        superuser.execute(sql.SQL("ALTER ROLE {} SET synchronous_commit = off").format(role))


def _refuse_broken_chain(caller: Caller) -> None:
    """A fast chain that does not hold would be worth nothing: recompute every link that was written."""
    from saas.models.events import AuditEventRow

    table = AuditEventRow.__table__
    with database.reading() as unit:
        query = select(table).where(table.c.account_id == caller.account_id).order_by(table.c.seq)
        rows = [dict(row) for row in unit.execute(query).mappings()]
    prev = chain.GENESIS
    for seq, row in enumerate(rows, 1):
        linked = chain.link(prev, seq, chain.digest(row))
        if (row["seq"], row["prev"], row["hash"]) != (seq, prev, linked):
            raise RuntimeError(f"the chain is broken at {seq}")
        prev = linked


def _as_text(result: dict[str, Any]) -> str:
    return (
        f"a change with its event and chain, over the change alone: CPU x {result['ratio']:.2f}"
        f"  [{result['min']:.2f}..{result['max']:.2f}], {result['pairs']} pairs"
        f"  ({result['audited_us']} over {result['alone_us']} us; must be <= {MUST})"
    )


if __name__ == "__main__":
    sys.exit(main())

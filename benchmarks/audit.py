"""What the audit log costs: a change with its event, with its link in the chain, verifying, exporting (PostgreSQL).

``python -m benchmarks.audit [--quick] [--json]``. Beside it, in the same run, SQLAlchemy-Continuum (``continuum``).
CPU of this process and of PostgreSQL's backend together, one writer, ``synchronous_commit`` off in all (a disk that is
waited for is no CPU); and what several processes get done that write to one account. The change is one field of a
project, made by its service; alone, it is the same without record, coverage, chain and log line.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import event, make_url, select
from uuid_utils.compat import uuid7

from benchmarks import data, servers
from benchmarks import list as list_benchmark
from benchmarks.data import Bench, Caller
from saas import database
from saas.actor import Actor
from saas.audit import canonical, chain, coverage, export, one_message
from saas.audit.reading import Chain, across
from saas.columns import canonical_json, utc_now
from saas.models import AuditEventRow
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import audit_services, project_services
from tenants import enter_account

_UNLINKED = 10**12  # no chain of the benchmark is so long
MUST_WITH_EVENT, MUST, MUST_VERIFY, MUST_EXPORT = 1.20, 1.35, 50_000, 64
WRITERS, MUST_TOGETHER = 4, 0.4


def main() -> int:
    """Measure, print and say whether the figure holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, for a look")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    result = measure(
        rounds=20 if asked.quick else 200,
        changes=25,
        events=50_000 if asked.quick else 1_000_000,
    )
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if _holds(result) else 1


def _holds(result: dict[str, Any]) -> bool:
    return bool(
        result["ratio"] <= MUST
        and result["event_ratio"] <= MUST_WITH_EVENT
        and result["together"] >= MUST_TOGETHER
        and result["verified_per_second"] >= MUST_VERIFY
        and result["export_mib"] <= MUST_EXPORT
    )


def measure(*, rounds: int, changes: int, events: int) -> dict[str, Any]:
    """Return the ratios of a change with event, and with chain, to the change alone (median of the rounds), what four
    writers of one account get done over what they do without the log, events verified in a second of one core, and
    MiB over idle while ``events`` are exported.

    Rounds are short and their order turns, because a machine that others use too is fast at one moment and slow at
    the next.
    """
    with data.filled_database(accounts=20, callers=1) as bench:
        _without_waiting_for_the_disk(bench)
        _make_unlinked(bench)
        with list_benchmark.product(bench) as app, database.use(app.extensions["database"]):
            caller = bench.callers[0]
            with enter_account(caller.account_id):
                times = _times(caller, rounds, changes)
                together = _together(caller, rounds // 20)
                _refuse_broken_chain(caller)
                _fill_log(bench, caller, events)
                reading = {**_verified(caller, events), **_exported(caller)}
            continuum = _continuum(bench, max(3, rounds // 15), 400)
    ratios = [audited / alone for alone, _, audited in times]
    return {
        **reading,
        "continuum_ratio": continuum,
        "event_ratio": round(statistics.median(told / alone for alone, told, _ in times), 3),
        "ratio": round(statistics.median(ratios), 3),
        "quartiles": [round(q, 3) for q in statistics.quantiles(ratios, n=4)[::2]],
        "rounds": rounds,
        "together": round(statistics.median(together), 3),
        "alone_us": round(statistics.median(t[0] for t in times) * 1e6),
        "audited_us": round(statistics.median(t[2] for t in times) * 1e6),
    }


def _actor(caller: Caller) -> Actor:
    return Actor(
        "user", caller.user_id, "person0", caller.account_id, SYSTEM_ROLES["owner"],
        identity_id=caller.identity_id, email="person0.0@example.com",
    )  # fmt: skip


def _times(caller: Caller, rounds: int, changes: int) -> list[tuple[float, float, float]]:
    actor = _actor(caller)
    project_id = project_services.create_project(actor, name="Apollo").id
    with database.reading() as unit:
        backend = unit.connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]

    def change(text: str) -> None:
        project_services.update_project(actor, project_id=project_id, description=text)

    modes = [_unaudited, _without_chain, nullcontext]
    for mode in modes:
        with mode():
            _cpu(change, backend, 100)
    times = []
    for turn in range(rounds):
        taken = {}
        for mode in modes[turn % 3 :] + modes[: turn % 3]:
            with mode():
                taken[mode] = _cpu(change, backend, changes)
        times.append((taken[_unaudited], taken[_without_chain], taken[nullcontext]))
    return times


def _together(caller: Caller, rounds: int) -> list[float]:
    """What writers of one account at once, each of its own project, get done, over what they do without the log."""
    actor = _actor(caller)
    names = [f"Gemini {number}" for number in range(WRITERS)]
    projects = [project_services.create_project(actor, name=name).id for name in names]
    database.current_database().dispose()  # no connection may be shared with a child
    ratios = []
    for turn in range(max(2, rounds)):
        done: dict[Any, float] = {}
        for mode in (_unaudited, nullcontext)[:: -1 if turn % 2 else 1]:
            with mode(), ProcessPoolExecutor(WRITERS, mp_context=get_context("fork")) as pool:
                done[mode] = sum(pool.map(partial(_write_for, actor), projects))
        ratios.append(done[nullcontext] / done[_unaudited])
    return ratios


def _write_for(actor: Actor, project_id: UUID, seconds: float = 2.0) -> float:
    """Change a project as often as it goes, and return how often a second."""
    count, start = -50, 0.0  # the first ones prepare statements and fill caches
    while not start or time.perf_counter() - start < seconds:
        text = f"{time.monotonic_ns()} {count}"
        project_services.update_project(actor, project_id=project_id, description=text)
        count += 1
        start = time.perf_counter() if count == 0 else start
    return count / (time.perf_counter() - start)


@contextmanager
def _unaudited() -> Iterator[None]:
    """The same service, session, statements, guard and policies, without record, coverage, chain and log line."""
    engine = database.current_database().tenant_engine
    event.remove(engine, "after_cursor_execute", coverage.note_write)
    try:
        with (
            patch.object(project_services, "record", lambda *_, **__: None),
            patch.object(coverage, "check", lambda _: None),
            patch.object(chain, "write", lambda _: None),
        ):
            yield
    finally:
        event.listen(engine, "after_cursor_execute", coverage.note_write)


@contextmanager
def _without_chain() -> Iterator[None]:
    """The same, with no lock on the head and no hash: a log as most have it."""
    with (
        patch.object(one_message, "APPEND", "append_unlinked_event"),
        patch.object(canonical, "digest", lambda _: ""),
    ):
        yield


def _make_unlinked(bench: Bench) -> None:
    """Make a function that appends an event as the product's does, without moving the head."""
    with psycopg.connect(bench.bare_database, autocommit=True) as superuser:
        row = superuser.execute(
            "SELECT pg_get_functiondef('append_audit_event'::regproc)"
        ).fetchone()
        assert row is not None
        link = "link_seq := nextval('unlinked'); link_prev := ''; link_hash := '';"
        text, cut = re.subn(r"UPDATE audit_heads.*?;", link, row[0], flags=re.DOTALL)
        if cut != 1:
            raise RuntimeError("append_audit_event does not move the head in one statement")
        superuser.execute(f"CREATE SEQUENCE unlinked START {_UNLINKED} CACHE 1000")
        superuser.execute("GRANT USAGE ON SEQUENCE unlinked TO PUBLIC")
        superuser.execute(text.replace("append_audit_event", "append_unlinked_event"))


def _fill_log(bench: Bench, caller: Caller, events: int) -> None:
    """Drop what has no link, and write a long chain: linked by PostgreSQL, and by ``verify`` found good."""
    with psycopg.connect(bench.bare_database, autocommit=True) as superuser:
        superuser.execute(f"DELETE FROM audit_events WHERE seq >= {_UNLINKED}")
        row = superuser.execute(
            "SELECT seq, hash FROM audit_heads WHERE account_id = %s", [caller.account_id]
        ).fetchone()
        assert row is not None
        seq, last = row
        columns = [*canonical.FIELDS, "seq", "prev", "hash", "digest"]
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        with superuser.cursor().copy(
            sql.SQL("COPY audit_events ({}) FROM STDIN").format(names)
        ) as copy:
            for number in range(events):
                written = _event(caller, number)
                digest = canonical.digest(canonical.of_event(written))
                seq, prev = seq + 1, last
                last = chain.link(prev, seq, digest)
                values = [
                    canonical_json(written[n]) if n in canonical.JSON_FIELDS else written[n]
                    for n in canonical.FIELDS
                ]
                copy.write_row([*values, seq, prev, last, digest])
        superuser.execute(
            "UPDATE audit_heads SET seq = %s, hash = %s WHERE account_id = %s",
            [seq, last, caller.account_id],
        )
        superuser.execute("ANALYZE audit_events")


def _event(caller: Caller, number: int) -> dict[str, Any]:
    target = {"type": "project", "id": str(uuid7()), "label": f"Project {number}"}
    return {
        "v": 1, "id": uuid7(), "account_id": caller.account_id, "time": utc_now(), "action": "project.updated",
        "crud": "u", "outcome": "success", "reason": None, "severity": "info", "actor_type": "user",
        "actor_id": str(caller.user_id), "actor_label": "person0", "on_behalf_of_id": None,
        "on_behalf_of_label": None, "target_type": "project", "target_id": target["id"],
        "target_label": target["label"], "targets": [target],
        "changes": [{"field": "description", "old": f"it was {number}", "new": f"it is {number + 1}"}],
        "data": {}, "request_id": uuid7().hex, "ip": "192.0.2.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "channel": "api", "route": "/api/projects/<uuid:project_id>",
    }  # fmt: skip


def _verified(caller: Caller, events: int) -> dict[str, Any]:
    before = time.process_time()
    report = Chain(caller.account_id).verify(across)
    taken = time.process_time() - before
    if report.verdict != 0 or report.events < events:
        raise RuntimeError(f"the chain of the benchmark does not verify: {report}")
    return {"verified": report.events, "verified_per_second": round(report.events / taken)}


def _exported(caller: Caller) -> dict[str, Any]:
    """The most memory over idle while the whole log is exported, and how fast that is."""
    actor = Actor("system", None, "benchmark", caller.account_id, frozenset(Permission))
    found = {}
    for form in export.MEDIA_TYPES:
        idle, most, size, before = _resident(), 0, 0, time.perf_counter()
        for piece in audit_services.export_events(actor, form=form, filters=audit_services.ALL):
            size += len(piece)
            most = max(most, _resident() - idle)
        found[f"export_{form}_mib_per_second"] = round(
            size / 2**20 / (time.perf_counter() - before)
        )
        found["export_mib"] = max(found.get("export_mib", 0), round(most / 2**20))
    return found


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _continuum(bench: Bench, pairs: int, changes: int) -> float:
    url = bench.bare_database.replace("postgresql://", "postgresql+psycopg://", 1)
    command = [sys.executable, "-m", "benchmarks.continuum", url, str(pairs), str(changes)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(told.stdout)["ratio"])


def _cpu(act: Callable[[str], None], backend: int, changes: int) -> float:
    """CPU seconds of one change, of this process and of its backend (where the server runs on this machine)."""
    before = time.process_time() + _backend_cpu(backend)
    for number in range(changes):
        act(f"{time.monotonic_ns()} {number}")
    return (time.process_time() + _backend_cpu(backend) - before) / changes


def _backend_cpu(pid: int) -> float:
    """Seconds on a CPU so far, to the nanosecond where the kernel counts that (proc(5), schedstat)."""
    name = Path(f"/proc/{pid}/comm")
    if not name.exists() or "postgres" not in name.read_text():
        return 0.0
    schedstat = Path(f"/proc/{pid}/schedstat")
    return (
        int(schedstat.read_text().split()[0]) / 1e9 if schedstat.exists() else servers.cpu_of(pid)
    )


def _without_waiting_for_the_disk(bench: Bench) -> None:
    role = sql.Identifier(make_url(bench.settings.database_url).username or "")
    with psycopg.connect(bench.bare_database, autocommit=True) as superuser:
        superuser.execute(sql.SQL("ALTER ROLE {} SET synchronous_commit = off").format(role))


def _refuse_broken_chain(caller: Caller) -> None:
    """A fast chain that does not hold would be worth nothing: recompute every link that was written."""
    table = AuditEventRow.__table__
    with database.reading() as unit:
        query = select(table).where(table.c.account_id == caller.account_id, table.c.prev != "")
        rows = [dict(row) for row in unit.execute(query.order_by(table.c.seq)).mappings()]
    prev = chain.GENESIS
    for seq, row in enumerate(rows, 1):
        linked = chain.link(prev, seq, chain.digest(row))
        if (row["seq"], row["prev"], row["hash"]) != (seq, prev, linked):
            raise RuntimeError(f"the chain is broken at {seq}")
        prev = linked


def _as_text(result: dict[str, Any]) -> str:
    return (
        f"a change with its event, over the change alone: CPU x {result['event_ratio']:.2f}"
        f" (must be <= {MUST_WITH_EVENT})\n"
        f"{WRITERS} writers of one account: x {result['together']:.2f} of what they do without the log"
        f" (must be >= {MUST_TOGETHER})\n"
        f"SQLAlchemy-Continuum, a change with its version over the change alone: x {result['continuum_ratio']:.2f}\n"
        f"{result['verified']:,} events verified, {result['verified_per_second']:,} a second of one core"
        f" (must be >= {MUST_VERIFY:,})\n"
        f"exported with {result['export_mib']} MiB over idle (must be <= {MUST_EXPORT})\n"
        f"a change with its event and chain, over the change alone: CPU x {result['ratio']:.2f}"
        f"  {result['quartiles']}, {result['rounds']} rounds"
        f"  ({result['audited_us']} over {result['alone_us']} us; must be <= {MUST})"
    )


if __name__ == "__main__":
    sys.exit(main())

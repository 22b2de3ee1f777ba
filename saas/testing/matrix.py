"""The run: route by route, row by row, everybody who is refused first and then everybody who is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import flask

from saas.testing import snapshots
from saas.testing.calls import call, leaks
from saas.testing.completeness import Watch
from saas.testing.judging import (
    Run,
    compare_with_foreign,
    hints,
    last_seq,
    silence,
    unused_deviations,
)
from saas.testing.lines import read_lines
from saas.testing.outcome import UNSPECIFIED, Cell, Outcome
from saas.testing.registry import REGISTRY, NotDeclaredError
from saas.testing.rows import DONE, Row, expect, rows_of
from saas.testing.special import foreign_cursor, run_filter, run_same_words, run_unmoved
from saas.testing.targets import Targets
from saas.testing.world import Caller, World


def run(app: flask.Flask, only: Callable[[Row], bool] | None = None) -> Outcome:
    """Run every cell of every route of the app's table. ``only``: the rows to run."""
    began = time.monotonic()
    world = World(app)
    this = Run(world, Targets(world))
    lines = read_lines(app)
    out = {
        line.name: REGISTRY.left_out[line.name] for line in lines if line.name in REGISTRY.left_out
    }
    this.outcome.left_out = out
    rows = [row for line in lines if line.name not in out for row in rows_of(line)]
    rows = [row for row in rows if only is None or only(row)]
    for row in rows:
        this.outcome.rows[row] = {}
    for row in rows:
        if row.kind != "unmoved":
            _run_row(this, row)
    run_unmoved(this, [row for row in rows if row.kind == "unmoved"])
    if only is None:
        this.outcome.faults += unused_deviations(this)
    this.outcome.seconds = time.monotonic() - began
    return this.outcome


def _run_row(this: Run, row: Row) -> None:
    expected = _expected(this, row)
    cells = this.outcome.rows[row]
    try:
        special = _SPECIAL.get(row.kind)
        refused = [p for p, mark in expected.items() if mark != DONE]
        _run_refused(this, row, expected, refused)
        for principal in [p for p in expected if p not in refused]:
            cells[principal] = (special or _run_done)(this, row, principal)
    except NotDeclaredError as error:
        for principal, mark in expected.items():
            cells.setdefault(principal, Cell(mark, UNSPECIFIED, [str(error)]))
    order = list(REGISTRY.principals)
    this.outcome.rows[row] = dict(sorted(cells.items(), key=lambda item: order.index(item[0])))


def _expected(this: Run, row: Row) -> dict[str, str]:
    """Return what must come of each cell of a row; principals that say nothing here are left out."""
    found = {}
    for principal in REGISTRY.principals:
        caller = this.world.caller(principal, row.line.permission)
        mark = expect(row, principal, caller, this.world) if caller else None
        if mark is not None:
            found[principal] = mark
    return found


def _run_refused(this: Run, row: Row, expected: dict[str, str], refused: Iterable[str]) -> None:
    """Call as everybody who must be refused, and see that nothing changed at home or in the foreign account."""
    cells, world = this.outcome.rows[row], this.world
    callers = {p: _caller(this, row, p) for p in refused}
    targets = {p: this.targets.make(row, callers[p]) for p in callers}
    if row.kind == "cursor":
        stolen = foreign_cursor(this, row)
        targets = {p: replace(target, query=stolen) for p, target in targets.items()}
    if not callers:
        return
    this.watch_foreign()
    before = snapshots.take(world.home)
    for principal, caller in callers.items():
        seq = last_seq(caller.site)
        answer = call(
            world, row.line, caller, targets[principal], service_alone=row.kind == "alone"
        )
        cells[principal] = Cell(
            expected[principal], answer.mark, leaks(world, caller, answer), answer.beginning
        )
        cells[principal].problems += compare_with_foreign(this, row, principal, answer)
        cells[principal].problems += hints(row, cells[principal], answer)
        if answer.mark == "403":
            cells[principal].problems += silence(caller.site, seq, refused=True)
    changed = snapshots.differences(world.home, before, snapshots.take(world.home), denials=True)
    problems = (
        [f"a refused call of this line changed {', '.join(changed)} at home"] if changed else []
    )
    problems += this.changes_in_foreign("a refused call of this line")
    cells[next(iter(callers))].problems += problems


def _run_done(this: Run, row: Row, principal: str) -> Cell:
    """Call as somebody who must be let in, upon an object of their own if the call may use it up."""
    world, line = this.world, row.line
    caller = _caller(this, row, principal)
    target = this.targets.make(row, caller, new=not line.safe)
    this.watch_foreign()
    seq = last_seq(caller.site)
    watched = None if line.safe or caller.site is None else Watch(caller.site)
    answer = call(world, line, caller, target)
    cell = Cell(DONE, answer.mark, leaks(world, caller, answer), answer.beginning)
    cell.problems += hints(row, cell, answer)
    cell.problems += this.changes_in_foreign("it")
    if answer.mark == DONE and row.kind == "own" and line.permission and not line.safe:
        cell.problems += silence(caller.site, seq)
    if watched is not None:
        cell.problems += watched.silent_changes()
    if not line.safe and world.settle(caller):
        this.targets.forget()
    return cell


def _caller(this: Run, row: Row, principal: str) -> Caller:
    caller = this.world.caller(principal, row.line.permission)
    assert caller is not None
    return caller


_SPECIAL: dict[str, Callable[[Run, Row, str], Cell]] = {
    "filter": run_filter,
    "same words": run_same_words,
}

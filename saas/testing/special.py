"""The rows about what one account must not notice of another: filters, cursors, names in use, counts and orders."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from saas.testing.calls import Answer, address, call, leaks
from saas.testing.outcome import UNSPECIFIED, Cell
from saas.testing.registry import REGISTRY, NotDeclaredError
from saas.testing.rows import DONE, Row, expect
from saas.testing.targets import Target, nothing_for

if TYPE_CHECKING:
    from saas.testing.judging import Run
    from saas.testing.world import Caller


def run_filter(this: Run, row: Row, principal: str) -> Cell:
    """Filter a list by a word or an id of the foreign account: the answer is that for a value that nothing has."""
    caller = this.world.caller(principal, row.line.permission)
    assert caller is not None
    target = this.targets.make(row, caller)
    answer = call(this.world, row.line, caller, target)
    nothing = call(this.world, row.line, caller, replace(target, query=nothing_for(row)))
    cell = Cell(DONE, answer.mark, leaks(this.world, caller, answer))
    if answer.comparable != nothing.comparable:
        cell.problems.append("the answer differs from the one for a value that nothing has")
    return cell


def foreign_cursor(this: Run, row: Row) -> dict[str, str]:
    """Return the query that goes on with a cursor of the same list in the foreign account."""
    foreign = this.world.foreign
    theirs = this.world.person(foreign, foreign.founder)
    client = this.world.app.test_client(use_cookies=False)
    path = address(row.line, this.targets.in_foreign(row.line))
    for _ in range(3):  # a plant makes one at least, and two make a second page
        listed = client.get(path, query_string={"limit": "1"}, headers=theirs.headers)
        cursor = listed.get_json().get("next_cursor")
        if cursor is not None:
            return {"cursor": cursor}
        _plant(this)
    raise NotDeclaredError(
        f"{row.line.name}: the foreign account has no two of what this lists, so there is no cursor to steal: "
        "declare a @testing.factory that makes one"
    )


def run_same_words(this: Run, row: Row, principal: str) -> Cell:
    """Do the same in the foreign account and then at home, with the same words: neither is in the other's way."""
    world = this.world
    words = [f"same{secrets.token_hex(4)}{n}" for n in range(9)]
    marks = []
    callers = (world.person(world.foreign, world.foreign.founder), _owner(this, row))
    for caller in callers:
        target = this.targets.make(row, caller, word=_replay(words), new=True)
        answer = call(world, row.line, caller, target)
        marks.append(answer.mark)
    world.foreign.acts += 1
    settled = [world.settle(caller) for caller in callers]
    if any(settled):
        this.targets.forget()
    problems = [] if marks[0] == DONE else [f"in the foreign account it was {marks[0]}"]
    return Cell(DONE, marks[1], problems)


def run_unmoved(this: Run, rows: Iterable[Row]) -> None:
    """Read everything, plant one more of each object in the foreign account, read again: byte for byte the same."""
    this.world.refresh("owner")  # a session that was not seen for a minute would note that it is
    targets: dict[Row, Target] = {}
    for row in rows:
        try:
            targets[row] = this.targets.make(row, _owner(this, row))
        except NotDeclaredError as error:
            this.outcome.rows[row] = {"owner": Cell(DONE, UNSPECIFIED, [str(error)])}
    first = {row: _read(this, row, target) for row, target in targets.items()}
    _plant(this)
    for row, answer in first.items():
        expected = expect(row, "owner", _owner(this, row), this.world) or DONE
        same = _read(this, row, targets[row]).comparable == answer.comparable
        problems = (
            [] if same else ["the answer changed when something was added in another account"]
        )
        this.outcome.rows[row] = {"owner": Cell(expected, answer.mark, problems)}


def _read(this: Run, row: Row, target: Target) -> Answer:
    return call(this.world, row.line, _owner(this, row), target)


def _plant(this: Run) -> None:
    """Make one more of everything in the foreign account."""
    foreign = this.world.foreign
    place = this.world.place(foreign, this.world.person(foreign, foreign.founder))
    for (_names, relation, route), make in list(REGISTRY.factories.items()):
        if relation == "own" and not route:
            with place.site.entered():
                make(place)
    place.add("owner")


def _owner(this: Run, row: Row) -> Caller:
    caller = this.world.caller("owner", row.line.permission)
    assert caller is not None
    return caller


def _replay(words: list[str]) -> Callable[[], str]:
    left = iter(words)
    return lambda: next(left)

"""One run, and the judgements on its cells that are more than a comparison of two marks."""

from __future__ import annotations

from dataclasses import dataclass, field

from saas.testing import snapshots
from saas.testing.calls import Answer
from saas.testing.outcome import Cell, Outcome
from saas.testing.places import Site
from saas.testing.registry import REGISTRY
from saas.testing.rows import DONE, Row
from saas.testing.targets import Targets
from saas.testing.world import World


@dataclass(slots=True)
class Run:
    """One run over an app: its world, and what came of it so far.

    ``answers``: what a caller was answered for a foreign object, to hold against the answer for a missing one.
    """

    world: World
    targets: Targets
    outcome: Outcome = field(default_factory=Outcome)
    answers: dict[tuple[object, ...], Answer] = field(default_factory=dict)
    _foreign: tuple[Site, int, snapshots.Snapshot] | None = None

    def watch_foreign(self) -> None:
        """Note how the foreign account is, unless that is known and nobody has set anything up there since."""
        foreign = self.world.foreign
        if self._foreign is None or self._foreign[:2] != (foreign, foreign.acts):
            self._foreign = (foreign, foreign.acts, snapshots.take(foreign))

    def changes_in_foreign(self, who: str) -> list[str]:
        """Return a sentence if the foreign account is not as it was noted."""
        assert self._foreign is not None
        foreign, acts, before = self._foreign
        now = snapshots.take(foreign)
        changed = snapshots.differences(foreign, before, now)
        self._foreign = (foreign, acts, now)
        return [f"{who} changed {', '.join(changed)} in the foreign account"] if changed else []


def compare_with_foreign(this: Run, row: Row, principal: str, answer: Answer) -> list[str]:
    """Hold the answer for a missing object against the one for a foreign object."""
    key = (row.line.name, row.where, row.name, principal)
    if row.kind == "foreign":
        this.answers[key] = answer
    if row.kind != "missing" or key not in this.answers:
        return []
    same = this.answers[key].comparable == answer.comparable
    return [] if same else ["the answer differs from the one for a foreign object"]


def last_seq(site: Site | None) -> int:
    """Return the number of the last event of the caller's account, 0 for nobody's."""
    return snapshots.last_seq(site) if site else 0


def silence(site: Site | None, seq: int, *, refused: bool = False) -> list[str]:
    """Return a sentence if nothing was added to the audit log since."""
    if site is None or snapshots.last_seq(site) > seq:
        return []
    if refused:
        return ["the audit log tells nothing of the refusal"]
    said = (
        "the audit log tells nothing of it: record(AuditEvent.…) in the service, or declare an object that this "
        "call can change (@testing.factory(…, route=…))"
    )
    return [said]


def hints(row: Row, cell: Cell, answer: Answer) -> list[str]:
    """Say what to do about the usual reasons of a difference."""
    if cell.fits:
        return []
    said = []
    if answer.status == 422 and row.kind == "own" and row.line.body is not None:
        said.append(f"declare a valid body with @testing.body({row.line.body.__name__})")
    if answer.mark == DONE and row.kind == "alone":
        said.append("its service does not ask: make require(actor, …) its first act")
    return said


def unused_deviations(this: Run) -> list[str]:
    """Return a sentence for each deviation that was declared for a route of this run and that no cell shows."""
    shown = {
        (row.line.name, p, cell.expected)
        for row, cells in this.outcome.rows.items()
        for p, cell in cells.items()
    }
    routes = {name for name, _, _ in shown}
    return [
        f"the deviation declared for {d.route} ({d.outcome}) is shown by no cell: take it away"
        for d in REGISTRY.deviations
        if d.route in routes
        and not any(
            r == d.route and e == d.outcome and (not d.principals or p in d.principals)
            for r, p, e in shown
        )
    ]

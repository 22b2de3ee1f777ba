"""Verifying: recompute a chain from what is stored, and say what the first thing is that does not hold.

What a chain can show by itself: whatever was changed, taken out, put in or moved, up to its head. What it cannot:
that its end was rewritten together with its head. A copy kept outside shows that too (``Copy``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from saas.audit.chain import GENESIS, link


class Verdict(IntEnum):
    """What came of it; the value is the exit code of ``flask audit verify`` (3 is wrong use)."""

    GOOD = 0
    TAMPERED = 1
    INCOMPLETE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that does not hold: the number of the event, and a sentence."""

    seq: int
    what: str


@dataclass(slots=True)
class Report:
    """What verifying one chain found. ``chain``: an account's id, or "system"; ``pruned``: how many events are gone."""

    chain: str
    verdict: Verdict = Verdict.GOOD
    finding: Finding | None = None
    events: int = 0
    first_seq: int | None = None
    last_seq: int | None = None
    pruned: int = 0

    def tampered(self, seq: int, what: str) -> None:
        """Note that an event is not what was recorded, unless something before it is not either."""
        if self.verdict is not Verdict.TAMPERED:
            self.verdict, self.finding = Verdict.TAMPERED, Finding(seq, f"event {seq}: {what}")

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        found = self.finding
        return {
            "chain": self.chain,
            "verdict": self.verdict.name.lower(),
            "events": self.events,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "pruned": self.pruned,
            "bad_seq": found.seq if found else None,
            "finding": found.what if found else None,
        }


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends, as its head says."""

    seq: int
    hash: str


Link = tuple[int, str, str, str, str]


@dataclass(slots=True)
class Check:
    """One pass over one chain, in ascending order: ``feed`` it links, then ``end`` it.

    A link is (seq, prev, hash, digest, the digest made anew of the content). ``whole``: False where a hole means
    that something was left out, as in an export with filters, and not that it was taken out. ``after``: begin behind
    this link, which somebody else has verified.
    """

    chain: str
    whole: bool = True
    after: Head | None = None
    report: Report = field(init=False)
    _last: Head | None = field(init=False)
    _begin: Head | None = field(init=False, default=None)  # what the first remaining event links to

    def __post_init__(self) -> None:
        self.report = Report(self.chain)
        self._last = self.after

    @property
    def last(self) -> Head | None:
        """The last link that holds."""
        return self._last

    def feed(self, links: Iterable[Link]) -> bool:
        """Check more links; False once something is not as it was recorded: nothing after it says anything."""
        for each in links:
            if self.report.verdict is Verdict.TAMPERED:
                return False
            self._check(*each)
        return self.report.verdict is not Verdict.TAMPERED

    def _check(self, seq: int, prev: str, hashed: str, digested: str, made: str) -> None:
        self.report.first_seq = self.report.first_seq or seq
        if self._last is None:
            self._last = self._begin = Head(seq - 1, prev)
        if seq > self._last.seq + 1 and not self.whole:
            self._incomplete(
                self._last.seq + 1, f"events {self._last.seq + 1} to {seq - 1} are not in it"
            )
            self._last = Head(seq - 1, prev)
        what = self._problem(self._last, seq, prev, hashed, digested, made)
        if what:
            return self.report.tampered(min(seq, self._last.seq + 1), what)
        self._last = Head(seq, hashed)
        self.report.events += 1
        self.report.last_seq = seq
        return None

    def _problem(
        self, last: Head, seq: int, prev: str, hashed: str, digested: str, made: str
    ) -> str | None:
        if seq != last.seq + 1:
            return (
                f"it is not there, {seq} follows"
                if seq > last.seq
                else f"{seq} comes after {last.seq}"
            )
        if prev != last.hash:
            return "it does not link to the event before it"
        if made != digested:
            return "its content is not what was recorded"
        return (
            None if link(prev, seq, digested) == hashed else "its hash is not that of its content"
        )

    def end(self, head: Head | None = None, marker: Head | None = None) -> Report:
        """Hold the end against the head and the beginning against what was pruned, and return the report.

        ``head``: None where there is none to hold against, as in an export. ``marker``: the last link that pruning
        removed.
        """
        last = self._last or Head(0, GENESIS)
        if self.report.verdict is not Verdict.TAMPERED:
            self._judge_beginning(marker)
        if self.report.verdict is not Verdict.TAMPERED and head is not None and last != head:
            first = head.seq if last.seq == head.seq else min(last.seq, head.seq) + 1
            self.report.tampered(first, _head_words(last, head))
        return self.report

    def _judge_beginning(self, marker: Head | None) -> None:
        begin = self._begin
        if self.after is not None or begin is None or begin == Head(0, GENESIS):
            return
        if marker == begin:
            self.report.pruned = begin.seq
        elif begin.seq == 0:
            self.report.tampered(1, "it does not begin a chain")
        elif self.whole:
            self.report.tampered(
                1, f"events 1 to {begin.seq} are gone, and no event tells that they were pruned"
            )
        else:
            self._incomplete(1, f"it begins with event {begin.seq + 1}")

    def _incomplete(self, seq: int, what: str) -> None:
        if self.report.finding is None:
            self.report.verdict, self.report.finding = Verdict.INCOMPLETE, Finding(seq, what)


def _head_words(last: Head, head: Head) -> str:
    if last.seq < head.seq:
        return f"the head of the chain is at {head.seq}, the events end with {last.seq}"
    if last.seq > head.seq:
        return f"it is not behind the head of the chain, which is at {head.seq}"
    return "its hash is not the one of the chain's head"

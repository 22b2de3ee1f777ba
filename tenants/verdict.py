"""What the guard found in one compiled statement; cached with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The account binds of a statement, and what it writes.

    ``anchors``: the names of its account binds. ``writes``: each table it writes, with the columns of an UPDATE
    (None for INSERT and DELETE, which touch them all).
    """

    anchors: tuple[str, ...] = ()
    writes: tuple[tuple[str, frozenset[str] | None], ...] = ()

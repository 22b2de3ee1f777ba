"""Following the log: every event of every chain, each at least once, in the order of its chain.

What was delivered is remembered as the last ``seq`` of each chain: there are no gaps in it, so nothing is missed,
however long the reader was away.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from saas import database, errors
from saas.audit import canonical, reading
from saas.audit.chain import SYSTEM_HEAD_ID
from saas.audit.reading import Chain
from saas.models import AuditHead, SystemHead

PAUSE = 1.0  # seconds between two looks when there is nothing new
_PAGE = 500
_log = structlog.get_logger(__name__)
_heads, _system = AuditHead.__table__.c, SystemHead.__table__.c


class StateError(ValueError):
    """A state file that is none; the message says what to do."""


class State:
    """What was delivered: chain → last seq. ``path``: where it is remembered, None: nowhere.

    Raises StateError for a file that is no state, OSError for one that cannot be read or written.

    Chains that are not in it begin at 0, unless this is a first run without ``from_start``: then behind their heads.
    """

    def __init__(self, path: Path | None, *, from_start: bool) -> None:
        self._path = path
        known = path is not None and path.exists()
        self.seqs: dict[str, int] = _read(path) if path is not None and known else {}
        self.skips = not (known or from_start)

    def begin_behind(self, heads: dict[str, int]) -> None:
        """On a first run, take what is there already as delivered."""
        if self.skips:
            self.seqs, self.skips = dict(heads), False
            self.save()

    def save(self) -> None:
        """Remember what was delivered; whole or not at all, whatever dies meanwhile."""
        if self._path is None:
            return
        aside = self._path.with_name(self._path.name + ".new")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(self.seqs, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)


def _read(path: Path) -> dict[str, int]:
    try:
        seqs = json.loads(path.read_text("utf-8"))
    except ValueError:
        seqs = None
    if not isinstance(seqs, dict) or not all(type(seq) is int for seq in seqs.values()):
        raise StateError(
            f"{path} does not say what was delivered. Name another file, or remove it."
        )
    return seqs


def follow(out: BinaryIO, *, only: Chain | None, state: State, forever: bool) -> None:
    """Write events as lines to ``out`` until there are no more, or for ever; a database that is away is waited for.

    The log says once that it waits, and once that it goes on. Raises BrokenPipeError when nobody reads.
    """
    away = _Away()
    while True:
        try:
            wrote = sum(_deliver(out, chain, state, until) for chain, until in _news(only, state))
            away.over()
        except (SQLAlchemyError, errors.DatabaseAwayError) as error:
            if not forever:
                raise
            wrote = away.begun(error)
        if not wrote:
            if not forever:
                return
            time.sleep(PAUSE)


class _Away:
    """Whether the database is away, and has been told to be."""

    def __init__(self) -> None:
        self._told = False

    def begun(self, error: Exception) -> int:
        """Say so, unless it was said; nothing was delivered."""
        if not self._told:
            _log.warning("audit tail waits for the database", error=type(error).__name__)
        self._told = True
        return 0

    def over(self) -> None:
        if self._told:
            _log.info("audit tail goes on")
        self._told = False


def _news(only: Chain | None, state: State) -> Iterator[tuple[Chain, int]]:
    """Yield the chains whose head is beyond what was delivered, and where their heads are."""
    heads = _read_heads(only)
    state.begin_behind(heads)
    for name, seq in heads.items():
        if seq > state.seqs.get(name, 0):
            yield Chain(None if name == "system" else UUID(name)), seq


def _read_heads(only: Chain | None) -> dict[str, int]:
    accounts = select(_heads.account_id, _heads.seq)
    system = select(_system.seq).where(_system.id == SYSTEM_HEAD_ID)
    found: dict[str, int] = {}
    with database.looking_across("audit tail: which chains have news?") as connection:
        if only is None or only.account_id is not None:
            mine = (
                accounts if only is None else accounts.where(_heads.account_id == only.account_id)
            )
            found = {str(row[0]): row[1] for row in connection.execute(mine)}
        if only is None or only.account_id is None:
            found["system"] = connection.execute(system).scalar_one()
    return found


def _deliver(out: BinaryIO, chain: Chain, state: State, until: int) -> int:
    """Write what is new in one chain, page by page; a page is remembered once it was taken."""
    run = reading.across
    wrote = 0
    for rows in chain.pages(run, after=state.seqs.get(chain.name, 0), until=until, size=_PAGE):
        out.write(b"".join([canonical.line(row) + b"\n" for row in rows]))
        out.flush()
        wrote += len(rows)
        state.seqs[chain.name] = rows[-1][0]
        state.save()
    return wrote

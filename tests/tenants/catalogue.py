"""The statement catalogue: forms of statements that reach for another account, and the verdict on each.

A form is a function that gets a ``Scene`` inside account A. It reads (what it returns must hold no mark, id or
count of B or C) or writes (no row of B or C may change, none may move there, nothing of theirs may be copied to A).
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pymysql
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tenants import TenancyError, enter_account, guard, session
from tenants.session import TenantSession
from tests.tenants.models import OWNERSHIP
from tests.tenants.world import MARKS, Seat, World, plain_engine, tenant_engine

FORMS: dict[str, Form] = {}
BACKENDS = ("sqlite", "postgresql", "mariadb")
# NotImplementedError: how SQLAlchemy says that a database has no such statement.
DATABASE_ERRORS = (
    SQLAlchemyError,
    NotImplementedError,
    sqlite3.Error,
    psycopg.Error,
    pymysql.MySQLError,
)


class Mode(StrEnum):
    """Which nets are spread."""

    ALL = "all nets"
    GUARD = "guard alone"
    ROWS = "row-level security alone"
    CRITERIA = "criteria alone"
    NONE = "no net"


class Verdict(StrEnum):
    """What came of a form."""

    LEAK = "LEAK"
    REFUSED = "refused"  # by us
    FAILED = "failed"  # an error of the database or of SQLAlchemy
    HARMLESS = "harmless"  # nothing of B or C seen or changed
    BROKEN = "BROKEN"  # an error that no form should raise


@dataclass(frozen=True)
class Form:
    """One attack. ``quiet``: backend → why it does not leak there even without any net."""

    name: str
    attack: Callable[[Scene], Any]
    writes: bool
    quiet: dict[str, str]
    backends: frozenset[str]
    driver: bool = False
    people: bool = False


class Counted(int):
    """A count: A has 2 rows of each kind, so more than that met foreign ones."""


class Seen(int):
    """The answer to "is there such a row?", asked for a row of B."""


def reads(**options: Any) -> Callable[[Callable[[Scene], Any]], Callable[[Scene], Any]]:
    """Register a form that reads; options as in ``_register``."""
    return lambda attack: _register(attack, writes=False, **options)


def writes(**options: Any) -> Callable[[Callable[[Scene], Any]], Callable[[Scene], Any]]:
    """Register a form that writes; options as in ``_register``."""
    return lambda attack: _register(attack, writes=True, **options)


def _register(
    attack: Callable[[Scene], Any],
    *,
    writes: bool,
    quiet: str | dict[str, str] | None = None,
    only: Iterable[str] = BACKENDS,
    driver: bool = False,
    people: bool = False,
) -> Callable[[Scene], Any]:
    """``quiet``: why it is harmless without nets (everywhere, or by backend). ``only``: databases that have it.

    ``driver``: it takes the driver's own cursor, which no net of ours sees. ``people``: it reaches for a global
    table about people, which row-level security does not cover.
    """
    reasons = dict.fromkeys(BACKENDS, quiet) if isinstance(quiet, str) else dict(quiet or {})
    name = attack.__name__
    if name in FORMS:
        raise ValueError(f"two forms are called {name}")
    FORMS[name] = Form(name, attack, writes, reasons, frozenset(only), driver, people)
    return attack


class Scene:
    """What a form works with: A's session and engine, and what an attacker may know of B."""

    def __init__(self, world: World, engine: Engine) -> None:
        self.world, self.engine, self.backend = world, engine, world.backend
        self.a: Seat = world.a
        self.b: Seat = world.b
        self._stack = ExitStack()
        self.s = self._open(self.a.account_id)

    def _open(self, account_id: UUID) -> TenantSession:
        return self._stack.enter_context(TenantSession(self.engine, account_id))

    def connection(self) -> Connection:
        return self.s.connection()

    @contextmanager
    def inside_b(self) -> Iterator[TenantSession]:
        """Work inside B for a moment, as B may: what is held afterwards is held inside A."""
        with enter_account(self.b.account_id):
            yield self._open(self.b.account_id)

    def close(self) -> None:
        self._stack.close()


@contextmanager
def spread(mode: Mode, world: World) -> Iterator[Engine]:
    """Spread the nets of a mode and give the engine to attack on."""
    engine = (
        plain_engine(world.urls.superuser_url) if mode is Mode.NONE else tenant_engine(world.urls)
    )
    if mode is Mode.CRITERIA:
        engine.dispose()
        engine = plain_engine(world.urls.superuser_url)
    if mode in (Mode.ALL, Mode.GUARD):
        guard.install(engine, OWNERSHIP)
    with ExitStack() as stack:
        if mode not in (Mode.ALL, Mode.CRITERIA):
            stack.enter_context(patch.object(session, "scoped", lambda statement: statement))
        if mode in (Mode.ROWS, Mode.CRITERIA, Mode.NONE):
            stack.enter_context(
                patch.object(session, "check_instance", lambda instance, account_id: None)
            )
        if mode in (Mode.CRITERIA, Mode.NONE):
            stack.enter_context(patch.object(TenantSession, "check_owner", lambda self: None))
            for method in ("get_bind", "connection", "merge"):
                stack.enter_context(patch.object(TenantSession, method, getattr(Session, method)))
        yield engine
    engine.dispose()


@dataclass
class Report:
    """The verdicts of one run, by form; ``detail`` says what was found."""

    backend: str
    mode: Mode
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    detail: dict[str, str] = field(default_factory=dict)

    def those(self, *verdicts: Verdict) -> set[str]:
        return {name for name, verdict in self.verdicts.items() if verdict in verdicts}

    def told(self, names: Iterable[str]) -> str:
        return "\n".join(
            f"  {name}: {self.verdicts[name]} {self.detail.get(name, '')}" for name in sorted(names)
        )


def run(world: World, mode: Mode, forms: Iterable[Form] | None = None) -> Report:
    """Run forms (all by default) in a mode and return the verdict on each."""
    with spread(mode, world) as engine:
        return run_on(engine, world, mode, forms)


def run_on(engine: Engine, world: World, mode: Mode, forms: Iterable[Form] | None = None) -> Report:
    """Run forms on an engine whose nets are spread already."""
    report = Report(world.backend, mode)
    for form in forms or FORMS.values():
        if world.backend not in form.backends:
            continue
        report.verdicts[form.name], report.detail[form.name] = _judge(form, world, engine)
    return report


def _judge(form: Form, world: World, engine: Engine) -> tuple[Verdict, str]:
    verdict, detail = Verdict.HARMLESS, ""
    with enter_account(world.a.account_id), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # SQLAlchemy warns of some of these forms; they must not stop at that
        scene = Scene(world, engine)
        try:
            result = form.attack(scene)
            found = _foreign(result, world)
            scene.s.commit()
            if found:
                verdict, detail = Verdict.LEAK, found
        except TenancyError as error:
            verdict, detail = Verdict.REFUSED, f"{type(error).__name__}: {error}"
        except DATABASE_ERRORS as error:
            ours = isinstance(
                getattr(error, "orig", None), TenancyError
            )  # raised inside the execution
            verdict, detail = (
                (Verdict.REFUSED if ours else Verdict.FAILED),
                f"{type(error).__name__}: {error}"[:300],
            )
        except Exception as error:  # noqa: BLE001 - a form that is broken must be told by name
            verdict, detail = Verdict.BROKEN, repr(error)
        finally:
            with suppress(TenancyError):
                scene.close()
    if form.writes:
        now = world.look()
        if damage := _damage(now, world):
            verdict, detail = Verdict.LEAK, damage
        world.restore(now)
    return verdict, detail


def _foreign(value: Any, world: World) -> str:
    """Return what of B or C stands in a result, or nothing."""
    for leaf in _leaves(value):
        if isinstance(leaf, Counted) and leaf > MARKS[world.a.mark]:
            return f"counted {leaf}"
        if isinstance(leaf, Seen) and leaf:
            return "saw a row of B"
        if isinstance(leaf, UUID) and leaf in world.foreign_ids:
            return f"id {leaf}"
        if isinstance(leaf, str) and (world.b.mark in leaf or world.c.mark in leaf):
            return leaf[:80]
    return ""


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, str | bytes | bytearray | memoryview):
        yield value if isinstance(value, str) else bytes(value).decode(errors="replace")
    elif hasattr(type(value), "__mapper__"):
        loaded = inspect(value).dict
        columns = [attribute.key for attribute in inspect(type(value)).column_attrs]
        yield from (loaded[key] for key in columns if key in loaded)
    elif isinstance(value, Iterable):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _damage(now: dict[Any, Any], world: World) -> str:
    """Return what happened to rows of B and C, or what of theirs came to A, or nothing."""
    for table, rows in now.items():
        before = {
            key: row for key, row in world.pristine[table].items() if _is_foreign(table, row, world)
        }
        after = {key: row for key, row in rows.items() if _is_foreign(table, row, world)}
        if before != after:
            return f"{table.name}: rows of B or C changed"
        for key, row in rows.items():
            if key not in after and (found := _foreign(row, world)):
                return f"{table.name}: {found} came to A"
    return ""


def _is_foreign(table: Any, row: tuple[Any, ...], world: World) -> bool:
    columns = table.c.keys()
    key = row[columns.index("account_id")] if "account_id" in columns else row[columns.index("id")]
    if table.name == "system_events":
        return world.a.mark not in row[columns.index("actor_label")]
    return key in world.foreign_ids

"""The start-up self-test: it passes on every dialect, and fails for each hook that has gone."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Mapper

from saas.models import OWNERSHIP, Base
from tenants import (
    GuardDoesNotBiteError,
    Ownership,
    TenantOwned,
    UnownedTableError,
    compiler,
    guard,
    session,
)
from tenants.compiler import GuardedCompiler
from tenants.proof import Scan
from tenants.raw_sql import NoRawSql, PlainTypes, QuotedNames
from tenants.self_test import self_test

URLS = {
    "sqlite": "sqlite://",
    "postgresql": "postgresql+psycopg://nobody@/none",
    "mariadb": "mariadb+pymysql://nobody@/none",
    "mysql": "mysql+pymysql://nobody@/none",
}
MAPPERS = [mapper for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned)]


def _engine(backend: str) -> Engine:
    engine = create_engine(URLS[backend])
    guard.install(engine, OWNERSHIP)
    return engine


@pytest.mark.parametrize("backend", URLS)
def test_guard_passes_its_own_test(backend: str) -> None:
    self_test(_engine(backend), OWNERSHIP, MAPPERS)


def test_engine_without_a_guard_is_refused() -> None:
    with pytest.raises(GuardDoesNotBiteError, match="does not listen"):
        self_test(create_engine("sqlite://"), OWNERSHIP, MAPPERS)


def test_guard_that_only_listens_is_refused() -> None:
    engine = create_engine("sqlite://")
    event.listen(engine, "before_cursor_execute", guard.check_execution)
    with pytest.raises(GuardDoesNotBiteError, match="let a statement pass: select"):
        self_test(engine, OWNERSHIP, MAPPERS)


HOOKS: list[tuple[type, str]] = [
    (GuardedCompiler, "_compose_select_body"),
    (GuardedCompiler, "visit_select"),
    (GuardedCompiler, "update_post_criteria_clause"),
    (GuardedCompiler, "delete_post_criteria_clause"),
    (GuardedCompiler, "visit_insert"),
    (NoRawSql, "visit_textclause"),
    (NoRawSql, "visit_column"),
    (NoRawSql, "visit_function"),
    (NoRawSql, "visit_extract"),
    (NoRawSql, "visit_collation"),
    (NoRawSql, "visit_custom_op_binary"),
    (NoRawSql, "visit_custom_op_unary_operator"),
    (NoRawSql, "visit_custom_op_unary_modifier"),
    (NoRawSql, "visit_expression_clauselist"),
    (NoRawSql, "visit_binary"),
    (NoRawSql, "render_literal_value"),
    (QuotedNames, "quote"),
    (PlainTypes, "process"),
]


@pytest.mark.parametrize(("owner", "hook"), HOOKS, ids=[hook for _, hook in HOOKS])
def test_guard_with_a_hook_gone_is_refused(owner: type, hook: str) -> None:
    # The precision of a number is copied as it is on MariaDB alone; elsewhere the check of types would hold.
    engine = _engine("mariadb" if hook == "visit_binary" else "sqlite")
    kept = owner.__dict__[hook]
    delattr(owner, hook)
    try:
        with pytest.raises(GuardDoesNotBiteError):
            self_test(engine, OWNERSHIP, MAPPERS)
    finally:
        setattr(owner, hook, kept)


@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        (guard, "check_values", lambda anchors, sets, account_id: None),
        (Scan, "prove", lambda self: None),
        (compiler, "refuse", lambda condition, why: None),
        (GuardedCompiler, "_anchor_written_account", lambda self, values: None),
        (GuardedCompiler, "_check_selected_account", lambda self, scan, column: None),
        (Ownership, "owns", lambda self, table: False),
    ],
    ids=["check_values", "prove", "refuse", "account of a row", "account of a select", "owns"],
)
def test_guard_whose_reasoning_is_gone_is_refused(owner: Any, name: str, other: Any) -> None:
    engine = _engine("sqlite")
    with (
        patch.object(owner, name, other),
        pytest.raises((GuardDoesNotBiteError, IndexError, KeyError)),
    ):
        self_test(engine, OWNERSHIP, MAPPERS)


def test_guard_that_lets_custom_compilation_pass_is_refused() -> None:
    class Anything(frozenset[Any]):
        def __contains__(self, item: object) -> bool:
            return True

    engine = _engine("sqlite")
    with (
        patch.object(OWNERSHIP, "safe_constructs", Anything()),
        pytest.raises(GuardDoesNotBiteError, match="compiles itself"),
    ):
        self_test(engine, OWNERSHIP, MAPPERS)


def test_criterion_that_reaches_no_model_is_refused() -> None:
    engine = _engine("sqlite")
    with (
        patch("tenants.self_test.scoped", lambda statement: statement),
        pytest.raises(GuardDoesNotBiteError, match="criterion does not reach"),
    ):
        self_test(engine, OWNERSHIP, MAPPERS)


def test_criterion_without_aliases_reaches_no_model() -> None:
    from sqlalchemy.orm import with_loader_criteria

    lost = with_loader_criteria(
        TenantOwned, session._in_entered_account, propagate_to_loaders=False
    )
    with (
        patch.object(session, "SCOPE", lost),
        pytest.raises(GuardDoesNotBiteError, match="does not reach"),
    ):
        self_test(_engine("sqlite"), OWNERSHIP, MAPPERS)


def test_relationship_that_moves_rows_is_refused() -> None:
    class Loose:
        class_ = TenantOwned
        viewonly = False
        key = "loose"

    relation = Loose()
    relation.synchronize_pairs = [(None, Base.metadata.tables["users"].c.account_id)]  # type: ignore[attr-defined]
    mapper: Any = type(
        "FakeMapper", (), {"class_": MAPPERS[0].class_, "relationships": [relation]}
    )()
    assert isinstance(MAPPERS[0], Mapper)
    with pytest.raises(UnownedTableError, match="loose"):
        self_test(_engine("sqlite"), OWNERSHIP, [mapper])

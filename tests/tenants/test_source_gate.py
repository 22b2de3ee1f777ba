"""Words that go around the nets stand only where they must, each with its reason (read from the syntax tree)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("tenants", "saas", "admin", "config")

# The driver itself: on SQLite and MariaDB nothing of ours looks at what it is told.
DRIVER = {
    "cursor",
    "raw_connection",
    "driver_connection",
    "dbapi_connection",
    "exec_driver_sql",
    "do_execute",
}
RAW_SQL = {"text", "TextClause", "tstring"}
ENGINES = {
    "create_engine",
    "create_engine_from_config",
    "engine_from_config",
    "create_async_engine",
}
SESSIONS = {"Session", "sessionmaker", "scoped_session", "AsyncSession"}
# filter_by() takes its keywords on trust: a body passed as **values could name account_id.
KEYWORDS = {"filter_by"}
FORBIDDEN = DRIVER | RAW_SQL | ENGINES | SESSIONS | KEYWORDS

ALLOWED = {
    ("tenants/database_roles.py", "text"): "logins and grants are no statements of SQLAlchemy's",
    ("tenants/role_check.py", "text"): "what a role may do stands in PostgreSQL's own catalogue",
    ("tenants/row_security.py", "text"): "policies are no statements of SQLAlchemy's",
    ("tenants/row_security.py", "cursor"): "BEGIN and the account in one message",
    ("tenants/self_test.py", "text"): "the guard must refuse it: shown at every start",
    ("tenants/session.py", "Session"): "the tenant session derives from it",
    ("saas/database.py", "create_engine"): "the engines of the product",
    ("saas/database.py", "driver_connection"): "BEGIN in the words of SQLite and MariaDB",
    ("saas/audit/one_message.py", "driver_connection"): "events and COMMIT in one message",
    ("saas/audit/one_message.py", "dbapi_connection"): "did this error end the connection?",
    ("config/migration_locks.py", "text"): "locks of each database, for its owner alone",
    (
        "config/migration_locks.py",
        "exec_driver_sql",
    ): "SQLite's own lock and check, for its owner alone",
    ("config/migration_locks.py", "create_engine"): "the owner's engine, while it migrates",
}


def _words(tree: ast.AST) -> Iterator[str]:
    """Every forbidden word that is called, read as an attribute, imported or derived from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            yield from (base.id for base in node.bases if isinstance(base, ast.Name))


def _found() -> set[tuple[str, str]]:
    found = set()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            name = str(path.relative_to(ROOT))
            found |= {
                (name, word)
                for word in _words(tree)
                if word in FORBIDDEN and not _is_other_thing(name, word)
            }
    return found


def _is_other_thing(path: str, word: str) -> bool:
    # `.text` of a form or an answer and `.cursor` of a page have nothing to do with a database.
    return word in ("text", "cursor") and not _speaks_sql(ROOT / path, word)


def _speaks_sql(path: Path, word: str) -> bool:
    source = path.read_text("utf-8")
    return "sqlalchemy" in source and (f"{word}(" in source or "import text" in source)


def test_words_that_go_around_the_nets_stand_only_where_they_must() -> None:
    assert _found() - ALLOWED.keys() == set()


def test_the_list_of_allowed_places_is_exact() -> None:
    assert ALLOWED.keys() - _found() == set()


def test_no_engine_event_may_change_a_statement_after_the_guard() -> None:
    changing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "retval"
    ]
    assert changing == []


def test_the_gate_sees_what_it_looks_for() -> None:
    source = "engine.raw_connection().cursor().execute('x')\nwith Session(e) as s:\n    s.query(U).filter_by(**body)"
    assert set(_words(ast.parse(source))) & FORBIDDEN == {
        "raw_connection",
        "cursor",
        "Session",
        "filter_by",
    }

"""Every net, and how to take it away: the catalogue must go red at the forms that the net is there for.

``mode`` is what else is spread: a net is taken from among all of them where it stands alone in its task, and from a
mode with fewer nets where another net would hold in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, Uuid, bindparam, event, text
from sqlalchemy.orm import Session, with_loader_criteria
from sqlalchemy.sql.elements import BindParameter, BooleanClauseList, Grouping

from tenants import (
    TenantOwned,
    compiler,
    current_account_id,
    guard,
    proof,
    raw_sql,
    row_security,
    session,
)
from tenants.compiler import GuardedCompiler
from tenants.errors import TenancyError, UnscopableStatementError
from tenants.ownership import ALL_PRIVILEGES, GlobalTable, Ownership
from tenants.proof import Scan
from tenants.raw_sql import NoRawSql, PlainTypes, QuotedNames
from tenants.session import TenantSession
from tests.tenants import catalogue
from tests.tenants.catalogue import Mode, spread
from tests.tenants.models import OWNERSHIP
from tests.tenants.world import World, plain_engine

Removal = Callable[[World], AbstractContextManager[Any]]


@contextmanager
def _nothing(world: World) -> Iterator[None]:
    yield


@dataclass(frozen=True)
class Net:
    """One net. ``forms``: some of those that leak without it. ``others``: what else is away, with it and without."""

    name: str
    removal: Removal
    forms: tuple[str, ...]
    mode: Mode = Mode.ALL
    backend: str = "sqlite"
    others: Removal = _nothing


@contextmanager
def in_place(net: Net, world: World) -> Iterator[Engine]:
    """Spread the nets of the mode, this one too, and give the engine."""
    with net.others(world), spread(net.mode, world) as engine:
        yield engine


@contextmanager
def taken_away(net: Net, world: World) -> Iterator[Engine]:
    """Spread the nets of the mode but this one, and give the engine."""
    with net.removal(world), in_place(net, world) as engine:
        yield engine


# -- ways to take something away ---------------------------------------------------------------------------


def _without(owner: Any, *names: str) -> Removal:
    """Delete methods of a mixin, so that SQLAlchemy's own come through."""

    @contextmanager
    def removal(world: World) -> Iterator[None]:
        kept = {name: owner.__dict__[name] for name in names}
        for name in names:
            delattr(owner, name)
        try:
            yield
        finally:
            for name, method in kept.items():
                setattr(owner, name, method)

    return removal


def _instead(owner: Any, name: str, other: Any) -> Removal:
    return lambda world: patch.object(owner, name, other)


def _both(*removals: Removal) -> Removal:
    @contextmanager
    def removal(world: World) -> Iterator[None]:
        with ExitStack() as stack:
            for each in removals:
                stack.enter_context(each(world))
            yield

    return removal


def _never_refusing(*words: str) -> Removal:
    """Let the refusals pass whose sentence begins with one of the words."""

    def forgiving(condition: Any, why: str) -> None:
        if condition and not why.startswith(words):
            raise UnscopableStatementError(why)

    return _both(_instead(compiler, "refuse", forgiving), _instead(raw_sql, "refuse", forgiving))


def _criteria(**changed: Any) -> Removal:
    options = {"include_aliases": True, "propagate_to_loaders": False} | changed
    return _instead(
        session, "SCOPE", with_loader_criteria(TenantOwned, session._in_entered_account, **options)
    )


_COMMON_BIND = bindparam("entered_account", callable_=current_account_id, type_=Uuid())


def _in_account_of_a_common_bind(cls: Any) -> Any:
    return cls.account_id == _COMMON_BIND


def _as_superuser(world: World) -> AbstractContextManager[Any]:
    return patch.object(catalogue, "tenant_engine", lambda urls: plain_engine(urls.superuser_url))


def _not_for_inserts(world: World) -> AbstractContextManager[Any]:
    apply = session.scoped
    return patch.object(session, "scoped", lambda s: s if s.is_insert else apply(s))


def _loose_conjuncts(clause: Any) -> Iterator[Any]:
    if isinstance(clause, Grouping):
        yield from _loose_conjuncts(clause.element)
    elif isinstance(clause, BooleanClauseList):
        for part in clause.clauses:
            yield from _loose_conjuncts(part)
    else:
        yield clause


def _join_proves_all(self: Scan, join: Any) -> Any:
    leaves = self.add_from(join.left) + self.add_from(join.right)
    self.add_criteria([join.onclause], leaves)
    return leaves


def _proves_itself(self: Scan, column: Any, other: Any, term: Any) -> bool:
    leaf = self.leaf_of(column)
    if leaf is None or leaf.proven or column.name not in leaf.keys or leaf not in term.provable:
        return False
    if proof.plain_bind(other, leaf.table.c[column.name].type):
        self.anchors += [other] if leaf.owned else []
        leaf.proven = True
    elif self.leaf_of(other) is not None:
        leaf.proven = True
    return leaf.proven


def _any_bind(value: Any, type_: Any) -> bool:
    return isinstance(value, BindParameter) and not value.literal_execute


def _open_world(self: Scan, element: Any) -> Any:
    try:
        return _add_from(self, element)
    except UnscopableStatementError as error:
        if not str(error).startswith("unknown"):
            raise
        return []


_add_from = Scan.add_from
_check_values = guard.check_values
_check_execution = guard.check_execution


def _loose_values(anchors: Any, parameter_sets: Any, account_id: Any) -> None:
    for parameters in parameter_sets:
        for name in anchors:
            if parameters.get(name) != account_id:
                raise TenancyError("foreign")


def _first_values_only(anchors: Any, parameter_sets: Any, account_id: Any) -> None:
    _check_values(anchors, parameter_sets[:1], account_id)


def _unjudged_may_pass(
    conn: Any, cursor: Any, statement: Any, parameters: Any, context: Any, many: Any
) -> None:
    if getattr(context.compiled, "verdict", None) is not None:
        _check_execution(conn, cursor, statement, parameters, context, many)


class _Everything(frozenset[Any]):
    def __contains__(self, item: object) -> bool:
        return True


def _without_foreign_keys(world: World) -> AbstractContextManager[Any]:
    from tests.tenants import world as worlds

    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=wal")

    return patch.object(worlds, "_prepare_sqlite", prepare)


def _changed_database(do: str, undo: str) -> Removal:
    """Change the PostgreSQL schema, and change it back; ``{app}`` is the app's role."""

    @contextmanager
    def removal(world: World) -> Iterator[None]:
        app = world.urls.roles.app if world.urls.roles else ""
        with world.watcher.begin() as connection:
            for statement in do.format(app=app).split(";"):
                connection.execute(text(statement))
        try:
            yield
        finally:
            with world.watcher.begin() as connection:
                for statement in undo.format(app=app).split(";"):
                    connection.execute(text(statement))

    return removal


def _begin_without_the_rule(engine: Engine) -> None:
    event.listen(engine, "begin", row_security._begin_in_account)


_ENTERED = row_security._ENTERED

NETS = (
    # net one: the criteria (with the guard off, which would hold in their place)
    Net(
        "criteria: include_aliases",
        _criteria(include_aliases=False),
        ("select_entity", "alias_of_an_entity", "query_all", "orm_update_without_where"),
        Mode.CRITERIA,
    ),
    Net(
        "criteria: on INSERT … SELECT too",
        _not_for_inserts,
        ("orm_insert_from_a_model",),
        Mode.CRITERIA,
    ),
    Net(
        "criteria: a bind that nobody can override",
        _instead(
            session,
            "SCOPE",
            with_loader_criteria(
                TenantOwned,
                _in_account_of_a_common_bind,
                include_aliases=True,
                propagate_to_loaders=False,
            ),
        ),
        ("query_with_parameters",),
        Mode.CRITERIA,
    ),
    # net two: the guard
    Net(
        "guard: SELECT is proven",
        _instead(GuardedCompiler, "_prove", lambda self, froms, criteria: Scan(self.ownership)),
        (
            "core_select",
            "core_update",
            "core_delete",
            "bare_session_on_the_engine",
            "union_with_an_untied_arm",
        ),
    ),
    Net(
        "guard: UPDATE is proven",
        _without(GuardedCompiler, "update_post_criteria_clause"),
        (
            "core_update",
            "core_update_of_the_account",
            "orm_update_of_an_alias",
            "core_update_from_another_table",
        ),
    ),
    Net(
        "guard: DELETE is proven",
        _without(GuardedCompiler, "delete_post_criteria_clause"),
        ("core_delete", "core_delete_with_returning", "core_delete_tied_to_b"),
    ),
    Net(
        "guard: the account of an inserted row",
        _instead(GuardedCompiler, "_anchor_written_account", lambda self, values: None),
        (
            "core_insert",
            "core_insert_with_a_literal_account",
            "insert_of_many",
            "bulk_insert_of_mappings",
            "sign_in_to_b",
        ),
    ),
    Net(
        "guard: the account of INSERT … SELECT",
        _instead(GuardedCompiler, "_check_selected_account", lambda self, scan, column: None),
        ("core_insert_from_select_into_b", "core_insert_from_a_union"),
    ),
    Net(
        "guard: several rows of values()",
        _both(
            _never_refusing("multi-row values()"),
            _instead(GuardedCompiler, "_anchor_written_account", lambda self, values: None),
        ),
        ("core_insert_of_several_rows", "orm_insert_of_several_rows"),
    ),
    Net(
        "guard: no INSERT inside another statement",
        _both(
            _never_refusing("an INSERT inside"),
            _instead(GuardedCompiler, "_judge_insert", lambda self, state, table: None),
        ),
        ("core_insert_in_a_cte",),
        Mode.ALL,
        "postgresql",
        _as_superuser,
    ),
    Net(
        "guard: account_id never changes",
        _both(
            _never_refusing("account_id of a row never changes"),
            _instead(GuardedCompiler, "_anchor_written_account", lambda self, values: None),
        ),
        (
            "core_update_of_the_account",
            "orm_update_of_the_account_in_order",
            "upsert_that_moves_a_row",
        ),
    ),
    Net(
        "guard: UPDATE sets plain columns of its own table",
        _never_refusing("an UPDATE sets plain columns"),
        ("core_update_of_a_coerced_account",),
    ),
    Net(
        "guard: upserts",
        _instead(GuardedCompiler, "_judge_upsert", lambda self, clause, table: None),
        (
            "upsert_over_a_key_that_all_accounts_share",
            "upsert_over_the_address_of_another",
            "upsert_that_moves_a_row",
        ),
    ),
    Net(
        "guard: hints",
        _never_refusing("a hint is raw SQL"),
        ("statement_hint",),
    ),
    Net(
        "guard: closed world of tables",
        _both(
            _instead(Scan, "add_from", _open_world),
            _instead(Ownership, "knows", lambda self, table: True),
            _never_refusing("UPDATE of something", "DELETE of something", "INSERT of something"),
        ),
        ("lightweight_table", "view_over_a_tenant_table"),
    ),
    Net(
        "guard: tables are known by identity, not by name",
        _instead(type(OWNERSHIP), "knows", lambda self, table: True),
        ("system_events_of_a_second_metadata", "password_hash_of_a_second_metadata"),
    ),
    Net(
        "guard: privileges of a table",
        _instead(Ownership, "privileges", lambda self, table: ALL_PRIVILEGES),
        ("system_events", "update_of_own_audit_events", "delete_of_system_events"),
    ),
    Net(
        "guard: hidden columns",
        _both(
            _instead(Ownership, "hides", lambda self, column: False),
            _never_refusing("* would read hidden"),
        ),
        (
            "password_hash_by_key",
            "password_hash_through_a_star",
            "password_hash_as_a_lightweight_column",
        ),
    ),
    Net(
        "guard: global tables about people are pinned",
        _instead(GlobalTable, "keys", ()),
        (
            "every_identity",
            "count_of_identities",
            "delete_of_every_session",
            "update_of_every_identity",
        ),
    ),
    # the reasoning of the guard
    Net(
        "proof: OR proves nothing",
        _instead(proof, "conjuncts", _loose_conjuncts),
        ("own_account_or_true",),
    ),
    Net(
        "proof: ON of an outer join proves one side",
        _instead(Scan, "_add_join", _join_proves_all),
        ("left_join_that_ties_the_left_side", "full_join_with_both_sides_in_on"),
    ),
    Net(
        "proof: only a proven table proves another",
        _instead(Scan, "_apply", _proves_itself),
        ("account_equal_to_itself", "ring_of_three_untied_tables", "session_of_b_as_a_proof"),
    ),
    Net(
        "proof: a value of the column's own type",
        _both(
            _instead(proof, "plain_bind", _any_bind), _instead(compiler, "plain_bind", _any_bind)
        ),
        (
            "value_changed_by_its_type",
            "core_update_with_a_turncoat_type",
            "core_insert_with_a_turncoat_type",
        ),
    ),
    # what is checked at each execution
    Net(
        "execution: values are the entered account",
        _instead(guard, "check_values", lambda anchors, sets, account_id: None),
        (
            "foreign_value_in_a_prepared_statement",
            "core_insert",
            "core_select_with_a_foreign_account",
        ),
    ),
    Net(
        "execution: every row of executemany",
        _instead(guard, "check_values", _first_values_only),
        ("core_update_of_many", "core_insert_of_many", "bulk_insert_of_mixed_accounts"),
    ),
    Net(
        "execution: the very type UUID",
        _instead(guard, "check_values", _loose_values),
        ("value_that_is_equal_to_all", "core_insert_with_a_value_equal_to_all"),
    ),
    Net(
        "execution: nothing unjudged",
        _instead(guard, "check_execution", _unjudged_may_pass),
        ("driver_sql", "driver_sql_update", "ddl_of_a_string"),
    ),
    # raw SQL
    Net(
        "raw SQL: text()",
        _without(NoRawSql, "visit_textclause"),
        ("text_statement", "text_in_where", "prefix", "suffix", "query_from_text", "text_update"),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: literal columns",
        _without(NoRawSql, "visit_column"),
        ("literal_column_with_a_subselect", "literal_column_in_where", "text_in_limit"),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: functions",
        _without(NoRawSql, "visit_function"),
        ("function_that_runs_a_query", "function_in_from_that_runs_a_query"),
        Mode.GUARD,
        "postgresql",
        _as_superuser,
    ),
    Net(
        "raw SQL: fields of extract()",
        _without(NoRawSql, "visit_extract"),
        ("extract_with_text",),
        Mode.GUARD,
        "mariadb",
    ),
    Net(
        "raw SQL: collations",
        _both(_without(NoRawSql, "visit_collation"), _without(QuotedNames, "quote")),
        ("unquoted_collation",),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: operators",
        _instead(NoRawSql, "_refuse_operator", lambda self, operator: None),
        (
            "operator_with_an_or",
            "operator_with_a_subselect",
            "unary_operator_with_text",
            "unary_modifier_with_text",
        ),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: operators that mean OR or a comment",
        _instead(NoRawSql, "_refuse_operator", lambda self, operator: None),
        (
            "operator_that_means_or_on_mariadb",
            "operator_xor_of_mariadb",
            "operator_that_opens_a_comment",
        ),
        Mode.GUARD,
        "mariadb",
    ),
    Net(
        "raw SQL: an OR keeps its brackets",
        _instead(raw_sql, "_closed", lambda element, text: text),
        (
            "or_in_a_lambda",
            "or_in_a_lambda_before_the_account",
            "orm_update_with_an_or_in_a_lambda",
        ),
    ),
    Net(
        "raw SQL: numbers of a type",
        _without(NoRawSql, "visit_binary"),
        ("precision_of_a_number_in_json",),
        Mode.GUARD,
        "mariadb",
    ),
    Net(
        "raw SQL: literal values",
        _without(NoRawSql, "render_literal_value"),
        ("literal_value_in_where", "literal_value_of_a_custom_type"),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: sequences",
        _both(
            _without(NoRawSql, "visit_sequence", "visit_function"), _without(QuotedNames, "quote")
        ),
        ("sequence_with_text",),
        Mode.GUARD,
        "mariadb",
    ),
    Net(
        "raw SQL: names are quoted",
        _without(QuotedNames, "quote"),
        ("unquoted_label", "unquoted_column_name", "unquoted_name_by_a_class_of_its_own"),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: types",
        _without(PlainTypes, "process"),
        ("type_that_ends_the_statement", "length_of_a_type"),
        Mode.GUARD,
    ),
    Net(
        "raw SQL: classes that compile themselves",
        _instead(OWNERSHIP, "safe_constructs", _Everything()),
        (
            "self_compiled_column",
            "self_compiled_criterion",
            "self_compiled_extension",
            "self_compiled_statement",
        ),
        Mode.GUARD,
    ),
    # net three: the session
    Net(
        "session: one session, one account",
        _instead(TenantSession, "check_owner", lambda self: None),
        ("get_from_a_warm_identity_map",),
    ),
    Net(
        "session: objects of another account stay out",
        _instead(session, "check_instance", lambda instance, account_id: None),
        ("held_object_found_again_in_own_session",),
    ),
    Net(
        "session: changed objects are the account's",
        _instead(session, "check_instance", lambda instance, account_id: None),
        ("new_object_of_b", "made_up_row_of_b_changed", "made_up_row_of_b_deleted"),
        Mode.ALL,
        "sqlite",
        _instead(guard, "check_values", lambda anchors, sets, account_id: None),
    ),
    Net(
        "session: one engine",
        _both(
            _instead(TenantSession, "get_bind", Session.get_bind),
            _instead(TenantSession, "connection", Session.connection),
        ),
        ("statement_sent_to_an_unguarded_engine", "session_s_connection_to_an_unguarded_engine"),
    ),
    Net(
        "session: nothing is merged on trust",
        _instead(TenantSession, "merge", Session.merge),
        ("held_object_merged_without_loading",),
    ),
    # net four: the keys
    Net(
        "keys: composite foreign keys",
        _without_foreign_keys,
        (
            "new_link_to_a_foreign_role",
            "new_object_with_a_foreign_parent",
            "core_insert_of_a_foreign_link",
        ),
    ),
    # net five: row-level security
    Net(
        "rows: security is enabled",
        _changed_database(
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        ),
        ("core_select", "text_statement", "core_update", "driver_cursor_of_the_session"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: the policy asks for the account",
        _changed_database(
            "ALTER POLICY tenant ON users USING (true)",
            f"ALTER POLICY tenant ON users USING ({_ENTERED})",
        ),
        ("core_select", "select_entity", "driver_sql"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: the policy checks what is written",
        _changed_database(
            "ALTER POLICY tenant ON t_notes WITH CHECK (true)",
            f"ALTER POLICY tenant ON t_notes WITH CHECK ({_ENTERED})",
        ),
        ("new_object_of_b", "core_insert", "insert_of_many"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: a plain role",
        _changed_database("ALTER ROLE {app} BYPASSRLS", "ALTER ROLE {app} NOBYPASSRLS"),
        ("core_select", "text_statement", "core_update", "core_delete_tied_to_b"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: a transaction stays in its account",
        _instead(row_security, "begin_with_account", _begin_without_the_rule),
        ("connection_of_a_held_session", "bulk_update_in_a_held_session"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: views run with the reader's rights",
        _changed_database(
            "ALTER VIEW t_every_user RESET (security_invoker)",
            "ALTER VIEW t_every_user SET (security_invoker = true)",
        ),
        ("view_over_a_tenant_table",),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: grants of columns",
        _changed_database(
            "GRANT SELECT ON identities TO {app}",
            "REVOKE SELECT ON identities FROM {app};"
            "GRANT SELECT (id, email_key, email, confirmed_at, suspended_at, created_at) ON identities TO {app}",
        ),
        ("password_hash_by_key", "password_hash_through_a_star"),
        Mode.ROWS,
        "postgresql",
    ),
    Net(
        "rows: grants of tables",
        _changed_database(
            "GRANT UPDATE ON audit_events TO {app}", "REVOKE UPDATE ON audit_events FROM {app}"
        ),
        ("update_of_own_audit_events",),
        Mode.ROWS,
        "postgresql",
    ),
)

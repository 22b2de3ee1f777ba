"""The guarded compiler: judges a statement where it is final, so ORM, Core and hand-built SQL pass one gate.

The hooks are SQLAlchemy's inner ones (``_compose_select_body``, the post-criteria clauses, ``visit_insert``): the
minor version is pinned and ``self_test`` runs at start-up.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, Table
from sqlalchemy.sql.elements import ColumnClause, Label
from sqlalchemy.sql.selectable import SelectBase

from tenants.ownership import ACCOUNT_TYPE, OWNER, base_table, unique_keys
from tenants.proof import Scan
from tenants.raw_sql import NoRawSql, plain_bind, refuse
from tenants.verdict import Verdict


class GuardedCompiler(NoRawSql):
    """Mixin in front of a dialect's statement compiler; raises UnscopableStatementError while compiling."""

    def __init__(self, dialect: Any, statement: Any, *args: Any, **kwargs: Any) -> None:
        self._anchors: list[BindParameter[Any] | str] = []
        self._writes: list[tuple[str, frozenset[str] | None]] = []
        self._insert_position: int | None = None
        self._insert_arms: dict[int, int] = {}
        super().__init__(dialect, statement, *args, **kwargs)  # type: ignore[call-arg]
        names = {a if isinstance(a, str) else self._bind_name(a) for a in self._anchors}
        self.verdict = Verdict(tuple(sorted(names)), tuple(self._writes))

    def _bind_name(self, bind: BindParameter[Any]) -> str:
        # By key: an INSERT renders a copy of the bind that has the column's type.
        names = {b.key: name for b, name in self.bind_names.items()}  # type: ignore[attr-defined]
        refuse(bind.key not in names, "an account bind did not reach the statement")
        return str(names[bind.key])

    # -- reading ---------------------------------------------------------------------------------------

    def visit_select(self, select_stmt: Any, *args: Any, **kw: Any) -> str:
        if kw.get("insert_into") and self._insert_position is not None:
            # Remember at which depth the account column of an INSERT … SELECT is due.
            self._insert_arms[len(self.stack) + 1] = self._insert_position  # type: ignore[attr-defined]
        return super().visit_select(select_stmt, *args, **kw)  # type: ignore[misc,no-any-return]

    def _compose_select_body(
        self, text: str, select: Any, compile_state: Any, columns: Any, froms: Any, *rest: Any
    ) -> str:
        refuse(select._hints or select._statement_hints, "a hint is raw SQL")
        scan = self._prove(froms, select._where_criteria)
        selected = [entry[3] for entry in compile_state.columns_plus_names]
        refuse(scan.hides_columns and any(map(_is_star, selected)), "* would read hidden columns")
        position = self._insert_arms.pop(len(self.stack), None)  # type: ignore[attr-defined]
        if position is not None:
            self._check_selected_account(scan, selected[position])
        return super()._compose_select_body(text, select, compile_state, columns, froms, *rest)  # type: ignore[misc,no-any-return]

    def _prove(self, froms: Any, criteria: Any) -> Scan:
        scan = Scan(self.ownership)
        for element in froms:
            scan.add_from(element)
        scan.add_criteria(criteria)
        scan.prove()
        self._anchors += scan.anchors
        return scan

    # -- writing ---------------------------------------------------------------------------------------

    def update_post_criteria_clause(self, statement: Any, **kw: Any) -> Any:
        table = self._written_table(statement, "UPDATE")
        values = dict(statement._values or {})
        for key in values:
            own = isinstance(key, ColumnClause) and base_table(key.table) in (table, None)
            refuse(
                not own and not isinstance(key, str),
                "an UPDATE sets plain columns of its own table",
            )
        keys = {_key(k) for k in values} | set(self.column_keys or ())  # type: ignore[attr-defined]
        if OWNER in keys:
            refuse(self.ownership.owns(table), f"{OWNER} of a row never changes")
            self._anchor_written_account(values)
        self._judge_change(statement, table, frozenset(keys & set(table.c.keys())))
        return super().update_post_criteria_clause(statement, **kw)  # type: ignore[misc]

    def delete_post_criteria_clause(self, statement: Any, **kw: Any) -> Any:
        self._judge_change(statement, self._written_table(statement, "DELETE"), None)
        return super().delete_post_criteria_clause(statement, **kw)  # type: ignore[misc]

    def _judge_change(self, statement: Any, table: Table, columns: frozenset[str] | None) -> None:
        self._prove(self.stack[-1]["correlate_froms"], statement._where_criteria)  # type: ignore[attr-defined]
        self._writes.append((table.name, columns))

    def _written_table(self, statement: Any, verb: str) -> Table:
        table = base_table(statement.table)
        refuse(not isinstance(table, Table), f"{verb} of something that is not a table")
        refuse(not self.ownership.knows(table), f"unknown table {table.name!r}")
        refuse(statement._hints, "a hint is raw SQL")
        allowed = self.ownership.privileges(table)
        refuse(verb not in allowed, f"{table.name}: {verb} is not for this engine")
        return table  # type: ignore[no-any-return]

    def visit_insert(
        self, insert_stmt: Any, visited_bindparam: Any = None, visiting_cte: Any = None, **kw: Any
    ) -> str:
        refuse(visiting_cte is not None or self.stack, "an INSERT inside another statement")  # type: ignore[attr-defined]
        table = self._written_table(insert_stmt, "INSERT")
        if insert_stmt.select is not None and OWNER in table.c:
            self._insert_position = _account_position(insert_stmt)
        text: str = super().visit_insert(insert_stmt, visited_bindparam, visiting_cte, **kw)  # type: ignore[misc]
        self._writes.append((table.name, None))
        self._judge_insert(self.dml_compile_state, table)  # type: ignore[attr-defined]
        return text

    def _judge_insert(self, state: Any, table: Table) -> None:
        statement = state.statement
        if statement._post_values_clause is not None:
            self._judge_upsert(statement._post_values_clause, table)
        if statement.select is not None or OWNER not in table.c:
            return  # a SELECT was judged while it was compiled
        refuse(state._has_multi_parameters, "multi-row values(): pass the rows as a list")
        self._anchor_written_account(state._dict_parameters or {})

    def _anchor_written_account(self, values: dict[Any, Any]) -> None:
        """Take the one bound value that is written as the row's account; defaults and parameters bear its name."""
        given = [value for key, value in values.items() if _key(key) == OWNER]
        if given:
            plain = len(given) == 1 and plain_bind(given[0], ACCOUNT_TYPE)
            refuse(not plain, f"{OWNER} must be one bound value")
            self._anchors.append(given[0])
        else:
            refuse(OWNER not in self.binds, f"{OWNER} must be a bound value")  # type: ignore[attr-defined]
            self._anchors.append(OWNER)

    def _check_selected_account(self, scan: Scan, column: Any) -> None:
        while isinstance(column, Label):
            column = column.element
        if plain_bind(column, ACCOUNT_TYPE):
            self._anchors.append(column)
            return
        leaf = scan.leaf_of(column)
        tied = leaf is not None and leaf.owned and column.name == OWNER
        refuse(not tied, f"INSERT … SELECT must select {OWNER}")

    def _judge_upsert(self, clause: Any, table: Table) -> None:
        changed = getattr(clause, "update_values_to_set", None) or getattr(clause, "update", None)
        if changed is None:
            return  # ON CONFLICT DO NOTHING
        refuse(OWNER in map(_key, dict(changed)), f"{OWNER} of a row never changes")
        # MariaDB updates the row that any unique key hits, so each must lead to rows that may be reached.
        reached = self.ownership.reached_by(table)
        firsts = {getattr(first, "name", None) for _, first in unique_keys(table)}
        refuse(reached and not firsts <= set(reached), "an upsert could hit a foreign row")


def _is_star(column: Any) -> bool:
    return isinstance(column, ColumnClause) and column.is_literal and column.name == "*"


def _is_star(column: Any) -> bool:
    return isinstance(column, ColumnClause) and column.is_literal and column.name == "*"


def _key(key: Any) -> Any:
    return getattr(key, "key", key)


def _account_position(insert_stmt: Any) -> int:
    names = [_key(name) for name in insert_stmt._select_names or ()]
    refuse(OWNER not in names, f"INSERT … SELECT must name {OWNER}")
    refuse(not isinstance(insert_stmt.select, SelectBase), "INSERT … SELECT from something else")
    return names.index(OWNER)

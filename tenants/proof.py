"""Which tables of a statement are tied to the account: the reasoning of the guard, free of compiler hooks.

A tenant-owned table is proven by a top-level AND term ``t.account_id = :bind`` or ``t.account_id =
other.account_id`` where ``other`` is itself proven. WHERE terms hold for every table of the FROM; ON terms of
an inner join for both sides, of a left join for its right side only (for both where WHERE asks for a row of the
right side), of a full join for none: an ON term does not filter the rows of a preserved side. A global table about
people is proven by equality of one of its keys with a bind, or with a column of a proven row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Table
from sqlalchemy.sql import operators
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import FromGrouping, Join, SelectBase, Values

from tenants.errors import UnscopableStatementError
from tenants.ownership import OWNER, Ownership, base_table
from tenants.raw_sql import plain_bind, refuse


def conjuncts(clause: Any) -> Iterator[Any]:
    """Yield the top-level AND terms of a criterion; an OR, a NOT or a function is one term and proves nothing."""
    if isinstance(clause, Grouping):
        yield from conjuncts(clause.element)
    elif isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from conjuncts(part)
    else:
        yield clause


@dataclass(slots=True, eq=False)
class _Leaf:
    """One table as it stands in a FROM (itself or an alias), and the columns that can prove it."""

    element: Any
    table: Table
    owned: bool
    keys: tuple[str, ...]
    proven: bool = False
    present: bool = False  # a WHERE term names it, so it is no row of NULLs


@dataclass(slots=True)
class _Term:
    """One equality, the tables that it can prove, and whether it stands in WHERE."""

    clause: BinaryExpression[Any]
    provable: list[_Leaf]
    is_where: bool


@dataclass(slots=True)
class Scan:
    """One FROM with its criteria: collect the tables, then ``prove`` them."""

    ownership: Ownership
    leaves: list[_Leaf] = field(default_factory=list)
    anchors: list[BindParameter[Any]] = field(default_factory=list)
    _terms: list[_Term] = field(default_factory=list)
    _left_joins: list[tuple[Any, list[_Leaf], list[_Leaf]]] = field(default_factory=list)

    def add_from(self, element: Any) -> list[_Leaf]:
        """Add one FROM element and return the tables found in it; refuses what it does not know."""
        if isinstance(element, FromGrouping):
            return self.add_from(element.element)
        if isinstance(element, Join):
            return self._add_join(element)
        base = base_table(element)
        if isinstance(base, Table):
            return [self._add_table(element, base)]
        if isinstance(base, SelectBase | UpdateBase | Values | FunctionElement):
            return []  # compiled, and so judged, on its own
        raise UnscopableStatementError(
            f"unknown in a FROM: {str(element)[:80]!r} ({type(base).__name__})"
        )

    def add_criteria(self, criteria: Iterable[Any], provable: list[_Leaf] | None = None) -> None:
        """Add AND-ed criteria that can prove ``provable`` (None: every table, as a WHERE does)."""
        targets = self.leaves if provable is None else provable
        for clause in criteria:
            for term in conjuncts(clause):
                if isinstance(term, BinaryExpression) and term.operator is operators.eq:
                    self._terms.append(_Term(term, targets, provable is None))

    def prove(self) -> None:
        """Prove what can be proven and raise UnscopableStatementError for the first table that cannot."""
        while self._apply_terms() or self._promote_left_joins():
            pass
        for leaf in self.leaves:
            if not leaf.proven:
                how = OWNER if leaf.owned else " or ".join(leaf.keys)
                raise UnscopableStatementError(
                    f"table {leaf.table.name!r} is not tied to the entered account: "
                    f"select the model through the session, or add an equality on {how}"
                )

    @property
    def hides_columns(self) -> bool:
        """True where a table of this FROM has columns that are never read."""
        return any("hidden" in leaf.table.info for leaf in self.leaves)

    def leaf_of(self, column: Any) -> _Leaf | None:
        """Return the table of this FROM that a column expression belongs to."""
        if not isinstance(column, ColumnClause) or column.table is None:
            return None
        return next(
            (leaf for leaf in self.leaves if hash(leaf.element) == hash(column.table)), None
        )

    def _add_join(self, join: Join) -> list[_Leaf]:
        left, right = self.add_from(join.left), self.add_from(join.right)
        if join.full:
            return left + right
        if join.isouter:
            self._left_joins.append((join.onclause, left, right))
        self.add_criteria([join.onclause], right if join.isouter else left + right)
        return left + right

    def _promote_left_joins(self) -> bool:
        """Where WHERE asks for a row of the right side, a left join is an inner one: ON holds for the left side too."""
        promoted = [entry for entry in self._left_joins if any(leaf.present for leaf in entry[2])]
        for entry in promoted:
            self._left_joins.remove(entry)
            self.add_criteria([entry[0]], entry[1])
        return bool(promoted)

    def _add_table(self, element: Any, table: Table) -> _Leaf:
        refuse(
            not self.ownership.knows(table),
            f"unknown table {table.name!r}: it belongs to no declared metadata",
        )
        allowed = self.ownership.privileges(table)
        refuse("SELECT" not in allowed, f"{table.name}: SELECT is not for this engine")
        keys = self.ownership.reached_by(table)
        leaf = _Leaf(element, table, self.ownership.owns(table), keys, proven=not keys)
        self.leaves.append(leaf)
        return leaf

    def _apply_terms(self) -> bool:
        """Apply every term once, either way round; True where one of them proved a table."""
        progress = False
        for term in self._terms:
            left, right = term.clause.left, term.clause.right
            for column, other in ((left, right), (right, left)):
                progress |= self._apply(column, other, term)
        return progress

    def _apply(self, column: Any, other: Any, term: _Term) -> bool:
        leaf = self.leaf_of(column)
        if leaf is None or leaf.proven or column.name not in leaf.keys or leaf not in term.provable:
            return False
        if plain_bind(other, leaf.table.c[column.name].type):
            if leaf.owned:
                self.anchors.append(other)
            leaf.proven, leaf.present = True, term.is_where
            return True
        source = self.leaf_of(other)
        if source is None or source is leaf or not source.proven or not source.keys:
            return False  # a table that is free to read proves nobody's row
        leaf.proven = not leaf.owned or (source.owned and other.name == OWNER)
        return leaf.proven

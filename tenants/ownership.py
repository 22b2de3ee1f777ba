"""Law one: every table is owned. It has ``account_id``, or it stands on the list of global tables with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, MetaData, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, declared_attr, mapped_column
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import AliasedReturnsRows

from tenants.errors import UnownedTableError
from tenants.scope import current_account_id

OWNER = "account_id"
ACCOUNT_TYPE = Uuid()
ALL_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


class TenantOwned:
    """Mixin of every tenant-owned model: the owning account is the first half of its key."""

    @declared_attr
    def account_id(cls) -> Mapped[UUID]:
        # The default is asked at each insert, so a row that nobody stamped belongs to the entered account.
        return mapped_column(Uuid(), primary_key=True, sort_order=-20, default=current_account_id)


@dataclass(frozen=True, slots=True)
class GlobalTable:
    """A table that belongs to no account, and why.

    ``keys``: the columns by which the tenant engine may reach it. Empty = it holds nothing about people
    and may be read freely; else every statement must pin one of them by equality.
    """

    reason: str
    keys: tuple[str, ...] = ()


class Ownership:
    """Who owns each table of a metadata: the account, or nobody for a reason that is written down."""

    def __init__(
        self,
        metadata: MetaData,
        global_tables: Mapping[str, GlobalTable],
        safe_functions: Iterable[str] = (),
        safe_constructs: Iterable[type] = (),
    ) -> None:
        """Declare who owns what.

        ``safe_functions``: SQL functions of your own that read nothing but their arguments.
        ``safe_constructs``: classes that compile themselves (``@compiles``) and that you answer for.
        """
        self.metadata = metadata
        self.global_tables = dict(global_tables)
        self.safe_functions = frozenset(name.lower() for name in safe_functions)
        self.safe_constructs = frozenset(safe_constructs)

    @property
    def tables(self) -> list[Table]:
        """Every table, parents before children."""
        return self.metadata.sorted_tables

    @property
    def owned_tables(self) -> list[Table]:
        """Every tenant-owned table, parents before children."""
        return [table for table in self.tables if self.owns(table)]

    def owns(self, table: Table) -> bool:
        """Return True unless the table stands on the list of global ones."""
        return table.key not in self.global_tables

    def reached_by(self, table: Table) -> tuple[str, ...]:
        """Return the columns that can tie a table to the account or to a person; none = free to read."""
        return (OWNER,) if self.owns(table) else self.global_tables[table.key].keys

    def knows(self, table: Table) -> bool:
        """Return True for a table of this very metadata: one of the same name elsewhere is another table."""
        return table.metadata is self.metadata and self.metadata.tables.get(table.key) is not None

    def hides(self, column: ColumnClause[Any]) -> bool:
        """Return True for a column that the tenant engine never reads (``info["hidden"]`` of its table)."""
        table = base_table(column.table)
        tables = self.tables if table is None else [table]
        return any(column.name in getattr(t, "info", {}).get("hidden", ()) for t in tables)

    def privileges(self, table: Table) -> tuple[str, ...]:
        """Return what the tenant engine may do with a table (``info["app"]``): the guard and the grants agree."""
        return tuple(table.info.get("app", ALL_PRIVILEGES))

    def check(self) -> None:
        """Walk the metadata and raise UnownedTableError with every fault found, not only the first."""
        faults = [fault for table in self.tables for fault in self._faults(table)]
        faults += [
            f"{name}: on the list of global tables, but there is no such table"
            for name in self.global_tables
            if name not in {table.key for table in self.tables}
        ]
        if faults:
            raise UnownedTableError(
                "the schema does not hold the tenant boundary:\n  " + "\n  ".join(faults)
            )

    def _faults(self, table: Table) -> Iterator[str]:
        listed = self.global_tables.get(table.key)
        if listed is None:
            yield from _owned_faults(table)
        else:
            if not listed.reason.strip():
                yield f"{table.key}: global without a reason"
            yield from (
                f"{table.key}: no column {k!r} to be reached by"
                for k in listed.keys
                if k not in table.c
            )
        for key in table.foreign_key_constraints:
            yield from self._foreign_key_faults(table, key)

    def _foreign_key_faults(self, table: Table, key: ForeignKeyConstraint) -> Iterator[str]:
        columns = [column.name for column in key.columns]
        if OWNER in columns and (key.ondelete or "").upper().startswith("SET"):
            yield f"{table.key}: ON DELETE {key.ondelete} on {columns} would empty {OWNER}"
        pairs = [tuple(element.target_fullname.rsplit(".", 1)) for element in key.elements]
        target = str(pairs[0][0])
        if target not in self.global_tables and (OWNER, OWNER) not in zip(
            columns, [c for _, c in pairs], strict=True
        ):
            yield f"{table.key}: foreign key {columns} must carry {OWNER}"


def base_table(element: Any) -> Any:
    """Return the table under any aliases, or what stands there instead."""
    while isinstance(element, AliasedReturnsRows):
        element = element.element
    return element


def _owned_faults(table: Table) -> Iterator[str]:
    name = table.key
    if OWNER not in table.c:
        yield f"{name}: neither tenant-owned (no {OWNER}) nor on the list of global tables"
        return
    owner = table.c[OWNER]
    if (
        owner.name != OWNER
        or type(owner.type) is not Uuid
        or owner.type._variant_mapping
        or owner.nullable
    ):
        yield f"{name}: {OWNER} must be a Uuid of that name, never NULL"
    for unique, first in unique_keys(table):
        if first is not owner:
            yield f"{name}: {unique} must begin with {OWNER}"


def unique_keys(table: Table) -> Iterator[tuple[str, Any]]:
    """Yield each unique key of a table by its words, and the column or expression that it begins with."""
    yield "the primary key", next(iter(table.primary_key.columns), None)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield f"unique key {constraint.name}", next(iter(constraint.columns), None)
    for index in table.indexes:
        if index.unique:
            yield f"unique index {index.name}", next(iter(index.expressions), None)

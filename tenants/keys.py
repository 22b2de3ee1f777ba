"""Composite keys: a link across accounts cannot be stored, on any database.

A plain ``relationship()`` over a composite key treats ``account_id`` as a column to write, so assigning a
foreign object *moves the row*. The helpers here spell the join and mark only the id column as foreign.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapper, relationship

from tenants.errors import UnownedTableError
from tenants.ownership import OWNER


def tenant_key(
    column: str, target_table: str, *, ondelete: str | None = None
) -> ForeignKeyConstraint:
    """Return the foreign key ``(account_id, column)`` → ``target_table (account_id, id)``.

    ``ondelete``: CASCADE or nothing; SET NULL would empty the owner and is refused at start-up.
    """
    return ForeignKeyConstraint(
        [OWNER, column], [f"{target_table}.{OWNER}", f"{target_table}.id"], ondelete=ondelete
    )


def account_key() -> ForeignKeyConstraint:
    """Return the foreign key of a top-level tenant table to its account."""
    return ForeignKeyConstraint([OWNER], [f"accounts.{OWNER}"], ondelete="CASCADE")


def to_one(me: str, target: str, column: str, **options: Any) -> Any:
    """Relate model ``me`` to one ``target`` through ``me.column``; account ids are compared, never written."""
    join = f"and_(remote({target}.{OWNER}) == {me}.{OWNER}, remote({target}.id) == foreign({me}.{column}))"
    return relationship(target, primaryjoin=join, **options)


def to_many(me: str, target: str, column: str, **options: Any) -> Any:
    """Relate model ``me`` to many ``target`` through ``target.column``; account ids are compared, never written."""
    join = f"and_(remote({target}.{OWNER}) == {me}.{OWNER}, remote(foreign({target}.{column})) == {me}.id)"
    return relationship(target, primaryjoin=join, **options)


def check_relationships(mappers: Iterable[Mapper[Any]]) -> None:
    """Raise UnownedTableError for every relationship that would write an ``account_id``, and so move rows."""
    faults = [
        f"{mapper.class_.__name__}.{relation.key}"
        for mapper in mappers
        for relation in mapper.relationships
        if not relation.viewonly
        and any(written.name == OWNER for _, written in relation.synchronize_pairs)
    ]
    if faults:
        raise UnownedTableError(
            f"these relationships write {OWNER}; use to_one() or to_many(): {', '.join(faults)}"
        )

"""Law one: every fault of a schema that would not hold the boundary is found, and all at once."""

from __future__ import annotations

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.types import TypeDecorator

from saas.models import OWNERSHIP
from tenants import GlobalTable, Ownership, UnownedTableError
from tests.tenants.models import OWNERSHIP as HOUSE_AND_ADOPTER


def _owner() -> Column[object]:
    return Column("account_id", Uuid(), primary_key=True)


def _id() -> Column[object]:
    return Column("id", Uuid(), primary_key=True)


def _metadata() -> MetaData:
    metadata = MetaData()
    Table("accounts", metadata, _owner())
    Table("persons", metadata, _id())
    return metadata


PERSONS = {"persons": GlobalTable("a person may sit in several accounts", keys=("id",))}


def _fault_of(*parts: object, name: str = "things") -> str:
    metadata = _metadata()
    Table(name, metadata, *parts)  # type: ignore[arg-type]
    with pytest.raises(UnownedTableError) as raised:
        Ownership(metadata, PERSONS).check()
    return str(raised.value)


def test_schema_of_the_product_holds_the_boundary() -> None:
    OWNERSHIP.check()


def test_owned_table_in_good_order_passes() -> None:
    metadata = _metadata()
    key = ForeignKeyConstraint(["account_id"], ["accounts.account_id"], ondelete="CASCADE")
    unique = UniqueConstraint("account_id", "name")
    person = Column("person_id", Uuid(), ForeignKey("persons.id", ondelete="SET NULL"))
    things = Table(
        "things", metadata, _owner(), _id(), Column("name", String(9)), person, key, unique
    )
    ownership = Ownership(metadata, PERSONS)
    ownership.check()
    assert ownership.owns(things)
    assert not ownership.owns(metadata.tables["persons"])
    assert [t.name for t in ownership.owned_tables] == ["accounts", "things"]


def test_table_that_nobody_owns_is_a_fault() -> None:
    assert "neither tenant-owned (no account_id) nor on the list" in _fault_of(_id())


def test_primary_key_must_begin_with_the_account() -> None:
    assert "the primary key must begin with account_id" in _fault_of(
        _id(), Column("account_id", Uuid(), primary_key=True)
    )


def test_table_without_a_primary_key_is_a_fault() -> None:
    assert "primary key must begin" in _fault_of(Column("account_id", Uuid(), nullable=False))


def test_primary_key_in_another_order_is_a_fault() -> None:
    columns = (Column("account_id", Uuid()), Column("id", Uuid()))
    assert "primary key must begin" in _fault_of(*columns, PrimaryKeyConstraint("id", "account_id"))


def test_account_must_be_a_uuid() -> None:
    assert "account_id must be a Uuid" in _fault_of(Column("account_id", Integer, primary_key=True))


def test_account_of_a_type_of_its_own_is_a_fault() -> None:
    class Turncoat(TypeDecorator[object]):
        impl = Uuid
        cache_ok = True

    assert "account_id must be a Uuid" in _fault_of(
        Column("account_id", Turncoat(), primary_key=True)
    )
    variant = Uuid().with_variant(Turncoat(), "sqlite")
    assert "account_id must be a Uuid" in _fault_of(Column("account_id", variant, primary_key=True))


def test_account_under_another_name_in_the_database_is_a_fault() -> None:
    column = Column("tenant", Uuid(), primary_key=True, key="account_id")
    assert "account_id must be a Uuid of that name" in _fault_of(column)


def test_unique_key_over_all_accounts_is_a_fault() -> None:
    name = Column("name", String(9))
    assert "unique key" in _fault_of(_owner(), _id(), name, UniqueConstraint("name"))
    assert "unique key" in _fault_of(_owner(), _id(), Column("name", String(9), unique=True))
    assert "unique key" in _fault_of(
        _owner(), _id(), Column("name", String(9)), UniqueConstraint("name", "account_id")
    )


def test_unique_index_over_all_accounts_is_a_fault() -> None:
    name = Column("name", String(9))
    assert "unique index" in _fault_of(_owner(), _id(), name, Index("ix", "name", unique=True))


def test_unique_index_that_begins_with_an_expression_is_a_fault() -> None:
    name, owner = Column("name", String(9)), _owner()
    assert "unique index" in _fault_of(
        owner, _id(), name, Index("ix", func.lower(name), owner, unique=True)
    )


def test_foreign_key_without_the_account_is_a_fault() -> None:
    metadata = _metadata()
    Table("parents", metadata, _owner(), _id())
    Table(
        "things", metadata, _owner(), _id(), Column("parent_id", Uuid(), ForeignKey("parents.id"))
    )
    with pytest.raises(
        UnownedTableError, match=r"foreign key \['parent_id'\] must carry account_id"
    ):
        Ownership(metadata, PERSONS).check()


def test_foreign_key_that_crosses_the_account_with_another_column_is_a_fault() -> None:
    metadata = _metadata()
    Table("parents", metadata, _owner(), _id())
    crossed = ForeignKeyConstraint(["id", "account_id"], ["parents.account_id", "parents.id"])
    Table("things", metadata, _owner(), _id(), crossed)
    with pytest.raises(UnownedTableError, match="must carry account_id"):
        Ownership(metadata, PERSONS).check()


@pytest.mark.parametrize("action", ["SET NULL", "SET DEFAULT", "set null"])
def test_foreign_key_that_would_empty_the_account_is_a_fault(action: str) -> None:
    key = ForeignKeyConstraint(["account_id"], ["accounts.account_id"], ondelete=action)
    assert "would empty account_id" in _fault_of(_owner(), _id(), key)


def test_global_table_that_points_at_an_owned_one_must_carry_the_account() -> None:
    metadata = _metadata()
    Table("seats", metadata, _owner(), _id())
    Table("visits", metadata, _id(), Column("seat_id", Uuid(), ForeignKey("seats.id")))
    listed = PERSONS | {"visits": GlobalTable("before an account is entered", keys=("id",))}
    with pytest.raises(
        UnownedTableError, match=r"visits: foreign key \['seat_id'\] must carry account_id"
    ):
        Ownership(metadata, listed).check()


def test_global_table_needs_its_reason() -> None:
    with pytest.raises(UnownedTableError, match="persons: global without a reason"):
        Ownership(_metadata(), {"persons": GlobalTable("  ")}).check()


def test_global_table_is_reached_by_columns_that_exist() -> None:
    with pytest.raises(UnownedTableError, match="persons: no column 'email' to be reached by"):
        Ownership(_metadata(), {"persons": GlobalTable("a person", keys=("email",))}).check()


def test_list_of_global_tables_names_tables_that_exist() -> None:
    with pytest.raises(
        UnownedTableError, match="ghosts: on the list of global tables, but there is no such table"
    ):
        Ownership(_metadata(), PERSONS | {"ghosts": GlobalTable("gone")}).check()


def test_every_fault_is_told_and_not_only_the_first() -> None:
    told = _fault_of(
        _id(),
        Column("account_id", Integer, primary_key=True),
        Column("name", String(9), unique=True),
    )
    assert told.count("things:") == 3


def test_table_of_the_same_name_in_a_schema_is_not_the_global_one() -> None:
    metadata = _metadata()
    Table("persons", metadata, _id(), schema="elsewhere")
    with pytest.raises(UnownedTableError, match=r"elsewhere\.persons: neither tenant-owned"):
        Ownership(metadata, PERSONS).check()


def test_copy_of_a_table_is_not_known() -> None:
    users = OWNERSHIP.metadata.tables["users"]
    assert OWNERSHIP.knows(users)
    assert not OWNERSHIP.knows(users.to_metadata(MetaData()))


def test_fault_of_the_adopter_s_handles_is_found() -> None:
    with pytest.raises(UnownedTableError, match="t_handles: unique key"):
        HOUSE_AND_ADOPTER.check()

"""Composite keys on three databases: no link across accounts can be stored, and no row moves."""

# ruff: noqa: SIM117 - the inner block is the one that must fail

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import MetaData, event, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    configure_mappers,
    mapped_column,
    relationship,
)
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import Base, User, UserRole
from tenants import TenantOwned, UnownedTableError, enter_account
from tenants.keys import check_relationships, tenant_key
from tenants.session import TenantSession
from tests.tenants.catalogue import BACKENDS, Mode, spread
from tests.tenants.models import Note
from tests.tenants.world import World

WorldOf = Callable[[str], World]


@contextmanager
def _session(world: World, mode: Mode = Mode.NONE) -> Iterator[TenantSession]:
    with spread(mode, world) as engine, enter_account(world.a.account_id):
        with TenantSession(engine, world.a.account_id) as session:
            yield session
            session.rollback()


@pytest.mark.parametrize("backend", BACKENDS)
def test_link_across_accounts_cannot_be_stored_by_ids(world_of: WorldOf, backend: str) -> None:
    world = world_of(backend)
    row = {
        "account_id": world.a.account_id,
        "user_id": world.a.users[0],
        "role_id": world.b.roles[0],
    }
    with _session(world) as session, pytest.raises(IntegrityError):
        session.execute(insert(UserRole.__table__), [row | {"assigned_at": utc_now()}])


@pytest.mark.parametrize("backend", BACKENDS)
def test_link_across_accounts_cannot_be_stored_by_objects(world_of: WorldOf, backend: str) -> None:
    world = world_of(backend)
    with _session(world) as session:
        user = session.get(User, (world.a.account_id, world.a.users[0]))
        role = session.get(UserRole, (world.b.account_id, world.b.users[0], world.b.roles[0])).role
        session.add(UserRole(user=user, role=role))
        with pytest.raises(IntegrityError):
            session.flush()


@pytest.mark.parametrize("backend", BACKENDS)
def test_row_of_an_account_that_does_not_exist_cannot_be_stored(
    world_of: WorldOf, backend: str
) -> None:
    with _session(world_of(backend)) as session, pytest.raises(IntegrityError):
        session.execute(
            insert(Note.__table__), [{"account_id": uuid7(), "id": uuid7(), "body": "x"}]
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_assigning_a_foreign_object_moves_no_row(world_of: WorldOf, backend: str) -> None:
    world = world_of(backend)
    with _session(world) as session:
        note = session.get(Note, (world.a.account_id, world.a.notes[1]))
        note.author = session.get(User, (world.b.account_id, world.b.users[0]))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
        assert note.account_id == world.a.account_id


@pytest.mark.parametrize("backend", BACKENDS)
def test_reference_and_collection_can_be_cleared(world_of: WorldOf, backend: str) -> None:
    world = world_of(backend)
    with _session(world, Mode.ALL) as session:
        parent = session.get(Note, (world.a.account_id, world.a.notes[0]))
        child = session.get(Note, (world.a.account_id, world.a.notes[1]))
        assert child.parent is parent
        child.author = None
        parent.replies.remove(child)
        session.flush()
        session.expire_all()
        found = session.execute(
            select(Note.parent_id, Note.author_id, Note.account_id).where(Note.id == child.id)
        ).one()
        assert tuple(found) == (None, None, world.a.account_id)


@pytest.mark.parametrize("backend", BACKENDS)
def test_deleting_a_role_takes_its_links_and_nothing_else(world_of: WorldOf, backend: str) -> None:
    world = world_of(backend)
    with _session(world, Mode.ALL) as session:
        user = session.get(User, (world.a.account_id, world.a.users[0]))
        session.delete(user.roles[0])
        session.flush()
        session.expire_all()
        assert user.roles == []
        assert len(session.scalars(select(UserRole)).all()) == 1


def test_many_to_one_in_the_identity_map_needs_no_statement(lite: World) -> None:
    with _session(lite, Mode.ALL) as session:
        users = session.scalars(select(User)).all()
        notes = session.scalars(select(Note)).all()
        asked: list[str] = []
        event.listen(
            session.connection(),
            "before_cursor_execute",
            lambda c, cursor, sql, *rest: asked.append(sql),
        )
        assert {note.author for note in notes} == set(users)
        assert asked == []


def test_relationships_of_the_product_write_no_account(recwarn: pytest.WarningsRecorder) -> None:
    configure_mappers()
    check_relationships(Base.registry.mappers)
    assert list(recwarn) == []  # SQLAlchemy warns of relationships that write the same column


def test_plain_composite_relationship_is_refused_at_start() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Parent(TenantOwned, Own):
        __tablename__ = "parents"
        id: Mapped[UUID] = mapped_column(primary_key=True)

    class Child(TenantOwned, Own):
        __tablename__ = "children"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        parent_id: Mapped[UUID | None]
        __table_args__ = (tenant_key("parent_id", "parents"),)
        parent: Mapped[Parent | None] = relationship(Parent)

    Own.registry.configure()
    with pytest.raises(
        UnownedTableError, match=r"write account_id; use to_one\(\) or to_many\(\): Child\.parent"
    ):
        check_relationships(Own.registry.mappers)

    child = Child(account_id=uuid7(), id=uuid7())
    child.parent = Parent(account_id=uuid7(), id=uuid7())
    session = Session()
    session.add(child)
    assert (
        child.account_id != child.parent.account_id
    )  # at flush SQLAlchemy would copy it over: the row moves

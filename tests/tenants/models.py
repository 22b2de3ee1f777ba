"""Models as an adopter would add them: self-reference, to-one, joined inheritance, column properties, write-only.

They stand on a Base of their own, so that other tests of this process see the product's schema alone, and
``OWNERSHIP`` here knows both.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    and_,
    func,
    select,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    WriteOnlyMapped,
    column_property,
    foreign,
    mapped_column,
    relationship,
    remote,
)

from saas import models
from saas.models import Account, Identified, User
from saas.models.base import NAMING
from tenants import Ownership, TenantOwned
from tenants.keys import tenant_key, to_many, to_one

ACCOUNTS = Account.__table__
USERS = User.__table__


def _belongs_to_account(column: str = "account_id") -> ForeignKeyConstraint:
    return ForeignKeyConstraint([column], [ACCOUNTS.c.account_id], ondelete="CASCADE")


class Adopted(DeclarativeBase):
    """The adopter's Base; its foreign keys reach over to the product's tables."""

    metadata = MetaData(naming_convention=NAMING)


class Note(TenantOwned, Identified, Adopted):
    __tablename__ = "t_notes"

    body: Mapped[str] = mapped_column(String(80))
    stars: Mapped[int] = mapped_column(default=0)
    flag: Mapped[str] = mapped_column(String(16), default="active")
    parent_id: Mapped[UUID | None]
    author_id: Mapped[UUID | None]
    __table_args__ = (
        _belongs_to_account(),
        tenant_key("parent_id", "t_notes"),
        ForeignKeyConstraint(["account_id", "author_id"], [USERS.c.account_id, USERS.c.id]),
    )

    parent: Mapped[Note | None] = to_one("Note", "Note", "parent_id", back_populates="replies")
    replies: Mapped[list[Note]] = to_many("Note", "Note", "parent_id", back_populates="parent")
    replies_later: WriteOnlyMapped[Note] = to_many(
        "Note", "Note", "parent_id", viewonly=True, lazy="write_only"
    )
    author: Mapped[User | None] = relationship(
        User,
        primaryjoin=lambda: and_(
            remote(User.account_id) == Note.account_id, remote(User.id) == foreign(Note.author_id)
        ),
    )
    # Three that an adopter should not write: their joins forget the account.
    peers: Mapped[list[User]] = relationship(
        User,
        primaryjoin=lambda: Note.flag == remote(foreign(User.status)),
        viewonly=True,
        order_by=lambda: User.username,
    )
    peers_later: WriteOnlyMapped[User] = relationship(
        User,
        primaryjoin=lambda: Note.flag == remote(foreign(User.status)),
        viewonly=True,
        lazy="write_only",
    )
    linked: Mapped[list[User]] = relationship(
        User,
        secondary=lambda: LINKS,
        primaryjoin=lambda: Note.flag == LINKS.c.flag,
        secondaryjoin=lambda: LINKS.c.user_id == User.id,
        viewonly=True,
    )


LINKS = Table(
    "t_links",
    Adopted.metadata,
    Column("account_id", Uuid(), primary_key=True),
    Column("flag", String(16), primary_key=True),
    Column("user_id", Uuid(), primary_key=True),
    ForeignKeyConstraint(
        ["account_id", "user_id"], [USERS.c.account_id, USERS.c.id], ondelete="CASCADE"
    ),
)


class ScopedCount(TenantOwned, Adopted):
    """The same table with a column property over a model."""

    __table__ = Note.__table__
    __mapper_args__ = {"include_properties": ["account_id", "id", "body"]}  # noqa: RUF012
    account_id = Note.__table__.c.account_id
    users = column_property(select(func.count(User.id)).correlate_except(User).scalar_subquery())


class OpenCount(TenantOwned, Adopted):
    """The same table with a column property over a Core table, which no criterion reaches."""

    __table__ = Note.__table__
    __mapper_args__ = {"include_properties": ["account_id", "id", "body"]}  # noqa: RUF012
    account_id = Note.__table__.c.account_id
    users = column_property(
        select(func.count()).select_from(USERS).correlate_except(USERS).scalar_subquery()
    )


class Document(TenantOwned, Identified, Adopted):
    __tablename__ = "t_documents"

    kind: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(String(80))
    __table_args__ = (_belongs_to_account(),)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "document"}  # noqa: RUF012


class Invoice(Document):
    __tablename__ = "t_invoices"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0)
    memo: Mapped[str] = mapped_column(String(80))
    __table_args__ = (tenant_key("id", "t_documents", ondelete="CASCADE"),)
    __mapper_args__ = {"polymorphic_identity": "invoice"}  # noqa: RUF012


class Handle(TenantOwned, Identified, Adopted):
    """A schema fault on purpose: its handle is unique over all accounts, so an upsert could hit a foreign row."""

    __tablename__ = "t_handles"

    handle: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(String(80))
    __table_args__ = (_belongs_to_account(), UniqueConstraint("handle"))


class HouseAndAdopter(Ownership):
    """The product's tables and the adopter's."""

    @property
    def tables(self) -> list[Table]:
        return [*self.metadata.sorted_tables, *Adopted.metadata.sorted_tables]

    def knows(self, table: Table) -> bool:
        return super().knows(table) or table.metadata is Adopted.metadata


OWNERSHIP = HouseAndAdopter(models.OWNERSHIP.metadata, models.OWNERSHIP.global_tables)

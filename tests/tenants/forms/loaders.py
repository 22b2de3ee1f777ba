"""Loader strategies, relationships, inheritance and the older Query API."""

import warnings

from sqlalchemy import func, select, text, true
from sqlalchemy.orm import (
    aliased,
    contains_eager,
    defaultload,
    immediateload,
    joinedload,
    lazyload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_parent,
    with_polymorphic,
)

from saas.models import Account, Role, User, UserRole
from tests.tenants.catalogue import Counted, Scene, Seen, reads
from tests.tenants.models import Document, Invoice, Note, OpenCount, ScopedCount

KEYED = "the relationship's composite key carries the account"


def _own(w: Scene, *options):
    statement = select(Note).where(Note.account_id == w.a.account_id).options(*options)
    return w.s.scalars(statement).unique().all()


def _peers(w: Scene, *options):
    return [list(note.peers) for note in _own(w, *options)]


@reads()
def lazy_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w)


@reads()
def selectin_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w, selectinload(Note.peers))


@reads()
def joined_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w, joinedload(Note.peers))


@reads()
def inner_joined_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w, joinedload(Note.peers, innerjoin=True))


@reads()
def subquery_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w, subqueryload(Note.peers))


@reads()
def immediate_load_of_a_sloppy_relationship(w: Scene):
    return _peers(w, immediateload(Note.peers))


@reads()
def contains_eager_of_a_sloppy_relationship(w: Scene):
    statement = select(Note).where(Note.account_id == w.a.account_id).join(Note.peers)
    notes = w.s.scalars(statement.options(contains_eager(Note.peers))).unique().all()
    return [list(note.peers) for note in notes]


@reads()
def loader_with_added_criteria(w: Scene):
    return _peers(w, selectinload(Note.peers.and_(User.username.like("basalt%"))))


@reads()
def write_only_relationship(w: Scene):
    return [w.s.scalars(note.peers_later.select()).all() for note in _own(w)]


@reads()
def sloppy_many_to_many_lazily(w: Scene):
    return [list(note.linked) for note in _own(w)]


@reads()
def sloppy_many_to_many_by_selectin(w: Scene):
    return [list(note.linked) for note in _own(w, selectinload(Note.linked))]


@reads()
def sloppy_many_to_many_by_join(w: Scene):
    return [list(note.linked) for note in _own(w, joinedload(Note.linked))]


@reads()
def sloppy_many_to_many_in_any(w: Scene):
    found = select(Note.id).where(
        Note.account_id == w.a.account_id, Note.linked.any(User.username == "basalt-0")
    )
    return Seen(len(w.s.scalars(found).all()))


@reads(quiet=KEYED)
def lazy_load_of_a_keyed_collection(w: Scene):
    users = w.s.scalars(select(User).where(User.account_id == w.a.account_id)).all()
    return [list(user.role_links) for user in users]


@reads(quiet=KEYED)
def lazy_load_of_a_keyed_many_to_one(w: Scene):
    return [note.author for note in _own(w)]


@reads(quiet=KEYED)
def keyed_many_to_many_in_every_strategy(w: Scene):
    found = []
    for strategy in (lazyload, selectinload, joinedload, subqueryload, immediateload):
        statement = select(User).where(User.account_id == w.a.account_id)
        users = w.s.scalars(statement.options(strategy(User.roles))).unique().all()
        found.append([list(user.roles) for user in users])
        w.s.expunge_all()
    return found


@reads(quiet=KEYED)
def keyed_collections_in_every_strategy(w: Scene):
    found = []
    for strategy in (lazyload, selectinload, joinedload, subqueryload, immediateload):
        users = w.s.scalars(
            select(Account)
            .where(Account.account_id == w.a.account_id)
            .options(strategy(Account.users))
        )
        found.append([list(account.users) for account in users.unique()])
        w.s.expunge_all()
    return found


@reads()
def deep_eager_loading(w: Scene):
    statement = select(User).options(
        selectinload(User.role_links).joinedload(UserRole.role), selectinload(User.roles)
    )
    return [(user, list(user.roles)) for user in w.s.scalars(statement)]


@reads()
def self_reference_in_both_directions(w: Scene):
    notes = (
        w.s.scalars(select(Note).options(selectinload(Note.replies), joinedload(Note.parent)))
        .unique()
        .all()
    )
    return [(note.parent, list(note.replies)) for note in notes]


@reads()
def self_referential_join(w: Scene):
    parent = aliased(Note)
    return w.s.execute(
        select(Note.body, parent.body).join(Note.parent.of_type(parent), isouter=True)
    ).all()


@reads(quiet=KEYED)
def with_parent_of_an_own_row(w: Scene):
    note = _own(w)[0]
    return w.s.scalars(select(Note).where(with_parent(note, Note.replies))).all()


@reads()
def relationship_join(w: Scene):
    return w.s.execute(select(User.username).join(User.role_links).join(UserRole.role)).all()


@reads()
def default_load_and_undefer(w: Scene):
    return w.s.scalars(
        select(Note).options(defaultload(Note.author).load_only(User.username), undefer("*"))
    ).all()


# -- column properties -------------------------------------------------------------------------------------


@reads()
def column_property_over_a_model(w: Scene):
    found = w.s.scalars(select(ScopedCount).where(ScopedCount.account_id == w.a.account_id))
    return [Counted(note.users) for note in found]


@reads()
def column_property_over_a_core_table(w: Scene):
    found = w.s.scalars(select(OpenCount).where(OpenCount.account_id == w.a.account_id))
    return [Counted(note.users) for note in found]


@reads()
def column_property_in_where(w: Scene):
    found = select(OpenCount.id).where(OpenCount.account_id == w.a.account_id, OpenCount.users > 2)
    return Seen(len(w.s.scalars(found).all()))


# -- inheritance -------------------------------------------------------------------------------------------


@reads()
def with_polymorphic_column_of_the_child(w: Scene):
    every = with_polymorphic(Document, "*")
    return w.s.scalars(select(every.Invoice.memo)).all()


@reads()
def with_polymorphic_entity(w: Scene):
    return w.s.scalars(select(with_polymorphic(Document, [Invoice], flat=True))).all()


@reads()
def selectin_polymorphic_load(w: Scene):
    return w.s.scalars(select(Document).options(selectin_polymorphic(Document, [Invoice]))).all()


@reads()
def flat_alias_of_a_child(w: Scene):
    return w.s.scalars(select(aliased(Invoice, flat=True))).all()


@reads()
def alias_of_a_child_by_subquery(w: Scene):
    return w.s.scalars(select(aliased(Invoice, select(Invoice).subquery()).memo)).all()


@reads()
def child_in_exists(w: Scene):
    return Seen(w.s.scalar(select(select(Invoice.id).where(Invoice.memo.like("basalt%")).exists())))


# -- get ---------------------------------------------------------------------------------------------------


@reads()
def get_a_row_of_b(w: Scene):
    return w.s.get(User, (w.b.account_id, w.b.users[0]))


@reads()
def get_one_row_of_b(w: Scene):
    return w.s.get_one(User, (w.b.account_id, w.b.users[0]))


@reads()
def get_the_account_of_b(w: Scene):
    return w.s.get(Account, w.b.account_id)


@reads()
def get_with_eager_loading(w: Scene):
    user = w.s.get(
        User,
        (w.b.account_id, w.b.users[0]),
        options=[selectinload(User.roles)],
        populate_existing=True,
    )
    return user, list(user.roles) if user else []


@reads(quiet="no row has the account of A and an id of B")
def get_with_own_account_and_foreign_id(w: Scene):
    return w.s.get(User, (w.a.account_id, w.b.users[0]))


@reads()
def refresh_of_a_made_up_row(w: Scene):
    from sqlalchemy.orm import make_transient_to_detached

    user = User(account_id=w.b.account_id, id=w.b.users[0])
    make_transient_to_detached(user)
    w.s.add(user)
    w.s.refresh(user)
    return user


@reads()
def unloaded_attribute_of_a_made_up_row(w: Scene):
    from sqlalchemy.orm import make_transient_to_detached

    user = User(account_id=w.b.account_id, id=w.b.users[0])
    make_transient_to_detached(user)
    w.s.add(user)
    return user.username


@reads()
def lazy_load_from_a_made_up_row(w: Scene):
    from sqlalchemy.orm import make_transient_to_detached

    note = Note(account_id=w.b.account_id, id=w.b.notes[0], author_id=w.b.users[0], flag="active")
    make_transient_to_detached(note)
    w.s.add(note)
    return note.author, list(note.replies)


@reads()
def merge_of_a_made_up_row(w: Scene):
    return w.s.merge(
        User(account_id=w.b.account_id, id=w.b.users[0]), options=[undefer("*")]
    ).username


# -- Query -------------------------------------------------------------------------------------------------


@reads()
def query_all(w: Scene):
    return w.s.query(User).all()


@reads()
def query_of_a_column(w: Scene):
    return w.s.query(User.username).all()


@reads()
def query_get(w: Scene):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return w.s.query(User).get((w.b.account_id, w.b.users[0]))


@reads()
def query_count(w: Scene):
    return Counted(w.s.query(User).count())


@reads()
def query_exists(w: Scene):
    return Seen(w.s.query(w.s.query(User).filter(User.username == "basalt-0").exists()).scalar())


@reads()
def query_join_and_filter(w: Scene):
    return (
        w.s.query(User.username)
        .join(UserRole, UserRole.user_id == User.id)
        .filter(User.status == "active")
        .all()
    )


@reads()
def query_from_text(w: Scene):
    return w.s.query(User).from_statement(text("SELECT * FROM users")).all()


@reads()
def query_of_a_core_table(w: Scene):
    return w.s.query(User.__table__).all()


@reads()
def query_union(w: Scene):
    return w.s.query(User.username).union_all(w.s.query(Role.name)).all()


@reads()
def query_from_a_subquery(w: Scene):
    names = w.s.query(User.username).subquery()
    return w.s.query(names.c.username).all()


@reads()
def query_with_entities(w: Scene):
    return w.s.query(Role).with_entities(User.username).all()


@reads()
def query_without_assertions(w: Scene):
    return w.s.query(User).enable_assertions(False).limit(9).filter(User.status == "active").all()


@reads()
def query_filter_by_text(w: Scene):
    return w.s.query(User).filter(text("1=1 OR users.account_id = users.account_id")).all()


@reads()
def query_populate_existing(w: Scene):
    return w.s.query(User).populate_existing().all()


@reads()
def query_yield_per(w: Scene):
    return list(w.s.query(User.username).yield_per(2))


@reads()
def query_with_parameters(w: Scene):
    return w.s.query(User).params(entered_account=w.b.account_id, param_1=w.b.account_id).all()


@reads()
def query_scalar_aggregate(w: Scene):
    return w.s.query(func.max(User.username)).join(Role, true()).scalar()


@reads()
def query_add_columns(w: Scene):
    return w.s.query(Role.id).add_columns(User.username).all()

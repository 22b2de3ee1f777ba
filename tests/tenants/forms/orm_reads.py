"""ORM statements as services write them: without a net each shows every account's rows."""

from sqlalchemy import (
    case,
    distinct,
    exists,
    func,
    join,
    lambda_stmt,
    literal,
    outerjoin,
    select,
    true,
    tuple_,
    union,
    union_all,
    values,
)
from sqlalchemy import column as plain_column
from sqlalchemy.orm import Bundle, aliased, load_only
from sqlalchemy.orm import join as orm_join
from sqlalchemy.orm import outerjoin as orm_outerjoin
from sqlalchemy.types import String

from saas.models import Account, Identity, Project, Role, User, UserRole
from tests.tenants.catalogue import Counted, Scene, Seen, reads
from tests.tenants.models import Document, Invoice, Note

FULL_JOIN = ("sqlite", "postgresql")


@reads()
def select_entity(w: Scene):
    return w.s.scalars(select(User)).all()


@reads()
def select_account_itself(w: Scene):
    return w.s.scalars(select(Account)).all()


@reads()
def select_one_column(w: Scene):
    return w.s.scalars(select(User.username)).all()


@reads()
def select_columns_of_two_entities(w: Scene):
    return w.s.execute(select(User.username, Role.name)).all()


@reads()
def select_entity_and_column(w: Scene):
    return w.s.execute(select(Project, Project.name.label("twice"))).all()


@reads()
def count_entities(w: Scene):
    return Counted(w.s.scalar(select(func.count()).select_from(User)))


@reads()
def count_ids(w: Scene):
    return Counted(w.s.scalar(select(func.count(User.id))))


@reads()
def count_distinct(w: Scene):
    return Counted(w.s.scalar(select(func.count(distinct(User.username)))))


@reads()
def greatest_name(w: Scene):
    return w.s.scalar(select(func.max(User.username)))


@reads()
def sum_of_numbers(w: Scene):
    return Counted(w.s.scalar(select(func.max(Note.stars))))


@reads()
def all_names_in_one_string(w: Scene):
    return w.s.scalar(select(func.aggregate_strings(User.username, ",")))


@reads()
def label_and_case(w: Scene):
    named = case((User.status == "active", User.username), else_="")
    return w.s.execute(select(User.username.label("a"), named.label("b"))).all()


@reads()
def bundle(w: Scene):
    return w.s.execute(select(Bundle("seat", User.username, User.status))).all()


@reads()
def load_only_some_columns(w: Scene):
    return w.s.scalars(select(User).options(load_only(User.username))).all()


@reads()
def entity_only_in_where(w: Scene):
    return Seen(len(w.s.execute(select(literal(1)).where(User.username.like("basalt%"))).all()))


@reads()
def with_only_columns(w: Scene):
    return w.s.scalars(select(User.id).with_only_columns(User.username)).all()


@reads()
def where_by_keyword(w: Scene):
    return w.s.scalars(select(User).filter_by(status="active")).all()


@reads()
def for_update(w: Scene):
    return w.s.scalars(select(User).with_for_update()).all()


@reads()
def for_update_of(w: Scene):
    return w.s.scalars(
        select(User).join(UserRole, UserRole.user_id == User.id).with_for_update(of=User)
    ).all()


@reads()
def for_update_skip_locked(w: Scene):
    return w.s.scalars(select(User).with_for_update(skip_locked=True, key_share=True)).all()


@reads()
def yield_per(w: Scene):
    return list(w.s.scalars(select(User).execution_options(yield_per=2)))


@reads()
def partitions_of_a_stream(w: Scene):
    result = w.s.execute(select(User.username), execution_options={"stream_results": True})
    return list(result.partitions(2))


@reads()
def mappings_of_rows(w: Scene):
    return w.s.execute(select(User.username)).mappings().all()


@reads()
def lambda_statement(w: Scene):
    return w.s.scalars(lambda_stmt(lambda: select(User.username))).all()


@reads()
def lambda_statement_with_criteria(w: Scene):
    status = "active"
    statement = lambda_stmt(lambda: select(User))
    statement += lambda s: s.where(User.status == status)
    return w.s.scalars(statement).all()


@reads()
def distinct_rows(w: Scene):
    return w.s.scalars(select(User.username).distinct()).all()


@reads()
def distinct_on(w: Scene):
    return w.s.scalars(select(User.username).distinct(User.username).order_by(User.username)).all()


@reads()
def limit_and_offset(w: Scene):
    return w.s.scalars(select(User).order_by(User.username).limit(50).offset(1)).all()


@reads(only=("postgresql", "mariadb"))
def fetch_with_ties(w: Scene):
    return w.s.scalars(select(User).order_by(User.status).fetch(1, with_ties=True)).all()


@reads()
def known_id_of_b_in_where(w: Scene):
    return w.s.scalars(select(User).where(User.id == w.b.users[0])).all()


@reads()
def ids_of_b_in_a_list(w: Scene):
    return w.s.scalars(select(User).where(User.id.in_(w.b.users))).all()


@reads()
def account_of_b_in_where(w: Scene):
    return w.s.scalars(select(User).where(User.account_id == w.b.account_id)).all()


@reads()
def or_true_in_where(w: Scene):
    return w.s.scalars(select(User).where((User.username == "x") | true())).all()


@reads()
def text_search_as_an_oracle(w: Scene):
    found = select(User.id).where(func.lower(User.username).contains("basalt"))
    return Seen(len(w.s.scalars(found).all()))


# -- joins -------------------------------------------------------------------------------------------------


@reads()
def join_on_id_alone(w: Scene):
    return w.s.scalars(select(User.username).join(UserRole, UserRole.user_id == User.id)).all()


@reads()
def implicit_cross_join(w: Scene):
    return w.s.execute(select(User, Role)).all()


@reads()
def join_on_a_column_that_all_share(w: Scene):
    peer = aliased(User)
    return w.s.execute(
        select(User.username, peer.username).join(peer, peer.status == User.status)
    ).all()


@reads()
def left_join_on_true(w: Scene):
    return w.s.execute(select(User.username, Role.name).join(Role, true(), isouter=True)).all()


@reads(only=FULL_JOIN)
def full_join_on_false(w: Scene):
    return w.s.execute(
        select(User.username, Role.name).join(Role, User.id == Role.id, full=True)
    ).all()


@reads(only=FULL_JOIN)
def full_join_from_a_global_table(w: Scene):
    statement = (
        select(User.username).select_from(Identity).join(User, User.id == Identity.id, full=True)
    )
    return w.s.execute(statement).all()


@reads()
def join_from_project_to_everyone(w: Scene):
    return w.s.execute(select(Project.name, User.username).join_from(Project, User, true())).all()


@reads()
def entity_on_the_left_of_an_outer_join(w: Scene):
    return w.s.scalars(
        select(Role.name).select_from(Account).join(Role, true(), isouter=True)
    ).all()


@reads()
def orm_join_construct(w: Scene):
    return w.s.execute(select(User.username).select_from(orm_join(User, Role, true()))).all()


@reads()
def orm_outer_join_construct(w: Scene):
    return w.s.execute(
        select(User.username).select_from(orm_outerjoin(User, Role, User.id == Role.id))
    ).all()


@reads()
def core_join_of_tables_with_orm_columns(w: Scene):
    joined = join(
        User.__table__, UserRole.__table__, User.__table__.c.id == UserRole.__table__.c.user_id
    )
    return w.s.execute(select(User.username).select_from(joined)).all()


@reads()
def core_outer_join_of_tables_with_orm_columns(w: Scene):
    joined = outerjoin(
        User.__table__, UserRole.__table__, User.__table__.c.id == UserRole.__table__.c.user_id
    )
    return w.s.execute(select(User.username).select_from(joined)).all()


@reads()
def nested_joins(w: Scene):
    inner = orm_join(UserRole, Role, UserRole.role_id == Role.id)
    statement = select(User.username, Role.name).select_from(
        orm_outerjoin(User, inner, User.id == UserRole.user_id)
    )
    return w.s.execute(statement).all()


@reads(only=("postgresql",))
def join_with_a_values_list(w: Scene):
    numbers = values(plain_column("status", String), name="wanted").data([("active",)])
    return w.s.scalars(select(User.username).join(numbers, numbers.c.status == User.status)).all()


@reads()
def alias_of_an_entity(w: Scene):
    return w.s.scalars(select(aliased(User))).all()


@reads()
def named_alias_of_an_entity(w: Scene):
    return w.s.scalars(select(aliased(User, name="users_1")).join(User, true())).all()


@reads()
def alias_over_a_subquery(w: Scene):
    seat = aliased(User, select(User).where(User.status == "active").subquery())
    return w.s.scalars(select(seat)).all()


@reads()
def alias_with_adapted_names(w: Scene):
    seat = aliased(User, select(User).subquery(), adapt_on_names=True)
    return w.s.scalars(select(seat.username)).all()


# -- statements inside statements --------------------------------------------------------------------------


@reads()
def scalar_subquery(w: Scene):
    return w.s.execute(select(select(func.max(User.username)).scalar_subquery())).all()


@reads()
def scalar_subquery_in_where(w: Scene):
    last = select(func.max(User.username)).scalar_subquery()
    return Seen(len(w.s.execute(select(literal(1)).where(last.like("cobalt%"))).all()))


@reads()
def scalar_subquery_in_order_by(w: Scene):
    other = aliased(User)
    size = (
        select(func.count(other.id))
        .where(other.username > User.username)
        .correlate(User)
        .scalar_subquery()
    )
    return w.s.execute(select(User.username, size.label("above")).order_by(size)).all()


@reads()
def correlated_exists(w: Scene):
    has_project = exists().where(Project.name.like("basalt%"))
    return Seen(
        len(
            w.s.scalars(select(Note.id).where(Note.account_id == w.a.account_id, has_project)).all()
        )
    )


@reads()
def exists_of_a_select(w: Scene):
    return Seen(w.s.scalar(select(select(User).where(User.username.like("basalt%")).exists())))


@reads()
def exists_with_where(w: Scene):
    return Seen(w.s.scalar(select(exists().where(User.username == "basalt-0"))))


@reads()
def in_subquery(w: Scene):
    names = select(User.username).where(User.status == "active")
    return w.s.scalars(select(User.username).where(User.username.in_(names))).all()


@reads()
def not_in_subquery_as_an_oracle(w: Scene):
    theirs = select(Role.name).where(Role.name.like("basalt%"))
    return Seen(
        not w.s.scalar(select(func.count(Note.id)).where(literal("basalt role 0").not_in(theirs)))
    )


@reads()
def tuple_in_subquery(w: Scene):
    pairs = select(User.username, User.status)
    return w.s.scalars(
        select(User.username).where(tuple_(User.username, User.status).in_(pairs))
    ).all()


@reads()
def any_of_a_relationship(w: Scene):
    return Seen(
        len(w.s.scalars(select(Note).where(Note.peers.any(User.username == "basalt-0"))).all())
    )


@reads()
def has_of_a_relationship(w: Scene):
    found = select(Note.body).where(Note.author.has(User.username.like("basalt%")))
    return w.s.scalars(found).all()


@reads()
def from_subquery(w: Scene):
    inner = select(User.username).subquery()
    return w.s.scalars(select(inner.c.username)).all()


@reads()
def from_nested_subqueries(w: Scene):
    inner = select(User.username).subquery()
    middle = select(inner.c.username).subquery()
    return w.s.scalars(select(middle.c.username)).all()


@reads()
def cte(w: Scene):
    names = select(User.username).cte("names")
    return w.s.scalars(select(names.c.username)).all()


@reads()
def nested_cte(w: Scene):
    names = select(User.username).cte("names", nesting=True)
    return w.s.scalars(select(select(names.c.username).subquery().c.username)).all()


@reads()
def recursive_cte(w: Scene):
    top = select(Note.id, Note.body).where(Note.parent_id.is_(None)).cte("tree", recursive=True)
    tree = top.union_all(select(Note.id, Note.body).join(top, Note.parent_id == top.c.id))
    return w.s.execute(select(tree.c.body)).all()


@reads()
def cte_used_only_in_exists(w: Scene):
    theirs = select(User.id).where(User.username.like("basalt%")).cte("theirs")
    return Seen(w.s.scalar(select(exists(select(theirs.c.id)))))


@reads()
def independent_cte(w: Scene):
    names = select(User.username).cte("names")
    statement = select(plain_column("username")).select_from(names).add_cte(names)
    return w.s.execute(statement).all()


@reads()
def union_of_entities(w: Scene):
    return w.s.execute(union_all(select(User.username), select(Role.name))).all()


@reads()
def union_as_an_entity(w: Scene):
    both = union(
        select(User).where(User.status == "active"), select(User).where(User.status == "x")
    )
    return w.s.scalars(select(User).from_statement(both)).all()


@reads()
def alias_over_a_union(w: Scene):
    both = union_all(select(User), select(User)).subquery()
    return w.s.scalars(select(aliased(User, both))).all()


@reads(only=("postgresql",))
def lateral(w: Scene):
    latest = select(User.username).where(User.status == Note.flag).correlate(Note).lateral("latest")
    return w.s.execute(select(Note.body, latest.c.username).join(latest, true())).all()


@reads(only=("postgresql",))
def lateral_without_correlation(w: Scene):
    every = select(User.username).lateral("every")
    return w.s.execute(select(every.c.username)).all()


@reads(only=("postgresql",))
def table_sample(w: Scene):
    from sqlalchemy import tablesample

    sample = aliased(User, tablesample(User, func.bernoulli(100)))
    return w.s.scalars(select(sample.username)).all()


@reads()
def window_function(w: Scene):
    place = func.row_number().over(order_by=User.username)
    return w.s.execute(select(User.username, place)).all()


@reads()
def window_that_counts_everyone(w: Scene):
    return [
        Counted(row[0])
        for row in w.s.execute(select(func.count().over().label("n")).select_from(User))
    ]


@reads()
def group_by_and_having(w: Scene):
    grouped = (
        select(func.max(User.username), func.count()).group_by(User.status).having(func.count() > 0)
    )
    return w.s.execute(grouped).all()


@reads()
def aggregate_with_filter(w: Scene):
    return w.s.execute(select(func.max(case((User.status == "active", User.username))))).all()


@reads()
def order_by_a_foreign_secret(w: Scene):
    newest = select(func.max(Role.name)).scalar_subquery()
    return w.s.execute(select(newest.label("last")).order_by(newest)).all()


@reads()
def correlate_except(w: Scene):
    everyone = select(func.max(User.username)).correlate_except(User).scalar_subquery()
    return w.s.execute(select(Note.id, everyone).where(Note.account_id == w.a.account_id)).all()


@reads()
def in_a_limited_subquery(w: Scene):
    inner = select(User.id).order_by(User.id).limit(50).subquery()
    return w.s.scalars(select(User.username).where(User.id.in_(select(inner.c.id)))).all()


# -- inheritance ------------------------------------------------------------------------------------------


@reads()
def joined_inheritance_base(w: Scene):
    return w.s.scalars(select(Document)).all()


@reads()
def joined_inheritance_child(w: Scene):
    return w.s.scalars(select(Invoice)).all()


@reads()
def joined_inheritance_column_of_the_child(w: Scene):
    return w.s.scalars(select(Invoice.memo)).all()


@reads()
def joined_inheritance_column_of_the_base(w: Scene):
    return w.s.scalars(select(Document.title)).all()

"""Statements that name the account, or look as if they did, and are not tied to it."""

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    join,
    literal,
    not_,
    or_,
    outerjoin,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import BooleanClauseList
from sqlalchemy.types import TypeDecorator

from saas.models import Account, Identity, Role, User, UserRole, UserSession
from tests.tenants.catalogue import Counted, Scene, Seen, reads

USERS, ROLES, USER_ROLES = User.__table__, Role.__table__, UserRole.__table__
ACCOUNTS, SESSIONS = Account.__table__, UserSession.__table__
owner = USERS.c.account_id


def _names(w: Scene, *criteria):
    return w.s.execute(select(USERS.c.username).where(*criteria)).all()


# -- criteria that hold for more rows than they seem to ------------------------------------------------------


@reads()
def own_account_or_true(w: Scene):
    return _names(w, or_(owner == w.a.account_id, true() == true()))


@reads()
def own_account_or_another(w: Scene):
    return _names(w, or_(owner == w.a.account_id, owner == w.b.account_id))


@reads()
def own_account_or_a_name(w: Scene):
    return _names(w, (owner == w.a.account_id) | USERS.c.username.like("basalt%"))


@reads()
def account_equal_to_itself(w: Scene):
    return _names(w, owner == owner)  # noqa: PLR0124 - on purpose


@reads()
def account_of_an_alias_equal_to_itself(w: Scene):
    other = USERS.alias()
    return _names(w, other.c.account_id == other.c.account_id, other.c.account_id == w.a.account_id)


@reads()
def account_in_a_list(w: Scene):
    return _names(w, owner.in_([w.a.account_id, w.b.account_id]))


@reads()
def account_in_a_list_of_one(w: Scene):
    return _names(w, owner.in_([w.b.account_id]))


@reads()
def account_not_own(w: Scene):
    return _names(w, owner != w.a.account_id)


@reads()
def not_of_own_account(w: Scene):
    return _names(w, not_(owner == w.a.account_id))


@reads()
def account_at_least_own(w: Scene):
    return _names(w, owner >= w.a.account_id)


@reads()
def account_between(w: Scene):
    return _names(w, owner.between(w.a.account_id, w.world.c.account_id))


@reads()
def account_is_not_null(w: Scene):
    return _names(w, owner.is_not(None))


@reads()
def account_is_distinct_from_own(w: Scene):
    return _names(w, owner.is_distinct_from(w.a.account_id))


@reads()
def account_in_a_tuple(w: Scene):
    return _names(w, tuple_(owner, USERS.c.id).in_([(w.b.account_id, w.b.users[0])]))


@reads(only=("postgresql",))
def account_equal_to_any_of_an_array(w: Scene):
    both = bindparam(None, [w.a.account_id, w.b.account_id], type_=ARRAY(Uuid()))
    return _names(w, owner == any_(both))


@reads()
def account_equal_to_a_scalar_subquery(w: Scene):
    theirs = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.name.like("basalt%")).scalar_subquery()
    return _names(w, owner == theirs)


@reads()
def account_equal_to_a_function(w: Scene):
    return _names(w, owner == func.coalesce(literal(w.b.account_id, Uuid()), owner))


@reads()
def account_equal_to_a_case(w: Scene):
    return _names(
        w, owner == case((USERS.c.username == "x", literal(w.a.account_id, Uuid())), else_=owner)
    )


@reads()
def account_equal_to_a_cast(w: Scene):
    return _names(w, owner == type_coerce(literal(w.b.account_id, Uuid()), Uuid()))


@reads(only=("postgresql", "mariadb"))
def account_equal_to_a_real_cast(w: Scene):
    return _names(w, owner == cast(literal(str(w.b.account_id)), Uuid()))


@reads()
def account_compared_in_a_case(w: Scene):
    return _names(w, case((owner == w.a.account_id, 1), else_=1) == 1)


@reads()
def account_in_order_by_only(w: Scene):
    return w.s.execute(select(USERS.c.username).order_by(owner == w.a.account_id)).all()


@reads()
def account_in_group_by_and_having(w: Scene):
    statement = select(func.max(USERS.c.username)).group_by(owner).having(owner != w.a.account_id)
    return w.s.execute(statement).all()


@reads()
def account_in_the_filter_of_an_aggregate(w: Scene):
    statement = select(func.min(case((owner == w.a.account_id, "mine"), else_=USERS.c.username)))
    return w.s.execute(statement).all()


# -- joins that tie the wrong side ---------------------------------------------------------------------------


@reads()
def left_join_that_ties_the_left_side(w: Scene):
    joined = outerjoin(USERS, ROLES, and_(owner == w.a.account_id, ROLES.c.account_id == owner))
    return w.s.execute(select(USERS.c.username).select_from(joined)).all()


@reads()
def left_join_that_ties_only_the_right_side(w: Scene):
    joined = outerjoin(USERS, ROLES, ROLES.c.account_id == w.a.account_id)
    return w.s.execute(select(USERS.c.username).select_from(joined)).all()


@reads()
def inner_join_that_ties_one_table(w: Scene):
    joined = join(USERS, ROLES, ROLES.c.account_id == w.a.account_id)
    return w.s.execute(select(USERS.c.username).select_from(joined)).all()


@reads()
def inner_join_of_two_untied_tables(w: Scene):
    joined = join(
        USERS,
        USER_ROLES,
        and_(owner == USER_ROLES.c.account_id, USERS.c.id == USER_ROLES.c.user_id),
    )
    return w.s.execute(select(USERS.c.username).select_from(joined)).all()


@reads()
def ring_of_three_untied_tables(w: Scene):
    ring = (
        owner == USER_ROLES.c.account_id,
        USER_ROLES.c.account_id == ROLES.c.account_id,
        ROLES.c.account_id == owner,
    )
    return _names(w, *ring)


@reads(only=("sqlite",))
def full_join_with_both_sides_in_on(w: Scene):
    tie = and_(owner == w.a.account_id, ROLES.c.account_id == w.a.account_id)
    return w.s.execute(
        select(USERS.c.username).select_from(join(USERS, ROLES, tie, full=True))
    ).all()


@reads(only=("sqlite", "postgresql"))
def full_join_tied_in_where_on_one_side(w: Scene):
    joined = join(USERS, ROLES, USERS.c.id == ROLES.c.id, full=True)
    either = or_(ROLES.c.account_id == w.a.account_id, ROLES.c.account_id.is_(None))
    return w.s.execute(select(USERS.c.username).select_from(joined).where(either)).all()


@reads()
def inner_join_inside_an_outer_one(w: Scene):
    inner = join(ROLES, USER_ROLES, ROLES.c.account_id == w.a.account_id)
    joined = outerjoin(inner, USERS, USERS.c.id == USER_ROLES.c.user_id)
    return w.s.execute(select(USERS.c.username).select_from(joined)).all()


@reads()
def subquery_whose_column_is_called_account_id(w: Scene):
    fake = select(literal(w.a.account_id, Uuid()).label("account_id")).subquery()
    return _names(w, fake.c.account_id == w.a.account_id)


@reads()
def join_to_a_subquery_of_the_own_account(w: Scene):
    own = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.account_id == w.a.account_id).subquery()
    return w.s.execute(select(USERS.c.username).join_from(USERS, own, true())).all()


@reads()
def alias_tied_instead_of_the_table(w: Scene):
    other = USERS.alias()
    return w.s.execute(
        select(USERS.c.username).join_from(USERS, other, other.c.account_id == w.a.account_id)
    ).all()


@reads()
def entity_tied_instead_of_its_alias(w: Scene):
    other = aliased(USERS)
    return w.s.execute(select(other.c.username).where(owner == w.a.account_id)).all()


@reads()
def session_of_b_as_a_proof(w: Scene):
    proof = (SESSIONS.c.token_hash == w.b.token_hash(), owner == SESSIONS.c.account_id)
    return _names(w, *proof)


@reads()
def account_of_a_free_table_as_a_proof(w: Scene):
    from saas.models import SystemEventRow

    events = SystemEventRow.__table__
    tie = exists().where(events.c.id == owner)
    return _names(w, or_(tie, true() == true()))


# -- statements inside statements --------------------------------------------------------------------------


@reads()
def union_with_an_untied_arm(w: Scene):
    arms = union_all(
        select(USERS.c.username).where(owner == w.a.account_id),
        select(USERS.c.username).where(owner != w.a.account_id),
    )
    return w.s.execute(arms).all()


@reads()
def union_of_entity_and_core_arm(w: Scene):
    return w.s.execute(union_all(select(User.username), select(USERS.c.username))).all()


@reads()
def tied_statement_with_an_untied_subquery(w: Scene):
    theirs = select(func.max(ROLES.c.name)).scalar_subquery()
    return w.s.execute(select(theirs).where(owner == w.a.account_id)).all()


@reads()
def tied_cte_with_an_untied_table_inside(w: Scene):
    inner = select(USERS.c.username).cte("inner_names")
    outer = select(inner.c.username, owner).where(owner == w.a.account_id).cte("outer_names")
    return w.s.execute(select(outer.c.username)).all()


@reads(quiet={"sqlite": "SQLite finds it circular"})
def cte_with_the_name_of_a_table(w: Scene):
    users = select(USERS.c.username, owner).cte("users")
    return w.s.execute(select(users.c.username).where(users.c.account_id == w.b.account_id)).all()


@reads()
def subquery_correlated_to_nothing(w: Scene):
    inner = select(func.max(USERS.c.username)).correlate(None).scalar_subquery()
    return w.s.execute(select(inner).where(owner == w.a.account_id)).all()


@reads()
def exists_tied_only_outside(w: Scene):
    theirs = exists().where(ROLES.c.name.like("basalt%"))
    return Seen(len(_names(w, owner == w.a.account_id, theirs)))


@reads()
def recursive_cte_with_an_untied_step(w: Scene):
    top = select(USERS.c.username).where(owner == w.a.account_id).cte("tree", recursive=True)
    tree = top.union(select(USERS.c.username).join_from(top, USERS, true()))
    return w.s.execute(select(tree.c.username)).all()


@reads()
def alias_with_the_name_of_another(w: Scene):
    mine, theirs = USERS.alias("u"), ROLES.alias("v")
    statement = (
        select(theirs.c.name).where(mine.c.account_id == w.a.account_id).select_from(mine, theirs)
    )
    return w.s.execute(statement).all()


@reads(quiet="the database finds two tables of one name ambiguous")
def two_aliases_of_one_name(w: Scene):
    mine, theirs = USERS.alias("u"), USERS.alias("u")
    tie = and_(mine.c.account_id == w.a.account_id, theirs.c.account_id == w.a.account_id)
    return w.s.execute(select(mine.c.username, theirs.c.username).where(tie)).all()


@reads()
def count_of_a_join_to_an_untied_table(w: Scene):
    statement = (
        select(func.count()).select_from(User).where(User.id == w.a.users[0]).join(ROLES, true())
    )
    return Counted(w.s.scalar(statement))


# -- values ------------------------------------------------------------------------------------------------


@reads()
def foreign_value_in_a_prepared_statement(w: Scene):
    statement = select(USERS.c.username).where(owner == bindparam("account"))
    return w.s.execute(statement, {"account": w.b.account_id}).all()


@reads()
def own_value_overridden_by_parameters(w: Scene):
    statement = select(USERS.c.username).where(owner == bindparam("account", w.a.account_id))
    return w.s.execute(statement, {"account": w.b.account_id}).all()


@reads()
def own_value_overridden_by_params(w: Scene):
    statement = select(USERS.c.username).where(owner == bindparam("account", w.a.account_id))
    return w.s.execute(statement.params(account=w.b.account_id)).all()


@reads()
def criterion_overridden_by_parameters(w: Scene):
    return w.s.scalars(
        select(User), {"entered_account": w.b.account_id, "entered_account_1": w.b.account_id}
    ).all()


@reads()
def criterion_overridden_by_params(w: Scene):
    statement = select(User).params(
        entered_account=w.b.account_id, entered_account_1=w.b.account_id
    )
    return w.s.scalars(statement).all()


@reads()
def parameter_with_the_name_of_the_account_column(w: Scene):
    statement = select(USERS.c.username).where(owner == bindparam("account_id"))
    return w.s.execute(statement, {"account_id": w.b.account_id}).all()


@reads()
def value_asked_for_twice(w: Scene):
    answers = iter([w.b.account_id, w.a.account_id, w.a.account_id, w.a.account_id])
    moving = bindparam("moving", callable_=lambda: next(answers), type_=Uuid())
    return _names(w, owner == moving)


@reads()
def literal_account_of_b(w: Scene):
    return _names(w, owner == bindparam("account", w.b.account_id, literal_execute=True))


@reads()
def account_of_b_in_both_terms(w: Scene):
    theirs = aliased(USERS)
    tie = and_(owner == w.a.account_id, theirs.c.account_id == w.b.account_id)
    return w.s.execute(select(theirs.c.username).where(tie)).all()


class Turncoat(TypeDecorator):
    """A type that sends another value than it was given."""

    impl = Uuid
    cache_ok = True
    sends: UUID

    def process_bind_param(self, value, dialect):
        return Turncoat.sends


class SelfMade(TypeDecorator):
    """A type that turns its value into an expression."""

    impl = Uuid
    cache_ok = True

    def bind_expression(self, bindvalue):
        return USERS.c.account_id


class EqualToAll(UUID):
    """A value that calls itself equal to anything."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = UUID.__hash__


@reads()
def value_changed_by_its_type(w: Scene):
    Turncoat.sends = w.b.account_id
    return _names(w, owner == bindparam(None, w.a.account_id, type_=Turncoat()))


@reads()
def value_changed_by_a_variant_of_its_type(w: Scene):
    Turncoat.sends = w.b.account_id
    dialect = {"mariadb": "mysql"}.get(w.backend, w.backend)
    both = Uuid().with_variant(Turncoat(), dialect, "mariadb") if dialect == "mysql" else None
    both = both or Uuid().with_variant(Turncoat(), dialect)
    return _names(w, owner == bindparam(None, w.a.account_id, type_=both))


@reads()
def value_turned_into_an_expression(w: Scene):
    return _names(w, owner == bindparam(None, w.a.account_id, type_=SelfMade()))


@reads()
def value_that_is_equal_to_all(w: Scene):
    return _names(w, owner == EqualToAll(str(w.b.account_id)))


@reads()
def value_as_text(w: Scene):
    text_id = w.b.account_id.hex if w.backend == "sqlite" else str(w.b.account_id)
    return _names(w, owner == bindparam(None, text_id, type_=Uuid(as_uuid=False)))


@reads()
def and_built_by_hand_around_an_or(w: Scene):
    loose = or_(owner == w.a.account_id, USERS.c.status == "active")
    return _names(w, BooleanClauseList._construct_raw(loose.operator, list(loose.clauses)))


@reads()
def identity_of_b_as_a_bridge(w: Scene):
    identities = Identity.__table__
    tie = and_(identities.c.id == w.b.identities[0], USERS.c.identity_id == identities.c.id)
    return _names(w, tie)

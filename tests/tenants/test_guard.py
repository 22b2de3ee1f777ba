"""What the guard lets through: statements tied to the account run, on three databases, and give the account's rows."""

# ruff: noqa: SIM117 - the inner block is the one that must fail

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    and_,
    bindparam,
    cast,
    create_engine,
    delete,
    exists,
    extract,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import OWNERSHIP as PRODUCT
from saas.models import Identity, Project, Role, SystemEventRow, User, UserRole, UserSession
from tenants import (
    ForeignTenantError,
    Ownership,
    TenantMissingError,
    UnscopableStatementError,
    enter_account,
    guard,
)
from tenants.errors import ReadOnlyStatementError
from tests.tenants.catalogue import BACKENDS, Mode, spread
from tests.tenants.models import Note
from tests.tenants.world import Seat, World

USERS, ROLES, LINKS, PROJECTS = (
    User.__table__,
    Role.__table__,
    UserRole.__table__,
    Project.__table__,
)
NOTES, IDENTITIES, SESSIONS, EVENTS = (
    Note.__table__,
    Identity.__table__,
    UserSession.__table__,
    SystemEventRow.__table__,
)

# Prepared once, as the product's fast path prepares them.
LIST_USERS = (
    select(USERS.c.username)
    .where(USERS.c.account_id == bindparam("account_id"))
    .order_by(USERS.c.username)
)


@pytest.fixture(params=BACKENDS)
def place(
    request: pytest.FixtureRequest, world_of: Callable[[str], World]
) -> Iterator[tuple[World, Connection]]:
    """A world and a connection through all nets, inside account A; everything is rolled back."""
    world = world_of(request.param)
    with (
        spread(Mode.ALL, world) as engine,
        enter_account(world.a.account_id),
        engine.connect() as connection,
    ):
        yield world, connection
        connection.rollback()


Told = Iterator[tuple[str, Any, int]]  # name, statement, how many rows


def _tied_by_joins(a: Seat) -> Told:
    mine = USERS.c.account_id == a.account_id
    yield "one table", select(USERS).where(mine), 2
    yield (
        "the other way round",
        select(USERS.c.id).where(literal(a.account_id) == USERS.c.account_id),
        2,
    )
    yield (
        "more criteria",
        select(USERS.c.id).where(and_(mine, or_(USERS.c.status == "x", USERS.c.id == a.users[0]))),
        1,
    )
    seats = USERS.alias("seats")
    yield "an alias", select(seats.c.id).where(seats.c.account_id == a.account_id), 2
    keyed = and_(LINKS.c.account_id == USERS.c.account_id, LINKS.c.user_id == USERS.c.id)
    joined = USERS.join(LINKS, keyed).join(
        ROLES, and_(ROLES.c.account_id == LINKS.c.account_id, ROLES.c.id == LINKS.c.role_id)
    )
    yield (
        "joins by composite keys",
        select(USERS.c.id, ROLES.c.name).select_from(joined).where(mine),
        2,
    )
    yield (
        "outer join by a composite key",
        select(USERS.c.id).outerjoin_from(USERS, LINKS, keyed).where(mine),
        2,
    )
    wanted = and_(NOTES.c.account_id == USERS.c.account_id, NOTES.c.author_id == USERS.c.id)
    asked = (
        select(USERS.c.id)
        .outerjoin_from(USERS, NOTES, wanted)
        .where(NOTES.c.account_id == a.account_id)
    )
    yield "outer join whose right side WHERE asks for", asked, 2


def _tied_inside(a: Seat) -> Told:
    mine = USERS.c.account_id == a.account_id
    inner = select(LINKS.c.user_id).where(LINKS.c.account_id == a.account_id)
    yield "IN a tied sub-select", select(USERS.c.id).where(mine, USERS.c.id.in_(inner)), 2
    seen = exists().where(LINKS.c.account_id == a.account_id, LINKS.c.user_id == USERS.c.id)
    yield "EXISTS with its own tie", select(USERS.c.id).where(mine, seen), 2
    size = (
        select(func.count())
        .select_from(ROLES)
        .where(ROLES.c.account_id == a.account_id)
        .scalar_subquery()
    )
    yield "a scalar sub-select", select(USERS.c.id, size.label("roles")).where(mine), 2
    names = select(USERS.c.username).where(mine).cte("names")
    yield "a CTE", select(names.c.username), 2
    yield (
        "a union of tied arms",
        select(USERS.c.id).where(mine).union_all(select(USERS.c.id).where(mine)),
        4,
    )
    rank = func.row_number().over(partition_by=USERS.c.status, order_by=USERS.c.username)
    yield "a window", select(USERS.c.username, rank.label("n")).where(mine), 2
    grouped = select(USERS.c.status, func.count().label("n")).where(mine).group_by(USERS.c.status)
    yield "groups", grouped.having(func.count() > 1).order_by("n"), 1


def _with_expressions(a: Seat) -> Told:
    mine = USERS.c.account_id == a.account_id
    after = or_(
        USERS.c.username > "amber-0", and_(USERS.c.username == "amber-0", USERS.c.id > a.users[0])
    )
    yield (
        "a page after a key",
        select(USERS.c.id).where(mine, after).order_by(USERS.c.username).limit(5),
        1,
    )
    yield (
        "functions",
        select(func.lower(USERS.c.username), func.coalesce(USERS.c.status, "-")).where(mine),
        2,
    )
    yield (
        "types",
        select(
            cast(NOTES.c.stars, String(9)),
            cast(NOTES.c.stars, Numeric(9, 2)),
            cast(NOTES.c.flag, String()),
        ).where(NOTES.c.account_id == a.account_id),
        2,
    )
    yield (
        "numbers",
        select(NOTES.c.stars * 2 + 1, NOTES.c.stars.op("%")(2), NOTES.c.stars.op("<")(9)).where(
            NOTES.c.account_id == a.account_id
        ),
        2,
    )
    yield (
        "words in operators",
        select(USERS.c.id).where(mine, USERS.c.username.op("NOT LIKE")("x%")),
        2,
    )
    yield (
        "text criteria",
        select(USERS.c.id).where(mine, USERS.c.username.startswith("amber", autoescape=True)),
        2,
    )
    yield "fields of a time", select(extract("year", USERS.c.created_at)).where(mine), 2
    yield "an empty list", select(USERS.c.id).where(mine, USERS.c.id.in_([])), 0
    yield (
        "a label that must be quoted",
        select(USERS.c.username.label('the "name" of %s')).where(mine),
        2,
    )
    yield "a row lock", select(USERS.c.id).where(mine).with_for_update(), 2


def _of_people(a: Seat) -> Told:
    mine = USERS.c.account_id == a.account_id
    person = and_(IDENTITIES.c.id == USERS.c.identity_id)
    yield (
        "persons of own seats",
        select(IDENTITIES.c.email).join_from(USERS, IDENTITIES, person).where(mine),
        2,
    )
    yield "a person by key", select(IDENTITIES.c.email).where(IDENTITIES.c.id == a.identities[0]), 1
    yield (
        "a session by its token",
        select(SESSIONS).where(SESSIONS.c.token_hash == a.token_hash()),
        1,
    )
    guest = and_(IDENTITIES.c.id == SESSIONS.c.identity_id)
    token = SESSIONS.c.token_hash == a.token_hash()
    yield (
        "the person of a session",
        select(IDENTITIES.c.email).join_from(SESSIONS, IDENTITIES, guest).where(token),
        1,
    )
    seat = and_(USERS.c.account_id == a.account_id, USERS.c.id == SESSIONS.c.user_id)
    yield (
        "the seat of a session",
        select(USERS.c.username).join_from(SESSIONS, USERS, seat).where(token),
        1,
    )
    yield "nothing but a value", select(literal(1)), 1


def test_statements_tied_to_the_account_are_served(place: tuple[World, Connection]) -> None:
    world, connection = place
    kinds = (_tied_by_joins, _tied_inside, _with_expressions, _of_people)
    for name, statement, size in (told for kind in kinds for told in kind(world.a)):
        rows = connection.execute(statement).all()
        assert len(rows) == size, name
        assert not any(world.b.mark in str(row) or world.c.mark in str(row) for row in rows), name


def test_prepared_statement_serves_one_account_after_the_other(
    world_of: Callable[[str], World],
) -> None:
    for backend in BACKENDS:
        world = world_of(backend)
        with spread(Mode.ALL, world) as engine:
            for seat in (world.a, world.b, world.c, world.a):
                with enter_account(seat.account_id), engine.connect() as connection:
                    names = connection.scalars(LIST_USERS, {"account_id": seat.account_id}).all()
                    assert names == [f"{seat.mark}-{n}" for n in range(len(seat.users))]


def _row(seat: Seat, **more: Any) -> dict[str, Any]:
    return {
        "account_id": seat.account_id,
        "id": uuid7(),
        "body": "new",
        "stars": 0,
        "flag": "x",
    } | more


def _count(connection: Connection, seat: Seat, *criteria: Any) -> int:
    counted = (
        select(func.count())
        .select_from(NOTES)
        .where(NOTES.c.account_id == seat.account_id, *criteria)
    )
    return int(connection.scalar(counted) or 0)


def test_rows_of_the_account_are_written(place: tuple[World, Connection]) -> None:
    world, connection = place
    a = world.a
    mine = NOTES.c.account_id == a.account_id
    unstamped = _row(a)
    del unstamped["account_id"]
    connection.execute(insert(NOTES).values(_row(a)))
    connection.execute(insert(NOTES), [_row(a), _row(a)])
    connection.execute(insert(NOTES).values(unstamped))
    assert _count(connection, a, NOTES.c.body == "new") == 4
    connection.execute(
        update(NOTES).where(mine, NOTES.c.body == "new").values(stars=NOTES.c.stars + 1)
    )
    assert _count(connection, a, NOTES.c.stars == 1) == 4
    changed = update(NOTES).where(mine, NOTES.c.id == bindparam("which"))
    connection.execute(changed, [{"which": note_id, "body": "changed"} for note_id in a.notes])
    assert _count(connection, a, NOTES.c.body == "changed") == 2
    assert connection.execute(delete(NOTES).where(mine, NOTES.c.body == "new")).rowcount == 4


def test_rows_are_copied_within_the_account(place: tuple[World, Connection]) -> None:
    world, connection = place
    a = world.a
    copied = select(ROLES.c.account_id, ROLES.c.id, ROLES.c.name, literal(0), literal("x"))
    source = copied.where(ROLES.c.account_id == a.account_id)
    names = ["account_id", "id", "body", "stars", "flag"]
    arms = [source.where(ROLES.c.id == role_id) for role_id in a.roles]
    for rows in (source, arms[0].union_all(arms[1])):
        connection.execute(insert(NOTES).from_select(names, rows))
        assert _count(connection, a, NOTES.c.flag == "x") == 2
        connection.execute(
            delete(NOTES).where(NOTES.c.account_id == a.account_id, NOTES.c.flag == "x")
        )


def test_upsert_on_a_key_of_the_account_is_served(place: tuple[World, Connection]) -> None:
    world, connection = place
    row = _row(world.a, id=world.a.notes[0], body="first")
    if world.backend == "mariadb":
        statement: Any = mysql.insert(NOTES).values(row)
        statement = statement.on_duplicate_key_update(body=statement.inserted.body)
    else:
        statement = {"sqlite": sqlite, "postgresql": postgresql}[world.backend].insert(NOTES)
        statement = statement.values(row).on_conflict_do_update(
            index_elements=["account_id", "id"], set_={"body": statement.excluded.body}
        )
    connection.execute(statement)
    found = select(NOTES.c.body).where(
        NOTES.c.account_id == world.a.account_id, NOTES.c.id == world.a.notes[0]
    )
    assert connection.scalar(found) == "first"


def test_global_tables_are_written_by_key(place: tuple[World, Connection]) -> None:
    world, connection = place
    now = utc_now()
    person = {
        "id": uuid7(),
        "email_key": "new@example.com",
        "email": "new@example.com",
        "password_hash": "x",
    }
    connection.execute(insert(IDENTITIES).values(person | {"created_at": now}))
    renamed = update(IDENTITIES).where(IDENTITIES.c.id == person["id"]).values(password_hash="y")
    assert connection.execute(renamed).rowcount == 1
    session = {
        "id": uuid7(),
        "token_hash": "0" * 64,
        "identity_id": world.a.identities[0],
        "created_at": now,
    }
    session |= {"account_id": world.a.account_id, "user_id": world.a.users[0], "last_seen_at": now}
    session |= {"expires_at": now, "ip": "::1", "user_agent": ""}
    connection.execute(insert(SESSIONS).values(session))
    entered = update(SESSIONS).where(SESSIONS.c.id == session["id"])
    assert (
        connection.execute(
            entered.values(account_id=world.a.account_id, user_id=world.a.users[1])
        ).rowcount
        == 1
    )
    assert (
        connection.execute(delete(SESSIONS).where(SESSIONS.c.token_hash == "0" * 64)).rowcount == 1
    )


# -- the verdict ---------------------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Engine:
    engine = create_engine("sqlite://")
    guard.install(engine, PRODUCT)
    return engine


def _verdict(engine: Engine, statement: Any, **kw: Any) -> Any:
    return statement.compile(engine, **kw).verdict


def test_verdict_names_the_account_binds(engine: Engine) -> None:
    assert _verdict(engine, LIST_USERS) == guard.Verdict(("account_id",), ())
    both = (
        select(USERS.c.id)
        .where(USERS.c.account_id == bindparam("a"))
        .union(select(ROLES.c.id).where(ROLES.c.account_id == bindparam("b")))
    )
    assert _verdict(engine, both).anchors == ("a", "b")
    assert _verdict(engine, select(literal(1))) == guard.Verdict()


def test_verdict_names_what_is_written(engine: Engine) -> None:
    mine = PROJECTS.c.account_id == bindparam("mine")
    assert _verdict(engine, insert(PROJECTS)).writes == (("projects", None),)
    assert _verdict(engine, delete(PROJECTS).where(mine)).writes == (("projects", None),)
    changed = update(PROJECTS).where(mine)
    assert _verdict(engine, changed.values(name="x")).writes == (("projects", frozenset({"name"})),)
    assert _verdict(engine, changed, column_keys=["mine", "name", "description"]).writes == (
        ("projects", frozenset({"name", "description"})),
    )
    ordered = changed.ordered_values((PROJECTS.c.description, "x"), (PROJECTS.c.name, "y"))
    assert _verdict(engine, ordered).writes == (("projects", frozenset({"name", "description"})),)


def test_verdict_is_cached_with_the_statement(lite: World) -> None:
    with (
        spread(Mode.ALL, lite) as engine,
        enter_account(lite.a.account_id),
        engine.connect() as connection,
    ):
        own = {"account_id": lite.a.account_id}
        first = connection.execute(LIST_USERS, own).context.compiled
        second = connection.execute(LIST_USERS, own).context
        assert second.compiled is first
        assert second.cache_hit.name == "CACHE_HIT"
        with pytest.raises(ForeignTenantError):
            connection.execute(LIST_USERS, {"account_id": lite.b.account_id})


@pytest.mark.parametrize("value", ["", "01a", None, 1, b"x" * 16, [1]])
def test_account_bind_takes_nothing_but_the_entered_uuid(value: object) -> None:
    account_id = uuid7()
    with pytest.raises(ForeignTenantError):
        guard.check_values(("a",), [{"a": account_id}, {"a": value}], account_id)
    with pytest.raises(ForeignTenantError):
        guard.check_values(("a",), [{}], account_id)
    guard.check_values(("a", "b"), [{"a": account_id, "b": account_id}], account_id)


def test_tied_statement_needs_an_entered_account(lite: World) -> None:
    with (
        spread(Mode.ALL, lite) as engine,
        engine.connect() as connection,
        pytest.raises(TenantMissingError),
    ):
        connection.execute(LIST_USERS, {"account_id": lite.a.account_id})


def test_read_only_transaction_refuses_to_write_and_says_what(lite: World) -> None:
    with spread(Mode.ALL, lite) as engine, enter_account(lite.a.account_id):
        with engine.execution_options(read_only=True).connect() as connection:
            with pytest.raises(ReadOnlyStatementError, match="cannot write t_notes"):
                connection.execute(insert(NOTES).values(_row(lite.a)))


def test_refusal_says_what_to_do(engine: Engine) -> None:
    advice = (
        "table 'users' is not tied to the entered account: select the model through the session"
    )
    with pytest.raises(UnscopableStatementError, match=advice):
        select(USERS).compile(engine)
    with pytest.raises(UnscopableStatementError, match=r"'identities'.*or add an equality on id"):
        select(IDENTITIES.c.email).compile(engine)


# -- what an adopter may declare -----------------------------------------------------------------------------


class Doubled(ColumnElement[int]):
    inherit_cache = False
    type = Integer()


@compiles(Doubled)
def _doubled(element: Doubled, compiler: Any, **kw: Any) -> str:
    return "2 * 2"


def test_declared_function_and_construct_are_let_through() -> None:
    for ownership, passes in ((PRODUCT, False), (_declaring("shout", Doubled), True)):
        engine = create_engine("sqlite://")
        guard.install(engine, ownership)
        for statement in (select(func.shout("x")), select(Doubled())):
            if passes:
                statement.compile(engine)
            else:
                with pytest.raises(UnscopableStatementError):
                    statement.compile(engine)


def _declaring(function: str, construct: type) -> Ownership:
    return Ownership(PRODUCT.metadata, PRODUCT.global_tables, [function.upper()], [construct])


def test_guards_of_two_engines_do_not_mix(engine: Engine) -> None:
    plain = create_engine("sqlite://")
    assert not hasattr(select(USERS).compile(plain), "verdict")
    other = create_engine("sqlite://")
    guard.install(other, Ownership(MetaData(), {}))
    with pytest.raises(UnscopableStatementError, match="unknown table 'users'"):
        LIST_USERS.compile(other)
    LIST_USERS.compile(engine)

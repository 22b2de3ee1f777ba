"""Writes to Core tables, upserts, raw text and statements inside statements."""

from sqlalchemy import (
    DDL,
    Uuid,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    table,
    text,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.dialects.mysql import limit as mysql_limit
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import Account, Project, Role, User, UserRole
from tests.tenants.catalogue import Scene, writes
from tests.tenants.forms.evasions import EqualToAll, Turncoat
from tests.tenants.models import Handle, Note

USERS, ROLES, USER_ROLES = User.__table__, Role.__table__, UserRole.__table__
PROJECTS, NOTES, ACCOUNTS, HANDLES = (
    Project.__table__,
    Note.__table__,
    Account.__table__,
    Handle.__table__,
)
COLUMNS = ["account_id", "id", "body", "stars", "flag"]


def _note(account_id, **more):
    return {
        "account_id": account_id,
        "id": uuid7(),
        "body": "planted",
        "stars": 0,
        "flag": "x",
    } | more


# -- update and delete -------------------------------------------------------------------------------------


@writes()
def core_update(w: Scene):
    w.s.execute(update(USERS).values(status="taken"))


@writes()
def core_update_on_a_new_connection(w: Scene):
    with w.engine.begin() as connection:
        connection.execute(update(USERS).values(status="taken"))


@writes()
def core_update_in_a_bare_session(w: Scene):
    with Session(w.engine) as session:
        session.execute(update(User).values(status="taken"))
        session.commit()


@writes()
def core_update_tied_to_b(w: Scene):
    w.s.execute(update(USERS).where(USERS.c.account_id == w.b.account_id).values(status="taken"))


@writes()
def core_update_of_many(w: Scene):
    statement = update(USERS).where(
        USERS.c.account_id == bindparam("a"), USERS.c.id == bindparam("i")
    )
    rows = [{"a": seat.account_id, "i": seat.users[0], "status": "taken"} for seat in (w.a, w.b)]
    w.connection().execute(statement, rows)


@writes()
def core_update_of_the_account(w: Scene):
    w.s.execute(
        update(PROJECTS)
        .where(PROJECTS.c.account_id == w.a.account_id)
        .values(account_id=w.b.account_id)
    )


@writes()
def core_update_of_the_account_to_a_literal(w: Scene):
    moved = update(PROJECTS).where(PROJECTS.c.account_id == w.a.account_id)
    w.s.execute(moved.values({PROJECTS.c.account_id: literal(w.b.account_id, Uuid())}))


@writes()
def core_update_of_the_account_in_order(w: Scene):
    moved = update(PROJECTS).where(PROJECTS.c.account_id == w.a.account_id)
    w.s.execute(moved.ordered_values((PROJECTS.c.account_id, w.b.account_id)))


@writes()
def core_update_of_the_account_by_parameters(w: Scene):
    moved = update(PROJECTS).where(PROJECTS.c.account_id == bindparam("mine"))
    w.connection().execute(moved, {"mine": w.a.account_id, "account_id": w.b.account_id})


@writes()
def core_update_of_a_coerced_account(w: Scene):
    moved = update(PROJECTS).where(PROJECTS.c.account_id == w.a.account_id)
    w.s.execute(moved.values({type_coerce(PROJECTS.c.account_id, Uuid()): w.b.account_id}))


@writes()
def core_update_of_a_lightweight_account(w: Scene):
    moved = update(PROJECTS).where(PROJECTS.c.account_id == w.a.account_id)
    w.s.execute(moved.values({column("account_id"): w.b.account_id}))


@writes(only=("mariadb",))
def core_update_of_a_second_table(w: Scene):
    statement = update(NOTES).where(
        NOTES.c.account_id == w.a.account_id, PROJECTS.c.account_id == w.a.account_id
    )
    w.s.execute(statement.values({PROJECTS.c.account_id: w.b.account_id, NOTES.c.body: "x"}))


@writes(only=("mariadb",))
def core_update_through_a_join(w: Scene):
    joined = NOTES.join(ROLES, NOTES.c.account_id == w.a.account_id)
    w.s.execute(update(joined).values({ROLES.c.system_key: "taken"}))


@writes()
def core_update_from_another_table(w: Scene):
    statement = update(NOTES).where(
        NOTES.c.account_id == w.a.account_id, USERS.c.username.like("basalt%")
    )
    w.s.execute(statement.values(body=USERS.c.username))


@writes()
def core_update_with_a_subquery(w: Scene):
    theirs = select(func.max(USERS.c.username)).scalar_subquery()
    w.s.execute(update(NOTES).where(NOTES.c.account_id == w.a.account_id).values(body=theirs))


@writes()
def core_update_where_or(w: Scene):
    loose = (USERS.c.account_id == w.a.account_id) | (USERS.c.status == "active")
    w.s.execute(update(USERS).where(loose).values(status="taken"))


@writes()
def core_update_where_text(w: Scene):
    w.s.execute(
        update(USERS)
        .where(USERS.c.account_id == w.a.account_id, text("1=1 OR 1=1"))
        .values(status="taken")
    )


@writes()
def core_update_with_a_turncoat_type(w: Scene):
    Turncoat.sends = w.b.account_id
    own = bindparam("own", w.a.account_id, type_=Turncoat())
    w.s.execute(update(USERS).where(USERS.c.account_id == own).values(status="taken"))


@writes(only=("mariadb",))
def core_update_with_a_limit(w: Scene):
    w.s.execute(update(USERS).values(status="taken").ext(mysql_limit(9)))


@writes(only=("mariadb",))
def core_update_with_a_prefix(w: Scene):
    own = update(USERS).where(USERS.c.account_id == w.a.account_id).values(status="mine")
    w.s.execute(own.prefix_with("users SET status = 'taken' -- "))


@writes()
def core_delete(w: Scene):
    w.s.execute(delete(USER_ROLES))


@writes()
def core_delete_tied_to_b(w: Scene):
    w.s.execute(delete(PROJECTS).where(PROJECTS.c.account_id == w.b.account_id))


@writes()
def core_delete_with_returning(w: Scene):
    return w.s.execute(delete(PROJECTS).returning(PROJECTS.c.name)).all()


@writes(only=("postgresql", "mariadb"))
def core_delete_using_another_table(w: Scene):
    doomed = delete(PROJECTS).where(
        PROJECTS.c.description == "", USERS.c.account_id == w.a.account_id
    )
    w.s.execute(doomed)


@writes()
def core_delete_where_a_subquery(w: Scene):
    names = select(ROLES.c.name.concat("x")).where(ROLES.c.name.like("basalt%"))
    w.s.execute(delete(PROJECTS).where(PROJECTS.c.name.not_in(names)))


@writes()
def core_delete_of_accounts(w: Scene):
    w.s.execute(delete(USER_ROLES).where(USER_ROLES.c.account_id != w.a.account_id))


@writes()
def lightweight_update(w: Scene):
    w.s.execute(update(table("users", column("status"))).values(status="taken"))


@writes()
def lightweight_delete(w: Scene):
    w.s.execute(delete(table("users_x_roles", column("user_id"))))


@writes()
def lightweight_insert(w: Scene):
    notes = table("t_notes", *(column(name) for name in COLUMNS))
    row = _note(w.b.account_id)
    if w.backend == "sqlite":
        row |= {"account_id": w.b.account_id.hex, "id": row["id"].hex}
    elif w.backend == "mariadb":
        row |= {"account_id": str(w.b.account_id), "id": str(row["id"])}
    w.s.execute(insert(notes).values(row))


# -- insert ------------------------------------------------------------------------------------------------


@writes()
def core_insert(w: Scene):
    w.s.execute(insert(NOTES).values(_note(w.b.account_id)))


@writes()
def core_insert_by_parameters(w: Scene):
    w.s.execute(insert(NOTES), _note(w.b.account_id))


@writes()
def core_insert_of_many(w: Scene):
    w.connection().execute(insert(NOTES), [_note(seat.account_id) for seat in (w.a, w.a, w.b)])


@writes()
def core_insert_of_several_rows(w: Scene):
    w.s.execute(insert(NOTES).values([_note(w.a.account_id), _note(w.b.account_id)]))


@writes()
def core_insert_with_a_literal_account(w: Scene):
    w.s.execute(insert(NOTES).values(_note(literal(w.b.account_id, Uuid()))))


@writes()
def core_insert_with_a_subquery_account(w: Scene):
    theirs = select(ACCOUNTS.c.account_id).where(ACCOUNTS.c.name.like("basalt%")).scalar_subquery()
    w.s.execute(insert(NOTES).values(_note(theirs)))


@writes()
def core_insert_with_an_expression_account(w: Scene):
    theirs = func.coalesce(*[literal(w.b.account_id, Uuid())] * 2)
    w.s.execute(insert(NOTES).values(_note(theirs)))


@writes()
def core_insert_with_a_turncoat_type(w: Scene):
    Turncoat.sends = w.b.account_id
    w.s.execute(insert(NOTES).values(_note(literal(w.a.account_id, Turncoat()))))


@writes()
def core_insert_with_a_value_equal_to_all(w: Scene):
    w.s.execute(insert(NOTES).values(_note(EqualToAll(str(w.b.account_id)))))


@writes()
def core_insert_with_the_account_twice(w: Scene):
    row = _note(w.a.account_id)
    del row["account_id"]
    w.s.execute(
        insert(NOTES).values(
            {NOTES.c.account_id: w.b.account_id, "account_id": w.a.account_id} | row
        )
    )


@writes()
def core_insert_of_a_foreign_value(w: Scene):
    theirs = select(func.max(USERS.c.username)).scalar_subquery()
    w.s.execute(insert(NOTES).values(_note(w.a.account_id, body=theirs)))


@writes(quiet="a composite foreign key refuses the link")
def core_insert_of_a_foreign_link(w: Scene):
    row = {
        "account_id": w.a.account_id,
        "user_id": w.a.users[0],
        "role_id": w.b.roles[0],
        "assigned_at": utc_now(),
    }
    w.s.execute(insert(USER_ROLES).values(row))


@writes()
def core_insert_from_select(w: Scene):
    copied = select(
        literal(w.a.account_id, Uuid()), USERS.c.id, USERS.c.username, literal(0), literal("x")
    )
    w.s.execute(insert(NOTES).from_select(COLUMNS, copied))


@writes()
def core_insert_from_select_into_b(w: Scene):
    copied = select(
        literal(w.b.account_id, Uuid()), ROLES.c.id, ROLES.c.name, literal(0), literal("x")
    )
    w.s.execute(
        insert(NOTES).from_select(COLUMNS, copied.where(ROLES.c.account_id == w.a.account_id))
    )


@writes()
def core_insert_from_select_of_every_account(w: Scene):
    accounts = select(
        ACCOUNTS.c.account_id, ACCOUNTS.c.account_id, ACCOUNTS.c.name, literal(0), literal("x")
    )
    w.s.execute(insert(NOTES).from_select(COLUMNS, accounts))


@writes()
def core_insert_from_select_with_a_turncoat_type(w: Scene):
    Turncoat.sends = w.b.account_id
    own = literal(w.a.account_id, Turncoat())
    copied = select(own, ROLES.c.id, ROLES.c.name, literal(0), literal("x"))
    w.s.execute(
        insert(NOTES).from_select(COLUMNS, copied.where(ROLES.c.account_id == w.a.account_id))
    )


@writes()
def core_insert_from_a_union(w: Scene):
    arms = [
        select(
            literal(seat.account_id, Uuid()), ROLES.c.id, ROLES.c.name, literal(0), literal("x")
        ).where(ROLES.c.account_id == w.a.account_id)
        for seat in (w.a, w.b)
    ]
    w.s.execute(insert(NOTES).from_select(COLUMNS, union_all(*arms)))


@writes()
def core_insert_from_a_cte(w: Scene):
    names = select(USERS.c.id, USERS.c.username).cte("names")
    copied = select(
        literal(w.a.account_id, Uuid()), names.c.id, names.c.username, literal(0), literal("x")
    )
    w.s.execute(insert(NOTES).from_select(COLUMNS, copied))


@writes(only=("sqlite", "postgresql"))
def core_insert_or_replace(w: Scene):
    if w.backend == "sqlite":
        row = _note(w.b.account_id, id=w.b.notes[2])
        w.s.execute(insert(NOTES).prefix_with("OR REPLACE").values(row))
    else:
        row = _note(w.b.account_id, id=w.b.notes[2])
        upsert = postgresql.insert(NOTES).values(row)
        w.s.execute(
            upsert.on_conflict_do_update(constraint=NOTES.primary_key, set_={"body": "taken"})
        )


@writes(only=("postgresql",))
def core_insert_in_a_cte(w: Scene):
    planted = insert(NOTES).values(_note(w.b.account_id)).returning(NOTES.c.id).cte("planted")
    w.s.execute(select(planted.c.id))


@writes(only=("postgresql",))
def core_update_in_a_cte(w: Scene):
    changed = update(USERS).values(status="taken").returning(USERS.c.id).cte("changed")
    w.s.execute(select(func.count()).select_from(changed))


@writes(only=("postgresql",))
def core_delete_in_an_independent_cte(w: Scene):
    gone = delete(USER_ROLES).returning(USER_ROLES.c.user_id).cte("gone")
    w.s.execute(select(literal(1)).add_cte(gone))


# -- upserts -----------------------------------------------------------------------------------------------


def _upsert(w: Scene, into, row, target, changed):
    if w.backend == "mariadb":
        return mysql.insert(into).values(row).on_duplicate_key_update(changed)
    kind = {"sqlite": sqlite, "postgresql": postgresql}[w.backend]
    return kind.insert(into).values(row).on_conflict_do_update(index_elements=target, set_=changed)


@writes()
def upsert_of_a_foreign_row(w: Scene):
    row = _note(w.b.account_id, id=w.b.notes[1])
    w.s.execute(_upsert(w, NOTES, row, ["account_id", "id"], {"body": "taken"}))


@writes()
def upsert_over_a_key_that_all_accounts_share(w: Scene):
    row = {"account_id": w.a.account_id, "id": uuid7(), "handle": "handle of basalt", "body": "x"}
    w.s.execute(_upsert(w, HANDLES, row, ["handle"], {"body": "taken"}))


@writes()
def upsert_that_moves_a_row(w: Scene):
    row = {"account_id": w.a.account_id, "id": w.a.projects[0], "name": "x", "description": ""}
    row |= {"created_at": utc_now(), "updated_at": utc_now()}
    w.s.execute(_upsert(w, PROJECTS, row, ["account_id", "id"], {"account_id": w.b.account_id}))


@writes()
def upsert_with_a_foreign_value(w: Scene):
    theirs = select(func.max(USERS.c.username)).scalar_subquery()
    row = _note(w.a.account_id, id=w.a.notes[0])
    w.s.execute(_upsert(w, NOTES, row, ["account_id", "id"], {"body": theirs}))


@writes(only=("sqlite", "postgresql"))
def upsert_with_text_in_its_where(w: Scene):
    kind = {"sqlite": sqlite, "postgresql": postgresql}[w.backend]
    seen = text("EXISTS (SELECT 1 FROM users WHERE username LIKE 'basalt%')")
    row = _note(w.a.account_id, id=w.a.notes[0])
    upsert = kind.insert(NOTES).values(row)
    w.s.execute(
        upsert.on_conflict_do_update(
            index_elements=["account_id", "id"], set_={"body": "basalt exists"}, where=seen
        )
    )


# -- text --------------------------------------------------------------------------------------------------


@writes()
def text_update(w: Scene):
    w.s.execute(text("UPDATE users SET status = 'taken'"))


@writes()
def text_delete(w: Scene):
    w.connection().execute(text("DELETE FROM users_x_roles"))


@writes()
def text_insert(w: Scene):
    w.s.execute(
        text(
            "INSERT INTO t_links (account_id, flag, user_id) SELECT account_id, 'x', user_id FROM t_links"
        )
    )


@writes()
def driver_sql_update(w: Scene):
    w.connection().exec_driver_sql("UPDATE users SET status = 'taken'")


@writes()
def text_in_a_set_clause(w: Scene):
    theirs = text("(SELECT max(username) FROM users)")
    w.s.execute(update(NOTES).where(NOTES.c.account_id == w.a.account_id).values(body=theirs))


@writes()
def text_ddl(w: Scene):
    w.s.execute(text("CREATE TABLE t_stolen AS SELECT username FROM users"))
    w.s.commit()
    with w.world.watcher.begin() as connection:
        stolen = connection.execute(text("SELECT username FROM t_stolen")).all()
        connection.execute(text("DROP TABLE t_stolen"))
    return stolen


@writes()
def ddl_of_a_string(w: Scene):
    w.connection().execute(DDL("UPDATE users SET status = 'taken'"))


@writes()
def table_made_from_a_select(w: Scene):
    w.connection().execute(select(USERS.c.username).into("t_stolen"))
    w.s.commit()
    with w.world.watcher.begin() as connection:
        stolen = connection.execute(text("SELECT username FROM t_stolen")).all()
        connection.execute(text("DROP TABLE t_stolen"))
    return stolen


@writes(driver=True)
def driver_cursor_update(w: Scene):
    w.connection().connection.cursor().execute("UPDATE users SET status = 'taken'")

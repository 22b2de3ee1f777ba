"""Global tables about people: reached by a key that one knows, or through a row of the account, and not otherwise."""

from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    Uuid,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import Identity, SystemEventRow, User, UserSession
from tests.tenants.catalogue import Counted, Scene, Seen, reads, writes

IDENTITIES, SESSIONS, EVENTS = Identity.__table__, UserSession.__table__, SystemEventRow.__table__


@reads(people=True)
def every_identity(w: Scene):
    return w.s.scalars(select(Identity)).all()


@reads(people=True)
def every_address(w: Scene):
    return w.s.execute(select(IDENTITIES.c.email)).all()


@reads(people=True)
def count_of_identities(w: Scene):
    return Counted(w.s.scalar(select(func.count(Identity.id))))


@reads(people=True)
def identity_by_its_address(w: Scene):
    return w.s.scalars(select(Identity).where(Identity.email_key == "basalt0@example.com")).all()


@reads()
def address_as_an_oracle(w: Scene):
    return Seen(w.s.scalar(select(exists().where(Identity.email_key == "basalt0@example.com"))))


@reads(people=True)
def identities_in_a_list(w: Scene):
    return w.s.scalars(select(Identity).where(Identity.id.in_(w.b.identities))).all()


@reads(people=True)
def identity_by_key_or_true(w: Scene):
    return w.s.scalars(
        select(Identity).where(or_(Identity.id == w.a.identities[0], true() == true()))
    ).all()


@reads(people=True)
def identity_equal_to_itself(w: Scene):
    return w.s.scalars(select(Identity).where(Identity.id == Identity.id)).all()


@reads(people=True)
def identity_tied_to_another_untied_one(w: Scene):
    other = aliased(Identity)
    return w.s.execute(select(Identity.email).join(other, other.id == Identity.id)).all()


@reads(people=True)
def identity_tied_to_untied_sessions(w: Scene):
    return w.s.execute(
        select(Identity.email).join(UserSession, UserSession.identity_id == Identity.id)
    ).all()


@reads(people=True)
def left_join_to_identities_from_nothing(w: Scene):
    joined = (
        select(Identity.email)
        .select_from(Identity)
        .join(User, User.identity_id == Identity.id, isouter=True)
    )
    return w.s.execute(joined).all()


@reads(people=True)
def query_of_identities(w: Scene):
    return w.s.query(Identity).order_by(Identity.email).all()


@reads(people=True)
def identities_in_a_bare_session(w: Scene):
    with Session(w.engine) as session:
        return session.scalars(select(Identity)).all()


@reads(people=True)
def every_session(w: Scene):
    return w.s.scalars(select(UserSession)).all()


@reads(people=True)
def sessions_of_an_account(w: Scene):
    return w.s.scalars(select(UserSession).where(UserSession.account_id == w.b.account_id)).all()


@reads(people=True)
def sessions_by_their_agent(w: Scene):
    return w.s.execute(select(SESSIONS.c.token_hash, SESSIONS.c.user_agent)).all()


@reads()
def identity_through_a_free_table(w: Scene):
    tie = Identity.id == EVENTS.c.id
    return w.s.execute(
        select(Identity.email).select_from(Identity).join(EVENTS, tie, isouter=True)
    ).all()


@reads()
def system_events(w: Scene):
    return w.s.scalars(select(EVENTS.c.actor_label)).all()


@reads()
def system_events_as_entities(w: Scene):
    return [event.actor_label for event in w.s.scalars(select(SystemEventRow))]


@reads()
def system_events_of_a_second_metadata(w: Scene):
    events = Table("system_events", MetaData(), Column("actor_label", String))
    return w.s.execute(select(events.c.actor_label)).all()


@reads()
def password_hash_of_a_second_metadata(w: Scene):
    identities = Table(
        "identities", MetaData(), Column("id", Uuid), Column("password_hash", String)
    )
    return w.s.execute(
        select(identities.c.password_hash).where(identities.c.id == w.b.identities[0])
    ).all()


@reads()
def password_hash_by_key(w: Scene):
    return w.s.scalars(select(Identity.password_hash).where(Identity.id == w.b.identities[0])).all()


@reads()
def password_hash_as_an_oracle(w: Scene):
    found = select(Identity.id).where(
        Identity.id == w.b.identities[0], Identity.password_hash == "basalt hash"
    )
    return Seen(len(w.s.scalars(found).all()))


@reads()
def password_hash_through_own_seat(w: Scene):
    found = select(func.max(IDENTITIES.c.password_hash)).where(IDENTITIES.c.id == w.b.identities[1])
    return w.s.execute(found).all()


@reads()
def password_hash_as_a_lightweight_column(w: Scene):
    found = (
        select(column("password_hash"))
        .select_from(IDENTITIES)
        .where(IDENTITIES.c.id == w.b.identities[0])
    )
    return w.s.execute(found).all()


@reads()
def password_hash_through_a_star(w: Scene):
    found = (
        select(literal_column("*"))
        .select_from(IDENTITIES)
        .where(IDENTITIES.c.id == w.b.identities[0])
    )
    return w.connection().execute(found).all()


@reads()
def password_hash_through_an_alias(w: Scene):
    other = IDENTITIES.alias("i")
    return w.s.execute(select(other.c.password_hash).where(other.c.id == w.b.identities[0])).all()


@writes(only=("sqlite", "postgresql"))
def password_hash_in_returning(w: Scene):
    same = (
        update(IDENTITIES)
        .where(IDENTITIES.c.id == w.b.identities[0])
        .values(email_key=IDENTITIES.c.email_key)
    )
    return w.s.execute(same.returning(IDENTITIES.c.password_hash)).all()


@writes(people=True)
def update_of_every_identity(w: Scene):
    w.s.execute(update(Identity).values(suspended_at=utc_now()))


@writes(people=True)
def update_of_an_identity_by_its_address(w: Scene):
    w.s.execute(
        update(Identity)
        .where(Identity.email_key == "basalt0@example.com")
        .values(password_hash="taken")
    )


@writes(people=True)
def delete_of_every_session(w: Scene):
    w.s.execute(delete(UserSession))


@writes(people=True)
def delete_of_the_sessions_of_an_account(w: Scene):
    w.s.execute(delete(SESSIONS).where(SESSIONS.c.account_id == w.b.account_id))


def _session_of_b(w: Scene) -> dict:
    return {
        "id": uuid7(),
        "token_hash": "f" * 64,
        "identity_id": w.a.identities[0],
        "account_id": w.b.account_id,
        "user_id": w.b.users[0],
        "created_at": utc_now(),
        "last_seen_at": utc_now(),
        "expires_at": utc_now(),
        "ip": "127.0.0.1",
        "user_agent": "none",
    }


@writes(people=True)
def sign_in_to_b(w: Scene):
    w.s.execute(insert(SESSIONS), [_session_of_b(w)])


@writes(people=True)
def sign_in_to_b_as_an_object(w: Scene):
    w.s.add(UserSession(**_session_of_b(w)))
    w.s.commit()


@writes(people=True)
def own_session_moved_to_b(w: Scene):
    moved = update(SESSIONS).where(SESSIONS.c.id == w.a.sessions[0])
    w.s.execute(moved.values(account_id=w.b.account_id, user_id=w.b.users[0]))


@writes(people=True)
def own_session_moved_to_b_by_parameters(w: Scene):
    moved = update(SESSIONS).where(SESSIONS.c.id == bindparam("which"))
    w.connection().execute(
        moved, {"which": w.a.sessions[0], "account_id": w.b.account_id, "user_id": w.b.users[0]}
    )


@writes(people=True)
def upsert_over_the_address_of_another(w: Scene):
    row = {
        "id": uuid7(),
        "email_key": "basalt0@example.com",
        "email": "x",
        "password_hash": "taken",
    }
    row["created_at"] = utc_now()
    if w.backend == "mariadb":
        statement = (
            mysql.insert(IDENTITIES).values(row).on_duplicate_key_update(password_hash="taken")
        )
    else:
        kind = {"sqlite": sqlite, "postgresql": postgresql}[w.backend]
        statement = kind.insert(IDENTITIES).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=["email_key"], set_={"password_hash": "taken"}
        )
    w.s.execute(statement)


@writes()
def update_of_system_events(w: Scene):
    w.s.execute(update(EVENTS).values(reason="x"))


@writes()
def delete_of_system_events(w: Scene):
    w.s.execute(delete(EVENTS))


@writes()
def update_of_own_audit_events(w: Scene):
    """Not foreign, but nobody's to change: told apart by a mark of B."""
    from saas.models import AuditEventRow

    w.s.execute(
        update(AuditEventRow)
        .where(AuditEventRow.account_id == w.a.account_id)
        .values(reason="basalt")
    )


@writes(quiet="the app may insert system events, and nothing of B comes with them")
def system_event_with_a_literal(w: Scene):
    columns = [
        "id",
        "v",
        "seq",
        "time",
        "action",
        "crud",
        "outcome",
        "severity",
        "actor_type",
        "actor_label",
    ]
    columns += ["targets", "changes", "data", "channel", "digest", "prev", "hash"]
    row = select(*(EVENTS.c[name] for name in columns)).where(literal(1) == 0)
    w.s.execute(insert(EVENTS).from_select(columns, row))

"""Objects, sessions and transactions of B that are still held when A is entered."""

import pickle
import threading

from sqlalchemy import func, select, update
from sqlalchemy.orm import make_transient, object_session

from saas.models import Account, Role, User
from tenants import enter_account
from tests.tenants.catalogue import Counted, Scene, reads, writes
from tests.tenants.models import Note

USERS = User.__table__


def _user_of_b(w: Scene, session):
    return session.get(User, (w.b.account_id, w.b.users[0]))


@reads()
def get_from_a_warm_identity_map(w: Scene):
    with w.inside_b() as session:
        held = _user_of_b(w, session)  # the identity map holds it weakly
    return held is session.get(User, (w.b.account_id, w.b.users[0])) and held


@reads()
def get_one_from_a_warm_identity_map(w: Scene):
    with w.inside_b() as session:
        held = _user_of_b(w, session)
    return session.get_one(User, (w.b.account_id, w.b.users[0])), held


@reads()
def select_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    return session.scalars(select(User)).all()


@reads()
def core_select_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    return session.execute(select(USERS.c.username)).all()


@reads()
def query_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    return session.query(User).all()


@reads()
def refresh_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
    session.refresh(user)
    return user.username


@reads()
def expired_attribute_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
        session.expire(user, ["username"])
    return user.username


@reads()
def unloaded_relationship_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
    return list(user.roles), list(user.role_links)


@reads()
def many_to_one_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        note = session.get(Note, (w.b.account_id, w.b.notes[1]))
    return note.author, note.parent


@reads()
def populate_existing_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
    session.scalars(select(User).execution_options(populate_existing=True)).all()
    return user.username


@reads()
def held_object_added_to_own_session(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
        session.expunge(user)
    w.s.add(user)
    w.s.refresh(user)
    return user


@reads()
def held_object_found_again_in_own_session(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
        session.expunge(user)
    w.s.add(user)
    return w.s.get(User, (w.b.account_id, w.b.users[0]))


@reads()
def held_object_merged_without_loading(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
        session.expunge(user)
    return w.s.merge(user, load=False)


@reads()
def held_object_through_a_pickle(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
        session.expunge(user)
    again = pickle.loads(pickle.dumps(user))  # noqa: S301 - our own bytes
    w.s.add(again)
    w.s.expire(again, ["username"])
    return again.username


@reads()
def session_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
    return object_session(user).scalars(select(Role)).all()


@reads()
def connection_of_a_held_session(w: Scene):
    with w.inside_b() as session:
        connection = session.connection()
        connection.execute(
            select(func.count()).select_from(USERS).where(USERS.c.account_id == w.b.account_id)
        )
    return connection.execute(select(USERS.c.username)).all()


@reads()
def prepared_statement_on_a_held_connection(w: Scene):
    with w.inside_b() as session:
        connection = session.connection()
        connection.execute(select(User.id).where(User.account_id == w.b.account_id)).all()
    return connection.execute(
        select(USERS.c.username).where(USERS.c.account_id == w.b.account_id)
    ).all()


@reads()
def statement_cached_under_another_account(w: Scene):
    statement = select(User)
    with w.inside_b() as session:
        session.scalars(statement).all()
        session.commit()
    return w.s.scalars(statement).all()


@reads()
def prepared_core_statement_used_with_another_account(w: Scene):
    statement = select(USERS.c.username).where(USERS.c.account_id == w.b.account_id)
    with w.inside_b() as session:
        session.execute(statement).all()
        session.commit()
    return w.s.execute(statement).all()


@reads()
def held_session_in_a_thread_without_account(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    found = []

    def work():
        try:
            found.append(session.scalars(select(User.username)).all())
        except Exception as error:  # noqa: BLE001 - carried over to the form's own thread
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found


@reads()
def nested_account_s_session_used_after_leaving(w: Scene):
    with enter_account(w.b.account_id):
        session = w._open(w.b.account_id)
        session.get(Account, w.b.account_id)
    return Counted(session.scalar(select(func.count(User.id))))


@writes()
def dirty_object_of_a_held_session(w: Scene):
    with w.inside_b() as session:
        user = _user_of_b(w, session)
    user.username = "taken"
    session.commit()


@writes()
def deleted_object_of_a_held_session(w: Scene):
    with w.inside_b() as session:
        note = session.get(Note, (w.b.account_id, w.b.notes[2]))
    session.delete(note)
    session.commit()


@writes()
def new_object_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    session.add(Note(account_id=w.b.account_id, body="planted"))
    session.commit()


@writes()
def orm_update_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    session.execute(update(User).values(status="taken"))
    session.commit()


@writes()
def bulk_update_in_a_held_session(w: Scene):
    with w.inside_b() as session:
        session.scalars(select(Note)).all()
    session.bulk_update_mappings(
        User, [{"account_id": w.b.account_id, "id": w.b.users[0], "status": "taken"}]
    )
    session.commit()


@writes()
def held_object_made_new_and_added(w: Scene):
    with w.inside_b() as session:
        note = session.get(Note, (w.b.account_id, w.b.notes[0]))
        session.expunge(note)
    make_transient(note)
    note.id = w.a.notes[0].__class__(int=w.a.notes[0].int ^ (1 << 40))
    note.body = "basalt copied"
    w.s.add(note)
    w.s.commit()

"""Writes through the unit of work, the bulk interfaces and ORM statements."""

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import aliased, make_transient_to_detached
from uuid_utils.compat import uuid7

from saas.models import Account, Project, Role, User, UserRole
from tests.tenants.catalogue import Scene, writes
from tests.tenants.forms.evasions import EqualToAll
from tests.tenants.models import Document, Handle, Invoice, Note

KEYED = "a composite foreign key refuses the link"


def _own(w: Scene, model=Note, number=0):
    ids = {Note: w.a.notes, User: w.a.users, Role: w.a.roles, Project: w.a.projects}[model]
    return w.s.get(model, (w.a.account_id, ids[number]))


def _made_up(w: Scene, model, **values):
    row = model(account_id=w.b.account_id, **values)
    make_transient_to_detached(row)
    return row


# -- unit of work ------------------------------------------------------------------------------------------


@writes()
def new_object_of_b(w: Scene):
    w.s.add(Note(account_id=w.b.account_id, body="planted"))
    w.s.commit()


@writes()
def new_objects_of_b_in_one_flush(w: Scene):
    w.s.add_all([Note(account_id=w.b.account_id, body=f"planted {n}") for n in range(3)])
    w.s.commit()


@writes()
def new_object_that_takes_b_after_it_was_added(w: Scene):
    note = Note(body="planted")
    w.s.add(note)
    note.account_id = w.b.account_id
    w.s.commit()


@writes()
def new_object_with_a_value_equal_to_all(w: Scene):
    w.s.add(Note(account_id=EqualToAll(str(w.b.account_id)), body="planted"))
    w.s.commit()


@writes(quiet=KEYED)
def new_object_with_a_foreign_parent(w: Scene):
    w.s.add(Note(body="planted", parent_id=w.b.notes[0]))
    w.s.commit()


@writes(quiet=KEYED)
def new_link_to_a_foreign_role(w: Scene):
    w.s.add(UserRole(user_id=w.a.users[0], role_id=w.b.roles[0]))
    w.s.commit()


@writes()
def own_row_moved_to_b(w: Scene):
    _own(w, Project).account_id = w.b.account_id
    w.s.commit()


@writes(quiet="the attribute's row was not loaded, and no row has that key")
def made_up_row_moved_to_b(w: Scene):
    project = Project(account_id=w.a.account_id, id=uuid7(), name="x")
    make_transient_to_detached(project)
    w.s.add(project)
    project.account_id = w.b.account_id
    w.s.commit()


@writes()
def made_up_row_of_b_changed(w: Scene):
    user = _made_up(w, User, id=w.b.users[0])
    w.s.add(user)
    user.status = "taken"
    w.s.commit()


@writes()
def made_up_row_of_b_deleted(w: Scene):
    note = _made_up(w, Note, id=w.b.notes[2])
    w.s.add(note)
    w.s.delete(note)
    w.s.commit()


@writes()
def made_up_child_of_b_changed(w: Scene):
    invoice = _made_up(w, Invoice, id=w.b.documents[0], kind="invoice")
    w.s.add(invoice)
    invoice.memo = "taken"
    w.s.commit()


@writes()
def foreign_row_merged(w: Scene):
    w.s.merge(User(account_id=w.b.account_id, id=w.b.users[0], status="taken"))
    w.s.commit()


@writes()
def foreign_row_merged_without_loading(w: Scene):
    user = _made_up(w, User, id=w.b.users[0])
    merged = w.s.merge(user, load=False)
    merged.status = "taken"
    w.s.commit()


@writes()
def foreign_row_merged_as_new(w: Scene):
    w.s.merge(Note(account_id=w.b.account_id, id=uuid7(), body="planted"))
    w.s.commit()


@writes(quiet=KEYED)
def foreign_object_in_a_collection(w: Scene):
    note = _own(w)
    note.replies.append(Note(account_id=w.b.account_id, body="planted"))
    w.s.commit()


@writes(quiet=KEYED)
def foreign_held_object_in_a_collection(w: Scene):
    with w.inside_b() as session:
        theirs = session.get(Note, (w.b.account_id, w.b.notes[1]))
        session.expunge(theirs)
    note = _own(w)
    note.replies.append(theirs)
    theirs.body = "taken"
    w.s.commit()


@writes(quiet=KEYED)
def foreign_held_object_in_a_reference(w: Scene):
    with w.inside_b() as session:
        theirs = session.get(User, (w.b.account_id, w.b.users[1]))
        session.expunge(theirs)
    _own(w).author = theirs
    w.s.commit()


@writes()
def cascade_of_a_held_object(w: Scene):
    with w.inside_b() as session:
        user = session.get(User, (w.b.account_id, w.b.users[0]))
        list(user.role_links)
        session.expunge(user)
    w.s.add(user)
    user.role_links.clear()
    w.s.commit()


@writes()
def attribute_set_to_a_subquery_over_a_model(w: Scene):
    _own(w).body = select(func.max(Role.name)).scalar_subquery()
    w.s.commit()


@writes()
def attribute_set_to_a_subquery_over_a_core_table(w: Scene):
    _own(w).body = select(func.max(Role.__table__.c.name)).scalar_subquery()
    w.s.commit()


@writes()
def new_object_with_a_subquery(w: Scene):
    w.s.add(Note(body=select(func.max(Role.name)).scalar_subquery()))
    w.s.commit()


@writes()
def account_of_a_new_object_from_a_subquery(w: Scene):
    theirs = select(Account.account_id).where(Account.name.like("basalt%")).scalar_subquery()
    w.s.add(Project(account_id=theirs, name="planted"))
    w.s.commit()


@writes()
def new_account_s_row_renamed(w: Scene):
    account = w.s.get(Account, w.a.account_id)
    account.name = (
        select(func.max(Account.name)).where(Account.name.like("cobalt%")).scalar_subquery()
    )
    w.s.commit()


# -- bulk --------------------------------------------------------------------------------------------------


@writes()
def bulk_save_of_new_objects(w: Scene):
    w.s.bulk_save_objects([Note(account_id=w.b.account_id, body="planted")])


@writes()
def bulk_save_of_made_up_rows(w: Scene):
    user = _made_up(w, User, id=w.b.users[0])
    user.status = "taken"
    w.s.bulk_save_objects([user])


@writes()
def bulk_insert_of_mappings(w: Scene):
    w.s.bulk_insert_mappings(Note, [{"account_id": w.b.account_id, "body": "planted"}])


@writes()
def bulk_insert_of_mixed_accounts(w: Scene):
    rows = [{"account_id": seat.account_id, "body": "planted"} for seat in (w.a, w.b)]
    w.s.bulk_insert_mappings(Note, rows)


@writes()
def bulk_update_of_mappings(w: Scene):
    w.s.bulk_update_mappings(
        User, [{"account_id": w.b.account_id, "id": w.b.users[0], "status": "taken"}]
    )


@writes()
def bulk_update_of_mixed_accounts(w: Scene):
    rows = [{"account_id": s.account_id, "id": s.users[0], "status": "taken"} for s in (w.a, w.b)]
    w.s.bulk_update_mappings(User, rows)


@writes()
def update_by_primary_key(w: Scene):
    w.s.execute(
        update(User), [{"account_id": w.b.account_id, "id": w.b.users[0], "status": "taken"}]
    )


@writes()
def insert_of_many(w: Scene):
    w.s.execute(
        insert(Note), [{"account_id": w.b.account_id, "body": f"planted {n}"} for n in range(3)]
    )


@writes()
def insert_of_many_with_returning(w: Scene):
    rows = [{"account_id": w.b.account_id, "body": f"planted {n}"} for n in range(3)]
    return w.s.scalars(insert(Note).returning(Note), rows).all()


@writes()
def insert_of_mixed_accounts(w: Scene):
    w.s.execute(insert(Note), [{"account_id": s.account_id, "body": "planted"} for s in (w.a, w.b)])


# -- ORM statements ----------------------------------------------------------------------------------------


@writes()
def orm_update_without_where(w: Scene):
    w.s.execute(update(User).values(status="taken"))


@writes()
def orm_update_with_an_or_in_a_lambda(w: Scene):
    either = update(User).where(lambda: or_(User.status == "active", User.username == "x"))
    w.s.execute(either.values(status="taken").execution_options(synchronize_session=False))


@writes()
def orm_delete_with_an_or_in_a_lambda(w: Scene):
    either = delete(Project).where(lambda: or_(Project.description == "", Project.name == "x"))
    w.s.execute(either.execution_options(synchronize_session=False))


@writes()
def orm_update_that_fetches(w: Scene):
    w.s.execute(update(User).values(status="taken").execution_options(synchronize_session="fetch"))


@writes()
def orm_update_that_evaluates(w: Scene):
    w.s.execute(
        update(User).values(status="taken").execution_options(synchronize_session="evaluate")
    )


@writes()
def orm_update_that_does_not_synchronize(w: Scene):
    w.s.execute(update(User).values(status="taken").execution_options(synchronize_session=False))


@writes()
def orm_update_of_an_alias(w: Scene):
    w.s.execute(
        update(aliased(User)).values(status="taken").execution_options(synchronize_session=False)
    )


@writes()
def orm_update_of_known_ids(w: Scene):
    w.s.execute(update(User).where(User.id.in_(w.b.users)).values(status="taken"))


@writes(only=("sqlite", "postgresql"))
def orm_update_with_returning(w: Scene):
    return w.s.scalars(update(User).values(status="taken").returning(User.username)).all()


@writes()
def orm_update_in_order(w: Scene):
    w.s.execute(update(User).ordered_values((User.status, "taken"), (User.last_used_at, None)))


@writes()
def orm_update_of_the_account(w: Scene):
    w.s.execute(
        update(Project)
        .values(account_id=w.b.account_id)
        .execution_options(synchronize_session=False)
    )


@writes()
def orm_update_of_the_account_in_order(w: Scene):
    moved = update(Project).ordered_values((Project.account_id, w.b.account_id))
    w.s.execute(moved.execution_options(synchronize_session=False))


@writes()
def orm_update_of_accounts_themselves(w: Scene):
    w.s.execute(update(Account).values(status="closing"))


@writes()
def orm_update_from_another_model(w: Scene):
    copied = update(Note).where(Note.flag == User.status, User.username.like("basalt%"))
    w.s.execute(copied.values(body=User.username).execution_options(synchronize_session=False))


@writes()
def orm_update_with_a_subquery_over_a_model(w: Scene):
    w.s.execute(
        update(Note)
        .where(Note.account_id == w.a.account_id)
        .values(body=select(func.max(User.username)).scalar_subquery())
        .execution_options(synchronize_session=False)
    )


@writes()
def orm_update_of_a_joined_child(w: Scene):
    w.s.execute(update(Invoice).values(memo="taken").execution_options(synchronize_session=False))


@writes()
def orm_update_of_a_joined_base(w: Scene):
    w.s.execute(update(Document).values(title="taken").execution_options(synchronize_session=False))


@writes()
def orm_delete_without_where(w: Scene):
    w.s.execute(delete(UserRole))


@writes()
def orm_delete_of_known_ids(w: Scene):
    w.s.execute(delete(Project).where(Project.id.in_(w.b.projects)))


@writes()
def orm_delete_where_a_subquery(w: Scene):
    names = select(Role.name.concat("x"))
    doomed = delete(Project).where(Project.name.not_in(names))
    w.s.execute(doomed.execution_options(synchronize_session=False))


@writes(only=("postgresql", "mariadb"))
def orm_delete_using_another_model(w: Scene):
    doomed = delete(Project).where(Project.description == "", User.username.like("basalt%"))
    w.s.execute(doomed.execution_options(synchronize_session=False))


@writes(only=("sqlite", "postgresql"))
def orm_delete_of_an_alias(w: Scene):
    other = aliased(Project)
    w.s.execute(delete(other).execution_options(synchronize_session=False))


@writes()
def orm_delete_of_the_account(w: Scene):
    w.s.execute(delete(Project).where(Project.account_id == w.b.account_id))


@writes()
def orm_insert_with_a_foreign_account(w: Scene):
    w.s.execute(insert(Note).values(account_id=w.b.account_id, body="planted"))


@writes()
def orm_insert_of_several_rows(w: Scene):
    w.s.execute(
        insert(Note).values(
            [{"account_id": w.b.account_id, "body": f"planted {n}"} for n in range(2)]
        )
    )


@writes()
def orm_insert_with_returning(w: Scene):
    return w.s.scalars(
        insert(Note).values(account_id=w.b.account_id, body="planted").returning(Note.id)
    ).all()


@writes()
def orm_insert_from_a_model(w: Scene):
    copied = select(Note.account_id, User.id, User.username, Note.stars, Note.flag).where(
        Note.id == w.a.notes[0], User.username.like("basalt%")
    )
    w.s.execute(insert(Note).from_select(["account_id", "id", "body", "stars", "flag"], copied))


@writes()
def orm_insert_from_a_model_into_b(w: Scene):
    from sqlalchemy import Uuid, literal

    copied = select(
        literal(w.b.account_id, Uuid()), User.id, User.username, literal(0), literal("x")
    )
    w.s.execute(insert(Note).from_select(["account_id", "id", "body", "stars", "flag"], copied))


@writes()
def orm_insert_of_a_foreign_account_s_child(w: Scene):
    w.s.add(Invoice(account_id=w.b.account_id, title="planted", memo="planted"))
    w.s.commit()


@writes()
def orm_insert_of_a_handle_of_another(w: Scene):
    w.s.execute(insert(Handle).values(account_id=w.b.account_id, handle="new", body="planted"))


@writes()
def query_update(w: Scene):
    w.s.query(User).update({"status": "taken"})


@writes()
def query_update_of_the_account(w: Scene):
    w.s.query(Project).update({"account_id": w.b.account_id}, synchronize_session=False)


@writes()
def query_delete(w: Scene):
    w.s.query(Project).delete()


@writes(only=("postgresql",))
def orm_update_in_a_cte(w: Scene):
    changed = update(User).values(status="taken").returning(User.username).cte("changed")
    return w.s.execute(select(changed.c.username)).all()


@writes(only=("postgresql",))
def orm_delete_in_a_cte(w: Scene):
    gone = delete(Project).returning(Project.name).cte("gone")
    return w.s.execute(select(gone.c.name)).all()

"""Core tables, bare connections, other sessions and other schemas: what the session's criteria never meet."""

import threading

from sqlalchemy import (
    Column,
    MetaData,
    String,
    Table,
    Uuid,
    column,
    exists,
    func,
    literal,
    select,
    table,
    tablesample,
    true,
    union_all,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    mapped_column,
    sessionmaker,
    with_loader_criteria,
)

from saas.models import AuditEventRow, Project, Role, User, UserRole
from tenants import TenantOwned
from tests.tenants.catalogue import Counted, Scene, Seen, reads
from tests.tenants.models import LINKS, Note

USERS, ROLES, USER_ROLES = User.__table__, Role.__table__, UserRole.__table__


@reads()
def core_select(w: Scene):
    return w.s.execute(select(USERS)).all()


@reads()
def core_select_of_a_column(w: Scene):
    return w.s.execute(select(USERS.c.username)).all()


@reads()
def core_select_of_an_association_table(w: Scene):
    return w.s.execute(select(LINKS)).all()


@reads()
def core_alias(w: Scene):
    return w.s.execute(select(USERS.alias("u"))).all()


@reads()
def core_alias_of_an_alias(w: Scene):
    return w.s.execute(select(USERS.alias("u").alias("v"))).all()


@reads()
def core_count(w: Scene):
    return Counted(w.s.scalar(select(func.count()).select_from(USERS)))


@reads()
def entity_alias_of_a_core_table(w: Scene):
    return w.s.execute(select(aliased(USERS))).all()


@reads()
def entity_over_a_core_alias(w: Scene):
    return w.s.scalars(select(aliased(User, USERS.alias()))).all()


@reads()
def entity_over_a_core_subquery(w: Scene):
    return w.s.scalars(select(aliased(User, select(USERS).subquery()))).all()


@reads()
def core_subquery(w: Scene):
    return w.s.execute(select(select(USERS.c.username).subquery())).all()


@reads()
def core_cte(w: Scene):
    return w.s.execute(select(select(USERS.c.username).cte())).all()


@reads()
def core_union(w: Scene):
    return w.s.execute(union_all(select(USERS.c.username), select(ROLES.c.name))).all()


@reads()
def core_scalar_subquery(w: Scene):
    return w.s.execute(select(select(func.max(USERS.c.username)).scalar_subquery())).all()


@reads()
def core_subquery_in_the_where_of_an_entity(w: Scene):
    last = select(func.max(USERS.c.username)).scalar_subquery()
    found = select(Note.id).where(Note.account_id == w.a.account_id, last.like("cobalt%"))
    return Seen(len(w.s.scalars(found).all()))


@reads()
def core_exists_in_the_where_of_an_entity(w: Scene):
    theirs = exists().where(USERS.c.username.like("basalt%"))
    return Seen(
        len(
            w.s.scalars(
                select(Project.id).where(Project.account_id == w.a.account_id, theirs)
            ).all()
        )
    )


@reads()
def core_subquery_in_order_by(w: Scene):
    last = select(func.max(USERS.c.username)).correlate(None).scalar_subquery()
    return w.s.execute(select(last.label("x")).order_by(last)).all()


@reads()
def join_of_an_entity_to_a_core_table(w: Scene):
    return w.s.execute(select(Role.id, USERS.c.username).join(USERS, true())).all()


@reads()
def outer_join_of_an_entity_to_a_core_table(w: Scene):
    return w.s.execute(select(Role.id, USERS.c.username).join(USERS, true(), isouter=True)).all()


@reads()
def entity_beside_a_core_table(w: Scene):
    return w.s.execute(select(Role, USERS.c.username)).all()


@reads()
def entity_with_a_column_of_its_core_alias(w: Scene):
    other = USERS.alias()
    return w.s.execute(select(User.id, other.c.username).where(User.status == other.c.status)).all()


@reads()
def core_select_with_a_foreign_account(w: Scene):
    return w.s.execute(select(USERS).where(USERS.c.account_id == w.b.account_id)).all()


@reads()
def core_select_of_one_foreign_row(w: Scene):
    key = (USERS.c.account_id == w.b.account_id) & (USERS.c.id == w.b.users[0])
    return w.s.execute(select(USERS).where(key)).all()


@reads()
def core_select_of_audit_events(w: Scene):
    return w.s.execute(select(AuditEventRow.__table__.c.actor_label)).all()


@reads(only=("postgresql",))
def core_lateral(w: Scene):
    return w.s.execute(select(select(USERS.c.username).lateral("x"))).all()


@reads(only=("postgresql",))
def core_table_sample(w: Scene):
    return w.s.execute(select(tablesample(USERS, 100))).all()


@reads(only=("postgresql",))
def whole_row_of_a_core_table(w: Scene):
    return w.s.execute(select(func.row_to_json(USERS.table_valued()))).all()


@reads()
def from_only(w: Scene):
    return w.s.execute(select(USERS.c.username).with_hint(USERS, "ONLY", "postgresql")).all()


# -- around the session ------------------------------------------------------------------------------------


@reads()
def entity_on_the_session_s_connection(w: Scene):
    return w.connection().execute(select(User)).all()


@reads()
def core_on_the_session_s_connection(w: Scene):
    return w.connection().execute(select(USERS.c.username)).all()


@reads()
def entity_on_a_new_connection(w: Scene):
    with w.engine.connect() as connection:
        return connection.execute(select(User)).all()


@reads()
def core_on_a_new_connection(w: Scene):
    with w.engine.connect() as connection:
        return connection.execute(select(USERS)).all()


@reads()
def scalars_of_a_new_connection(w: Scene):
    with w.engine.begin() as connection:
        return connection.scalars(select(USERS.c.username)).all()


@reads()
def stream_of_a_new_connection(w: Scene):
    with w.engine.connect().execution_options(stream_results=True) as connection:
        return list(connection.execute(select(USERS.c.username)))


@reads()
def engine_with_other_options(w: Scene):
    with w.engine.execution_options(compiled_cache=None).connect() as connection:
        return connection.execute(select(USERS.c.username)).all()


@reads()
def connection_without_a_compiled_cache(w: Scene):
    with w.engine.connect().execution_options(compiled_cache=None) as connection:
        return connection.execute(select(USERS.c.username)).all()


@reads()
def bare_session_on_the_engine(w: Scene):
    with Session(w.engine) as session:
        return session.scalars(select(User)).all()


@reads()
def bare_session_on_the_connection(w: Scene):
    with Session(w.connection()) as session:
        return session.scalars(select(User)).all()


@reads()
def session_maker(w: Scene):
    with sessionmaker(w.engine)() as session:
        return session.scalars(select(User.username)).all()


@reads()
def get_in_a_bare_session(w: Scene):
    with Session(w.engine) as session:
        return session.get(User, (w.b.account_id, w.b.users[0]))


@reads()
def query_with_another_session(w: Scene):
    with Session(w.engine) as session:
        return w.s.query(User).with_session(session).all()


@reads()
def statement_sent_to_an_unguarded_engine(w: Scene):
    return w.s.execute(select(USERS.c.username), bind_arguments={"bind": w.world.watcher}).all()


@reads()
def session_s_connection_to_an_unguarded_engine(w: Scene):
    connection = w.s.connection(bind_arguments={"bind": w.world.watcher})
    return connection.execute(select(USERS.c.username)).all()


@reads()
def in_a_thread_of_its_own(w: Scene):
    found = []

    def work():
        try:
            with w.engine.connect() as connection:
                found.append(connection.execute(select(User.username)).all())
        except Exception as error:  # noqa: BLE001 - carried over to the form's own thread
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found


@reads()
def loader_criteria_of_the_attacker_s_own(w: Scene):
    everyone = with_loader_criteria(TenantOwned, lambda cls: true(), include_aliases=True)
    return w.s.scalars(select(User).options(everyone)).all()


# -- other names for the same table -----------------------------------------------------------------------


@reads()
def lightweight_table(w: Scene):
    return w.s.execute(select(table("users", column("username")))).all()


@reads()
def lightweight_table_with_an_account(w: Scene):
    users = table("users", column("username"), column("account_id"))
    return w.s.execute(
        select(users.c.username).where(users.c.account_id == literal(w.b.account_id, Uuid()))
    ).all()


@reads()
def table_of_a_second_metadata(w: Scene):
    users = Table("users", MetaData(), Column("username", String), Column("account_id", Uuid))
    return w.s.execute(select(users.c.username)).all()


@reads()
def table_copied_to_a_second_metadata(w: Scene):
    users = USERS.to_metadata(MetaData())
    return w.s.execute(select(users.c.username)).all()


@reads()
def table_with_a_schema(w: Scene):
    schema = {"sqlite": "main", "postgresql": "public"}.get(w.backend, w.engine.url.database)
    users = Table("users", MetaData(), Column("username", String), schema=schema)
    return w.s.execute(select(users.c.username)).all()


@reads()
def model_of_a_second_base(w: Scene):
    class Second(DeclarativeBase):
        pass

    class Shadow(Second):
        __tablename__ = "users"
        id: Mapped[str] = mapped_column(Uuid(), primary_key=True)
        username: Mapped[str]

    return w.s.scalars(select(Shadow.username)).all()


@reads()
def view_over_a_tenant_table(w: Scene):
    return w.s.execute(select(table("t_every_user", column("username")))).all()


@reads()
def reflected_table(w: Scene):
    users = Table("users", MetaData(), autoload_with=w.connection())
    return w.connection().execute(select(users.c.username)).all()

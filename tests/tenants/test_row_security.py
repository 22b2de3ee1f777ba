"""Row-level security on PostgreSQL: made from the metadata, set per transaction, quiet when unset, checked at start."""

# ruff: noqa: SIM117 - the inner block is the one that must fail

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, create_engine, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from saas.models import AuditEventRow, Identity, Project, SystemEventRow, User
from tenants import (
    ForeignTenantError,
    TenantMissingError,
    UnsafeDatabaseRoleError,
    enter_account,
    row_security,
)
from tests.tenants.models import OWNERSHIP, Note
from tests.tenants.world import World, plain_engine, tenant_engine

USERS, NOTES = User.__table__, Note.__table__


@pytest.fixture
def world(world_of: Callable[[str], World]) -> Iterator[World]:
    world = world_of("postgresql")
    yield world
    world.restore(world.look())


@pytest.fixture
def engine(world: World) -> Iterator[Engine]:
    """The app's engine, with one connection, so that the pool gives the same one again."""
    engine = create_engine(
        world.urls.tenant_url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0
    )
    row_security.begin_with_account(engine)
    yield engine
    engine.dispose()


def _app_without_account(world: World) -> Engine:
    return plain_engine(world.urls.tenant_url, NullPool)


def _note(account_id: UUID) -> dict[str, Any]:
    return {"account_id": account_id, "id": uuid7(), "body": "planted", "stars": 0, "flag": "x"}


# -- what is made from the metadata ------------------------------------------------------------------------


def test_every_owned_table_is_secured_by_force_and_no_global_one(world: World) -> None:
    statement = """
        SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class
        WHERE relkind = 'r' AND relname = ANY(:n)
    """
    names = [table.name for table in OWNERSHIP.tables]
    with world.watcher.connect() as connection:
        secured = dict(connection.execute(text(statement), {"n": names}).all())
    assert secured == {table.name: OWNERSHIP.owns(table) for table in OWNERSHIP.tables}


def test_every_owned_table_has_a_policy_for_each_role(world: World) -> None:
    roles = world.urls.roles
    assert roles is not None
    wanted = {
        ("tenant", roles.app, "ALL"),
        ("system_reads", roles.system, "SELECT"),
        ("owner", roles.owner, "ALL"),
    }
    with world.watcher.connect() as connection:
        found = connection.execute(
            text("SELECT tablename, policyname, roles[1], cmd FROM pg_policies")
        ).all()
    assert {tuple(row) for row in found} == {
        (t.name, *policy) for t in OWNERSHIP.owned_tables for policy in wanted
    }


def _secured_state(connection: Connection) -> list[Any]:
    statements = (
        """SELECT relname, relrowsecurity, relforcerowsecurity, relacl::text FROM pg_class
           WHERE relkind IN ('r', 'v') ORDER BY 1""",
        "SELECT tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
        """SELECT attrelid::regclass::text, attname, attacl::text FROM pg_attribute
           WHERE attacl IS NOT NULL ORDER BY 1, 2""",
    )
    return [connection.execute(text(statement)).all() for statement in statements]


def test_applying_the_policies_again_changes_nothing(world: World) -> None:
    assert world.urls.roles is not None
    admin = plain_engine(world.urls.admin_url, NullPool)
    with admin.begin() as connection:
        before = _secured_state(connection)
        row_security.apply_policies(connection, OWNERSHIP, world.urls.roles)
        row_security.apply_policies(connection, OWNERSHIP, world.urls.roles)
        assert _secured_state(connection) == before


def test_applying_the_policies_mends_a_policy_that_was_given_away(world: World) -> None:
    roles = world.urls.roles
    assert roles is not None
    admin = plain_engine(world.urls.admin_url, NullPool)
    with admin.begin() as connection:
        before = _secured_state(connection)
        connection.execute(text("ALTER POLICY tenant ON users TO PUBLIC"))
        connection.execute(text("ALTER POLICY tenant ON projects USING (true) WITH CHECK (true)"))
        connection.execute(text("ALTER TABLE users NO FORCE ROW LEVEL SECURITY"))
        connection.execute(text(f"GRANT ALL ON users TO {roles.app}"))
        row_security.apply_policies(connection, OWNERSHIP, roles)
        assert _secured_state(connection) == before


def test_roles_that_are_one_get_one_policy() -> None:
    one = row_security.DatabaseRoles("me", "me", "me")
    statements = list(row_security.policy_statements(OWNERSHIP, one, {"users"}, {"me"}, {}))
    assert not one.distinct()
    assert [s for s in statements if s.startswith("CREATE POLICY")] == [statements[2]]
    assert not any(s.startswith(("GRANT", "REVOKE")) for s in statements)


def test_tables_and_roles_that_are_not_there_are_left_out() -> None:
    roles = row_security.DatabaseRoles("app", "system", "owner")
    assert list(row_security.policy_statements(OWNERSHIP, roles, set(), {"app"}, {})) == []
    assert list(row_security.policy_statements(OWNERSHIP, roles, {"users"}, set(), {})) == (
        row_security.enable_statements("users")
    )


# -- unset is quiet and empty --------------------------------------------------------------------------------


def test_connection_that_never_set_an_account_sees_nothing_and_inserts_nothing(
    world: World,
) -> None:
    with _app_without_account(world).connect() as connection:
        assert connection.execute(select(USERS.c.id)).all() == []
        assert connection.execute(update(USERS).values(status="taken")).rowcount == 0
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(insert(NOTES), [_note(world.a.account_id)])


def test_account_ends_with_its_transaction(world: World, engine: Engine) -> None:
    with enter_account(world.a.account_id), engine.begin() as connection:
        assert len(connection.execute(select(USERS.c.id)).all()) == 2
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
    with patch.object(row_security, "_begin_in_account", lambda c: row_security._begin(c, "")):
        raw = engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute("SELECT pg_backend_pid(), current_setting('app.account_id', true)")
        assert cursor.fetchone() == (backend, "")  # a used setting goes back to '', not to NULL
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchone() == (0,)
        with pytest.raises(Exception, match="row-level security"):
            cursor.execute(
                "INSERT INTO t_links VALUES (%s, 'x', %s)", (world.a.account_id, world.a.users[0])
            )
        raw.close()


def test_next_account_on_the_same_connection_sees_its_own_rows(
    world: World, engine: Engine
) -> None:
    sizes = []
    for seat in (world.a, world.b, world.c, world.a):
        with enter_account(seat.account_id), engine.begin() as connection:
            sizes.append(len(connection.execute(select(USERS.c.id)).all()))
    assert sizes == [2, 3, 4, 2]


def test_account_survives_a_savepoint_and_ends_with_a_rollback(
    world: World, engine: Engine
) -> None:
    with enter_account(world.a.account_id), engine.connect() as connection:
        with connection.begin() as transaction:
            with connection.begin_nested() as savepoint:
                connection.execute(insert(NOTES), [_note(world.a.account_id)])
                savepoint.rollback()
            assert len(connection.execute(select(NOTES.c.id)).all()) == 2
            transaction.rollback()
        assert connection.scalar(text("SELECT current_setting('app.account_id')")) == str(
            world.a.account_id
        )
    with enter_account(world.b.account_id), engine.begin() as connection:
        assert len(connection.execute(select(NOTES.c.id)).all()) == 3


def test_transaction_refuses_to_serve_another_account(world: World, engine: Engine) -> None:
    with enter_account(world.b.account_id), engine.begin() as connection:
        connection.execute(select(USERS.c.id))
        with (
            enter_account(world.a.account_id),
            pytest.raises(ForeignTenantError, match="began inside another"),
        ):
            connection.execute(select(USERS.c.id))
        assert len(connection.execute(select(USERS.c.id)).all()) == 3


def test_transaction_does_not_begin_without_an_account(engine: Engine) -> None:
    with pytest.raises(TenantMissingError), engine.connect() as connection:
        connection.execute(select(USERS.c.id))


def test_account_that_is_no_uuid_never_gets_into_the_text(engine: Engine) -> None:
    with (
        patch.object(row_security, "current_account_id", lambda: "'; DROP TABLE users; --"),
        pytest.raises(TypeError, match=r"uuid\.UUID, not str"),
        engine.connect() as connection,
    ):
        connection.execute(select(USERS.c.id))


def test_read_only_transaction_writes_nothing(world: World, engine: Engine) -> None:
    reader = engine.execution_options(read_only=True)
    with enter_account(world.a.account_id), reader.connect() as connection:
        assert len(connection.execute(select(USERS.c.id)).all()) == 2
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.execute(update(USERS).values(status="taken"))


# -- three roles -------------------------------------------------------------------------------------------


def test_app_role_reads_no_password_hash_and_no_system_events(world: World, engine: Engine) -> None:
    for statement in (
        select(Identity.__table__.c.password_hash),
        select(SystemEventRow.__table__.c.id),
    ):
        with enter_account(world.a.account_id), engine.connect() as connection:
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(statement)


def test_app_role_changes_no_event_and_no_key(world: World, engine: Engine) -> None:
    moved = update(Project.__table__).values(account_id=world.b.account_id)
    for statement in (
        update(AuditEventRow.__table__).values(reason="x"),
        AuditEventRow.__table__.delete(),
        moved,
    ):
        with enter_account(world.a.account_id), engine.connect() as connection:
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(statement)


def test_system_role_reads_across_accounts_and_writes_no_owned_row(world: World) -> None:
    system = plain_engine(world.urls.system_url, NullPool)
    with system.connect() as connection:
        assert len(connection.execute(select(USERS.c.id)).all()) == 9
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(update(USERS).values(status="taken"))
    with system.connect() as connection:
        changed = update(Identity.__table__).where(Identity.__table__.c.id == world.a.identities[0])
        assert connection.execute(changed.values(email="x")).rowcount == 1
        connection.rollback()


def test_owner_works_under_force_by_its_own_policy(world: World) -> None:
    with plain_engine(world.urls.admin_url, NullPool).connect() as connection:
        assert len(connection.execute(select(USERS.c.id)).all()) == 9
        assert connection.execute(update(USERS).values(status="x")).rowcount == 9
        connection.rollback()


# -- the check at start-up -----------------------------------------------------------------------------------


def test_app_and_system_roles_pass_the_check(world: World) -> None:
    for url in (world.urls.tenant_url, world.urls.system_url):
        with plain_engine(url, NullPool).connect() as connection:
            row_security.check_role(connection, OWNERSHIP)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("superuser_url", "is a superuser"),
        ("superuser_url", "has BYPASSRLS"),
        ("admin_url", "the role owns users"),
    ],
)
def test_superuser_and_owner_are_refused(world: World, url: str, fault: str) -> None:
    with plain_engine(getattr(world.urls, url), NullPool).connect() as connection:
        with pytest.raises(UnsafeDatabaseRoleError, match=fault):
            row_security.check_role(connection, OWNERSHIP)


@contextmanager
def _changed(world: World, *statements: str) -> Iterator[Connection]:
    """Change the database, look at it as the app's role in the same transaction, and take everything back."""
    assert world.urls.roles is not None
    with world.watcher.connect() as connection:
        for statement in statements:
            connection.execute(text(statement.format(app=world.urls.roles.app)))
        connection.execute(text(f"SET LOCAL ROLE {world.urls.roles.app}"))
        yield connection
        connection.rollback()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("ALTER ROLE {app} BYPASSRLS", "has BYPASSRLS"),
        ("GRANT TRUNCATE ON users TO {app}", "may TRUNCATE users"),
        ("ALTER TABLE projects OWNER TO {app}", "the role owns projects"),
        (
            "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
            "row-level security is not forced on users",
        ),
        (
            "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
            "row-level security is not forced on users",
        ),
        ("DROP POLICY tenant ON users", "no policy holds this role on users"),
        ("ALTER POLICY tenant ON users USING (true)", "policy tenant on users lets more rows pass"),
        (
            "ALTER POLICY tenant ON users WITH CHECK (true)",
            "policy tenant on users lets more rows pass",
        ),
        (
            (
                "ALTER POLICY tenant ON users USING "
                "(status = 'open' OR account_id = current_setting('app.account_id')::uuid)"
            ),
            "policy tenant on users lets more rows pass",
        ),
        (
            "CREATE POLICY helper ON users TO {app} USING (true)",
            "policy helper on users lets more rows pass",
        ),
        (
            "CREATE POLICY helper ON users USING (true)",
            "policy helper on users lets more rows pass",
        ),
        (
            "ALTER VIEW t_every_user RESET (security_invoker)",
            "view t_every_user is read with its owner's rights",
        ),
        (
            "CREATE FUNCTION t_look() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM users'",
            r"function t_look runs with its owner's rights",
        ),
    ],
)
def test_way_past_the_policies_is_refused(world: World, change: str, fault: str) -> None:
    with _changed(world, change) as connection, pytest.raises(UnsafeDatabaseRoleError, match=fault):
        row_security.check_role(connection, OWNERSHIP)


def test_restrictive_policy_of_an_adopter_is_welcome(world: World) -> None:
    with _changed(
        world, "CREATE POLICY t_more ON users AS RESTRICTIVE TO {app} USING (status = 'active')"
    ) as connection:
        row_security.check_role(connection, OWNERSHIP)


def test_every_way_past_is_told_and_not_only_the_first(world: World) -> None:
    changes = ("ALTER ROLE {app} BYPASSRLS", "GRANT TRUNCATE ON users TO {app}")
    with _changed(world, *changes) as connection, pytest.raises(UnsafeDatabaseRoleError) as raised:
        row_security.check_role(connection, OWNERSHIP)
    assert "BYPASSRLS; the role may TRUNCATE users" in str(raised.value)
    assert "flask db roles" in str(raised.value)


def test_foreign_key_check_of_the_database_looks_past_policies_and_so_keys_carry_the_account(
    world: World,
) -> None:
    engine = tenant_engine(world.urls)
    row = _note(world.a.account_id) | {"parent_id": world.b.notes[0]}
    with enter_account(world.a.account_id), engine.connect() as connection:
        with pytest.raises(DBAPIError, match="foreign key"):
            connection.execute(insert(NOTES), [row])
    engine.dispose()

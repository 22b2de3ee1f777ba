"""The entered account: ambient, nested, restored, and never there where nobody entered it."""

# ruff: noqa: SIM117 - the inner block is the one that must fail

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import select

from saas.models import User
from tenants import (
    ForeignTenantError,
    TenantMissingError,
    across_accounts,
    current_account_id,
    enter_account,
)
from tenants.scope import entered_account_id
from tenants.session import TenantSession
from tests.tenants.catalogue import Mode, spread
from tests.tenants.world import World

A, B = UUID("0190c42a-7c00-7000-8000-00000000000a"), UUID("0190c42a-7c00-7000-8000-00000000000b")


def test_nobody_has_entered_an_account_at_first() -> None:
    assert entered_account_id() is None
    with pytest.raises(TenantMissingError, match="no account is entered"):
        current_account_id()


def test_inner_account_is_left_for_the_outer_one() -> None:
    with enter_account(A):
        with enter_account(B) as inner:
            assert current_account_id() == inner == B
        assert current_account_id() == A
    assert entered_account_id() is None


def test_account_is_left_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), enter_account(A):
        raise ZeroDivisionError
    assert entered_account_id() is None


@pytest.mark.parametrize("value", [str(A), A.hex, A.int, A.bytes, None, True])
def test_account_must_be_a_uuid(value: object) -> None:
    with pytest.raises(ForeignTenantError, match=r"uuid\.UUID"), enter_account(value):  # type: ignore[arg-type]
        pass


def test_account_of_a_derived_class_is_refused() -> None:
    class Loose(UUID):
        pass

    with pytest.raises(ForeignTenantError), enter_account(Loose(str(A))):
        pass


def test_thread_starts_without_an_account() -> None:
    found: list[UUID | None] = []
    with enter_account(A):
        thread = Thread(target=lambda: found.append(entered_account_id()))
        thread.start()
        thread.join()
    assert found == [None]


def test_pool_of_threads_keeps_no_account() -> None:
    def work(account_id: UUID) -> UUID:
        with enter_account(account_id):
            return current_account_id()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work, A).result() == A
        assert pool.submit(entered_account_id).result() is None


def test_copied_context_carries_the_account_on_purpose() -> None:
    with enter_account(A):
        context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(context.run, current_account_id).result() == A


def test_tasks_do_not_share_their_account() -> None:
    async def work(account_id: UUID) -> bool:
        with enter_account(account_id):
            await asyncio.sleep(0)
            return current_account_id() == account_id

    async def both() -> list[bool]:
        return await asyncio.gather(*(work(account_id) for account_id in (A, B) * 20))

    # In a thread of its own: another test's browser may keep an event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        assert all(pool.submit(asyncio.run, both()).result())


def test_generator_that_outlives_the_block_has_no_account() -> None:
    def stream() -> Iterator[UUID | None]:
        while True:
            yield entered_account_id()

    with enter_account(A):
        generator = stream()
        assert next(generator) == A
    assert next(generator) is None


def test_generator_enters_an_account_of_its_own() -> None:
    def stream() -> Iterator[UUID]:
        with enter_account(B):
            yield current_account_id()

    assert list(stream()) == [B]


def test_session_without_an_account_refuses_every_statement(lite: World) -> None:
    with spread(Mode.ALL, lite) as engine, TenantSession(engine, lite.a.account_id) as session:
        for ask in (
            lambda: session.scalars(select(User)).all(),
            lambda: session.get(User, (lite.a.account_id, lite.a.users[0])),
            lambda: session.query(User).all(),
            lambda: (
                session.connection()
                .execute(select(User).where(User.account_id == lite.a.account_id))
                .all()
            ),
        ):
            with pytest.raises(TenantMissingError):
                ask()


def test_session_of_another_account_refuses_every_statement(lite: World) -> None:
    with spread(Mode.ALL, lite) as engine, enter_account(lite.a.account_id):
        with TenantSession(engine, lite.b.account_id) as session:
            for ask in (
                lambda: session.scalars(select(User)).all(),
                lambda: session.get_one(User, (lite.b.account_id, lite.b.users[0])),
                lambda: session.merge(User(account_id=lite.b.account_id, id=lite.b.users[0])),
            ):
                with pytest.raises(ForeignTenantError):
                    ask()


def test_closed_session_stays_closed(lite: World) -> None:
    from sqlalchemy.exc import InvalidRequestError

    with spread(Mode.ALL, lite) as engine, enter_account(lite.a.account_id):
        session = TenantSession(engine, lite.a.account_id)
        session.close()
        with pytest.raises(InvalidRequestError):
            session.scalars(select(User)).all()


def test_door_across_accounts_needs_a_reason(lite: World) -> None:
    with pytest.raises(ValueError, match="needs a reason"), across_accounts(lite.watcher, "  "):
        pass


def test_door_across_accounts_sees_all_accounts(lite: World) -> None:
    with across_accounts(lite.watcher, "the test counts everyone") as connection:
        assert len(connection.execute(select(User.username)).all()) == 9
        assert connection.get_execution_options()["read_only"] is True

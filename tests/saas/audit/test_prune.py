"""Pruning: off by default, whole days, told in the chain, never past a destination, and verifiable afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from saas import database, errors
from saas.actor import system_actor
from saas.audit import copies, pruning
from saas.audit.reading import Chain
from saas.audit.verify import Verdict
from saas.columns import utc_now
from saas.models import Account
from saas.services import account_services
from tenants import enter_account
from tests.house import House
from tests.people import Person
from tests.refusals import look, nothing_changes, superuser
from tests.saas.audit.tampering import EVENTS, Log
from tests.saas.audit.test_verify import exported, run_on, verify, write_some


@pytest.fixture
def owner(house: House) -> Iterator[Engine]:
    engine = database.owner_engine(house.settings.database_admin_url)
    yield engine
    engine.dispose()


def grow_old(house: House, person: Person, until_seq: int, days: int = 40) -> None:
    """Let events be as old as if they had been written then: linked and all."""
    with superuser(house) as connection:
        head = Chain(person.account_id).head(run_on(connection))
        assert head is not None
        log = Log(connection, person.account_id, person.account_id, head.seq)
        old = utc_now() - timedelta(days=days)
        for seq in range(1, until_seq + 1):
            log.change(seq, time=old)
        log.set_head(hash=log.relink(1))


def seqs(house: House, person: Person) -> list[int]:
    mine = select(EVENTS.c.seq).where(EVENTS.c.account_id == person.account_id)
    return [row.seq for row in look(house, mine.order_by(EVENTS.c.seq))]


def prune(house: House, owner: Engine, person: Person, **how: object) -> pruning.Pruned:
    chosen = {"keep_days": 30, "not_past": None} | how
    with house.in_use():
        return pruning.prune(owner, person.account_id, **chosen)  # type: ignore[arg-type]


def test_old_events_go_and_the_chain_tells_of_it(house: House, ada: Person, owner: Engine) -> None:
    write_some(house, ada, 8)
    grow_old(house, ada, 6)
    copy = exported(house, ada)
    last = seqs(house, ada)[-1]

    gone = prune(house, owner, ada)

    assert (gone.removed, gone.last_seq) == (6, 6)
    assert seqs(house, ada) == list(range(7, last + 2))
    event = ada.events()[-1]
    assert (event["action"], event["actor_label"]) == ("audit.pruned", "flask audit prune")
    assert (event["data"]["last_seq"], event["data"]["removed"]) == (6, 6)
    with superuser(house) as connection:
        report = verify(connection, ada)
        (against,) = copies.compare(io.BytesIO(copy), run_on(connection))
    assert (report.verdict, report.pruned, report.first_seq) == (Verdict.GOOD, 6, 7)
    assert against.verdict is Verdict.GOOD
    (offline,) = copies.verify(io.BytesIO(exported(house, ada)))
    assert (offline.verdict, offline.pruned) == (Verdict.GOOD, 6)


def test_it_can_be_done_again_and_the_older_mark_may_go(
    house: House, ada: Person, owner: Engine
) -> None:
    write_some(house, ada, 5)
    grow_old(house, ada, 3)
    prune(house, owner, ada)
    write_some(house, ada, 4, seed=2)
    with superuser(house) as connection:
        assert verify(connection, ada).verdict is Verdict.GOOD

    assert prune(house, owner, ada).removed == 0
    assert prune(house, owner, ada, keep_days=30).removed == 0
    with superuser(house) as connection:
        log = Log(connection, ada.account_id, ada.account_id, 0)
        marker = next(e["seq"] for e in ada.events() if e["action"] == "audit.pruned")
        old = utc_now() - timedelta(days=40)
        for seq in range(4, marker + 2):
            log.change(seq, time=old)
        log.set_head(hash=log.relink(4))
    gone = prune(house, owner, ada)
    assert gone.last_seq == marker + 1
    with superuser(house) as connection:
        assert verify(connection, ada).verdict is Verdict.GOOD


def test_young_events_stay(house: House, ada: Person, owner: Engine) -> None:
    grow_old(house, ada, 2, days=29)

    with nothing_changes(house, ada):
        assert prune(house, owner, ada).removed == 0


def test_it_never_passes_the_slowest_destination(house: House, ada: Person, owner: Engine) -> None:
    write_some(house, ada, 8)
    grow_old(house, ada, 6)

    assert prune(house, owner, ada, not_past=4).last_seq == 4
    assert prune(house, owner, ada, not_past=4).removed == 0


def test_a_young_event_keeps_what_comes_after_it(house: House, ada: Person, owner: Engine) -> None:
    """A clock that went back: an old time behind a young one."""
    write_some(house, ada, 8)
    grow_old(house, ada, 2)
    with superuser(house) as connection:
        log = Log(connection, ada.account_id, ada.account_id, 0)
        log.change(5, time=utc_now() - timedelta(days=90))
        log.set_head(hash=log.relink(1))

    assert prune(house, owner, ada).last_seq == 2


def test_of_a_log_that_is_all_old_the_mark_stays(house: House, ada: Person, owner: Engine) -> None:
    last = seqs(house, ada)[-1]
    grow_old(house, ada, last)

    assert prune(house, owner, ada).last_seq == last
    assert set(ada.actions()) == {"audit.pruned"}
    with superuser(house) as connection:
        assert verify(connection, ada).verdict is Verdict.GOOD


def test_a_dry_run_says_the_same_and_removes_nothing(
    house: House, ada: Person, owner: Engine
) -> None:
    write_some(house, ada, 8)
    grow_old(house, ada, 6)

    with nothing_changes(house, ada):
        told = prune(house, owner, ada, dry_run=True)

    assert told == prune(house, owner, ada)


def test_many_go_in_several_transactions(
    house: House, ada: Person, owner: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    write_some(house, ada, 8)
    grow_old(house, ada, 6)

    assert prune(house, owner, ada) == pruning.Pruned(6, 6)
    assert ada.actions()[-3:] == ["audit.pruned"] * 3
    with superuser(house) as connection:
        assert verify(connection, ada).verdict is Verdict.GOOD


def test_removing_without_telling_is_found(house: House, ada: Person, owner: Engine) -> None:
    write_some(house, ada, 5)
    with superuser(house) as connection:
        connection.execute(
            EVENTS.delete().where(EVENTS.c.account_id == ada.account_id, EVENTS.c.seq < 4)
        )
        report = verify(connection, ada)
        connection.rollback()

    assert report.finding is not None
    assert (report.verdict, report.finding.seq) == (Verdict.TAMPERED, 1)


def test_no_other_account_is_touched(house: House, ada: Person, gus: Person, owner: Engine) -> None:
    for person in (ada, gus):
        write_some(house, person, 5)
        grow_old(house, person, 4)

    before = gus.events()

    assert prune(house, owner, ada).removed == 4
    assert gus.events() == before


def test_less_than_a_day_is_refused(house: House, ada: Person, owner: Engine) -> None:
    with pytest.raises(ValueError, match="1 day"):
        prune(house, owner, ada, keep_days=0)


class TestRetention:
    def test_it_is_off_until_it_is_set_and_the_log_tells(self, house: House, ada: Person) -> None:
        accounts = Account.__table__
        mine = select(accounts.c.audit_retention_days).where(
            accounts.c.account_id == ada.account_id
        )
        assert look(house, mine)[0][0] is None

        with house.in_use(), enter_account(ada.account_id):
            staff = system_actor(ada.account_id, "flask audit retention")
            account_services.set_audit_retention(staff, days=90, reason="contract 12")
            account_services.set_audit_retention(staff, days=90, reason="again")

        assert look(house, mine)[0][0] == 90
        event = ada.events()[-1]
        assert (event["action"], event["reason"]) == ("account.updated", "contract 12")
        assert event["changes"] == [{"field": "audit_retention_days", "old": None, "new": 90}]

    @pytest.mark.parametrize("days", [0, -1, 40_000])
    def test_days_that_make_no_sense_are_refused(
        self, house: House, ada: Person, days: int
    ) -> None:
        staff = system_actor(ada.account_id, "flask audit retention")
        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(errors.ValidationFailedError),
        ):
            account_services.set_audit_retention(staff, days=days, reason="because")

    def test_it_is_for_staff_alone(self, house: House, ada: Person) -> None:
        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(errors.PermissionDeniedError),
        ):
            account_services.set_audit_retention(ada.actor(), days=1, reason="because")


class TestTheLogIsOnlyAddedTo:
    """On every database; on PostgreSQL the roles' privileges hold it too (tests/tenants)."""

    @pytest.mark.parametrize("verb", ["update", "delete"])
    def test_not_on_the_system_engine(self, house: House, ada: Person, verb: str) -> None:
        from saas.audit.coverage import LogIsAppendOnlyError

        statement = EVENTS.delete() if verb == "delete" else update(EVENTS).values(reason="x")
        with (
            house.database.system_engine.connect() as connection,
            nothing_changes(house, ada),
            pytest.raises(LogIsAppendOnlyError),
        ):
            connection.execute(statement.where(EVENTS.c.account_id == ada.account_id))

    @pytest.mark.parametrize("verb", ["update", "delete"])
    def test_not_inside_an_account(self, house: House, ada: Person, verb: str) -> None:
        from tenants import UnscopableStatementError

        statement = EVENTS.delete() if verb == "delete" else update(EVENTS).values(reason="x")
        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(UnscopableStatementError),
            database.unit_of_work() as unit,
        ):
            unit.execute(statement.where(EVENTS.c.account_id == ada.account_id))

    def test_audited_tables_are_not_written_where_nobody_asks_for_the_event(
        self, house: House, ada: Person
    ) -> None:
        from saas.audit.coverage import UnauditedChangeError
        from saas.models import Identity

        identities = Identity.__table__
        with (
            house.database.system_engine.connect() as connection,
            nothing_changes(house, ada),
            pytest.raises(UnauditedChangeError, match="identities"),
        ):
            connection.execute(update(identities).values(suspended_at=utc_now()))

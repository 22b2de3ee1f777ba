"""The chain that PostgreSQL links in one statement is the chain that Python links in three."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Text, event, select, type_coerce
from sqlalchemy.exc import NoResultFound
from uuid_utils.compat import uuid7

from saas import database
from saas.audit import chain
from saas.audit.events import AuditEvent
from saas.audit.record import record
from saas.models import AuditEventRow, AuditHead, Project
from saas.services import project_services
from tenants import enter_account
from tests.house import House
from tests.people import Person

WRITERS, CHANGES = 4, 25


def change(house: House, ada: Person, name: str) -> None:
    with house.in_use(), enter_account(ada.account_id):
        project_services.create_project(ada.actor(), name=name)


def stored(house: House, ada: Person) -> tuple[list[dict[str, Any]], Any]:
    """Every event of the account in its order, and the head."""
    events, heads = AuditEventRow.__table__, AuditHead.__table__
    account_id = ada.account_id
    with house.in_use(), enter_account(account_id), database.reading() as unit:
        ours = select(events).where(events.c.account_id == account_id).order_by(events.c.seq)
        rows = [dict(row) for row in unit.execute(ours).mappings()]
        return rows, unit.execute(select(heads).where(heads.c.account_id == account_id)).one()


def test_every_link_is_the_one_that_python_makes(house: House, ada: Person) -> None:
    change(house, ada, "Apollo – “ü” \\ \"quoted\" 'single' %s %(name)s :colon")

    rows, head = stored(house, ada)

    prev = chain.GENESIS
    for seq, row in enumerate(rows, 1):
        digest = chain.digest(row)
        assert (row["seq"], row["prev"], row["digest"]) == (seq, prev, digest)
        assert row["hash"] == chain.link(prev, seq, digest)
        prev = row["hash"]
    assert (head.seq, head.prev, head.hash) == (len(rows), rows[-1]["prev"], prev)
    assert rows[-1]["action"] == "project.created"


def test_one_event_takes_one_statement_on_postgresql_and_three_elsewhere(
    house: House, ada: Person
) -> None:
    run: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        run.append(statement)

    event.listen(house.database.tenant_engine, "before_cursor_execute", note)
    try:
        change(house, ada, "Apollo")
    finally:
        event.remove(house.database.tenant_engine, "before_cursor_execute", note)

    expected = 1 if house.backend == "postgresql" else 3
    assert len([statement for statement in run if "audit_" in statement]) == expected


def test_two_events_of_one_change_are_linked_too(house: House, ada: Person) -> None:
    before, _ = stored(house, ada)
    with house.in_use(), enter_account(ada.account_id), database.unit_of_work() as unit:
        for name in ("Apollo", "Gemini"):
            project_model = Project(name=name)
            unit.session.add(project_model)
            unit.flush()
            record(AuditEvent.PROJECT_CREATED, actor=ada.actor(), target=project_model)

    after, head = stored(house, ada)
    added = after[len(before) :]

    assert [row["target_label"] for row in added] == ["Apollo", "Gemini"]
    assert [row["prev"] for row in added] == [before[-1]["hash"], added[0]["hash"]]
    assert (head.seq, head.prev, head.hash) == (len(after), added[0]["hash"], added[1]["hash"])


def test_writers_at_once_leave_no_gap_and_no_fork(house: House, ada: Person) -> None:
    before, _ = stored(house, ada)

    def work(writer: int) -> None:
        for number in range(CHANGES):
            change(house, ada, f"{writer}-{number}")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))

    rows, head = stored(house, ada)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == len(before) + WRITERS * CHANGES
    assert [row["prev"] for row in rows] == [chain.GENESIS, *(row["hash"] for row in rows[:-1])]
    assert all(row["hash"] == chain.link(row["prev"], row["seq"], row["digest"]) for row in rows)
    assert (head.seq, head.hash) == (len(rows), rows[-1]["hash"])


def test_what_is_stored_is_what_was_digested_to_the_last_byte(house: House, ada: Person) -> None:
    said = '\\u0041 \\\\ " / \u00e9 e\u0301 \U0001f600 \x7f \ud7ff {} [] null 1e400 -0'
    changes = [{"field": "description", "old": None, "new": {"b": [1, -5, True], "a": said}}]
    with house.in_use(), enter_account(ada.account_id), database.unit_of_work():
        record(AuditEvent.PROJECT_UPDATED, actor=ada.actor(), changes=changes, reason=said)

    rows, _ = stored(house, ada)
    assert rows[-1]["changes"] == changes
    assert rows[-1]["digest"] == chain.digest(rows[-1])
    with house.in_use(), enter_account(ada.account_id), database.reading() as unit:
        text = unit.execute(
            select(type_coerce(AuditEventRow.__table__.c.changes, Text)).where(
                AuditEventRow.__table__.c.account_id == ada.account_id,
                AuditEventRow.__table__.c.seq == rows[-1]["seq"],
            )
        ).scalar_one()
    assert text == json.dumps(changes, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def test_without_a_head_nothing_is_written(house: House, ada: Person) -> None:
    nowhere = uuid7()
    with house.in_use(), enter_account(nowhere):
        with pytest.raises(NoResultFound), database.unit_of_work():
            record(AuditEvent.PROJECT_CREATED, actor=ada.actor())
        with database.reading() as unit:
            events = AuditEventRow.__table__
            ours = select(events.c.seq).where(events.c.account_id == nowhere)
            assert unit.execute(ours).all() == []

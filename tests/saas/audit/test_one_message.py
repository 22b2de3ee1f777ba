"""The chain that PostgreSQL links is the chain that Python links, and its events go out in one message with COMMIT."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Text, delete, insert, select, text, type_coerce
from sqlalchemy.exc import DBAPIError, NoResultFound, ProgrammingError
from uuid_utils.compat import uuid7

from saas import database, errors
from saas.audit import canonical, chain, one_message
from saas.audit.events import AuditEvent
from saas.audit.one_message import append_and_commit
from saas.audit.record import record
from saas.models import AuditEventRow, AuditHead, Project
from saas.services import project_services
from saas.unit import Unit
from tenants import ForeignTenantError, enter_account
from tests.house import House, Street
from tests.people import Person
from tests.proofs import unrestricted
from tests.variants import variant

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
        with pytest.raises((NoResultFound, ProgrammingError)), database.unit_of_work():
            record(AuditEvent.PROJECT_CREATED, actor=ada.actor())
        with database.reading() as unit:
            events = AuditEventRow.__table__
            ours = select(events.c.seq).where(events.c.account_id == nowhere)
            assert unit.execute(ours).all() == []


def test_a_change_whose_event_fails_is_not_made_either(house: House, ada: Person) -> None:
    heads = AuditHead.__table__
    ours = heads.c.account_id == ada.account_id
    with unrestricted.looking(house.urls) as connection, connection.begin():
        head = connection.execute(select(heads).where(ours)).one()._mapping
        connection.execute(delete(heads).where(ours))
    try:
        with pytest.raises((NoResultFound, ProgrammingError)):
            change(house, ada, "Apollo")
    finally:
        with unrestricted.looking(house.urls) as connection, connection.begin():
            connection.execute(insert(heads).values(**head))
    change(house, ada, "Gemini")

    assert [p["name"] for p in ada.get("/api/projects").json["data"]] == ["Gemini"]
    rows, _ = stored(house, ada)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert [r["target_label"] for r in rows if r["action"] == "project.created"] == ["Gemini"]


class TestOnPostgreSQL:
    """What only its one message can do, or get wrong."""

    @pytest.fixture
    def house(self, street: Street) -> House:
        return street.open("postgresql")

    def test_every_event_of_a_change_goes_out_with_commit(
        self, house: House, ada: Person, tmp_path: Path
    ) -> None:
        with house.in_use(), enter_account(ada.account_id), (tmp_path / "sent").open("w+") as sent:
            with database.unit_of_work() as unit:
                for name in ("Apollo", "Gemini"):
                    project_model = Project(name=name)
                    unit.session.add(project_model)
                    unit.flush()
                    record(AuditEvent.PROJECT_CREATED, actor=ada.actor(), target=project_model)
                pgconn = driver_of(unit).pgconn
                pgconn.trace(sent.fileno())
            pgconn.untrace()
            sent.seek(0)
            messages = [line for line in sent if line.split("\t")[1] == "F"]

        (message,) = messages
        assert message.count("SELECT * FROM append_audit_event(") == 2
        assert message.rstrip().endswith('; COMMIT"')

    def test_the_function_writes_every_field_of_an_event(self, house: House) -> None:
        with unrestricted.looking(house.urls) as connection:
            source = connection.scalar(
                text("SELECT prosrc FROM pg_proc WHERE proname = 'append_audit_event'")
            )
        written = set(re.findall(r"\be\.(\w+)", source)) | {"account_id"}
        assert written == set(canonical.FIELDS)

    def test_text_ends_where_it_ends_whatever_a_backslash_means(
        self, house: House, ada: Person
    ) -> None:
        said = "\\'); DELETE FROM projects; --"
        with house.in_use(), enter_account(ada.account_id):
            for meaning in ("on", "off"):
                with database.unit_of_work() as unit:
                    driver_of(unit).execute(f"SET LOCAL standard_conforming_strings = {meaning}")
                    record(AuditEvent.PROJECT_UPDATED, actor=ada.actor(), reason=said)

        rows, _ = stored(house, ada)
        assert [row["reason"] for row in rows[-2:]] == [said, said]
        assert all(row["digest"] == chain.digest(row) for row in rows)

    def test_text_is_told_as_utf_8_whatever_the_process_was_told(
        self, house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        with variant(house) as other:
            change(other, ada, "Ünïcödé 日本")

        rows, _ = stored(house, ada)
        assert rows[-1]["target_label"] == "Ünïcödé 日本"
        assert rows[-1]["digest"] == chain.digest(rows[-1])

    def test_an_account_that_is_not_entered_gets_no_event(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        before = stored(house, gus)
        with (
            house.in_use(),
            enter_account(ada.account_id),
            database.unit_of_work() as unit,
            pytest.raises(ForeignTenantError),
        ):
            append_and_commit(unit.connection, gus.account_id, [(b"{}", "")])
        assert stored(house, gus) == before

    def test_row_level_security_refuses_it_too(
        self, house: House, ada: Person, gus: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = stored(house, gus)
        monkeypatch.setattr(one_message, "check_values", lambda *_: None)
        with (
            house.in_use(),
            enter_account(ada.account_id),
            pytest.raises(ProgrammingError, match="no rows"),
            database.unit_of_work() as unit,
        ):
            append_and_commit(unit.connection, gus.account_id, [(b"{}", "")])
        assert stored(house, gus) == before

    def test_a_connection_that_breaks_is_a_database_that_is_away_and_the_next_one_works(
        self, house: House, ada: Person
    ) -> None:
        before, _ = stored(house, ada)

        def change_and_break() -> None:
            with database.unit_of_work() as unit, unrestricted.looking(house.urls) as superuser:
                record(AuditEvent.PROJECT_UPDATED, actor=ada.actor())
                backend = driver_of(unit).info.backend_pid
                superuser.execute(text(f"SELECT pg_terminate_backend({backend})"))

        with (
            house.in_use(),
            enter_account(ada.account_id),
            pytest.raises(errors.DatabaseAwayError) as broken,
        ):
            change_and_break()
        cause = broken.value.__cause__
        assert isinstance(cause, DBAPIError)
        assert cause.connection_invalidated
        assert "append_audit_event" in str(cause)

        change(house, ada, "Apollo")
        rows, _ = stored(house, ada)
        assert [row["action"] for row in rows[len(before) :]] == ["project.created"]


def driver_of(unit: Unit) -> psycopg.Connection:
    driver = unit.connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver

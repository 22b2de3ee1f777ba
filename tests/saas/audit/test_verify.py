"""Verifying: what a chain can show is shown with the right number, what only a copy can show is shown by it."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from saas.audit import copies, export
from saas.audit.reading import Chain
from saas.audit.verify import Report, Verdict
from saas.services import audit_services, project_services
from tenants import enter_account
from tests.house import House
from tests.people import Person, register
from tests.proving import grows, sized
from tests.refusals import superuser
from tests.saas.audit import tampering
from tests.saas.audit.tampering import KINDS, Found, Log

PLACES = sized(20, 1000)
GOOD_LOGS = sized(50, 1000)
WORDS = ("Apollo", "é", "e\u0301", "🦉", 'q"\\', "<i>", "日本", "a/b", "\u00a0x", "İ", "ẞ")


def run_on(connection: Any) -> Callable[[Any, Any], Any]:
    return lambda statement, parameters: connection.execute(statement, parameters).all()


@contextmanager
def tampering_with(house: House, ada: Person, gus: Person) -> Iterator[Log]:
    """A log to tamper with, past every guard; it is whole again afterwards."""
    with superuser(house) as connection:
        head = Chain(ada.account_id).head(run_on(connection))
        assert head is not None
        yield Log(connection, ada.account_id, gus.account_id, head.seq)
        connection.rollback()


def write_some(house: House, person: Person, number: int, seed: int = 1) -> None:
    chance = random.Random(seed)
    with house.in_use(), enter_account(person.account_id):
        actor = person.actor()
        for each in range(number):
            name = f"{chance.choice(WORDS)} {each}"
            made = project_services.create_project(
                actor, name=name, description=chance.choice(WORDS)
            )
            if chance.random() < 0.3:
                project_services.update_project(actor, project_id=made.id, name=f"{name}!")


def exported(house: House, person: Person) -> bytes:
    with house.in_use(), enter_account(person.account_id):
        return b"".join(
            audit_services.export_events(person.actor(), form="ndjson", filters=audit_services.ALL)
        )


def verify(connection: Any, person: Person) -> Report:
    return Chain(person.account_id).verify(run_on(connection))


@grows
@pytest.mark.timeout(sized(120, 3600))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tampering_is_found_at_its_first_event(
    house: House, kind: Callable[[Log, int], Found]
) -> None:
    ada, gus = register(house, "ada"), register(house, "gus")
    write_some(house, ada, 20)
    copy = exported(house, ada)
    chance = random.Random(kind.__name__)

    for _ in range(PLACES):
        with tampering_with(house, ada, gus) as log:
            assert verify(log.connection, ada).verdict is Verdict.GOOD
            found = kind(log, chance.randint(2, log.last - 2))  # the copy has it
            told = verify(log.connection, ada)
            compared = copies.compare(io.BytesIO(copy), run_on(log.connection))

        bad = told.finding.seq if told.finding else None
        assert (told.verdict is Verdict.TAMPERED, bad) == (
            found.by_chain is not None,
            found.by_chain,
        )
        (other,) = compared
        if found.by_copy is not None:
            assert other.finding is not None
            assert other.finding.seq == found.by_copy
        assert found.by_chain is not None or other.verdict is Verdict.TAMPERED


@grows
@pytest.mark.timeout(sized(120, 1800))
def test_no_good_log_is_called_bad(lite: House) -> None:
    for number in range(GOOD_LOGS):
        person = register(lite, "ada")
        write_some(lite, person, number % 7, seed=number)
        with superuser(lite) as connection:
            report = verify(connection, person)
        assert (report.verdict, report.finding) == (Verdict.GOOD, None)
        assert report.last_seq == report.events


def test_the_chain_of_the_system_is_whole(house: House, ada: Person) -> None:
    with superuser(house) as connection:
        report = Chain(None).verify(run_on(connection))

    assert (report.verdict, report.chain) == (Verdict.GOOD, "system")
    assert report.events > 0


def test_a_chain_without_a_head_is_bad(house: House, ada: Person, gus: Person) -> None:
    with tampering_with(house, ada, gus) as log:
        log.connection.execute(
            tampering.HEADS.delete().where(tampering.HEADS.c.account_id == ada.account_id)
        )
        assert verify(log.connection, ada).verdict is Verdict.TAMPERED


class TestCopies:
    def test_an_export_verifies_by_itself(self, house: House, ada: Person) -> None:
        write_some(house, ada, 5)

        (report,) = copies.verify(io.BytesIO(exported(house, ada)))

        assert (report.verdict, report.chain) == (Verdict.GOOD, str(ada.account_id))

    @pytest.mark.parametrize("field", ["actor_label", "reason", "time", "data", "hash", "prev"])
    def test_a_changed_line_is_found(self, lite: House, solo: Person, field: str) -> None:
        write_some(lite, solo, 5)
        events = [json.loads(line) for line in exported(lite, solo).splitlines()]
        events[3][field] = {"x": 1} if field == "data" else "x"

        (report,) = copies.verify(json.dumps(event).encode() for event in events)

        assert report.finding is not None
        assert (report.verdict, report.finding.seq) == (Verdict.TAMPERED, 4)

    def test_what_is_left_out_makes_it_incomplete(self, lite: House, solo: Person) -> None:
        write_some(lite, solo, 5)
        lines = exported(lite, solo).splitlines()

        for kept, seq in ((lines[2:], 1), (lines[:3] + lines[4:], 4)):
            (report,) = copies.verify(kept)
            assert report.finding is not None
            assert (report.verdict, report.finding.seq) == (Verdict.INCOMPLETE, seq)

    @pytest.mark.parametrize(
        "line", [b"{", b"[]", b"{}", b'{"account_id":"x"}', b"seq,account_id", b"\xff"]
    )
    def test_what_is_no_export_is_refused_with_its_line(self, line: bytes) -> None:
        with pytest.raises(copies.UnreadableCopyError, match="Line 1"):
            copies.verify([line])


class TestOfTheApi:
    def test_it_says_that_the_chain_is_whole(self, house: House, ada: Person) -> None:
        answer = ada.get("/api/audit-events/verify")

        last = ada.events()[-1]["seq"]
        assert answer.json["data"] == {
            "chain": str(ada.account_id), "verdict": "good", "events": last, "first_seq": 1,
            "last_seq": last, "pruned": 0, "bad_seq": None, "finding": None,
        }  # fmt: skip

    def test_it_goes_on_behind_an_event(self, house: House, ada: Person) -> None:
        answer = ada.get("/api/audit-events/verify?after_seq=2").json["data"]

        assert (answer["verdict"], answer["first_seq"]) == ("good", 3)
        assert ada.get("/api/audit-events/verify?after_seq=99999").status_code == 422


def test_the_reader_and_the_writer_make_the_same_bytes(house: House, ada: Person) -> None:
    write_some(house, ada, 10)
    with superuser(house) as connection:
        for rows in Chain(ada.account_id).pages(run_on(connection)):
            shown = [export.as_event(row) for row in rows]
    api = ada.events()

    assert shown == api

"""Exports: permissions, validation, the three forms, flat memory; and the log tells of each."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from saas.services import audit_services
from tests.house import House
from tests.people import Person, Team
from tests.refusals import nothing_changes, refused
from tests.saas.audit.test_verify import write_some

EXPORT = "/api/audit-events/export"


def export(person: Person, **query: Any) -> Any:
    answer = person.get(EXPORT, query_string=query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer


def test_only_who_may_export_does(acme: Team, house: House) -> None:
    for person in (acme.cleo, acme.vera):
        with nothing_changes(house, acme.ada):
            refused(person.get(EXPORT), 40301)
    assert export(acme.ben).data


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xml"},
        {"action": "no.such"},
        {"outcome": "x"},
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "yesterday"},
        {"limit": 5},
        {"actor_id": "x"},
    ],
)
def test_filters_that_make_no_sense_are_refused(ada: Person, house: House, query: Any) -> None:
    with nothing_changes(house, ada):
        refused(ada.get(EXPORT, query_string=query), 42201)


def test_ndjson_is_what_the_api_shows_and_ends_before_itself(house: House, ada: Person) -> None:
    write_some(house, ada, 5)
    before = ada.events()

    answer = export(ada)

    assert answer.mimetype == "application/x-ndjson"
    assert [json.loads(line) for line in answer.data.splitlines()] == before
    event = ada.events()[-1]
    assert (event["action"], event["data"]) == (
        "audit.exported",
        {"format": "ndjson", "filters": {}, "until_seq": before[-1]["seq"]},
    )


def test_filters_are_told(ada: Person) -> None:
    ada.post("/api/projects", {"name": "Apollo"})

    answer = export(ada, action="project.created", **{"from": "2026-01-01T00:00:00Z"})

    assert [json.loads(line)["action"] for line in answer.data.splitlines()] == ["project.created"]
    assert ada.events()[-1]["data"]["filters"] == {
        "action": "project.created",
        "since": "2026-01-01T00:00:00.000000Z",
    }


def test_nothing_of_another_account(house: House, ada: Person, gus: Person) -> None:
    told = export(ada).data.decode()

    assert str(gus.account_id) not in told
    assert {json.loads(line)["account_id"] for line in told.splitlines()} == {str(ada.account_id)}


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\uff1d1"])
def test_no_cell_of_csv_begins_a_formula(ada: Person, name: str) -> None:
    assert ada.post("/api/projects", {"name": name}).status_code == 201

    answer = export(ada, format="csv")

    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.data.decode())))
    assert rows[-1]["target_label"] == f"'{name}"
    assert [int(row["seq"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_ecs_keeps_to_its_fields(ada: Person) -> None:
    ada.post("/api/projects", {"name": "Apollo"})

    *_, last = [json.loads(line) for line in export(ada, format="ecs").data.splitlines()]

    assert last["event"]["action"] == "project.created"
    assert (last["event"]["kind"], last["event"]["category"]) == ("event", ["iam"])
    assert (last["event"]["type"], last["event"]["outcome"]) == (["creation"], "success")
    assert last["@timestamp"] == last["tenantry"]["time"]
    assert last["user"] == {"id": last["tenantry"]["actor_id"], "name": "ada"}
    assert last["organization"] == {"id": str(ada.account_id)}


def test_many_pages_are_one_export(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_services, "_EXPORT_PAGE", 3)
    write_some(house, ada, 10)
    before = ada.events()

    assert [json.loads(line) for line in export(ada).data.splitlines()] == before


def test_between_two_pieces_nothing_is_open(house: House, ada: Person) -> None:
    """A reader that is slow, or gone, holds no transaction and no account."""
    from saas.unit import find_unit
    from tenants import enter_account
    from tenants.scope import entered_account_id

    write_some(house, ada, 4)
    with house.in_use(), enter_account(ada.account_id):
        pieces = audit_services.export_events(ada.actor(), form="csv", filters=audit_services.ALL)
    for _ in pieces:
        assert find_unit() is None
        assert entered_account_id() is None
    assert house.database.tenant_engine.pool.checkedout() == 0  # type: ignore[attr-defined]

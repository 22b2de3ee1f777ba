"""GET /api/audit-events: who reads the log, its filters, its pages, its two orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from saas.models import AuditEventRow
from tests.house import House
from tests.people import PASSWORD, Person, Team
from tests.refusals import nothing_changes, refused, said

EVENTS = "/api/audit-events"
# In the order of the envelope, as version 1 has it.
ENVELOPE = [
    "v",
    "id",
    "account_id",
    "seq",
    "time",
    "action",
    "crud",
    "outcome",
    "reason",
    "severity",
    "actor_type",
    "actor_id",
    "actor_label",
    "on_behalf_of_id",
    "on_behalf_of_label",
    "target_type",
    "target_id",
    "target_label",
    "targets",
    "changes",
    "data",
    "request_id",
    "ip",
    "user_agent",
    "channel",
    "route",
    "digest",
    "prev",
    "hash",
]


def busy(person: Person, count: int = 4) -> None:
    for number in range(count):
        assert person.post("/api/projects", {"name": f"p{number}"}).status_code == 201


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_who_may_read_the_log_reads_all_of_it(acme: Team, role: str) -> None:
    busy(acme.cleo)

    page = acme.in_role(role).get(f"{EVENTS}?limit=100").json

    assert page["next_cursor"] is None
    assert [event["seq"] for event in page["data"]] == list(range(len(page["data"]), 0, -1))
    assert page["data"][-1]["action"] == "account.created"
    for event in page["data"]:
        assert sorted(event) == sorted(ENVELOPE)
        assert event["account_id"] == str(acme.account_id)


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_who_may_not_read_the_log_cannot(house: House, acme: Team, role: str) -> None:
    person = acme.in_role(role)
    event_id = acme.ada.events()[0]["id"]

    with nothing_changes(house, acme.ada, person):
        for path in (EVENTS, f"{EVENTS}/{event_id}", f"{EVENTS}/{uuid4()}"):
            assert "audit:read" in refused(person.get(path), 40301)["display_error"]


def test_one_event_is_read_as_the_list_shows_it(ada: Person) -> None:
    event = ada.events()[0]

    assert ada.get(f"{EVENTS}/{event['id']}").json["data"] == event


def test_a_stranger_finds_no_event(house: House, ada: Person, gus: Person) -> None:
    event = ada.events()[0]

    with nothing_changes(house, ada, gus):
        foreign = gus.get(f"{EVENTS}/{event['id']}")
        unknown = gus.get(f"{EVENTS}/{uuid4()}")
        malformed = gus.get(f"{EVENTS}/1")

    assert refused(foreign, 40401) == said(unknown) == said(malformed)
    assert {each["account_id"] for each in gus.events()} == {str(gus.account_id)}


def test_pages_follow_without_gap_or_repeat_while_events_come_in(ada: Person) -> None:
    busy(ada, 3)
    newest = ada.get(f"{EVENTS}?limit=1").json["data"][0]["seq"]

    seen: list[int] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = ada.get(EVENTS, query_string=query).json
        seen += [event["seq"] for event in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        ada.post("/api/projects", {"name": f"meanwhile {len(seen)}"})
    assert seen == list(range(newest, 0, -1))


def test_reader_that_goes_on_after_the_last_seq_misses_nothing(ada: Person) -> None:
    busy(ada)
    seen: list[int] = []
    while True:
        after = seen[-1] if seen else 0
        page = ada.get(EVENTS, query_string={"after_seq": after, "limit": 3}).json
        assert page["next_cursor"] is None
        if not page["data"]:
            break
        seen += [event["seq"] for event in page["data"]]
    assert seen == list(range(1, len(ada.events()) + 1))


@pytest.mark.parametrize("order", [{}, {"after_seq": 0}])
def test_each_filter_keeps_what_it_names(acme: Team, order: dict[str, int]) -> None:
    busy(acme.cleo, 2)
    every = acme.ada.events()
    target = next(event["target_id"] for event in every if event["action"] == "project.created")
    filters: list[tuple[dict[str, Any], Any]] = [
        ({"action": "project.created"}, lambda e: e["action"] == "project.created"),
        (
            {"actor_id": str(acme.cleo.user_id)},
            lambda e: e["actor_id"] == str(acme.cleo.user_id),
        ),
        ({"target_id": target}, lambda e: e["target_id"] == target),
        ({"outcome": "success"}, lambda e: True),
        ({"outcome": "denied"}, lambda e: False),
        ({"action": "session.created", "target_id": target}, lambda e: False),
    ]
    for chosen, wanted in filters:
        answer = acme.ada.get(EVENTS, query_string={"limit": 100} | order | chosen)
        got = [event["seq"] for event in answer.json["data"]]
        expected = [event["seq"] for event in every if wanted(event)]
        assert got == (expected if order else expected[::-1]), chosen


def test_times_bound_what_is_listed_from_inclusive_to_exclusive(ada: Person) -> None:
    busy(ada, 2)
    every = ada.events()
    middle = every[-2]["time"]

    since = ada.get(EVENTS, query_string={"from": middle, "after_seq": 0}).json["data"]
    until = ada.get(EVENTS, query_string={"to": middle, "after_seq": 0}).json["data"]

    assert [event["seq"] for event in since + until] == [
        *(event["seq"] for event in every[-2:]),
        *(event["seq"] for event in every[:-2]),
    ]
    moment = datetime.fromisoformat(middle)
    in_another_zone = (moment + timedelta(hours=9)).replace(tzinfo=None).isoformat() + "+09:00"
    assert ada.get(EVENTS, query_string={"from": in_another_zone, "after_seq": 0}).json == {
        "data": since,
        "next_cursor": None,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", ""),
        ("action", "a" * 65),
        ("action", "a\x00b"),
        ("actor_id", "ada"),
        ("target_id", "1"),
        ("outcome", "maybe"),
        ("from", "yesterday"),
        ("from", "2026-01-01T00:00:00"),  # no zone
        ("from", "2026-02-30T00:00:00Z"),
        ("from", "0001-01-01T00:00:00+14:00"),
        ("to", "9999-12-31T23:59:59-14:00"),
        ("to", "nan"),
        ("to", str(10**30)),
        ("after_seq", "-1"),
        ("after_seq", str(2**63)),
        ("after_seq", "1e3"),
        ("limit", "0"),
        ("limit", "101"),
        ("cursor", "x"),
        ("cursor", "A" * 65),
        ("sort", "seq"),
        ("account_id", "3f9c1a52-7d1e-4c59-9a40-0b1d2c3e4f50"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(solo: Person, field: str, value: str) -> None:
    refused(solo.get(EVENTS, query_string={field: value}), 42201, field)


def test_cursor_of_another_account_or_list_or_hand_is_refused(ada: Person, gus: Person) -> None:
    busy(ada, 2)
    cursor = ada.get(f"{EVENTS}?limit=1").json["next_cursor"]
    projects = ada.get("/api/projects?limit=1").json["next_cursor"]
    tampered = [
        cursor[:place] + sign + cursor[place + 1 :]
        for place in range(len(cursor))
        for sign in "AZ_"
        if cursor[place] != sign
    ]

    for person, forged in (
        (gus, cursor),
        (ada, projects),
        (ada, cursor + "A"),
        (ada, cursor + "="),
        (ada, cursor[:-1]),
        (ada, cursor.swapcase()),
        *((ada, each) for each in tampered[:: max(1, len(tampered) // 12)]),
        *((ada, each) for each in tampered[-3:]),  # the last character has bits that mean nothing
    ):
        refused(person.get(EVENTS, query_string={"cursor": forged}), 42201, "cursor")
    assert ada.get(EVENTS, query_string={"cursor": cursor}).status_code == 200


def test_no_secret_ever_enters_the_log(ada: Person) -> None:
    ada.post("/api/email", {"email": f"new.{ada.email}", "password": PASSWORD})
    ada.post("/api/password", {"current_password": PASSWORD, "new_password": "wholly other 8!"})
    ada.post("/api/password", {"current_password": PASSWORD, "new_password": "wholly other 8!"})
    cookie = ada.client.get_cookie("session")
    assert cookie is not None

    log = str(ada.events())

    for secret in (PASSWORD, "wholly other 8!", "$2b$", cookie.value):
        assert secret not in log


def test_the_log_cannot_be_written_from_outside(house: House, ada: Person) -> None:
    event = ada.events()[0]

    with nothing_changes(house, ada):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in (EVENTS, f"{EVENTS}/{event['id']}"):
                refused(ada.client.open(path, method=method, json={"action": "x.y"}), 40501)


def test_envelope_and_table_have_the_same_fields() -> None:
    assert sorted(AuditEventRow.__table__.c.keys()) == sorted(ENVELOPE)

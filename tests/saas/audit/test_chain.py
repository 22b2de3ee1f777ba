"""The chain, recomputed by somebody who knows only what the documentation says.

``recompute`` uses json and hashlib on what ``GET /api/audit-events`` answers, and nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from saas.audit import chain
from saas.audit import record as record_module
from saas.models import AuditHead, SystemEventRow, SystemHead
from saas.unit import Unit
from tests.house import House
from tests.people import Person, Team, sign_in
from tests.refusals import look
from tests.saas.audit.acts import Stage


def recompute(events: list[dict[str, Any]], seq: int = 0, prev: str = "0" * 64) -> str | None:
    """The first thing that is wrong with a chain of events in ascending order, or None."""
    for event in events:
        seq += 1
        if event["seq"] != seq:
            return f"seq {event['seq']} where {seq} belongs"
        if event["prev"] != prev:
            return f"prev of {seq}"
        linked = ("seq", "prev", "hash", "digest")
        envelope = {key: value for key, value in event.items() if key not in linked}
        text = json.dumps(envelope, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        if event["digest"] != digest:
            return f"digest of {seq}"
        prev = hashlib.sha256(f"{prev}:{seq}:{digest}".encode("ascii")).hexdigest()
        if event["hash"] != prev:
            return f"hash of {seq}"
    return None


# Acts that another account's log tells, or after which Ada can read this one no more.
ELSEWHERE = {
    *("register", "sign out", "switch account"),
    *("accept ownership", "reset with a key", "close account"),
}


def test_anybody_can_recompute_it_from_what_the_api_answers(house: House) -> None:
    stage = Stage(house)
    for name, act in stage.acts().items():
        if name in ELSEWHERE:
            continue
        stage.make_ready(name)
        answer = act()
        assert answer is None or answer.status_code < 300, name
        if name == "restore account":
            sign_in(house, stage.ada)
            stage.ada.post("/api/projects", {"name": 'Ünïcödé 🦉 "quotes" \\ / & <'})

    events = stage.ada.events()

    assert len(events) > 40
    assert recompute(events) is None


def test_whatever_text_is_in_it(house: House, ada: Person) -> None:
    for name in (
        "é",
        "e\u0301",
        "🦉",
        "\u00a0x",
        "\u200d",
        "a/b",
        '"',
        "\\",
        "<i>x",
        "日本",
        "\x7fx",
    ):
        ada.post("/api/projects", {"name": name, "description": "tab\tand\nlines"})

    assert recompute(ada.events()) is None


@pytest.mark.parametrize("microsecond", [0, 1, 999_999, 120_000])
def test_whatever_the_clock_says(
    house: House, ada: Person, microsecond: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 3, 29, 1, 30, 0, microsecond, tzinfo=UTC)
    monkeypatch.setattr(record_module, "utc_now", lambda: moment)

    ada.post("/api/projects", {"name": "Apollo"})

    event = ada.events()[-1]
    assert event["time"] == f"2026-03-29T01:30:00.{microsecond:06}Z"
    assert ada.get(f"/api/audit-events/{event['id']}").json["data"] == event
    assert recompute(ada.events()) is None


def test_the_recomputation_sees_every_kind_of_tampering(lite: House, solo: Person) -> None:
    for number in range(3):
        solo.post("/api/projects", {"name": f"p{number}"})
    events = solo.events()
    assert recompute(events) is None

    for place in range(len(events)):
        for field, value in events[place].items():
            forged = [dict(event) for event in events]
            forged[place][field] = "x" if value != "x" else "y"
            assert recompute(forged), field
        assert recompute(events[:place] + events[place + 1 :]) or place == len(events) - 1
        assert recompute([*events[: place + 1], *events[place:]])
    assert recompute(events[::-1])


def test_the_chain_of_the_system_recomputes_too(house: House, ada: Person, gus: Person) -> None:
    table = SystemEventRow.__table__
    rows = look(house, select(table).order_by(table.c.seq))
    events = [
        {"account_id": None} | {key: chain.as_text(value) for key, value in row._mapping.items()}
        for row in rows
    ]

    assert recompute(events) is None
    (head,) = look(house, select(SystemHead.__table__))
    assert (head.seq, head.hash) == (events[-1]["seq"], events[-1]["hash"])


def test_the_head_is_the_last_link(house: House, ada: Person) -> None:
    ada.post("/api/projects", {"name": "Apollo"})

    heads = AuditHead.__table__
    (head,) = look(house, select(heads).where(heads.c.account_id == ada.account_id))

    last = ada.events()[-1]
    assert (head.seq, head.hash) == (last["seq"], last["hash"])


def test_it_has_no_gap_and_no_fork_when_many_write_at_once(house: House, ada: Person) -> None:
    cookie: Any = ada.client.get_cookie("session")

    def write(writer: int) -> list[int]:
        client = house.app.test_client()
        client.set_cookie("session", cookie.value)
        return [
            client.post("/api/projects", json={"name": f"w{writer} p{number}"}).status_code
            for number in range(4)
        ]

    with ThreadPoolExecutor(4) as pool:
        codes = [code for each in pool.map(write, range(4)) for code in each]

    assert codes == [201] * 16
    events = ada.events()
    assert recompute(events) is None
    assert [e["action"] for e in events].count("project.created") == 16


def test_accounts_have_chains_of_their_own(house: House, ada: Person, gus: Person) -> None:
    ada.post("/api/projects", {"name": "Apollo"})
    before = gus.events()
    ada.post("/api/projects", {"name": "Gemini"})

    assert gus.events() == before
    assert before[0]["seq"] == ada.events()[0]["seq"] == 1
    assert before[0]["prev"] == ada.events()[0]["prev"] == "0" * 64


def test_an_event_alone_and_the_lock_of_the_account_never_wait_in_a_circle(
    house: House, acme: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vera is refused while Ada holds the account's lock and has not linked her event yet."""
    answers: list[int] = []

    def be_refused() -> None:
        answers.append(acme.vera.post("/api/projects", {"name": "no"}).status_code)

    other = threading.Thread(target=be_refused)

    def late(unit: Unit) -> None:
        if any(pending.event.value == "role.created" for pending in unit.events):
            other.start()
            other.join(0.5)  # by then it is done, or waits for something that Ada holds
        write(unit)

    write = chain.write
    monkeypatch.setattr(chain, "write", late)
    answers.append(acme.ada.post("/api/roles", {"name": "r", "permissions": []}).status_code)
    other.join()

    assert sorted(answers) == [201, 403]
    told = [event["action"] for event in acme.ada.events()][-2:]
    assert sorted(told) == ["access.denied", "role.created"]

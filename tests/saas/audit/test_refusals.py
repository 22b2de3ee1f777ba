"""Refusals in the log: told after the roll-back, in a transaction of their own, and never by more than they may."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from saas.audit.refusals import RefusalLog
from saas.models import AuditEventRow, SystemEventRow
from saas.security.counters import Limit
from saas.security.throttle import Throttle
from tests import acts
from tests.house import House
from tests.people import PASSWORD, Person, Team, fresh_email
from tests.refusals import look, nothing_changes, refused

SYSTEM = SystemEventRow.__table__


def last(person: Person) -> dict[str, Any]:
    """The newest event of a person's account, read by its owner."""
    event: dict[str, Any] = person.events()[-1]
    return event


def system_events(house: House, action: str) -> list[Any]:
    return look(house, select(SYSTEM).where(SYSTEM.c.action == action).order_by(SYSTEM.c.seq))


def test_a_missing_permission_is_told_with_who_wanted_what(house: House, acme: Team) -> None:
    project = acme.ada.post("/api/projects", {"name": "Apollo"}).json["data"]

    with nothing_changes(house, acme.ada, acme.vera):
        answer = acme.vera.delete(f"/api/projects/{project['id']}")

    refused(answer, 40301)
    event = last(acme.ada)
    assert (event["action"], event["outcome"], event["severity"]) == (
        "access.denied",
        "denied",
        "warning",
    )
    assert event["data"] == {"code": 40301, "count": 1, "permission": "project:delete"}
    assert (event["actor_id"], event["actor_label"]) == (str(acme.vera.user_id), "vera")
    assert event["targets"] == []  # whether the id is of this account was never asked
    assert event["route"] == "/api/projects/<uuid:project_id>"
    assert event["request_id"] == answer.headers["X-Request-ID"]


def test_a_refused_look_is_told_too(house: House, acme: Team) -> None:
    refused(acme.vera.get("/api/audit-events"), 40301)

    assert last(acme.ada)["data"]["permission"] == "audit:read"


def test_a_refusal_on_a_page_is_told(house: House, acme: Team) -> None:
    assert acme.vera.get("/audit").status_code == 403

    assert (last(acme.ada)["action"], last(acme.ada)["channel"]) == ("access.denied", "page")


def test_unknown_and_foreign_are_not_told(house: House, ada: Person, gus: Person) -> None:
    project = gus.post("/api/projects", {"name": "Apollo"}).json["data"]
    before = (ada.events(), gus.events())

    assert ada.get(f"/api/projects/{project['id']}").status_code == 404
    assert ada.get("/api/nothing").status_code == 404
    assert ada.post("/api/projects", {"name": ""}).status_code == 422

    assert (ada.events(), gus.events()) == before


def test_a_key_is_named_with_its_maker(house: House, ada: Person) -> None:
    key = acts.make_key(house, ada, "project:read")

    refused(key.post("/api/projects", {"name": "x"}), 40301)

    event = last(ada)
    assert (event["actor_type"], event["on_behalf_of_label"]) == ("api_key", "ada")


@pytest.mark.parametrize("known", [True, False])
def test_a_failed_sign_in_is_told_to_the_system_alone(
    house: House, ada: Person, known: bool
) -> None:
    email = ada.email if known else fresh_email("nobody")
    body = {"email": email, "password": "not the password at all"}
    before = len(ada.events())

    with nothing_changes(house, ada):
        answer = house.app.test_client().post("/api/login", json=body)

    refused(answer, 40101)
    event = system_events(house, "sign_in.failed")[-1]
    assert (event.outcome, event.actor_type, event.request_id) == (
        "failure",
        "anonymous",
        answer.headers["X-Request-ID"],
    )
    assert (event.target_type, event.target_label == email) == (
        ("identity", True) if known else ("address", False)
    )
    assert event.data == {"code": 40101, "count": 1}
    assert "not the password at all" not in repr(event)
    assert len(ada.events()) == before


def test_a_wrong_own_password_is_told(house: House, ada: Person) -> None:
    body = {"email": fresh_email("new"), "password": "wrong wrong wrong"}

    refused(ada.post("/api/email", body), 42202)
    assert (last(ada)["action"], last(ada)["outcome"]) == ("password.refused", "failure")
    form = {"email": fresh_email("new"), "password": "wrong wrong wrong"}
    assert ada.client.post("/settings/email", data=form).status_code == 422
    assert (last(ada)["action"], last(ada)["channel"]) == ("password.refused", "page")


def test_another_site_is_told_to_the_system(house: House, ada: Person) -> None:
    answer = ada.client.post(
        "/api/projects", json={"name": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    refused(answer, 40303)
    assert last(ada)["data"]["code"] == 40303


def test_throttling_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"sign_in": "1/minute", "register": "1/minute"}
    monkeypatch.setitem(house.app.extensions, "throttle", Throttle(limits))
    client = house.app.test_client()
    before = len(system_events(house, "request.throttled"))

    for path in ("/api/login", "/login"):
        form = {"email": fresh_email("x"), "password": PASSWORD}
        send = {"json": form} if path.startswith("/api") else {"data": form}
        statuses = [client.post(path, **send).status_code for _ in range(2)]
        assert statuses[-1] == 429

    told = system_events(house, "request.throttled")[before:]
    assert [(each.outcome, each.data["code"]) for each in told] == [("denied", 42901)] * len(told)
    assert len(told) == 3  # the page's first try met the limit that the API's had used up


def test_a_flood_neither_blocks_nor_buries(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten refusals are told, the other 490 are one number; what succeeds meanwhile is told as ever."""
    log = RefusalLog(house.database, Limit(10, 3600))
    monkeypatch.setitem(house.app.extensions, "refusals", log)
    body = {"email": ada.email, "password": "not the password at all"}
    before = len(system_events(house, "sign_in.failed"))

    def try_often() -> None:
        client = house.app.test_client()
        for _ in range(100):
            assert client.post("/api/login", json=body).status_code == 401

    threads = [threading.Thread(target=try_often) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert ada.post("/api/projects", {"name": "Apollo"}).status_code == 201
    for thread in threads:
        thread.join()
    log.close()

    told = system_events(house, "sign_in.failed")[before:]
    assert [each.data["count"] for each in told] == [1] * 10 + [490]
    assert told[-1].target_label == ada.email
    assert "project.created" in ada.actions()


def test_the_refusal_stands_where_the_log_cannot_be_written(
    lite: House, solo: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saas import database, errors

    def away() -> None:
        raise errors.DatabaseAwayError

    monkeypatch.setattr(database, "unit_of_work", away)
    answer = lite.app.test_client().post(
        "/api/login", json={"email": solo.email, "password": "not the password"}
    )

    refused(answer, 40101)


def test_a_refusal_belongs_to_the_chain(house: House, acme: Team) -> None:
    refused(acme.vera.get("/api/api-keys"), 40301)

    table = AuditEventRow.__table__
    rows = look(
        house, select(table.c.seq).where(table.c.account_id == acme.account_id).order_by("seq")
    )
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))

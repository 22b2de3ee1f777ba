"""The pages of webhooks: made and changed by forms, a secret shown once, deliveries as they went."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import WebhookDelivery
from saas.services import webhook_services
from tests.acts import give
from tests.house import House
from tests.people import Person, Team
from tests.refusals import change, nothing_changes
from tests.saas.pages.reading import Html, page, press

URL = "http://127.0.0.1:9/events"  # nothing is sent there: no worker runs
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")


def make(person: Person, **fields: Any) -> str:
    """Make a webhook by its form and return its path."""
    answer = person.client.post("/webhooks", data={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    return Html(answer.text).one("a", **{"class": "button primary"}).link


def test_the_secret_is_shown_once_and_the_webhook_from_then_on(ada: Person) -> None:
    answer = press(
        ada.client, "/webhooks", url=URL, description="To the SIEM", actions="role.granted"
    )

    assert answer.status_code == 201
    (secret,) = SECRET.findall(answer.text)
    path = Html(answer.text).one("a", **{"class": "button primary"}).link
    listed, shown = page(ada.client, "/webhooks"), page(ada.client, path)
    assert secret not in listed.source + shown.source
    assert "To the SIEM" in listed.one("main").text
    assert "Sends 1 kind of event." in listed.one("main").text
    ticked = [
        e.attributes["value"]
        for e in shown.all("input", name="actions")
        if "checked" in e.attributes
    ]
    assert ticked == ["role.granted"]
    assert ada.events(action="webhook.created")[0]["data"]["actions"] == ["role.granted"]


def test_no_event_ticked_is_every_event(ada: Person) -> None:
    make(ada)
    assert ada.events(action="webhook.created")[0]["data"]["actions"] is None
    assert "Sends every event" in page(ada.client, "/webhooks").one("main").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "https://10.0.0.1/"}, "it must be public"),
        ({"url": "ftp://example.com/"}, ""),
        ({"url": ""}, ""),
        ({"actions": ["sign_in.failed"]}, "belongs to no account"),
        ({"actions": ["no.such"]}, ""),
    ],
)
def test_what_makes_no_sense_is_told_in_the_form_and_nothing_is_made(
    lite: House, solo: Person, fields: dict[str, Any], words: str
) -> None:
    with nothing_changes(lite, solo):
        answer = solo.client.post("/webhooks", data={"url": URL, "description": "kept", **fields})
        assert answer.status_code == 422
    html = Html(answer.text)
    assert words in html.one("div", role="alert").text
    assert html.by_id("webhook-description").attributes["value"] == "kept"


def test_one_too_many_is_told_in_the_form(lite: House, solo: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(webhook_services, "MOST", 1)
    make(solo)
    with nothing_changes(lite, solo):
        answer = solo.client.post("/webhooks", data={"url": URL})
        assert 400 <= answer.status_code < 500
    assert Html(answer.text).one("div", role="alert").text.strip()


def test_it_is_changed_switched_off_and_on_tested_and_deleted(ada: Person) -> None:
    path = make(ada, description="To the SIEM")

    def sent(button: str, **typed: Any) -> str:
        answer = press(ada.client, path, button, **typed)
        assert answer.status_code == 303, answer.text
        return page(ada.client, answer.location).one("main").text

    assert "Sends 1 kind of event." in sent(
        "Save", url=URL, description="To the archive", actions="role.granted"
    )
    changed = ada.events(action="webhook.updated")[-1]
    assert changed["changes"] == [
        {"field": "description", "old": "To the SIEM", "new": "To the archive"}
    ]
    assert "Switched off by hand." in sent("Switch off")
    assert "Sends" in sent("Switch on")
    sent("Send a test event")
    assert "No webhooks yet" in sent("Yes, delete it")
    told = [e["action"] for e in ada.events() if e["action"].startswith("webhook.")]
    assert told == [
        "webhook.created", "webhook.updated", "webhook.disabled", "webhook.enabled", "webhook.tested",
        "webhook.deleted",
    ]  # fmt: skip


def test_saving_what_is_there_changes_nothing(house: House, ada: Person) -> None:
    path = make(ada, actions=["role.granted", "project.created"])
    with nothing_changes(house, ada):
        both = ["project.created", "role.granted"]
        assert (
            press(ada.client, path, "Save", url=URL, description="", actions=both).status_code
            == 303
        )


def test_a_new_secret_is_shown_once_beside_the_time_of_the_former(ada: Person) -> None:
    path = make(ada)
    answer = press(ada.client, path, "Make a new secret")
    assert answer.status_code == 201
    assert len(SECRET.findall(answer.text)) == 1
    assert "The former secret signs as well until" in answer.text
    assert not SECRET.findall(page(ada.client, path).source)


def test_deliveries_are_shown_as_they_went(house: House, ada: Person) -> None:
    path = make(ada)
    row = {
        "account_id": ada.account_id, "webhook_id": UUID(path.rpartition("/")[2]), "event_id": uuid7(), "seq": 7,
        "action": "project.created", "at": utc_now(), "duration_ms": 12,
    }  # fmt: skip
    table = insert(WebhookDelivery.__table__)
    change(house, table.values(**row, id=uuid7(), attempt=1, status_code=None, error="refused"))
    change(house, table.values(**row, id=uuid7(), attempt=2, status_code=204, error=None))

    first, second = (e.text for e in page(ada.client, path).all("tr")[1:3])
    assert "attempt 2" in first
    assert "204 in 12 ms" in first
    assert "not taken" in second
    assert "refused" in second


def test_who_cannot_read_the_log_sends_it_nowhere(house: House, acme: Team) -> None:
    give(acme.ada, acme.cleo, "maker", "webhook:create", "webhook:read")
    html = page(acme.cleo.client, "/webhooks")
    assert not [e for e in html.all("form") if e.attributes["action"] == "/webhooks"]
    assert "audit:read" in html.one("main").text
    with nothing_changes(house, acme.ada, acme.cleo):
        answer = acme.cleo.client.post("/webhooks", data={"url": URL})
        assert answer.status_code == 403
    assert acme.ada.events(action="access.denied")[-1]["actor_label"] == "cleo"


def test_who_cannot_read_the_log_may_switch_off_and_is_offered_no_more(
    house: House, acme: Team
) -> None:
    path = make(acme.ada)
    give(acme.ada, acme.cleo, "keeper", "webhook:update", "webhook:read")

    offered = {
        f.attributes["action"] for f in page(acme.cleo.client, path).all("form", method="post")
    }
    assert offered == {
        "/logout",
        *(f"{path}/{act}" for act in ("test", "disable", "rotate-secret")),
    }
    assert press(acme.cleo.client, path, "Switch off").status_code == 303
    html = page(acme.cleo.client, path)
    assert not html.all("form", action=f"{path}/enable")
    assert "audit:read" in html.one("main").text
    with nothing_changes(house, acme.ada, acme.cleo):
        for where in (path, f"{path}/enable"):
            assert acme.cleo.client.post(where, data={"url": URL + "/else"}).status_code == 403
    assert acme.ada.events(action="access.denied")[-1]["data"]["permission"] == "audit:read"


def test_the_log_leads_here(acme: Team) -> None:
    assert page(acme.ada.client, "/audit").all("a", href="/webhooks")
    give(acme.ada, acme.cleo, "reader of the log", "audit:read")
    assert not page(acme.cleo.client, "/audit").all("a", href="/webhooks")

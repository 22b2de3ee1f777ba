"""The page of the audit log: filters, what they say, the check of the chain and the exports."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from saas.columns import utc_now
from saas.models import AuditEventRow
from saas.services import audit_services
from tests.acts import give
from tests.house import House
from tests.people import Person, Team
from tests.refusals import change
from tests.saas.pages.reading import Html, page


@pytest.fixture
def busy(ada: Person) -> Person:
    """Ada, who has made a project and changed its name."""
    made = ada.post("/api/projects", {"name": "Apollo"}).json["data"]
    assert ada.patch(f"/api/projects/{made['id']}", {"name": "Borealis"}).status_code == 200
    return ada


def actions(html: Html) -> list[str]:
    return [e.text for e in html.all("code") if "th" in e.within and "." in e.text]


def test_filters_show_what_fits_and_can_be_taken_away(busy: Person) -> None:
    html = page(busy.client, "/audit?action=project.updated&outcome=&from=2020-01-01&to=")

    assert actions(html) == ["project.updated"]
    chips = [e for e in html.all("a") if "take this filter away" in e.text]
    assert [e.text.partition(" ×")[0] for e in chips] == ["project.updated", "from 2020-01-01"]
    left = [e.link for e in chips]
    assert left == ["/audit?from=2020-01-01", "/audit?action=project.updated"]
    assert "project.created" in actions(page(busy.client, left[0]))
    assert html.by_id("audit-from").attributes["value"] == "2020-01-01"


def test_an_entry_leads_to_all_about_it_and_all_by_the_same(acme: Team) -> None:
    project = acme.cleo.post("/api/projects", {"name": "Apollo"}).json["data"]["id"]
    acme.ada.patch(f"/api/projects/{project}", {"name": "Borealis"})
    html = page(acme.ada.client, "/audit")

    about = next(e.link for e in html.all("li") if "All about this project" in e.text)
    assert actions(page(acme.ada.client, about)) == ["project.updated", "project.created"]
    by = next(e.link for e in html.all("li") if "All by cleo" in e.text)
    assert actions(page(acme.ada.client, by)) == ["project.created", "session.created"]


def test_days_include_both_ends(busy: Person) -> None:
    today = utc_now().date()
    assert "account.created" in actions(page(busy.client, f"/audit?from={today}&to={today}"))
    after = today + timedelta(days=1)
    nothing = page(busy.client, f"/audit?from={after}&to={after}")
    assert "No entry fits these filters" in nothing.one("main").text


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("action=project.exploded", "action", "Is not an action of the catalogue"),
        ("outcome=perhaps", "outcome", ""),
        ("from=yesterday", "from", ""),
        ("to=99999-01-01", "to", ""),
        ("from=2026-01-02&to=2026-01-01", "to", "Must not be before the first day."),
    ],
)
def test_filters_that_make_no_sense_are_told_beside_their_field(
    lite: House, solo: Person, query: str, field: str, words: str
) -> None:
    html = page(solo.client, f"/audit?{query}", 422)
    assert words in html.by_id(f"audit-{field}-error").text
    assert "account.created" in actions(html)


def test_the_chain_is_checked_when_asked_and_the_page_says_what_is_wrong(
    house: House, busy: Person
) -> None:
    assert "entries checked" not in page(busy.client, "/audit").one("main").text
    events = busy.events()
    good = page(busy.client, "/audit?check=true").one(
        "div", role="status", **{"class": "alert good"}
    )
    assert f"{len(events)} entries checked: nothing was changed" in good.text

    table = AuditEventRow.__table__
    one = (table.c.account_id == busy.account_id, table.c.seq == events[-1]["seq"])
    assert change(house, update(table).where(*one).values(target_label="Gemini")) == 1
    bad = page(busy.client, "/audit?check=true").one("div", role="status", **{"class": "alert bad"})
    assert f"event {events[-1]['seq']}: its content is not what was recorded" in bad.text
    change(house, update(table).where(*one).values(target_label="Borealis"))


def test_of_a_long_log_the_page_says_how_much_it_has_checked(
    lite: House, solo: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_services, "MOST_VERIFIED", 2)
    told = page(solo.client, "/audit?check=true").one(
        "div", role="status", **{"class": "alert good"}
    )
    assert "The oldest 2 entries checked" in told.text
    rest = told.text[told.text.index("/api/") :].strip()
    assert solo.get(rest).json["data"]["verdict"] == "good"


def test_exports_have_the_filters_and_are_for_those_who_may(acme: Team) -> None:
    give(acme.ada, acme.cleo, "reader of the log", "audit:read")
    asked = "/audit?action=role.created&from=2020-01-01&to=2030-01-01"

    html = page(acme.ada.client, asked)
    csv, ndjson = (e.link for e in html.all("a") if "/audit-events/export" in e.link)
    rows = acme.ada.get(csv).text.splitlines()
    assert len(rows) == 2
    assert "role.created" in rows[1]
    assert json.loads(acme.ada.get(ndjson).text)["action"] == "role.created"
    assert "Export" not in page(acme.cleo.client, asked).one("main").text


def test_the_reason_is_read(acme: Team) -> None:
    path = f"/members/{acme.vera.user_id}/suspend"
    assert acme.ada.client.post(path, data={"reason": "Left the company."}).status_code == 303
    assert "Reason: Left the company." in page(acme.ada.client, "/audit").one("table").text

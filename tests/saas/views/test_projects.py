"""Projects over HTTP: permissions, validation, business rules, success."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.people import Person, Team


def make(person: Person, name: str = "Apollo") -> dict[str, str]:
    answer = person.post("/api/projects", {"name": name, "description": "To the moon"})
    assert answer.status_code == 201
    project: dict[str, str] = answer.json["data"]
    return project


def said(answer: Any) -> dict[str, Any]:
    """An error's answer without what differs in every request."""
    return {key: value for key, value in answer.json["errors"].items() if key != "request_id"}


def test_owner_creates_reads_changes_lists_and_deletes_a_project(ada: Person) -> None:
    project = make(ada)
    path = f"/api/projects/{project['id']}"

    assert ada.get(path).json["data"] == project
    changed = ada.patch(path, {"name": "Gemini"}).json["data"]
    assert (changed["name"], changed["description"]) == ("Gemini", "To the moon")
    assert [row["name"] for row in ada.get("/api/projects").json["data"]] == ["Gemini"]
    assert ada.delete(path).json == {"message": "success"}
    assert ada.get(path).status_code == 404
    assert ada.actions()[-3:] == ["project.created", "project.updated", "project.deleted"]


def test_change_is_audited_with_old_and_new(ada: Person) -> None:
    project = make(ada)

    ada.patch(f"/api/projects/{project['id']}", {"name": "Gemini"})

    event = ada.events()[-1]
    assert event["changes"] == [{"field": "name", "old": "Apollo", "new": "Gemini"}]
    assert (event["target_id"], event["target_label"], event["actor_label"]) == (
        project["id"],
        "Gemini",
        "ada",
    )


def test_a_change_that_changes_nothing_leaves_no_event(ada: Person) -> None:
    project = make(ada)
    before = ada.actions()

    assert ada.patch(f"/api/projects/{project['id']}", {"name": "Apollo"}).status_code == 200
    assert ada.actions() == before


@pytest.mark.parametrize("role", ["owner", "admin", "member"])
def test_who_may_create_a_project_can(acme: Team, role: str) -> None:
    assert acme.in_role(role).post("/api/projects", {"name": "Apollo"}).status_code == 201


def test_viewer_reads_projects_and_cannot_touch_them(acme: Team) -> None:
    project = make(acme.ada)
    path = f"/api/projects/{project['id']}"
    before = acme.ada.actions()

    assert acme.vera.get(path).status_code == 200
    for answer in (
        acme.vera.post("/api/projects", {"name": "Mine"}),
        acme.vera.patch(path, {"name": "Mine"}),
        acme.vera.delete(path),
    ):
        assert answer.status_code == 403
        assert answer.json["errors"]["internal_error_code"] == 40301
        assert "project:" in answer.json["errors"]["display_error"]
    assert acme.ada.get(path).json["data"] == project
    assert acme.ada.actions() == before


def test_stranger_gets_the_answer_of_an_id_that_does_not_exist(ada: Person, gus: Person) -> None:
    project = make(ada)
    before = ada.actions()

    for call in (gus.get, gus.delete, lambda path: gus.patch(path, {"name": "Mine"})):
        foreign, unknown = call(f"/api/projects/{project['id']}"), call(f"/api/projects/{uuid4()}")
        malformed = call("/api/projects/not-an-id")
        assert foreign.status_code == unknown.status_code == malformed.status_code == 404
        assert said(foreign) == said(unknown) == said(malformed)
    assert ada.get(f"/api/projects/{project['id']}").json["data"] == project
    assert ada.actions() == before
    assert gus.get("/api/projects").json["data"] == []


def test_name_is_unique_within_the_account_and_free_in_another(ada: Person, gus: Person) -> None:
    make(ada)
    other = make(ada, "Gemini")

    taken = ada.post("/api/projects", {"name": "Apollo"})
    renamed = ada.patch(f"/api/projects/{other['id']}", {"name": "Apollo"})

    assert taken.status_code == renamed.status_code == 409
    assert taken.json["errors"]["internal_error_code"] == 40903
    assert make(gus)["name"] == "Apollo"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": 7}, "name"),
        ({"name": True}, "name"),
        ({"name": None}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "ok", "description": 5}, "description"),
        ({"name": "ok", "account_id": str(uuid4())}, "account_id"),
        ({"name": "ok", "id": str(uuid4())}, "id"),
        ({"name": "ok", "created_at": "2020-01-01T00:00:00Z"}, "created_at"),
    ],
)
def test_what_cannot_be_a_project_is_refused_with_the_field(
    ada: Person, body: dict[str, object], field: str
) -> None:
    before = ada.actions()

    answer = ada.post("/api/projects", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]["field_errors"]] == [field]
    assert ada.get("/api/projects").json["data"] == []
    assert ada.actions() == before


def test_markup_is_stripped_and_plain_text_kept(ada: Person) -> None:
    make(ada, "<b>Tom</b> & Jerry, a < b")

    assert ada.get("/api/projects").json["data"][0]["name"] == "Tom & Jerry, a < b"


def test_list_pages_newest_first_without_gaps_or_repeats(ada: Person) -> None:
    names = [f"p{number:02}" for number in range(7)]
    for name in names:
        make(ada, name)

    seen: list[str] = []
    cursor = None
    while True:
        page = ada.get(
            "/api/projects", query_string={"limit": 3} | ({"cursor": cursor} if cursor else {})
        ).json
        seen += [row["name"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == names[::-1]


def test_a_cursor_of_another_account_list_or_hand_is_refused(ada: Person, gus: Person) -> None:
    for name in ("one", "two"):
        make(ada, name)
        make(gus, name)
    cursor = ada.get("/api/projects?limit=1").json["next_cursor"]

    for person, path, forged in (
        (gus, "/api/projects", cursor),
        (ada, "/api/users", cursor),
        (ada, "/api/projects", cursor[:-1] + ("A" if cursor[-1] != "A" else "B")),
        (ada, "/api/projects", "x"),
        (ada, "/api/projects", "é"),
    ):
        answer = person.get(path, query_string={"cursor": forged})
        assert answer.status_code == 422
        assert answer.json["errors"]["field_errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "sort=name", "limit=" + "9" * 40],
)
def test_a_query_that_makes_no_sense_is_refused(ada: Person, query: str) -> None:
    assert ada.get(f"/api/projects?{query}").status_code == 422


def test_nobody_gets_in_without_signing_in(client) -> None:  # type: ignore[no-untyped-def]
    for answer in (client.get("/api/projects"), client.post("/api/projects", json={"name": "x"})):
        assert answer.status_code == 401
        assert answer.json["errors"]["internal_error_code"] == 40102

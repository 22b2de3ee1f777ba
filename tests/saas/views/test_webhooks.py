"""Webhooks over HTTP: who may, what is refused, what is shown once, and what the log says."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from saas.audit.events import AuditEvent
from saas.models import OWNERSHIP, OutboxItem, Webhook
from saas.services import webhook_services
from tests.acts import done, give, make_key
from tests.house import House
from tests.people import Person, Team
from tests.refusals import look, nothing_changes, refused, superuser

HOOKS = "/api/webhooks"
URL = "https://hooks.example.com/secret-path"


def make(person: Person, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = done(person.post(HOOKS, {"url": URL} | more), 201)
    return made


def last(person: Person) -> dict[str, Any]:
    return person.events()[-1]


class TestMaking:
    def test_its_secret_is_shown_once_and_it_is_listed_without(
        self, house: House, acme: Team
    ) -> None:
        made = make(acme.ben, actions=["role.granted", "project.created"], description="SIEM")

        assert made["secret"].startswith("whsec_")
        assert made["actions"] == ["project.created", "role.granted"]
        for answer in (acme.ada.get(HOOKS), acme.ada.get(f"{HOOKS}/{made['id']}")):
            text = answer.get_data(as_text=True)
            assert "secret" not in text.replace("secret-path", "")
            assert made["secret"] not in text
        (row,) = done(acme.ada.get(HOOKS))
        assert (row["made_by"], row["status"], row["description"]) == ("ben", "enabled", "SIEM")

    def test_the_secret_is_encrypted_at_rest(self, house: House, ada: Person) -> None:
        secret = make(ada)["secret"]
        bare = secret.removeprefix("whsec_")

        with superuser(house) as connection:
            for table in OWNERSHIP.metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    assert bare not in str(row), table.name

    def test_the_log_tells_the_host_and_never_path_or_secret(
        self, house: House, ada: Person
    ) -> None:
        made = make(ada)
        done(ada.patch(f"{HOOKS}/{made['id']}", {"url": "https://other.example.com/another-path"}))

        created, updated = ada.events()[-2:]
        assert (created["action"], created["target_label"]) == (
            "webhook.created",
            "https://hooks.example.com",
        )
        assert created["data"] == {"place": "https://hooks.example.com", "actions": None}
        assert updated["changes"] == [
            {
                "field": "place",
                "old": "https://hooks.example.com",
                "new": "https://other.example.com",
            }
        ]
        for word in ("path", "whsec_"):
            assert word not in str(ada.events())

    def test_who_may_not_is_refused(self, house: House, acme: Team, gus: Person) -> None:
        with nothing_changes(house, acme.ada, gus):
            for person in (acme.cleo, acme.vera):
                told = refused(person.post(HOOKS, {"url": URL}), 40301)
                assert "webhook:create" in told["display_error"]
            refused(house.app.test_client().post(HOOKS, json={"url": URL}), 40102)

    def test_who_cannot_read_the_log_cannot_have_it_sent(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "sender", "webhook:create", "webhook:read")

        with nothing_changes(house, acme.ada):
            told = refused(acme.cleo.post(HOOKS, {"url": URL}), 40301)
        assert "audit:read" in told["display_error"]
        give(acme.ada, acme.cleo, "reader", "audit:read")
        make(acme.cleo)

    def test_a_key_that_holds_both_may(self, house: House, ada: Person) -> None:
        script = make_key(house, ada, "webhook:create", "audit:read", "webhook:read")

        done(script.post(HOOKS, {"url": URL}), 201)
        assert last(ada)["actor_type"] == "api_key"
        assert done(script.get(HOOKS))[0]["made_by"] == "ada"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "url"),
            ({"url": None}, "url"),
            ({"url": ""}, "url"),
            ({"url": "http://example.com/"}, "url"),
            ({"url": "https://169.254.169.254/"}, "url"),
            ({"url": "https://127.1/"}, "url"),
            ({"url": "https://a:b@example.com/"}, "url"),
            ({"url": "https://example.com:6379/"}, "url"),
            ({"url": "https://localhost/"}, "url"),
            ({"url": "https://example.com/" + "a" * 1000}, "url"),
            ({"url": URL, "actions": []}, "actions"),
            ({"url": URL, "actions": ["project.exploded"]}, "actions.0"),
            ({"url": URL, "actions": ["identity.created"]}, "actions"),
            ({"url": URL, "actions": "project.created"}, "actions"),
            ({"url": URL, "description": "x" * 201}, "description"),
            ({"url": URL, "secret": "whsec_aaaa"}, "secret"),
            ({"url": URL, "status": "disabled"}, "status"),
        ],
    )
    def test_what_cannot_be_is_refused_on_its_field(
        self, house: House, ada: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(house, ada):
            refused(ada.post(HOOKS, body), 42201, field)

    def test_an_account_has_twenty_at_most(self, house: House, ada: Person, gus: Person) -> None:
        for _ in range(webhook_services.MOST):
            hook = make(ada)
        with nothing_changes(house, ada):
            refused(ada.post(HOOKS, {"url": URL}), 40908)
        make(gus)
        done(ada.delete(f"{HOOKS}/{hook['id']}"))
        make(ada)


class TestChanging:
    def test_what_is_left_out_stays_and_null_actions_are_all(
        self, house: House, ada: Person
    ) -> None:
        path = f"{HOOKS}/{make(ada, actions=['project.created'], description='a')['id']}"

        assert done(ada.patch(path, {"description": "b"}))["actions"] == ["project.created"]
        changed = done(ada.patch(path, {"actions": None}))
        assert (changed["actions"], changed["description"], changed["url"]) == (None, "b", URL)
        before = ada.actions()
        done(ada.patch(path, {"description": "b", "url": URL, "status": "enabled"}))
        done(ada.patch(path, {}))
        assert ada.actions() == before

    def test_switching_off_and_on_are_events_of_their_own(self, house: House, ada: Person) -> None:
        path = f"{HOOKS}/{make(ada)['id']}"

        assert done(ada.patch(path, {"status": "disabled"}))["status"] == "disabled"
        assert last(ada)["action"] == "webhook.disabled"
        assert done(ada.patch(path, {"status": "enabled"}))["status"] == "enabled"
        assert last(ada)["action"] == "webhook.enabled"
        assert last(ada)["changes"] == [{"field": "status", "old": "disabled", "new": "enabled"}]

    def test_who_cannot_read_the_log_may_switch_off_and_nothing_more(
        self, house: House, acme: Team
    ) -> None:
        path = f"{HOOKS}/{make(acme.ada)['id']}"
        give(acme.ada, acme.cleo, "keeper", "webhook:update")
        done(acme.cleo.patch(path, {"status": "disabled"}))

        with nothing_changes(house, acme.ada):
            for change in ({"url": "https://evil.example.com"}, {"actions": None}):
                assert (
                    "audit:read" in refused(acme.cleo.patch(path, change), 40301)["display_error"]
                )
            refused(acme.cleo.patch(path, {"status": "enabled"}), 40301)

    @pytest.mark.parametrize("url", ["https://10.0.0.1/", "http://example.com/", "https://db/"])
    def test_an_address_inside_is_refused_here_too(
        self, house: House, ada: Person, url: str
    ) -> None:
        hook = make(ada)
        with nothing_changes(house, ada):
            refused(ada.patch(f"{HOOKS}/{hook['id']}", {"url": url}), 42201, "url")


class TestEveryOther:
    @pytest.mark.parametrize(
        ("method", "path", "permission"),
        [
            ("GET", "", "webhook:read"),
            ("PATCH", "", "webhook:update"),
            ("DELETE", "", "webhook:delete"),
            ("POST", "/test", "webhook:update"),
            ("POST", "/rotate-secret", "webhook:update"),
            ("GET", "/deliveries", "webhook:read"),
        ],
    )
    def test_who_may_not_is_refused_and_strangers_find_nothing(
        self, house: House, acme: Team, gus: Person, method: str, path: str, permission: str
    ) -> None:
        hook = make(acme.ada)["id"]
        body = {"status": "disabled"} if method == "PATCH" else None

        with nothing_changes(house, acme.ada, gus):
            answer = acme.vera.client.open(f"{HOOKS}/{hook}{path}", method=method, json=body)
            assert permission in refused(answer, 40301)["display_error"]
            for stranger, wanted in ((gus, hook), (acme.ada, uuid4())):
                address = f"{HOOKS}/{wanted}{path}"
                refused(stranger.client.open(address, method=method, json=body), 40401)

    def test_a_deleted_one_is_gone(self, house: House, ada: Person) -> None:
        path = f"{HOOKS}/{make(ada)['id']}"
        done(ada.delete(path))

        assert last(ada)["action"] == "webhook.deleted"
        refused(ada.get(path), 40401)
        assert done(ada.get(HOOKS)) == []

    def test_a_test_is_left_to_the_worker(self, house: House, ada: Person) -> None:
        hook = make(ada)["id"]

        assert ada.post(f"{HOOKS}/{hook}/test").status_code == 202
        assert last(ada)["action"] == "webhook.tested"
        items = OutboxItem.__table__
        payloads = look(house, select(items.c.payload).where(items.c.topic == "webhook.test"))
        assert {"account_id": str(ada.account_id), "webhook_id": hook} in [p[0] for p in payloads]

    def test_a_rotated_secret_is_new_and_shown_once(self, house: House, ada: Person) -> None:
        made = make(ada)
        turned = done(ada.post(f"{HOOKS}/{made['id']}/rotate-secret"))

        assert turned.keys() == {"secret", "previous_secret_until"}
        assert turned["secret"] != made["secret"]
        assert last(ada)["action"] == "webhook.secret_rotated"
        table = Webhook.__table__
        (row,) = look(house, select(table).where(table.c.id == UUID(made["id"])))
        assert None not in (row.previous_secret, row.previous_secret_until)

    def test_it_outlives_whoever_made_it(self, house: House, acme: Team) -> None:
        hook = make(acme.ben)["id"]
        done(acme.ada.delete(f"/api/users/{acme.ben.user_id}"))

        row = done(acme.ada.get(f"{HOOKS}/{hook}"))
        assert (row["status"], row["made_by"]) == ("enabled", None)


def test_actions_that_belong_to_no_account_are_known() -> None:
    assert any(event.chain == "system" for event in AuditEvent)

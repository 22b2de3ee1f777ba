"""The account over HTTP, and what only the staff may do to it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from saas import errors
from saas.actor import Actor, system_actor
from saas.services import account_services
from tenants import enter_account
from tests.house import House
from tests.people import Person, Team, sign_in
from tests.refusals import nothing_changes, refused


class TestOpeningAnother:
    def test_person_becomes_its_owner_and_stays_where_they_are(self, ada: Person) -> None:
        before = ada.actions()

        answer = ada.post("/api/accounts", {"name": "  Umbrella  "})

        assert answer.status_code == 201
        made = answer.json["data"]
        assert (made["name"], made["status"]) == ("Umbrella", "active")
        assert ada.get("/api/user").json["data"]["account_id"] == str(ada.account_id)
        assert ada.actions() == before
        assert ada.post("/api/session/account", {"account_id": made["id"]}).status_code == 200
        session = ada.get("/api/session").json["data"]
        assert (session["roles"], session["account"]["name"]) == (["owner"], "Umbrella")
        assert ada.actions() == ["account.created", "user.created", "session.created"]
        assert len(session["accounts"]) == 2

    @pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
    def test_everybody_signed_in_may(self, acme: Team, role: str) -> None:
        assert acme.in_role(role).post("/api/accounts", {"name": "Mine"}).status_code == 201

    def test_nothing_of_it_is_seen_from_the_first_one(self, ada: Person) -> None:
        made = ada.post("/api/accounts", {"name": "Umbrella"}).json["data"]

        assert [u["id"] for u in ada.get("/api/users").json["data"]] == [str(ada.user_id)]
        assert ada.get("/api/account").json["data"]["id"] != made["id"]

    def test_nobody_without_a_sign_in_of_their_own_may(self, house: House, ada: Person) -> None:
        job = system_actor(ada.account_id, "job")

        with (
            house.in_use(),
            enter_account(ada.account_id),
            nothing_changes(house, ada),
            pytest.raises(errors.PermissionDeniedError),
        ):
            account_services.create_account(job, name="Mine")


class TestItsName:
    @pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
    def test_everybody_in_it_reads_the_account(self, acme: Team, role: str) -> None:
        data = acme.in_role(role).get("/api/account").json["data"]

        assert data.keys() == {"id", "name", "status", "created_at"}
        assert (data["id"], data["name"]) == (str(acme.account_id), "acme")

    @pytest.mark.parametrize("role", ["owner", "admin"])
    def test_who_may_rename_it_can_and_the_log_tells_old_and_new(
        self, acme: Team, role: str
    ) -> None:
        answer = acme.in_role(role).patch("/api/account", {"name": "Acme & Sons"})

        assert answer.json["data"]["name"] == "Acme & Sons"
        assert acme.ada.get("/api/account").json["data"] == answer.json["data"]
        event = acme.ada.events()[-1]
        assert event["action"] == "account.updated"
        assert event["changes"] == [{"field": "name", "old": "acme", "new": "Acme & Sons"}]
        assert event["target_id"] == str(acme.account_id)

    @pytest.mark.parametrize("role", ["member", "viewer"])
    def test_others_cannot_rename_it(self, house: House, acme: Team, role: str) -> None:
        with nothing_changes(house, acme.ada, acme.in_role(role)):
            told = refused(acme.in_role(role).patch("/api/account", {"name": "Mine"}), 40301)

        assert "account:update" in told["display_error"]

    def test_the_name_it_has_already_leaves_no_event(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            assert ada.patch("/api/account", {"name": "ada"}).status_code == 200

    @pytest.mark.parametrize("path", ["/api/account", "/api/accounts"])
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": "\u200b\u2060"}, "name"),
            ({"name": "a" * 81}, "name"),
            ({"name": None}, "name"),
            ({"name": 7}, "name"),
            ({"name": "ok", "status": "active"}, "status"),
            ({"name": "ok", "id": str(uuid4())}, "id"),
            ({"name": "ok", "account_id": str(uuid4())}, "account_id"),
            ({"name": "ok", "roles_version": 9}, "roles_version"),
        ],
    )
    def test_what_cannot_be_an_account_is_refused_with_the_field(
        self, lite: House, solo: Person, path: str, body: dict[str, Any], field: str
    ) -> None:
        send = solo.patch if path == "/api/account" else solo.post
        with nothing_changes(lite, solo):
            refused(send(path, body), 42201, field)


class TestSuspending:
    def test_staff_locks_everybody_out_and_lets_them_in_again_and_the_log_says_why(
        self, house: House, acme: Team
    ) -> None:
        staff = system_actor(acme.account_id, "flask accounts suspend")

        with house.in_use(), enter_account(acme.account_id):
            account_services.suspend_account(staff, reason="unpaid since May")
        for person in (acme.ada, acme.ben, acme.cleo, acme.vera):
            refused(person.get("/api/user"), 40102)
        with house.in_use(), enter_account(acme.account_id):
            account_services.restore_account(staff, reason="paid")

        (suspended,) = sign_in(house, acme.ada).events(action="account.suspended")
        (restored,) = acme.ada.events(action="account.restored")
        assert suspended["changes"] == [{"field": "status", "old": "active", "new": "suspended"}]
        assert (suspended["reason"], restored["reason"]) == ("unpaid since May", "paid")
        assert (suspended["actor_type"], suspended["actor_id"]) == ("system", None)
        assert suspended["actor_label"] == "flask accounts suspend"

    def test_doing_it_twice_leaves_one_event(self, house: House, ada: Person) -> None:
        staff = system_actor(ada.account_id, "twice")

        with house.in_use(), enter_account(ada.account_id):
            account_services.suspend_account(staff, reason="first")
            with nothing_changes(house, ada):
                account_services.suspend_account(staff, reason="second")

    @pytest.mark.parametrize(
        "act", [account_services.suspend_account, account_services.restore_account]
    )
    def test_no_role_inside_the_account_is_enough(
        self, house: House, ada: Person, act: Any
    ) -> None:
        key = Actor("api_key", uuid4(), "key", ada.account_id, ada.actor().permissions)

        with house.in_use(), enter_account(ada.account_id), nothing_changes(house, ada):
            for actor in (ada.actor(), key):
                with pytest.raises(errors.PermissionDeniedError):
                    act(actor, reason="because")

"""The people of the account and its roles: over HTTP, and what the services hold beyond it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, update

from saas import errors
from saas.columns import utc_now
from saas.models import Account, Identity, Role, UserRole
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import user_services
from tenants import enter_account
from tests import acts
from tests.house import House
from tests.people import PASSWORD, Person, Team, add, fresh_email
from tests.refusals import change, look, nothing_changes, refused, said

ROLES = ["owner", "admin", "member", "viewer"]


class TestReading:
    def test_everybody_sees_the_people_newest_first(self, acme: Team) -> None:
        for role in ROLES:
            rows = acme.in_role(role).get("/api/users").json["data"]

            assert [row["username"] for row in rows] == ["vera", "cleo", "ben", "ada"]
            assert [row["roles"] for row in rows] == [["viewer"], ["member"], ["admin"], ["owner"]]
            for row in rows:
                assert row.keys() == {"id", "username", "email", "status", "roles", "created_at"}

    def test_list_is_walked_page_by_page(self, acme: Team) -> None:
        first = acme.ada.get("/api/users?limit=3").json
        rest = acme.ada.get(f"/api/users?limit=3&cursor={first['next_cursor']}").json

        names = [row["username"] for row in first["data"] + rest["data"]]
        assert names == ["vera", "cleo", "ben", "ada"]
        assert rest["next_cursor"] is None

    def test_one_is_read_as_the_list_shows_them(self, acme: Team) -> None:
        row = acme.ada.get("/api/users").json["data"][0]

        assert acme.vera.get(f"/api/users/{row['id']}").json["data"] == row

    def test_a_stranger_finds_nobody(self, house: House, acme: Team, gus: Person) -> None:
        with nothing_changes(house, acme.ada, gus):
            foreign = gus.get(f"/api/users/{acme.ada.user_id}")
            unknown = gus.get(f"/api/users/{uuid4()}")
            malformed = gus.get("/api/users/ada")

        assert refused(foreign, 40401) == said(unknown) == said(malformed)
        assert [row["username"] for row in gus.get("/api/users").json["data"]] == ["gus"]

    def test_everybody_sees_what_the_roles_give(self, acme: Team) -> None:
        for role in ROLES:
            rows = acme.in_role(role).get("/api/roles").json["data"]

            told = {row["name"]: row["permissions"] for row in rows}
            assert told == {
                name: sorted(p.value for p in given) for name, given in SYSTEM_ROLES.items()
            }
            assert all(row["system"] for row in rows)
            assert rows[0].keys() == {
                "id",
                "name",
                "system",
                "people",
                "permissions",
                "created_at",
            }

    def test_roles_of_another_account_are_not_listed(self, ada: Person, gus: Person) -> None:
        own, other = (p.get("/api/roles?limit=100").json["data"] for p in (ada, gus))

        assert {row["id"] for row in own}.isdisjoint(row["id"] for row in other)

    def test_people_of_no_role_are_listed_with_none(self, house: House, ada: Person) -> None:
        add(house, ada, "zoe")

        assert ada.get("/api/users").json["data"][0]["roles"] == []

    @pytest.mark.parametrize("path", ["/api/users", "/api/roles"])
    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=a", "cursor=x", "role=owner"])
    def test_a_query_that_makes_no_sense_is_refused(
        self, solo: Person, path: str, query: str
    ) -> None:
        refused(solo.get(f"{path}?{query}"), 42201, query.split("=", maxsplit=1)[0])


class TestCustomRole:
    def give(self, house: House, acme: Team, permissions: list[str]) -> None:
        """Let Vera hold a custom role too, as a later step will: the rows, and the version raised."""
        accounts, role_id = Account.__table__, uuid4()
        scoped = {"account_id": acme.account_id}
        role = {
            "id": role_id,
            "name": "custom",
            "permissions": permissions,
            "created_at": utc_now(),
        }
        held = {"user_id": acme.vera.user_id, "role_id": role_id, "assigned_at": utc_now()}
        change(house, insert(Role.__table__).values(**scoped, **role))
        change(house, insert(UserRole.__table__).values(**scoped, **held))
        raised = update(accounts).where(accounts.c.account_id == acme.account_id)
        change(house, raised.values(roles_version=accounts.c.roles_version + 1))

    def test_it_adds_to_what_the_other_roles_give_at_the_next_request(
        self, house: House, acme: Team
    ) -> None:
        refused(acme.vera.get("/api/audit-events"), 40301)

        self.give(house, acme, ["audit:read"])

        assert acme.vera.get("/api/audit-events").status_code == 200
        refused(acme.vera.post("/api/projects", {"name": "x"}), 40301)
        roles = acme.vera.get("/api/session").json["data"]["roles"]
        assert sorted(roles) == ["custom", "viewer"]

    def test_a_permission_that_no_release_knows_opens_nothing(
        self, house: House, acme: Team
    ) -> None:
        before = acme.vera.get("/api/session").json["data"]["permissions"]

        self.give(house, acme, ["made:up", "PROJECT_CREATE", "", "owner"])

        assert acme.vera.get("/api/session").json["data"]["permissions"] == before
        assert acme.vera.get("/api/roles").status_code == 200


class TestSeats:
    """What no route leads to yet: the services behind inviting and suspending."""

    def test_a_person_is_given_a_seat_and_the_log_tells_their_roles(
        self, house: House, acme: Team
    ) -> None:
        zoe = add(house, acme.ada, "zoe", "member", "viewer")

        assert zoe.get("/api/session").json["data"]["roles"] == ["member", "viewer"]
        event = acme.ada.events(action="user.created")[-1]
        assert event["data"] == {"roles": ["member", "viewer"]}
        assert (event["target_id"], event["target_label"]) == (str(zoe.user_id), "zoe")

    def test_a_person_known_elsewhere_keeps_their_password(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        with house.in_use(), enter_account(gus.account_id):
            user_services.add_user(
                gus.actor(),
                email=ada.email,
                username="ada",
                password="another one 77",
                role_keys=[],
            )

        body = {"email": ada.email, "password": PASSWORD}
        assert house.app.test_client().post("/api/login", json=body).status_code == 200
        assert len(look(house, Identity.__table__.select().where(Identity.email == ada.email))) == 1

    @pytest.mark.parametrize("taken", ["name", "person"])
    def test_a_name_or_person_that_sits_here_already_is_refused_and_nothing_is_left(
        self, house: House, acme: Team, taken: str
    ) -> None:
        email = acme.ben.email if taken == "person" else fresh_email("new")
        username = "ben" if taken == "name" else "other"
        error = errors.NameAlreadyExistsError if taken == "name" else errors.AlreadyMemberError

        with (
            house.in_use(),
            enter_account(acme.account_id),
            nothing_changes(house, acme.ada),
            pytest.raises(error),
        ):
            user_services.add_user(
                acme.ada.actor(),
                email=email,
                username=username,
                password=PASSWORD,
                role_keys=[],
            )

    @pytest.mark.parametrize("role", ["member", "viewer"])
    def test_who_may_not_invite_or_suspend_cannot(
        self, house: House, acme: Team, role: str
    ) -> None:
        actor = acme.in_role(role).actor(role)
        other = acme.vera.user_id if role == "member" else acme.cleo.user_id
        acts: list[Any] = [
            lambda: user_services.add_user(
                actor, email=fresh_email("x"), username="x", password=PASSWORD, role_keys=[]
            ),
            lambda: user_services.suspend_user(actor, user_id=other),
            lambda: user_services.restore_user(actor, user_id=other),
        ]
        with house.in_use(), enter_account(acme.account_id), nothing_changes(house, acme.ada):
            for act in acts:
                with pytest.raises(errors.PermissionDeniedError, match="user:"):
                    act()

    def test_nobody_gives_what_they_do_not_hold(self, house: House, acme: Team) -> None:
        inviter = acme.cleo.actor("member")
        object.__setattr__(inviter, "permissions", inviter.permissions | {Permission.USER_INVITE})

        with house.in_use(), enter_account(acme.account_id), nothing_changes(house, acme.ada):
            for role in ("owner", "admin"):
                with pytest.raises(errors.PermissionDeniedError):
                    user_services.add_user(
                        inviter,
                        email=fresh_email("x"),
                        username="x",
                        password=PASSWORD,
                        role_keys=[role],
                    )

    def test_nobody_acts_on_someone_who_holds_more(self, house: House, acme: Team) -> None:
        acts.give(acme.ada, acme.cleo, "warden", "user:suspend")
        warden = acme.cleo.actor("member")
        object.__setattr__(warden, "permissions", warden.permissions | {Permission.USER_SUSPEND})

        with house.in_use(), enter_account(acme.account_id), nothing_changes(house, acme.ada):
            for above in (acme.ada, acme.ben):
                for act in (user_services.suspend_user, user_services.restore_user):
                    with pytest.raises(errors.PermissionDeniedError):
                        act(warden, user_id=above.user_id)
        with house.in_use(), enter_account(acme.account_id):
            user_services.suspend_user(warden, user_id=acme.vera.user_id)

    def test_unknown_role_is_not_found_and_nothing_is_left(self, house: House, acme: Team) -> None:
        with (
            house.in_use(),
            enter_account(acme.account_id),
            nothing_changes(house, acme.ada),
            pytest.raises(errors.NotFoundError),
        ):
            user_services.add_user(
                acme.ada.actor(),
                email=fresh_email("x"),
                username="x",
                password=PASSWORD,
                role_keys=["emperor"],
            )

    def test_suspended_user_is_out_at_the_next_request_and_in_again_when_restored(
        self, house: House, acme: Team
    ) -> None:
        ada = acme.ada.actor()

        with house.in_use(), enter_account(acme.account_id):
            user_services.suspend_user(ada, user_id=acme.cleo.user_id, reason="left her key")
        refused(acme.cleo.get("/api/user"), 40102)
        body = {"email": acme.cleo.email, "password": PASSWORD}
        refused(acme.cleo.post("/api/login", body), 40304)
        statuses = {u["username"]: u["status"] for u in acme.ada.get("/api/users").json["data"]}
        assert statuses["cleo"] == "suspended"
        with house.in_use(), enter_account(acme.account_id):
            user_services.restore_user(ada, user_id=acme.cleo.user_id)
        assert acme.cleo.post("/api/login", body).status_code == 200

        suspended, restored = acme.ada.events()[-3:-1]
        assert suspended["action"] == "user.suspended"
        assert suspended["reason"] == "left her key"
        assert suspended["changes"] == [{"field": "status", "old": "active", "new": "suspended"}]
        assert restored["action"] == "user.restored"

    def test_nobody_suspends_themselves_or_a_stranger(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        with house.in_use(), enter_account(ada.account_id), nothing_changes(house, ada, gus):
            with pytest.raises(errors.PermissionDeniedError, match="yourself"):
                user_services.suspend_user(ada.actor(), user_id=ada.user_id)
            for unknown in (gus.user_id, uuid4()):
                with pytest.raises(errors.NotFoundError):
                    user_services.suspend_user(ada.actor(), user_id=unknown)

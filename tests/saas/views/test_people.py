"""People over HTTP: searched, renamed, suspended, let back in, removed, and leaving; the last owner stays."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from saas import errors
from saas.audit import chain
from saas.models import (
    ApiKey,
    Invitation,
    OwnershipOffer,
    Project,
    User,
    UserRole,
    UserSession,
)
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import role_services, user_services
from tenants import enter_account
from tests import acts, people
from tests.acts import done, give, give_role, make_key, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team
from tests.refusals import look, nothing_changes, refused


def path_of(person: Person) -> str:
    return f"/api/users/{person.user_id}"


def found(person: Person, search: str) -> list[str]:
    rows = done(person.get("/api/users", query_string={"search": search}))
    return [row["username"] for row in rows]


@pytest.fixture
def ida(house: House, acme: Team, gus: Person) -> tuple[Person, Person]:
    """Ida, who sits in acme and in globex: signed in to each in a browser of its own."""
    there = people.add(house, gus, "ida", "member")
    here = people.add(house, acme.ada, "ida", "member", email=there.email)
    for browser, seat in ((here, here), (there, there)):
        done(browser.post("/api/session/account", {"account_id": str(seat.account_id)}))
    return here, there


class TestSearching:
    def test_people_are_found_by_the_beginning_of_name_or_address_in_any_case(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        for person in (acme.ada, acme.vera):
            assert found(person, "CL") == ["cleo"]
            assert found(person, acme.cleo.email[:-4].upper()) == ["cleo"]
            assert found(person, "leo") == found(person, "gus") == []
        assert found(acme.ada, gus.email) == found(gus, acme.ada.email) == []
        assert found(acme.ada, "") == ["vera", "cleo", "ben", "ada"]

    def test_signs_of_patterns_are_letters_like_any_other(self, house: House, ada: Person) -> None:
        people.add(house, ada, "a_b")
        people.add(house, ada, "axb")

        assert found(ada, "a_b") == ["a_b"]
        for search in ("%", "a%", "/", "_", "a/_b", "\\", "'", "a' OR '1'='1", "ä"):
            assert found(ada, search) == []

    def test_a_search_is_walked_page_by_page_and_its_cursor_is_its_own(
        self, house: House, ada: Person
    ) -> None:
        for name in ("zoe1", "zoe2", "zoe3"):
            people.add(house, ada, name)

        first = ada.get("/api/users?search=zoe&limit=2").json
        cursor = first["next_cursor"]
        rest = ada.get(f"/api/users?search=zoe&limit=2&cursor={cursor}").json
        names = [row["username"] for row in first["data"] + rest["data"]]
        assert (names, rest["next_cursor"]) == (["zoe3", "zoe2", "zoe1"], None)
        refused(ada.get(f"/api/users?cursor={cursor}"), 42201, "cursor")

    @pytest.mark.parametrize("search", ["x" * 101, "a\x00", "%00"])
    def test_a_search_that_no_name_has_is_refused_or_finds_nobody(
        self, solo: Person, search: str
    ) -> None:
        answer = solo.get("/api/users", query_string={"search": search})
        if search == "%00":
            assert done(answer) == []
        else:
            refused(answer, 42201, "search")


class TestRenaming:
    def test_admin_renames_a_member_and_the_audit_says_from_what_to_what(self, acme: Team) -> None:
        row = done(acme.ben.patch(path_of(acme.cleo), {"username": "clio"}))

        assert (row["username"], row["roles"]) == ("clio", ["member"])
        assert done(acme.cleo.get("/api/user"))["username"] == "clio"
        event = acme.ada.events()[-1]
        assert (event["action"], event["actor_label"]) == ("user.updated", "ben")
        assert event["changes"] == [{"field": "username", "old": "cleo", "new": "clio"}]

    def test_a_name_is_taken_once_in_an_account(self, house: House, acme: Team) -> None:
        with nothing_changes(house, acme.ada):
            answer = acme.ada.patch(path_of(acme.cleo), {"username": "vera"})
            refused(answer, 40903, "username")
            done(acme.ada.patch(path_of(acme.cleo), {"username": "cleo"}))

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "username"),
            ({"username": "1x"}, "username"),
            ({"username": "x" * 16}, "username"),
            ({"username": "ok", "email": "x@example.com"}, "email"),
            ({"username": "ok", "status": "active"}, "status"),
            ({"username": "ok", "roles": ["owner"]}, "roles"),
            ({"username": "ok", "account_id": str(uuid4())}, "account_id"),
        ],
    )
    def test_what_cannot_be_changed_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.patch(path_of(solo), body), 42201, field)


class TestSuspending:
    def test_suspended_at_the_next_request_and_let_back_in(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "maker", "api_key:create")
        script = make_key(house, acme.cleo, "project:read")
        assert script.get("/api/projects").status_code == 200

        row = done(acme.ben.post(f"{path_of(acme.cleo)}/suspend", {"reason": "left her laptop"}))
        assert row["status"] == "suspended"
        refused(acme.cleo.get("/api/user"), 40102)
        refused(script.get("/api/projects"), 40102)
        sign_in = {"email": acme.cleo.email, "password": PASSWORD}
        refused(acme.cleo.post("/api/login", sign_in), 40304)
        sessions = select(UserSession.id).where(UserSession.user_id == acme.cleo.user_id)
        assert look(house, sessions) == []

        assert done(acme.ben.post(f"{path_of(acme.cleo)}/restore", {}))["status"] == "active"
        people.sign_in(house, acme.cleo)
        assert script.get("/api/projects").status_code == 200
        told = [e for e in acme.ada.events() if e["target_label"] == "cleo"][-2:]
        assert [(e["action"], e["reason"]) for e in told] == [
            ("user.suspended", "left her laptop"),
            ("user.restored", None),
        ]
        assert told[0]["changes"] == [{"field": "status", "old": "active", "new": "suspended"}]

    def test_only_the_seat_here_is_suspended(
        self, acme: Team, gus: Person, ida: tuple[Person, Person]
    ) -> None:
        here, there = ida

        done(acme.ada.post(f"{path_of(here)}/suspend", {}))

        refused(here.get("/api/user"), 40102)
        assert done(there.get("/api/user"))["account_id"] == str(gus.account_id)
        accounts = [a["name"] for a in done(there.get("/api/session"))["accounts"]]
        assert accounts == ["globex"]
        body = {"account_id": str(acme.account_id)}
        refused(there.post("/api/session/account", body), 40401)

    def test_doing_it_twice_is_one_event(self, house: House, acme: Team) -> None:
        done(acme.ada.post(f"{path_of(acme.cleo)}/suspend", {}))

        with nothing_changes(house, acme.ada):
            done(acme.ada.post(f"{path_of(acme.cleo)}/suspend", {"reason": "again"}))
            done(acme.ada.post(f"{path_of(acme.vera)}/restore", {}))

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"reason": "x" * 501}, "reason"),
            ({"reason": 1}, "reason"),
            ({"status": "active"}, "status"),
        ],
    )
    def test_what_cannot_be_a_reason_is_refused(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            for act in ("suspend", "restore"):
                refused(solo.post(f"{path_of(solo)}/{act}", body), 42201, field)


def plant(house: House, acme: Team) -> acts.Script:
    """Let Ben leave something behind of every kind; returns the program with his key."""
    script = make_key(house, acme.ben, "project:read", "project:create")
    assert script.post("/api/projects", {"name": "by a key"}).status_code == 201
    for name in ("dora", "emil"):
        acts.invite(acme.ben, people.fresh_email(name), "viewer")
    give_role(acme.ben, acme.cleo, role_ids(acme.ben)["viewer"])
    body = {"user_id": str(acme.ben.user_id)}
    done(acme.ada.post("/api/account/ownership-offers", body), 201)
    return script


def left_behind(house: House, person: Person) -> dict[str, int]:
    """Count what of a person still stands in the database."""
    user_id = person.user_id
    of_theirs = {
        "seat": select(User.id).where(User.id == user_id),
        "roles": select(UserRole.role_id).where(UserRole.user_id == user_id),
        "keys": select(ApiKey.id).where(ApiKey.user_id == user_id),
        "sessions": select(UserSession.id).where(UserSession.user_id == user_id),
        "open invitations": select(Invitation.id).where(
            Invitation.account_id == person.account_id, Invitation.revoked_at.is_(None)
        ),
        "offers": select(OwnershipOffer.id).where(OwnershipOffer.to_user_id == user_id),
    }
    return {name: len(look(house, statement)) for name, statement in of_theirs.items()}


class TestRemoving:
    def test_what_a_removed_person_leaves_behind_ends_with_them(
        self, house: House, acme: Team
    ) -> None:
        script = plant(house, acme)
        assert min(left_behind(house, acme.ben).values()) >= 1

        done(acme.ada.delete(path_of(acme.ben)))

        assert left_behind(house, acme.ben) == dict.fromkeys(left_behind(house, acme.ben), 0)
        refused(acme.ben.get("/api/user"), 40102)
        refused(script.get("/api/projects"), 40102)
        sign_in = {"email": acme.ben.email, "password": PASSWORD}
        refused(acme.ben.post("/api/login", sign_in), 40302)
        assert [row["state"] for row in done(acme.ada.get("/api/invitations"))] == ["revoked"] * 2
        # What they made for others stays.
        names = look(house, select(Project.name).where(Project.account_id == acme.account_id))
        assert [row.name for row in names] == ["by a key"]
        assert done(acme.ada.get(path_of(acme.cleo)))["roles"] == ["member", "viewer"]
        event = acme.ada.events()[-1]
        assert (event["action"], event["target_label"]) == ("user.removed", "ben")
        assert event["data"] == {"how": "removed", "keys_ended": 1, "invitations_ended": 2}

    def test_it_ends_in_one_transaction_or_not_at_all(
        self, house: House, acme: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = plant(house, acme)

        def fail(*_: Any) -> None:
            raise ZeroDivisionError

        with nothing_changes(house, acme.ada, acme.ben), monkeypatch.context() as patch:
            patch.setattr(chain, "write", fail)
            refused(acme.ada.delete(path_of(acme.ben)), 50002)
        assert script.get("/api/projects").status_code == 200

    def test_a_removed_person_stays_in_their_other_accounts(
        self, house: House, acme: Team, ida: tuple[Person, Person]
    ) -> None:
        here, there = ida

        done(acme.ben.delete(path_of(here)))

        refused(here.get("/api/user"), 40102)
        assert done(there.get("/api/user"))["account_name"] == "globex"
        people.sign_in(house, here)
        assert done(here.get("/api/user"))["account_name"] == "globex"

    def test_removed_and_invited_anew_is_a_new_seat_without_the_old_roles(
        self, house: House, acme: Team
    ) -> None:
        done(acme.ada.delete(path_of(acme.ben)))
        token = acts.invited(house, acme.ada, acme.ben.email, "viewer")

        # Who sits nowhere cannot sign in first, so the password of old is given with the link.
        refused(acts.accept(acme.ben.client, token), 40102)
        done(acts.accept(acme.ben.client, token, "ben"), 201)

        told = done(acme.ben.get("/api/session"))
        assert (told["roles"], told["user"]["email"]) == (["viewer"], acme.ben.email)
        assert told["user"]["id"] != str(acme.ben.user_id)


class TestLeaving:
    def test_member_leaves_and_is_out_at_once(self, house: House, acme: Team) -> None:
        script = plant(house, acme)

        done(acme.ben.post("/api/account/leave"))

        assert left_behind(house, acme.ben)["seat"] == 0
        refused(acme.ben.get("/api/user"), 40102)
        refused(script.get("/api/projects"), 40102)
        event = acme.ada.events()[-1]
        assert (event["action"], event["actor_label"]) == ("user.removed", "ben")
        assert event["data"] == {"how": "left", "keys_ended": 1, "invitations_ended": 2}

    def test_last_owner_cannot_leave(self, house: House, acme: Team) -> None:
        with nothing_changes(house, acme.ada):
            refused(acme.ada.post("/api/account/leave"), 40905)
        assert done(acme.ada.get("/api/user"))["username"] == "ada"

    def test_one_of_two_owners_leaves_and_the_other_cannot(self, acme: Team) -> None:
        give_role(acme.ada, acme.ben, role_ids(acme.ada)["owner"])

        done(acme.ada.post("/api/account/leave"))

        refused(acme.ben.post("/api/account/leave"), 40905)
        assert done(acme.ben.get("/api/session"))["roles"] == ["admin", "owner"]


class TestRefusals:
    def test_last_owner_is_neither_suspended_nor_removed_by_one_who_holds_as_much(
        self, house: House, acme: Team
    ) -> None:
        zed = people.add(house, acme.ada, "zed")
        give(acme.ada, zed, "everything", *Permission)

        with nothing_changes(house, acme.ada):
            refused(zed.post(f"{path_of(acme.ada)}/suspend", {}), 40905)
            refused(zed.delete(path_of(acme.ada)), 40905)
        assert done(acme.ada.get("/api/user"))["username"] == "ada"

    def test_nobody_acts_on_somebody_who_holds_more(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "closer", "account:close")

        with nothing_changes(house, acme.ada):
            for user in (acme.ada, acme.cleo):
                for answer in (
                    acme.ben.patch(path_of(user), {"username": "mine"}),
                    acme.ben.post(f"{path_of(user)}/suspend", {}),
                    acme.ben.post(f"{path_of(user)}/restore", {}),
                    acme.ben.delete(path_of(user)),
                ):
                    told = refused(answer, 40301)["display_error"]
                    assert "account:close" in told

    def test_one_who_holds_more_is_not_let_back_in_either(self, house: House, acme: Team) -> None:
        give_role(acme.ada, acme.cleo, role_ids(acme.ada)["owner"])
        done(acme.ada.post(f"{path_of(acme.cleo)}/suspend", {}))

        with nothing_changes(house, acme.ada):
            refused(acme.ben.post(f"{path_of(acme.cleo)}/restore", {}), 40301)

    def test_nobody_suspends_or_removes_themselves(self, house: House, acme: Team) -> None:
        with nothing_changes(house, acme.ada):
            for person in (acme.ada, acme.ben):
                refused(person.post(f"{path_of(person)}/suspend", {}), 40301)
                refused(person.delete(path_of(person)), 40301)

    def test_who_lacks_the_permission_is_told_which_and_nothing_changes(
        self, house: House, acme: Team
    ) -> None:
        with nothing_changes(house, acme.ada):
            for person, other in ((acme.cleo, acme.vera), (acme.vera, acme.cleo)):
                path = path_of(other)
                for permission, answer in {
                    "user:update": person.patch(path, {"username": "mine"}),
                    "user:suspend": person.post(f"{path}/suspend", {}),
                    "user:remove": person.delete(path),
                }.items():
                    assert permission in refused(answer, 40301)["display_error"]
                refused(person.post(f"{path}/restore", {}), 40301)

    def test_a_foreign_id_is_answered_like_one_that_does_not_exist(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        foreign, unknown = path_of(acme.cleo), f"/api/users/{uuid4()}"

        with nothing_changes(house, acme.ada, gus):
            for method, rest, body in (
                ("GET", "", None),
                ("PATCH", "", {"username": "mine"}),
                ("DELETE", "", None),
                ("POST", "/suspend", {}),
                ("POST", "/restore", {}),
                ("GET", "/permissions", None),
            ):
                answers = [
                    gus.client.open(f"{path}{rest}", method=method, json=body)
                    for path in (foreign, unknown, "/api/users/cleo")
                ]
                first, second, third = (refused(answer, 40401) for answer in answers)
                assert first == second == third

    def test_a_removed_id_is_one_that_does_not_exist(self, house: House, acme: Team) -> None:
        done(acme.ada.delete(path_of(acme.cleo)))

        with nothing_changes(house, acme.ada):
            refused(acme.ada.get(path_of(acme.cleo)), 40401)
            refused(acme.ada.delete(path_of(acme.cleo)), 40401)
            refused(acme.ada.post(f"{path_of(acme.cleo)}/restore", {}), 40401)

    def test_permissions_that_were_lost_meanwhile_are_asked_again_under_the_lock(
        self, house: House, acme: Team
    ) -> None:
        """A request that was let in before a demotion must not act after it."""
        before, cleo = acme.ben.actor("admin"), acme.cleo.user_id
        done(acme.ada.delete(f"{path_of(acme.ben)}/roles/{role_ids(acme.ada)['admin']}"))

        with house.in_use(), enter_account(acme.account_id), nothing_changes(house, acme.ada):
            assert before.permissions == SYSTEM_ROLES["admin"]
            for act in (
                lambda: user_services.suspend_user(before, user_id=cleo),
                lambda: user_services.remove_user(before, user_id=cleo),
                lambda: role_services.create_role(before, name="x", permissions=[]),
            ):
                with pytest.raises(errors.PermissionDeniedError):
                    act()

    def test_nobody_gets_in_without_signing_in(self, lite: House) -> None:
        nobody, path = lite.app.test_client(), f"/api/users/{uuid4()}"

        for method, each in (
            ("GET", "/api/users?search=a"),
            ("GET", path),
            ("PATCH", path),
            ("DELETE", path),
            ("POST", f"{path}/suspend"),
            ("POST", f"{path}/restore"),
            ("POST", "/api/account/leave"),
        ):
            refused(nobody.open(each, method=method), 40102)

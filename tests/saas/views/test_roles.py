"""Roles over HTTP: made, previewed, changed, deleted, given and taken; nobody gives what they do not hold."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from saas import errors
from saas.audit import chain
from saas.models import Role
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import held_permissions
from tests import acts, people
from tests.acts import done, give, give_role, make_role, permissions_of, role_ids
from tests.house import House
from tests.people import Person, Team
from tests.refusals import change, look, nothing_changes, refused, said


def roles_of(person: Person, user: Person) -> list[str]:
    roles: list[str] = done(person.get(f"/api/users/{user.user_id}"))["roles"]
    return roles


@pytest.fixture
def zed(house: House, acme: Team) -> Person:
    """Zed of acme, who holds every permission by a role that is not the owner's."""
    zed = people.add(house, acme.ada, "zed", "viewer")
    give(acme.ada, zed, "everything", *Permission)
    return zed


class TestReading:
    def test_everybody_reads_roles_with_what_they_give_and_how_many_hold_them(
        self, acme: Team
    ) -> None:
        give(acme.ada, acme.cleo, "auditor", "user:read", "audit:read", "user:read")

        for role in SYSTEM_ROLES:
            rows = done(acme.in_role(role).get("/api/roles"))
            assert [(r["name"], r["system"], r["people"]) for r in rows[:1]] == [
                ("auditor", False, 1)
            ]
            told = {r["name"]: (r["permissions"], r["people"]) for r in rows[1:]}
            assert told == {k: (sorted(held), 1) for k, held in SYSTEM_ROLES.items()}
            assert rows[0]["permissions"] == ["audit:read", "user:read"]
            assert done(acme.in_role(role).get(f"/api/roles/{rows[0]['id']}")) == rows[0]

    def test_catalogue_tells_every_permission_in_words(self, lite: House) -> None:
        rows = done(people.register(lite).get("/api/permissions"))

        assert [row["name"] for row in rows] == sorted(Permission)
        assert all(row["description"].endswith(".") for row in rows)

    def test_roles_are_walked_page_by_page(self, ada: Person) -> None:
        first = ada.get("/api/roles?limit=3").json
        rest = ada.get(f"/api/roles?limit=3&cursor={first['next_cursor']}").json

        names = [row["name"] for row in first["data"] + rest["data"]]
        assert (sorted(names), rest["next_cursor"]) == (sorted(SYSTEM_ROLES), None)


class TestMakingAndChanging:
    def test_owner_makes_renames_changes_and_deletes_a_role(self, acme: Team) -> None:
        role_id = give(acme.ada, acme.cleo, "auditor", "audit:read")
        path = f"/api/roles/{role_id}"

        renamed = done(acme.ada.patch(path, {"name": "reader"}))
        assert (renamed["name"], renamed["permissions"]) == ("reader", ["audit:read"])
        done(acme.ada.patch(path, {"permissions": ["user:read", "audit:read"]}))
        assert roles_of(acme.ada, acme.cleo) == ["member", "reader"]
        done(acme.ada.delete(path))

        refused(acme.ada.get(path), 40401)
        assert roles_of(acme.ada, acme.cleo) == ["member"]
        told = [(e["action"], e["target_label"]) for e in acme.ada.events()[-5:]]
        assert told == [
            ("role.created", "auditor"),
            ("role.granted", "cleo"),
            ("role.updated", "reader"),
            ("role.updated", "reader"),
            ("role.deleted", "reader"),
        ]

    def test_audit_tells_what_a_role_gave_and_gives(self, ada: Person) -> None:
        role_id = make_role(ada, "auditor", "user:read", "audit:read")
        done(ada.patch(f"/api/roles/{role_id}", {"permissions": ["audit:read"]}))

        created, updated = ada.events()[-2:]
        assert created["data"] == {"permissions": ["audit:read", "user:read"]}
        assert updated["changes"] == [
            {"field": "permissions", "old": ["audit:read", "user:read"], "new": ["audit:read"]}
        ]

    def test_a_change_that_changes_nothing_leaves_no_event(self, house: House, ada: Person) -> None:
        role_id = make_role(ada, "auditor", "audit:read")

        with nothing_changes(house, ada):
            for body in ({}, {"name": "auditor"}, {"permissions": ["audit:read", "audit:read"]}):
                done(ada.patch(f"/api/roles/{role_id}", body))

    def test_a_name_is_taken_once_in_an_account_and_free_in_another(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        make_role(ada, "auditor")
        other = make_role(ada, "reader")

        with nothing_changes(house, ada):
            for name in ("auditor", "owner"):
                refused(ada.post("/api/roles", {"name": name, "permissions": []}), 40903, "name")
                refused(ada.patch(f"/api/roles/{other}", {"name": name}), 40903, "name")
        make_role(gus, "auditor")

    def test_system_roles_follow_the_code_and_nobody_changes_them(
        self, house: House, ada: Person
    ) -> None:
        with nothing_changes(house, ada):
            for role_id in role_ids(ada).values():
                refused(ada.patch(f"/api/roles/{role_id}", {"permissions": []}), 40906)
                refused(ada.patch(f"/api/roles/{role_id}?preview=true", {"name": "x"}), 40906)
                refused(ada.delete(f"/api/roles/{role_id}"), 40906)

    def test_nobody_makes_a_role_out_of_what_they_do_not_hold(
        self, house: House, acme: Team
    ) -> None:
        give(acme.ada, acme.cleo, "maker", "role:create")

        with nothing_changes(house, acme.ada):
            for person, given in ((acme.ben, "account:close"), (acme.cleo, "audit:read")):
                body = {"name": "mine", "permissions": ["project:read", given]}
                assert given in refused(person.post("/api/roles", body), 40301)["display_error"]
        assert make_role(acme.cleo, "mine", "project:read", "role:create")

    def test_nobody_widens_or_touches_a_role_above_their_own(
        self, house: House, acme: Team
    ) -> None:
        own = give(acme.ada, acme.ben, "own", "project:read")
        above = make_role(acme.ada, "above", "account:close")

        with nothing_changes(house, acme.ada):
            wider = {"permissions": ["project:read", "account:transfer"]}
            for answer in (
                acme.ben.patch(f"/api/roles/{own}", wider),
                acme.ben.patch(f"/api/roles/{own}?preview=true", wider),
                acme.ben.patch(f"/api/roles/{above}", {"permissions": []}),
                acme.ben.patch(f"/api/roles/{above}", {"name": "below"}),
                acme.ben.patch(f"/api/roles/{above}?preview=true", {"permissions": []}),
                acme.ben.delete(f"/api/roles/{above}"),
            ):
                assert "account:" in refused(answer, 40301)["display_error"]
        assert Permission.ACCOUNT_TRANSFER not in permissions_of(acme.ben)

    def test_a_release_that_knows_more_or_less_changes_system_roles_and_no_custom_one(
        self, house: House, acme: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy = make_role(acme.ada, "copy", *SYSTEM_ROLES["member"])
        vera_id = acme.vera.user_id
        done(acme.ada.delete(f"/api/users/{vera_id}/roles/{role_ids(acme.ada)['viewer']}"))
        give_role(acme.ada, acme.vera, copy)
        old = ["no:longer", *sorted(SYSTEM_ROLES["member"])]
        assert change(house, update(Role).where(Role.name == "copy").values(permissions=old))
        held_permissions._custom_roles.clear()

        more = SYSTEM_ROLES["member"] | {Permission.AUDIT_READ}
        monkeypatch.setitem(SYSTEM_ROLES, "member", more)
        held_permissions._system_permissions.cache_clear()
        try:
            assert permissions_of(acme.cleo) == more
            assert permissions_of(acme.vera) == more - {Permission.AUDIT_READ}
        finally:
            monkeypatch.undo()
            held_permissions._system_permissions.cache_clear()
        rows = look(house, select(Role.permissions).where(Role.system_key.is_not(None)))
        assert all(row.permissions == [] for row in rows)


class TestPreview:
    def test_preview_tells_who_gains_and_who_loses_what_in_all_and_changes_nothing(
        self, house: House, acme: Team
    ) -> None:
        role_id = give(acme.ada, acme.cleo, "auditor", "audit:read", "project:read")
        give_role(acme.ada, acme.ben, role_id)
        body = {"permissions": ["user:invite", "role:grant"]}

        with nothing_changes(house, acme.ada):
            told = done(acme.ada.patch(f"/api/roles/{role_id}?preview=true", body))["effects"]

        # What another role of theirs gives is neither won nor lost.
        assert told == [
            {"id": str(acme.ben.user_id), "username": "ben", "gains": [], "loses": []},
            {
                "id": str(acme.cleo.user_id),
                "username": "cleo",
                "gains": ["role:grant", "user:invite"],
                "loses": ["audit:read"],
            },
        ]
        before = permissions_of(acme.cleo)
        done(acme.ada.patch(f"/api/roles/{role_id}", body))
        after = permissions_of(acme.cleo)
        assert (after - before, before - after) == (set(body["permissions"]), {"audit:read"})

    def test_preview_of_a_new_name_means_nothing_for_anybody(
        self, house: House, acme: Team
    ) -> None:
        role_id = give(acme.ada, acme.cleo, "auditor", "audit:read")

        with nothing_changes(house, acme.ada):
            told = done(acme.ada.patch(f"/api/roles/{role_id}?preview=true", {"name": "reader"}))

        cleo = {"id": str(acme.cleo.user_id), "username": "cleo", "gains": [], "loses": []}
        assert told == {"effects": [cleo]}


class TestGivingAndTaking:
    def test_several_roles_add_up_and_each_change_counts_at_the_next_request(
        self, acme: Team
    ) -> None:
        member = SYSTEM_ROLES["member"]
        auditor = give(acme.ben, acme.cleo, "auditor", "audit:read", "project:read")
        assert permissions_of(acme.cleo) == member | {Permission.AUDIT_READ}
        assert acme.cleo.get("/api/audit-events").status_code == 200

        done(acme.ben.patch(f"/api/roles/{auditor}", {"permissions": ["api_key:read"]}))
        assert permissions_of(acme.cleo) == member | {Permission.API_KEY_READ}
        refused(acme.cleo.get("/api/audit-events"), 40301)

        done(acme.ben.delete(f"/api/users/{acme.cleo.user_id}/roles/{auditor}"))
        assert permissions_of(acme.cleo) == member
        give_role(acme.ben, acme.cleo, auditor)
        assert acme.cleo.get("/api/api-keys").status_code == 200
        done(acme.ben.delete(f"/api/roles/{auditor}"))
        refused(acme.cleo.get("/api/api-keys"), 40301)

    def test_demotion_counts_at_the_next_request_of_an_open_session(self, acme: Team) -> None:
        roles = role_ids(acme.ada)
        assert acme.ben.get("/api/audit-events").status_code == 200

        done(acme.ada.delete(f"/api/users/{acme.ben.user_id}/roles/{roles['admin']}"))

        assert permissions_of(acme.ben) == set()
        assert "audit:read" in refused(acme.ben.get("/api/audit-events"), 40301)["display_error"]

    def test_giving_and_taking_are_told_with_user_role_and_hand(self, acme: Team) -> None:
        role_id = give(acme.ben, acme.cleo, "auditor", "audit:read")
        done(acme.ben.delete(f"/api/users/{acme.cleo.user_id}/roles/{role_id}"))

        granted, revoked = acme.ada.events()[-2:]
        for event, action in ((granted, "role.granted"), (revoked, "role.revoked")):
            assert (event["action"], event["actor_label"]) == (action, "ben")
            assert event["data"] == {"role": "auditor"}
            assert [(t["type"], t["label"]) for t in event["targets"]] == [
                ("user", "cleo"),
                ("role", "auditor"),
            ]

    def test_giving_twice_changes_nothing_and_taking_what_is_not_held_is_a_404(
        self, house: House, acme: Team
    ) -> None:
        roles = role_ids(acme.ada)

        with nothing_changes(house, acme.ada):
            give_role(acme.ada, acme.cleo, roles["member"])
            path = f"/api/users/{acme.cleo.user_id}/roles"
            refused(acme.ada.delete(f"{path}/{roles['viewer']}"), 40401)

    def test_nobody_gives_or_takes_a_role_above_their_own(self, house: House, acme: Team) -> None:
        roles = role_ids(acme.ada)

        with nothing_changes(house, acme.ada):
            for user in (acme.cleo, acme.ben):  # to somebody else, and to oneself
                body = {"role_id": roles["owner"]}
                answer = acme.ben.post(f"/api/users/{user.user_id}/roles", body)
                assert "account:" in refused(answer, 40301)["display_error"]

    def test_nobody_acts_on_somebody_who_holds_more(self, house: House, acme: Team) -> None:
        roles = role_ids(acme.ada)
        give(acme.ada, acme.cleo, "closer", "account:close")

        with nothing_changes(house, acme.ada):
            for user, held in ((acme.ada, "owner"), (acme.cleo, "member")):
                path = f"/api/users/{user.user_id}/roles"
                refused(acme.ben.delete(f"{path}/{roles[held]}"), 40301)
                refused(acme.ben.post(path, {"role_id": roles["viewer"]}), 40301)

    def test_last_owner_is_not_demoted_by_anybody(
        self, house: House, acme: Team, zed: Person
    ) -> None:
        path = f"/api/users/{acme.ada.user_id}/roles/{role_ids(acme.ada)['owner']}"

        with nothing_changes(house, acme.ada):
            refused(acme.ada.delete(path), 40905)
            refused(zed.delete(path), 40905)

    def test_one_of_two_owners_steps_down_and_the_other_stays(self, acme: Team) -> None:
        owner = role_ids(acme.ada)["owner"]
        give_role(acme.ada, acme.ben, owner)

        done(acme.ben.delete(f"/api/users/{acme.ada.user_id}/roles/{owner}"))

        assert permissions_of(acme.ada) == set()
        refused(acme.ben.delete(f"/api/users/{acme.ben.user_id}/roles/{owner}"), 40905)

    def test_a_suspended_owner_is_no_owner_to_count_on(self, house: House, acme: Team) -> None:
        owner = role_ids(acme.ada)["owner"]
        give_role(acme.ada, acme.ben, owner)
        done(acme.ada.post(f"/api/users/{acme.ben.user_id}/suspend", {}))

        with nothing_changes(house, acme.ada):
            refused(acme.ada.delete(f"/api/users/{acme.ada.user_id}/roles/{owner}"), 40905)

    def test_explanation_says_which_role_gives_each_permission(self, acme: Team) -> None:
        give(acme.ada, acme.cleo, "auditor", "audit:read", "project:read")

        told = done(acme.vera.get(f"/api/users/{acme.cleo.user_id}/permissions"))

        given = {row["permission"]: row["roles"] for row in told}
        assert given["audit:read"] == ["auditor"]
        assert given["project:read"] == ["auditor", "member"]
        assert set(given) == permissions_of(acme.cleo)

    def test_a_deleted_role_leaves_its_invitation_with_the_others(
        self, house: House, acme: Team
    ) -> None:
        role_id = make_role(acme.ada, "auditor", "audit:read")
        email = people.fresh_email("dora")
        token = acts.invited(house, acme.ada, email, "auditor", "viewer")
        done(acme.ada.delete(f"/api/roles/{role_id}"))

        dora = house.app.test_client()
        done(acts.accept(dora, token, "dora"), 201)

        assert done(dora.get("/api/session"))["roles"] == ["viewer"]

    def test_permissions_of_a_change_that_was_rolled_back_are_not_remembered(
        self, house: House, acme: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        role_id = make_role(acme.ada, "auditor", "audit:read")
        token = acts.invited(house, acme.ada, people.fresh_email("dora"), "auditor")
        give_role(acme.ada, acme.cleo, role_id)

        def fail(*_: Any) -> None:
            raise errors.DatabaseAwayError

        with monkeypatch.context() as patch:
            patch.setattr(chain, "write", fail)
            refused(acts.accept(house.app.test_client(), token, "dora"), 50301)
        done(acme.ada.patch(f"/api/roles/{role_id}", {"permissions": []}))

        assert permissions_of(acme.cleo) == SYSTEM_ROLES["member"]


class TestRefusals:
    def test_who_lacks_the_permission_is_told_which_and_nothing_changes(
        self, house: House, acme: Team
    ) -> None:
        roles = role_ids(acme.ada)
        role, user = f"/api/roles/{make_role(acme.ada, 'x')}", f"/api/users/{acme.vera.user_id}"

        with nothing_changes(house, acme.ada):
            for person in (acme.cleo, acme.vera):
                for permission, answer in {
                    "role:create": person.post("/api/roles", {"name": "y", "permissions": []}),
                    "role:update": person.patch(role, {"name": "y"}),
                    "role:delete": person.delete(role),
                    "role:grant": person.post(f"{user}/roles", {"role_id": roles["viewer"]}),
                    "role:revoke": person.delete(f"{user}/roles/{roles['viewer']}"),
                }.items():
                    assert permission in refused(answer, 40301)["display_error"]

    def test_a_foreign_id_is_answered_like_one_that_does_not_exist(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        role = make_role(acme.ada, "auditor", "audit:read")
        own, viewer = make_role(gus, "own"), role_ids(gus)["viewer"]
        cleo, self_ = f"/api/users/{acme.cleo.user_id}", f"/api/users/{gus.user_id}"
        member = role_ids(acme.ada)["member"]
        missing, nobody = str(uuid4()), f"/api/users/{uuid4()}"

        with nothing_changes(house, acme.ada, gus):
            for foreign, unknown in (
                (gus.get(f"/api/roles/{role}"), gus.get(f"/api/roles/{missing}")),
                (
                    gus.patch(f"/api/roles/{role}", {"name": "x"}),
                    gus.patch(f"/api/roles/{missing}", {"name": "x"}),
                ),
                (
                    gus.patch(f"/api/roles/{role}?preview=1", {}),
                    gus.patch(f"/api/roles/{missing}?preview=1", {}),
                ),
                (gus.delete(f"/api/roles/{role}"), gus.delete(f"/api/roles/{missing}")),
                (
                    gus.post(f"{self_}/roles", {"role_id": role}),
                    gus.post(f"{self_}/roles", {"role_id": missing}),
                ),
                (
                    gus.post(f"{cleo}/roles", {"role_id": viewer}),
                    gus.post(f"{nobody}/roles", {"role_id": viewer}),
                ),
                (gus.delete(f"{cleo}/roles/{member}"), gus.delete(f"{nobody}/roles/{own}")),
                (gus.delete(f"{self_}/roles/{role}"), gus.delete(f"{self_}/roles/{missing}")),
                (gus.get(f"{cleo}/permissions"), gus.get(f"{nobody}/permissions")),
            ):
                assert refused(foreign, 40401) == refused(unknown, 40401)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"permissions": []}, "name"),
            ({"name": "x"}, "permissions"),
            ({"name": "", "permissions": []}, "name"),
            ({"name": "Auditor", "permissions": []}, "name"),
            ({"name": " auditor", "permissions": []}, "name"),
            ({"name": "a,b", "permissions": []}, "name"),
            ({"name": "x" * 41, "permissions": []}, "name"),
            ({"name": 1, "permissions": []}, "name"),
            ({"name": "x", "permissions": "audit:read"}, "permissions"),
            ({"name": "x", "permissions": ["audit:reed"]}, "permissions.0"),
            ({"name": "x", "permissions": [1]}, "permissions.0"),
            ({"name": "x", "permissions": ["audit:read"] * 201}, "permissions"),
            ({"name": "x", "permissions": [], "account_id": str(uuid4())}, "account_id"),
            ({"name": "x", "permissions": [], "system_key": "owner"}, "system_key"),
            ({"name": "x", "permissions": [], "is_operator": True}, "is_operator"),
        ],
    )
    def test_what_cannot_be_a_role_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post("/api/roles", body), 42201, field)

    def test_what_cannot_be_a_change_or_a_gift_is_refused_with_the_field(
        self, lite: House, solo: Person
    ) -> None:
        role = f"/api/roles/{make_role(solo, 'auditor')}"
        gift = f"/api/users/{solo.user_id}/roles"

        with nothing_changes(lite, solo):
            refused(solo.patch(role, {"name": "Auditor"}), 42201, "name")
            refused(solo.patch(role, {"permissions": ["x:y"]}), 42201, "permissions.0")
            refused(solo.patch(role, {"system_key": "owner"}), 42201, "system_key")
            refused(solo.patch(f"{role}?preview=perhaps", {}), 42201, "preview")
            refused(solo.patch(f"{role}?review=true", {}), 42201, "review")
            refused(solo.post(gift, {}), 42201, "role_id")
            refused(solo.post(gift, {"role_id": "owner"}), 42201, "role_id")
            body = {"role_id": str(uuid4()), "user_id": str(uuid4())}
            refused(solo.post(gift, body), 42201, "user_id")
            assert said(solo.delete(f"{gift}/owner")) == refused(solo.get("/api/roles/x"), 40401)

    def test_nobody_gets_in_without_signing_in(self, lite: House) -> None:
        nobody = lite.app.test_client()
        role, user = f"/api/roles/{uuid4()}", f"/api/users/{uuid4()}"

        for method, path in (
            ("GET", "/api/permissions"),
            ("GET", "/api/roles"),
            ("POST", "/api/roles"),
            ("GET", role),
            ("PATCH", role),
            ("DELETE", role),
            ("POST", f"{user}/roles"),
            ("DELETE", f"{user}/roles/{uuid4()}"),
            ("GET", f"{user}/permissions"),
        ):
            refused(nobody.open(path, method=method), 40102)

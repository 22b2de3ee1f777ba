"""API keys: narrower than their maker, shown once, kept as a hash, ended at any time; never a person's own sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from saas import database, errors
from saas.actor import system_actor
from saas.columns import utc_now
from saas.models import OWNERSHIP, ApiKey, Identity
from saas.permissions import Permission
from saas.services import account_services, api_key_services, role_services
from tenants import enter_account
from tests import mail, people
from tests.acts import Script, done, give, invite, make_key, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team
from tests.refusals import change, look, nothing_changes, refused, superuser

KEYS = "/api/api-keys"


def row_of(house: House, key_id: str) -> Any:
    table = ApiKey.__table__
    return look(house, select(table).where(table.c.id == UUID(key_id)))[0]


def set_row(house: House, key_id: str, **values: Any) -> None:
    assert change(house, update(ApiKey).where(ApiKey.id == UUID(key_id)).values(**values)) == 1


@contextmanager
def untouched(house: House, script: Script, *people_: Person) -> Iterator[None]:
    """As ``nothing_changes``; the trace of the key's use is written before, and for a minute no more."""
    script.get("/api/account")
    with nothing_changes(house, *people_):
        yield


class TestMaking:
    def test_a_key_is_shown_once_and_a_script_uses_it(self, house: House, acme: Team) -> None:
        body = {"name": "ci", "permissions": ["project:read", "project:create", "project:read"]}

        made = done(acme.ben.post(KEYS, body), 201)

        assert made.keys() == {"id", "name", "permissions", "expires_at", "key"}
        assert made["permissions"] == ["project:create", "project:read"]
        account, key_id = acme.account_id.hex, made["id"].replace("-", "")
        assert made["key"].startswith(f"tk_{account}_{key_id}_")
        script = Script(made["id"], made["key"], house.app.test_client())
        done(script.post("/api/projects", {"name": "Apollo"}), 201)
        assert [row["name"] for row in done(script.get("/api/projects"))] == ["Apollo"]

        (row,) = done(acme.ada.get(KEYS))
        assert (row["id"], row["made_by"], row["revoked_at"]) == (made["id"], "ben", None)
        assert "key" not in row
        assert "secret" not in str(row)

    def test_only_the_hash_of_a_key_is_kept(self, house: House, ada: Person) -> None:
        script = make_key(house, ada, "project:read")
        secret = script.key.split("_", 3)[3]

        with superuser(house) as connection:
            for table in OWNERSHIP.metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    assert secret not in str(row), table.name
        assert len(row_of(house, script.id).secret_hash) == 64

    def test_making_using_and_ending_are_told_with_key_and_maker(
        self, house: House, acme: Team
    ) -> None:
        script = make_key(house, acme.ben, "project:create")
        done(script.post("/api/projects", {"name": "Apollo"}), 201)
        done(acme.ada.delete(f"{KEYS}/{script.id}"))

        created, used, revoked = acme.ada.events()[-3:]
        assert (created["action"], created["actor_label"]) == ("api_key.created", "ben")
        assert created["data"] == {"permissions": ["project:create"]}
        assert (used["action"], used["actor_type"], used["actor_id"]) == (
            "project.created",
            "api_key",
            script.id,
        )
        assert (used["actor_label"], used["on_behalf_of_label"]) == ("ci", "ben")
        assert used["on_behalf_of_id"] == str(acme.ben.user_id)
        assert (revoked["action"], revoked["actor_label"]) == ("api_key.revoked", "ada")

    def test_nobody_makes_a_key_that_may_what_they_may_not(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "maker", "api_key:create")

        with nothing_changes(house, acme.ada):
            for person, wanted in ((acme.ben, "account:close"), (acme.cleo, "audit:read")):
                body = {"name": "ci", "permissions": ["project:read", wanted]}
                assert wanted in refused(person.post(KEYS, body), 40301)["display_error"]
            for person in (acme.vera,):
                body = {"name": "ci", "permissions": []}
                told = refused(person.post(KEYS, body), 40301)["display_error"]
                assert "api_key:create" in told

    def test_a_key_makes_no_keys(self, house: House, ada: Person) -> None:
        script = make_key(house, ada, *Permission)

        with untouched(house, script, ada):
            refused(script.post(KEYS, {"name": "x", "permissions": []}), 40301)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"permissions": []}, "name"),
            ({"name": "ci"}, "permissions"),
            ({"name": "  ", "permissions": []}, "name"),
            ({"name": "x" * 81, "permissions": []}, "name"),
            ({"name": "ci", "permissions": ["x:y"]}, "permissions.0"),
            ({"name": "ci", "permissions": [], "expires_at": "tomorrow"}, "expires_at"),
            ({"name": "ci", "permissions": [], "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
            ({"name": "ci", "permissions": [], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"name": "ci", "permissions": [], "user_id": str(uuid4())}, "user_id"),
            ({"name": "ci", "permissions": [], "account_id": str(uuid4())}, "account_id"),
            ({"name": "ci", "permissions": [], "secret_hash": "x"}, "secret_hash"),
        ],
    )
    def test_what_cannot_be_a_key_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post(KEYS, body), 42201, field)

    def test_an_end_that_a_database_cannot_hold_is_refused(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            for end in ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z"):
                body = {"name": "ci", "permissions": [], "expires_at": end}
                refused(ada.post(KEYS, body), 42201, "expires_at")
        make_key(house, ada, expires_at="9998-12-31T00:00:00-12:00")


class TestUsing:
    def test_a_key_may_what_it_holds_and_is_told_what_it_lacks(
        self, house: House, ada: Person
    ) -> None:
        script = make_key(house, ada, "project:read", "audit:read")

        assert script.get("/api/audit-events").status_code == 200
        with untouched(house, script, ada):
            for permission, answer in {
                "project:create": script.post("/api/projects", {"name": "x"}),
                "user:read": script.get("/api/users"),
                "role:create": script.post("/api/roles", {"name": "x", "permissions": []}),
                "api_key:read": script.get(KEYS),
            }.items():
                assert permission in refused(answer, 40301)["display_error"]

    def test_a_key_gives_and_touches_only_what_is_below_itself(
        self, house: House, acme: Team
    ) -> None:
        held = ("role:create", "role:grant", "user:invite", "user:suspend", "role:read")
        script = make_key(house, acme.ada, *held)
        roles = role_ids(acme.ada)
        email = people.fresh_email("dora")

        with untouched(house, script, acme.ada):
            for answer in (
                script.post("/api/roles", {"name": "x", "permissions": ["audit:read"]}),
                script.post(f"/api/users/{acme.cleo.user_id}/roles", {"role_id": roles["member"]}),
                script.post("/api/invitations", {"email": email, "role_ids": [roles["viewer"]]}),
                script.post(f"/api/users/{acme.cleo.user_id}/suspend", {}),
                script.post(f"/api/users/{acme.ada.user_id}/suspend", {}),
            ):
                refused(answer, 40301)
        done(script.post("/api/roles", {"name": "x", "permissions": ["role:read"]}), 201)

    def test_a_key_shrinks_with_its_maker_and_never_grows(self, house: House, acme: Team) -> None:
        role_id = give(acme.ada, acme.cleo, "helper", "api_key:create", "audit:read")
        script = make_key(house, acme.cleo, "audit:read", "project:read")
        assert script.get("/api/audit-events").status_code == 200

        done(acme.ada.patch(f"/api/roles/{role_id}", {"permissions": ["api_key:create"]}))
        refused(script.get("/api/audit-events"), 40301)
        assert script.get("/api/projects").status_code == 200

        every = {"permissions": list(Permission)}
        done(acme.ada.patch(f"/api/roles/{role_id}", every))
        assert script.get("/api/audit-events").status_code == 200
        refused(script.get("/api/users"), 40301)

        done(acme.ada.delete(f"/api/users/{acme.cleo.user_id}/roles/{role_id}"))
        member = role_ids(acme.ada)["member"]
        done(acme.ada.delete(f"/api/users/{acme.cleo.user_id}/roles/{member}"))
        refused(script.get("/api/projects"), 40301)

    def test_a_key_is_no_person(self, house: House, acme: Team) -> None:
        script = make_key(house, acme.ada, *Permission)
        sessions = done(acme.ada.get("/api/sessions"))

        with untouched(house, script, acme.ada):
            for method, path, body in (
                ("POST", "/api/email", {"email": "x@example.com", "password": PASSWORD}),
                (
                    "POST",
                    "/api/password",
                    {"current_password": PASSWORD, "new_password": "another horse 77"},
                ),
                ("POST", "/api/email/verification", None),
                ("GET", "/api/session", None),
                ("POST", "/api/session/account", {"account_id": str(acme.account_id)}),
                ("GET", "/api/sessions", None),
                ("DELETE", f"/api/sessions/{sessions[0]['id']}", None),
                ("POST", "/api/accounts", {"name": "mine"}),
                ("POST", "/api/account/leave", None),
                ("POST", "/api/account/close", {"password": PASSWORD}),
            ):
                told = refused(script.call(method, path, body), 40301)
                assert "person" in told["display_error"], path

    def test_a_key_does_not_accept_for_its_maker(self, house: House, acme: Team) -> None:
        gus = people.register(house, "gus")
        script = make_key(house, gus, *Permission)
        invite(acme.ada, gus.email, "viewer")
        token = mail.token(house, gus.email)
        with untouched(house, script, acme.ada, gus):
            answer = script.post("/api/invitations/accept", {"token": token})
            refused(answer, 40305)

    def test_use_is_noted_at_most_once_a_minute(self, house: House, acme: Team) -> None:
        script = make_key(house, acme.ada, "project:read")
        assert row_of(house, script.id).last_used_at is None

        script.get("/api/projects")
        first = row_of(house, script.id).last_used_at
        script.get("/api/projects")
        assert row_of(house, script.id).last_used_at == first
        long_ago = utc_now() - timedelta(seconds=61)
        set_row(house, script.id, last_used_at=long_ago)
        script.get("/api/projects")
        assert row_of(house, script.id).last_used_at > long_ago + timedelta(seconds=60)
        (shown,) = done(acme.ada.get(KEYS))
        assert shown["last_used_at"] is not None

    def test_a_key_is_taken_from_the_header_alone(self, house: House, ada: Person) -> None:
        script = make_key(house, ada, "project:read")
        nobody = house.app.test_client()

        for path in (
            f"/api/projects?api_key={script.key}",
            f"/api/projects?access_token={script.key}",
            f"/api/projects?Authorization=Bearer%20{script.key}",
        ):
            refused(nobody.get(path), 40102)
        for headers in (
            {"X-API-Key": script.key},
            {"Cookie": f"session={script.key}"},
            {"Authorization": script.key},
            {"Authorization": f"Basic {script.key}"},
            {"Authorization": f"Token {script.key}"},
        ):
            refused(nobody.get("/api/projects", headers=headers), 40102)
        for scheme in ("Bearer", "bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {script.key}"}
            assert nobody.get("/api/projects", headers=headers).status_code == 200

    def test_a_key_that_is_not_whole_is_nobody_and_so_is_the_cookie_beside_it(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        script = make_key(house, acme.ada, "project:read")
        _, account, key_id, secret = script.key.split("_", 3)

        for key in (
            "",
            "tk_",
            script.key[:-1],
            script.key + "A",
            script.key.upper(),
            f"tk_{gus.account_id.hex}_{key_id}_{secret}",
            f"tk_{account}_{uuid4().hex}_{secret}",
            f"tk_{uuid4().hex}_{key_id}_{secret}",
            f"inv_{account}_{secret}",
            f"tk_{account}_{key_id}_{'A' * 43}",
        ):
            headers = {"Authorization": f"Bearer {key}"}
            refused(house.app.test_client().get("/api/projects", headers=headers), 40102)
            refused(acme.ada.get("/api/projects", headers=headers), 40102)

    def test_a_key_stands_alone_before_the_cookie_of_somebody_else(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        done(gus.post("/api/projects", {"name": "of gus"}), 201)
        script = make_key(house, ada, "project:read")
        headers = {"Authorization": f"Bearer {script.key}"}

        assert done(gus.get("/api/projects", headers=headers)) == []
        refused(gus.post("/api/projects", {"name": "x"}, headers=headers), 40301)

    def test_a_key_acts_in_its_account_alone(self, house: House, ada: Person, gus: Person) -> None:
        foreign = done(gus.post("/api/projects", {"name": "of gus"}), 201)["id"]
        script = make_key(house, ada, *Permission)

        refused(script.get(f"/api/projects/{foreign}"), 40401)
        refused(script.delete(f"/api/projects/{foreign}"), 40401)
        headers = {"Authorization": f"Bearer {script.key}", "X-Account-ID": str(gus.account_id)}
        refused(script.client.get("/api/projects", headers=headers), 40901)


class TestEnding:
    def test_a_revoked_key_is_nobody_at_its_next_request(self, house: House, acme: Team) -> None:
        script = make_key(house, acme.ben, "project:read")
        assert script.get("/api/projects").status_code == 200

        done(acme.ada.delete(f"{KEYS}/{script.id}"))

        refused(script.get("/api/projects"), 40102)
        assert done(acme.ada.get(KEYS))[0]["revoked_at"] is not None
        with nothing_changes(house, acme.ada):
            done(acme.ada.delete(f"{KEYS}/{script.id}"))

    def test_a_key_is_nobody_once_its_time_is_over(self, house: House, ada: Person) -> None:
        soon = (utc_now() + timedelta(hours=1)).isoformat()
        script = make_key(house, ada, "project:read", expires_at=soon)
        assert script.get("/api/projects").status_code == 200

        set_row(house, script.id, expires_at=utc_now() - timedelta(seconds=1))

        refused(script.get("/api/projects"), 40102)

    def test_the_end_is_the_same_moment_in_whatever_zone_it_is_given(
        self, house: House, ada: Person
    ) -> None:
        script = make_key(house, ada, expires_at="2098-12-31T23:00:00-02:00")

        assert row_of(house, script.id).expires_at == datetime(2099, 1, 1, 1, tzinfo=UTC)

    def test_a_key_rests_while_its_maker_or_account_is_suspended(
        self, house: House, acme: Team
    ) -> None:
        script = make_key(house, acme.ben, "project:read")
        path, system = f"/api/users/{acme.ben.user_id}", system_actor(acme.account_id, "test")

        done(acme.ada.post(f"{path}/suspend", {}))
        refused(script.get("/api/projects"), 40102)
        done(acme.ada.post(f"{path}/restore", {}))
        assert script.get("/api/projects").status_code == 200

        with house.in_use(), enter_account(acme.account_id):
            account_services.suspend_account(system, reason="unpaid")
        refused(script.get("/api/projects"), 40102)
        with house.in_use(), enter_account(acme.account_id):
            account_services.restore_account(system, reason="paid")
        assert script.get("/api/projects").status_code == 200

        of_ben = update(Identity).where(Identity.id == acme.ben.identity_id)
        assert change(house, of_ben.values(suspended_at=utc_now())) == 1
        refused(script.get("/api/projects"), 40102)

    def test_a_key_that_was_revoked_meanwhile_is_asked_again_under_the_lock(
        self, house: House, acme: Team
    ) -> None:
        """A request that was let in before the revocation must not hand out roles after it."""
        script = make_key(house, acme.ada, *Permission)
        _, _, key_id, secret = script.key.split("_", 3)
        with house.in_use(), enter_account(acme.account_id):
            with database.reading():
                found = api_key_services.find_actor(acme.account_id, UUID(key_id), secret)
            assert found is not None
            done(acme.ada.delete(f"{KEYS}/{script.id}"))
            with nothing_changes(house, acme.ada), pytest.raises(errors.PermissionDeniedError):
                role_services.create_role(found[0], name="late", permissions=[])

    def test_nobody_ends_a_key_of_somebody_above(self, house: House, acme: Team) -> None:
        script = make_key(house, acme.ada, "project:read")

        with untouched(house, script, acme.ada):
            refused(acme.ben.delete(f"{KEYS}/{script.id}"), 40301)
            for person in (acme.cleo, acme.vera):
                told = refused(person.delete(f"{KEYS}/{script.id}"), 40301)
                assert "api_key:revoke" in told["display_error"]
                refused(person.get(KEYS), 40301)
        assert script.get("/api/projects").status_code == 200

    def test_a_foreign_key_is_answered_like_one_that_does_not_exist(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        script = make_key(house, ada, "project:read")

        with untouched(house, script, ada, gus):
            foreign, unknown = gus.delete(f"{KEYS}/{script.id}"), gus.delete(f"{KEYS}/{uuid4()}")
            malformed = gus.delete(f"{KEYS}/x")
            assert refused(foreign, 40401) == refused(unknown, 40401) == refused(malformed, 40401)
        assert done(gus.get(KEYS)) == []

    def test_keys_are_walked_page_by_page_newest_first(self, house: House, ada: Person) -> None:
        for name in ("one", "two", "three"):
            make_key(house, ada, name=name)

        first = ada.get(f"{KEYS}?limit=2").json
        rest = ada.get(f"{KEYS}?limit=2&cursor={first['next_cursor']}").json
        names = [row["name"] for row in first["data"] + rest["data"]]
        assert (names, rest["next_cursor"]) == (["three", "two", "one"], None)

    def test_nobody_gets_in_without_signing_in(self, lite: House) -> None:
        nobody = lite.app.test_client()

        for method, path in (("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/{uuid4()}")):
            refused(nobody.open(path, method=method), 40102)

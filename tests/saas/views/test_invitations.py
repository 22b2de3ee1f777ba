"""Invitations over HTTP and by mail: sent, taken up once by the invited address, and refused in every other state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from saas.actor import system_actor
from saas.columns import utc_now
from saas.models import Identity, Invitation
from saas.permissions import SYSTEM_ROLES
from saas.services import account_services
from tenants import enter_account
from tests import acts, mail, people
from tests.acts import accept, done, give, invite, make_role, permissions_of, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team, fresh_email
from tests.refusals import change, look, nothing_changes, refused


def state(person: Person, invitation_id: str) -> str:
    rows = done(person.get("/api/invitations?limit=100"))
    return str(next(row["state"] for row in rows if row["id"] == invitation_id))


def expire(house: House, invitation_id: str) -> None:
    past = utc_now() - timedelta(seconds=1)
    of_it = update(Invitation).where(Invitation.id == UUID(invitation_id))
    assert change(house, of_it.values(expires_at=past)) == 1


class TestSending:
    def test_admin_invites_and_a_mail_with_the_link_arrives(self, house: House, acme: Team) -> None:
        email = fresh_email("dora")

        row = invite(acme.ben, email, "viewer", "member")

        assert (row["email"], row["state"], row["invited_by"]) == (email, "open", "ben")
        assert row["roles"] == ["member", "viewer"]
        message = mail.newest(house, email)
        assert message["Subject"] == "ben invites you to acme"
        where, token = mail.link(message)
        assert where == f"{house.settings.base_url}/invitations/accept"
        assert token.startswith(f"inv_{acme.account_id.hex}_")
        for kind in ("plain", "html"):
            told = mail.text(message, kind)
            assert token in told
            assert "member, viewer" in told
        event = acme.ada.events()[-1]
        assert (event["action"], event["target_label"]) == ("invitation.created", email)
        assert event["data"] == {"roles": ["member", "viewer"]}

    def test_everybody_who_sees_people_sees_who_is_invited_newest_first(self, acme: Team) -> None:
        rows = [invite(acme.ada, fresh_email("dora"), "viewer") for _ in range(3)]

        for role in SYSTEM_ROLES:
            assert done(acme.in_role(role).get("/api/invitations")) == rows[::-1]
        page = acme.vera.get("/api/invitations?limit=2").json
        rest = acme.vera.get(f"/api/invitations?limit=2&cursor={page['next_cursor']}").json
        assert page["data"] + rest["data"] == rows[::-1]

    def test_an_address_has_one_open_invitation_and_it_is_the_newest(
        self, house: House, acme: Team
    ) -> None:
        email = fresh_email("dora")
        older, old = invite(acme.ada, email, "member"), mail.token(house, email)
        newer = invite(acme.ada, email.upper(), "viewer")
        new = mail.token(house, email.upper())

        assert (state(acme.ada, older["id"]), state(acme.ada, newer["id"])) == ("revoked", "open")
        with nothing_changes(house, acme.ada):
            refused(accept(house.app.test_client(), old, "dora"), 41001)
        done(accept(house.app.test_client(), new, "dora"), 201)

    def test_resending_sends_a_new_link_and_the_old_one_is_dead(
        self, house: House, acme: Team
    ) -> None:
        email = fresh_email("dora")
        row, old = invite(acme.ada, email, "viewer"), mail.token(house, email)
        expire(house, row["id"])
        assert state(acme.ada, row["id"]) == "expired"

        again = done(acme.ben.post(f"/api/invitations/{row['id']}/resend"))

        assert (again["state"], again["invited_by"]) == ("open", "ben")
        new = mail.token(house, email)
        assert len(mail.received(house, email)) == 2
        with nothing_changes(house, acme.ada):
            refused(accept(house.app.test_client(), old, "dora"), 40401)
        done(accept(house.app.test_client(), new, "dora"), 201)
        assert "invitation.resent" in acme.ada.actions()

    def test_what_was_used_or_taken_back_is_neither_sent_nor_taken_back_again(
        self, house: House, acme: Team
    ) -> None:
        email = fresh_email("dora")
        used = invite(acme.ada, email, "viewer")
        done(accept(house.app.test_client(), mail.token(house, email), "dora"), 201)
        revoked = invite(acme.ada, fresh_email("emil"), "viewer")
        done(acme.ben.delete(f"/api/invitations/{revoked['id']}"))

        assert (state(acme.ada, used["id"]), state(acme.ada, revoked["id"])) == (
            "accepted",
            "revoked",
        )
        with nothing_changes(house, acme.ada):
            for row in (used, revoked):
                path = f"/api/invitations/{row['id']}"
                assert acme.ada.post(f"{path}/resend").status_code == 410
                assert acme.ada.delete(path).status_code == 410
        assert acme.ada.events()[-1]["action"] == "invitation.revoked"

    def test_nobody_takes_back_what_they_could_not_have_sent(
        self, house: House, acme: Team
    ) -> None:
        row = invite(acme.ada, fresh_email("dora"), "owner")

        with nothing_changes(house, acme.ada):
            refused(acme.ben.delete(f"/api/invitations/{row['id']}"), 40301)

        assert state(acme.ada, row["id"]) == "open"
        done(acme.ada.delete(f"/api/invitations/{row['id']}"))

    def test_an_expired_one_can_be_taken_back(self, house: House, acme: Team) -> None:
        row = invite(acme.ada, fresh_email("dora"), "viewer")
        expire(house, row["id"])

        done(acme.ada.delete(f"/api/invitations/{row['id']}"))

        assert state(acme.ada, row["id"]) == "revoked"


class TestAccepting:
    def test_somebody_new_chooses_name_and_password_and_is_in(
        self, house: House, acme: Team
    ) -> None:
        make_role(acme.ada, "auditor", "audit:read")
        email = fresh_email("dora")
        token = acts.invited(house, acme.ada, email, "auditor", "viewer")
        dora = house.app.test_client()

        done(accept(dora, token, "dora"), 201)

        told = done(dora.get("/api/session"))
        assert told["account"] == {"id": str(acme.account_id), "name": "acme"}
        assert (told["user"]["username"], told["user"]["email"]) == ("dora", email)
        assert told["roles"] == ["auditor", "viewer"]
        assert set(told["permissions"]) == SYSTEM_ROLES["viewer"] | {"audit:read"}
        body = {"email": email, "password": PASSWORD}
        assert house.app.test_client().post("/api/login", json=body).status_code == 200
        # The link went to that address and nowhere else.
        (identity,) = look(house, select(Identity.confirmed_at).where(Identity.email == email))
        assert identity.confirmed_at is not None
        events = acme.ada.events()[-3:]
        assert [e["action"] for e in events[:2]] == ["invitation.accepted", "session.created"]
        assert events[0]["actor_label"] == "dora"
        assert [t["type"] for t in events[0]["targets"]] == ["invitation", "user"]

    def test_somebody_known_signs_in_first_and_is_taken_over(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        token = acts.invited(house, acme.ada, gus.email, "viewer")
        with nothing_changes(house, acme.ada, gus):
            refused(accept(house.app.test_client(), token), 40102)

        (before,) = [row for row in done(gus.get("/api/sessions")) if row["current"]]

        done(accept(gus.client, token), 201)

        told = done(gus.get("/api/session"))
        assert (told["account"]["name"], told["user"]["username"]) == ("acme", "gus")
        assert sorted(a["name"] for a in told["accounts"]) == ["acme", "globex"]
        assert permissions_of(gus) == SYSTEM_ROLES["viewer"]
        # The session in globex went over into the one in acme.
        assert before["id"] not in [row["id"] for row in done(gus.get("/api/sessions"))]

    def test_somebody_known_may_give_their_password_with_the_link(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        token = acts.invited(house, ada, gus.email, "viewer")
        stranger = house.app.test_client()

        def try_with(**more: str) -> Any:
            return stranger.post("/api/invitations/accept", json={"token": token} | more)

        with nothing_changes(house, ada, gus):
            refused(try_with(username="gus", password="wrong horse battery 9"), 40101)
            refused(try_with(password=PASSWORD), 42201, "username")
        done(try_with(username="gustav", password=PASSWORD), 201)
        assert done(stranger.get("/api/user"))["username"] == "gustav"
        people.sign_in(house, gus)  # the password is what it was

    def test_the_name_of_somebody_known_may_be_taken_and_another_chosen(
        self, house: House, ada: Person
    ) -> None:
        other = people.register(house, "ada")
        token = acts.invited(house, ada, other.email, "viewer")
        body = {"token": token}

        with nothing_changes(house, ada, other):
            answer = other.post("/api/invitations/accept", body)
            refused(answer, 40903, "username")
        done(other.post("/api/invitations/accept", body | {"username": "ada2"}), 201)

    def test_it_is_refused_to_anybody_else(self, house: House, acme: Team, gus: Person) -> None:
        token = acts.invited(house, acme.ada, fresh_email("dora"), "owner")

        with nothing_changes(house, acme.ada, gus):
            for person in (gus, acme.ben):
                refused(accept(person.client, token), 40305)
                refused(accept(person.client, token, "dora"), 40305)
            body = {"token": token, "username": "gus", "password": PASSWORD}
            for more in ({"email": gus.email}, {"role_ids": []}, {"account_id": str(uuid4())}):
                answer = house.app.test_client().post("/api/invitations/accept", json=body | more)
                refused(answer, 42201, *more)

    def test_it_is_used_once(self, house: House, acme: Team) -> None:
        token = acts.invited(house, acme.ada, fresh_email("dora"), "viewer")
        dora = house.app.test_client()
        done(accept(dora, token, "dora"), 201)

        with nothing_changes(house, acme.ada):
            for client in (dora, acme.ben.client, house.app.test_client()):
                told = refused(accept(client, token, "dora2"), 41001)
                assert "accepted" in told["display_error"]

    def test_a_member_is_not_invited_and_one_who_became_a_member_meanwhile_not_seated_twice(
        self, house: House, acme: Team
    ) -> None:
        body = {"email": acme.cleo.email, "role_ids": [role_ids(acme.ada)["viewer"]]}
        with nothing_changes(house, acme.ada):
            refused(acme.ada.post("/api/invitations", body), 40907)
        gus = people.register(house, "gus")
        token = acts.invited(house, acme.ada, gus.email, "viewer")
        people.add(house, acme.ada, "gus", "member", email=gus.email)

        with nothing_changes(house, acme.ada, gus):
            refused(accept(gus.client, token, "gus2"), 40907)

    @pytest.mark.parametrize(
        ("more", "fields"),
        [
            ({}, ["username", "password"]),
            ({"username": "dora"}, ["password"]),
            ({"password": PASSWORD}, ["username"]),
            ({"username": "dora", "password": "short"}, ["password"]),
            ({"username": "dora", "password": "password1"}, ["password"]),
            ({"username": "1", "password": PASSWORD}, ["username"]),
        ],
    )
    def test_what_somebody_new_must_choose_is_named_and_the_link_stays_good(
        self, lite: House, solo: Person, more: dict[str, str], fields: list[str]
    ) -> None:
        token = acts.invited(lite, solo, fresh_email("dora"), "viewer")
        client = lite.app.test_client()

        with nothing_changes(lite, solo):
            answer = client.post("/api/invitations/accept", json={"token": token} | more)
            refused(answer, 42201, *fields)
        done(accept(client, token, "dora"), 201)

    def test_a_name_that_is_taken_leaves_the_link_good(self, house: House, ada: Person) -> None:
        token = acts.invited(house, ada, fresh_email("dora"), "viewer")
        client = house.app.test_client()

        with nothing_changes(house, ada):
            refused(accept(client, token, "ada"), 40903, "username")
        done(accept(client, token, "dora"), 201)


def demote(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    path = f"/api/users/{acme.ben.user_id}/roles/{role_ids(acme.ada)['admin']}"
    done(acme.ada.delete(path))


def suspend(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    done(acme.ada.post(f"/api/users/{acme.ben.user_id}/suspend", {}))


def remove(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    done(acme.ada.delete(f"/api/users/{acme.ben.user_id}"))


def widen(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    """Let what the invitation brings give more than its sender holds."""
    body = {"permissions": ["account:close"]}
    done(acme.ada.patch(f"/api/roles/{role_ids(acme.ada)['helper']}", body))


def suspend_account(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    with house.in_use(), enter_account(acme.account_id):
        account_services.suspend_account(system_actor(acme.account_id, "test"), reason="unpaid")


def close_account(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    done(acme.ada.post("/api/account/close", {"password": PASSWORD}))


def take_back(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    done(acme.ada.delete(f"/api/invitations/{invitation['id']}"))


def let_expire(house: House, acme: Team, invitation: dict[str, Any]) -> None:
    expire(house, invitation["id"])


MEANWHILE: dict[Callable[..., None], str] = {
    demote: "may no longer",
    suspend: "may no longer",
    remove: "taken back",
    widen: "may no longer",
    suspend_account: "not open",
    close_account: "not open",
    take_back: "taken back",
    let_expire: "expired",
}


class TestStates:
    @pytest.mark.parametrize(("happens", "words"), MEANWHILE.items())
    def test_what_happened_meanwhile_ends_it_and_is_told_in_words(
        self, house: House, acme: Team, happens: Callable[..., None], words: str
    ) -> None:
        make_role(acme.ada, "helper", "project:read")
        email = fresh_email("dora")
        invitation = invite(acme.ben, email, "helper", "viewer")
        token = mail.token(house, email)
        happens(house, acme, invitation)

        with nothing_changes(house, acme.ada):
            answer = accept(house.app.test_client(), token, "dora")
        assert answer.status_code == 410
        assert words in answer.json["errors"]["display_error"]
        found = look(house, select(Identity.id).where(Identity.email == email))
        assert found == []

    def test_an_inviter_who_is_let_back_in_may_invite_again(self, house: House, acme: Team) -> None:
        token = acts.invited(house, acme.ben, fresh_email("dora"), "viewer")
        path = f"/api/users/{acme.ben.user_id}"
        done(acme.ada.post(f"{path}/suspend", {}))
        refused(accept(house.app.test_client(), token, "dora"), 41001)
        done(acme.ada.post(f"{path}/restore", {}))

        done(accept(house.app.test_client(), token, "dora"), 201)

    def test_list_chooses_by_state(self, house: House, acme: Team) -> None:
        emails = [fresh_email(name) for name in ("a", "b", "c", "d")]
        rows = [invite(acme.ada, email, "viewer") for email in emails]
        done(accept(house.app.test_client(), mail.token(house, emails[0]), "dora"), 201)
        done(acme.ada.delete(f"/api/invitations/{rows[1]['id']}"))
        expire(house, rows[2]["id"])

        states = [row["state"] for row in done(acme.ada.get("/api/invitations"))]
        assert states == ["open", "expired", "revoked", "accepted"]


class TestRefusals:
    def test_nobody_invites_to_more_than_they_hold(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "inviter", "user:invite")
        above = make_role(acme.ada, "above", "account:close")
        roles = role_ids(acme.ada)

        with nothing_changes(house, acme.ada):
            for person, wanted in (
                (acme.ben, [roles["owner"]]),
                (acme.ben, [roles["viewer"], above]),
                (acme.cleo, [roles["admin"]]),
            ):
                body = {"email": fresh_email("dora"), "role_ids": wanted}
                refused(person.post("/api/invitations", body), 40301)
        invite(acme.cleo, fresh_email("dora"), "member", "inviter")

    def test_nobody_sends_an_invitation_again_that_gives_more_than_they_hold(
        self, house: House, acme: Team
    ) -> None:
        row = invite(acme.ada, fresh_email("dora"), "owner")

        with nothing_changes(house, acme.ada):
            answer = acme.ben.post(f"/api/invitations/{row['id']}/resend")
            assert "account:close" in refused(answer, 40301)["display_error"]

    def test_who_lacks_the_permission_is_told_which_and_nothing_changes(
        self, house: House, acme: Team
    ) -> None:
        row = invite(acme.ada, fresh_email("dora"), "viewer")
        body = {"email": fresh_email("emil"), "role_ids": [role_ids(acme.ada)["viewer"]]}
        give(acme.ada, acme.cleo, "empty")
        roles = role_ids(acme.ada)
        done(acme.ada.delete(f"/api/users/{acme.cleo.user_id}/roles/{roles['member']}"))

        with nothing_changes(house, acme.ada):
            for answer in (
                acme.vera.post("/api/invitations", body),
                acme.vera.delete(f"/api/invitations/{row['id']}"),
                acme.vera.post(f"/api/invitations/{row['id']}/resend"),
            ):
                assert "user:invite" in refused(answer, 40301)["display_error"]
            told = refused(acme.cleo.get("/api/invitations"), 40301)
            assert "user:read" in told["display_error"]

    def test_a_foreign_id_is_answered_like_one_that_does_not_exist(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        row = invite(acme.ada, fresh_email("dora"), "viewer")
        foreign_role = role_ids(acme.ada)["viewer"]
        path, missing = f"/api/invitations/{row['id']}", f"/api/invitations/{uuid4()}"
        email = fresh_email("emil")

        with nothing_changes(house, acme.ada, gus):
            for foreign, unknown in (
                (gus.delete(path), gus.delete(missing)),
                (gus.post(f"{path}/resend"), gus.post(f"{missing}/resend")),
                (
                    gus.post("/api/invitations", {"email": email, "role_ids": [foreign_role]}),
                    gus.post("/api/invitations", {"email": email, "role_ids": [str(uuid4())]}),
                ),
            ):
                assert refused(foreign, 40401) == refused(unknown, 40401)
        assert done(gus.get("/api/invitations")) == []

    def test_a_token_that_is_not_whole_or_not_of_here_is_nothing(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        token = acts.invited(house, ada, fresh_email("dora"), "viewer")
        _, account, secret = token.split("_", 2)
        client = house.app.test_client()

        with nothing_changes(house, ada, gus):
            answers = [
                refused(accept(client, unsafe, "dora"), 40401)
                for unsafe in (
                    token[:-1],
                    token + "A",
                    token.replace("inv_", "tk_"),
                    token.upper(),
                    f"inv_{gus.account_id.hex}_{secret}",
                    f"inv_{uuid4().hex}_{secret}",
                    f"inv_{account}_{'A' * len(secret)}",
                    f" {token}",
                    f"{token}\n",
                    "x",
                )
            ]
            assert all(answer == answers[0] for answer in answers)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"role_ids": [str(uuid4())]}, "email"),
            ({"email": "dora", "role_ids": [str(uuid4())]}, "email"),
            ({"email": "a@example.com\nBcc: b@example.com", "role_ids": [str(uuid4())]}, "email"),
            ({"email": "dora@example.com"}, "role_ids"),
            ({"email": "dora@example.com", "role_ids": []}, "role_ids"),
            ({"email": "dora@example.com", "role_ids": ["owner"]}, "role_ids.0"),
            ({"email": "dora@example.com", "role_ids": [str(uuid4())] * 21}, "role_ids"),
            ({"email": "d@example.com", "role_ids": [str(uuid4())], "token": "x"}, "token"),
            (
                {"email": "d@example.com", "role_ids": [str(uuid4())], "account_id": str(uuid4())},
                "account_id",
            ),
        ],
    )
    def test_what_cannot_be_an_invitation_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post("/api/invitations", body), 42201, field)

    @pytest.mark.parametrize("token", ["", "a\x00b", "x" * 513, None, 7])
    def test_what_cannot_be_a_token_is_refused_with_the_field(
        self, lite: House, token: object
    ) -> None:
        body = {"token": token, "username": "dora", "password": PASSWORD}
        answer = lite.app.test_client().post("/api/invitations/accept", json=body)
        refused(answer, 42201, "token")

    def test_nobody_invites_without_signing_in(self, lite: House) -> None:
        nobody, path = lite.app.test_client(), f"/api/invitations/{uuid4()}"

        for method, each in (
            ("GET", "/api/invitations"),
            ("POST", "/api/invitations"),
            ("DELETE", path),
            ("POST", f"{path}/resend"),
        ):
            refused(nobody.open(each, method=method), 40102)

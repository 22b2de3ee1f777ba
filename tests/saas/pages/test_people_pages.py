"""Pages about people, invitations, roles and keys: every form as a plain POST, every case in its own words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from saas.columns import utc_now
from saas.services import invitation_services
from tests import mail, people
from tests.acts import give, invite, invited, make_role, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team, fresh_email
from tests.saas.pages.reading import Html, link_for, page, press


@pytest.fixture
def team(lite: House) -> Team:
    """A fresh account with Ada, Ben, Cleo and Vera on SQLite: for what no database can change."""
    return people.team(lite)


def said(client: Any, path: str = "/") -> str:
    """What the page that a form led to says was done."""
    return page(client, path).one("div", role="status").text.strip()


def member_path(person: Person) -> str:
    return f"/members/{person.user_id}"


def accept_path(house: House, inviter: Person, email: str, *roles: str) -> str:
    return f"/invitations/accept?token={invited(house, inviter, email, *roles)}"


def words(html: Html) -> str:
    return " ".join(html.one("main").text.split())


class TestAccepting:
    def test_a_new_person_is_told_all_and_joins(self, house: House, acme: Team) -> None:
        email = fresh_email("dora")
        path = accept_path(house, acme.ada, email, "member", "viewer")
        dora = house.app.test_client()

        told = words(page(dora, path))
        assert "ada invites you to acme, as member and viewer." in told
        assert email in told
        answer = press(dora, path, username="dora", password=PASSWORD)

        assert (answer.status_code, answer.location) == (303, "/")
        home = page(dora, "/")
        assert "You have joined." in home.one("div", role="status").text
        assert "Welcome, dora" in home.one("h1").text
        assert "not confirmed" not in words(home)  # the link went to the address and nowhere else

    def test_opening_the_link_changes_nothing(self, lite: House, team: Team) -> None:
        path = accept_path(lite, team.ada, fresh_email("dora"), "viewer")
        before = team.ada.actions()

        stranger = lite.app.test_client()
        for _ in range(2):
            page(stranger, path)

        assert team.ada.actions() == before
        assert stranger.get("/settings").status_code == 303

    def test_what_is_refused_is_marked_in_place(self, lite: House, team: Team) -> None:
        path = accept_path(lite, team.ada, fresh_email("dora"), "viewer")
        stranger = lite.app.test_client()

        answer = press(stranger, path, username="ben", password="another horse 77")

        html = Html(answer.text)
        assert answer.status_code == 409
        assert html.by_id("accept-username").attributes["value"] == "ben"
        assert html.by_id("accept-username").attributes["aria-invalid"] == "true"
        assert "another horse 77" not in answer.text
        weak = press(stranger, path, username="dora", password="password")
        assert weak.status_code == 422
        assert Html(weak.text).by_id("accept-password").attributes["aria-invalid"] == "true"

    def test_a_known_person_signs_in_and_comes_back_to_one_button(
        self, lite: House, team: Team
    ) -> None:
        gus = people.register(lite, "gus", account_name="globex")
        path = accept_path(lite, team.ada, gus.email, "viewer")
        browser = lite.app.test_client()

        html = page(browser, path)
        assert not html.all("form", method="post")
        sign_in = next(e.link for e in html.all("a") if e.attributes["href"].startswith("/login?"))
        answer = press(browser, sign_in, email=gus.email, password=PASSWORD)
        assert answer.location == path
        assert press(browser, path, "Join acme").location == "/"
        assert "acme" in words(page(browser, "/"))

    def test_a_known_person_whose_name_is_taken_there_chooses_another(
        self, lite: House, team: Team
    ) -> None:
        other = people.register(lite, "ben", account_name="globex")
        path = accept_path(lite, team.ada, other.email, "viewer")

        assert not page(other.client, path).all("input", name="username")
        refused = press(other.client, path)
        assert refused.status_code == 409
        assert Html(refused.text).one("input", name="username")
        assert press(other.client, path, username="ben_globex").location == "/"

    def test_somebody_else_is_told_so_signs_out_and_comes_back(
        self, lite: House, team: Team
    ) -> None:
        path = accept_path(lite, team.ada, fresh_email("dora"), "viewer")
        gus = people.register(lite, "gus")

        html = page(gus.client, path, 403)
        assert html.one("h1").text == "This invitation is for somebody else"
        assert gus.email in words(html)
        (back,) = html.all("input", name="next")
        answer = gus.client.post("/logout", data={"next": back.attributes["value"]})

        assert answer.location == path
        assert page(gus.client, path).one("h1").text == "Join acme"

    def test_signing_out_leads_to_no_other_site(self, lite: House) -> None:
        gus = people.register(lite, "gus")
        answer = gus.client.post("/logout", data={"next": "//evil.example"})
        assert answer.location == "/"

    def test_a_member_already_is_told_so(self, lite: House, team: Team) -> None:
        email = fresh_email("dora")
        path = accept_path(lite, team.ada, email, "viewer")
        dora = people.add(lite, team.ada, "dora", "viewer", email=email)

        assert page(dora.client, path).one("h1").text == "You are a member of acme already"

    @pytest.mark.parametrize(
        ("case", "status", "title"),
        [
            ("expired", 410, "This invitation has expired"),
            ("revoked", 410, "This invitation was taken back"),
            ("used", 410, "This invitation was used already"),
            ("gone", 410, "This invitation no longer works"),
            ("unknown", 404, "This link leads to no invitation"),
        ],
    )
    def test_each_end_has_its_own_words(
        self,
        lite: House,
        team: Team,
        monkeypatch: pytest.MonkeyPatch,
        case: str,
        status: int,
        title: str,
    ) -> None:
        email = fresh_email("dora")
        path = accept_path(lite, team.ben, email, "viewer")
        stranger = lite.app.test_client()
        drawn = page(stranger, path)
        if case == "expired":
            late = utc_now() + timedelta(days=8)
            monkeypatch.setattr(invitation_services, "utc_now", lambda: late)
        elif case == "revoked":
            team.ada.delete(
                f"/api/invitations/{team.ada.get('/api/invitations').json['data'][0]['id']}"
            )
        elif case == "used":
            data = {"token": path.partition("=")[2], "username": "dora", "password": PASSWORD}
            assert lite.app.test_client().post("/invitations/accept", data=data).status_code == 303
        elif case == "gone":
            team.ada.post(f"/api/users/{team.ben.user_id}/suspend", {})
        else:
            path += "x"

        assert page(stranger, path, status).one("h1").text == title
        token = drawn.one("input", name="token").attributes["value"]
        data = {"token": token + "x" * (case == "unknown"), "username": "eve", "password": PASSWORD}
        answer = stranger.post("/invitations/accept", data=data)
        assert (answer.status_code, Html(answer.text).one("h1").text) == (status, title)


class TestInvitations:
    def test_ada_invites_sees_sends_again_and_takes_back(self, house: House, acme: Team) -> None:
        email, ada = fresh_email("dora"), acme.ada.client
        viewer = role_ids(acme.ada)["viewer"]

        assert press(
            ada, "/invitations", "Send the invitation", email=email, role_ids=viewer
        ).location
        assert email in said(ada, "/invitations")
        first = link_for(house, ada, email)
        assert press(ada, "/invitations", f"to {email}").location == "/invitations"
        second = link_for(house, ada, email)

        stranger = house.app.test_client()
        page(stranger, first, 404)
        page(stranger, second)
        assert press(ada, "/invitations", f"of {email}").location == "/invitations"
        page(stranger, second, 410)
        assert email in words(page(ada, "/invitations?state=revoked"))
        assert email not in words(page(ada, "/invitations"))

    def test_they_are_listed_by_state(
        self, house: House, acme: Team, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        emails = {name: fresh_email(name) for name in ("open", "accepted", "revoked")}
        for email in emails.values():
            invite(acme.ada, email, "viewer")
        new = {
            "username": "dora",
            "password": PASSWORD,
            "token": mail.token(house, emails["accepted"]),
        }
        assert house.app.test_client().post("/invitations/accept", data=new).status_code == 303
        assert press(acme.ada.client, "/invitations", f"of {emails['revoked']}").status_code == 303

        def listed(state: str) -> set[str]:
            shown = words(page(acme.ada.client, f"/invitations?state={state}"))
            return {name for name, email in emails.items() if email in shown}

        assert {state: listed(state) for state in emails} == {state: {state} for state in emails}
        assert listed("all") == set(emails)
        late = utc_now() + timedelta(days=8)
        monkeypatch.setattr(invitation_services, "utc_now", lambda: late)
        assert (listed("open"), listed("expired")) == (set(), {"open"})

    def test_a_list_in_one_state_is_walked_page_by_page(self, lite: House, team: Team) -> None:
        emails = [fresh_email("dora") for _ in range(3)]
        for email in emails:
            invite(team.ada, email, "viewer")

        first = page(team.ada.client, "/invitations?state=open&limit=2")
        following = first.one("a", rel="next").attributes["href"]

        assert emails[0] not in words(first)
        assert emails[0] in words(page(team.ada.client, following))

    def test_without_a_role_or_to_a_member_it_is_refused_in_place(self, team: Team) -> None:
        ada = team.ada.client
        none = press(ada, "/invitations", "Send the invitation", email=fresh_email("dora"))
        assert none.status_code == 422
        assert "Choose at least one role." in words(Html(none.text))
        viewer = role_ids(team.ada)["viewer"]
        sent = {"email": team.cleo.email, "role_ids": viewer}
        member = press(ada, "/invitations", "Send the invitation", **sent)
        html = Html(member.text)
        assert member.status_code == 409
        assert html.by_id("invite-email").attributes["value"] == team.cleo.email
        assert "checked" in html.one("input", value=viewer).attributes

    def test_ben_is_offered_no_role_that_gives_more_than_he_has(self, team: Team) -> None:
        known = role_ids(team.ada)
        offered = page(team.ben.client, "/invitations").all("input", name="role_ids")
        values = {e.attributes["value"] for e in offered}
        assert known["admin"] in values
        assert known["owner"] not in values

    def test_cleo_sees_who_is_invited_and_no_form(self, team: Team) -> None:
        email = fresh_email("dora")
        invite(team.ada, email, "viewer")
        html = page(team.cleo.client, "/invitations")
        assert email in words(html)
        assert {f.attributes["action"] for f in html.all("form")} == {"/logout"}


class TestMembers:
    def test_they_are_found_by_the_beginning_of_name_or_address(self, team: Team) -> None:
        ada = team.ada.client
        shown = [e.text for e in page(ada, "/members?search=CL").all("th", scope="row")]
        assert len(shown) == 1
        assert "cleo" in shown[0]
        assert "Nobody here begins with “zz”" in words(page(ada, "/members?search=zz"))

    def test_the_list_is_walked_page_by_page_and_keeps_the_search(self, team: Team) -> None:
        ada = team.ada.client
        first = page(ada, "/members?limit=3")
        second = page(ada, first.one("a", rel="next").attributes["href"])
        names = [e.text for html in (first, second) for e in html.all("a") if "tbody" in e.within]
        assert names == ["vera", "cleo", "ben", "ada"]
        found = page(ada, "/members?limit=1&search=" + team.cleo.email[:4])
        assert not found.all("a", rel="next")
        assert found.by_id("search").attributes["value"] == team.cleo.email[:4]

    def test_roles_add_up_and_the_page_says_which_gives_what(self, team: Team) -> None:
        auditor = make_role(team.ada, "auditor", "audit:read", "user:read")
        path = member_path(team.cleo)

        assert press(team.ben.client, path, "One more role", role_id=auditor).location == path

        rows = {e.text for e in page(team.ben.client, path).all("tr")}
        assert any("audit:read" in row and "auditor" in row for row in rows)
        assert any("user:read" in row and "auditor" in row and "member" in row for row in rows)
        assert team.cleo.client.get("/audit").status_code == 200
        assert press(team.ben.client, path, "the role auditor").location == path
        assert team.cleo.client.get("/audit").status_code == 403

    def test_a_username_is_changed_or_refused_in_place(self, team: Team) -> None:
        path = member_path(team.cleo)
        taken = press(team.ada.client, path, "Change the username", username="vera")
        assert taken.status_code == 409
        assert Html(taken.text).by_id("member-username").attributes["value"] == "vera"
        assert press(team.ada.client, path, "Change the username", username="cleopatra").location
        assert page(team.ada.client, path).one("h1").text == "cleopatra"

    def test_somebody_is_suspended_with_a_reason_and_let_in_again(self, team: Team) -> None:
        path = member_path(team.cleo)
        assert press(team.ben.client, path, "Yes, suspend", reason="On leave").location == path
        assert "suspended" in page(team.ben.client, path).one("h1").text
        assert team.cleo.client.get("/settings").location.startswith("/login")
        event = team.ada.events()[-1]
        assert (event["action"], event["reason"]) == ("user.suspended", "On leave")
        assert press(team.ben.client, path, "Yes, let in", reason="").location == path
        assert "suspended" not in page(team.ben.client, path).one("h1").text

    def test_somebody_is_removed_after_reading_what_happens(self, team: Team) -> None:
        path = member_path(team.cleo)
        assert "API keys that cleo made here end" in words(page(team.ada.client, path))
        assert press(team.ada.client, path, "Yes, remove").location == "/members"
        page(team.ada.client, path, 404)
        assert "cleo" not in words(page(team.ada.client, "/members"))

    def test_the_last_owner_keeps_the_role_and_is_told_why(self, team: Team) -> None:
        refused = press(team.ada.client, member_path(team.ada), "the role owner")
        assert refused.status_code == 409
        assert "An account needs an owner" in Html(refused.text).one("div", role="alert").text

    def test_who_takes_an_own_role_away_goes_home(self, team: Team) -> None:
        give(team.ada, team.ben, "looker", "audit:read")
        assert press(team.ben.client, member_path(team.ben), "the role looker").location == "/"

    def test_nobody_finds_a_form_for_somebody_who_may_do_more(self, team: Team) -> None:
        html = page(team.ben.client, member_path(team.ada))
        assert {f.attributes["action"] for f in html.all("form")} == {"/logout"}
        assert "account:close" in words(html)

    def test_a_member_looks_and_is_told_who_can_change_it(self, house: House, acme: Team) -> None:
        for path in ("/members", member_path(acme.ben)):
            html = page(acme.cleo.client, path)
            assert "ada and ben can change it." in words(html)
            posts = html.all("form", method="post")
            assert {f.attributes["action"] for f in posts} == {"/logout"}

    def test_a_member_of_another_account_is_nobody(self, lite: House, team: Team) -> None:
        gus = people.register(lite, "gus")
        page(gus.client, member_path(team.cleo), 404)
        data = {"username": "pwned"}
        assert gus.client.post(member_path(team.cleo), data=data).status_code == 404


class TestRefusals:
    def test_a_403_names_the_permission_and_who_can_give_it(self, house: House, acme: Team) -> None:
        told = words(page(acme.cleo.client, "/audit", 403))
        assert "audit:read" in told
        assert "ada and ben can give it to you" in told
        assert "Read the audit log of the account." in told

    def test_only_those_are_named_who_hold_it_themselves(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.vera, "doorkeeper", "role:grant", "user:read")
        told = words(page(acme.cleo.client, "/audit", 403))
        assert "ada and ben can" in told
        assert "vera" in words(page(acme.cleo.client, "/members"))

    def test_a_suspended_administrator_is_not_named(self, house: House, acme: Team) -> None:
        acme.ada.post(f"/api/users/{acme.ben.user_id}/suspend", {})
        assert "ada can give it to you" in words(page(acme.cleo.client, "/audit", 403))

    def test_who_may_not_see_people_is_told_no_names(self, team: Team) -> None:
        known = role_ids(team.ada)
        make_role(team.ada, "loner", "project:read")
        team.ada.post(
            f"/api/users/{team.vera.user_id}/roles", {"role_id": role_ids(team.ada)["loner"]}
        )
        team.ada.delete(f"/api/users/{team.vera.user_id}/roles/{known['viewer']}")
        told = words(page(team.vera.client, "/audit", 403))
        assert "audit:read" in told
        assert "ada" not in told
        nav = page(team.vera.client, "/").all("a")
        assert not [e for e in nav if e.attributes["href"] in ("/members", "/roles", "/api-keys")]


class TestRoles:
    def test_a_role_is_made_looked_at_changed_and_deleted(self, house: House, acme: Team) -> None:
        ada = acme.ada.client
        made = press(
            ada,
            "/roles",
            "Create the role",
            name="auditor",
            permissions=["audit:read", "user:read"],
        )
        role_id = made.location.rpartition("/")[2]
        acme.ada.post(f"/api/users/{acme.cleo.user_id}/roles", {"role_id": role_id})
        assert "1 person has it" in words(page(ada, made.location))

        preview = (
            f"{made.location}/preview?name=auditors&permissions=user:read&permissions=api_key:read"
        )
        told = words(page(ada, preview))
        assert "cleo gains api_key:read loses audit:read" in told
        assert acme.cleo.client.get("/audit").status_code == 200  # a look changes nothing
        assert press(ada, preview, "Save the change").location == made.location

        assert page(ada, made.location).one("h1").text == "auditors"
        assert acme.cleo.client.get("/audit").status_code == 403
        assert acme.cleo.client.get("/api-keys").status_code == 200
        assert press(ada, made.location, "Yes, delete it").location == "/roles"
        page(ada, made.location, 404)
        assert acme.cleo.client.get("/api-keys").status_code == 403

    def test_the_form_asks_for_a_look_with_what_is_ticked(self, team: Team) -> None:
        path = f"/roles/{make_role(team.ada, 'auditor', 'audit:read')}"
        html = page(team.ada.client, path)
        (form,) = [f for f in html.all("form", method="get") if "name" in str(f.text).lower()]
        assert form.attributes["action"] == f"{path}/preview"
        boxes = html.all("input", name="permissions")
        ticked = [e.attributes["value"] for e in boxes if "checked" in e.attributes]
        assert ticked == ["audit:read"]

    @pytest.mark.parametrize(
        ("typed", "status", "sentence"),
        [
            ({"name": "auditor"}, 422, "Choose at least one permission."),
            ({"name": "Auditor", "permissions": "user:read"}, 422, "Role names are in lower case"),
            ({"name": "viewer", "permissions": "user:read"}, 409, "already taken"),
        ],
    )
    def test_a_refused_role_keeps_what_was_chosen(
        self, team: Team, typed: dict[str, str], status: int, sentence: str
    ) -> None:
        answer = press(team.ada.client, "/roles", "Create the role", **typed)
        html = Html(answer.text)
        assert answer.status_code == status
        assert sentence in words(html)
        assert html.by_id("role-name").attributes["value"] == typed["name"]
        box = html.one("input", value="user:read").attributes
        assert ("checked" in box) == ("permissions" in typed)

    def test_a_refused_look_and_a_refused_change_lead_back_to_the_form(self, team: Team) -> None:
        path = f"/roles/{make_role(team.ada, 'auditor', 'audit:read')}"
        looked = page(team.ada.client, f"{path}/preview?name=X&permissions=user:read", 422)
        assert looked.by_id("role-name").attributes["value"] == "X"
        data = {"name": "viewer", "permissions": "user:read"}
        saved = team.ada.client.post(path, data=data)
        assert saved.status_code == 409
        assert "checked" in Html(saved.text).one("input", value="user:read").attributes

    def test_system_roles_and_wider_ones_have_no_form(self, team: Team) -> None:
        wide = make_role(team.ada, "closer", "account:close")
        for client, role_id in (
            (team.ada.client, role_ids(team.ada)["viewer"]),
            (team.ben.client, wide),
            (team.cleo.client, wide),
        ):
            html = page(client, f"/roles/{role_id}")
            assert {f.attributes["action"] for f in html.all("form")} == {"/logout"}
        told = words(page(team.ben.client, f"/roles/{wide}"))
        assert "It gives more than you hold (account:close)" in told

    def test_the_grid_shows_what_each_role_gives(self, team: Team) -> None:
        make_role(team.ada, "auditor", "audit:read")
        html = page(team.cleo.client, "/roles")
        row = next(e.text for e in html.all("tr") if "audit:read" in e.text)
        assert "".join(row.split()).endswith("✓yes✓yes·no·no✓yes")


class TestApiKeys:
    def test_a_key_is_shown_once_works_and_is_ended(self, lite: House, team: Team) -> None:
        ben = team.ben.client
        made = press(
            ben, "/api-keys", "Make the key", name="ci", permissions="project:read", lasts="30"
        )
        html = Html(made.text)
        key = html.by_id("new-key").text
        assert made.status_code == 201
        assert made.headers["Cache-Control"] == "no-store"
        headers = {"Authorization": f"Bearer {key}"}
        script = lite.app.test_client()
        assert script.get("/api/projects", headers=headers).status_code == 200
        assert "/api/projects" in html.one("pre").text
        listed = page(ben, "/api-keys")
        assert key.rpartition("_")[2] not in listed.source
        assert "works until" in words(listed)
        assert press(ben, "/api-keys", "Yes, end it").location == "/api-keys"
        assert script.get("/api/projects", headers=headers).status_code == 401
        assert "ended" in words(page(ben, "/api-keys"))

    def test_it_needs_a_permission_and_keeps_what_was_typed(self, team: Team) -> None:
        refused = press(team.ben.client, "/api-keys", "Make the key", name="ci", lasts="never")
        html = Html(refused.text)
        assert refused.status_code == 422
        assert "Choose at least one permission." in words(html)
        assert html.by_id("key-name").attributes["value"] == "ci"
        chosen = [e.attributes["value"] for e in html.all("option") if "selected" in e.attributes]
        assert chosen == ["never"]

    def test_only_permissions_one_holds_are_offered(self, team: Team) -> None:
        boxes = page(team.ben.client, "/api-keys").all("input", name="permissions")
        values = {e.attributes["value"] for e in boxes}
        assert "account:close" not in values
        assert "project:read" in values

"""Sessions over HTTP: who calls, the list of own sessions, ending one, signing out, switching."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from saas.columns import utc_now
from saas.models import UserRole, UserSession
from saas.permissions import SYSTEM_ROLES
from tests.house import House
from tests.people import PASSWORD, Person, Team, add
from tests.refusals import change, look, nothing_changes, refused, said
from tests.saas.views.test_sign_in import LOCKED_OUT, suspend

SESSIONS = UserSession.__table__


@pytest.fixture
def ida(house: House, ada: Person, gus: Person) -> tuple[Person, Person]:
    """Ida in Ada's account and in Gus's, each seat with a browser of its own signed in to it."""
    at_ada = add(house, ada, "ida", "member")
    at_gus = add(house, gus, "ida2", "viewer", email=at_ada.email)
    assert (
        at_gus.post("/api/session/account", {"account_id": str(gus.account_id)}).status_code == 200
    )
    return at_ada, at_gus


def browser(house: House, person: Person, cookie: str | None = None) -> FlaskClient:
    """Another browser: with a cookie that was taken along, or signed in with the password."""
    client = house.app.test_client()
    if cookie is None:
        body = {"email": person.email, "password": PASSWORD}
        assert client.post("/api/login", json=body).status_code == 200
    else:
        client.set_cookie("session", cookie)
    return client


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return str(cookie.value)


def forged(house: House, content: dict[str, Any]) -> str:
    """A cookie that is signed as ours are: what somebody with the key, or a bug of ours, could make."""
    serializer = house.app.session_interface.get_signing_serializer(house.app)
    return str(serializer.dumps(content))


def opened(house: House, cookie: str) -> dict[str, Any]:
    content: dict[str, Any] = house.app.session_interface.get_signing_serializer(house.app).loads(
        cookie
    )
    return content


class TestReading:
    def test_session_tells_seat_roles_permissions_and_the_accounts_to_switch_to(
        self, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, _ = ida

        data = at_ada.get("/api/session").json["data"]

        seat = {"id": str(at_ada.user_id), "username": "ida", "email": at_ada.email}
        assert data["user"] == seat
        assert data["account"] == {"id": str(ada.account_id), "name": "ada"}
        assert data["roles"] == ["member"]
        assert data["permissions"] == sorted(p.value for p in SYSTEM_ROLES["member"])
        assert sorted((a["id"], a["username"], a["current"]) for a in data["accounts"]) == sorted(
            [(str(ada.account_id), "ida", True), (str(gus.account_id), "ida2", False)]
        )

    def test_an_account_that_is_closed_to_the_person_is_not_offered(
        self, house: House, ida: tuple[Person, Person], gus: Person
    ) -> None:
        suspend(house, gus, "account")

        offered = ida[0].get("/api/session").json["data"]["accounts"]

        assert [each["username"] for each in offered] == ["ida"]

    def test_own_sessions_are_listed_newest_first_and_the_one_in_use_is_marked(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        second = browser(house, ada)

        rows = second.get("/api/sessions").json["data"]

        assert [row["current"] for row in rows] == [
            True,
            False,
            False,
        ]  # and the one of registering
        assert rows[0].keys() == {
            "id",
            "created_at",
            "last_seen_at",
            "expires_at",
            "ip",
            "user_agent",
            "current",
        }
        assert rows[0]["ip"] == "127.0.0.1"
        assert rows[0]["user_agent"].startswith("Werkzeug")
        others = {row["id"] for row in gus.get("/api/sessions").json["data"]}
        assert others.isdisjoint(row["id"] for row in rows)

    def test_sessions_of_every_account_are_listed_page_by_page(
        self, ida: tuple[Person, Person]
    ) -> None:
        every = [row["id"] for row in ida[0].get("/api/sessions").json["data"]]

        seen: list[str] = []
        query: dict[str, Any] = {"limit": 1}
        while True:
            page = ida[1].get("/api/sessions", query_string=query).json
            seen += [row["id"] for row in page["data"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == every
        assert len(every) >= 2

    def test_a_session_that_has_run_out_is_neither_listed_nor_let_in(
        self, house: House, ada: Person
    ) -> None:
        second = browser(house, ada)
        old = next(r["id"] for r in ada.get("/api/sessions").json["data"] if r["current"])
        statement = update(SESSIONS).where(SESSIONS.c.id == UUID(old))

        assert change(house, statement.values(expires_at=utc_now() - timedelta(seconds=1)))

        refused(ada.get("/api/user"), 40102)
        assert old not in [row["id"] for row in second.get("/api/sessions").json["data"]]

    def test_use_is_noted_once_a_minute(self, house: House, ada: Person) -> None:
        mine = SESSIONS.c.identity_id == ada.identity_id

        def seen() -> set[Any]:
            return {row[0] for row in look(house, select(SESSIONS.c.last_seen_at).where(mine))}

        first = seen()
        ada.get("/api/user")
        assert seen() == first
        long_ago = utc_now() - timedelta(minutes=2)
        change(house, update(SESSIONS).where(mine).values(last_seen_at=long_ago))
        ada.get("/api/user")
        assert len(seen() - {long_ago}) == 1


class TestEnding:
    def test_another_own_session_is_ended_and_its_browser_is_out_at_the_next_request(
        self, house: House, ada: Person
    ) -> None:
        second = browser(house, ada)
        row = second.get("/api/sessions").json["data"][0]
        before = ada.actions()

        assert ada.delete(f"/api/sessions/{row['id']}").json == {"message": "success"}

        refused(second.get("/api/user"), 40102)
        assert ada.get("/api/user").status_code == 200
        assert ada.actions() == [*before, "session.ended"]
        event = ada.events()[-1]
        assert (event["target_type"], event["target_id"]) == ("session", row["id"])
        assert event["data"] == {"how": "ended by the person"}

    def test_a_session_in_the_other_account_is_ended_and_told_there_by_the_seat_there(
        self, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, at_gus = ida
        there = next(r["id"] for r in at_gus.get("/api/sessions").json["data"] if r["current"])
        here = ada.actions()

        assert at_ada.delete(f"/api/sessions/{there}").status_code == 200

        refused(at_gus.get("/api/user"), 40102)
        assert ada.actions() == here
        event = gus.events()[-1]
        assert (event["action"], event["target_id"]) == ("session.ended", there)
        assert (event["actor_label"], event["actor_id"]) == ("ida2", str(at_gus.user_id))

    def test_sessions_of_others_cannot_be_ended(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        theirs = gus.get("/api/sessions").json["data"][0]["id"]

        with nothing_changes(house, ada, gus):
            foreign = ada.delete(f"/api/sessions/{theirs}")
            unknown = ada.delete(f"/api/sessions/{uuid4()}")
            malformed = ada.delete("/api/sessions/first")

        assert refused(foreign, 40401) == refused(unknown, 40401) == refused(malformed, 40401)
        assert gus.get("/api/user").status_code == 200

    def test_an_owner_cannot_end_the_sessions_of_her_people(self, house: House, acme: Team) -> None:
        theirs = acme.cleo.get("/api/sessions").json["data"][0]["id"]

        with nothing_changes(house, acme.ada, acme.cleo):
            refused(acme.ada.delete(f"/api/sessions/{theirs}"), 40401)

    def test_the_session_in_use_can_be_ended(self, ada: Person) -> None:
        mine = next(r["id"] for r in ada.get("/api/sessions").json["data"] if r["current"])

        assert ada.delete(f"/api/sessions/{mine}").status_code == 200
        refused(ada.get("/api/user"), 40102)


class TestSigningOut:
    def test_cookie_is_nobodys_from_then_on(self, house: House, ada: Person) -> None:
        taken, onlooker = cookie_of(ada.client), browser(house, ada)

        assert ada.post("/api/logout").json == {"message": "success"}

        refused(ada.get("/api/user"), 40102)
        refused(browser(house, ada, taken).get("/api/user"), 40102)
        page = onlooker.get("/api/audit-events?limit=1").json["data"][0]
        assert (page["action"], page["data"]) == ("session.ended", {"how": "sign-out"})

    def test_the_link_of_pages_signs_out_and_leads_home(self, house: House, ada: Person) -> None:
        taken = cookie_of(ada.client)

        answer = ada.get("/logout")

        assert (answer.status_code, answer.location) == (303, "/")
        refused(browser(house, ada, taken).get("/api/user"), 40102)

    def test_a_page_of_another_site_signs_nobody_out(self, house: House, ada: Person) -> None:
        with nothing_changes(house, ada):
            answer = ada.get("/logout", headers={"Sec-Fetch-Site": "cross-site"})

        assert answer.status_code == 303
        assert ada.get("/api/user").status_code == 200

    @pytest.mark.parametrize(("method", "path"), [("POST", "/api/logout"), ("GET", "/logout")])
    def test_nobody_can_sign_out_too(
        self, house: House, client: FlaskClient, method: str, path: str
    ) -> None:
        with nothing_changes(house):
            assert client.open(path, method=method).status_code in (200, 303)


class TestLockedOut:
    @pytest.mark.parametrize("what", LOCKED_OUT)
    def test_suspended_is_out_at_the_next_request(
        self, house: House, ada: Person, what: str
    ) -> None:
        assert ada.get("/api/user").status_code == 200

        suspend(house, ada, what)

        with nothing_changes(house, ada):
            refused(ada.get("/api/user"), 40102)
            refused(ada.post("/api/projects", {"name": "mine"}), 40102)
            page = ada.get("/settings")
        assert (page.status_code, page.location) == (303, "/login?next=%2Fsettings")

    def test_suspended_in_one_account_goes_on_in_the_other(
        self, house: House, ida: tuple[Person, Person]
    ) -> None:
        at_ada, at_gus = ida

        suspend(house, at_ada, "seat")

        refused(at_ada.get("/api/user"), 40102)
        assert at_gus.get("/api/user").status_code == 200
        refused(at_gus.post("/api/session/account", {"account_id": str(at_ada.account_id)}), 40401)

    def test_suspended_person_is_out_of_every_account(
        self, house: House, ida: tuple[Person, Person]
    ) -> None:
        suspend(house, ida[0], "identity")

        for seat in ida:
            refused(seat.get("/api/user"), 40102)

    def test_a_role_that_was_taken_away_is_gone_at_the_next_request(
        self, house: House, acme: Team
    ) -> None:
        assert acme.cleo.get("/api/projects").status_code == 200

        held = UserRole.__table__
        assert change(house, delete(held).where(held.c.user_id == acme.cleo.user_id)) == 1

        with nothing_changes(house, acme.cleo):
            refused(acme.cleo.get("/api/projects"), 40301)
            refused(acme.cleo.post("/api/projects", {"name": "mine"}), 40301)
        session = acme.cleo.get("/api/session").json["data"]
        assert (session["roles"], session["permissions"]) == ([], [])


class TestCookie:
    def test_it_holds_account_and_token_and_the_table_only_the_hash(
        self, house: House, ada: Person
    ) -> None:
        content = opened(house, cookie_of(ada.client))

        account, token = content["_user_id"].split(".")
        assert UUID(account) == ada.account_id
        rows = look(house, select(SESSIONS).where(SESSIONS.c.identity_id == ada.identity_id))
        assert all(token not in str(row) for row in rows)

    def test_naming_another_account_finds_nobody(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        content = opened(house, cookie_of(ada.client))
        token = content["_user_id"].split(".")[1]

        with nothing_changes(house, ada, gus):
            for account_id in (gus.account_id, uuid4()):
                moved = forged(house, content | {"_user_id": f"{account_id.hex}.{token}"})
                client = browser(house, ada, moved)
                refused(client.get("/api/user"), 40102)
                refused(client.post("/api/projects", json={"name": "mine"}), 40102)

    @pytest.mark.parametrize(
        "user_id",
        [
            *("", ".", "x", "None", "0" * 32, "0" * 32 + ".", "0" * 32 + "." + "a" * 43),
            *("' OR 1=1 --", "g" * 32 + "." + "a" * 43, "0" * 32 + "." + "\x00" * 43, "é" * 76),
            None,
        ],
    )
    def test_whatever_stands_in_it_is_nobody(self, house: House, user_id: Any) -> None:
        client = house.app.test_client()
        client.set_cookie("session", forged(house, {"_user_id": user_id, "_fresh": True}))

        refused(client.get("/api/user"), 40102)
        assert client.get("/healthz").status_code == 200

    @pytest.mark.parametrize("cookie", ["", "x", "a.b.c", "." * 3000, "%00", "eyJhIjoxfQ"])
    def test_one_that_we_did_not_sign_is_nobody(self, lite: House, cookie: str) -> None:
        client = lite.app.test_client()
        client.set_cookie("session", cookie)

        refused(client.get("/api/user"), 40102)

    def test_no_remember_cookie_lets_anybody_in(self, house: House, ada: Person) -> None:
        content = opened(house, cookie_of(ada.client))
        client = house.app.test_client()
        client.set_cookie("remember_token", f"{content['_user_id']}|{'0' * 128}")

        refused(client.get("/api/user"), 40102)


class TestSwitching:
    def test_other_account_is_entered_with_a_new_token_and_the_old_one_is_dead(
        self, house: House, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, _ = ida
        old = cookie_of(at_ada.client)

        answer = at_ada.post("/api/session/account", {"account_id": str(gus.account_id)})

        assert answer.json == {"message": "success"}
        assert at_ada.get("/api/user").json["data"]["account_id"] == str(gus.account_id)
        refused(browser(house, at_ada, old).get("/api/user"), 40102)
        assert ada.actions()[-1] == "session.ended"
        assert (gus.actions()[-1], gus.events()[-1]["data"]) == (
            "session.created",
            {"how": "switch"},
        )

    def test_an_account_without_a_seat_is_answered_like_one_that_does_not_exist(
        self, house: House, ada: Person, gus: Person
    ) -> None:
        with nothing_changes(house, ada, gus):
            foreign = ada.post("/api/session/account", {"account_id": str(gus.account_id)})
            unknown = ada.post("/api/session/account", {"account_id": str(uuid4())})

        assert refused(foreign, 40401) == refused(unknown, 40401)
        assert ada.get("/api/user").json["data"]["account_id"] == str(ada.account_id)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "account_id"),
            ({"account_id": "acme"}, "account_id"),
            ({"account_id": 7}, "account_id"),
            ({"account_id": None}, "account_id"),
            ({"account_id": [str(uuid4())]}, "account_id"),
            ({"account_id": str(uuid4()), "role": "owner"}, "role"),
        ],
    )
    def test_what_names_no_account_is_refused(
        self, lite: House, solo: Person, body: dict[str, Any], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post("/api/session/account", body), 42201, field)

    def test_a_remembered_session_stays_remembered(self, house: House, ada: Person) -> None:
        client = house.app.test_client()
        body = {"email": ada.email, "password": PASSWORD, "remember": True}
        client.post("/api/login", json=body)

        answer = client.post("/api/session/account", json={"account_id": str(ada.account_id)})

        assert "Expires=" in answer.headers["Set-Cookie"]
        newest = client.get("/api/sessions").json["data"][0]
        left = datetime.fromisoformat(newest["expires_at"]) - utc_now()
        assert timedelta(days=29, hours=23) < left <= timedelta(days=30)

    def test_one_person_in_two_accounts_sees_only_the_one_entered(
        self, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, at_gus = ida
        project = ada.post("/api/projects", {"name": "Apollo"}).json["data"]

        assert [row["name"] for row in at_ada.get("/api/projects").json["data"]] == ["Apollo"]
        assert at_gus.get("/api/projects").json["data"] == []
        foreign = at_gus.get(f"/api/projects/{project['id']}")
        assert refused(foreign, 40401) == said(at_gus.get(f"/api/projects/{uuid4()}"))
        refused(at_gus.get(f"/api/users/{ada.user_id}"), 40401)
        usernames = {row["username"] for row in at_gus.get("/api/users").json["data"]}
        assert usernames == {"gus", "ida2"}
        refused(at_gus.delete(f"/api/projects/{project['id']}"), 40301)


class TestXAccountId:
    @pytest.mark.parametrize("spelling", [str, lambda i: i.hex, lambda i: str(i).upper()])
    def test_that_of_the_session_passes(self, solo: Person, spelling: Any) -> None:
        headers = {"X-Account-ID": spelling(solo.account_id)}

        assert solo.get("/api/projects", headers=headers).status_code == 200

    def test_a_client_that_still_shows_another_account_does_nothing(
        self, house: House, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, _ = ida
        stale = {"X-Account-ID": str(ada.account_id)}
        at_ada.post("/api/session/account", {"account_id": str(gus.account_id)})

        with nothing_changes(house, ada, gus, at_ada):
            refused(at_ada.get("/api/projects", headers=stale), 40901)
            refused(at_ada.delete(f"/api/sessions/{uuid4()}", headers=stale), 40901)
            refused(at_ada.post("/api/accounts", {"name": "x"}, headers=stale), 40901)
            refused(at_ada.post("/api/logout", headers=stale), 40901)

    def test_it_is_told_before_a_permission_that_is_missing_in_the_other_account(
        self, house: House, ida: tuple[Person, Person], ada: Person, gus: Person
    ) -> None:
        at_ada, _ = ida
        stale = {"X-Account-ID": str(ada.account_id)}
        at_ada.post("/api/session/account", {"account_id": str(gus.account_id)})

        with nothing_changes(house, gus, at_ada):
            refused(at_ada.post("/api/projects", {"name": "x"}, headers=stale), 40901)

    @pytest.mark.parametrize("value", ["", "x", "0", "null", "%00", "é"])
    def test_what_is_no_account_id_matches_none(self, solo: Person, value: str) -> None:
        refused(solo.get("/api/user", headers={"X-Account-ID": value}), 40901)

    def test_account_named_anywhere_else_switches_nothing(self, ada: Person, gus: Person) -> None:
        other = str(gus.account_id)
        gus.post("/api/projects", {"name": "theirs"})

        answer = ada.get(
            f"/api/projects?limit=5&account_id={other}", headers={"X-Tenant-ID": other}
        )

        refused(answer, 42201, "account_id")
        ada.client.set_cookie("account_id", other)
        assert ada.get("/api/projects").json["data"] == []

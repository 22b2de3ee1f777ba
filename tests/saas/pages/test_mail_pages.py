"""What mails lead to, the mail page of development, and the settings that need a second thought."""

from __future__ import annotations

from uuid import uuid4

import pytest

from saas.pages import shared_pages
from saas.routes import DEV_PAGES, ROUTES
from tests import mail, people
from tests.acts import invite
from tests.house import House
from tests.people import PASSWORD, Person, Team, fresh_email
from tests.saas.pages.reading import Html, link_for, page, press
from tests.saas.pages.test_people_pages import said, words

NEW_PASSWORD = "another horse 77"


@pytest.fixture
def team(lite: House) -> Team:
    return people.team(lite)


class TestForgottenPassword:
    def test_a_new_one_is_set_and_every_session_ends(self, house: House, ada: Person) -> None:
        stranger = house.app.test_client()
        assert page(stranger, "/login").all("a", href="/password/forgot")
        assert press(stranger, "/password/forgot", email=ada.email.upper()).status_code == 303
        mail.work(house)  # finds out whose address it is, and puts the mail
        link = link_for(house, stranger, ada.email)
        assert ada.email in words(page(stranger, link))

        answer = press(stranger, link, new_password=NEW_PASSWORD)

        assert answer.location == "/login"
        assert "Sign in with it." in said(stranger, "/login")
        assert ada.client.get("/settings").status_code == 303
        data = {"email": ada.email, "password": NEW_PASSWORD}
        assert stranger.post("/login", data=data).location == "/"
        gone = page(stranger, link, 410)
        assert gone.one("h1").text == "This link does not work"
        assert "used already" in words(gone)

    def test_the_answer_is_the_same_for_an_unknown_address(self, lite: House) -> None:
        known = people.register(lite)

        def answer(email: str) -> tuple[int, str, str]:
            client = lite.app.test_client()
            sent = press(client, "/password/forgot", email=email)
            return sent.status_code, sent.location, said(client, sent.location)

        assert answer(known.email) == answer(fresh_email("nobody"))

    def test_a_weak_one_is_refused_in_place_and_the_link_still_works(self, lite: House) -> None:
        ada, stranger = people.register(lite), lite.app.test_client()
        press(stranger, "/password/forgot", email=ada.email)
        link = link_for(lite, stranger, ada.email)
        refused = press(stranger, link, new_password="password")
        html = Html(refused.text)
        assert refused.status_code == 422
        assert html.by_id("reset-new_password").attributes["aria-invalid"] == "true"
        assert "value" not in html.by_id("reset-new_password").attributes
        assert press(stranger, link, new_password=NEW_PASSWORD).status_code == 303

    def test_an_address_that_is_none_is_refused_in_place(self, lite: House) -> None:
        refused = press(lite.app.test_client(), "/password/forgot", email="nowhere")
        assert refused.status_code == 422
        assert Html(refused.text).by_id("forgot-email").attributes["value"] == "nowhere"


class TestConfirming:
    def test_the_notice_goes_once_the_address_is_confirmed(self, house: House, ada: Person) -> None:
        for path in ("/", "/settings"):
            assert f"Your address {ada.email} is not confirmed yet." in words(
                page(ada.client, path)
            )
        link = link_for(house, ada.client, ada.email)
        page(ada.client, link)
        assert "not confirmed" in words(page(ada.client, "/"))  # opening it changed nothing

        assert press(ada.client, link).location == "/"

        assert "the address is confirmed" in said(ada.client)
        assert "not confirmed" not in words(page(ada.client, "/"))
        page(ada.client, link, 410)

    def test_a_link_sent_again_ends_the_older(self, lite: House) -> None:
        ada = people.register(lite)
        first = link_for(lite, ada.client, ada.email)
        assert press(ada.client, "/", "Send it again").location == "/"
        assert ada.email in said(ada.client)
        second = link_for(lite, ada.client, ada.email)
        assert "a newer one has taken its place" in words(page(ada.client, first, 404))
        stranger = lite.app.test_client()
        assert press(stranger, second).location == "/login"

    def test_an_address_taken_meanwhile_is_told_in_place(self, lite: House) -> None:
        ada, new = people.register(lite), fresh_email("new")
        ada.client.post("/settings/email", data={"email": new, "password": PASSWORD})
        link = link_for(lite, ada.client, new)
        people.register(lite, "gus", email=new)
        refused = press(ada.client, link)
        assert refused.status_code == 409
        assert "already in use" in Html(refused.text).one("div", role="alert").text


class TestOwnership:
    def test_it_moves_by_offer_and_acceptance(self, house: House, acme: Team) -> None:
        sent = {"username": "ben", "password": PASSWORD}
        assert (
            press(acme.ada.client, "/settings", "Offer it", **sent).location
            == "/settings#hand-over"
        )
        assert "Offered to ben" in words(page(acme.ada.client, "/settings"))
        assert "ada offers you acme." in words(page(acme.ben.client, "/"))
        assert "offers you" not in words(page(acme.cleo.client, "/"))

        assert press(acme.ben.client, "/", "Become the owner").location == "/"

        assert "owner" in words(page(acme.ben.client, "/"))
        assert not page(acme.ada.client, "/settings").all("section", id="close")
        assert "Offered to" not in words(page(acme.ada.client, "/settings"))

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            ({"username": "ben", "password": "not the right words"}, "password"),
            ({"username": "be", "password": PASSWORD}, "username"),
            ({"username": "Ben", "password": PASSWORD}, "username"),
            ({"username": "ada", "password": PASSWORD}, "username"),
        ],
    )
    def test_a_wrong_password_or_nobody_is_marked_and_offers_nothing(
        self, team: Team, typed: dict[str, str], field: str
    ) -> None:
        refused = press(team.ada.client, "/settings", "Offer it", **typed)
        html = Html(refused.text)
        assert refused.status_code == 422
        assert html.by_id(f"offer-{field}").attributes["aria-invalid"] == "true"
        assert html.by_id("offer-username").attributes["value"] == typed["username"]
        assert "Offered to" not in words(page(team.ada.client, "/settings"))

    def test_an_address_names_somebody_too(self, team: Team) -> None:
        sent = {"username": team.cleo.email.upper(), "password": PASSWORD}
        assert press(team.ada.client, "/settings", "Offer it", **sent).status_code == 303

    def test_a_member_leaves_and_the_last_owner_stays(self, lite: House, team: Team) -> None:
        refused = press(team.ada.client, "/settings", "Yes, leave")
        assert refused.status_code == 409
        assert "An account needs an owner" in Html(refused.text).one("div", role="alert").text
        left = press(team.cleo.client, "/settings", "Yes, leave")
        assert left.location == "/"
        assert "You have left acme." in said(team.cleo.client)
        assert team.cleo.client.get("/settings").status_code == 303
        assert "cleo" not in words(page(team.ada.client, "/members"))

    def test_an_account_is_closed_by_its_typed_name_and_the_password(self, team: Team) -> None:
        ada = team.ada.client
        button = "Close it for everybody"
        wrong = press(ada, "/settings", button, account_name="acne", password=PASSWORD)
        assert wrong.status_code == 422
        html = Html(wrong.text)
        assert html.by_id("close-account_name").attributes["aria-invalid"] == "true"
        unsure = press(
            ada, "/settings", button, account_name="acme", password="not the right words"
        )
        assert unsure.status_code == 422
        assert page(team.cleo.client, "/").one("h1").text == "Welcome, cleo"
        assert (
            press(ada, "/settings", button, account_name="acme", password=PASSWORD).location == "/"
        )
        assert "acme is closed." in said(ada)
        assert team.cleo.client.get("/settings").status_code == 303

    def test_who_may_not_hand_over_or_close_finds_neither(self, team: Team) -> None:
        html = page(team.ben.client, "/settings")
        assert html.by_id("leave")
        assert not [e for e in html.elements if e.attributes.get("id") in ("hand-over", "close")]


class TestMailPage:
    def test_it_lists_who_gets_what_and_shows_it_as_text(self, lite: House, team: Team) -> None:
        email = fresh_email("dora")
        invite(team.ada, email, "viewer")
        link = link_for(lite, team.ada.client, email)

        listed = page(lite.app.test_client(), "/dev/mail")
        row = next(e for e in listed.all("li") if email in e.text)
        assert "ada invites you to acme" in row.text
        shown = page(lite.app.test_client(), row.link)
        assert email in shown.one("dl").text
        assert "ada invites you to join acme, as: viewer." in words(shown)
        (there,) = [e for e in shown.all("a") if "token=" in (e.attributes["href"] or "")]
        assert there.attributes["href"] == link

    def test_a_mail_that_is_not_there_is_a_404(self, lite: House) -> None:
        page(lite.app.test_client(), f"/dev/mail/{uuid4()}", 404)
        page(lite.app.test_client(), "/dev/mail/..%2Fsecrets", 404)

    def test_it_is_closed_where_mail_goes_to_a_server(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(lite.app.extensions, "mail_directory", None)
        client = lite.app.test_client()
        page(client, "/dev/mail", 404)
        page(client, f"/dev/mail/{uuid4()}", 404)
        assert not page(client, "/").all("a", href="/dev/mail")

    def test_it_stands_in_a_table_of_its_own(self) -> None:
        assert {route.path for route in DEV_PAGES}.isdisjoint(route.path for route in ROUTES)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["Ada"], "Ada"),
        (["Ada", "Ben"], "Ada and Ben"),
        (["Ada", "Ben", "Cleo"], "Ada, Ben and Cleo"),
        (list("abcdefgh"), "a, b, c, d, e and 3 more"),
    ],
)
def test_names_are_told_as_a_sentence_has_them(names: list[str], told: str) -> None:
    assert shared_pages.in_words(names) == told

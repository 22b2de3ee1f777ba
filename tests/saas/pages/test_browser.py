"""Pages in a browser: Chromium against the app on 127.0.0.1, with JavaScript and without."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from saas.routes import DEV_PAGES, PAGES
from tests import mail
from tests.browsing import Site, check, open_all_details, opened

pytestmark = pytest.mark.browser

PASSWORD = "seven quiet herons walk"


def new_address(name: str = "ada") -> str:
    return f"{name}.{uuid4().hex[:12]}@example.com"


def register(page: Any, email: str) -> None:
    page.goto("/register")
    page.get_by_label("Username").fill("Ada")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Account name").fill("Acme Instruments")
    page.get_by_role("button", name="Create the account").click()
    page.get_by_role("heading", name="Welcome, Ada").wait_for()


def open_mail(page: Any, site: Site, email: str) -> None:
    """Let the worker deliver, and open the link of the newest mail to an address, as a person in development does."""
    mail.work(site.house)
    page.goto("/dev/mail")
    page.get_by_role("link", name=f"Open its link for {email}").first.click()


def told(page: Any, words: str) -> None:
    """Wait for what the page says was done."""
    page.get_by_role("status").get_by_text(words).wait_for()


def unfold(page: Any, words: str) -> None:
    page.locator("summary").get_by_text(words).click()


def invite(page: Any, email: str, *roles: str) -> None:
    page.goto("/members")
    page.get_by_role("link", name="Invite somebody").click()
    page.get_by_label("Email address").fill(email)
    for role in roles:
        page.get_by_role("checkbox", name=role).check()
    page.get_by_role("button", name="Send the invitation").click()
    told(page, f"An invitation is on its way to {email}.")


def permission_box(page: Any, permission: str) -> Any:
    return page.locator(f"input[type=checkbox][value='{permission}']")


def make_role(page: Any, name: str, *permissions: str) -> None:
    page.goto("/roles")
    unfold(page, "New role")
    page.get_by_label("Name", exact=True).fill(name)
    for permission in permissions:
        permission_box(page, permission).check()
    page.get_by_role("button", name="Create the role").click()
    told(page, f"Role “{name}” created.")


def create_project(page: Any, name: str) -> None:
    page.goto("/projects")
    page.locator("summary").get_by_text("New project").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Description").fill("The long survey of northern lights. " * 4)
    page.get_by_role("button", name="Create the project").click()
    page.get_by_text(f"Project “{name}” created.").wait_for()


@pytest.mark.parametrize("scripted", [True, False], ids=["with-javascript", "without-javascript"])
def test_a_person_registers_works_changes_address_and_comes_back(chromium, site, scripted):
    first, second = new_address(), new_address()
    with opened(chromium, site, java_script_enabled=scripted) as watched:
        page = watched.page
        register(page, first)

        create_project(page, "Apollo")
        assert site.path_of(page) == "/projects"
        assert page.get_by_role("row").filter(has_text="Apollo").count() == 1

        change_address(page, site, second)
        page.locator("details.menu > summary").click()
        page.locator("details.menu").get_by_role("button", name="Sign out").click()
        page.get_by_role("status").get_by_text("You are signed out.").wait_for()

        page.goto("/projects")
        assert site.path_of(page) == "/login?next=%2Fprojects"
        page.get_by_label("Email address").fill(second)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Keep me signed in").check()
        page.locator("main").get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Apollo").click()
        page.get_by_role("heading", name="Apollo").wait_for()

        page.get_by_label("Name").fill("Borealis")
        page.get_by_role("button", name="Save changes").click()
        page.get_by_text("Changes saved.").wait_for()
        page.get_by_text("Delete this project").click()
        page.get_by_role("button", name="Yes, delete it").click()
        page.get_by_text("Project deleted.").wait_for()
        assert page.get_by_role("link", name="Borealis").count() == 0


def change_address(page: Any, site: Site, new: str) -> None:
    page.goto("/settings")
    form = page.get_by_role("form", name="Email address")
    form.get_by_label("New email address").fill(new)
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_role("button", name="Change the email address").click()
    told(page, f"A link is on its way to {new}.")
    open_mail(page, site, new)
    page.get_by_role("button", name="Yes, confirm it").click()
    told(page, "the address is confirmed")


@pytest.mark.parametrize("scripted", [True, False], ids=["with-javascript", "without-javascript"])
def test_a_team_grows(chromium, site, scripted):
    """Ada invites Ben and Cleo, they join, Cleo is refused and told whom to ask, Ben makes a key for a script."""
    ben, cleo = new_address("ben"), new_address("cleo")
    script = {"java_script_enabled": scripted}
    with (
        opened(chromium, site, **script) as adas,
        opened(chromium, site, **script) as bens,
        opened(chromium, site, **script) as cleos,
    ):
        register(adas.page, new_address())
        invite(adas.page, ben, "admin")
        invite(adas.page, cleo, "member")
        join(bens.page, site, "Ben", ben)
        join(cleos.page, site, "Cleo", cleo)

        cleos.page.goto("/audit")
        refusal = cleos.page.locator("main").inner_text()
        assert "audit:read" in refusal
        assert "Ada and Ben can give it to you." in refusal

        make_role(adas.page, "auditor", "audit:read")
        give_role(adas.page, "Cleo", "auditor")
        cleos.page.reload()
        cleos.page.get_by_role("heading", name="Audit log").wait_for()
        change_role(adas.page, "auditor", "Cleo")
        assert cleos.page.request.get("/audit").status == 403

        key = make_key(bens.page)
    headers = {"Authorization": f"Bearer {key}"}
    assert site.house.app.test_client().get("/api/projects", headers=headers).status_code == 200
    assert site.house.app.test_client().get("/api/users", headers=headers).status_code == 403


def join(page: Any, site: Site, name: str, email: str) -> None:
    open_mail(page, site, email)
    page.get_by_role("heading", name="Join Acme Instruments").wait_for()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Join Acme Instruments").click()
    told(page, "You have joined.")


def give_role(page: Any, name: str, role: str) -> None:
    page.goto(f"/members?search={name}")
    page.get_by_role("link", name=name).click()
    page.get_by_label("One more role").select_option(label=role)
    page.get_by_role("button", name="Give").click()
    told(page, "Role given.")


def change_role(page: Any, role: str, holder: str) -> None:
    """Take `audit:read` out of a role and put `api_key:read` in, after a look at what that means for its holder."""
    page.goto("/roles")
    page.locator("tbody").get_by_role("link", name=role).click()
    permission_box(page, "audit:read").uncheck()
    permission_box(page, "api_key:read").check()
    page.get_by_role("button", name="See who gains and who loses").click()
    effect = page.get_by_role("listitem").filter(has_text=holder).inner_text()
    assert re.sub(r"\s+", " ", effect) == f"{holder} gains api_key:read loses audit:read"
    page.get_by_role("button", name="Save the change").click()
    told(page, f"Role “{role}” changed.")


def make_key(page: Any) -> str:
    """Make a key that may read projects, and return it as the page shows it this once."""
    page.goto("/api-keys")
    unfold(page, "New key")
    page.get_by_label("Name", exact=True).fill("nightly import of everything that came in")
    permission_box(page, "project:read").check()
    page.get_by_role("button", name="Make the key").click()
    return str(page.locator("#new-key").inner_text())


@pytest.mark.timeout(400)  # every page there is, each looked at by axe
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_sound(chromium, site, width):
    with opened(chromium, site, viewport={"width": width, "height": 900}) as watched:
        page, email = watched.page, new_address()
        for path in ("/", "/login", "/register", "/nothing-here"):
            page.goto(path)  # /api/docs says the same to everybody, and is looked at below
            check(page, path)
        refuse_sign_in(page)
        check(page, "/login refused")
        register(page, email)
        for name in ("Apollo", "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"):
            create_project(page, name)
        fill_account(page)
        links = links_of_mails(page, site, email)
        for path in paths_when_signed_in(page, links):
            page.goto(path)
            open_all_details(page)
            check(page, path)
        make_key(page)
        check(page, "a new key")
        page.context.clear_cookies()
        for path in (*links.values(), "/password/forgot", "/password/reset?token=x"):
            page.goto(path)
            check(page, f"{path}, signed out")


def fill_account(page: Any) -> None:
    """What makes lists long and rows crowded: a role of many permissions, invitations in two states."""
    make_role(
        page, "keeper of the northern instruments", "user:read", "audit:read", "project:update"
    )
    invite(page, new_address("a.rather.long.name.of.somebody"), "viewer", "keeper")
    invite(page, new_address("late"), "viewer")
    page.get_by_role("button", name="Take back the invitation of late").click()
    told(page, "Invitation taken back.")


def links_of_mails(page: Any, site: Site, email: str) -> dict[str, str]:
    """The pages that mails lead to, each with its token: route → path."""
    invited, links = new_address("dora"), {}
    invite(page, invited, "viewer")
    for address in (email, invited):
        open_mail(page, site, address)
        links[site.path_of(page).partition("?")[0]] = site.path_of(page)
    page.goto("/password/forgot")
    page.get_by_label("Email address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    open_mail(page, site, email)
    return links | {"/password/reset": site.path_of(page)}


def paths_when_signed_in(page: Any, links: dict[str, str]) -> list[str]:
    """Every page of the route table that somebody signed in can look at, and an unknown one."""

    def first(path: str, selector: str) -> str:
        page.goto(path)
        return str(page.locator(selector).first.get_attribute("href"))

    role = first("/roles", "tbody tr:last-child a")
    filled = links | {
        "/projects/<project_id>": first("/projects", "tbody a"),
        "/members/<user_id>": first("/members", "tbody a"),
        "/roles/<role_id>": role,
        "/webhooks/<webhook_id>": make_webhook(page),
        "/roles/<role_id>/preview": f"{role}/preview?name=other&permissions=role:read",
        "/dev/mail/<mail_id>": first("/dev/mail", "a.row-title"),
    }
    leaving = {"/logout", "/login", "/register"}
    routes = [r.path for r in (*PAGES, *DEV_PAGES) if r.method == "GET" and r.path not in leaving]
    paths = [filled.get(path, path) for path in routes]
    assert len(paths) > 15
    assert not [path for path in paths if "<" in path], (
        "a page with an id that this test cannot fill"
    )
    more = [
        "/projects?limit=1",
        "/invitations?state=all&limit=2",
        "/members?search=nobody",
        "/audit?check=true&outcome=success&limit=5",
        "/audit?outcome=perhaps&limit=1",
        "/nothing-here",
    ]
    return [*paths, *more, first("/roles", "tbody a")]


def make_webhook(page: Any) -> str:
    """Make a webhook that sends some events to nobody; the page of its secret is looked at too."""
    page.goto("/webhooks")
    page.get_by_text("New webhook", exact=True).click()
    page.get_by_label("Address").fill(
        "http://127.0.0.1:9/a/rather/long/path/of/a/receiver/of/events"
    )
    page.get_by_label("Description").fill("To the house that looks after our logs")
    page.get_by_role("checkbox", name="project.created").check()
    page.get_by_role("button", name="Make the webhook").click()
    page.get_by_role("heading", name="Copy this secret now").wait_for()
    check(page, "the secret of a webhook")
    return str(page.get_by_role("link", name="I have copied it").get_attribute("href"))


def refuse_sign_in(page: Any) -> None:
    page.goto("/login")
    page.get_by_label("Email address").fill("nobody@example.com")
    page.get_by_label("Password").fill("not the right words")
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def test_the_keyboard_reaches_the_content_first_and_errors_take_the_focus(chromium, site):
    with opened(chromium, site) as watched:
        page = watched.page
        page.goto("/login")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "email"
        page.keyboard.type("nobody@example.com")
        page.keyboard.press("Tab")
        page.keyboard.type("not the right words")
        page.keyboard.press("Enter")
        page.locator("[role=alert]:focus").wait_for()
        assert page.get_by_label("Email address").input_value() == "nobody@example.com"
        assert page.get_by_label("Password").input_value() == ""


def test_the_menu_closes_on_escape_and_gives_the_focus_back(chromium, site):
    with opened(chromium, site) as watched:
        page = watched.page
        register(page, new_address())
        page.goto("/")
        summary = page.locator("details.menu > summary")
        summary.focus()
        page.keyboard.press("Enter")
        assert page.get_by_role("link", name="Your settings").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("link", name="Your settings").is_visible()
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_times_are_shown_in_the_zone_of_the_reader(chromium, site):
    with opened(chromium, site, locale="en-GB") as watched:
        page = watched.page
        register(page, new_address())
        page.goto("/audit")
        shown = page.locator("tbody time").first
        assert "UTC" in (shown.get_attribute("title") or "")
        assert re.fullmatch(r"\d+\s\w+\s\d{4}, \d\d:\d\d", shown.inner_text())
        assert page.get_by_text("times are in Europe/Vienna").is_visible()


def test_times_are_in_utc_where_there_is_no_javascript(chromium, site):
    with opened(chromium, site, java_script_enabled=False) as watched:
        page = watched.page
        register(page, new_address())
        page.goto("/audit")
        assert "UTC" in page.locator("tbody time").first.inner_text()
        assert page.get_by_text("times are in UTC").is_visible()


def test_a_form_from_before_a_switch_of_accounts_does_nothing(chromium, site):
    with opened(chromium, site) as watched:
        page = watched.page
        register(page, new_address())
        page.goto("/settings")
        page.get_by_text("New account").click()
        page.get_by_label("Account name").fill("Globex")
        page.get_by_role("button", name="Create the account").click()
        page.get_by_text("Account “Globex” created.").wait_for()

        older = page.context.new_page()
        older.goto("/projects")
        page.get_by_role("button", name="Switch to Globex").click()
        page.get_by_text("You are in the other account now.").wait_for()

        older.locator("summary").get_by_text("New project").click()
        older.get_by_label("Name").fill("Astray")
        older.get_by_role("button", name="Create the project").click()
        older.get_by_role("heading", name="Something has changed in the meantime").wait_for()
        page.goto("/projects")
        page.get_by_text("No projects yet").wait_for()


def test_every_file_of_the_pages_is_served_from_here(chromium, site):
    static = Path(__file__).parents[3] / "saas" / "static"
    with opened(chromium, site) as watched:
        for file in sorted(static.iterdir()):
            answer = watched.page.request.get(f"/static/{file.name}")
            assert answer.status == 200, file.name
            assert "//" not in re.sub(
                r"http://www\.w3\.org/2000/svg|/\*\*?.*?\*/", "", answer.text()
            )

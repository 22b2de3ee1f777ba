"""Pages in a browser: Chromium against the app on 127.0.0.1, with JavaScript and without.

Without Chromium these tests are skipped, or fail where CI=true: a page that nobody looked at is not proven.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.serving import make_server

from saas.routes import PAGES

sync_api = pytest.importorskip("playwright.sync_api")
axe_package = pytest.importorskip("axe_playwright_python.base")

pytestmark = pytest.mark.browser

PASSWORD = "seven quiet herons walk"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox (containers run as root), and none of the browser's own calls home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SERIOUS = ("serious", "critical")
SMALLEST_TARGET = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8

# Tell of what the policy refused; installed by the browser, so the policy does not touch it.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# Links in running text may be smaller than a target; all other controls may not.
SMALL_TARGETS = """(least) => [...document.querySelectorAll("a, button, summary, input, textarea")]
  .filter((e) => e.checkVisibility() && e.type !== "hidden" && !e.closest("p, li > ul, .alert, .tile"))
  .filter((e) => !e.classList.contains("skip-link"))
  .filter((e) => { const r = e.getBoundingClientRect(); return r.height < least - 0.5 || r.width < least - 0.5; })
  .map((e) => e.outerHTML.slice(0, 120))"""


@dataclass
class Site:
    """The app, served."""

    url: str

    def path_of(self, page: Any) -> str:
        return str(page.url).removeprefix(self.url)


@dataclass
class Watched:
    """A page and all that went wrong on it."""

    page: Any
    problems: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        missing = f"no Chromium found (looked for {', '.join(CHROMIUMS)}; or set CHROMIUM)"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def site(lite) -> Iterator[Site]:
    server = make_server("127.0.0.1", 0, lite.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def opened(chromium: Any, site: Site, **options: Any) -> Iterator[Watched]:
    """A page of its own browser context; afterwards nothing may have gone wrong on it."""
    context = chromium.new_context(base_url=site.url, timezone_id="Europe/Vienna", **options)
    context.set_default_timeout(10_000)
    if options.get("java_script_enabled", True):
        context.add_init_script(WATCH_POLICY)
    watched = Watched(context.new_page())
    _watch(watched, site)
    try:
        yield watched
    finally:
        context.close()
    assert watched.problems == []


def _watch(watched: Watched, site: Site) -> None:
    def heard(message: Any) -> None:
        if message.type in ("error", "warning") and "the server responded with" not in message.text:
            watched.problems.append(message.text)

    def asked(request: Any) -> None:
        if not request.url.startswith((site.url + "/", "data:")):
            watched.problems.append(f"asked another host: {request.url}")

    watched.page.on("console", heard)
    watched.page.on("pageerror", lambda error: watched.problems.append(str(error)))
    watched.page.on("request", asked)


def new_address() -> str:
    return f"ada.{uuid4().hex[:12]}@example.com"


def register(page: Any, email: str) -> None:
    page.goto("/register")
    page.get_by_label("Username").fill("Ada")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Account name").fill("Acme Instruments")
    page.get_by_role("button", name="Create the account").click()
    page.get_by_role("heading", name="Welcome, Ada").wait_for()


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

        page.goto("/settings")
        page.get_by_label("New email address").fill(second)
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Change the email address").click()
        page.get_by_text("Email address changed.").wait_for()

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_every_page_is_sound(chromium, site, scheme, width):
    size = {"width": width, "height": 900}
    with opened(chromium, site, viewport=size, color_scheme=scheme) as watched:
        page = watched.page
        for path in ("/", "/login", "/register", "/api/docs", "/nothing-here"):
            page.goto(path)
            check(page, path, narrow=width < 500)
        refuse_sign_in(page)
        check(page, "/login refused", narrow=width < 500)
        register(page, new_address())
        for name in ("Apollo", "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen"):
            create_project(page, name)
        for path in paths_when_signed_in(page):
            page.goto(path)
            open_all_details(page)
            check(page, path, narrow=width < 500)


def paths_when_signed_in(page: Any) -> list[str]:
    """Every page of the route table that somebody signed in can look at, and an unknown one."""
    project = page.locator("tbody a").first.get_attribute("href")
    leaving = {"/logout", "/login", "/register"}
    paths = [r.path for r in PAGES if r.method == "GET" and r.path not in leaving]
    filled = [path.replace("/projects/<project_id>", project) for path in paths]
    assert len(filled) > 5
    assert not [path for path in filled if "<" in path], (
        "a page with an id that this test cannot fill"
    )
    return [*filled, "/projects?limit=1", "/nothing-here"]


def refuse_sign_in(page: Any) -> None:
    page.goto("/login")
    page.get_by_label("Email address").fill("nobody@example.com")
    page.get_by_label("Password").fill("not the right words")
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def open_all_details(page: Any) -> None:
    """Open what is folded, menu aside (it covers what is under it)."""
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach((d) => d.open = true)")


def check(page: Any, path: str, *, narrow: bool) -> None:
    """Fail on a serious finding of axe, sideways scroll or a target too small to hit."""
    page.wait_for_load_state("load")
    excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert excess <= 0, f"{path}: {excess} px too wide"
    if narrow:
        assert page.evaluate(SMALL_TARGETS, SMALLEST_TARGET) == [], path
    page.evaluate(axe_package.AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    serious = [
        (v["id"], [node["html"][:200] for node in v["nodes"]])
        for v in found
        if v["impact"] in SERIOUS
    ]
    assert serious == [], path


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

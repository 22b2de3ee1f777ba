"""The console in a browser: an operator's walk, every page in both schemes, forty payloads that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert, update
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.models import Account, ApiKey, Identity, Invitation, Project, Role, User, UserSession
from tests import acts, browsing, people
from tests.admin import desk
from tests.admin.desk import REASON, Desk
from tests.house import House
from tests.people import Team
from tests.refusals import change

pytestmark = pytest.mark.browser

# Whatever a payload can do, it does one of these: each is heard of as a problem of the page.
TRIPWIRES = """
for (const name of ["alert", "prompt", "confirm", "print", "xss"])
  window[name] = () => console.error(`payload ran: ${name}`);
"""
PAYLOADS = (
    "<script>xss()</script>",
    "<ScRiPt>xss()</sCrIpT>",
    "<img src=x onerror=xss()>",
    "<svg onload=xss()>",
    "<svg/onload=xss()>",
    "<body onload=xss()>",
    "<iframe srcdoc='<script>parent.xss()</script>'></iframe>",
    "<iframe src=javascript:xss()></iframe>",
    "<a href=javascript:xss()>click</a>",
    "javascript:xss()",
    '"><script>xss()</script>',
    "'><script>xss()</script>",
    '" onmouseover=xss() x="',
    "' onfocus=xss() autofocus x='",
    '" autofocus onfocus=xss() "',
    "</title><script>xss()</script>",
    "</textarea><script>xss()</script>",
    "</code><script>xss()</script>",
    "</pre><img src=x onerror=xss()>",
    "</summary><details open ontoggle=xss()>",
    "<details open ontoggle=xss()>x</details>",
    "<video><source onerror=xss()></video>",
    "<audio src=x onerror=xss()>",
    "<input autofocus onfocus=xss()>",
    "<select autofocus onfocus=xss()>",
    "<marquee onstart=xss()>",
    "<style>*{color:red}</style>",
    "<link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "<meta http-equiv=refresh content='0;url=//127.0.0.1:9'>",
    "<base href=//127.0.0.1:9/>",
    "<form action=//127.0.0.1:9><button>go</button></form>",
    "<object data=javascript:xss()>",
    "<embed src=javascript:xss()>",
    "{{7*7}}{{config}}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
    "${xss()}",
    "&lt;script&gt;xss()&lt;/script&gt;",
    "\\x3cscript\\x3exss()\\x3c/script\\x3e",
    "<math><mi xlink:href=javascript:xss()>x</mi></math>",
    "<template><script>xss()</script></template>",
)


@contextmanager
def opened(chromium: Any, site: Any, **options: Any) -> Iterator[Any]:
    with browsing.opened(chromium, site, **options) as watched:
        if options.get("java_script_enabled", True):
            watched.page.context.add_init_script(TRIPWIRES)
        yield watched.page


def come_in(page: Any, operator: Desk) -> None:
    page.goto("/admin/sign-in")
    page.get_by_label("Email address").fill(operator.email)
    page.get_by_label("Password").fill(operator.password)
    page.get_by_label("Code").fill(operator.recovery_codes.pop())
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Good to see you").wait_for()
    page.wait_for_load_state("load")  # the keys are heard once the script ran


@pytest.mark.parametrize("scripted", [True, False], ids=["with-javascript", "without-javascript"])
def test_an_operator_finds_looks_suspends_and_restores(chromium, site, scripted):
    house, name = site.house, f"Walkers {uuid7().hex[-6:]}"
    olga, acme = desk.hire(house, signed_in=False), people.team(house, name)
    with opened(chromium, site, java_script_enabled=scripted) as page:
        come_in(page, olga)
        page.get_by_label("Search accounts, people, ids").fill(acme.cleo.email[:14])
        page.keyboard.press("Enter")
        page.get_by_role("link", name=acme.cleo.email).first.click()
        page.get_by_role("heading", name=f"{name} as cleo").wait_for()
        page.locator("summary").get_by_text("What they may do here, and why").click()
        row = page.get_by_role("row").filter(has_text="project:create")
        assert "member" in row.inner_text()

        page.get_by_role("heading", name=f"{name} as cleo").get_by_role("link").click()
        page.get_by_role("link", name="Suspend the account").click()
        page.get_by_text("All 4 people").wait_for()
        page.get_by_label("Reason").fill("short")
        page.get_by_role("button", name="Suspend the account").click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("Reason").fill(REASON)
        page.get_by_label("Ticket").fill("https://tickets.example.com/1")
        page.get_by_role("button", name="Suspend the account").click()
        page.get_by_role("status").get_by_text("The account is suspended.").wait_for()
        assert acme.ada.get("/api/user").status_code == 401

        restore_and_read(page, olga, acme)


def restore_and_read(page: Any, olga: Desk, acme: Team) -> None:
    """Restore, read what the customer reads, find it in the explorer, sign out."""
    page.get_by_role("link", name="Restore the account").click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Restore the account").click()
    page.get_by_role("status").get_by_text("The account is restored.").wait_for()
    (event,) = acme.ada.events(action="account.suspended")
    assert (event["actor_label"], event["reason"]) == (olga.email, REASON)

    page.goto("/admin/audit/")
    page.get_by_label("What").fill("account.suspended")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("summary").filter(has_text="account.suspended").first.click()
    assert "active" in page.locator("del").first.inner_text()
    page.get_by_role("link", name="All of this event").first.click()
    page.get_by_role("heading", name="As it is stored").wait_for()
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Operator sign-in").wait_for()


def fill(house: House) -> Team:
    """An account with something in every list, names long enough to break a layout among it."""
    acme = people.team(house, "Donaudampfschifffahrtsgesellschaftskapitaene & Soehne")
    acts.make_role(acme.ada, "keeper of the northern instruments", "project:read", "user:read")
    for name in ("Apollo", "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2):
        acme.ada.post(
            "/api/projects", {"name": name[:120], "description": "The long survey. " * 40}
        )
    acts.invite(acme.ada, people.fresh_email("a.rather.long.name.of.somebody"), "viewer")
    acts.make_key(house, acme.ada, "project:read", "role:read")
    acme.vera.post("/api/projects", {"name": "refused"})
    return acme


def every_page(olga: Desk, acme: Team, note: str) -> list[str]:
    account, person = (
        f"/admin/accounts/{acme.account_id}/",
        f"/admin/people/{acme.ben.identity_id}/",
    )
    tabs = ("overview", "users", "roles", "invitations", "keys", "sessions", "events", "notes")
    event = acme.ada.events()[-1]["id"]
    invitation = acme.ada.get("/api/invitations").json["data"][0]["id"]
    project = acme.ada.get("/api/projects").json["data"][0]["id"]
    return [
        "/admin/", "/admin/accounts/", "/admin/accounts/?search=nothing-has-this",
        f"/admin/accounts/details/?id={acme.account_id}",
        *(f"{account}?tab={tab}" for tab in tabs), f"{account}suspend/", f"{account}restore/",
        f"{account}invitations/{invitation}/resend/", f"{account}?done=suspend-account",
        "/admin/people/", "/admin/people/?view=seatless",
        *(f"{person}?tab={tab}" for tab in ("overview", "sessions", "events", "house", "notes")),
        f"{person}suspend/", f"{person}sign-out/", "/admin/roles/", f"/admin/roles/?account={acme.account_id}",
        "/admin/audit/", "/admin/audit/?log=house", "/admin/audit/?action=no.such&days=30&outcome=denied",
        "/admin/audit/?account_id=x", f"/admin/audit/{event}/", "/admin/search/", f"/admin/search/?q={note}",
        "/admin/search/?q=nothing-has-this", "/admin/operators/", f"/admin/operators/{olga.id}/",
        f"/admin/operators/{olga.id}/reset/", "/admin/projects/",
        f"/admin/projects/details/?id={project}", "/admin/me/",
        f"/admin/accounts/{uuid7()}/",
    ]  # fmt: skip


@pytest.mark.timeout(400)  # every page there is, each looked at by axe
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_of_the_console_is_sound(chromium, site, width):
    olga, acme = desk.hire(site.house, signed_in=False), fill(site.house)
    size = {"width": width, "height": 900}
    with opened(chromium, site, viewport=size) as page:
        page.goto("/admin/sign-in")
        browsing.check(page, "sign-in")
        page.get_by_label("Email address").fill(olga.email)
        page.get_by_label("Password").fill("wrong")
        page.get_by_label("Code").fill("000000")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        browsing.check(page, "sign-in refused")
        come_in(page, olga)
        for path in every_page(olga, acme, "cle"):
            page.goto(path)
            browsing.open_all_details(page)
            browsing.check(page, path)
    vic = desk.hire(site.house, "viewer", signed_in=False)
    with opened(chromium, site, viewport=size) as page:
        come_in(page, vic)
        for path in (f"/admin/accounts/{acme.account_id}/", "/admin/accounts/", "/admin/audit/"):
            page.goto(path)
            browsing.check(page, f"{path}, as a viewer")
        page.goto(f"/admin/accounts/{acme.account_id}/suspend/")
        browsing.check(page, "refused")


@pytest.mark.parametrize("width", [1280, 390])
def test_setting_up_a_second_factor_is_sound(chromium, site, width):
    olga, sam = desk.hire(site.house), desk.hire(site.house, "support", signed_in=False)
    page_text = olga.act(f"/admin/operators/{sam.id}/reset/").get_data(as_text=True)
    code = page_text.split('data-copy="code">')[1].split("<")[0]
    with opened(chromium, site, viewport={"width": width, "height": 900}) as page:
        page.goto("/admin/sign-in")
        page.get_by_label("Email address").fill(sam.email)
        page.get_by_label("Password").fill(sam.password)
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Set up your second factor").wait_for()
        assert page.locator("img.qr").evaluate("(image) => image.naturalWidth") > 100
        browsing.check(page, "set-up")
        page.get_by_label("Code of the app").fill(sam.code())
        page.get_by_role("button", name="This is the code").click()
        page.get_by_role("heading", name="Your recovery codes").wait_for()
        browsing.check(page, "recovery codes")
        page.get_by_role("link", name="I have kept them").click()
        page.get_by_role("heading", name="Good to see you").wait_for()


def test_keys_search_help_and_go_and_never_while_typing(chromium, site):
    olga = desk.hire(site.house, signed_in=False)
    with opened(chromium, site) as page:
        come_in(page, olga)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "console-search"
        page.keyboard.type("/?g")
        assert page.get_by_label("Search accounts, people, ids").input_value() == "/?g"
        page.keyboard.press("Tab")
        page.keyboard.press("?")
        assert page.get_by_role("heading", name="Keys").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("heading", name="Keys").is_visible()
        page.keyboard.press("g")
        page.keyboard.press("a")
        page.get_by_role("heading", name="Accounts").wait_for()


def test_the_menu_of_lists_follows_the_keyboard(chromium, site):
    olga = desk.hire(site.house, signed_in=False)
    with opened(chromium, site) as page:
        come_in(page, olga)
        summary = page.locator("details.menu > summary")
        summary.focus()
        page.keyboard.press("Enter")
        assert page.get_by_role("button", name="Sign out").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("button", name="Sign out").is_visible()
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def infest(house: House, acme: Team) -> None:
    """Put every payload into every string of a customer, past the schemas: what a database holds, a page must stand."""
    owner, now = acme.account_id, utc_now()
    every = " ".join(PAYLOADS)
    change(
        house,
        update(Account.__table__).where(Account.__table__.c.account_id == owner).values(name=every),
    )
    for person, text in zip((acme.ada, acme.ben, acme.cleo), PAYLOADS, strict=False):
        users, identities = User.__table__, Identity.__table__
        change(
            house, update(users).where(users.c.id == person.user_id).values(username=every + text)
        )
        mail = f"{text}{every}@example.com"
        change(
            house,
            update(identities).where(identities.c.id == person.identity_id)
            .values(email=mail, email_key=mail + str(uuid7())),
        )  # fmt: skip
    for number, text in enumerate(PAYLOADS):
        row: dict[str, Any] = {"account_id": owner, "id": uuid7(), "created_at": now}
        named = {**row, "name": f"{text} {number}"}
        change(house, insert(Project).values(**named, description=every, updated_at=now))
        change(
            house,
            insert(Role).values(**named | {"id": uuid7()}, permissions=["project:read", text]),
        )
        key = {"user_id": acme.ada.user_id, "permissions": [text], "secret_hash": uuid7().hex}
        change(house, insert(ApiKey).values(**named | {"id": uuid7()}, **key))
        invitation = {
            "email": text,
            "email_key": text,
            "token_hash": uuid7().hex,
            "expires_at": now,
        }
        change(
            house,
            insert(Invitation).values(
                **row | {"id": uuid7()}, **invitation, invited_by_id=acme.ada.user_id
            ),
        )
    sessions = UserSession.__table__
    change(
        house,
        update(sessions)
        .where(sessions.c.account_id == owner)
        .values(user_agent=every, ip=every[:200]),
    )


def speak(house: House, acme: Team) -> None:
    """Let the account's own log say every payload: as agent, as label, before and after."""
    for text in PAYLOADS:
        headers = {"User-Agent": text, "X-Request-ID": "a1b2c3d4"}
        acme.ada.client.patch(
            "/api/account", json={"name": f"{text} {uuid7().hex[:4]}"[:80]}, headers=headers
        )
        acme.vera.client.post("/api/projects", json={"name": text[:100]}, headers=headers)


@pytest.mark.timeout(300)
def test_forty_payloads_in_every_string_of_a_customer_do_nothing(chromium, site):
    assert len(set(PAYLOADS)) == 40
    house = site.house
    olga, acme = desk.hire(house, signed_in=False), fill(house)
    speak(house, acme)
    visited = every_page(olga, acme, "%3Cscript%3E")
    infest(house, acme)
    with opened(chromium, site) as page:
        come_in(page, olga)
        for text in PAYLOADS:
            page.goto(f"/admin/search/?{urlencode({'q': text})}")
        for path in visited:
            page.goto(path)
            browsing.open_all_details(page)
            page.mouse.move(400, 400)
            left = page.evaluate(
                "document.querySelectorAll("
                "'script:not([src]), iframe, object, embed, base, marquee, video, main style').length"
            )
            assert left == 0, path
            assert page.url.startswith(site.url), path
        page.goto(f"/admin/accounts/{acme.account_id}/?tab=roles")
        assert "<script>xss()</script>" in page.locator("main").inner_text()
        page.goto(f"/admin/accounts/{acme.account_id}/")
        page.get_by_role("link", name="Notes").click()
        page.get_by_label("New note").fill(" ".join(PAYLOADS)[:1900])
        page.get_by_role("button", name="Keep the note").click()
        page.get_by_role("status").get_by_text("The note is kept.").wait_for()


def test_every_file_of_the_console_is_served_from_here_and_tells_of_no_other_place(
    lite: House,
) -> None:
    from admin import console

    static = console._ROOM / "static"
    for file in sorted(path for path in static.rglob("*") if path.is_file()):
        path = f"/static/console/{file.relative_to(static)}"
        answer = lite.app.test_client().get(path, buffered=True)
        assert answer.status_code == 200, path
        if file.suffix in (".css", ".js"):
            text = answer.get_data(as_text=True)
            assert "@import" not in text
            assert "url(http" not in text.replace('"', "").replace("'", "")

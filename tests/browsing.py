"""A browser for the tests: Chromium against the app on 127.0.0.1, one for every test of a process.

Without Chromium these tests are skipped, or fail where CI=true: a page that nobody looked at is not proven.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.house import House
from tests.needs import skip_or_fail

CHROMIUMS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
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
NARROW = 500  # CSS pixels: below, fingers
NARROWEST = 320
# Everything in light; in dark, on the same page, what looks at colours. Without selectors, and without what only the
# rule for turned screens needs: a third less time.
QUICKLY = {"resultTypes": ["violations"], "selectors": False, "preload": False}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
SCHEMES: dict[str, dict[str, Any]] = {"light": QUICKLY, "dark": QUICKLY | COLOURS}
SMALLEST_TARGET = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8

# Tell of what the policy refused; installed by the browser, so the policy does not touch it.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# Links in running text may be smaller than a target; all other controls may not.
SMALL_TARGETS = """(least) => [...document.querySelectorAll("a, button, summary, input, select, textarea")]
  .filter((e) => e.checkVisibility() && e.type !== "hidden" && !e.closest("p, li > ul, .alert, .tile"))
  .filter((e) => !e.classList.contains("skip-link"))
  .filter((e) => { const r = e.getBoundingClientRect(); return r.height < least - 0.5 || r.width < least - 0.5; })
  .map((e) => e.outerHTML.slice(0, 120))"""


@dataclass
class Site:
    """The app, served, and the house behind it."""

    url: str
    house: House

    def path_of(self, page: Any) -> str:
        return str(page.url).removeprefix(self.url)


@dataclass
class Watched:
    """A page and all that went wrong on it."""

    page: Any
    problems: list[str] = field(default_factory=list)


class _Silent(WSGIRequestHandler):
    """Writes no access line: it would hold the query, and the product writes its own without."""

    def log_request(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Chromium, started once: two at a time cannot be driven from one thread."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        skip_or_fail(f"no Chromium found (looked for {', '.join(CHROMIUMS)}; or set CHROMIUM)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def site(lite: House) -> Iterator[Site]:
    """The app on SQLite, served on a port of its own."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        # Read to the end and closed here: this server forgets to close what a browser has no more use for.
        with closing(lite.app(environ, start_response)) as answer:
            return [b"".join(answer)]

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", lite)
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def opened(chromium: Any, site: Site, **options: Any) -> Iterator[Watched]:
    """A page of its own browser context; afterwards nothing may have gone wrong on it."""
    context = chromium.new_context(
        base_url=site.url,
        timezone_id="Europe/Vienna",
        reduced_motion="reduce",  # a colour on its way has a contrast that nobody chose
        **options,
    )
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


def open_all_details(page: Any) -> None:
    """Open what is folded, menu aside (it covers what is under it)."""
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach((d) => d.open = true)")


def check(page: Any, path: str) -> None:
    """Fail on a serious finding of axe, in light and in dark, on sideways scroll and on a target too small to hit.

    A narrow page is looked at once more at the narrowest width, without axe: it finds there what it found before.
    """
    from axe_playwright_python.base import AXE_SCRIPT

    page.wait_for_load_state("load")
    size = dict(page.viewport_size)
    _fits(page, path)
    if size["width"] < NARROW:
        page.set_viewport_size({**size, "width": NARROWEST})
        _fits(page, f"{path} at {NARROWEST}")
        page.set_viewport_size(size)
    page.evaluate(AXE_SCRIPT)
    for scheme, options in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("(options) => axe.run(options)", options)["violations"]
        serious = [
            (v["id"], [node["html"][:200] for node in v["nodes"]])
            for v in found
            if v["impact"] in SERIOUS
        ]
        assert serious == [], f"{path} in {scheme}"


def _fits(page: Any, path: str) -> None:
    excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert excess <= 0, f"{path}: {excess} px too wide"
    if page.viewport_size["width"] < NARROW:
        assert page.evaluate(SMALL_TARGETS, SMALLEST_TARGET) == [], path

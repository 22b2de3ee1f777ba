"""Reading a page without a browser: all its elements in order, each with its text and what is around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests import mail
from tests.house import House

VOID = {"link", "meta", "input", "rect", "path", "circle", "br", "img"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    within: tuple[str, ...]
    form: str | None
    text: str = ""
    link: str = ""  # of the first link in it


@dataclass
class Html(HTMLParser):
    """All elements of a page in order, each with its own text and the tags around it."""

    source: str
    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        form = next((e.attributes["action"] for e in self._open if e.tag == "form"), None)
        element = Element(tag, dict(attrs), tuple(e.tag for e in self._open), form)
        self.elements.append(element)
        if tag == "a":
            for around in (element, *self._open):
                around.link = around.link or element.attributes.get("href") or ""
        if tag not in VOID and "/>" not in (self.get_starttag_text() or ""):
            self._open.append(element)

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        return [
            e
            for e in self.elements
            if e.tag == tag and all(e.attributes.get(k) == v for k, v in attributes.items())
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        (element,) = self.all(tag, **attributes)
        return element

    def by_id(self, wanted: str) -> Element:
        (element,) = [e for e in self.elements if e.attributes.get("id") == wanted]
        return element


def page(client: Any, path: str, status: int = 200) -> Html:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    return Html(answer.text)


def link_for(house: House, client: Any, email: str) -> str:
    """The link of the newest mail to an address, as the mail page of development leads to it."""
    mail.work(house)
    links = [e for e in page(client, "/dev/mail").all("a") if e.text.endswith(f" for {email}")]
    return links[0].attributes["href"] or ""


def press(client: Any, path: str, button: str = "", **typed: Any) -> Any:
    """Send the form of a page whose button says `button` (any, if there is one), as it stands, with what was typed."""
    html = page(client, path)
    forms = [f for f in html.all("form", method="post") if f.attributes["action"] != "/logout"]
    chosen = [f for f in forms if button in f.text] if button else forms
    assert len(chosen) == 1, [f.text for f in chosen or forms]
    action = chosen[0].attributes["action"] or ""
    standing = {
        e.attributes["name"]: e.attributes.get("value")
        for e in html.all("input", type="hidden")
        if e.form == action
    }
    return client.post(action, data=standing | typed, headers={"Accept": "text/html"})

"""One call over HTTP, and what came back: its mark, and whatever of other accounts stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from unittest import mock
from uuid import UUID

from saas import routing
from saas.testing.lines import Line
from saas.testing.rows import DONE
from saas.testing.targets import Target
from saas.testing.world import Caller, World


@dataclass(frozen=True, slots=True)
class Answer:
    """``text``: the body, with what was sent and the request's own id taken out, so that answers can be compared."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...]
    mark: str

    @property
    def beginning(self) -> str:
        """What of it is told of a cell that differs: of a page nothing, its beginning says nothing."""
        return self.text[:200] if self.text.startswith("{") else ""

    @property
    def comparable(self) -> tuple[object, ...]:
        return self.status, self.text, self.headers


def address(line: Line, ids: Mapping[str, UUID]) -> str:
    """Return the path of a route with its ids filled in."""
    path = line.route.path
    for name, each in ids.items():
        path = path.replace(f"<{name}>", str(each))
    return path


def call(
    world: World, line: Line, caller: Caller, target: Target, *, service_alone: bool = False
) -> Answer:
    """Call a route. ``service_alone``: the wrapper asks no permission, so that the service has to."""
    path = address(line, target.ids)
    body: dict[str, Any] = {}
    if line.form:
        body["data"] = {k: _form_value(v) for k, v in (target.body or {}).items() if v is not False}
    elif target.body is not None:
        body["json"] = target.body
    client = world.app.test_client(use_cookies=False)
    silent = mock.patch.object(routing, "require", _let_in) if service_alone else nullcontext()
    with silent:
        response = client.open(
            path,
            method=line.route.method,
            headers=caller.headers,
            query_string=target.query,
            **body,
        )
    text = response.get_data(as_text=True)
    request_id = response.headers.get("X-Request-ID", "")
    for sent in sorted((request_id, *target.sent), key=len, reverse=True):
        text = text.replace(sent, "…") if sent else text
    headers = tuple((k, v) for k, v in response.headers if k not in _PER_REQUEST)
    location = response.headers.get("Location", "")
    return Answer(response.status_code, text, headers, _mark(line, response.status_code, location))


_PER_REQUEST = frozenset({"X-Request-ID", "Date", "Content-Length", "Set-Cookie", "Location"})


def leaks(world: World, caller: Caller, answer: Answer) -> list[str]:
    """Return what an answer tells of accounts that the caller does not sit in."""
    text = answer.text
    for known in sorted(caller.knows, key=len, reverse=True):
        text = text.replace(known, "…")
    found = []
    for site in world.sites:
        if site is caller.site:
            continue
        marks = (site.sentinel, str(site.account_id), site.account_id.hex, str(site.founder.id))
        found += [f"it shows {mark!r} of another account" for mark in marks if mark in text]
    return found


def _mark(line: Line, status: int, location: str) -> str:
    if line.page and status in (302, 303):
        to_login = location.startswith("/login") and not line.public
        return "login" if to_login else DONE if line.public or not line.safe else str(status)
    wanted = (201 if line.form else 200) if line.page else line.route.status
    return DONE if status == wanted else str(status)


def _form_value(value: Any) -> Any:
    return "on" if value is True else value


def _let_in(*_: object) -> None:
    return None

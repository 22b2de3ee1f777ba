"""The one search of the console."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import flask
from flask_admin import expose

from admin import gate
from admin.guarded import ConsolePage, asks
from saas.operator import ConsolePermission
from saas.services import console_search_services
from saas.services.console_search_services import Found

_WHERE = {
    "account": "/admin/accounts/{}/",
    "person": "/admin/people/{}/",
    "seat": "/admin/people/{}/",
    "event": "/admin/audit/{}/",
    "request": "/admin/audit/?days=all&request_id={}",
    "house request": "/admin/audit/?log=house&days=all&request_id={}",
}
_TITLES = {
    "account": "Accounts",
    "person": "People by address",
    "seat": "People by name",
    "event": "Events",
    "request": "Requests",
    "house request": "Requests in the house's log",
}


class SearchPage(ConsolePage):
    """``/admin/search/``."""

    @asks(ConsolePermission.ACCOUNT_READ)
    @expose("/")
    def index(self) -> Any:
        """Jump to what an exact id names; else show what begins with the words."""
        words = flask.request.args.get("q", "").strip()[:200]
        found = console_search_services.search(gate.current_operator(), words=words)
        if len({address(each) for each in found}) == 1 and found[0].exact:
            return flask.redirect(address(found[0]), 303)
        kinds = {title: [f for f in found if f.kind == kind] for kind, title in _TITLES.items()}
        return self.render(
            "console/search.html",
            search_words=words,
            kinds={title: once(each) for title, each in kinds.items() if each},
            address=address,
        )


def address(found: Found) -> str:
    """Return where something that was found is shown."""
    return _WHERE[found.kind].format(quote(str(found.id), safe=""))


def once(found: list[Found]) -> list[Found]:
    """Return each thing once: a request, or a person with several seats, is found by each of its rows."""
    return list({address(each) + each.label: each for each in found}.values())

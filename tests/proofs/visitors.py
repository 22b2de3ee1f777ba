"""People of the proofs: registered over a browser of ours, everything of theirs marked with their account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import flask

from tests.proofs.oracle import new_mark
from tests.proofs.wsgi import Answer, Browser

PASSWORD = "correct horse battery 9"


@dataclass
class Visitor:
    """Somebody who owns a fresh account: a browser signed in, and the mark of all that is theirs."""

    browser: Browser
    mark: str
    account_id: UUID

    def get(self, path: str, **more: Any) -> Answer:
        return self.browser.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.browser.call("POST", path, {} if body is None else body, **more)

    def create(self, name: str) -> Answer:
        """Create a project whose name carries the mark."""
        return self.post("/api/projects", {"name": f"{name} {self.mark}"})


def register(app: flask.Flask) -> Visitor:
    """Register somebody new, with an account of their own and one project in it."""
    mark = new_mark()
    browser = Browser(app, f"agent {mark}")
    body = {
        "username": f"a{mark}",
        "email": f"{mark}@example.com",
        "password": PASSWORD,
        "account_name": f"house {mark}",
    }
    assert browser.call("POST", "/api/register", body).status == 201
    account_id = UUID(browser.call("GET", "/api/user").json["data"]["account_id"])
    visitor = Visitor(browser, mark, account_id)
    assert visitor.create("first").status == 201
    return visitor

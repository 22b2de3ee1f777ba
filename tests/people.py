"""The people of the tests: Ada owns acme, Ben administers it, Cleo works, Vera looks; Gus owns globex."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient

from saas import database
from saas.actor import Actor
from saas.context import CallContext, calling_from
from saas.permissions import SYSTEM_ROLES
from saas.services import account_services, session_services, user_services
from saas.services.session_services import Client
from saas.session_cookie import session_cookie
from tenants import enter_account
from tests.house import House

PASSWORD = "correct horse battery 9"
CLIENT = Client(ip="127.0.0.1", user_agent="tests")


@dataclass(frozen=True, slots=True)
class Person:
    """One seat: who it is, and a browser signed in to it."""

    name: str
    email: str
    account_id: UUID
    user_id: UUID
    identity_id: UUID
    client: FlaskClient = field(repr=False)
    password: str = PASSWORD

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.client.post(path, json=body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.client.patch(path, json=body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.client.delete(path, **options)

    def actor(self, role: str = "owner") -> Actor:
        """Return this seat as an actor, for calling services without HTTP."""
        return Actor(
            "user", self.user_id, self.name, self.account_id, SYSTEM_ROLES[role],
            identity_id=self.identity_id, email=self.email,
        )  # fmt: skip

    def events(self, **filters: Any) -> list[dict[str, Any]]:
        """Return every audit event of the account so far, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = self.get(
                "/api/audit-events", query_string={"after_seq": after, "limit": 100, **filters}
            ).json["data"]
            found += page
            if len(page) < 100:
                return found

    def actions(self) -> list[str]:
        """What was done in the account so far; refusals are told in the log too, and are no acts."""
        return [event["action"] for event in self.events(outcome="success")]


@dataclass(frozen=True, slots=True)
class Team:
    """One account with a person in each system role."""

    account_id: UUID
    ada: Person
    ben: Person
    cleo: Person
    vera: Person

    def in_role(self, role: str) -> Person:
        return {"owner": self.ada, "admin": self.ben, "member": self.cleo, "viewer": self.vera}[
            role
        ]


def fresh_email(name: str) -> str:
    return f"{name}.{secrets.token_hex(6)}@example.com"


def register(
    house: House, name: str = "ada", *, account_name: str | None = None, email: str | None = None
) -> Person:
    """Register a person with an account of their own, through the service, and sign them in over HTTP."""
    email = email or fresh_email(name)
    with house.in_use():
        actor = account_services.register(
            username=name, email=email, password=PASSWORD, account_name=account_name, client=CLIENT
        )
    assert actor.id is not None
    assert actor.identity_id is not None
    return come_in(
        house,
        Person(name, email, actor.account_id, actor.id, actor.identity_id, house.app.test_client()),
    )


def add(house: House, owner: Person, name: str, *roles: str, email: str | None = None) -> Person:
    """Give a person a seat in the owner's account and sign them in."""
    email = email or fresh_email(name)
    with house.in_use(), enter_account(owner.account_id):
        user = user_services.add_user(
            owner.actor(), email=email, username=name, password=PASSWORD, role_keys=list(roles)
        )
    person = Person(
        name, email, owner.account_id, user.id, user.identity_id, house.app.test_client()
    )
    return come_in(house, person)


def come_in(house: House, person: Person) -> Person:
    """Put into a person's new browser what ``sign_in`` leaves, without the request and the password."""
    browser = Client(ip="127.0.0.1", user_agent=str(person.client.environ_base["HTTP_USER_AGENT"]))
    called = CallContext("api", secrets.token_hex(16), browser.ip, browser.user_agent, "/api/login")
    with (
        house.in_use(),
        enter_account(person.account_id),
        calling_from(called),
        database.unit_of_work() as unit,
    ):
        actor = session_services.begin_session(
            unit, person.identity_id, person.user_id, how="sign-in", remember=False, client=browser
        )  # fmt: skip
    person.client.set_cookie(*session_cookie(house.app, actor))
    return person


def sign_in(house: House, person: Person) -> Person:
    """Sign a person in over HTTP, in their own browser."""
    answer = person.client.post(
        "/api/login", json={"email": person.email, "password": person.password}
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return person


def team(house: House, name: str = "acme") -> Team:
    """Make an account with Ada, Ben, Cleo and Vera in it."""
    ada = register(house, "ada", account_name=name)
    ben, cleo, vera = (
        add(house, ada, "ben", "admin"),
        add(house, ada, "cleo", "member"),
        add(house, ada, "vera", "viewer"),
    )
    return Team(ada.account_id, ada, ben, cleo, vera)

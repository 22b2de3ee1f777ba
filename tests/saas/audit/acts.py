"""Every act that leaves an event, done once in one account: what the tests of the log look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from saas.actor import system_actor
from saas.security import passwords
from saas.services import account_services, user_services
from tenants import enter_account
from tests.house import House
from tests.people import PASSWORD, Person, add, fresh_email, register, sign_in

NEW_PASSWORD = "quite another phrase 5"


class Stage:
    """Ada in an account of her own with Zoe, and a way to do each act of the catalogue there."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.ada = register(house, "ada", account_name="acme")
        self.zoe = add(house, self.ada, "zoe", "member")
        self.project = self.ada.post("/api/projects", {"name": "Apollo"}).json["data"]
        self.other = self.ada.post("/api/accounts", {"name": "Umbrella"}).json["data"]
        self.second = sign_in(house, self.browser())

    def browser(self) -> Person:
        """Ada in a browser where nobody is signed in."""
        fields = {name: getattr(self.ada, name) for name in Person.__dataclass_fields__}
        return Person(**fields | {"client": self.house.app.test_client()})

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The account entered, for acts that no route leads to yet."""
        with self.house.in_use(), enter_account(self.ada.account_id):
            yield

    def acts(self) -> dict[str, Callable[[], Any]]:
        """Name → act; an act over HTTP returns its answer, one of a service raises."""
        ada, path = self.ada, f"/api/projects/{self.project['id']}"
        return {
            "register": lambda: self.house.app.test_client().post(
                "/api/register",
                json={"username": "new", "email": fresh_email("new"), "password": PASSWORD},
            ),
            "sign in": lambda: self.browser().post(
                "/api/login", {"email": ada.email, "password": PASSWORD}
            ),
            "create project": lambda: ada.post("/api/projects", {"name": "Gemini"}),
            "update project": lambda: ada.patch(path, {"name": "Mercury", "description": "1"}),
            "delete project": lambda: ada.delete(path),
            "update account": lambda: ada.patch("/api/account", {"name": "Acme & Sons"}),
            "create account": lambda: ada.post("/api/accounts", {"name": "Globex"}),
            "add user": self.add_user,
            "suspend user": lambda: self.user(user_services.suspend_user),
            "restore user": lambda: self.user(user_services.restore_user),
            "suspend account": lambda: self.account(account_services.suspend_account),
            "restore account": lambda: self.account(account_services.restore_account),
            "change password": lambda: ada.post(
                "/api/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
            ),
            "rehash password": self.rehash,
            "change email": lambda: ada.post(
                "/api/email", {"email": fresh_email("ada"), "password": NEW_PASSWORD}
            ),
            "switch account": lambda: ada.post(
                "/api/session/account", {"account_id": self.other["id"]}
            ),
            "sign out": lambda: ada.post("/api/logout"),
        }

    def add_user(self) -> None:
        with self.inside():
            user_services.add_user(
                self.ada.actor(),
                email=fresh_email("kim"),
                username="kim",
                password=PASSWORD,
                role_keys=["viewer"],
            )

    def user(self, act: Callable[..., Any]) -> None:
        with self.inside():
            act(self.ada.actor(), user_id=self.zoe.user_id, reason="because")

    def account(self, act: Callable[..., Any]) -> None:
        with self.inside():
            act(system_actor(self.ada.account_id, "flask accounts"), reason="because")

    def rehash(self) -> Any:
        """Sign in while the cost has risen, so that the password is hashed anew."""
        given = self.house.settings
        passwords.configure(given.peppers, given.password_cost + 1)
        try:
            body = {"email": self.ada.email, "password": NEW_PASSWORD}
            return self.browser().post("/api/login", body)
        finally:
            passwords.configure(given.peppers, given.password_cost)

"""Every act that leaves an event, done once in one account: what the tests of the log look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from saas.actor import system_actor
from saas.security import passwords
from saas.services import account_services, user_services
from tenants import enter_account
from tests import acts, mail
from tests.house import House
from tests.people import PASSWORD, Person, add, fresh_email, register, sign_in

WEBHOOK = {"url": "https://hooks.example.com/a"}
WEBHOOK_ACTS = (
    *("update webhook", "disable webhook", "enable webhook", "test webhook", "rotate secret"),
    "delete webhook",
)
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
        self.address, self.password = self.ada.email, PASSWORD
        self.token = self.id = self.role = ""

    def make_ready(self, act: str) -> None:
        """What has to have been done before an act: a link in a mail, a role, a key, an offer."""
        ready = self.preparations().get(act)
        if ready is not None:
            ready()

    def preparations(self) -> dict[str, Callable[[], Any]]:
        """Name of an act → what it stands upon."""
        ada, zoe = self.ada, self.zoe
        return {
            "restore user": lambda: self.user(user_services.suspend_user),
            "confirm address": self.ask_for_confirmation,
            "open new address": self.change_email,
            "reset password": lambda: self.forget(zoe.email),
            "reset with a key": lambda: (self.make_key(), self.forget(self.address)),
            "revoke key": self.make_key,
            "resend invitation": self.invite,
            "revoke invitation": self.invite,
            "accept invitation": self.invite_and_open,
            **dict.fromkeys(("update role", "delete role", "grant role"), self.make_role),
            "revoke role": lambda: (self.make_role(), acts.give_role(ada, zoe, self.role)),
            "remove user": self.add_somebody,
            "accept ownership": self.offer,
            "close account": lambda: sign_in(self.house, zoe),
            **dict.fromkeys(WEBHOOK_ACTS, self.make_webhook),
            "enable webhook": lambda: (self.make_webhook(), self.hook("patch", status="disabled")),
        }

    def make_webhook(self) -> None:
        self.id = acts.done(self.ada.post("/api/webhooks", WEBHOOK), 201)["id"]

    def hook(self, method: str, path: str = "", **body: Any) -> Any:
        return self.ada.client.open(f"/api/webhooks/{self.id}{path}", method=method, json=body)

    def ask_for_confirmation(self) -> None:
        acts.done(self.ada.post("/api/email/verification"))
        self.token = mail.token(self.house, self.address)

    def change_email(self) -> None:
        self.address = fresh_email("ada")
        body = {"email": self.address, "password": self.password}
        acts.done(self.ada.post("/api/email", body), 201)
        self.token = mail.token(self.house, self.address)

    def forget(self, email: str) -> None:
        acts.done(self.nobody("/api/password/forgot", {"email": email}), 202)
        self.token = mail.token(self.house, email)

    def make_key(self) -> None:
        self.id = acts.make_key(self.house, self.ada, "project:read").id

    def invite(self) -> None:
        self.id = acts.invite(self.ada, fresh_email("kim"), "viewer")["id"]

    def invite_and_open(self) -> None:
        self.token = acts.invited(self.house, self.ada, fresh_email("lou"), "viewer")

    def make_role(self) -> None:
        self.number = getattr(self, "number", 0) + 1
        self.role = acts.make_role(self.ada, f"helper {self.number}", "project:read")

    def add_somebody(self) -> None:
        self.id = str(add(self.house, self.ada, "gone", "viewer").user_id)

    def offer(self) -> None:
        body = {"user_id": str(self.zoe.user_id)}
        self.id = acts.done(self.ada.post("/api/account/ownership-offers", body), 201)["id"]
        sign_in(self.house, self.zoe)

    def accept_ownership(self) -> Any:
        return self.zoe.post(f"/api/account/ownership-offers/{self.id}/accept")

    def nobody(self, path: str, body: dict[str, Any]) -> Any:
        """Call as somebody who is not signed in."""
        return self.house.app.test_client().post(path, json=body)

    def change_password(self) -> Any:
        body = {"current_password": self.password, "new_password": NEW_PASSWORD}
        answer = self.ada.post("/api/password", body)
        if answer.status_code == 200:
            self.password = NEW_PASSWORD
        return answer

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
            "register": lambda: self.nobody(
                "/api/register",
                {"username": "new", "email": fresh_email("new"), "password": PASSWORD},
            ),
            "sign in": lambda: self.browser().post(
                "/api/login", {"email": ada.email, "password": self.password}
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
            "set retention": lambda: self.account(
                partial(account_services.set_audit_retention, days=30)
            ),
            "export events": lambda: ada.get("/api/audit-events/export"),
            **self.acts_by_mail(),
            **self.acts_upon_people(),
            **self.acts_upon_webhooks(),
            "change password": self.change_password,
            "rehash password": self.rehash,
            "change email": lambda: ada.post(
                "/api/email", {"email": fresh_email("ada"), "password": self.password}
            ),
            "open new address": lambda: ada.post("/api/email/verify", {"token": self.token}),
            "switch account": lambda: ada.post(
                "/api/session/account", {"account_id": self.other["id"]}
            ),
            "sign out": lambda: ada.post("/api/logout"),
            "accept ownership": self.accept_ownership,
            "reset with a key": lambda: self.nobody(
                "/api/password/reset", {"token": self.token, "new_password": NEW_PASSWORD}
            ),
            "close account": lambda: (self.zoe if self.moved() else self.ada).post(
                "/api/account/close", {"password": PASSWORD}
            ),
        }

    def moved(self) -> bool:
        """Whether Zoe owns the account by now."""
        return "account:close" in acts.permissions_of(self.zoe)

    def acts_by_mail(self) -> dict[str, Callable[[], Any]]:
        """What the links in mails lead to."""
        return {
            "confirm address": lambda: self.ada.post("/api/email/verify", {"token": self.token}),
            "reset password": lambda: self.nobody(
                "/api/password/reset", {"token": self.token, "new_password": PASSWORD}
            ),
            "accept invitation": lambda: self.nobody(
                "/api/invitations/accept",
                {"token": self.token, "username": "lou", "password": PASSWORD},
            ),
        }

    def acts_upon_people(self) -> dict[str, Callable[[], Any]]:
        """Roles, people, invitations, keys and the owner."""
        ada, zoe = self.ada, f"/api/users/{self.zoe.user_id}"
        role = {"name": "support", "permissions": ["project:read"]}
        return {
            "create role": lambda: ada.post("/api/roles", role),
            "update role": lambda: ada.patch(f"/api/roles/{self.role}", {"permissions": []}),
            "delete role": lambda: ada.delete(f"/api/roles/{self.role}"),
            "grant role": lambda: ada.post(f"{zoe}/roles", {"role_id": self.role}),
            "revoke role": lambda: ada.delete(f"{zoe}/roles/{self.role}"),
            "update user": lambda: ada.patch(zoe, {"username": "zoe2"}),
            "remove user": lambda: ada.delete(f"/api/users/{self.id}"),
            "invite": lambda: ada.post(
                "/api/invitations",
                {"email": fresh_email("kim"), "role_ids": [acts.role_ids(ada)["viewer"]]},
            ),
            "resend invitation": lambda: ada.post(f"/api/invitations/{self.id}/resend"),
            "revoke invitation": lambda: ada.delete(f"/api/invitations/{self.id}"),
            "create key": lambda: ada.post(
                "/api/api-keys", {"name": "ci", "permissions": ["project:read"]}
            ),
            "revoke key": lambda: ada.delete(f"/api/api-keys/{self.id}"),
            "offer ownership": lambda: ada.post(
                "/api/account/ownership-offers", {"user_id": str(self.zoe.user_id)}
            ),
        }

    def acts_upon_webhooks(self) -> dict[str, Callable[[], Any]]:
        """Where the log is sent."""
        return {
            "create webhook": lambda: self.ada.post("/api/webhooks", WEBHOOK),
            "update webhook": lambda: self.hook("patch", actions=["project.created"]),
            "disable webhook": lambda: self.hook("patch", status="disabled"),
            "enable webhook": lambda: self.hook("patch", status="enabled"),
            "test webhook": lambda: self.hook("post", "/test"),
            "rotate secret": lambda: self.hook("post", "/rotate-secret"),
            "delete webhook": lambda: self.hook("delete"),
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
            body = {"email": self.ada.email, "password": self.password}
            return self.browser().post("/api/login", body)
        finally:
            passwords.configure(given.peppers, given.password_cost)

"""Every address of the console, taken from the URL map, as everybody: a generated matrix without a difference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import flask
import pytest
from uuid_utils.compat import uuid7

from admin.guarded import Guarded
from saas.operator import OPERATOR_ROLES, ConsolePermission
from tests import acts, people
from tests.admin import desk
from tests.admin.addresses import lines
from tests.admin.desk import Desk
from tests.house import House
from tests.notes import note
from tests.people import Person, Team

OPEN = "/admin/sign-in"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Address:
    """One method of one rule of the URL map, and the permission that its view declares."""

    method: str
    rule: str
    permission: ConsolePermission | None
    ids: tuple[str, ...]

    def path(self, things: dict[str, Any]) -> str:
        found = self.rule
        for name in self.ids:
            found = re.sub(rf"<(?:uuid:)?{name}>", str(things[name]), found)
        return found


def addresses(app: flask.Flask) -> list[Address]:
    """Read the console's addresses from the map, and what each asks from its view."""
    views: dict[str, Guarded] = {view.endpoint: view for view in app.extensions["console"]._views}
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/admin") or rule.rule == OPEN:
            continue
        endpoint, _, name = rule.endpoint.partition(".")
        permission = views[endpoint].permission_of(name)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            ids = tuple(re.findall(r"<(?:uuid:)?(\w+)>", rule.rule))
            found.append(Address(method, rule.rule, permission, ids))
    return found


@dataclass
class World:
    """An account with everything in it, a foreign one, and everybody who may call."""

    house: House
    acme: Team
    gus: Person
    key: str
    operators: dict[str, Desk]
    things: dict[str, dict[str, Any]] = field(default_factory=dict)

    def strangers(self) -> Iterator[tuple[str, Any, dict[str, str]]]:
        yield "anonymous", self.house.app.test_client(), {}
        for role in ("owner", "admin", "member", "viewer"):
            yield role, self.acme.in_role(role).client, {}
        yield "owner of another account", self.gus.client, {}
        yield "API key", self.house.app.test_client(), {"Authorization": f"Bearer {self.key}"}
        yield "owner with a made-up cookie", self.with_cookie("x" * 43), {}
        operator = self.operators["administrator"].client.get_cookie(
            "tenantry_operator", path="/admin"
        )
        assert operator
        bearer = {"Authorization": f"Bearer {self.key}"}
        yield "API key beside an operator's cookie", self.with_cookie(operator.value), bearer

    def with_cookie(self, value: str) -> Any:
        client = self.house.app.test_client()
        client.set_cookie("tenantry_operator", value, path="/admin")
        return client


@pytest.fixture(scope="module")
def world(street) -> World:
    house = street.house("sqlite")
    acme, gus = people.team(house), people.register(house, "gus", account_name="globex")
    made = World(
        house, acme, gus, acts.make_key(house, acme.ada, "project:read").key,
        {role: desk.hire(house, role) for role in OPERATOR_ROLES},
    )  # fmt: skip
    made.things = {
        "own": things(acme.ada, made),
        "foreign": things(gus, made),
        "missing": nothing(),
    }
    return made


def things(owner: Person, world: World) -> dict[str, Any]:
    return {
        "account_id": owner.account_id,
        "identity_id": owner.identity_id,
        "invitation_id": acts.invite(owner, people.fresh_email("kim"), "viewer")["id"],
        "event_id": owner.events()[-1]["id"],
        "operator_id": desk.hire(world.house, "viewer", signed_in=False).id,
        "export_type": "csv",
    }


def nothing() -> dict[str, Any]:
    names = ("account_id", "identity_id", "invitation_id", "event_id", "operator_id")
    return {**{name: uuid7() for name in names}, "export_type": "pdf"}


def call(client: Any, address: Address, path: str, headers: dict[str, str], token: str) -> Any:
    """Call an address; a form goes without a reason, so that nothing is changed by who may send it."""
    data = {"csrf": token} if address.method == "POST" else None
    return client.open(path, method=address.method, headers=headers, data=data)


def test_the_map_is_the_table_written_down(lite: House) -> None:
    found = [
        (
            a.method,
            re.sub("<uuid:", "<", a.rule),
            a.permission.value if a.permission else "operator",
        )
        for a in addresses(lite.app)
    ]
    assert sorted([*found, ("GET", OPEN, "public"), ("POST", OPEN, "public")]) == sorted(lines())


def test_whoever_is_no_operator_meets_an_address_that_does_not_exist(world: World) -> None:
    """Any method, own and foreign and missing rows: status, words and headers of an unknown address."""
    cells, differences = 0, []
    for name, client, headers in world.strangers():
        unknown = told(client.get("/nowhere-at-all", headers=headers))
        for address in addresses(world.house.app):
            for which, rows in world.things.items():
                for method in METHODS:
                    path = address.path(rows)
                    answer = client.open(path, method=method, headers=headers, data={"reason": "x"})
                    ended = name == "owner with a made-up cookie" and method == "GET"
                    expected = SIGN_IN if ended else unknown
                    cells += 1
                    if told(answer) != expected:
                        differences.append((name, method, path, which, answer.status_code))
                    if ended:  # the made-up cookie was taken away
                        client.set_cookie("tenantry_operator", "x" * 43, path="/admin")
    note("console", f"{cells} cells of strangers in the console, {len(differences)} differences")
    assert differences == []
    assert cells > 5000


SIGN_IN = (303, "/admin/sign-in?ended=1", None, None)


def told(answer: Any) -> tuple[Any, ...]:
    body = re.sub(r'"request_id":"\w+"', "", answer.get_data(as_text=True))
    if answer.status_code == 303:
        return 303, answer.headers["Location"], None, None
    return answer.status_code, answer.headers.get("Location"), answer.headers.get("Allow"), body


def test_every_operator_role_may_what_its_permissions_say(world: World) -> None:
    cells, differences = 0, []
    for role, operator in world.operators.items():
        token = operator.token()
        for address in addresses(world.house.app):
            if address.rule == "/admin/sign-out/":
                continue
            for which, rows in world.things.items():
                answer = call(operator.client, address, address.path(rows), {}, token)
                cells += 1
                found, expected = outcome(answer.status_code), wanted(role, address, which)
                if found != expected:
                    differences.append((role, address.method, address.rule, which, found, expected))
    note("console", f"{cells} cells of operators in the console, {len(differences)} differences")
    assert differences == []
    assert cells > 400


def outcome(status: int) -> str:
    return {403: "denied", 404: "missing"}.get(status, "open" if status < 500 else "broken")


def wanted(role: str, address: Address, which: str) -> str:
    """What follows from the declaration: permission first, then whether there is such a row."""
    if address.permission is not None and address.permission not in OPERATOR_ROLES[role]:
        return "denied"
    if address.rule.endswith("/details/"):
        return "missing"  # without an id
    if address.rule.endswith("/notes/"):
        return "open"  # the form is judged before the row, and here it is empty: 422
    return "missing" if which == "missing" and address.ids else "open"


def test_a_form_without_its_token_is_refused_on_every_address_that_takes_one(world: World) -> None:
    olga, tried = world.operators["administrator"], 0
    for address in addresses(world.house.app):
        if address.method == "POST":
            for data in ({}, {"csrf": "x"}, {"csrf": world.operators["viewer"].token()}):
                path = address.path(world.things["own"])
                answer = olga.client.post(path, data={"reason": desk.REASON, **data})
                assert answer.status_code == 403, path
                tried += 1
    assert tried > 30
    assert world.acme.ada.get("/api/user").status_code == 200


def test_a_form_from_another_site_is_refused_before_anything(world: World) -> None:
    olga = world.operators["administrator"]
    token = olga.token()
    for header in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        path = f"/admin/accounts/{world.acme.account_id}/suspend/"
        data = {"csrf": token, "reason": desk.REASON}
        assert olga.client.post(path, data=data, headers=header).status_code == 403
    assert world.acme.ada.get("/api/user").status_code == 200


def test_every_id_in_an_address_is_a_uuid_or_nothing_is_there(world: World) -> None:
    olga = world.operators["administrator"]
    for address in addresses(world.house.app):
        for name in address.ids:
            for bad in ("1", "..%2f..", "%00", "null", UUID(int=0)):
                things = {**world.things["own"], name: bad}
                answer = call(olga.client, address, address.path(things), {}, olga.token())
                assert answer.status_code in (404, 405, 422), (address, bad)

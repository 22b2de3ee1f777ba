"""Permissions: the catalogue, the templates, and that every route and service asks."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

import pytest

from saas import errors
from saas.actor import Actor, system_actor
from saas.permissions import (
    SYSTEM_ROLES,
    Permission,
    require,
    require_not_above,
    require_staff,
)
from saas.routes import API, PAGES, ROUTES
from saas.routing import PUBLIC, Route
from saas.services import (
    account_services,
    api_key_services,
    audit_services,
    invitation_services,
    ownership_services,
    project_services,
    role_services,
    user_services,
    webhook_services,
)
from tenants import enter_account
from tests.house import House
from tests.people import Team
from tests.refusals import nothing_changes, refused

READ = {"account:read", "project:read", "role:read", "user:read"}
WORK = {"project:create", "project:delete", "project:update"}
ADMINISTER = {
    "account:update",
    "api_key:create",
    "api_key:read",
    "api_key:revoke",
    "audit:export",
    "audit:read",
    "role:create",
    "role:delete",
    "role:grant",
    "role:revoke",
    "role:update",
    "user:invite",
    "user:remove",
    "user:suspend",
    "user:update",
    "webhook:create",
    "webhook:delete",
    "webhook:read",
    "webhook:update",
}
# What each system role gives, written out: a change of the code shows as a difference here.
TEMPLATES = {
    "viewer": READ,
    "member": READ | WORK,
    "admin": READ | WORK | ADMINISTER,
    "owner": READ | WORK | ADMINISTER | {"account:close", "account:transfer"},
}
FINE = [route for route in API if isinstance(route.permission, Permission)]


def actor_with(*permissions: Permission, kind: Any = "user") -> Actor:
    return Actor(kind, uuid4(), "somebody", uuid4(), frozenset(permissions))


def test_templates_are_those_written_here() -> None:
    assert {name: {p.value for p in given} for name, given in SYSTEM_ROLES.items()} == TEMPLATES


def test_the_catalogue_is_in_alphabetical_order_and_says_noun_and_verb() -> None:
    values = [permission.value for permission in Permission]

    assert values == sorted(values)
    for permission in Permission:
        assert re.fullmatch(r"[a-z_]+:[a-z_]+", permission.value)
        assert permission.name == permission.value.replace(":", "_").upper()


def test_the_owner_holds_every_permission_and_each_role_what_the_next_lower_holds() -> None:
    assert SYSTEM_ROLES["owner"] == frozenset(Permission)
    assert SYSTEM_ROLES["viewer"] < SYSTEM_ROLES["member"] < SYSTEM_ROLES["admin"]


class TestQuestions:
    @pytest.mark.parametrize("permission", list(Permission))
    def test_require_lets_through_who_holds_it_and_names_it_to_others(
        self, permission: Permission
    ) -> None:
        require(actor_with(permission), permission)
        others = actor_with(*(each for each in Permission if each != permission))

        with pytest.raises(errors.PermissionDeniedError, match=permission.value):
            require(others, permission)

    def test_staff_is_the_system_and_operators_and_nobody_else(self) -> None:
        require_staff(system_actor(uuid4(), "job"))
        require_staff(actor_with(kind="operator"))
        for kind in ("user", "api_key"):
            with pytest.raises(errors.PermissionDeniedError):
                require_staff(actor_with(*Permission, kind=kind))

    def test_nobody_gives_more_than_they_hold(self) -> None:
        member = actor_with(*SYSTEM_ROLES["member"])

        require_not_above(member, SYSTEM_ROLES["member"])
        require_not_above(member, SYSTEM_ROLES["viewer"])
        require_not_above(member, frozenset())
        with pytest.raises(errors.PermissionDeniedError, match="account:update"):
            require_not_above(member, SYSTEM_ROLES["admin"])

    def test_an_actor_cannot_be_changed(self) -> None:
        actor = actor_with()

        with pytest.raises(AttributeError):
            actor.permissions = frozenset(Permission)  # type: ignore[misc]


def call(person: Any, route: Route) -> Any:
    path = re.sub(r"<\w+>", str(uuid4()), route.path)
    return person.client.open(path, method=route.method, json={} if route.body else None)


def test_every_role_is_let_through_or_refused_as_its_template_says(
    house: House, acme: Team
) -> None:
    """Route × role, on an id that nobody has: past the permission stands 404 or 422, before it 403."""
    for name, given in SYSTEM_ROLES.items():
        person = acme.in_role(name)
        with nothing_changes(house, acme.ada, person):
            for route in FINE:
                answer = call(person, route)
                if route.permission in given:
                    assert answer.status_code in (200, 404, 422), (name, route)
                else:
                    told = refused(answer, 40301)
                    assert str(route.permission) in told["display_error"]


def test_a_stranger_is_told_to_sign_in_by_every_route_that_is_not_public(lite: House) -> None:
    client = lite.app.test_client()

    with nothing_changes(lite):
        for route in ROUTES:
            path = re.sub(r"<\w+>", str(uuid4()), route.path)
            answer = client.open(path, method=route.method)
            if route.permission == PUBLIC:
                assert answer.status_code not in (401, 403), route
            elif route.kind == "page":
                assert answer.status_code == 303, route
                assert answer.location.startswith("/login?next=%2F")
            else:
                refused(answer, 40102)


def test_pages_ask_for_what_the_api_asks_for(lite: House, street: Any) -> None:
    """A form may do what the same act costs in the API, no less."""
    by_view = {route.view.__name__: route.permission for route in API}

    for page in PAGES:
        if page.view.__name__ in by_view:
            assert page.permission == by_view[page.view.__name__], page


ID = UUID("00000000-0000-7000-8000-00000000abcd")
SERVICES: list[tuple[Any, Permission, dict[str, Any]]] = [
    (account_services.read_account, Permission.ACCOUNT_READ, {}),
    (account_services.update_account, Permission.ACCOUNT_UPDATE, {"name": "x"}),
    (audit_services.list_events, Permission.AUDIT_READ, {}),
    (
        audit_services.export_events,
        Permission.AUDIT_EXPORT,
        {"form": "csv", "filters": audit_services.ALL},
    ),
    (audit_services.verify_events, Permission.AUDIT_READ, {}),
    (audit_services.read_event, Permission.AUDIT_READ, {"event_id": ID}),
    (project_services.list_projects, Permission.PROJECT_READ, {}),
    (project_services.read_project, Permission.PROJECT_READ, {"project_id": ID}),
    (project_services.create_project, Permission.PROJECT_CREATE, {"name": "x"}),
    (project_services.update_project, Permission.PROJECT_UPDATE, {"project_id": ID, "name": "x"}),
    (project_services.delete_project, Permission.PROJECT_DELETE, {"project_id": ID}),
    (role_services.list_roles, Permission.ROLE_READ, {}),
    (role_services.read_role, Permission.ROLE_READ, {"role_id": ID}),
    (role_services.list_permissions, Permission.ROLE_READ, {}),
    (role_services.create_role, Permission.ROLE_CREATE, {"name": "x", "permissions": []}),
    (role_services.update_role, Permission.ROLE_UPDATE, {"role_id": ID, "name": "x"}),
    (role_services.delete_role, Permission.ROLE_DELETE, {"role_id": ID}),
    (role_services.grant_role, Permission.ROLE_GRANT, {"user_id": ID, "role_id": ID}),
    (role_services.revoke_role, Permission.ROLE_REVOKE, {"user_id": ID, "role_id": ID}),
    (api_key_services.list_api_keys, Permission.API_KEY_READ, {}),
    (api_key_services.create_api_key, Permission.API_KEY_CREATE, {"name": "x", "permissions": []}),
    (api_key_services.revoke_api_key, Permission.API_KEY_REVOKE, {"key_id": ID}),
    (invitation_services.list_invitations, Permission.USER_READ, {}),
    (
        invitation_services.create_invitation,
        Permission.USER_INVITE,
        {"email": "x@example.com", "role_ids": [ID]},
    ),
    (invitation_services.resend_invitation, Permission.USER_INVITE, {"invitation_id": ID}),
    (invitation_services.revoke_invitation, Permission.USER_INVITE, {"invitation_id": ID}),
    (ownership_services.offer_ownership, Permission.ACCOUNT_TRANSFER, {"user_id": ID}),
    (ownership_services.close_account, Permission.ACCOUNT_CLOSE, {"password": "x"}),
    (user_services.list_users, Permission.USER_READ, {}),
    (user_services.read_user, Permission.USER_READ, {"user_id": ID}),
    (
        user_services.add_user,
        Permission.USER_INVITE,
        {"email": "x@example.com", "username": "x", "password": "a b c d e", "role_keys": []},
    ),
    (user_services.suspend_user, Permission.USER_SUSPEND, {"user_id": ID}),
    (user_services.restore_user, Permission.USER_SUSPEND, {"user_id": ID}),
    (webhook_services.list_webhooks, Permission.WEBHOOK_READ, {}),
    (webhook_services.read_webhook, Permission.WEBHOOK_READ, {"webhook_id": ID}),
    (webhook_services.list_deliveries, Permission.WEBHOOK_READ, {"webhook_id": ID}),
    (webhook_services.create_webhook, Permission.WEBHOOK_CREATE, {"url": "https://example.com"}),
    (webhook_services.create_webhook, Permission.AUDIT_READ, {"url": "https://example.com"}),
    (webhook_services.update_webhook, Permission.WEBHOOK_UPDATE, {"webhook_id": ID, "changes": {}}),
    (
        webhook_services.update_webhook,
        Permission.AUDIT_READ,
        {"webhook_id": ID, "changes": {"url": "https://example.com"}},
    ),
    (
        webhook_services.disable_failing,
        Permission.WEBHOOK_UPDATE,
        {"webhook_id": ID, "reason": "x"},
    ),
    (webhook_services.test_webhook, Permission.WEBHOOK_UPDATE, {"webhook_id": ID}),
    (webhook_services.rotate_secret, Permission.WEBHOOK_UPDATE, {"webhook_id": ID}),
    (webhook_services.delete_webhook, Permission.WEBHOOK_DELETE, {"webhook_id": ID}),
    (user_services.update_user, Permission.USER_UPDATE, {"user_id": ID, "username": "x"}),
    (user_services.remove_user, Permission.USER_REMOVE, {"user_id": ID}),
    (user_services.explain_user, Permission.USER_READ, {"user_id": ID}),
]


@pytest.mark.parametrize(
    ("service", "permission", "arguments"),
    SERVICES,
    ids=lambda each: getattr(each, "__name__", "-"),
)
def test_the_service_is_the_law_and_asks_by_itself(
    lite: House, solo: Any, service: Any, permission: Permission, arguments: dict[str, Any]
) -> None:
    """Without any wrapper around it, and holding everything but the one permission it asks for."""
    actor = solo.actor()
    object.__setattr__(actor, "permissions", frozenset(Permission) - {permission})

    with (
        lite.in_use(),
        enter_account(solo.account_id),
        nothing_changes(lite, solo),
        pytest.raises(errors.PermissionDeniedError, match=permission.value),
    ):
        service(actor, **arguments)


def test_every_permission_is_asked_by_a_service_here() -> None:
    assert {permission for _, permission, _ in SERVICES} == set(Permission)

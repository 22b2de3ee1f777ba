"""The whole URL list, written out: what is added or taken away shows as a difference here."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import flask
import pytest

from saas.permissions import Permission
from saas.routes import API, DEV_PAGES, PAGES, ROUTES
from saas.routing import PUBLIC, SIGNED_IN, Route, RouteTableError, add_routes
from saas.views import project_views
from tests.admin import addresses as console_addresses
from tests.house import House
from tests.people import register
from tests.refusals import nothing_changes, refused
from tests.variants import PRODUCTION, variant

TABLE = """
POST   /api/register                                     public
POST   /api/login                                        public
POST   /api/logout                                       public
GET    /api/user                                         signed in
POST   /api/email                                        signed in
POST   /api/password                                     signed in
GET    /api/session                                      signed in
POST   /api/session/account                              signed in
GET    /api/sessions                                     signed in
DELETE /api/sessions/<session_id>                        signed in
POST   /api/email/verification                           signed in
POST   /api/email/verify                                 public
POST   /api/password/forgot                              public
POST   /api/password/reset                               public
POST   /api/accounts                                     signed in
GET    /api/account                                      account:read
PATCH  /api/account                                      account:update
POST   /api/account/close                                account:close
POST   /api/account/leave                                signed in
POST   /api/account/ownership-offers                     account:transfer
POST   /api/account/ownership-offers/<offer_id>/accept   signed in
GET    /api/users                                        user:read
GET    /api/users/<user_id>                              user:read
PATCH  /api/users/<user_id>                              user:update
DELETE /api/users/<user_id>                              user:remove
POST   /api/users/<user_id>/suspend                      user:suspend
POST   /api/users/<user_id>/restore                      user:suspend
GET    /api/users/<user_id>/permissions                  user:read
POST   /api/users/<user_id>/roles                        role:grant
DELETE /api/users/<user_id>/roles/<role_id>              role:revoke
GET    /api/permissions                                  role:read
GET    /api/roles                                        role:read
POST   /api/roles                                        role:create
GET    /api/roles/<role_id>                              role:read
PATCH  /api/roles/<role_id>                              role:update
DELETE /api/roles/<role_id>                              role:delete
GET    /api/invitations                                  user:read
POST   /api/invitations                                  user:invite
DELETE /api/invitations/<invitation_id>                  user:invite
POST   /api/invitations/<invitation_id>/resend           user:invite
POST   /api/invitations/accept                           public
GET    /api/api-keys                                     api_key:read
POST   /api/api-keys                                     api_key:create
DELETE /api/api-keys/<key_id>                            api_key:revoke
GET    /api/audit-events                                 audit:read
GET    /api/audit-events/export                          audit:export
GET    /api/audit-events/verify                          audit:read
GET    /api/audit-events/<event_id>                      audit:read
GET    /api/webhooks                                     webhook:read
POST   /api/webhooks                                     webhook:create
GET    /api/webhooks/<webhook_id>                        webhook:read
PATCH  /api/webhooks/<webhook_id>                        webhook:update
DELETE /api/webhooks/<webhook_id>                        webhook:delete
POST   /api/webhooks/<webhook_id>/test                   webhook:update
POST   /api/webhooks/<webhook_id>/rotate-secret          webhook:update
GET    /api/webhooks/<webhook_id>/deliveries             webhook:read
GET    /api/projects                                     project:read
POST   /api/projects                                     project:create
GET    /api/projects/<project_id>                        project:read
PATCH  /api/projects/<project_id>                        project:update
DELETE /api/projects/<project_id>                        project:delete
GET    /healthz                                          public
GET    /readyz                                           public
GET    /metrics                                          public
GET    /openapi.json                                     public
GET    /                                                 public
GET    /register                                         public
POST   /register                                         public
GET    /login                                            public
POST   /login                                            public
GET    /logout                                           public
POST   /logout                                           public
GET    /invitations/accept                               public
POST   /invitations/accept                               public
GET    /password/forgot                                  public
POST   /password/forgot                                  public
GET    /password/reset                                   public
POST   /password/reset                                   public
GET    /email/verify                                     public
POST   /email/verify                                     public
POST   /email/verification                               signed in
GET    /settings                                         signed in
POST   /settings/email                                   signed in
POST   /settings/password                                signed in
POST   /settings/account                                 signed in
POST   /settings/accounts                                signed in
POST   /settings/sessions/<session_id>/end               signed in
POST   /settings/leave                                   signed in
POST   /settings/offers                                  account:transfer
POST   /settings/offers/<offer_id>/accept                signed in
POST   /settings/close                                   account:close
GET    /members                                          user:read
GET    /members/<user_id>                                user:read
POST   /members/<user_id>                                user:update
POST   /members/<user_id>/roles                          role:grant
POST   /members/<user_id>/roles/<role_id>/revoke         role:revoke
POST   /members/<user_id>/suspend                        user:suspend
POST   /members/<user_id>/restore                        user:suspend
POST   /members/<user_id>/remove                         user:remove
GET    /invitations                                      user:read
POST   /invitations                                      user:invite
POST   /invitations/<invitation_id>/resend               user:invite
POST   /invitations/<invitation_id>/revoke               user:invite
GET    /roles                                            role:read
POST   /roles                                            role:create
GET    /roles/<role_id>                                  role:read
GET    /roles/<role_id>/preview                          role:update
POST   /roles/<role_id>                                  role:update
POST   /roles/<role_id>/delete                           role:delete
GET    /api-keys                                         api_key:read
POST   /api-keys                                         api_key:create
POST   /api-keys/<key_id>/revoke                         api_key:revoke
GET    /projects                                         project:read
POST   /projects                                         project:create
GET    /projects/<project_id>                            project:read
POST   /projects/<project_id>                            project:update
POST   /projects/<project_id>/delete                     project:delete
GET    /audit                                            audit:read
GET    /webhooks                                         webhook:read
POST   /webhooks                                         webhook:create
GET    /webhooks/<webhook_id>                            webhook:read
POST   /webhooks/<webhook_id>                            webhook:update
POST   /webhooks/<webhook_id>/test                       webhook:update
POST   /webhooks/<webhook_id>/enable                     webhook:update
POST   /webhooks/<webhook_id>/disable                    webhook:update
POST   /webhooks/<webhook_id>/rotate-secret              webhook:update
POST   /webhooks/<webhook_id>/delete                     webhook:delete
GET    /api/docs                                         public
"""
# Only where mails are written to a directory, and never in production.
DEV_TABLE = """
GET    /dev/mail                                         public
GET    /dev/mail/<mail_id>                               public
"""
CONSOLE_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ELSEWHERE = {  # not in the route table: files, and the console, whose table stands beside its tests
    ("GET", "/static/<path:filename>"),
    ("GET", "/static/console/<path:filename>"),
    *((method, path) for method, path, _ in console_addresses.lines()),
}


def lines(table: str = TABLE) -> list[tuple[str, str, str]]:
    return [tuple(re.split(r"\s{2,}|(?<=[A-Z]) ", line)) for line in table.strip().splitlines()]  # type: ignore[misc]


def addresses(*tables: str) -> set[tuple[str, str]]:
    return {(method, path) for table in tables for method, path, _ in lines(table)}


def served(app: flask.Flask) -> set[tuple[str, str]]:
    return {
        (method, re.sub(r"<uuid:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@pytest.mark.parametrize(("routes", "table"), [(ROUTES, TABLE), (DEV_PAGES, DEV_TABLE)])
def test_the_route_table_is_the_one_written_here(routes: tuple[Route, ...], table: str) -> None:
    assert [(r.method, r.path, str(r.permission)) for r in routes] == lines(table)


def test_the_app_answers_at_these_addresses_and_no_others(lite: House) -> None:
    assert served(lite.app) == addresses(TABLE, DEV_TABLE) | ELSEWHERE


@pytest.mark.parametrize(
    "settings",
    [
        {"mail_url": "smtp://127.0.0.1:9"},
        PRODUCTION | {"mail_url": "smtp://127.0.0.1:9"},
        PRODUCTION | {"mail_url": None},
    ],
    ids=["mail-server", "production", "production-without-a-mail-server"],
)
def test_mails_are_read_nowhere_but_where_they_are_files_and_never_in_production(
    lite: House, settings: dict[str, Any]
) -> None:
    with variant(lite, **settings) as other:
        assert served(other.app) == addresses(TABLE) | ELSEWHERE


def test_every_line_stands_once_and_every_api_address_says_so() -> None:
    found = [(route.method, route.path) for route in ROUTES + DEV_PAGES]

    assert len(found) == len(set(found))
    assert all(route.kind == "api" for route in API)
    assert all(route.kind == "page" for route in PAGES + DEV_PAGES)


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/users", "/admin/../admin/x"])
def test_the_console_answers_404_to_everybody(lite: House, path: str) -> None:
    nobody = lite.app.test_client()

    unknown = refused(nobody.get("/nowhere"), 40401)
    for client in (nobody, register(lite).client):
        for method in CONSOLE_METHODS:
            assert refused(client.open(path, method=method), 40401) == unknown


def test_only_the_link_to_sign_out_changes_something_by_a_get() -> None:
    assert [route.path for route in ROUTES if route.writes] == ["/logout"]
    assert {route.method for route in ROUTES} == {"GET", "POST", "PATCH", "DELETE"}


def test_no_other_get_changes_anything(lite: House) -> None:
    ada = register(lite)

    with nothing_changes(lite, ada):
        for route in ROUTES + DEV_PAGES:
            if route.method == "GET" and not route.writes:
                assert ada.get(re.sub(r"<\w+>", str(uuid4()), route.path)).status_code < 500


def view_with_more(actor: Any, project_id: Any, more: Any) -> None:
    """A view that wants what its line does not give."""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (Route("GET", "/x", project_views.read_project, Permission.PROJECT_READ), "the view takes"),
        (Route("GET", "/x/<x_id>", project_views.list_projects, PUBLIC), "the view takes"),
        (Route("GET", "/x/<project_id>", view_with_more, SIGNED_IN), "the view takes"),
        (
            Route("GET", "/x/<project_id>", project_views.read_project, "everybody"),  # type: ignore[arg-type]
            "declare a Permission",
        ),
        (
            Route("GET", "/x/<project_id>", project_views.read_project, None),  # type: ignore[arg-type]
            "declare a Permission",
        ),
        (
            Route("GET", "/x", project_views.create_project, PUBLIC, body=Any),  # type: ignore[arg-type]
            "safe method",
        ),
    ],
)
def test_a_line_that_is_not_complete_stops_the_start(line: Route, why: str) -> None:
    with pytest.raises(RouteTableError, match=why):
        add_routes(flask.Flask("x"), [line])

"""API keys: list, make one (shown once), end one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import flask
from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.columns import utc_now
from saas.pages import permission_pages, shared_pages
from saas.pages.form_schemas import ApiKeyFormIn
from saas.permissions import Permission
from saas.schemas.list_schemas import ListIn
from saas.services import api_key_services
from saas.views import api_key_views

LASTS = {
    "7": "7 days",
    "30": "30 days",
    "90": "90 days",
    "365": "A year",
    "never": "Until somebody ends it",
}


def list_api_keys(actor: Actor) -> str:
    """One page of the account's keys, newest first, with the form for a new one."""
    return _draw(actor, routing.read_query(ListIn), shared_pages.FormState({"lasts": "90"}))


def create_api_key(actor: Actor) -> Response:
    """Make a key and show it in this answer: it is kept nowhere, so no redirect could show it."""
    try:
        body = routing.read_form(ApiKeyFormIn)
        made = api_key_services.create_api_key(
            actor,
            name=body.name,
            permissions=[permission.value for permission in body.permissions],
            expires_at=None
            if body.lasts == "never"
            else utc_now() + timedelta(days=int(body.lasts)),
        )
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name", "lasts", ticked="permissions")
        return shared_pages.refuse(error, _draw(actor, ListIn(), form))
    html = shared_pages.draw(
        "api_key_made.html", actor, made=made, sample_path=_sample_path(made.model.permissions)
    )
    return flask.make_response(html, 201)


def revoke_api_key(actor: Actor, key_id: UUID) -> Response:
    """End a key at once."""
    api_key_services.revoke_api_key(actor, key_id=key_id)
    return shared_pages.go_to("/api-keys", "Key ended. It opens nothing any more.")


def _sample_path(permissions: list[str]) -> str:
    """A call that the new key may make, to try it with; "" when it can read no list."""
    for route in flask.current_app.extensions["routes"]:
        readable = route.kind == "api" and route.method == "GET" and "<" not in route.path
        if readable and route.permission in permissions:
            return str(route.path)
    return ""


def _draw(actor: Actor, query: ListIn, form: shared_pages.FormState) -> str:
    page = api_key_views.list_api_keys(actor, query)
    return shared_pages.draw(
        "api_keys.html",
        actor,
        form=form,
        keys=page.items,
        now=utc_now(),
        cursor=query.cursor,
        next_cursor=page.next_cursor,
        lasts=LASTS,
        groups=permission_pages.grouped(actor.permissions),
        descriptions={permission.value: permission.description for permission in Permission},
    )

"""The first page: what this is for a visitor, the account home for somebody signed in."""

from __future__ import annotations

from typing import Any

from saas.actor import Actor
from saas.pages import notice_pages, shared_pages
from saas.permissions import Permission
from saas.services import project_services, role_services

NEWEST_PROJECTS = 5


def index(actor: Actor | None) -> str:
    """`/`: the welcome page, or the account home: name, roles, ways on, newest projects."""
    if not actor:
        return shared_pages.draw("welcome.html", None)
    roles = role_services.role_names(actor)
    projects: list[Any] = []
    if actor.can(Permission.PROJECT_READ):
        projects = project_services.list_projects(actor, limit=NEWEST_PROJECTS).items
    return shared_pages.draw(
        "home.html",
        actor,
        roles=roles,
        projects=projects,
        notices=notice_pages.notices_for(actor),
    )

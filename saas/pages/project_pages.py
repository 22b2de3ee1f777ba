"""Projects: list, create, read, edit, delete. The pages to copy for a noun of your own."""

from __future__ import annotations

from uuid import UUID

from werkzeug.wrappers import Response

from saas import routing
from saas.actor import Actor
from saas.pages import shared_pages
from saas.schemas.list_schemas import ListIn
from saas.schemas.project_schemas import CreateProjectIn, UpdateProjectIn
from saas.services import project_services


def list_projects(actor: Actor) -> str:
    """One page of the account's projects, newest first, with the form for a new one."""
    return _draw_list(actor, routing.read_query(ListIn), shared_pages.FormState())


def create_project(actor: Actor) -> Response:
    """Create a project and show it in the list; 409 for a name in use, 422 if invalid."""
    try:
        body = routing.read_form(CreateProjectIn)
        project = project_services.create_project(
            actor, name=body.name, description=body.description
        )
    except shared_pages.MENDABLE as error:
        form = shared_pages.typed_again(error, "name", "description")
        return shared_pages.refuse(error, _draw_list(actor, ListIn(), form))
    return shared_pages.go_to("/projects", f"Project “{project.name}” created.")


def read_project(actor: Actor, project_id: UUID) -> str:
    """One project, as a form for those who may change it and as text for the others."""
    project = project_services.read_project(actor, project_id=project_id)
    form = shared_pages.FormState({"name": project.name, "description": project.description})
    return shared_pages.draw("project.html", actor, project=project, form=form)


def update_project(actor: Actor, project_id: UUID) -> Response:
    """Save name and description; the refused form keeps what was typed."""
    try:
        body = routing.read_form(UpdateProjectIn)
        project = project_services.update_project(
            actor, project_id=project_id, name=body.name, description=body.description
        )
    except shared_pages.MENDABLE as error:
        project = project_services.read_project(actor, project_id=project_id)
        form = shared_pages.typed_again(error, "name", "description")
        html = shared_pages.draw("project.html", actor, project=project, form=form)
        return shared_pages.refuse(error, html)
    return shared_pages.go_to(f"/projects/{project.id}", "Changes saved.")


def delete_project(actor: Actor, project_id: UUID) -> Response:
    """Delete a project for good and go back to the list."""
    project_services.delete_project(actor, project_id=project_id)
    return shared_pages.go_to("/projects", "Project deleted.")


def _draw_list(actor: Actor, query: ListIn, form: shared_pages.FormState) -> str:
    page = project_services.list_projects(actor, limit=query.limit, cursor=query.cursor)
    return shared_pages.draw(
        "projects.html",
        actor,
        form=form,
        projects=page.items,
        cursor=query.cursor,
        next_cursor=page.next_cursor,
    )

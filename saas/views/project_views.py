"""Projects over HTTP: read, ask one service, answer."""

from __future__ import annotations

from uuid import UUID

from saas.actor import Actor
from saas.paging import Page
from saas.schemas.list_schemas import ListIn
from saas.schemas.project_schemas import CreateProjectIn, ProjectOut, UpdateProjectIn
from saas.services import project_services
from saas.views.session_views import SUCCESS


def list_projects(actor: Actor, query: ListIn) -> Page:
    """GET /api/projects: newest first."""
    page = project_services.list_projects(actor, limit=query.limit, cursor=query.cursor)
    return Page([dict(row._mapping) for row in page.items], page.next_cursor)


def create_project(actor: Actor, body: CreateProjectIn) -> ProjectOut:
    """POST /api/projects."""
    return ProjectOut.model_validate(
        project_services.create_project(actor, name=body.name, description=body.description)
    )


def read_project(actor: Actor, project_id: UUID) -> ProjectOut:
    """GET /api/projects/<project_id>."""
    return ProjectOut.model_validate(project_services.read_project(actor, project_id=project_id))


def update_project(actor: Actor, project_id: UUID, body: UpdateProjectIn) -> ProjectOut:
    """PATCH /api/projects/<project_id>: what is left out stays as it is."""
    return ProjectOut.model_validate(
        project_services.update_project(
            actor, project_id=project_id, name=body.name, description=body.description
        )
    )


def delete_project(actor: Actor, project_id: UUID) -> dict[str, str]:
    """DELETE /api/projects/<project_id>: for good."""
    project_services.delete_project(actor, project_id=project_id)
    return SUCCESS

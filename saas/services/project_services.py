"""Projects, the example resource: what adopters copy for a resource of their own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from saas import database, errors
from saas.actor import Actor
from saas.audit.events import AuditEvent
from saas.audit.record import changed, record
from saas.models import Project
from saas.paging import Keyset, Page
from saas.permissions import Permission, require
from saas.unit import Unit

_projects = Project.__table__.c
_LIST = Keyset(
    "projects",
    select(
        _projects.id,
        _projects.name,
        _projects.description,
        _projects.created_at,
        _projects.updated_at,
    ),
    owner=_projects.account_id,
    key=_projects.id,
)


def list_projects(actor: Actor, *, limit: int = 20, cursor: str | None = None) -> Page:
    """Return one page of the account's projects as rows, newest first."""
    require(actor, Permission.PROJECT_READ)
    with database.reading() as unit:
        return _LIST.page(unit, actor.account_id, limit=limit, cursor=cursor)


def create_project(actor: Actor, *, name: str, description: str = "") -> Project:
    """Create a project; raises NameAlreadyExistsError when the account has one of that name."""
    require(actor, Permission.PROJECT_CREATE)
    with database.unit_of_work() as unit:
        project_model = Project(name=name, description=description)
        unit.session.add(project_model)
        _flush(unit)
        record(AuditEvent.PROJECT_CREATED, actor=actor, target=project_model)
    return project_model


def read_project(actor: Actor, *, project_id: UUID) -> Project:
    """Return one project; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.PROJECT_READ)
    with database.reading() as unit:
        return _find(unit, project_id)


def update_project(
    actor: Actor, *, project_id: UUID, name: str | None = None, description: str | None = None
) -> Project:
    """Change name or description (None: leave it); raises NotFoundError, NameAlreadyExistsError."""
    require(actor, Permission.PROJECT_UPDATE)
    with database.unit_of_work() as unit:
        project_model = _find(unit, project_id, for_change=True)
        project_model.name = project_model.name if name is None else name
        project_model.description = (
            project_model.description if description is None else description
        )
        changes = changed(project_model, "name", "description")
        if changes:
            _flush(unit)
            record(AuditEvent.PROJECT_UPDATED, actor=actor, target=project_model, changes=changes)
    return project_model


def delete_project(actor: Actor, *, project_id: UUID) -> None:
    """Delete a project for good; raises NotFoundError for an id that this account does not have."""
    require(actor, Permission.PROJECT_DELETE)
    with database.unit_of_work() as unit:
        project_model = _find(unit, project_id, for_change=True)
        unit.session.delete(project_model)
        unit.flush()
        record(AuditEvent.PROJECT_DELETED, actor=actor, target=project_model)


def _find(unit: Unit, project_id: UUID, *, for_change: bool = False) -> Project:
    # The session adds the account's criterion: a foreign id is not found, like one that never was.
    statement = select(Project).where(Project.id == project_id)
    # Locked, so that of two who change it at once the second sees what the first left: perhaps nothing.
    project_model = unit.session.scalar(
        statement.with_for_update(key_share=True) if for_change else statement
    )
    if project_model is None:
        raise errors.NotFoundError
    return project_model


def _flush(unit: Unit) -> None:
    try:
        unit.flush()
    except IntegrityError as error:
        if database.conflicts_with(error, Project.__table__, "account_id", "name"):
            raise errors.NameAlreadyExistsError from error
        raise

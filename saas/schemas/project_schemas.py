"""Projects, in and out; and the query of every list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from saas.schemas.fields import In, Out, PlainText
from saas.schemas.list_schemas import ListIn

__all__ = ["CreateProjectIn", "ListIn", "ProjectOut", "UpdateProjectIn"]

ProjectName = Annotated[str, PlainText(120)]
Description = Annotated[str, PlainText(2000, min=0, lines=True)]


class CreateProjectIn(In):
    """A new project."""

    name: ProjectName
    description: Description = ""


class UpdateProjectIn(In):
    """What of a project can be changed; what is left out stays."""

    name: ProjectName | None = None
    description: Description | None = None


class ProjectOut(Out):
    """A project."""

    id: UUID
    name: str
    description: str
    created_at: datetime
    updated_at: datetime

"""The query that every list takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from saas.schemas.fields import In, TextRule

Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, TextRule(64)]


class ListIn(In):
    """How many, and where to go on."""

    limit: Limit = 20
    cursor: Cursor | None = None

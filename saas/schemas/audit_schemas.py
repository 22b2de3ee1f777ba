"""Audit events: the filters of the list, and the envelope (version 1) as it goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from saas.schemas.fields import BigCount, Out, TextRule
from saas.schemas.list_schemas import ListIn


class ListEventsIn(ListIn):
    after_seq: BigCount | None = None
    action: Annotated[str, TextRule(64)] | None = None
    actor_id: UUID | None = None
    target_id: UUID | None = None
    outcome: Literal["success", "denied", "failure"] | None = None
    since: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = Field(None, alias="to")


class AuditEventOut(Out):
    v: int
    id: UUID
    account_id: UUID
    seq: int
    time: datetime
    action: str
    crud: str
    outcome: str
    reason: str | None
    severity: str
    actor_type: str
    actor_id: str | None
    actor_label: str
    on_behalf_of_id: str | None
    on_behalf_of_label: str | None
    target_type: str | None
    target_id: str | None
    target_label: str | None
    targets: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    data: dict[str, Any]
    request_id: str | None
    ip: str | None
    user_agent: str | None
    channel: str
    route: str | None
    digest: str
    prev: str
    hash: str

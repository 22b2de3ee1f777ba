"""Audit events: the filters of the list, and the envelope (version 1) as it goes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from saas.schemas.fields import BigCount, Out, TextRule
from saas.schemas.list_schemas import ListIn

# Years that every database can compare with, whatever zone they are given in.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]


class ListEventsIn(ListIn):
    """Filters of the audit log; ``after_seq`` reads upwards and misses nothing."""

    after_seq: BigCount | None = None
    action: Annotated[str, TextRule(64)] | None = None
    actor_id: UUID | None = None
    target_id: UUID | None = None
    outcome: Literal["success", "denied", "failure"] | None = None
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")


class AuditEventOut(Out):
    """An audit event: the envelope, version 1, with its link in the chain."""

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

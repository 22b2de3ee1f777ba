"""Audit events: the filters of the list, and the envelope (version 1) as it goes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from saas.audit.events import AuditEvent
from saas.schemas.fields import BigCount, In, Out, TextRule, refuse
from saas.schemas.list_schemas import ListIn

ACTIONS = tuple(sorted(event.value for event in AuditEvent))


def _of_the_catalogue(action: str) -> str:
    if action not in ACTIONS:
        raise refuse("Is not an action of the catalogue, such as role.granted.")
    return action


Action = Annotated[
    str,
    TextRule(64),
    AfterValidator(_of_the_catalogue),
    Field(json_schema_extra={"enum": list(ACTIONS)}),
]
Outcome = Literal["success", "denied", "failure"]

# Years that every database can compare with, whatever zone they are given in.
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 1, 1, tzinfo=UTC)),
]


class EventFiltersIn(In):
    """Filters of the audit log."""

    action: Action | None = None
    actor_id: UUID | None = None
    target_id: UUID | None = None
    outcome: Outcome | None = None
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")

    @field_validator("until")
    @classmethod
    def _in_order(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until <= since:
            raise refuse("Must be later than from.")
        return until


class ListEventsIn(EventFiltersIn, ListIn):
    """Filters and paging of the audit log; ``after_seq`` reads upwards and misses nothing."""

    after_seq: BigCount | None = None

    @field_validator("after_seq")
    @classmethod
    def _one_direction(cls, after_seq: int | None, info: ValidationInfo) -> int | None:
        if after_seq is not None and info.data.get("cursor") is not None:
            raise refuse("Reads upwards, a cursor downwards. Send one of them.")
        return after_seq


class ExportEventsIn(EventFiltersIn):
    """The form of an export: only ndjson can be verified; csv is for spreadsheets, ecs for SIEMs."""

    format: Literal["ndjson", "csv", "ecs"] = "ndjson"


class VerifyEventsIn(In):
    """Where to begin: behind an event whose number is known to be verified."""

    after_seq: BigCount = 0


class VerificationOut(Out):
    """What verifying found. ``bad_seq``: the first event that does not hold; ``last_seq``: the last one that does."""

    chain: str
    verdict: Literal["good", "tampered", "incomplete"]
    events: int
    first_seq: int | None
    last_seq: int | None
    pruned: int
    bad_seq: int | None
    finding: str | None


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

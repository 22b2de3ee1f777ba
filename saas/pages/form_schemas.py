"""What the forms of the pages hold where it differs from the API's bodies: ticked boxes, choices, blank fields."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from saas.schemas.account_schemas import AccountName
from saas.schemas.audit_schemas import Action, Outcome
from saas.schemas.fields import (
    BLANK_IS_NONE,
    EmailAddress,
    In,
    PasswordTry,
    PlainText,
    TextRule,
    refuse,
)
from saas.schemas.list_schemas import ListIn
from saas.schemas.role_schemas import Permissions, RoleName
from saas.schemas.webhook_schemas import Actions, Description, Url

# A browser sends nothing for boxes that are not ticked, so nothing must read as none.
_TICKED = Field(validate_default=True)
InvitationState = Literal["open", "accepted", "revoked", "expired", "all"]


def _some_permission(chosen: list[Any]) -> list[Any]:
    if not chosen:
        raise refuse("Choose at least one permission.")
    return chosen


def _some_role(chosen: list[Any]) -> list[Any]:
    if not chosen:
        raise refuse("Choose at least one role.")
    return chosen


# Days that every database can compare with, the one after the last too.
Day = Annotated[date, Field(ge=date(1970, 1, 1), lt=date(9998, 1, 1))]
TickedPermissions = Annotated[Permissions, AfterValidator(_some_permission), _TICKED]
TickedRoles = Annotated[list[UUID], Field(max_length=20), AfterValidator(_some_role), _TICKED]


class RoleFormIn(In):
    """A role as its form holds it: name and boxes, always both."""

    name: RoleName
    permissions: TickedPermissions = Field(default_factory=list)


class InviteFormIn(In):
    """Whom to invite, and the ticked roles."""

    email: EmailAddress
    role_ids: TickedRoles = Field(default_factory=list)


class ListInvitationsFormIn(ListIn):
    """Which invitations to list; at first those that wait for an answer."""

    state: InvitationState = "open"
    invite: bool = False  # with the form open, for links that lead to it


class AuditFormIn(ListIn):
    """What of the audit log is shown; days are those of UTC, both ends included. ``check``: verify the chain too."""

    action: Annotated[Action | None, BLANK_IS_NONE] = None
    outcome: Annotated[Outcome | None, BLANK_IS_NONE] = None
    actor_id: Annotated[UUID | None, BLANK_IS_NONE] = None
    target_id: Annotated[UUID | None, BLANK_IS_NONE] = None
    since: Annotated[Day | None, BLANK_IS_NONE] = Field(None, alias="from")
    until: Annotated[Day | None, BLANK_IS_NONE] = Field(None, alias="to")
    check: bool = False

    @field_validator("until")
    @classmethod
    def _in_order(cls, until: date | None, info: ValidationInfo) -> date | None:
        since = info.data.get("since")
        if until is not None and since is not None and until < since:
            raise refuse("Must not be before the first day.")
        return until


class ApiKeyFormIn(In):
    """A new key: its name, the ticked permissions, and for how many days."""

    name: Annotated[str, PlainText(80)]
    permissions: TickedPermissions = Field(default_factory=list)
    lasts: Literal["7", "30", "90", "365", "never"] = "90"


class WebhookFormIn(In):
    """A webhook as its form holds it; no event ticked: all of them."""

    url: Url
    description: Description = ""
    actions: Actions | None = None


class ReasonFormIn(In):
    """Why; a blank field is no reason given."""

    reason: Annotated[Annotated[str, PlainText(500)] | None, BLANK_IS_NONE] = None


class OfferFormIn(In):
    """Whom to offer the account to, by their name in it, and the own password."""

    username: Annotated[str, TextRule(254)]
    password: PasswordTry


class CloseFormIn(In):
    """The account's name, typed to show that it is this one, and the own password."""

    account_name: AccountName
    password: PasswordTry

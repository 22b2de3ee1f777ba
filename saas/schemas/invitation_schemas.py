"""Invitations and offers, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from saas.schemas.fields import (
    BLANK_IS_NONE,
    EmailAddress,
    In,
    Out,
    Password,
    PasswordTry,
    Token,
    Username,
)


class CreateInvitationIn(In):
    """Whom to invite, and the roles they get."""

    email: EmailAddress
    role_ids: Annotated[list[UUID], Field(min_length=1, max_length=20)]


class AcceptInvitationIn(In):
    """The token of the link; a new person chooses a username and a password, a known one need not."""

    token: Token
    username: Annotated[Username | None, BLANK_IS_NONE] = None
    password: Annotated[Password | None, BLANK_IS_NONE] = None


class InvitationOut(Out):
    """An invitation; ``state`` is open, accepted, revoked or expired."""

    id: UUID
    email: str
    state: str
    roles: list[str]
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


class OfferOwnershipIn(In):
    """Whom to offer the account to."""

    user_id: UUID


class OfferOut(Out):
    """An offer of the account."""

    id: UUID
    to_user_id: UUID
    expires_at: datetime


class CloseAccountIn(In):
    """The password, once more."""

    password: PasswordTry

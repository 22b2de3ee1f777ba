"""Registering, signing in, the person's own address and password, accounts and their switch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from saas.schemas.fields import (
    BLANK_IS_NONE,
    EmailAddress,
    In,
    Out,
    Password,
    PasswordTry,
    PlainText,
    Token,
    Username,
)

AccountName = Annotated[str, PlainText(80)]


class RegisterIn(In):
    """A new person, and the name of their account (by default their username)."""

    username: Username
    email: EmailAddress
    password: Password
    account_name: Annotated[AccountName | None, BLANK_IS_NONE] = None


class LoginIn(In):
    """Address and password; ``remember`` asks for a longer session."""

    email: EmailAddress
    password: PasswordTry
    remember: bool = False


class ChangeEmailIn(In):
    """The new address, confirmed with the present password."""

    email: EmailAddress
    password: PasswordTry


class ChangePasswordIn(In):
    """The present password and the new one."""

    current_password: PasswordTry
    new_password: Password


class CreateAccountIn(In):
    """Another account for the same person."""

    name: AccountName


class UpdateAccountIn(In):
    """What of an account can be changed."""

    name: AccountName


class SwitchAccountIn(In):
    """The account to enter."""

    account_id: UUID


class SwitchAccountFormIn(In):
    """The form of a page: its ``account_id`` tells where it was drawn, so the target has another name."""

    to_account_id: UUID


class AccountOut(Out):
    """An account."""

    id: UUID
    name: str
    status: str
    created_at: datetime


class OwnUserOut(Out):
    """The person who asks, in the account entered."""

    username: str
    email: str
    id: UUID
    account_id: UUID
    account_name: str


class SeatUserOut(Out):
    """The seat of a session."""

    id: UUID
    username: str
    email: str


class SeatAccountOut(Out):
    """The account of a session."""

    id: UUID
    name: str


class OtherAccountOut(Out):
    """An account that the person may switch to."""

    id: UUID
    name: str
    username: str
    current: bool


class SessionOut(Out):
    """A session: seat, account, roles, permissions, and the accounts to switch to."""

    user: SeatUserOut
    account: SeatAccountOut
    roles: list[str]
    permissions: list[str]
    accounts: list[OtherAccountOut]


class SessionRowOut(Out):
    """One of a person's sessions."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    current: bool


class ForgotPasswordIn(In):
    """The address to send a link to."""

    email: EmailAddress


class ResetPasswordIn(In):
    """The token of the link, and the new password."""

    token: Token
    new_password: Password


class VerifyEmailIn(In):
    """The token of the link."""

    token: Token

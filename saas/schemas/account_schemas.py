"""Registering, signing in, the person's own address and password, accounts and their switch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from saas.schemas.fields import BLANK_IS_NONE, EmailAddress, In, Out, Password, PasswordTry, PlainText, Username

AccountName = Annotated[str, PlainText(80)]


class RegisterIn(In):
    username: Username
    email: EmailAddress
    password: Password
    account_name: Annotated[AccountName | None, BLANK_IS_NONE] = None


class LoginIn(In):
    email: EmailAddress
    password: PasswordTry
    remember: bool = False


class ChangeEmailIn(In):
    email: EmailAddress
    password: PasswordTry


class ChangePasswordIn(In):
    current_password: PasswordTry
    new_password: Password


class CreateAccountIn(In):
    name: AccountName


class UpdateAccountIn(In):
    name: AccountName


class SwitchAccountIn(In):
    account_id: UUID


class SwitchAccountFormIn(In):
    """The form of a page: its ``account_id`` tells where it was drawn, so the target has another name."""

    to_account_id: UUID


class AccountOut(Out):
    id: UUID
    name: str
    status: str
    created_at: datetime


class OwnUserOut(Out):
    username: str
    email: str
    id: UUID
    account_id: UUID
    account_name: str


class SeatUserOut(Out):
    id: UUID
    username: str
    email: str


class SeatAccountOut(Out):
    id: UUID
    name: str


class OtherAccountOut(Out):
    id: UUID
    name: str
    username: str
    current: bool


class SessionOut(Out):
    user: SeatUserOut
    account: SeatAccountOut
    roles: list[str]
    permissions: list[str]
    accounts: list[OtherAccountOut]


class SessionRowOut(Out):
    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    current: bool

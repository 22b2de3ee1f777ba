"""The person's own profile, address and password; the account."""

from __future__ import annotations

from typing import Any

from saas.actor import Actor
from saas.models import Account
from saas.schemas.account_schemas import (
    AccountOut,
    ChangeEmailIn,
    ChangePasswordIn,
    CreateAccountIn,
    ForgotPasswordIn,
    ResetPasswordIn,
    UpdateAccountIn,
    VerifyEmailIn,
)
from saas.services import account_services, identity_services, mail_token_services
from saas.views import session_views
from saas.views.session_views import SUCCESS


def read_own_user(actor: Actor) -> dict[str, Any]:
    """GET /api/user: who I am."""
    return {
        "username": actor.label,
        "email": actor.email,
        "id": actor.id,
        "account_id": actor.account_id,
        "account_name": actor.account_name,
    }


def change_email(actor: Actor, body: ChangeEmailIn) -> dict[str, str]:
    """POST /api/email: change the address I sign in with, once it is confirmed there."""
    forgive = session_views.count_own_try(actor)
    mail_token_services.request_email_change(actor, email=body.email, password=body.password)
    forgive()
    return SUCCESS


def change_password(actor: Actor, body: ChangePasswordIn) -> dict[str, str]:
    """POST /api/password: change my password; all my other sessions end."""
    forgive = session_views.count_own_try(actor)
    identity_services.change_password(
        actor, current_password=body.current_password, new_password=body.new_password
    )
    forgive()
    return SUCCESS


def create_account(actor: Actor, body: CreateAccountIn) -> AccountOut:
    """POST /api/accounts: open another account, as its owner."""
    return _out(account_services.create_account(actor, name=body.name))


def read_account(actor: Actor) -> AccountOut:
    """GET /api/account: the account I am in."""
    return _out(account_services.read_account(actor))


def update_account(actor: Actor, body: UpdateAccountIn) -> AccountOut:
    """PATCH /api/account: rename the account."""
    return _out(account_services.update_account(actor, name=body.name))


def resend_verification(actor: Actor) -> dict[str, str]:
    """POST /api/email/verification: send the link again that confirms my address."""
    session_views.count_registration()
    mail_token_services.resend_verification(actor)
    return SUCCESS


def verify_email(actor: Actor | None, body: VerifyEmailIn) -> dict[str, str]:
    """POST /api/email/verify: confirm an address, or change to it, with the token that was sent there."""
    session_views.count_registration()
    mail_token_services.verify_email(
        token=body.token, session_id=actor.session_id if actor else None
    )
    return SUCCESS


def forget_password(actor: Actor | None, body: ForgotPasswordIn) -> dict[str, str]:
    """POST /api/password/forgot: a link goes to the address, if anybody has it; the answer is the same."""
    session_views.count_registration()
    mail_token_services.forget_password(email=body.email)
    return SUCCESS


def reset_password(actor: Actor | None, body: ResetPasswordIn) -> dict[str, str]:
    """POST /api/password/reset: a new password; every session and key of before ends."""
    session_views.count_registration()
    mail_token_services.reset_password(token=body.token, new_password=body.new_password)
    return SUCCESS


def _out(account_model: Account) -> AccountOut:
    return AccountOut.model_validate(account_model)

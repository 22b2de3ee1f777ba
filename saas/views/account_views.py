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
    UpdateAccountIn,
)
from saas.services import account_services, identity_services
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
    """POST /api/email: change the address I sign in with."""
    forgive = session_views.count_try(actor.email)
    identity_services.change_email(actor, email=body.email, password=body.password)
    forgive()
    return SUCCESS


def change_password(actor: Actor, body: ChangePasswordIn) -> dict[str, str]:
    """POST /api/password: change my password; all my other sessions end."""
    forgive = session_views.count_try(actor.email)
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


def _out(account_model: Account) -> AccountOut:
    return AccountOut.model_validate(account_model)

"""What the product's routes are sent where a schema does not say it, and where their services refuse by rule."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from saas.models import OutboxItem
from saas.pages import form_schemas
from saas.permissions import Permission
from saas.schemas import account_schemas, invitation_schemas, webhook_schemas
from saas.services import account_services, invitation_services, mail_token_services
from saas.testing.places import PASSWORD, Place
from saas.testing.product_objects import make_room_for_a_webhook, role
from saas.testing.registry import body, deviation, form, leave_out, query

_ITEMS = OutboxItem.__table__.c

form("POST /password/reset", account_schemas.ResetPasswordIn)
form("POST /email/verify", account_schemas.VerifyEmailIn)

leave_out(
    "GET /dev/mail", "GET /dev/mail/<mail_id>",
    reason="Development alone has these pages: whoever reaches them reads every mail.",
)  # fmt: skip
deviation(
    "403", "GET /roles/<role_id>/preview", principals=("only it", "key"),
    reason="The page shows the role as well, which needs role:read.",
)  # fmt: skip
deviation(
    "403", "POST /api/account/close", "POST /settings/close", "POST /api/account/ownership-offers",
    "POST /settings/offers", principals=("key",), reason="Only a person does this; a key cannot.",
)  # fmt: skip
deviation(
    "403", "POST /api/account/ownership-offers", "POST /settings/offers", principals=("only it",),
    reason="Nobody gives what they do not hold: only who holds all that an owner holds can offer it.",
)  # fmt: skip
deviation(
    "403", "POST /api/api-keys", "POST /api-keys", principals=("key",),
    reason="Keys do not make keys; people do.",
)  # fmt: skip
deviation(
    "403", "POST /api/invitations/accept", "GET /invitations/accept", "POST /invitations/accept",
    principals=("key",),
    reason="An invitation is for a person, who is signed in with the invited address or not at all.",
)  # fmt: skip


deviation(
    "403", "POST /api/webhooks", "POST /webhooks", "POST /webhooks/<webhook_id>",
    "POST /webhooks/<webhook_id>/enable", principals=("only it", "key"),
    reason="Who has the log sent somewhere must be able to read it: audit:read is asked for as well.",
)  # fmt: skip


@body(webhook_schemas.CreateWebhookIn)
@body(form_schemas.WebhookFormIn)
def webhook(place: Place) -> dict[str, Any]:
    """To a name that is public, which nobody looks up until a worker runs."""
    with place.site.entered():
        make_room_for_a_webhook(place)
    return {"url": f"https://hooks.example.com/{place.word()}"}


@body(webhook_schemas.UpdateWebhookIn)
def webhook_update(place: Place) -> dict[str, Any]:
    """What sends nothing more, and so asks for nothing more."""
    return {"description": place.word()}


@body(account_schemas.LoginIn)
def sign_in(place: Place) -> dict[str, Any]:
    """Somebody who is there."""
    return {"email": place.add("owner").email, "password": PASSWORD}


@query("GET /email/verify")
@body(account_schemas.VerifyEmailIn)
def verify(place: Place) -> dict[str, Any]:
    """A token that was mailed to somebody outside."""
    person = place.elsewhere.add("owner")
    with place.elsewhere.site.entered():
        mail_token_services.resend_verification(person)
    return {"token": mailed_token(place, person.email)}


@query("GET /password/reset")
def open_reset(place: Place) -> dict[str, Any]:
    """A token that was mailed to somebody outside."""
    person = place.elsewhere.add("owner")
    with place.elsewhere.site.entered():
        mail_token_services.send_reset({"email": person.email})
    return {"token": mailed_token(place, person.email)}


@body(account_schemas.ResetPasswordIn)
def reset(place: Place) -> dict[str, Any]:
    """That token, and a password."""
    return open_reset(place) | {"new_password": PASSWORD}


@query("GET /invitations/accept")
def open_invitation(place: Place) -> dict[str, Any]:
    """From outside, to the address of whoever calls."""
    outside = place.elsewhere
    email = place.caller.email if place.caller else outside.email()
    with outside.site.entered():
        invitation_services.create_invitation(outside.owner, email=email, role_ids=[role(outside)])
    return {"token": mailed_token(place, email)}


@body(invitation_schemas.AcceptInvitationIn)
def accept(place: Place) -> dict[str, Any]:
    """That token, and what somebody new chooses."""
    token = open_invitation(place)
    return token if place.caller else token | {"username": place.word(), "password": PASSWORD}


@body(form_schemas.OfferFormIn)
def offer_by_name(place: Place) -> dict[str, Any]:
    """A colleague by their name, and the own password."""
    return {"username": place.add().label, "password": PASSWORD}


@body(form_schemas.CloseFormIn)
def close(place: Place) -> dict[str, Any]:
    """The name that the account has by now, and the own password."""
    with place.site.entered():
        name = account_services.read_account(place.owner).name
    return {"account_name": name, "password": PASSWORD}


@body(form_schemas.RoleFormIn)
@query("GET /roles/<role_id>/preview")
def role_form(place: Place) -> dict[str, Any]:
    """With a permission that whoever calls holds: a form without any is refused."""
    held = sorted(place.caller.permissions if place.caller else Permission)
    return {"name": place.word(), "permissions": held[:1]}


@body(form_schemas.ApiKeyFormIn)
def key_form(place: Place) -> dict[str, Any]:
    """A name and a permission, like a role."""
    return role_form(place)


def mailed_token(place: Place, email: str) -> str:
    """Return the token of the last mail to an address, as the outbox holds it until it is sent."""
    items = select(_ITEMS.payload).order_by(_ITEMS.id.desc()).limit(50)
    with place.site.world.database.system_engine.connect() as connection:
        payloads = connection.scalars(items).all()
    return str(next(p["token"] for p in payloads if p.get("to") == email and p.get("token")))

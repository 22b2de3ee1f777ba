"""How the product's own objects are made. An adopter's stand beside the adopter's tests."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

from saas import database
from saas.actor import Actor
from saas.models import WebhookDelivery
from saas.permissions import Permission
from saas.services import (
    account_services,
    api_key_services,
    audit_services,
    invitation_services,
    ownership_services,
    project_services,
    role_services,
    user_services,
    webhook_services,
)
from saas.testing.places import Place
from saas.testing.registry import factory


@factory("project_id")
def project(place: Place) -> UUID:
    """A project."""
    return project_services.create_project(place.owner, name=place.word()).id


@factory("user_id")
def user(place: Place) -> UUID:
    """Somebody who holds nothing."""
    return _id(place.add())


@factory("user_id", relation="above")
def owner(place: Place) -> UUID:
    """An owner."""
    return _id(place.add("owner"))


@factory("user_id", route="POST /api/users/<user_id>/restore")
@factory("user_id", route="POST /members/<user_id>/restore")
def suspended_user(place: Place) -> UUID:
    """Somebody who holds nothing and is suspended."""
    user_id = user(place)
    user_services.suspend_user(place.owner, user_id=user_id)
    return user_id


@factory("role_id")
def role(place: Place) -> UUID:
    """A role that gives nothing."""
    return _role(place, [])


@factory("role_id", relation="above")
def role_of_everything(place: Place) -> UUID:
    """A role that gives everything."""
    return _role(place, sorted(Permission))


@factory("user_id", "role_id")
def user_in_role(place: Place) -> tuple[UUID, UUID]:
    """Somebody, and the one role they hold, which gives nothing."""
    return _granted(place, role(place))


@factory("user_id", "role_id", relation="above")
def user_in_role_of_everything(place: Place) -> tuple[UUID, UUID]:
    """Somebody, and the one role they hold, which gives everything."""
    return _granted(place, role_of_everything(place))


@factory("invitation_id")
def invitation(place: Place) -> UUID:
    """An open invitation with a role that gives nothing."""
    return _invite(place, role(place))


@factory("invitation_id", relation="above")
def invitation_to_everything(place: Place) -> UUID:
    """An open invitation with a role that gives everything."""
    return _invite(place, role_of_everything(place))


@factory("offer_id")
def offer(place: Place) -> UUID:
    """An offer by another owner, so that whoever founded the account keeps it."""
    made = ownership_services.offer_ownership(place.add("owner"), user_id=_id(place.person))
    return made.id


@factory("key_id")
def key(place: Place) -> UUID:
    """A key of somebody who holds nothing by now."""
    maker = place.add()
    role_id = _role(place, [Permission.API_KEY_CREATE])
    role_services.grant_role(place.owner, user_id=_id(maker), role_id=role_id)
    held = Actor(
        "user", maker.id, maker.label, place.account_id, frozenset({Permission.API_KEY_CREATE}),
        identity_id=maker.identity_id,
    )  # fmt: skip
    made = api_key_services.create_api_key(held, name=place.word(), permissions=[])
    role_services.delete_role(place.owner, role_id=role_id)
    return made.model.id


@factory("key_id", relation="above")
def key_of_an_owner(place: Place) -> UUID:
    """A key whose maker owns the account."""
    made = api_key_services.create_api_key(place.owner, name=place.word(), permissions=[])
    return made.model.id


@factory("webhook_id")
def webhook(place: Place) -> UUID:
    """A webhook to a name that is public; there is room for it, since the oldest goes."""
    make_room_for_a_webhook(place)
    url = f"https://hooks.example.com/{place.word()}"
    return webhook_services.create_webhook(place.owner, url=url).model.id


@factory("webhook_id", route="GET /api/webhooks/<webhook_id>/deliveries")
def delivered_webhook(place: Place) -> UUID:
    """A webhook with two attempts, as a worker leaves them."""
    webhook_id = webhook(place)
    tried = {"seq": 1, "action": "project.created", "attempt": 1, "duration_ms": 1}
    with database.unit_of_work() as unit:
        for _ in range(2):
            attempt = WebhookDelivery(webhook_id=webhook_id, event_id=uuid7(), **tried)
            attempt.error = place.word()
            unit.session.add(attempt)
    return webhook_id


@factory("webhook_id", route="POST /webhooks/<webhook_id>/enable")
def disabled_webhook(place: Place) -> UUID:
    """A webhook that is switched off, and so can be switched on."""
    webhook_id = webhook(place)
    off = {"status": "disabled"}
    webhook_services.update_webhook(place.owner, webhook_id=webhook_id, changes=off)
    return webhook_id


def make_room_for_a_webhook(place: Place) -> None:
    """Delete the oldest webhook of an account that has as many as it may have but one."""
    there = webhook_services.list_webhooks(place.owner, limit=webhook_services.MOST).items
    if len(there) >= webhook_services.MOST - 1:
        webhook_services.delete_webhook(place.owner, webhook_id=there[-1].id)


@factory("event_id")
def event(place: Place) -> UUID:
    """The newest event."""
    project(place)
    found: UUID = audit_services.list_events(place.owner, limit=1).items[0].id
    return found


@factory("session_id")
def session(place: Place) -> UUID:
    """Another session of the caller."""
    entered = place.site.world.sign_in(place.site, place.person)
    assert entered.session_id is not None
    return entered.session_id


@factory("account_id")
@factory("to_account_id")
def account(place: Place) -> UUID:
    """Another account of the caller."""
    return account_services.create_account(place.person, name=place.word()).id


def _id(seat: Actor) -> UUID:
    assert seat.id is not None
    return seat.id


def _role(place: Place, permissions: list[str]) -> UUID:
    made = role_services.create_role(place.owner, name=place.word(), permissions=permissions)
    role_id: UUID = made.id
    return role_id


def _granted(place: Place, role_id: UUID) -> tuple[UUID, UUID]:
    user_id = user(place)
    role_services.grant_role(place.owner, user_id=user_id, role_id=role_id)
    return user_id, role_id


def _invite(place: Place, role_id: UUID) -> UUID:
    made = invitation_services.create_invitation(
        place.owner, email=place.email(), role_ids=[role_id]
    )
    invitation_id: UUID = made.id
    return invitation_id

"""What somebody should know when they come in: an address not confirmed, an account offered to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saas.actor import Actor
from saas.services import identity_services, ownership_services


@dataclass(frozen=True, slots=True)
class Notices:
    """What is drawn above a page: whether the address is unconfirmed, and the offers to and by the person."""

    unconfirmed: bool = False
    offers: list[Any] = field(default_factory=list)
    offered: list[Any] = field(default_factory=list)


def notices_for(actor: Actor) -> Notices:
    """Return what to tell the person; an API key is nobody who could act on it."""
    if actor.kind != "user":
        return Notices()
    open_offers = ownership_services.list_offers(actor)
    return Notices(
        unconfirmed=not identity_services.is_confirmed(actor),
        offers=[offer for offer in open_offers if offer.to_user_id == actor.id],
        offered=[offer for offer in open_offers if offer.to_user_id != actor.id],
    )

"""Every mail the product sends: put into the outbox with the change it tells of, written when it goes out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from uuid_utils.compat import uuid7

from saas import outbox
from saas.unit import Unit

TOPIC = "mail"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mail: its subject, its template and the path its link leads to ("" for none)."""

    subject: str
    template: str
    path: str = ""


KINDS = {
    "invitation": Kind("{inviter} invites you to {account}", "invitation", "/invitations/accept"),
    "verify": Kind("Confirm your address", "verify", "/email/verify"),
    "change": Kind("Confirm your new address", "change", "/email/verify"),
    "changed": Kind("Your sign-in address was changed", "changed"),
    "reset": Kind("Set a new password", "reset", "/password/reset"),
    "ownership": Kind("{owner} offers you {account}", "ownership", "/"),
}


def send(
    unit: Unit,
    kind: str,
    to: str,
    *,
    token: str = "",
    until: datetime | None = None,
    **words: str,
) -> None:
    """Send a mail when the open unit of work commits; ``words`` are what its template says.

    ``until``: when its link ends. A mail that could not be sent before then is not sent at all.
    """
    outbox.put(unit, TOPIC, payload(kind, to, token=token, until=until, **words))


def payload(
    kind: str, to: str, *, token: str = "", until: datetime | None = None, **words: str
) -> dict[str, Any]:
    """Return a mail as the outbox holds it; raises KeyError for a kind that is not in ``KINDS``."""
    return {
        "id": str(uuid7()),  # of the mail, however often it is sent: receivers drop a second one
        "kind": kind,
        "to": to,
        "token": token,
        "until": until.isoformat() if until else None,
        "words": {**words, "subject": KINDS[kind].subject},
    }

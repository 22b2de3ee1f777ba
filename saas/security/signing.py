"""Signatures of webhooks, as Standard Webhooks has them: any of its libraries verifies what we send.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
_BYTES = 32
_LENGTHS = range(24, 65)  # bytes, by the specification


def new_secret() -> str:
    """Return a fresh secret of 256 random bits, as receivers are given it: ``whsec_`` and base64."""
    return PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Say whether a text is such a secret, of 24 to 64 bytes."""
    try:
        raw = b64decode(text.removeprefix(PREFIX), validate=True)
    except (Base64Error, ValueError):
        return False
    return text.startswith(PREFIX) and len(raw) in _LENGTHS


def headers(secrets_: Sequence[str], event_id: str, body: str, now: datetime) -> dict[str, str]:
    """Return the three headers of a delivery, with one signature for each secret; ``now`` in UTC."""
    from standardwebhooks import Webhook

    moment = now.replace(microsecond=0)
    signatures = [Webhook(secret).sign(event_id, moment, body) for secret in secrets_]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }

"""The second factor: six digits that change every 30 seconds (RFC 6238), and ten codes for the day the phone is lost.

The secret is stored nowhere. It is derived from a random seed in the database and a pepper outside it, so a copy
of the database makes no codes.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime

from saas.security import passwords, tokens

STEP_SECONDS = 30
_DRIFT = (0, -1, 1)  # steps that a clock may be off
_ISSUER = "Tenantry"
RECOVERY_CODES = 10


def new_seed() -> tuple[str, str]:
    """Return a fresh seed and the id of the pepper that its secret is derived with."""
    return secrets.token_hex(32), passwords.newest_pepper()


def secret_of(seed: str, key_id: str) -> str:
    """Return the shared secret, 160 bits in base32; raises KeyError when its pepper is gone."""
    derived = passwords.derive("second factor", seed, key_id)
    return base64.b32encode(derived[:20]).decode()


def provisioning_uri(secret: str, email: str) -> str:
    """Return the ``otpauth://`` address that authenticator apps read from a QR code."""
    import pyotp  # not at start-up

    return str(pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER))


def qr_image(uri: str) -> str:
    """Return the QR code of an address as a ``data:`` picture, black on white in every colour scheme."""
    import segno

    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff"))


def qr_for_terminal(uri: str) -> str:
    """Return the QR code of an address as text for a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(uri, error="l").terminal(out, compact=True)
    return out.getvalue()


def code_at(secret: str, when: datetime) -> str:
    """Return the code of a moment."""
    import pyotp

    return str(pyotp.TOTP(secret).at(when))


def matching_step(secret: str, code: str, when: datetime, after: int) -> int | None:
    """Return the step whose code this is, if it is near ``when`` and later than ``after``; else None.

    ``after``: the last step that was used, so that a code works once (RFC 6238, 5.2).
    """
    import pyotp

    totp, now = pyotp.TOTP(secret), int(when.timestamp()) // STEP_SECONDS
    found = None
    for drift in _DRIFT:  # each is compared, so that the time taken tells nothing
        step = now + drift
        given = code.encode("utf-8", "surrogatepass")
        if hmac.compare_digest(totp.generate_otp(step).encode(), given) and step > after:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Return ten fresh codes of 80 random bits, in groups of four."""
    return [
        _grouped(base64.b32encode(secrets.token_bytes(10)).decode().lower())
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str) -> str:
    """Return what is stored of a recovery code; case, blanks and dashes do not count."""
    return tokens.token_hash("".join(code.split()).replace("-", "").lower())


def _grouped(text: str) -> str:
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))

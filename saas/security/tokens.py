"""Random tokens for sessions, keys and links: the holder keeps the token, the table its hash."""

import hashlib
import secrets

_BYTES = 32  # 256 bits: a fast hash is enough, nobody can go through that many


def new_token() -> str:
    """A fresh secret of 256 random bits, 43 URL-safe characters."""
    return secrets.token_urlsafe(_BYTES)


def token_hash(token: str) -> str:
    """SHA-256 of the token as 64 hex digits; takes any string, also one no token could be."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

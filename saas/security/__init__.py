"""Passwords, tokens, limits, headers and the checks at the door."""

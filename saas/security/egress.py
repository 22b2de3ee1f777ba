"""Where we may connect to on behalf of a customer: to public addresses over https, and nowhere else.

The table of addresses and the connecting are the ``ssrfguard`` library's: a name is looked up once, every answer is
judged, and the socket goes to an address that was judged, so a name that changes meanwhile changes nothing.
Saving asks ``check_url``, which looks nothing up; every delivery asks it again and ``connect`` on top.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ssrfguard import Policy, Target

PORTS = frozenset({443, 8443})
# Printable ASCII without what separates or quotes a URL elsewhere; hosts in other scripts are written xn--….
_URL = re.compile(r"[a-z]+://[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]+", re.ASCII)
_LOCAL_SUFFIXES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")
_LOOPBACK = ("127.0.0.0/8", "::1/128")

# How names are looked up. Tests put one here that knows loopback alone, so that nothing of theirs can leave.
lookup: Any = socket.getaddrinfo
_loopback_allowed: list[bool] = [False]


class RefusedAddressError(Exception):
    """An address that we do not connect to; the text is a sentence for whoever gave it."""


def configure(*, allow_loopback: bool) -> None:
    """Say whether http and https to this very machine are allowed, by address: for development and tests."""
    _loopback_allowed[:] = [allow_loopback]


def check_url(url: str) -> tuple[Target, Policy]:
    """Return where a URL leads and the rules it was judged by, looking nothing up; raises RefusedAddressError."""
    from ssrfguard import SSRFGuardError

    if not _URL.fullmatch(url):
        raise RefusedAddressError(
            "Must be an https address in plain characters, such as https://example.com/hook."
        )
    policy = _policy_for(url)
    try:
        target = policy.check_url(url)
    except SSRFGuardError as error:
        raise RefusedAddressError(_sentence(error)) from None
    host = target.host.rstrip(".")
    if target.address is None and _is_local(host):
        raise RefusedAddressError(
            "Names of a local network are not reached from here: use a public name."
        )
    return target, policy


def connect(url: str, timeout: float) -> tuple[Target, socket.socket]:
    """Look the host of a URL up once, judge every answer and connect to one of them.

    ``timeout``: seconds for each attempt, of which there are two at most. Raises RefusedAddressError, or OSError
    where nothing answers.
    """
    from ssrfguard import SSRFGuardError, resolve
    from ssrfguard import connect as connect_to

    target, policy = check_url(url)
    try:
        addresses = resolve(target, policy=policy, resolver=lookup)
        return target, connect_to(addresses, policy=policy, timeout=timeout)
    except SSRFGuardError as error:
        raise RefusedAddressError(_sentence(error)) from None


def _policy_for(url: str) -> Policy:
    from ssrfguard import Policy

    if _loopback_allowed[0] and _is_loopback(url):
        return Policy(
            allowed_networks=_LOOPBACK,  # type: ignore[arg-type]  # it reads text as well
            allowed_ports=frozenset(range(1, 65536)),
            max_connection_attempts=1,
        )
    return Policy(
        allowed_schemes=frozenset({"https"}),
        allowed_ports=PORTS,
        max_connection_attempts=2,
        max_url_length=1000,
    )


def _is_loopback(url: str) -> bool:
    """Whether the host is written as an address of this machine; names, localhost too, are not."""
    from ipaddress import ip_address

    try:
        return ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


def _is_local(host: str) -> bool:
    """Whether a name is one of a local network, or no name at all: 0x7f.1 is 127.0.0.1 to many resolvers."""
    if "." not in host or not host.rsplit(".", 1)[1][:1].isalpha():
        return True
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in _LOCAL_SUFFIXES)


def _sentence(error: Exception) -> str:
    """What the library found, in our words: its own repeat the URL."""
    reason = str(getattr(error, "reason", error))
    for mark, sentence in _SENTENCES.items():
        if mark in reason:
            return sentence
    return "This address is not one that we connect to: it must be public, over https."


_SENTENCES = {
    "scheme": "Must begin with https://.",
    "port": f"Must use the port {' or '.join(str(p) for p in sorted(PORTS))}.",
    "credential": "Must not hold a user name or a password.",
    "userinfo": "Must not hold a user name or a password.",
}

"""The mail of a house, as its receivers see it: let the worker run until nothing is due, then open what came."""

from __future__ import annotations

import email
import re
import threading
from email import policy
from email.message import EmailMessage
from pathlib import Path

from config import worker
from tests.house import House

_LINK = re.compile(r"^(\S+)\?token=(\S+)$", re.MULTILINE)


def work(house: House) -> int:
    """Do everything that is due in the outbox; returns how many pieces of work were tried."""
    return worker.run(house.settings, house.database, threading.Event(), until_idle=True)


def received(house: House, to: str) -> list[EmailMessage]:
    """Return the mails that an address has received so far, oldest first; the worker runs before."""
    work(house)
    files = sorted((house.settings.var_dir / "mail").glob("*.eml"))
    return [read(file) for file in files if f"\nTo: {to}\n".encode() in file.read_bytes()]


def newest(house: House, to: str) -> EmailMessage:
    """Return the last mail that an address has received."""
    return received(house, to)[-1]


def token(house: House, to: str) -> str:
    """Return the token in the link of the last mail to an address."""
    return link(newest(house, to))[1]


def link(message: EmailMessage) -> tuple[str, str]:
    """Return the address and the token of the one link in a mail."""
    ((where, what),) = _LINK.findall(text(message))
    return where, what


def text(message: EmailMessage, kind: str = "plain") -> str:
    """Return the text of a mail, or its HTML."""
    body = message.get_body((kind,))  # type: ignore[arg-type]  # "plain" or "html"
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def read(file: Path) -> EmailMessage:
    """Return the mail in a file."""
    return email.message_from_bytes(file.read_bytes(), policy=policy.default)

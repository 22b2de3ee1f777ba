"""How mail goes out: as files in development, by SMTP where ``MAIL_URL`` says so; never inside a request."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from uuid_utils.compat import uuid7

from saas.columns import utc_now
from saas.mail.messages import KINDS

TIMEOUT = 20  # seconds for each step with a mail server
_log = structlog.get_logger("mail")
Transport = Callable[[EmailMessage], None]


@dataclass(frozen=True, slots=True)
class Mailer:
    """Writes and sends mail; ``handle`` is the outbox's handler of the topic "mail"."""

    base_url: str
    sender: str
    transport: Transport

    def handle(self, payload: dict[str, Any]) -> None:
        """Send one mail of the outbox; raises whatever the transport raises, and is then tried again.

        A mail whose link has ended while it waited is not sent: whoever wants one can ask again.
        """
        until = payload.get("until")
        if until and datetime.fromisoformat(until) <= utc_now():
            _log.warning("mail.expired", kind=payload["kind"], until=until)
            return
        self.transport(self.write(payload))

    def write(self, payload: dict[str, Any]) -> EmailMessage:
        """Return the mail, text and HTML; its link leads to ``base_url`` and nowhere else."""
        kind, words = KINDS[payload["kind"]], dict(payload["words"])
        token = payload["token"]
        link = (
            f"{self.base_url}{kind.path}?token={quote(token)}"
            if token
            else f"{self.base_url}{kind.path}"
        )
        words |= {"link": link, "base_url": self.base_url}
        message = EmailMessage()
        message["Subject"] = kind.subject.format(**{k: _one_line(v) for k, v in words.items()})
        message["From"], message["To"] = self.sender, payload["to"]
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{payload['id']}@{urlsplit(self.base_url).hostname}>"
        message.set_content(_templates().get_template(f"{kind.template}.txt").render(words))
        html = _templates().get_template(f"{kind.template}.html").render(words)
        message.add_alternative(html, subtype="html")
        return message


def file_transport(directory: Path) -> Transport:
    """Return a transport that writes each mail into a file, newest name last."""

    def send(message: EmailMessage) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{uuid7()}.eml"
        path.touch(mode=0o600)  # it holds a token
        path.write_bytes(message.as_bytes())

    return send


def smtp_transport(url: str) -> Transport:
    """Return a transport to ``smtp://`` (STARTTLS when offered) or ``smtps://``; user and password are in the URL."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port
    context = ssl.create_default_context()

    def send(message: EmailMessage) -> None:
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port or 465, timeout=TIMEOUT, context=context
            )
        else:
            server = smtplib.SMTP(host, port or 25, timeout=TIMEOUT)
        with server:
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return send


def _one_line(text: str) -> str:
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(
        loader=loader,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
    )

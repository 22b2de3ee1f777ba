"""Mail that went out, to be read in development: files in a directory, nothing is sent to anybody."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import flask

from saas import errors
from saas.actor import Actor
from saas.mail.messages import KINDS
from saas.pages import shared_pages

SHOWN = 50
URL = re.compile(r"(https?://[^\s<>\"]+)")
OUR_PATHS = {kind.path for kind in KINDS.values() if kind.path}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: `parts` is its text, cut so that every second one is a link, with its path on this site."""

    id: str
    to: str
    subject: str
    time: datetime
    parts: list[tuple[str, str]]

    @property
    def paths(self) -> list[str]:
        """Where its links lead on this site."""
        return [path for _, path in self.parts if path]


def list_mails(actor: Actor | None) -> str:
    """The newest mails; 404 where mail goes to a server."""
    files = sorted(_directory().glob("*.eml"), reverse=True)[:SHOWN]
    return shared_pages.draw("dev_mails.html", actor, mails=[_read(file) for file in files])


def read_mail(actor: Actor | None, mail_id: UUID) -> str:
    """One mail as plain text, its link to be clicked; 404 for one that is not there."""
    file = _directory() / f"{mail_id}.eml"
    if not file.is_file():
        raise errors.NotFoundError
    return shared_pages.draw("dev_mail.html", actor, mail=_read(file))


def _directory() -> Path:
    directory: Path | None = flask.current_app.extensions.get("mail_directory")
    if directory is None:
        raise errors.NotFoundError
    return directory


def _read(file: Path) -> Mail:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    text = body.get_content().strip() if body else ""
    return Mail(
        id=file.stem,
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        time=datetime.fromtimestamp(file.stat().st_mtime, UTC),
        parts=[(part, _path_here(part)) for part in URL.split(text)],
    )


def _path_here(part: str) -> str:
    """The path of a link on this site, wherever BASE_URL says that it lives; "" for all other text."""
    if not URL.fullmatch(part):
        return ""
    link = urlsplit(part)
    if link.path not in OUR_PATHS:
        return ""
    return f"{link.path}?{link.query}" if link.query else link.path

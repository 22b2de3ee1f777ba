"""What the forms of the console hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator

from saas.schemas.fields import (
    BLANK_IS_NONE,
    EmailAddress,
    In,
    PasswordTry,
    PlainText,
    TextRule,
    refuse,
)

_TICKET = re.compile(r"https?://[^\s<>\"']+")
REASON_AT_LEAST = 10


def _is_link(text: str) -> str:
    if not _TICKET.fullmatch(text):
        raise refuse("Must be a link that begins with https:// or http://.")
    return text


Reason = Annotated[str, PlainText(500, REASON_AT_LEAST)]
Ticket = Annotated[Annotated[str, TextRule(300), AfterValidator(_is_link)] | None, BLANK_IS_NONE]


class OperatorSignInIn(In):
    """An operator's address, password and code, and the page to go on to."""

    email: EmailAddress
    password: PasswordTry
    code: Annotated[str, TextRule(64)]
    next: Annotated[str, TextRule(500, 0)] = ""


class CodeIn(In):
    """A code of the second factor."""

    code: Annotated[str, TextRule(64)]


class ActIn(In):
    """Why an operator acts, and the ticket it is for."""

    reason: Reason
    ticket: Ticket = None


class NoteIn(In):
    """What an operator writes down; ``seat``: about whose seat, as ``account:user``."""

    text: Annotated[str, PlainText(2000, REASON_AT_LEAST, lines=True)]
    user_id: Annotated[UUID | None, BLANK_IS_NONE] = None
    account_id: Annotated[UUID | None, BLANK_IS_NONE] = None


class BulkIn(In):
    """An act upon several rows of a list; without a reason it is asked for first."""

    action: Annotated[str, TextRule(40)]
    rowid: list[UUID]
    confirmed: Literal["yes", ""] = ""
    reason: Annotated[str, TextRule(2000, 0)] = ""
    ticket: Annotated[str, TextRule(300, 0)] = ""

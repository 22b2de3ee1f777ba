"""What a list of the console shows of a model: an allow-list, and what can never stand on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Table

Kind = Literal["text", "choice", "time", "number"]
_SECRET = re.compile(r"(hash|secret|password|token|seed|totp|pepper|private)", re.IGNORECASE)


class FieldError(RuntimeError):
    """A field of a list may not stand there; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a list, and by that of its details, search, filters and export.

    ``column``: an expression, where it is not the model's column of that name. ``search``: found by its beginning.
    ``choices``: its values, for a filter. ``link``: the row's own page hangs on this field.
    """

    name: str
    label: str
    kind: Kind = "text"
    column: Any = None
    search: bool = False
    choices: tuple[str, ...] = ()
    link: bool = False

    def expression(self, table: Table) -> Any:
        """Return what to select; raises FieldError for a column that there is not or that is a secret."""
        if _SECRET.search(self.name):
            raise FieldError(f"{table.name}.{self.name}: its name is that of a secret")
        if self.column is not None:
            return self.column.label(self.name)
        if self.name not in table.c:
            raise FieldError(f"{table.name} has no column {self.name}")
        if self.name in table.info.get("hidden", ()):
            raise FieldError(f"{table.name}.{self.name} is hidden from everybody")
        return table.c[self.name]


@dataclass(frozen=True, slots=True)
class Scope:
    """A named view of a list: its key in the address, its words, and what it asks (None: everything)."""

    key: str
    words: str
    where: Any = None

"""Acts upon several rows of a list: asked for one by one, with one reason, told in each account's own log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import flask
from flask_admin import expose
from pydantic import ValidationError
from werkzeug.wrappers import Response

from admin import gate
from admin.guarded import read_form
from saas import errors
from saas.operator import ConsolePermission, require_operator
from saas.schemas.console_schemas import ActIn, BulkIn

MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class BulkAct:
    """An act upon several rows: its words, its permission, the service that does it to one, what will happen."""

    words: str
    permission: ConsolePermission
    do: Callable[..., Any]
    what: Sequence[str]
    danger: bool = False


class BulkActs:
    """The half of a list that acts. ``acts``: key → act; a list without any has the address and refuses everything."""

    acts: ClassVar[Mapping[str, BulkAct]] = {}
    url: str
    get_one: Callable[[Any], Any]
    render: Callable[..., str]
    title_of: Callable[[Any], str]

    @expose("/action/", methods=("POST",))
    def action_view(self) -> Any:
        """Ask why (without a reason), or act upon each chosen row; a row outside the list stops it before it begins."""
        sent = read_form(BulkIn)
        if sent.action not in self.acts:
            raise errors.NotFoundError
        act = self.acts[sent.action]
        require_operator(gate.current_operator(), act.permission)
        ids = list(dict.fromkeys(sent.rowid))
        rows = [self.get_one(row_id) for row_id in ids[:MOST_AT_ONCE]]
        if None in rows or len(ids) > MOST_AT_ONCE:
            raise errors.NotFoundError(f"Choose 1 to {MOST_AT_ONCE} rows of this list.")
        if not sent.confirmed:
            return self._ask(sent, act, rows, {}, 200)
        try:
            why = ActIn.from_strings({"reason": [sent.reason], "ticket": [sent.ticket]})
        except ValidationError as error:
            refused = errors.from_pydantic(error)
            return self._ask(
                sent, act, rows, {p.field: p.message for p in refused.field_errors}, 422
            )
        results = [(row, self._do(act, row, why)) for row in rows]
        return self.render("console/results.html", view=self, act=act, results=results)

    def _do(self, act: BulkAct, row: Any, why: ActIn) -> str:
        """Do an act to one row; returns what stood in its way, or ""."""
        try:
            act.do(gate.current_operator(), row.id, reason=why.reason, ticket=why.ticket)
        except errors.ProductError as error:
            return error.message
        return ""

    def _ask(
        self, sent: BulkIn, act: BulkAct, rows: list[Any], problems: dict[str, str], status: int
    ) -> Response:
        kept = [("action", sent.action), ("confirmed", "yes"), *(("rowid", row.id) for row in rows)]
        names = ", ".join(self.title_of(row) for row in rows)
        html = self.render(
            "console/confirm.html", heading=f"{act.words}: {len(rows)}", about="the list",
            back=self.url + "/", what=[names, *act.what], cause="", button=act.words,
            danger=act.danger, kept=kept, problems=problems,
            message="Please correct what is marked." if problems else "",
            values={"reason": sent.reason, "ticket": sent.ticket},
        )  # fmt: skip
        return flask.make_response(html, status)

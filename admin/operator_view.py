"""The safe base of every list in the console: what Flask-Admin has open by default is shut here.

One tuple of fields feeds list, details, search, filters and export. There is no form: rows change only by named
acts, which call services. There is no session either, so no path of upstream's can ask the database anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlencode
from uuid import UUID

import flask
from flask_admin import expose
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import Select, func, select

from admin import gate
from admin.bulk_acts import BulkActs
from admin.fields import Field, Scope
from admin.guarded import Guarded, error_page
from saas import database, errors, paging, spreadsheet
from saas.models import Account
from saas.operator import ConsolePermission, Operator, why_not
from saas.services import console_looks
from tenants import TenantOwned

_LIKE_SPECIAL = str.maketrans({"%": "/%", "_": "/_", "/": "//"})
_accounts = Account.__table__.c


class OperatorViewError(RuntimeError):
    """A list of the console is not declared completely; the message says what is missing."""


class _NoSession:
    """Stands where upstream keeps its session: whoever would ask the database past our scopes is stopped."""

    @property
    def session(self) -> _NoSession:
        return self

    def __getattr__(self, name: str) -> NoReturn:
        raise OperatorViewError(f"the console's lists have no session ({name})")


class OperatorView(BulkActs, Guarded, ModelView):
    """A list of one model over all accounts, for operators. Derive from it and fill in what stands below."""

    fields: ClassVar[Sequence[Field]] = ()
    scopes: ClassVar[Sequence[Scope]] = (Scope("all", "All"),)
    permission: ClassVar[ConsolePermission | None] = None
    export_permission: ClassVar[ConsolePermission] = ConsolePermission.LIST_EXPORT
    sentence = ""  # under the title
    nothing = "Nothing here yet."

    can_create = can_edit = can_delete = False
    can_view_details = can_export = True
    can_set_page_size = False
    page_size = 25
    export_max_rows = 10_000
    export_types = ("csv",)
    named_filter_urls = True
    list_template = "console/list.html"
    details_template = "console/details.html"

    # The routes of upstream's that do not exist here: shown by no URL, whatever a subclass sets.
    create_view = edit_view = delete_view = None
    ajax_lookup = ajax_update = None
    action_form = None

    def __init__(self, model: Any, **options: Any) -> None:
        if not self.fields or self.permission is None:
            raise OperatorViewError(f"{type(self).__name__}: say its fields and its permission")
        self.table = model.__table__
        self._selected = [field.expression(self.table) for field in self.fields]
        self.column_list = [field.name for field in self.fields]
        self.column_labels = {field.name: field.label for field in self.fields}
        self.column_details_list = self.column_export_list = self.column_list
        super().__init__(model, _NoSession(), **options)

    # -- what upstream would make of the model by itself: nothing --------------------------------------

    def scaffold_form(self) -> Any:
        return self.get_delete_form()

    def scaffold_auto_joins(self) -> list[Any]:
        return []

    def scaffold_sortable_columns(self) -> dict[Any, Any]:
        return {}

    def get_sortable_columns(self) -> dict[Any, Any]:
        return {}

    def get_filters(self) -> None:
        return None

    def init_search(self) -> bool:
        return False

    def init_actions(self) -> None:
        """Know none of upstream's actions, deleting among them: what can be done stands in ``acts``."""
        self._actions: list[Any] = []
        self._actions_data: dict[str, Any] = {}

    def is_action_allowed(self, name: str) -> bool:
        return name in self.acts and gate.current_operator().can(self.acts[name].permission)

    def permission_of(self, name: str) -> ConsolePermission | None:
        """Return what a page of this list needs: its own permission, that of exports, or what the page itself says."""
        if name in ("index_view", "details_view", "action_view"):
            return self.permission
        if name == "export":
            return self.export_permission
        return super().permission_of(name)

    def check(self) -> None:
        """Raise where a page says nothing; also where a subclass has opened a door of upstream's again."""
        super().check()
        if self.can_create or self.can_edit or self.can_delete or self.column_editable_list:
            raise OperatorViewError(f"{type(self).__name__}: rows change by acts, not by forms")

    # -- reading ---------------------------------------------------------------------------------------

    def get_query(self) -> Select[Any]:
        """Return the statement that every reading of this list begins with; narrow it in a subclass."""
        columns = [self.key.label("id"), *self._selected]
        if issubclass(self.model, TenantOwned) and self.model is not Account:
            joined = _accounts.account_id == self.table.c.account_id
            columns += [self.table.c.account_id, _accounts.name.label("account_name")]
            return select(*columns).join_from(self.table, Account.__table__, joined)
        return select(*columns).select_from(self.table)

    @property
    def key(self) -> Any:
        """The column that a list is ordered by, newest first: an id of ours, which is ordered by time."""
        return self.table.c.account_id if self.model is Account else self.table.c.id

    def get_one(self, id: Any) -> Any:  # noqa: A002 - upstream's name
        """Return one row of ``get_query``, or None: a row outside it does not exist, here as in the list."""
        try:
            key = UUID(str(id))
        except ValueError:
            return None
        with database.looking_across("console: one row of a list") as connection:
            return connection.execute(self.get_query().where(self.key == key)).one_or_none()

    def narrowed(self) -> tuple[Select[Any], dict[str, str]]:
        """Return the statement of the list as the address asks for it, and what it asks, for links and the log."""
        asked, statement = {}, self.get_query()
        args = flask.request.args
        scope = next((s for s in self.scopes if s.key == args.get("view")), self.scopes[0])
        if scope.where is not None:
            asked["view"] = scope.key
            statement = statement.where(scope.where)
        if words := args.get("search", "").strip()[:200]:
            asked["search"] = words
            statement = statement.where(self._begins(words))
        for field in self.fields:
            value = args.get(f"f_{field.name}", "")
            if value in field.choices:
                asked[f"f_{field.name}"] = value
                statement = statement.where(field.expression(self.table) == value)
        return statement, asked

    def _begins(self, words: str) -> Any:
        prefix = words.lower().translate(_LIKE_SPECIAL) + "%"
        clause: Any = None
        for field in self.fields:
            if field.search:
                column = field.column if field.column is not None else self.table.c[field.name]
                found = func.lower(column).like(prefix, escape="/")
                clause = found if clause is None else clause | found
        return clause if clause is not None else self.key.is_(None)

    # -- pages -----------------------------------------------------------------------------------------

    @expose("/")
    def index_view(self) -> Any:
        """Show one page of the list: one statement, no count."""
        operator, (statement, asked) = gate.current_operator(), self.narrowed()
        cursor = flask.request.args.get("cursor")
        if cursor is not None:
            statement = statement.where(
                self.key < paging.open_cursor(self.endpoint, operator.id, cursor)
            )
        console_looks.look_across(operator, f"list: {self.name}", urlencode(asked) or None)
        statement = statement.order_by(self.key.desc()).limit(self.page_size + 1)
        with database.looking_across("console: one page of a list") as connection:
            rows = list(connection.execute(statement).all())
        page = paging.cut(self.endpoint, operator.id, rows, self.page_size)
        return self.render(
            self.list_template, view=self, page=page, asked=asked, cursor=cursor,
            acts=[(key, act, why_not(operator, act.permission)) for key, act in self.acts.items()],
            no_export=why_not(operator, self.export_permission),
        )  # fmt: skip

    @expose("/details/")
    def details_view(self) -> Any:
        """Show one row; raises NotFoundError for one outside the list."""
        operator, row = gate.current_operator(), self.get_one(flask.request.args.get("id"))
        if row is None:
            raise errors.NotFoundError
        there = self.link_of(row)
        if not there.startswith(f"{self.url}/details/"):
            return flask.redirect(
                there, 303
            )  # it has a page of its own, which tells whoever is looked at
        self._tell_row(operator, row)
        return self.render(self.details_template, view=self, row=row)

    @expose("/export/<export_type>/")
    def export(self, export_type: str) -> Any:
        """Send the list as a file, ``export_max_rows`` at most, a chunk at a time."""
        if export_type not in self.export_types:
            raise errors.NotFoundError
        operator, (statement, asked) = gate.current_operator(), self.narrowed()
        console_looks.look_across(operator, f"export: {self.name}", urlencode(asked) or None)
        rows = self._chunks(database.current_database(), statement)
        lines = spreadsheet.csv_lines(self.heads, ([*self.cells(row)] for row in rows))
        answer = flask.Response(lines, content_type="text/csv; charset=utf-8")
        name = f"{self.endpoint}.csv"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    # -- what templates ask ----------------------------------------------------------------------------

    @property
    def owned(self) -> bool:
        """Whether each row belongs to an account that stands beside it."""
        return issubclass(self.model, TenantOwned) and self.model is not Account

    @property
    def heads(self) -> list[str]:
        """The heads of the export."""
        return ["id", *(["account"] if self.owned else []), *(field.label for field in self.fields)]

    def cells(self, row: Any) -> Iterator[Any]:
        """Yield the cells of one row of the export, as ``heads`` names them."""
        yield row.id
        if self.owned:
            yield row.account_name
        for field in self.fields:
            yield getattr(row, field.name)

    def title_of(self, row: Any) -> str:
        """Return what a row is called: its linked field, or its first."""
        field = next((f for f in self.fields if f.link), self.fields[0])
        return str(getattr(row, field.name))

    def link_of(self, row: Any) -> str:
        """Return the address of a row's own page."""
        return f"{self.url}/details/?id={row.id}"

    def _tell_row(self, operator: Operator, row: Any) -> None:
        """Tell of a look at one row: the account that owns it, or the house."""
        if not self.owned:
            console_looks.look_across(operator, f"details: {self.name}", str(row.id))
            return
        statement = select(_accounts.account_id.label("id"), _accounts.name)
        with database.looking_across("console: whose row is looked at?") as connection:
            account = connection.execute(
                statement.where(_accounts.account_id == row.account_id)
            ).one()
        console_looks.look_inside(operator, f"details: {self.name}", [account])

    def _chunks(self, in_use: database.Database, statement: Select[Any]) -> Iterator[Any]:
        left, after = self.export_max_rows, None
        while left > 0:
            part = statement if after is None else statement.where(self.key < after)
            with (
                database.use(in_use),
                database.looking_across("console: a chunk of a list's export") as connection,
            ):
                size = min(1000, left)
                rows = connection.execute(part.order_by(self.key.desc()).limit(size)).all()
            yield from rows
            if len(rows) < size:
                return
            left, after = left - len(rows), rows[-1].id

    def handle_view_exception(self, exc: Exception) -> bool:
        """Let no text of the database onto a page: ``Guarded`` answers with a sentence and the request id."""
        return False

    def inaccessible_callback(self, name: Any, **kwargs: Any) -> Any:
        """Answer as every refusal of the console is answered."""
        return error_page(errors.PermissionDeniedError())

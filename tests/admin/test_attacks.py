"""The attacks on consoles that succeed against Flask-Admin's defaults, each tried against ours."""

from __future__ import annotations

import csv
import io
from typing import Any, ClassVar

import pytest
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from sqlalchemy import insert, select
from uuid_utils.compat import uuid7

from admin import console
from admin.bulk_acts import BulkAct
from admin.fields import Field, FieldError
from admin.guarded import ConsoleViewError
from admin.operator_view import OperatorView, OperatorViewError
from admin.record_pages import ProjectsView
from saas.columns import utc_now
from saas.models import Account, Identity, OperatorRow, Project, User
from saas.operator import ConsolePermission, Operator
from saas.spreadsheet import safe_cell
from tests import acts, people
from tests.admin import desk
from tests.admin.desk import REASON, Desk
from tests.house import House
from tests.people import Person, Team
from tests.refusals import change, look, nothing_changes
from tests.variants import variant

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\uff1d")
FORMULAS = (
    "=HYPERLINK(1)",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1+1",
    "\uff1d1+1",
    "=1\n=2",
)


class ActiveProjects(ProjectsView):
    """A list that is narrower than its table, with an act of its own."""

    scopes = (console.OperatorView.scopes[0],)
    done: ClassVar[list[Any]] = []

    def get_query(self) -> Any:
        return super().get_query().where(Project.__table__.c.name != "hidden")


def _remember(operator: Operator, row_id: Any, **why: Any) -> None:
    ActiveProjects.done.append((operator.label, row_id, why["reason"]))


ActiveProjects.acts = {
    "touch": BulkAct("Touch", ConsolePermission.ACCOUNT_SUSPEND, _remember, ("It is touched.",))
}


@pytest.fixture
def narrow(lite: House) -> Any:
    """A console with one more list, whose ``get_query`` hides a row."""
    ActiveProjects.done.clear()
    with variant(lite) as other:
        view = ActiveProjects(Project, name="Active", endpoint="active", url="/admin/active")
        console.add_view(other.app, view)
        yield other


def projects(owner: Person, *names: str) -> list[str]:
    return [owner.post("/api/projects", {"name": name}).json["data"]["id"] for name in names]


class TestRowsOutsideTheList:
    """70: details, acts and exports of a row that ``get_query`` leaves out."""

    def test_it_does_not_exist_anywhere(self, narrow: House) -> None:
        olga, ada = desk.hire(narrow), people.register(narrow, "ada")
        shown, hidden = projects(ada, "shown", "hidden")

        assert olga.get(f"/admin/active/details/?id={shown}").status_code == 200
        assert olga.get(f"/admin/active/details/?id={hidden}").status_code == 404
        assert hidden not in olga.get("/admin/active/?search=hid").get_data(as_text=True)
        assert hidden not in olga.get("/admin/active/export/csv/").get_data(as_text=True)

    def test_no_act_reaches_it_even_beside_one_that_is_there(self, narrow: House) -> None:
        olga, ada = desk.hire(narrow), people.register(narrow, "ada")
        shown, hidden = projects(ada, "shown", "hidden")
        fields = {"action": "touch", "confirmed": "yes", "reason": REASON}

        assert (
            olga.post("/admin/active/action/", rowid=[shown, hidden], **fields).status_code == 404
        )
        assert ActiveProjects.done == []
        assert olga.post("/admin/active/action/", rowid=[shown], **fields).status_code == 200
        assert [str(row_id) for _, row_id, _ in ActiveProjects.done] == [shown]

    @pytest.mark.parametrize(
        "bad", ["", "1", "x' OR 1=1", "%00", "../", "00000000-0000-0000-0000-000000000000"]
    )
    def test_a_malformed_id_is_nothing(self, lite: House, bad: str) -> None:
        olga = desk.hire(lite)
        assert olga.get("/admin/projects/details/", query_string={"id": bad}).status_code == 404


class TestDoorsOfUpstream:
    """71 and 72: editing in the list, look-ups, forms: their routes do not exist on any list."""

    @pytest.mark.parametrize("view", ["accounts", "people", "projects", "audit", "operators"])
    @pytest.mark.parametrize(
        "path", ["ajax/update/", "ajax/lookup/", "new/", "edit/", "delete/", "export/xlsx/"]
    )
    def test_there_is_no_such_address(self, lite: House, view: str, path: str) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        query = {"id": str(ada.account_id), "name": "users", "query": ""}
        fields = {"list_form_pk": str(ada.account_id), "name": "stolen", "status": "closed"}

        with nothing_changes(lite, ada):
            assert olga.get(f"/admin/{view}/{path}", query_string=query).status_code in (404, 405)
            assert olga.post(f"/admin/{view}/{path}", **fields).status_code in (404, 405)

    def test_no_view_has_a_session_to_ask_with(self, lite: House) -> None:
        for view in lite.app.extensions["console"]._views:
            if isinstance(view, OperatorView):
                with pytest.raises(OperatorViewError, match="no session"):
                    view.session.query(Account)

    def test_audit_events_and_operators_are_no_list_at_all(self, lite: House) -> None:
        listed = {
            v.model for v in lite.app.extensions["console"]._views if isinstance(v, OperatorView)
        }
        assert listed == {Account, Identity, Project}


class TestActs:
    """74: acts are asked for themselves, not only for the list they stand on."""

    def test_a_viewer_cannot_send_what_is_greyed(self, lite: House) -> None:
        vic, acme = desk.hire(lite, "viewer"), people.team(lite)
        rows = [str(acme.account_id)]

        page = vic.get("/admin/accounts/").get_data(as_text=True)
        assert "Needs account:suspend; your role is viewer." in page
        with nothing_changes(lite, acme.ada):
            for confirmed in ("", "yes"):
                fields = {"action": "suspend", "confirmed": confirmed, "reason": REASON}
                assert vic.post("/admin/accounts/action/", rowid=rows, **fields).status_code == 403

    @pytest.mark.parametrize("action", ["delete", "nothing", "", "__init__"])
    def test_an_unknown_act_is_nothing(self, lite: House, action: str) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        with nothing_changes(lite, ada):
            answer = olga.post(
                "/admin/accounts/action/", action=action, rowid=[str(ada.account_id)]
            )
            assert answer.status_code in (404, 422)

    def test_without_rows_or_with_too_many_nothing_is_done(self, lite: House) -> None:
        olga = desk.hire(lite)
        assert olga.post("/admin/accounts/action/", action="suspend").status_code == 422
        many = [str(uuid7()) for _ in range(51)]
        assert olga.post("/admin/accounts/action/", action="suspend", rowid=many).status_code == 404

    def test_many_accounts_are_suspended_with_one_reason_each_told_in_its_own_log(
        self, lite: House
    ) -> None:
        olga, ada, gus = desk.hire(lite), people.register(lite, "ada"), people.register(lite, "gus")
        rows = [str(ada.account_id), str(gus.account_id)]

        asked = olga.post("/admin/accounts/action/", action="suspend", rowid=rows)
        assert "What will happen" in asked.get_data(as_text=True)
        assert ada.get("/api/user").status_code == 200
        short = {"action": "suspend", "confirmed": "yes", "reason": "short"}
        assert olga.post("/admin/accounts/action/", rowid=rows, **short).status_code == 422
        done = olga.post("/admin/accounts/action/", rowid=rows, **(short | {"reason": REASON}))

        assert done.get_data(as_text=True).count(">done<") == 2
        assert {p.get("/api/user").status_code for p in (ada, gus)} == {401}
        again = olga.post("/admin/accounts/action/", rowid=rows, **(short | {"reason": REASON}))
        assert again.get_data(as_text=True).count("not done") == 2


class TestExports:
    """75: cells that spreadsheets compute, secrets, caches, bounds."""

    def test_no_cell_is_computed(self, house: House) -> None:
        olga, ada = desk.hire(house), people.register(house, "ada")
        for formula in FORMULAS:
            plant(house, ada, formula)

        answer = olga.get("/admin/projects/export/csv/")
        rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True), newline="")))

        assert answer.headers["Cache-Control"] == "no-store"
        mine = [row for row in rows[1:] if row[1] == "ada"]
        assert len(mine) >= len(FORMULAS)
        for row in rows[1:]:
            for cell in row:
                assert not cell.lstrip(" ").startswith(FORMULA_SIGNS), cell

    @pytest.mark.parametrize("value", FORMULAS)
    def test_a_formula_gets_a_quote_in_front(self, value: str) -> None:
        assert safe_cell(value) == "'" + value

    @pytest.mark.parametrize("value", ["plain", "a=b", "1", "", "'quoted", "–", "a-b@c"])
    def test_other_text_stays_as_it_is(self, value: str) -> None:
        assert safe_cell(value) == value

    def test_numbers_below_zero_stay_numbers(self) -> None:
        assert safe_cell(-1) == "-1"

    def test_the_log_of_an_account_is_exported_safe_too(self, lite: House) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada", account_name="=cmd|'/C calc'!A0")
        path = f"/admin/audit/export/?account_id={ada.account_id}"

        text = olga.get(path).get_data(as_text=True)
        rows = list(csv.DictReader(io.StringIO(text, newline="")))

        assert {row["account_name"] for row in rows} == {"'=cmd|'/C calc'!A0"}
        lines = olga.get(path + "&format=ndjson").get_data(as_text=True).splitlines()
        assert len(lines) == len(rows) + 1  # the first export is in the log by now

    def test_an_export_is_bounded(self, lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
        from saas.services import console_audit_services

        olga, ada = desk.hire(lite), people.register(lite, "ada")
        monkeypatch.setattr(console_audit_services, "MOST_EXPORTED", 3)
        monkeypatch.setattr(ProjectsView, "export_max_rows", 1)
        projects(ada, "one", "two")

        assert len(olga.get("/admin/audit/export/").get_data(as_text=True).splitlines()) == 4
        assert len(olga.get("/admin/projects/export/csv/").get_data(as_text=True).splitlines()) == 2


def plant(house: House, owner: Person, text: str) -> None:
    """Put a project into an account past every schema: what a console must stand is what a database can hold."""
    row = {"account_id": owner.account_id, "id": uuid7(), "name": text, "description": text}
    now = utc_now()
    change(house, insert(Project).values(**row, created_at=now, updated_at=now))


class TestReading:
    """77: who looks is told, to the customer and to the house."""

    @pytest.mark.parametrize(
        "tab", ["overview", "users", "roles", "invitations", "keys", "sessions", "events", "notes"]
    )
    def test_each_look_at_an_account_is_one_event_in_its_own_log(
        self, lite: House, tab: str
    ) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")

        assert olga.get(f"/admin/accounts/{ada.account_id}/?tab={tab}").status_code == 200

        (seen,) = [e for e in ada.events() if e["action"] == "account.viewed"]
        assert (seen["actor_label"], seen["actor_type"]) == (olga.email, "operator")
        assert (seen["crud"], seen["data"], seen["channel"]) == ("r", {"page": tab}, "console")
        viewed = [e.data for e in olga.told() if e.action == "console.viewed"]
        assert viewed[-1] == {"page": tab, "account_id": str(ada.account_id), "query": None}

    def test_a_look_at_a_person_is_told_in_every_account_they_sit_in(self, lite: House) -> None:
        olga, ada, gus = desk.hire(lite), people.register(lite, "ada"), people.register(lite, "gus")
        people.add(lite, gus, "ada2", "viewer", email=ada.email)

        olga.get(f"/admin/people/{ada.identity_id}/")

        for owner in (ada, gus):
            assert [e["data"] for e in owner.events(action="account.viewed")] == [
                {"page": "person: overview"}
            ]

    @pytest.mark.parametrize(
        "path",
        ["/admin/accounts/", "/admin/people/?search=a", "/admin/search/?q=ada", "/admin/audit/", "/admin/audit/export/",
         "/admin/projects/", "/admin/accounts/export/csv/"],
    )  # fmt: skip
    def test_lists_searches_and_exports_are_told_in_the_log_of_the_house(
        self, lite: House, path: str
    ) -> None:
        olga = desk.hire(lite)
        before = len(olga.told())

        olga.get(path)

        (event,) = olga.told()[before:]
        assert event.action == "console.viewed"
        asked = path.partition("?")[2].partition("=")[2]
        assert asked in (event.data["query"] or "")

    def test_one_accounts_log_read_or_exported_is_told_there(self, lite: House) -> None:
        olga, ada = desk.hire(lite), people.register(lite, "ada")
        project = projects(ada, "Apollo")[0]
        event = ada.events(target_id=project)[0]["id"]

        olga.get(f"/admin/audit/?account_id={ada.account_id}")
        olga.get(f"/admin/audit/export/?account_id={ada.account_id}")
        olga.get(f"/admin/audit/{event}/")
        olga.get(f"/admin/projects/details/?id={project}")

        pages = [e["data"]["page"] for e in ada.events(action="account.viewed")]
        assert pages == ["audit log", "audit log: export", "event", "details: Projects"]

    def test_what_cannot_be_told_is_not_shown(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from saas.services import console_looks

        olga, ada = desk.hire(lite), people.register(lite, "ada", account_name="Secretive")

        def away(*args: Any, **options: Any) -> None:
            raise RuntimeError("the log cannot be written")

        monkeypatch.setattr(console_looks, "record", away)
        answer = olga.get(f"/admin/accounts/{ada.account_id}/")

        assert answer.status_code == 500
        assert "Secretive" not in answer.get_data(as_text=True)
        assert "cannot be written" not in answer.get_data(as_text=True)


class TestSecrets:
    """79: no secret of anybody is on any page, list, detail, export or in any source of HTML."""

    def test_none_is_anywhere(self, lite: House) -> None:
        olga, acme = desk.hire(lite), people.team(lite)
        acts.make_key(lite, acme.ada, "project:read")
        acts.invite(acme.ada, people.fresh_email("kim"), "viewer")
        secrets = secret_values(lite)
        assert len(secrets) > 10

        for path in every_page(olga, acme):
            text = olga.get(path).get_data(as_text=True)
            assert not [s for s in secrets if s in text], path

    @pytest.mark.parametrize(
        ("model", "name"),
        [
            (Identity, "password_hash"),
            (OperatorRow, "totp_seed"),
            (OperatorRow, "email"),
            (User, "secret_note"),
        ],
    )
    def test_a_list_that_names_one_stops_the_start(self, model: Any, name: str) -> None:
        class Leaky(OperatorView):
            permission = ConsolePermission.RECORD_READ
            fields = (Field(name, "Leak"),)

        if (
            name == "email"
        ):  # no secret: stands here to show that the others are refused for what they are
            Leaky(model, endpoint="leaky")
            return
        with pytest.raises(FieldError):
            Leaky(model, endpoint="leaky")

    def test_a_column_that_its_table_hides_is_refused_whatever_its_name(self) -> None:
        class Leaky(OperatorView):
            permission = ConsolePermission.RECORD_READ
            fields = (Field("totp_key", "Key"),)

        with pytest.raises(FieldError):
            Leaky(OperatorRow, endpoint="leaky")


def secret_values(house: House) -> set[str]:
    """Every hash and seed in the database."""
    from saas.models import OWNERSHIP

    names = ("password_hash", "token_hash", "secret_hash", "code_hash", "totp_seed", "setup_hash")
    found = set()
    for table in OWNERSHIP.metadata.sorted_tables:
        for name in names:
            if name in table.c:
                found |= {row[0] for row in look(house, select(table.c[name])) if row[0]}
    return found


def every_page(olga: Desk, acme: Team) -> list[str]:
    account, person = (
        f"/admin/accounts/{acme.account_id}/",
        f"/admin/people/{acme.ben.identity_id}/",
    )
    tabs = ("overview", "users", "roles", "invitations", "keys", "sessions", "events", "notes")
    event = acme.ada.events()[-1]["id"]
    return [
        *(f"{account}?tab={tab}" for tab in tabs), f"{account}suspend/",
        *(f"{person}?tab={tab}" for tab in ("overview", "sessions", "events", "house", "notes")),
        "/admin/", "/admin/accounts/", "/admin/people/", f"/admin/people/details/?id={acme.ben.identity_id}",
        "/admin/audit/", "/admin/audit/?log=house", f"/admin/audit/{event}/", "/admin/search/?q=a",
        "/admin/operators/", f"/admin/operators/{olga.id}/", "/admin/roles/", "/admin/projects/", "/admin/me/",
        "/admin/audit/export/", "/admin/audit/export/?format=ndjson&log=house", "/admin/people/export/csv/",
        "/admin/accounts/export/csv/",
    ]  # fmt: skip


class TestTheSafeBase:
    """What an adopter may forget stops the start."""

    def test_a_stock_view_is_refused(self) -> None:
        class Holder:
            session = None

        with pytest.raises(ConsoleViewError, match="open to everybody"):
            console.check(ModelView(Project, Holder(), endpoint="stock"))

    def test_a_view_without_fields_or_permission_is_refused(self) -> None:
        class NoFields(OperatorView):
            permission = ConsolePermission.RECORD_READ

        class NoPermission(OperatorView):
            fields = (Field("name", "Name"),)

        for incomplete in (NoFields, NoPermission):
            with pytest.raises(OperatorViewError, match="say its fields and its permission"):
                incomplete(Project, endpoint="incomplete")

    @pytest.mark.parametrize(
        "door", ["can_create", "can_edit", "can_delete", "column_editable_list"]
    )
    def test_a_door_that_a_subclass_opens_again_is_refused(self, door: str) -> None:
        opened = type(
            "Opened", (ProjectsView,), {door: ["name"] if door.startswith("col") else True}
        )
        with pytest.raises(OperatorViewError):
            console.check(opened(Project, endpoint="opened"))

    def test_a_page_that_does_not_say_who_may_is_refused(self) -> None:
        from flask_admin import expose

        from admin.guarded import ConsolePage

        class Silent(ConsolePage):
            @expose("/")
            def index(self) -> str:
                return "open"

        with pytest.raises(ConsoleViewError, match=r"say @asks"):
            console.check(Silent(endpoint="silent"))

    def test_a_list_of_ones_own_is_safe_by_deriving(self, narrow: House) -> None:
        olga, ada = desk.hire(narrow), people.register(narrow, "ada")
        projects(ada, "Apollo")

        page = olga.get("/admin/active/").get_data(as_text=True)
        assert "Apollo" in page
        assert str(ada.account_id) in page
        assert '<a href="/admin/active/" aria-current="page">' in page  # it stands in the menu
        assert narrow.app.test_client().get("/admin/active/").status_code == 404
        assert ada.get("/admin/active/").status_code == 404

    def test_errors_of_the_database_are_a_sentence_with_the_request_id(
        self, lite: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        olga = desk.hire(lite)
        broken = select(
            Project.__table__.c.name, Account.__table__.c.name.op("!!")("x").label("id")
        )
        monkeypatch.setattr(ProjectsView, "get_query", lambda self: broken)

        answer = olga.get("/admin/projects/")

        text = answer.get_data(as_text=True)
        assert answer.status_code == 500
        assert answer.headers["X-Request-ID"] in text
        assert "SELECT" not in text
        assert "projects.name" not in text


def test_flask_admins_own_files_are_not_served(lite: House) -> None:
    assert isinstance(lite.app.extensions["console"], Admin)
    rules = {rule.rule for rule in lite.app.url_map.iter_rules() if "filename" in rule.rule}
    assert rules == {"/static/<path:filename>", "/static/console/<path:filename>"}

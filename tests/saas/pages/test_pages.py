"""Pages without a browser: what the HTML says, and that every form works as a plain POST."""

from __future__ import annotations

import itertools
import re
from uuid import uuid4

import pytest

from saas import errors
from saas.pages import device_pages, docs_pages, error_pages, schema_pages, shared_pages
from saas.routes import DEV_PAGES, PAGES
from tests.saas.pages.reading import Element, Html, link_for, page, press

PASSWORD = "seven quiet herons walk"
SIGNED_OUT_PATHS = ("/", "/login", "/register", "/api/docs", "/password/forgot")
_number = itertools.count()


@pytest.fixture
def email():
    return f"ada{next(_number)}.{uuid4().hex[:8]}@example.com"


@pytest.fixture
def ada(client, email):
    """A client in which Ada, owner of a new account, is signed in."""
    sign_up(client, email)
    return client


def sign_up(client, email):
    answer = client.post(
        "/register",
        data={"username": "Ada", "email": email, "password": PASSWORD, "account_name": "Acme"},
    )
    assert answer.status_code == 303, answer.text


def account_id(client) -> str:
    return page(client, "/settings").by_id("account-id").text


def make_project(client, name: str = "Apollo") -> str:
    answer = client.post("/projects", data={"name": name, "description": "First."})
    assert answer.status_code == 303, answer.text
    links = [e.attributes["href"] for e in page(client, "/projects").all("a")]
    return next(href for href in links if re.fullmatch(r"/projects/[0-9a-f-]{36}", href))


def make_webhook(client) -> str:
    url = f"http://127.0.0.1:9/{next(_number)}"  # nothing is sent until a worker runs
    made = client.post("/webhooks", data={"url": url, "actions": ["project.created"]})
    assert made.status_code == 201, made.text
    return Html(made.text).one("a", **{"class": "button primary"}).link


LEAVING = {"/logout", "/login", "/register"}  # they lead somebody signed in elsewhere
REFUSED = {"/invitations/accept": 403}  # to somebody signed in with another address


def links_of_mails(house, client, email) -> dict[str, str]:
    """The pages that mails lead to, each with its token: a verification, a reset and an invitation."""
    verify = link_for(house, client, email)
    client.post("/password/forgot", data={"email": email})
    invited = f"dora{next(_number)}.{uuid4().hex[:8]}@example.com"
    viewer = page(client, "/invitations").all("input", name="role_ids")[-1].attributes["value"]
    assert (
        client.post("/invitations", data={"email": invited, "role_ids": viewer}).status_code == 303
    )
    links = [verify, link_for(house, client, email), link_for(house, client, invited)]
    return {link.partition("?")[0]: link for link in links}


def every_path(house, client, email) -> dict[str, str]:
    """Each page of the route table with ids and tokens filled in, so that a new one is not forgotten."""
    filled = links_of_mails(house, client, email)
    role = client.post("/roles", data={"name": f"role {next(_number)}", "permissions": "user:read"})
    filled |= {
        "/projects/<project_id>": make_project(client, f"Project {next(_number)}"),
        "/members/<user_id>": page(client, "/members").all("th", scope="row")[0].link,
        "/roles/<role_id>": role.location,
        "/roles/<role_id>/preview": f"{role.location}/preview?name=x&permissions=role:read",
        "/webhooks/<webhook_id>": make_webhook(client),
        "/dev/mail/<mail_id>": page(client, "/dev/mail").all("a", **{"class": "row-title"})[0].link,
    }
    paths = [r.path for r in (*PAGES, *DEV_PAGES) if r.method == "GET" and r.path not in LEAVING]
    return {path: filled.get(path, path) for path in paths}


def every_page(house, client, email) -> dict[str, Html]:
    paths = every_path(house, client, email)
    return {path: page(client, paths[path], REFUSED.get(path, 200)) for path in paths}


def signed_out_pages(stranger, paths) -> dict[str, Html]:
    shown = (
        *SIGNED_OUT_PATHS,
        "/dev/mail",
        "/invitations/accept",
        "/password/reset",
        "/email/verify",
    )
    return {f"{path}, signed out": page(stranger, paths.get(path, path)) for path in shown} | {
        "/nothing-here": page(stranger, "/nothing-here", 404)
    }


@pytest.fixture
def all_pages(lite, email):
    client = lite.app.test_client()
    sign_up(client, email)
    paths = every_path(lite, client, email)
    drawn = {path: page(client, paths[path], REFUSED.get(path, 200)) for path in paths}
    return [*drawn.items(), *signed_out_pages(lite.app.test_client(), paths).items()]


class TestEveryPage:
    def test_has_a_language_a_title_one_heading_and_landmarks(self, all_pages):
        for path, html in all_pages:
            assert html.one("html").attributes["lang"] == "en", path
            assert html.one("title").text.endswith("· Tenantry"), path
            assert len(html.all("h1")) == 1, path
            assert html.one("main").attributes["id"] == "main", path
            assert html.all("a", href="#main"), path
            assert html.one("div", role="status"), path

    def test_has_no_inline_script_or_style_and_names_no_other_host(self, all_pages):
        for path, html in all_pages:
            for element in html.elements:
                names = element.attributes.keys()
                assert "style" not in names, (path, element)
                assert not [n for n in names if n.startswith("on")], (path, element)
                for name in ("href", "src", "action"):
                    target = element.attributes.get(name) or ""
                    assert not re.match(r"(\w+:)?//|javascript:|data:", target), (path, element)
            assert all(e.attributes.get("src") for e in html.all("script")), path
            assert not html.all("style"), path

    def test_ties_every_control_to_a_label_and_to_what_describes_it(self, all_pages):
        for path, html in all_pages:
            ids = [e.attributes["id"] for e in html.elements if "id" in e.attributes]
            assert len(ids) == len(set(ids)), (path, ids)
            labels = {e.attributes.get("for") for e in html.all("label")}
            for control in html.all("input") + html.all("textarea") + html.all("select"):
                if control.attributes.get("type") == "hidden" or "hidden" in control.attributes:
                    continue
                tied = control.attributes.get("id") in labels or "label" in control.within
                assert tied, (path, control)
                for described in (control.attributes.get("aria-describedby") or "").split():
                    assert described in ids, (path, control)

    def test_captions_its_tables_and_writes_times_in_utc(self, all_pages):
        for path, html in all_pages:
            assert len(html.all("caption")) == len(html.all("table")), path
            assert all(e.attributes.get("scope") for e in html.all("th")), path
            for time in html.all("time"):
                moment = time.attributes["datetime"] or ""
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment), (path, moment)
                assert "UTC" in time.text, path

    def test_says_in_each_form_which_account_it_was_drawn_in(self, house, ada, email):
        shown = account_id(ada)
        for path, html in every_page(house, ada, email).items():
            forms = [f.attributes["action"] for f in html.all("form", method="post")]
            assert forms, path
            for action in forms:
                if action == "/logout":
                    continue
                hidden = [e for e in html.all("input", name="account_id") if e.form == action]
                assert hidden, (path, action)
                assert {e.attributes["value"] for e in hidden} == {shown}, (path, action)

    def test_tells_browsers_what_each_field_of_a_sign_in_holds(self, client):
        for path in ("/login", "/register"):
            for control in page(client, path).all("input"):
                if control.attributes["type"] in ("text", "email", "password"):
                    assert control.attributes["autocomplete"], (path, control)


class TestSigningIn:
    def test_a_page_of_the_account_leads_to_the_sign_in_and_back(self, app, ada, email):
        stranger = app.test_client()
        first = stranger.get("/projects?limit=5")
        assert first.status_code == 303
        assert first.location == "/login?next=%2Fprojects%3Flimit%3D5"
        action = page(stranger, first.location).one("form").attributes["action"]
        answer = stranger.post(action, data={"email": email, "password": PASSWORD})
        assert (answer.status_code, answer.location) == (303, "/projects?limit=5")

    def test_a_wrong_password_is_a_401_in_place_that_keeps_only_the_address(self, app, ada, email):
        unsafe = "not the right words"
        answer = app.test_client().post("/login", data={"email": email, "password": unsafe})
        html = Html(answer.text)
        assert answer.status_code == 401
        assert errors.CouldNotVerifyLoginError.message in html.one("div", role="alert").text
        assert html.by_id("login-email").attributes["value"] == email
        assert "value" not in html.by_id("login-password").attributes
        assert unsafe not in answer.text

    def test_an_unknown_address_reads_like_a_wrong_password(self, app, ada, email):
        def alert(address: str) -> str:
            sent = {"email": address, "password": "not the right words"}
            answer = app.test_client().post("/login", data=sent)
            return Html(answer.text).one("div", role="alert").text

        assert alert(email) == alert("nobody.at.all@example.com")

    def test_an_address_in_use_is_a_409_on_the_field(self, app, ada, email):
        data = {"username": "Eve", "email": email, "password": PASSWORD, "account_name": ""}
        answer = app.test_client().post("/register", data=data)
        html = Html(answer.text)
        control = html.by_id("register-email").attributes
        assert answer.status_code == 409
        assert control["aria-invalid"] == "true"
        assert control["aria-describedby"] == "register-email-error"
        assert html.by_id("register-username").attributes["value"] == "Eve"
        assert PASSWORD not in answer.text

    def test_a_form_that_cannot_be_read_is_a_422_that_names_each_field(self, client):
        data = {"username": "9<b>", "email": "nowhere", "password": "short", "account_name": "A"}
        answer = client.post("/register", data=data)
        html = Html(answer.text)
        assert answer.status_code == 422
        linked = {e.attributes["href"] for e in html.all("a") if "ul" in e.within}
        assert {"#register-username", "#register-email", "#register-password"} <= linked
        assert html.by_id("register-username").attributes["value"] == "9<b>"
        assert html.by_id("register-account_name").attributes["value"] == "A"
        assert "<b>" not in answer.text
        assert html.one("title").text.startswith("Error: ")

    def test_an_account_without_a_name_is_named_after_its_owner(self, app, email):
        client = app.test_client()
        data = {"username": "Zoe", "email": email, "password": PASSWORD, "account_name": ""}
        assert client.post("/register", data=data).status_code == 303
        assert "Welcome, Zoe" in page(client, "/").one("h1").text

    def test_signing_out_ends_the_session_and_says_so(self, ada):
        answer = ada.post("/logout")
        assert (answer.status_code, answer.location) == (303, "/")
        assert "You are signed out." in page(ada, "/").one("div", role="status").text
        assert ada.get("/settings").status_code == 303

    def test_somebody_signed_in_does_not_see_the_sign_in_forms(self, ada):
        assert ada.get("/login?next=/projects").location == "/projects"
        assert ada.get("/register").location == "/"


@pytest.mark.parametrize(
    "unsafe_path",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/",
        "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "projects", "", None,
        "/\x00", "///evil.example", "http:/evil.example", "/\\/evil.example",
    ],
)  # fmt: skip
def test_nobody_is_led_to_another_site_after_signing_in(unsafe_path):
    assert shared_pages.safe_path(unsafe_path) == "/"


@pytest.mark.parametrize("path", ["/", "/projects", "/projects?cursor=a%2Fb&limit=5", "/audit#x"])
def test_a_path_of_this_site_is_gone_on_to(path):
    assert shared_pages.safe_path(path) == path


class TestProjects:
    def test_a_project_is_created_changed_and_deleted(self, ada):
        path = make_project(ada, "Apollo")
        assert "Apollo" in page(ada, path).one("h1").text
        changed = {"name": "Borealis", "description": "", "account_id": account_id(ada)}
        assert ada.post(path, data=changed).location == path
        html = page(ada, path)
        assert "Borealis" in html.one("h1").text
        assert html.by_id("project-description").text.strip() == ""
        assert ada.post(f"{path}/delete").location == "/projects"
        assert page(ada, path, 404).one("h1").text == "There is nothing here"

    def test_a_name_in_use_is_a_409_in_the_open_form_that_keeps_what_was_typed(self, ada):
        make_project(ada, "Apollo")
        answer = ada.post("/projects", data={"name": "Apollo", "description": "Second <try>"})
        html = Html(answer.text)
        assert answer.status_code == 409
        assert html.by_id("project-name").attributes["value"] == "Apollo"
        assert html.by_id("project-description").text.strip() == "Second <try>"
        assert "open" in next(
            e.attributes
            for e in html.all("details")
            if "disclosure" in (e.attributes["class"] or "")
        )

    def test_a_refused_change_keeps_what_was_typed_and_changes_nothing(self, ada):
        make_project(ada, "Borealis")
        path = make_project(ada, "Apollo")
        answer = ada.post(path, data={"name": "Borealis", "description": "x"})
        assert answer.status_code == 409
        assert Html(answer.text).by_id("project-name").attributes["value"] == "Borealis"
        assert "Apollo" in page(ada, path).one("h1").text

    def test_the_list_is_walked_page_by_page(self, ada):
        for number in range(5):
            make_project(ada, f"P{number}")
        seen, path = [], "/projects?limit=2"
        for _ in range(3):
            html = page(ada, path)
            seen += [e.text for e in html.all("a") if "tbody" in e.within]
            following = html.all("a", rel="next")
            path = f"{following[0].attributes['href']}&limit=2" if following else ""
        assert seen == ["P4", "P3", "P2", "P1", "P0"]
        assert path == ""

    def test_a_made_up_cursor_is_refused_in_words(self, ada):
        html = page(ada, "/projects?cursor=AAAA", 422)
        assert html.one("h1").text == "Something needs correcting"

    def test_names_are_shown_as_text(self, ada):
        name = "3 < 5 & \"x\" 'y'"
        path = make_project(ada, name)
        assert page(ada, path).one("h1").text == name


class TestSettings:
    def test_a_new_address_counts_once_its_link_is_opened(self, app, house, ada, email):
        new = f"new{uuid4().hex[:8]}@example.com"
        answer = ada.post("/settings/email", data={"email": new, "password": PASSWORD})
        assert (answer.status_code, answer.location) == (303, "/settings#email")
        settings = page(ada, "/settings")
        assert new in settings.one("div", role="status").text
        assert email in settings.by_id("profile").text
        link = link_for(house, ada, new)
        assert new in page(ada, link).one("main").text
        assert email in page(ada, "/settings").by_id("profile").text
        assert press(ada, link).location == "/"
        assert new in page(ada, "/settings").by_id("profile").text
        answer = app.test_client().post("/login", data={"email": new, "password": PASSWORD})
        assert answer.status_code == 303

    def test_a_wrong_password_is_marked_in_its_form_only(self, ada, email):
        sent = {"email": "x@example.com", "password": "not the right words"}
        answer = ada.post("/settings/email", data=sent)
        html = Html(answer.text)
        assert answer.status_code == 422
        assert html.by_id("change-email-password").attributes["aria-invalid"] == "true"
        assert html.by_id("change-email-email").attributes["value"] == "x@example.com"
        assert "aria-invalid" not in html.by_id("change-password-current_password").attributes
        assert sent["password"] not in answer.text
        assert email in page(ada, "/settings").one("main").text

    def test_a_new_password_ends_the_other_sessions(self, app, ada, email):
        elsewhere = app.test_client()
        assert elsewhere.post("/login", data={"email": email, "password": PASSWORD}).location == "/"
        data = {"current_password": PASSWORD, "new_password": "five red lamps in fog"}
        assert ada.post("/settings/password", data=data).location == "/settings#password"
        assert elsewhere.get("/settings").status_code == 303
        assert ada.get("/settings").status_code == 200

    def test_a_weak_new_password_is_refused_in_place(self, ada):
        data = {"current_password": PASSWORD, "new_password": "password"}
        answer = ada.post("/settings/password", data=data)
        html = Html(answer.text)
        assert answer.status_code == 422
        assert html.by_id("change-password-new_password").attributes["aria-invalid"] == "true"

    def test_another_account_is_opened_and_entered(self, ada):
        first = account_id(ada)
        make_project(ada, "Apollo")
        assert ada.post("/settings/accounts", data={"name": "Globex"}).status_code == 303
        settings = page(ada, "/settings")
        target = settings.one("input", name="to_account_id").attributes["value"]
        answer = ada.post("/settings/account", data={"to_account_id": target, "account_id": first})
        assert (answer.status_code, answer.location) == (303, "/")
        assert account_id(ada) == target
        assert "Apollo" not in page(ada, "/projects").source

    def test_a_form_of_the_former_account_is_refused_and_does_nothing(self, ada):
        first = account_id(ada)
        ada.post("/settings/accounts", data={"name": "Globex"})
        target = page(ada, "/settings").one("input", name="to_account_id").attributes["value"]
        ada.post("/settings/account", data={"to_account_id": target})
        answer = ada.post(
            "/projects",
            data={"name": "Astray", "account_id": first},
            headers={"Accept": "text/html"},
        )
        assert answer.status_code == 409
        assert errors.AccountMismatchError.message in answer.text
        assert "Astray" not in page(ada, "/projects").source

    def test_an_own_session_is_ended(self, app, ada, email):
        elsewhere = app.test_client(use_cookies=True)
        elsewhere.post("/login", data={"email": email, "password": PASSWORD})
        html = page(ada, "/settings")
        endings = [f.attributes["action"] for f in html.all("form") if _ends(f)]
        assert len(endings) == 1
        assert ada.post(endings[0]).location == "/settings#sessions"
        assert elsewhere.get("/settings").status_code == 303

    def test_the_session_in_use_is_told_apart(self, ada):
        html = page(ada, "/settings")
        assert [e.text for e in html.all("span") if e.text == "This device"] == ["This device"]


def _ends(form: Element) -> bool:
    return bool(
        re.fullmatch(r"/settings/sessions/[0-9a-f-]{36}/end", form.attributes["action"] or "")
    )


class TestAudit:
    def test_the_log_shows_who_did_what(self, ada):
        make_project(ada, "Apollo")
        rows = [e.text for e in page(ada, "/audit").all("tr")]
        newest = rows[1]
        assert "project.created" in newest
        assert "Apollo" in newest
        assert "Ada" in newest

    def test_the_log_shows_what_changed(self, ada):
        path = make_project(ada, "Apollo")
        ada.post(path, data={"name": "Borealis", "description": "First."})
        newest = page(ada, "/audit").all("tr")[1].text
        assert re.search(r"name\s*Apollo → Borealis", newest)

    def test_the_log_is_walked_page_by_page(self, ada):
        make_project(ada)
        first = page(ada, "/audit?limit=2")
        following = first.one("a", rel="next").attributes["href"]
        second = page(ada, following)
        numbers = [int(e.text) for html in (first, second) for e in html.all("td") if _is_number(e)]
        assert numbers == list(range(numbers[0], numbers[0] - 4, -1))


def _is_number(cell: Element) -> bool:
    return "number" in (cell.attributes.get("class") or "")


class TestViewer:
    def test_sees_projects_without_the_forms_for_changing_them(self, acme):
        path = make_project(acme.ada.client, "Apollo")
        vera = acme.vera.client
        assert "Apollo" in page(vera, "/projects").one("table").text
        forms = [f for p in ("/projects", path) for f in page(vera, p).all("form")]
        assert {f.attributes["action"] for f in forms} == {"/logout"}
        assert "First." in page(vera, path).one("main").text

    def test_is_told_which_permission_a_change_needs(self, acme):
        path = make_project(acme.ada.client, "Apollo")
        answer = acme.vera.client.post(f"{path}/delete")
        assert answer.status_code == 403
        assert "project:delete" in Html(answer.text).one("main").text
        assert "Apollo" in page(acme.ada.client, path).one("h1").text

    def test_is_not_led_to_the_audit_log_and_cannot_open_it(self, acme):
        assert not page(acme.vera.client, "/").all("a", href="/audit")
        assert "audit:read" in page(acme.vera.client, "/audit", 403).one("main").text

    def test_sees_which_role_it_has(self, acme):
        badges = page(acme.vera.client, "/").all("span", **{"class": "badge"})
        assert [e.text for e in badges] == ["viewer"]


class TestErrorPage:
    @pytest.mark.parametrize("error_class", errors.CATALOGUE, ids=lambda c: c.__name__)
    def test_it_tells_message_code_and_request_id_in_words(self, app, error_class):
        with app.test_request_context("/"):
            html = Html(error_pages.error_page(error_class(), "0a1b2c3d4e5f"))
        words = html.one("main").text
        assert error_class.message in words
        assert str(error_class.internal_error_code) in words
        assert "0a1b2c3d4e5f" in words
        assert html.one("h1").text

    def test_it_says_when_to_try_again(self, app):
        with app.test_request_context("/"):
            text = error_pages.error_page(errors.TooManyRequestsError(retry_after=7), "0a1b2c3d")
        assert "Try again in 7 seconds." in text

    def test_somebody_locked_out_can_sign_out(self, app):
        with app.test_request_context("/"):
            locked_out = Html(error_pages.error_page(errors.SuspendedError(), "0a1b2c3d"))
            missing = Html(error_pages.error_page(errors.NotFoundError(), "0a1b2c3d"))
        assert locked_out.one("form").attributes["action"] == "/logout"
        assert not missing.all("form")

    def test_it_names_the_request_that_failed(self, client):
        answer = client.get("/nothing-here", headers={"Accept": "text/html"})
        assert answer.headers["X-Request-ID"] in answer.text


class TestApiDocs:
    def test_every_call_of_the_document_is_shown_with_its_permission(self, client):
        document = client.get("/openapi.json").get_json()
        html = page(client, "/api/docs")
        shown = [e for e in html.all("details") if "call" in (e.attributes["class"] or "")]
        calls = [(m.upper(), path) for path, item in document["paths"].items() for m in item]
        assert len(shown) == len(calls) > 20
        text = {tuple(e.text.split()[:2]): e.text for e in shown}
        assert set(text) == set(calls)
        assert "project:create" in text["POST", "/api/projects"]

    def test_every_link_on_the_page_leads_to_a_place_on_it(self, client):
        html = page(client, "/api/docs")
        ids = {e.attributes.get("id") for e in html.elements}
        links = {e.attributes["href"] or "" for e in html.all("a")}
        assert {link[1:] for link in links if link.startswith("#")} <= ids

    def test_a_sample_body_is_one_that_the_schema_accepts(self, client):
        document = client.get("/openapi.json").get_json()
        schema = {"$ref": "#/components/schemas/CreateProjectIn"}
        sample = schema_pages.sample_json(document, schema)
        assert set(re.findall(r'"(\w+)":', sample)) == {"name", "description"}

    def test_schemas_that_contain_themselves_end(self):
        node = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Node"}}}
        document = {"components": {"schemas": {"Node": node}}, "paths": {}}
        assert "child" in schema_pages.sample_json(document, node)
        assert docs_pages.group_operations(document) == []

    @pytest.mark.parametrize(
        ("schema", "words"),
        [
            ({"type": "string", "minLength": 1, "maxLength": 2000}, "text, 1 to 2,000 characters"),
            ({"type": "integer", "maximum": 100}, "integer, at most 100"),
            ({"type": "string", "format": "uuid"}, "UUID"),
            ({"type": ["string", "null"]}, "text or nothing (null)"),
            ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false or nothing (null)"),
            ({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, "list of A"),
            ({"enum": ["a", "b"]}, "one of a, b"),
            ({"const": "ok"}, 'always "ok"'),
        ],
    )
    def test_types_are_told_in_words(self, schema, words):
        assert schema_pages.type_words({}, schema) == words


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/150 Safari/537 Edg/150", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/150 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19 Safari/604", "Safari on iPhone"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "a Python program"),
        ("", "Unknown device"),
        (None, "Unknown device"),
    ],
)  # fmt: skip
def test_a_device_is_told_in_two_words(user_agent, words):
    assert device_pages.device_name(user_agent) == words

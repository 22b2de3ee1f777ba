"""The README is true: its tables are the code's, its walk is what happens, its commands do what they say."""

from __future__ import annotations

import re
import secrets
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from saas.errors import CATALOGUE
from saas.models import OWNERSHIP
from saas.permissions import Permission
from saas.routes import ROUTES
from tenants.role_check import check_role
from tests import databases, docs_runner, docs_words, needs, people
from tests.docs_runner import ROOT, Copy
from tests.house import House
from tests.people import Person

README = (ROOT / "README.md").read_text("utf-8")


def test_first_screen_is_one_sentence_and_two_commands() -> None:
    screen = re.sub(r"<picture>.*?</picture>", "", README, flags=re.DOTALL)
    lines = [line for line in screen.splitlines() if line.strip()]

    assert lines[0] == "# Tenantry"
    assert re.fullmatch(r"[^.]+\.", lines[1])
    assert lines[2:6] == ["```console", "$ make run", "$ make test", "```"]


def test_one_address_shows_a_project_in_its_account_and_nothing_in_another(lite: House) -> None:
    ada, gus = people.register(lite), people.register(lite, "gus")
    path = f"/projects/{ada.post('/api/projects', {'name': 'Apollo'}).json['data']['id']}"

    assert "Apollo" in ada.get(path).get_data(as_text=True)
    assert gus.get(path).status_code == 404
    assert "Apollo" not in gus.get(path).get_data(as_text=True)


@pytest.mark.parametrize("heading", ["API", "Page"])
def test_table_of_urls_is_the_table_of_routes(heading: str) -> None:
    methods = re.search(rf"^\| {heading} \|(.+)\|$", README, re.MULTILINE)
    assert methods
    told = {
        (method.strip(), row[0].strip("`"), cell.strip("`"))
        for row in docs_words.table(README, heading)
        for method, cell in zip(methods[1].split("|"), row[1:], strict=True)
        if cell
    }
    kind = "api" if heading == "API" else "page"

    assert told == {(r.method, r.path, _who(r.permission)) for r in ROUTES if r.kind == kind}


def _who(permission: Permission | str) -> str:
    return permission.value if isinstance(permission, Permission) else permission


def test_table_of_urls_has_every_url_of_the_app(lite: House) -> None:
    told = {
        row[0].strip("`")
        for heading in ("API", "Page")
        for row in docs_words.table(README, heading)
    }
    of_the_app = {re.sub(r"<\w+:", "<", rule.rule) for rule in lite.app.url_map.iter_rules()}

    # The console and the files have their own sentences, and so has the mail of a clone.
    elsewhere = {"/dev/mail", "/dev/mail/<mail_id>"}
    assert all(f"`{path}`" in README for path in elsewhere)
    files = {"/static/<filename>", "/static/console/<filename>"}
    console = {path for path in of_the_app if path.startswith("/admin/")}
    assert of_the_app - told == console | files | elsewhere
    assert told <= of_the_app


def test_table_of_errors_is_the_catalogue() -> None:
    told = [(int(row[0]), row[1]) for row in docs_words.table(README, "Code")]

    assert told == [(error.internal_error_code, error.message) for error in CATALOGUE]
    assert all(error.status == error.internal_error_code // 100 for error in CATALOGUE)


def test_error_that_is_shown_is_the_one_that_comes(lite: House) -> None:
    ada = people.register(lite)
    told: dict[str, Any] = docs_runner.json_of(README, "error")
    ada.post("/api/projects", {"name": "Apollo"})

    got = ada.post("/api/projects", {"name": "Apollo"}).json

    assert {**told["errors"], "request_id": ""} == {**got["errors"], "request_id": ""}
    assert len(told["errors"]["request_id"]) == len(got["errors"]["request_id"])


def test_every_law_names_its_files_and_its_proof() -> None:
    rows = re.findall(r"^\| (\d) \| (.+) \| (.+) \| (.+) \|$", README, re.MULTILINE)

    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]
    for _, _, held_by, proven_by in rows:
        for path in re.findall(r"`([^`]+)`", held_by):
            assert (ROOT / path).is_file()
            assert not path.startswith("tests/")
        for path in re.findall(r"`([^`]+)`", proven_by):
            assert re.search(
                r"^(?:async )?def test_", (ROOT / path).read_text("utf-8"), re.MULTILINE
            )


def test_walk_names_the_functions_in_the_order_in_which_they_are_called(lite: House) -> None:
    section = README.split("## One request through the files")[1].split("\n## ")[0]
    told = [
        s
        for s in docs_words.spans(section)
        if re.fullmatch(r"[a-z_]+\.[a-z_]+", s) and s != "project.created"
    ]
    ada = people.register(lite)

    called = _called_by(ada)

    assert len(told) >= 12
    position = 0
    for name in told:
        assert name in called[position:], (
            f"{name} is not called after what the walk names before it"
        )
        position = called.index(name, position) + 1


def _called_by(ada: Person) -> list[str]:
    """Every function of ours that POST /api/projects calls, as module.function, in order."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(("saas.", "tenants.")):
            called.append(f"{module.rsplit('.', 1)[-1]}.{frame.f_code.co_name}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer = ada.post("/api/projects", {"name": "Apollo"})
    finally:
        sys.setprofile(before)
    assert answer.status_code == 201
    return called


@pytest.mark.timeout(300)
def test_what_you_see_is_what_comes(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "house")
    seen = "".join(copy.run("flask", *command.split())[1] for command in ("db upgrade", "seed"))
    expected = docs_runner.named(README, "what you see").replace(":5000", f":{_free_port()}")
    port = re.search(r":(\d+)/login", expected)
    assert port

    seen += _first_words_of_the_server(copy, port[1])

    docs_runner.compare("make run", expected, seen)


def _first_words_of_the_server(copy: Copy, port: str) -> str:
    """Start `flask serve` as `make run` does, and return what it says until it listens."""
    environment = copy.environment() | {"PORT": port}
    command = [sys.executable, "-m", "flask", "serve"]
    with subprocess.Popen(
        command,
        cwd=copy.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        said = ""
        try:
            assert server.stdout
            for line in server.stdout:
                said += line
                if "Booting worker" in line:
                    break
        finally:
            server.terminate()
    return said


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        number: int = one.getsockname()[1]
        return number


@pytest.mark.timeout(300)
def test_three_lines_move_to_postgresql(tmp_path: Path) -> None:
    lines = docs_runner.named(README, "postgresql").splitlines()
    assert len(lines) == 3
    copy = Copy(tmp_path / "house")
    try:
        with _database_without_roles(tmp_path) as urls:
            given = _exported(lines[0], urls)
            for line in [*lines[1:], "flask check"]:
                code, printed = copy.run(*shlex.split(line), **given)
                assert code == 0, printed
            _holds_the_boundary(urls)
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


@contextmanager
def _database_without_roles(folder: Path) -> Iterator[dict[str, str]]:
    """An empty database and the three URLs to it; the users of two of them are not there yet."""
    with (
        ExitStack() as roles_go_after_the_database,
        databases.empty_database("postgresql", folder, "readme") as urls,
    ):
        server = make_url(urls.superuser_url)
        ours = {"DATABASE_ADMIN_URL": server}
        for name in ("DATABASE_URL", "DATABASE_SYSTEM_URL"):
            role = f"{databases.PREFIX}{secrets.token_hex(6)}"
            roles_go_after_the_database.callback(_drop_role, server.set(database="postgres"), role)
            ours[name] = server.set(username=role, password=secrets.token_hex(8))
        yield {name: url.render_as_string(hide_password=False) for name, url in ours.items()}


def _drop_role(server: URL, role: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {role}"))
    engine.dispose()


def _exported(line: str, urls: dict[str, str]) -> dict[str, str]:
    """The variables of the README's line, with the server and the users of this test in place of its own."""
    words = shlex.split(line)
    assert words[0] == "export"
    told = dict(word.split("=", 1) for word in words[1:])
    assert told.keys() == urls.keys()
    assert len({make_url(url).username for url in told.values()}) == 3
    return {
        name: make_url(url).set(drivername=make_url(told[name]).drivername).render_as_string(False)
        for name, url in urls.items()
    }


def _holds_the_boundary(urls: dict[str, str]) -> None:
    """Ask PostgreSQL itself: neither of the two roles can pass the policies by."""
    for name in ("DATABASE_URL", "DATABASE_SYSTEM_URL"):
        engine = create_engine(urls[name])
        with engine.connect() as connection:
            check_role(connection, OWNERSHIP)
            assert connection.scalar(text("SELECT count(*) FROM accounts")) == 0
        engine.dispose()


def test_layout_names_every_room() -> None:
    told = {row[0].strip("`") for row in docs_words.table(README, "Room")}
    there = {
        f"{each.name}/" for each in ROOT.iterdir() if each.is_dir() and any(each.rglob("*.py"))
    }

    assert told == {each for each in there if not each.startswith(".")} | {"migrations/"}


def test_readme_leads_to_every_page_of_the_documentation() -> None:
    told = set(re.findall(r"\]\(docs/([\w.]+)\)", README))

    assert told == {page.name for page in (ROOT / "docs").glob("*.md")}

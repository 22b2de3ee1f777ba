"""The command line: what each command prints and changes, and exit codes 0 done, 1 refused, 2 wrong use."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest

from config import application, migrating
from saas.operator import OPERATOR_ROLES
from tests import databases
from tests.command_line import Run, runner
from tests.house import House, settings_for
from tests.people import Person, register, sign_in
from tests.refusals import nothing_changes, refused
from tests.variants import PRODUCTION, variant

ROOT = Path(__file__).parent.parent.parent


def unique(prefix: str) -> str:
    return f"{prefix} {uuid4().hex[:8]}"


class TestWrongUse:
    @pytest.mark.parametrize(
        "line",
        [
            "accounts suspend acme",  # says no reason
            "accounts show",
            "accounts list --limit 0",
            "accounts list --limit many",
            "accounts explode",
            "check --nonsense",
            "db revision",
            "db move",
            "seed now",
            "shell-in",
            "nonsense",
        ],
    )
    def test_it_is_exit_code_2_and_says_what_is_wrong(self, run_lite: Run, line: str) -> None:
        result = run_lite(*line.split(), exit_code=2)

        assert "Error:" in result.output

    @pytest.mark.parametrize(
        "line", ["", "check", "seed", "serve", "shell-in", "accounts", "accounts suspend", "db"]
    )
    def test_help_explains_each_command(self, run_lite: Run, line: str) -> None:
        result = run_lite(*line.split(), "--help")

        assert "Usage:" in result.output

    def test_every_command_says_what_it_does(self, lite: House) -> None:
        for name in ("check", "seed", "serve", "db", "accounts", "shell-in"):
            command = lite.app.cli.commands[name]
            for each in (command, *getattr(command, "commands", {}).values()):
                assert (each.help or "").strip().endswith((".", ";")), each.name


class TestAccounts:
    def test_list_shows_the_newest_first(self, house: House, run: Run) -> None:
        names = [unique("listed") for _ in range(2)]
        people = [register(house, "ada", account_name=name) for name in names]

        rows = json.loads(run("accounts", "list", "--limit", "2", "--json").stdout)

        assert [row["name"] for row in rows] == names[::-1]
        assert [row["id"] for row in rows] == [str(p.account_id) for p in people[::-1]]
        assert rows[0].keys() == {"id", "name", "status", "created_at"}
        assert names[0] in run("accounts", "list").output

    @pytest.mark.parametrize("by", ["id", "name"])
    def test_show_finds_one_by_id_or_name(self, house: House, run: Run, by: str) -> None:
        name = unique("shown")
        ada = register(house, "ada", account_name=name)

        given = str(ada.account_id) if by == "id" else name
        (row,) = json.loads(run("accounts", "show", given, "--json").stdout)

        assert (row["id"], row["name"], row["status"]) == (str(ada.account_id), name, "active")

    def test_one_that_is_not_there_is_exit_code_1(self, run: Run) -> None:
        for line in (["show"], ["suspend", "--reason", "x"], ["restore", "--reason", "x"]):
            for unknown in ("nobody's", str(uuid4())):
                result = run("accounts", line[0], unknown, *line[1:], exit_code=1)
                assert "There is no account" in result.output

    def test_a_name_that_several_have_must_be_given_as_an_id(self, house: House, run: Run) -> None:
        name = unique("twins")
        people = [register(house, "ada", account_name=name) for _ in range(2)]

        with nothing_changes(house, *people):
            result = run("accounts", "suspend", name, "--reason", "x", exit_code=1)

        assert "Several" in result.output

    def test_suspending_locks_out_at_the_next_request_and_the_log_names_the_command(
        self, house: House, run: Run
    ) -> None:
        name = unique("suspended")
        ada = register(house, "ada", account_name=name)

        run("accounts", "suspend", name, "--reason", "unpaid since May")
        refused(ada.get("/api/user"), 40102)
        run("accounts", "restore", str(ada.account_id), "--reason", "paid")

        (suspended,) = sign_in(house, ada).events(action="account.suspended")
        (restored,) = ada.events(action="account.restored")
        assert (suspended["reason"], restored["reason"]) == ("unpaid since May", "paid")
        assert (suspended["channel"], suspended["actor_label"]) == ("cli", "flask accounts suspend")
        assert (suspended["ip"], suspended["route"], suspended["request_id"]) == (None, None, None)
        assert restored["actor_label"] == "flask accounts restore"

    def test_suspending_twice_is_done_once(self, house: House, run: Run) -> None:
        ada = register(house, "ada")
        run("accounts", "suspend", str(ada.account_id), "--reason", "x")

        with nothing_changes(house, ada):
            run("accounts", "suspend", str(ada.account_id), "--reason", "y")


class TestWithoutASchema:
    @pytest.mark.parametrize("line", [("accounts", "list"), ("audit", "tail"), ("audit", "prune")])
    def test_a_command_says_what_to_do(self, tmp_path: Path, line: tuple[str, ...]) -> None:
        with databases.empty_database("sqlite", tmp_path, "bare") as urls:
            bare = application.create_app(settings_for(urls, tmp_path), serving=False)
            result = bare.test_cli_runner().invoke(args=line)
            bare.extensions["database"].dispose()

        assert result.exit_code == 1
        assert "flask db upgrade" in result.output


class TestShell:
    def test_shell_in_enters_the_account_and_only_reads(
        self, house: House, run: Run, ada: Person, gus: Person
    ) -> None:
        ada.post("/api/projects", {"name": "Apollo"})
        gus.post("/api/projects", {"name": "Manhattan"})
        typed = (
            "print([p.name for p in session.scalars(select(Project))])\n"
            "print(account_id)\n"
            "session.add(Project(name='by hand')); session.flush()\n"
        )

        with nothing_changes(house, ada, gus):
            result = house.app.test_cli_runner().invoke(
                args=["shell-in", str(ada.account_id)], input=typed
            )

        assert result.exit_code == 0
        assert "['Apollo']" in result.output
        assert "Manhattan" not in result.output
        assert str(ada.account_id) in result.output
        assert "ReadOnlyStatementError" in result.output

    def test_shell_in_an_account_that_is_not_there_is_exit_code_1(self, run: Run) -> None:
        assert "There is no account" in run("shell-in", "nobody's", exit_code=1).output

    def test_the_plain_shell_has_the_models_loaded(self, lite: House) -> None:
        names = lite.app.make_shell_context()

        assert {"Account", "Project", "User", "enter_account", "select"} <= names.keys()


class TestOperators:
    def test_added_they_can_sign_in_listed_and_removed(self, house: House, run: Run) -> None:
        email = f"olga.{uuid4().hex[:8]}@example.com"

        made = json.loads(run("operators", "add", email, "--role", "support", "--json").stdout)

        assert made.keys() == {"email", "password", "totp_secret", "recovery_codes"}
        code = run("operators", "code", email).stdout.strip()
        fields = {"email": email, "password": made["password"], "code": code}
        there = house.app.test_client().post("/admin/sign-in", data=fields)
        assert there.status_code == 303
        rows = json.loads(run("operators", "list", "--json").stdout)
        (mine,) = [row for row in rows if row["email"] == email]
        assert mine["role"] == "support"
        assert mine["last_sign_in_at"] is not None
        assert "no operator any more" in run("operators", "remove", email).output
        again = house.app.test_client().post("/admin/sign-in", data=fields)
        assert again.status_code == 401

    def test_for_people_it_shows_everything_once_with_a_code_to_scan(self, run: Run) -> None:
        told = run(
            "operators", "add", f"sam.{uuid4().hex[:8]}@example.com", "--role", "viewer"
        ).output

        assert "totp secret" in told
        assert len(re.findall(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", told)) == 10
        assert "\u2588" in told or "\u2584" in told

    def test_nobody_unknown_is_removed_and_no_address_is_taken_twice(self, run: Run) -> None:
        email = f"vic.{uuid4().hex[:8]}@example.com"
        run("operators", "add", email, "--role", "viewer")
        for words in (
            ("remove", "nobody@example.com"),
            ("code", "nobody@example.com"),
            ("add", email, "--role", "viewer"),
        ):
            assert run("operators", *words, exit_code=1).output
        run("operators", "add", "x@example.com", "--role", "owner", exit_code=2)

    def test_in_production_a_code_comes_from_the_operators_own_app(self, lite: House) -> None:
        with variant(lite, **PRODUCTION) as other:
            result = other.app.test_cli_runner().invoke(args=["operators", "code", "x@example.com"])
        assert result.exit_code == 1
        assert "own app" in result.output


class TestSeed:
    def test_twice_makes_it_once_and_everybody_can_sign_in(
        self, empty: House, tmp_path: Path
    ) -> None:
        run = runner(empty)
        run("db", "upgrade")
        first = run("seed")
        kept = tmp_path / "demo_sign_ins.json"
        passwords = json.loads(kept.read_text())
        seats = {email: self.sign_in(empty, email, passwords) for email in passwords}

        with nothing_changes(empty):
            second = run("seed")

        assert kept.stat().st_mode & 0o077 == 0
        assert all(password in first.output for password in passwords.values())
        self.operators_can_sign_in(empty, tmp_path / "demo_operators.json", first.output)
        assert not [password for password in passwords.values() if password in second.output]
        assert json.loads(kept.read_text()) == passwords
        assert {email: each["roles"] for email, each in seats.items()} == {
            "ada@example.com": ["owner"],
            "ben@example.com": ["admin"],
            "cleo@example.com": ["member"],
            "vera@example.com": ["viewer"],
            "ida@example.com": ["member"],
            "gus@example.com": ["owner"],
        }
        ida = {each["name"] for each in seats["ida@example.com"]["accounts"]}
        assert ida == {"acme", "globex"}

    def operators_can_sign_in(self, house: House, kept: Path, told: str) -> None:
        operators = json.loads(kept.read_text())
        assert kept.stat().st_mode & 0o077 == 0
        assert {each["role"] for each in operators.values()} == set(OPERATOR_ROLES)
        for email, each in operators.items():
            assert each["password"] in told
            assert each["totp_secret"] in told
            fields = {"email": email, "password": each["password"]}
            code = pyotp.TOTP(each["totp_secret"]).now()
            answer = house.app.test_client().post("/admin/sign-in", data=fields | {"code": code})
            assert answer.status_code == 303

    @pytest.fixture
    def empty(self, house: House, tmp_path: Path) -> Iterator[House]:
        """A house on an empty database of the same kind: the demo people are there once."""
        with databases.empty_database(house.backend, tmp_path, "seed") as urls:
            own = {
                "database_url": urls.tenant_url,
                "database_system_url": urls.system_url,
                "database_admin_url": urls.admin_url,
                "var_dir": tmp_path,
            }
            with variant(house, **own) as there:
                yield replace(there, urls=urls)

    def sign_in(self, house: House, email: str, passwords: dict[str, str]) -> dict[str, Any]:
        client = house.app.test_client()
        body = {"email": email, "password": passwords[email]}
        assert client.post("/api/login", json=body).status_code == 200
        session: dict[str, Any] = client.get("/api/session").json["data"]
        return session

    def test_never_in_production(self, lite: House) -> None:
        with variant(lite, **PRODUCTION) as production, nothing_changes(production):
            assert "not for production" in runner(production)("seed", exit_code=1).output


class TestCheck:
    def test_a_house_in_order_is_exit_code_0(self, run: Run) -> None:
        assert "All good." in run("check").output
        assert json.loads(run("check", "--json").stdout) == []

    def test_what_production_would_ask_for_is_exit_code_1(self, run_lite: Run) -> None:
        found = json.loads(run_lite("check", "--production", "--json", exit_code=1).stdout)

        named = {problem["variable"] for problem in found}
        assert {"BASE_URL", "DATABASE_URL", "REDIS_URL", "MAIL_URL"} <= named
        for problem in found:
            assert problem.keys() >= {"variable", "what", "mend"}
            assert problem["mend"]

    def test_a_database_without_its_tables_is_named(self, lite: House, tmp_path: Path) -> None:
        empty = f"sqlite:///{tmp_path / 'empty.db'}"
        urls = {"database_url": empty, "database_system_url": empty, "database_admin_url": empty}
        with variant(lite, **urls) as house:
            result = runner(house)("check", exit_code=1)

        assert "DATABASE_URL" in result.output
        assert "flask db upgrade" in result.output

    def test_roles_of_a_good_production_are_not_blamed(self, house: House) -> None:
        if house.backend != "postgresql":
            return
        with variant(house, **PRODUCTION) as production:
            result = runner(production)("check", "--json")

        found = json.loads(result.stdout)
        assert {problem["variable"] for problem in found} == {"REDIS_URL", "MAIL_URL"}
        assert all(problem["warning"] for problem in found)


class TestDatabase:
    def test_upgrade_of_a_current_database_has_nothing_to_do(self, house: House, run: Run) -> None:
        head = migrating.head_revision()

        with nothing_changes(house):
            assert json.loads(run("db", "upgrade", "--json").stdout) == {
                "before": head,
                "now": head,
            }
        assert "nothing to do" in run("db", "upgrade").output
        assert json.loads(run("db", "current", "--json").stdout) == {"revision": head}
        assert run("db", "current").stdout.strip() == head

    def test_models_and_migrations_agree(self, run: Run) -> None:
        assert "agree" in run("db", "check").output

    @pytest.mark.parametrize("line", ["upgrade no_such", "downgrade no_such", "upgrade -3"])
    def test_a_revision_that_is_not_there_is_exit_code_1(self, run_lite: Run, line: str) -> None:
        verb, revision = line.split()

        result = run_lite("db", verb, "--", revision, exit_code=1)

        assert "Error:" in result.output

    def test_a_new_database_goes_up_and_down(self, lite: House, tmp_path: Path) -> None:
        file = f"sqlite:///{tmp_path / 'new.db'}"
        urls = {"database_url": file, "database_system_url": file, "database_admin_url": file}
        with variant(lite, **urls) as house:
            run = runner(house)
            assert run("db", "current").stdout.strip() == "empty"
            run("db", "check", exit_code=1)
            run("db", "upgrade")
            assert register(house).get("/api/projects").status_code == 200
            run("db", "downgrade", "base")
            assert json.loads(run("db", "current", "--json").stdout) == {"revision": None}

    def test_roles_are_printed_without_passwords_and_made_again_and_again(
        self, house: House, run: Run
    ) -> None:
        if house.backend != "postgresql":
            assert "row-level security" in run("db", "roles", exit_code=1).output
            return
        assert house.urls.roles is not None
        printed = run("db", "roles", "--print").output
        assert house.urls.roles.app in printed
        assert "POLICY" in printed
        password = house.settings.database_url.split(":")[2].split("@")[0]
        assert password not in printed

    def test_roles_need_three_different_users(self, house: House) -> None:
        if house.backend != "postgresql":
            return
        same = {"database_system_url": house.urls.tenant_url}
        with variant(house, **same) as one:
            assert "three different users" in runner(one)("db", "roles", exit_code=1).output


class TestProcess:
    """The same as a process of its own, as people type it."""

    def flask(self, folder: Path, *args: str, **environment: str) -> Any:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("FLASK", "DATABASE"))}
        return subprocess.run(
            [sys.executable, "-m", "flask", *args],
            cwd=folder,
            env=clean | {"PYTHONPATH": str(folder)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_production_without_its_secrets_names_them_all_and_is_exit_code_1(
        self, tmp_path: Path
    ) -> None:
        ended = self.flask(ROOT, "check", FLASK_CONFIG="prod", VAR_DIR=str(tmp_path))

        assert ended.returncode == 1
        told = ended.stdout + ended.stderr
        for name in ("SECRET_KEY", "PASSWORD_PEPPERS", "BASE_URL", "TRUSTED_HOSTS"):
            assert name in told
        assert "Traceback" not in told
        assert not list(tmp_path.iterdir())  # production makes no secrets of its own

    def test_a_revision_is_written_into_the_tree_it_is_called_in(self, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        ours = sorted((ROOT / "migrations/versions").iterdir())
        for room in ("tenants", "saas", "admin", "config", "migrations"):
            shutil.copytree(
                ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__", "static")
            )
        shutil.copy(ROOT / ".flaskenv", copy)
        model = copy / "saas/models/projects.py"
        source = model.read_text("utf-8")
        line = '    description: Mapped[str] = mapped_column(String(2000), default="")\n'
        assert line in source
        colour = "    colour: Mapped[str | None] = mapped_column(String(7))\n"
        model.write_text(source.replace(line, line + colour), "utf-8")
        house = {"FLASK_CONFIG": "test", "VAR_DIR": str(tmp_path / "var")}

        up = self.flask(copy, "db", "upgrade", **house)
        assert up.returncode == 0, up.stderr
        written = self.flask(copy, "db", "revision", "project colours", **house)

        assert written.returncode == 0, written.stderr
        versions = copy / "migrations/versions"
        (new,) = {path.name for path in versions.glob("*.py")} - {path.name for path in ours}
        assert new.endswith("_project_colours.py")
        assert new in written.stdout
        text = (versions / new).read_text("utf-8")
        assert "colour" in text
        assert "description" not in text
        assert sorted((ROOT / "migrations/versions").iterdir()) == ours

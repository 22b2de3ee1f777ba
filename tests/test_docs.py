"""The documentation is true: what it names exists, its tables are the code's, and its code runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from config import audit_commands
from config.settings import Settings
from saas.audit.events import NOT_AUDITED
from saas.permissions import SYSTEM_ROLES, Permission
from tests import databases, docs_names, docs_runner, docs_words, needs, people
from tests import house as houses
from tests.docs_runner import ROOT
from tests.house import House
from tests.people import Person

DOCS = ROOT / "docs"
GUIDE = DOCS / "extending.md"
SAMPLE = ROOT / ".sample_flaskenv"
AN_EXPLANATION = {"noun:verb", "key_id:secret"}  # how something is written, not a name
Judge = Callable[[str, Path, House], Any]


def _added_by_the_guide() -> tuple[list[str], str]:
    steps = docs_runner.blocks(GUIDE.read_text("utf-8"))
    return [step.title for step in steps], "\n".join(step.text for step in steps) + "uq_notes_title"


def _judge_paths(page_text: str, page: Path, _: House) -> list[str]:
    added = _added_by_the_guide()[0] if page == GUIDE else []
    return list(docs_words.wrong_paths(page_text, added))


def _judge_names(page_text: str, page: Path, _: House) -> list[str]:
    added = _added_by_the_guide()[1] if page == GUIDE else ""
    return [
        w
        for w in docs_names.wrong_names(page_text, added)
        if w.split(": ")[0] not in AN_EXPLANATION
    ]


JUDGES: dict[str, Judge] = {
    "commands": lambda page_text, _, lite: list(docs_words.wrong_commands(page_text, lite.app)),
    "settings": lambda page_text, _, __: list(docs_words.wrong_settings(page_text)),
    "urls": lambda page_text, _, lite: list(docs_words.wrong_urls(page_text, lite.app)),
    "codes": lambda page_text, _, __: list(docs_words.wrong_codes(page_text)),
    "paths": _judge_paths,
    "links": lambda page_text, page, _: list(docs_words.wrong_links(page_text, page)),
    "names": _judge_names,
}
# One line for each way of being wrong: the judge, and what he must object to.
WRONG_LINES = [
    ("commands", "`flask db upgarde`"),
    ("commands", "`flask db upgrade --quickly`"),
    ("commands", "`flask accounts list acme`"),
    ("commands", "```console\n$ flask sed\n```"),
    ("commands", "`make deploy`"),
    ("settings", "```sh\nexport DATABASE_URI=x\n```"),
    ("settings", "`SESSION_MINUTES`"),
    ("urls", "`GET /api/project`"),
    ("urls", "`PATCH /api/projects`"),
    ("urls", "`/api/projets`"),
    ("codes", "It answers 40399."),
    ("paths", "`saas/model/projects.py`"),
    ("paths", "`tenant/`"),
    ("paths", "`docs/tenency.md`"),
    ("links", "[there](nowhere.md)"),
    ("links", "[there](audit.md#the-chian)"),
    ("links", "[there](#nowhere)"),
    ("links", '<img src="images/nowhere.png">'),
    ("names", "`tenants.scope.enter_acount`"),
    ("names", "`project_services.make_project`"),
    ("names", "`project.renamed`"),
    ("names", "`project:rename`"),
    ("names", "`TenantOwnedd`"),
]


@pytest.mark.parametrize("kind", JUDGES)
@pytest.mark.parametrize("page", docs_words.PAGES, ids=lambda page: page.name)
def test_page_names_only_what_exists(page: Path, kind: str, lite: House) -> None:
    assert JUDGES[kind](docs_words.read(page), page, lite) == []


@pytest.mark.parametrize(("kind", "line"), WRONG_LINES, ids=lambda value: value.strip("`\n")[:40])
def test_judge_objects_to_a_wrong_line(kind: str, line: str, lite: House) -> None:
    assert JUDGES[kind](line, DOCS / "audit.md", lite)


@pytest.mark.parametrize("page", docs_words.PAGES, ids=lambda page: page.name)
def test_every_block_of_code_is_used_by_a_test(page: Path) -> None:
    for block in docs_runner.blocks(docs_words.read(page)):
        # Consoles are judged as commands, line by line; a text is a drawing or what a test counted.
        fine = bool(block.uses) or block.language in ("console", "text")
        assert fine, f"{page.name}:{block.line} is checked by nobody"


@pytest.mark.parametrize("page", docs_words.PAGES, ids=lambda page: page.name)
def test_excerpt_stands_in_its_file(page: Path) -> None:
    for block in docs_runner.blocks(docs_words.read(page)):
        if path := block.uses.get("excerpt"):
            source = _stripped((ROOT / path).read_text("utf-8"))
            assert _stripped(block.text) in source, f"{page.name}:{block.line} is not in {path}"


def _stripped(lines: str) -> str:
    return "\n".join(line.strip() for line in lines.strip().splitlines())


# -- tables that are the code's ----------------------------------------------------------------------


def test_table_of_permissions_is_that_of_the_code() -> None:
    rows = docs_words.table((DOCS / "permissions.md").read_text("utf-8"), "Permission")
    told = [(row[0].strip("`"), *(cell == "yes" for cell in row[1:])) for row in rows]

    assert told == [(p.value, *(p in held for held in SYSTEM_ROLES.values())) for p in Permission]
    assert list(SYSTEM_ROLES) == ["owner", "admin", "member", "viewer"]


def test_table_of_events_is_the_catalogue() -> None:
    rows = docs_words.table((DOCS / "audit.md").read_text("utf-8"), "Event")
    assert rows == [list(row.values()) for row in audit_commands.catalogue_rows()]


def test_table_of_what_is_not_an_event_is_that_of_the_code() -> None:
    rows = docs_words.table((DOCS / "audit.md").read_text("utf-8"), "Table")
    told = {
        row[0].strip("`"): (frozenset(re.findall(r"`(\w+)`", row[1])) or None, row[2])
        for row in rows
    }

    assert told == NOT_AUDITED


def test_table_of_settings_is_that_of_the_code() -> None:
    rows = docs_words.table((DOCS / "operating.md").read_text("utf-8"), "Setting")
    told = {row[0].strip("`"): row[1] for row in rows}
    plain = {name.upper(): _written(field.default) for name, field in Settings.model_fields.items()}

    assert told.keys() == plain.keys()
    for name, default in plain.items():
        if name in ("LOG_FORMAT", "DATABASE_URL", "BASE_URL", "TRUSTED_HOSTS", "METRICS"):
            continue  # told in words: they follow from other settings
        assert told[name].strip("`") == default, name


def _written(default: Any) -> str:
    """A default as one would write it into the environment."""
    if default is False:
        return "0"
    if default in ((), None) or str(default) == "":
        return "none"
    return "DATABASE_URL" if "Undefined" in repr(default) else str(default)


def test_sample_shows_every_setting_and_no_other() -> None:
    shown = re.findall(r"^#?([A-Z_]+)=", SAMPLE.read_text("utf-8"), re.MULTILINE)
    for_tests = {"TEST_POSTGRESQL_URL", "TEST_MARIADB_URL"}

    assert sorted(shown) == sorted({name.upper() for name in Settings.model_fields} | for_tests)


def test_sample_shows_the_defaults_of_the_code() -> None:
    shown = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", SAMPLE.read_text("utf-8"), re.MULTILINE))
    fixed = {
        n.upper(): _written(f.default)
        for n, f in Settings.model_fields.items()
        if n != "flask_config"
    }

    for name, default in fixed.items():
        if default not in ("none", "DATABASE_URL"):
            assert shown[name] == default, name


# -- form --------------------------------------------------------------------------------------------


def test_every_decision_has_a_date_a_reason_and_what_it_was_chosen_over() -> None:
    text_of_all = (DOCS / "decisions.md").read_text("utf-8")
    dated = re.split(r"^## ", text_of_all, flags=re.MULTILINE)[1:]

    assert dated
    for part in dated:
        assert re.match(r"20\d\d-\d\d-\d\d · ", part)
        for decision in re.split(r"^### ", part, flags=re.MULTILINE)[1:]:
            for word in ("We chose", "because", "instead of"):
                assert word in decision.replace("\n", " "), decision.splitlines()[0]


def test_changelog_says_what_is_new_in_the_form_of_keep_a_changelog() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    headings = [line for line in lines if line.startswith("## ")]

    assert headings[0] == "## [Unreleased]"
    assert all(
        re.fullmatch(r"## \[\d+\.\d+\.\d+\] - 20\d\d-\d\d-\d\d", line) for line in headings[1:]
    )
    assert {line[4:] for line in lines if line.startswith("### ")} <= kinds
    assert any(line.startswith("- ") for line in lines)


# -- code that a page gives away ---------------------------------------------------------------------


def test_chain_is_recomputed_by_the_function_of_the_page(house: House, ada: Person) -> None:
    ada.post("/api/projects", {"name": "Größe, “quoted” and \N{GRINNING FACE}"})
    names: dict[str, Any] = {}
    exec(docs_runner.named((DOCS / "audit.md").read_text("utf-8"), "is_whole"), names)  # noqa: S102

    events = ada.events()

    assert len(events) >= 4
    assert names["is_whole"](events)
    for number, event in enumerate(events):
        forged = [*events[:number], {**event, "actor_label": "nobody"}, *events[number + 1 :]]
        assert not names["is_whole"](forged)
        assert (
            not names["is_whole"]([*events[:number], *events[number + 1 :]])
            or number == len(events) - 1
        )


def test_backup_of_the_owner_is_whole_and_can_be_restored(tmp_path: Path) -> None:
    tools = Path(needs.command("pg_dump", also_in=databases.wheel_tools())).parent
    with databases.empty_database("postgresql", tmp_path, "backup") as urls:
        built = houses.build(urls, tmp_path)
        assert people.register(built).post("/api/projects", {"name": "Apollo"}).status_code == 201
        built.database.dispose()
        owner, superuser = make_url(urls.admin_url), make_url(urls.superuser_url)
        new = owner.set(database=f"{owner.database}_new")
        server = create_engine(superuser.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {new.database} OWNER {owner.username}"))
            try:
                _back_up(tmp_path, tools, owner, new)
                assert _tables(new) == _tables(owner)
                assert ("projects", 1) in _tables(new)
            finally:
                connection.execute(text(f"DROP DATABASE {new.database} WITH (FORCE)"))
        server.dispose()


def _back_up(folder: Path, tools: Path, owner: Any, new: Any) -> None:
    given = {"DATABASE_ADMIN_URL": owner, "NEW_DATABASE_ADMIN_URL": new}
    told = {
        n: url.set(drivername="postgresql").render_as_string(hide_password=False)
        for n, url in given.items()
    }
    script = docs_runner.named((DOCS / "operating.md").read_text("utf-8"), "backup")
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=told | {"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _tables(url: Any) -> list[tuple[str, int]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        names = connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).all()
        counts = [
            (name, connection.scalar(text(f'SELECT count(*) FROM "{name}"'))) for name in names
        ]
    engine.dispose()
    return counts

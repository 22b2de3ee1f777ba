"""What the documentation names must exist: each function returns the sentences about what does not.

A page is judged by its code spans, its consoles and its links; prose is left alone. Names of Python are judged in
``docs_names``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import flask
from flask.cli import routes_command, run_command, shell_command
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from config.settings import Settings
from saas.errors import CATALOGUE
from saas.routes import ROUTES
from tests.docs_runner import ROOT, blocks

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SUFFIXES = (
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".html",
    ".ini",
    ".mako",
    ".flaskenv",
    ".sample_flaskenv",
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_MADE_BY_RUNNING = ("var/", ".venv", ".env", "secrets.env")  # git ignores them
_AN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def read(page: Path) -> str:
    """The text that must hold today: of the changelog, what is not released yet."""
    text = page.read_text("utf-8")
    if page.name != "CHANGELOG.md":
        return text
    return re.split(r"^## \[\d", text, flags=re.MULTILINE)[0]


def spans(text: str) -> list[str]:
    """The code spans of a page, its fenced blocks aside."""
    return _SPAN.findall(FENCES.sub("", text))


def table(text: str, first_heading: str) -> list[list[str]]:
    """The rows of the one table whose first column has this heading, without the heading."""
    start = re.search(rf"^\| ?{re.escape(first_heading)} ?\|.*\n\|[-| ]+\n", text, re.MULTILINE)
    assert start, f"no table begins with {first_heading!r}"
    lines = text[start.end() :].split("\n\n", 1)[0].strip().splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def typed_lines(text: str) -> list[str]:
    """What a reader is told to type: lines of consoles and shells, and spans that are commands."""
    typed = [span for span in spans(text) if re.match(r"(flask|make) ", span)]
    for block in blocks(text):
        if block.language == "console":
            typed += [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
        elif block.language == "sh":
            typed += block.text.splitlines()
    return typed


def wrong_commands(text: str, app: flask.Flask) -> Iterator[str]:
    """Commands of flask and targets of make that do not exist, and options they do not take."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    built_in = {"run": run_command, "shell": shell_command, "routes": routes_command}
    for line in typed_lines(text):
        program, *rest = shlex.split(line)
        if program == "make":
            named = [word for word in rest if "=" not in word]
            yield from (f"{line}: no target {word}" for word in named if word not in targets)
        elif program == "flask":
            group = click.Group("flask", commands={**built_in, **app.cli.commands})
            yield from _wrong_words(line, rest, group)


def _wrong_words(line: str, words: list[str], command: Any) -> Iterator[str]:
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        command = command.commands.get(words[0])
        if command is None:
            yield f"{line}: no command {words[0]!r}"
            return
        words = words[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    words = [word.partition("=")[0] for word in words]  # --role=viewer
    places = sum(isinstance(each, click.Argument) for each in command.params)
    if len([word for word in words if not word.startswith("-")]) > places:
        yield f"{line}: more arguments than it takes"
    given = [word.partition("=")[0] for word in words if word.startswith("-")]  # --to=0
    yield from (f"{line}: no option {each}" for each in given if each not in options)


def wrong_settings(text: str) -> Iterator[str]:
    """Variables that a reader is told to export, or that look like ours, and are no setting."""
    known = {name.upper() for name in Settings.model_fields}
    for line in typed_lines(text):
        if line.startswith("export "):
            names = [word.partition("=")[0] for word in shlex.split(line)[1:]]
            yield from (f"export: no setting {name}" for name in names if name not in known)
    beginnings = "|".join(sorted({name.split("_")[0] for name in known if "_" in name}))
    like_ours = re.compile(rf"(?<![A-Z_])(?:{beginnings})_[A-Z_]+")
    for span in spans(text):
        names = like_ours.findall(span.replace("NEW_", ""))
        yield from (f"{span}: no setting {n}" for n in names if n not in known and n != "FLASK_APP")


def wrong_urls(text: str, app: flask.Flask) -> Iterator[str]:
    """Paths of ours, with or without a method, that no route answers."""
    adapter = app.url_map.bind("localhost")
    routes = {f"{route.method} {route.path}" for route in ROUTES}
    for span in spans(text):
        match = re.fullmatch(r"((?:GET|POST|PATCH|PUT|DELETE) )?(/[\w/<>.-]*)( \{.*\})?", span)
        if match is None:
            continue
        if match[1]:
            if match[1] + match[2] not in routes:
                yield f"{span}: no such route"
            continue
        try:
            adapter.match(re.sub(r"<\w+_id>", _AN_ID, match[2]))
        except MethodNotAllowed:
            continue
        except HTTPException:
            yield f"{span}: no route has this path"


def wrong_codes(text: str) -> Iterator[str]:
    """Error codes that no class carries."""
    known = {error.internal_error_code for error in CATALOGUE}
    found = {int(code) for code in re.findall(r"\b(?:4[0-4]\d|50\d)\d\d\b", text)}
    yield from (f"{code}: no such error code" for code in sorted(found - known))


def wrong_paths(text: str, added: Iterable[str] = ()) -> Iterator[str]:
    """Files and folders that are not there; ``added``: those that the page itself makes."""
    for span in spans(text):
        if not re.fullmatch(r"[\w./-]+", span) or span.startswith(("/", *_MADE_BY_RUNNING)):
            continue
        in_a_room = "/" in span and (ROOT / span.split("/")[0]).is_dir()
        is_path = in_a_room or span.endswith((*SUFFIXES, "/"))
        if is_path and span not in added and not (ROOT / span).exists():
            yield f"{span}: no such file"


def wrong_links(text: str, page: Path) -> Iterator[str]:
    """Links of the house that lead nowhere: no such file, or no such heading in it."""
    plain = FENCES.sub("", text)
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', plain)
    for target in [*re.findall(r"\]\(([^)\s]+)\)", plain), *pictures]:
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in _anchors(text if file == page else file.read_text("utf-8")):
            yield f"{target}: no such heading"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCES.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}

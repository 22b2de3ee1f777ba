"""Names in the documentation: a dotted one must lead to something, and every word of a code span to a source."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import admin
import config
import saas
import tenants
from saas.audit.events import AuditEvent
from saas.operator import ConsolePermission
from saas.permissions import Permission
from tests.docs_runner import ROOT
from tests.docs_words import SUFFIXES, spans

_ROOMS = (tenants, saas, admin, config)
_FOLDERS = ("tenants", "saas", "admin", "config", "migrations", "tests", "benchmarks")
_PATTERNS = ("*.py", "*.toml", "*.html", "*.ini", "Makefile", ".sample_flaskenv", ".flaskenv")
_JUDGES = {
    "docs_names.py",
    "docs_words.py",
    "test_docs.py",
    "test_readme.py",
}  # they tell of what is wrong
# Programs and words of other people that a reader is told of.
_OUTSIDE = {"createdb", "pg_dump", "sqlite3"}
_OTHERS = ("flask ", "make ", "python3 ", "sqlite3 ")  # judged as commands, or not ours


def wrong_names(text: str, added: str = "") -> Iterator[str]:
    """Dotted names that lead to nothing, and words in code spans that no source of ours has.

    ``added``: code that the page itself brings.
    """
    words = _words_of_the_sources() | set(re.findall(r"\w+", added)) | _OUTSIDE
    for span in spans(text):
        if span.startswith(("/", *_OTHERS)) or span.endswith(SUFFIXES):
            continue
        dotted = re.fullmatch(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?", span)
        if dotted and dotted[1] not in added and not _leads_somewhere(dotted[1]):
            yield f"{span}: leads to nothing"
        unknown = [word for word in re.findall(r"[A-Za-z_]\w+", span) if word not in words]
        yield from (f"{span}: no source has the word {word}" for word in unknown)
        if re.fullmatch(r"[a-z_]+:[a-z_]+", span) and span not in {*Permission, *ConsolePermission}:
            yield f"{span}: no such permission"


def _leads_somewhere(dotted: str) -> bool:
    if dotted in {event.value for event in AuditEvent} or f'"{dotted}"' in _sources():
        return True
    first, *rest = dotted.split(".")
    starts = [*_modules().get(first, ()), *([_classes()[first]] if first in _classes() else [])]
    return any(_follow(start, rest) for start in starts)


def _follow(thing: Any, names: list[str]) -> bool:
    for name in names:
        if not hasattr(thing, name):
            return False
        thing = getattr(thing, name)
    return True


@cache
def _modules() -> dict[str, list[ModuleType]]:
    """Every module of the rooms under its last name, and the rooms under theirs."""
    found: dict[str, list[ModuleType]] = {}
    for room in _ROOMS:
        found.setdefault(room.__name__, []).append(room)
        for each in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            module = importlib.import_module(each.name)
            found.setdefault(each.name.rsplit(".", 1)[-1], []).append(module)
    return found


@cache
def _classes() -> dict[str, type]:
    modules = [module for several in _modules().values() for module in several]
    pairs = [pair for module in modules for pair in vars(module).items()]
    return {name: each for name, each in pairs if isinstance(each, type)}


@cache
def _sources() -> str:
    files = [
        f for folder in _FOLDERS for pattern in _PATTERNS for f in (ROOT / folder).rglob(pattern)
    ]
    files += [f for pattern in _PATTERNS for f in ROOT.glob(pattern)]
    return "\n".join(f.read_text("utf-8") for f in files if f.name not in _JUDGES)


@cache
def _words_of_the_sources() -> frozenset[str]:
    return frozenset(re.findall(r"\w+", _sources()))

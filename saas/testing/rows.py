"""The rows of the matrix: one for a route and a relation, and what must come of each call in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from saas.permissions import Permission
from saas.testing.lines import Line, factory_name, holds_permissions, read_fields
from saas.testing.registry import REGISTRY
from saas.testing.world import Caller, World

Kind = Literal[
    "own", "alone", "above", "colleague", "foreign", "missing", "unknown", "filter", "cursor",
    "same words", "unmoved",
]  # fmt: skip
DONE = "✓"
EVERYTHING = frozenset(Permission)
_NO_FILTER = ("limit", "cursor")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix. ``where`` and ``name``: which id of the path or field of the body or query is meant."""

    line: Line
    kind: Kind
    where: Literal["", "path", "body", "query"] = ""
    name: str = ""

    @property
    def relation(self) -> str:
        """What a reviewer reads."""
        if self.kind == "own":
            return "own" if self.line.path_ids or self.line.body_ids else "–"
        if self.kind == "alone":
            return "own, service alone"
        if self.where == "query":
            return f"foreign in ?{self.name}="
        if self.where == "body":
            return f"{self.kind} {self.name} in body"
        several = len(self.line.path_ids) > 1 and self.where == "path"
        return f"{self.kind} {self.name}" if several else _WORDS.get(self.kind, self.kind)


_WORDS = {
    "unknown": "unknown fields",
    "colleague": "of a colleague",
    "above": "above them",
    "same words": "words in use elsewhere",
    "unmoved": "while others change",
}


def rows_of(line: Line) -> Iterator[Row]:
    """Yield every row of a route."""
    yield Row(line, "own")
    if line.permission:
        yield Row(line, "alone")
    if line.personal and line.path_ids:
        yield Row(line, "colleague")
    yield from _rows_above(line)
    yield from _rows_elsewhere(line)
    if line.body is not None:
        yield Row(line, "unknown")
    yield from _rows_of_query(line)
    if line.permission and any(_is_text(each) for each in line.fields.values()):
        yield Row(line, "same words")
    if line.route.method == "GET" and not line.public and not line.route.told:
        yield Row(line, "unmoved")


def _rows_above(line: Line) -> Iterator[Row]:
    if line.safe or line.permission is None:
        return
    if line.path_ids and any(
        REGISTRY.find_factory(names, line.name, "above")
        for names in (line.path_ids, *((each,) for each in line.path_ids))
    ):
        yield Row(line, "above", "path")
    for name, field in line.fields.items():
        if holds_permissions(field) or REGISTRY.find_factory(
            (factory_name(name),), line.name, "above"
        ):
            yield Row(line, "above", "body", name)


def _rows_elsewhere(line: Line) -> Iterator[Row]:
    for name in line.path_ids:
        yield Row(line, "foreign", "path", name)
        yield Row(line, "missing", "path", name)
    for name in line.body_ids:
        yield Row(line, "foreign", "body", name)
        yield Row(line, "missing", "body", name)


def _rows_of_query(line: Line) -> Iterator[Row]:
    if line.route.query is None or not line.safe:
        return
    for name, field in read_fields(line.route.query).items():
        if name == "cursor":
            yield Row(line, "cursor", "query", name)
        if name not in _NO_FILTER and field.get("type") == "string" and _is_free(field):
            yield Row(line, "filter", "query", name)


def _is_text(field: dict[str, object]) -> bool:
    return field.get("type") == "string" and "enum" not in field and "format" not in field


def _is_free(field: dict[str, object]) -> bool:
    return "enum" not in field and field.get("format") in (None, "uuid")


def expect(row: Row, principal: str, caller: Caller, world: World) -> str | None:
    """Return what must come of a call ("✓", or a status), from declaration and relation alone; None: not asked.

    Two statuses ("404/422") mean that either will do, as long as foreign and missing are answered with the same.
    """
    if row.kind in ("same words", "unmoved") and principal != "owner":
        return None
    door = _at_the_door(row.line, caller)
    if row.kind == "alone":
        return door if door == "403" else None
    if door is not None:
        return door
    if row.kind == "cursor" and row.line.path_ids and caller.site not in (None, world.home):
        return "404"  # to them whatever the list belongs to is not there, whatever the cursor
    if row.kind in ("unknown", "cursor"):
        return (
            "422" if not row.line.page or principal == "owner" else None
        )  # a page is drawn again, for who may see it
    declared = REGISTRY.find_deviation(row.line.name, principal)
    return declared.outcome if declared else _inside(row, caller, world)


def _at_the_door(line: Line, caller: Caller) -> str | None:
    """Return how somebody is refused whatever the object, None when they are let in."""
    if line.public:
        return None
    if caller.permissions is None:
        return "login" if line.page else "401"
    if line.permission is not None and line.permission not in caller.permissions:
        return "403"
    return "403" if line.personal and caller.kind == "key" else None


def _inside(row: Row, caller: Caller, world: World) -> str:
    line = row.line
    in_path = row.where == "path" or row.kind == "colleague"
    outsider = caller.site not in (None, world.home) and row.kind in ("own", "above")
    if row.kind in ("foreign", "missing", "colleague") or (
        outsider and (line.path_ids or line.body_ids)
    ):
        return "404" if in_path or (outsider and line.path_ids) else "404/422"
    if row.kind == "above" and not (caller.permissions or frozenset()) >= EVERYTHING:
        return "403"
    return DONE

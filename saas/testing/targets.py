"""What one call of a row is about: the ids in its path and the body it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from saas.testing.bodies import make_body
from saas.testing.lines import Line, factory_name, holds_permissions
from saas.testing.places import Place, Site, say_factory
from saas.testing.registry import REGISTRY, NotDeclaredError
from saas.testing.rows import EVERYTHING, Row
from saas.testing.world import Caller, World

_NOTHING = "zq-nothing-has-this"
_STOWAWAYS = {"account_id": "", "is_operator": True, "id": ""}  # what nobody may set by sending it


@dataclass(frozen=True, slots=True)
class Target:
    """``sent``: every text of ours in it, which an answer may repeat."""

    ids: dict[str, UUID] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)

    @property
    def sent(self) -> list[str]:
        values = [*self.ids.values(), *self.query.values(), *(self.body or {}).values()]
        flat = [e for v in values for e in (v if isinstance(v, list) else [v])]
        return [str(each) for each in flat if isinstance(each, str | UUID)]


class Targets:
    """Makes targets; an object that no call has changed yet is used again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[tuple[object, ...], tuple[UUID, ...]] = {}

    def make(
        self, row: Row, caller: Caller, word: Callable[[], str] | None = None, *, new: bool = False
    ) -> Target:
        """Return what a call is about; raises NotDeclaredError. ``new``: an object that nobody has touched.

        ``word``: where the texts of the body come from, instead of the words of the account.
        """
        world, line = self._world, row.line
        site = self._objects_of(row, caller)
        ids = self._ids(line, site, caller, "above" if _is(row, "path", "above") else "own", new)
        if row.kind == "colleague":
            ids = self._ids(line, site, Caller(), "own", new)
        if row.where == "path" and row.kind in ("foreign", "missing"):
            ids[row.name] = self._other(row, line.path_ids)[row.name]
        if line.body is None and line.name not in REGISTRY.bodies:
            return Target(ids, None, self._query(row, caller))
        writer = caller.site or world.home
        body = make_body(line, Place(writer, _seat(caller), word or writer.word))
        body |= self._body_ids(row, site, caller, new)
        if row.kind == "above" and holds_permissions(line.fields.get(row.name, {})):
            body[row.name] = sorted(EVERYTHING)
        if row.kind == "unknown":
            body |= self._stowaways(line)
        return Target(ids, body)

    def in_foreign(self, line: Line) -> dict[str, UUID]:
        """Return ids for the path of a line, of objects in the foreign account."""
        foreign = self._world.foreign
        theirs = self._world.person(foreign, foreign.founder)
        return self._ids(line, foreign, theirs, "own", new=False)

    def forget(self) -> None:
        """Use no object again: there are new accounts."""
        self._kept = {}

    def _objects_of(self, row: Row, caller: Caller) -> Site:
        own_words = row.kind == "same words" and caller.site is not None
        return caller.site if own_words and caller.site else self._world.home

    def _ids(
        self, line: Line, site: Site, caller: Caller, relation: str, new: bool
    ) -> dict[str, UUID]:
        """Return an object for each id of the path: all at once where a factory makes them together."""
        names = line.path_ids
        if not names:
            return {}
        if REGISTRY.find_factory(names, line.name, "own"):
            return dict(
                zip(names, self._object(names, line, site, caller, relation, new), strict=True)
            )
        return {n: self._object((n,), line, site, caller, relation, new)[0] for n in names}

    def _object(
        self,
        names: tuple[str, ...],
        line: Line,
        site: Site,
        caller: Caller,
        relation: str,
        new: bool,
    ) -> tuple[UUID, ...]:
        make = REGISTRY.find_factory(names, line.name, relation)
        make = make or REGISTRY.find_factory(names, line.name, "own")
        if make is None:
            raise NotDeclaredError(f"{line.name}: {say_factory(*names)}")
        seat = _seat(caller)
        key = (site, make, seat and seat.id)
        if new or key not in self._kept:
            place = Place(site, seat, site.word)
            with site.entered():
                made = make(place)
            self._kept[key] = made if isinstance(made, tuple) else (made,)
        return self._kept[key]

    def _other(self, row: Row, together: tuple[str, ...]) -> dict[str, UUID]:
        """Return ids of the foreign account, or of nothing at all."""
        if row.kind == "missing":
            return {name: uuid7() for name in together}
        if row.where == "path":
            return self.in_foreign(row.line)
        foreign = self._world.foreign
        theirs = self._world.person(foreign, foreign.founder)
        names = {name: (factory_name(name),) for name in together}
        return {
            n: self._object(each, row.line, foreign, theirs, "own", new=False)[0]
            for n, each in names.items()
        }

    def _body_ids(self, row: Row, site: Site, caller: Caller, new: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in row.line.body_ids:
            relation = "above" if _is(row, "body", "above") and name == row.name else "own"
            single = (factory_name(name),)
            one = self._object(single, row.line, site, caller, relation, new)[0]
            if row.where == "body" and row.name == name and row.kind in ("foreign", "missing"):
                one = self._other(row, (name,))[name]
            listed = row.line.fields[name].get("type") == "array"
            found[name] = [str(one)] if listed else str(one)
        return found

    def _stowaways(self, line: Line) -> dict[str, Any]:
        if line.form:  # its account_id tells where the form was drawn, and is asked before
            return {"is_operator": "on"}
        foreign = str(self._world.foreign.account_id)
        wanted = {n: v if v != "" else foreign for n, v in _STOWAWAYS.items()}
        return {n: v for n, v in wanted.items() if n not in line.fields}

    def _query(self, row: Row, caller: Caller) -> dict[str, Any]:
        site = caller.site or self._world.home
        if row.line.name in REGISTRY.queries:
            return REGISTRY.queries[row.line.name](Place(site, _seat(caller), site.word))
        if row.kind != "filter":
            return {}
        assert row.line.route.query is not None
        schema = row.line.route.query.model_json_schema()["properties"][row.name]
        wants_id = "uuid" in str(schema)
        foreign = self._world.foreign
        return {row.name: str(foreign.founder.id) if wants_id else foreign.sentinel}


def nothing_for(row: Row) -> dict[str, str]:
    """Return a query that fits nothing in any account, to compare the answer for a foreign value with."""
    assert row.line.route.query is not None
    schema = row.line.route.query.model_json_schema()["properties"][row.name]
    return {row.name: str(uuid7()) if "uuid" in str(schema) else _NOTHING}


def _seat(caller: Caller) -> Any:
    return caller.actor


def _is(row: Row, where: str, kind: str) -> bool:
    return row.where == where and row.kind == kind

"""What a project says once: how an object or a body is made, who calls, and what deviates and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel

if TYPE_CHECKING:
    from saas.permissions import Permission
    from saas.testing.places import Place
    from saas.testing.world import Caller, World

Factory: TypeAlias = "Callable[[Place], UUID | tuple[UUID, ...]]"
BodyMaker: TypeAlias = "Callable[[Place], dict[str, Any]]"
PrincipalMaker: TypeAlias = (
    "Callable[[World], Caller] | Callable[[World, Permission | None], Caller | None]"
)
_Function = TypeVar("_Function", bound=Callable[..., Any])


class NotDeclaredError(LookupError):
    """A route needs something that nobody said how to make; the message says what to declare."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """An outcome that does not follow from the declaration of a route alone, with the reason for it."""

    route: str
    outcome: str
    reason: str
    principals: frozenset[str]

    def fits(self, route: str, principal: str) -> bool:
        return self.route == route and (not self.principals or principal in self.principals)


@dataclass(slots=True)
class Registry:
    """Everything that was declared; the words below write into the one that the plugin reads."""

    factories: dict[tuple[tuple[str, ...], str, str], Factory] = field(default_factory=dict)
    bodies: dict[str | type[BaseModel], BodyMaker] = field(default_factory=dict)
    queries: dict[str, BodyMaker] = field(default_factory=dict)
    forms: dict[str, type[BaseModel]] = field(default_factory=dict)
    principals: dict[str, PrincipalMaker] = field(default_factory=dict)
    deviations: list[Deviation] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def find_factory(
        self, names: tuple[str, ...], route: str, relation: str = "own"
    ) -> Factory | None:
        """Return the factory of these ids, one made for the route before one for every route."""
        for_route = self.factories.get((names, relation, route))
        return for_route or self.factories.get((names, relation, ""))

    def find_deviation(self, route: str, principal: str) -> Deviation | None:
        """Return what was declared for a route and a principal, or None."""
        return next((d for d in self.deviations if d.fits(route, principal)), None)


REGISTRY = Registry()


def factory(
    *names: str, relation: str = "own", route: str = ""
) -> Callable[[_Function], _Function]:
    """Declare how the object behind a path or body id is made: ``@factory("ticket_id")``.

    The function gets a Place (its account is entered) and returns the id; with several names, which stand in one
    path, it returns as many ids that belong together. ``relation="above"``: an object that only an owner may act
    on. ``route``: "POST /api/tickets/<ticket_id>/close", for a route that needs an object in a certain state.
    """

    def declare(function: _Function) -> _Function:
        REGISTRY.factories[(names, relation, route)] = function
        return function

    return declare


def body(schema: str | type[BaseModel]) -> Callable[[_Function], _Function]:
    """Declare a valid body for a schema, or for one route ("POST /api/tickets"), where the schema does not say enough.

    The function gets a Place and returns a dict. Fields that hold ids are filled in by the factories afterwards.
    """

    def declare(function: _Function) -> _Function:
        REGISTRY.bodies[schema] = function
        return function

    return declare


def query(route: str) -> Callable[[_Function], _Function]:
    """Declare the query of a route that needs one: the function gets a Place and returns names and texts."""

    def declare(function: _Function) -> _Function:
        REGISTRY.queries[route] = function
        return function

    return declare


def form(route: str, schema: type[BaseModel]) -> None:
    """Declare which schema a page reads its form with, where ``read_form(…)`` does not stand in its view itself."""
    REGISTRY.forms[route] = schema


def principal(name: str) -> Callable[[_Function], _Function]:
    """Declare somebody who calls, as a column of the matrix; a second one of the same name takes its place.

    The function gets the World and returns a Caller. Where the caller depends on the permission of the route, it
    takes that too (None for routes that are public or for everybody who is signed in), and may return None where
    this principal says nothing about the route.
    """

    def declare(function: _Function) -> _Function:
        REGISTRY.principals[name] = function
        return function

    return declare


def deviation(outcome: str, *routes: str, reason: str, principals: tuple[str, ...] = ()) -> None:
    """Declare an outcome ("403", "✓") that a rule of the service makes of a permitted call, and why.

    It is printed in the matrix, and a deviation that no cell shows fails. ``principals``: for these alone.
    """
    for route in routes:
        REGISTRY.deviations.append(Deviation(route, outcome, reason, frozenset(principals)))


def leave_out(*routes: str, reason: str) -> None:
    """Run no cell of these routes; the matrix lists them with the reason."""
    REGISTRY.left_out |= dict.fromkeys(routes, reason)

"""Where objects are made: an account of the matrix, with words of its own that no other account may ever see."""

from __future__ import annotations

import itertools
import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from saas import database
from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES
from saas.services import account_services, user_services
from saas.services.session_services import Client
from saas.testing.registry import REGISTRY, NotDeclaredError
from tenants import enter_account

if TYPE_CHECKING:
    from saas.testing.world import World

PASSWORD = "plenty of unrelated words 7"  # noqa: S105 - of people who exist for the length of a test
_LETTERS = 6


class Site:
    """One account: its founder, and its sentinel, a made-up word in everything that is planted there.

    ``acts`` counts how often somebody set something up here, so that a snapshot knows when it is out of date.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.sentinel = "zq" + "".join(
            secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS)
        )
        self._numbers = itertools.count(1)
        self.acts = 0
        self.client = Client(ip="127.0.0.1", user_agent=self.sentinel)
        with database.use(world.database):
            self.founder = account_services.register(
                username=self.word(),
                email=f"{self.word()}@example.com",
                password=PASSWORD,
                account_name=self.word(),
                client=self.client,
            )
        self.account_id = self.founder.account_id
        self.colleague = self.add("viewer" if "viewer" in SYSTEM_ROLES else "owner")

    def word(self) -> str:
        """Return a new word of this account: lower case, a letter first, at most 15 characters."""
        return f"{self.sentinel}{next(self._numbers)}"

    @contextmanager
    def entered(self) -> Iterator[Site]:
        """Let services act in this account."""
        self.acts += 1
        with database.use(self.world.database), enter_account(self.account_id):
            yield self

    def add(self, *role_keys: str, email: str = "") -> Actor:
        """Give a new person (or the one behind ``email``) a seat with system roles; returns the seat as an actor."""
        email = email or f"{self.word()}@example.com"
        with self.entered():
            seat = user_services.add_user(
                self.founder,
                email=email,
                username=self.word(),
                password=PASSWORD,
                role_keys=list(role_keys),
            )
        held = frozenset().union(*(SYSTEM_ROLES[key] for key in role_keys))
        return Actor(
            "user", seat.id, seat.username, self.account_id, held,
            account_name=self.founder.account_name, identity_id=seat.identity_id, email=email,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """What a factory or a body maker is given.

    ``owner``: whoever founded the account, and holds everything in it. ``caller``: the seat that will call, None
    when nobody is signed in. ``word()``: a new text that is short and lower case enough for every field.
    """

    site: Site
    caller: Actor | None
    word: Callable[[], str]

    @property
    def account_id(self) -> UUID:
        return self.site.account_id

    @property
    def owner(self) -> Actor:
        return self.site.founder

    @property
    def person(self) -> Actor:
        """Whom something personal belongs to: the caller if they sit here, else a colleague."""
        here = self.caller is not None and self.caller.account_id == self.account_id
        return self.caller if here and self.caller is not None else self.site.colleague

    @property
    def elsewhere(self) -> Place:
        """An account that the matrix does not look at, for what must come from outside."""
        outside = self.site.world.outside
        return Place(outside, None, outside.word)

    def email(self) -> str:
        return f"{self.word()}@example.com"

    def add(self, *role_keys: str) -> Actor:
        """Return a new person of this account with these system roles, or none."""
        return self.site.add(*role_keys)

    def make(self, name: str, *, relation: str = "own") -> UUID:
        """Return the id of another new object, by its factory; raises NotDeclaredError."""
        found = REGISTRY.find_factory((name,), "", relation)
        if found is None:
            raise NotDeclaredError(say_factory(name))
        with self.site.entered():
            made = found(self)
        assert isinstance(made, UUID)
        return made


def say_factory(*names: str) -> str:
    """Return the sentence that says which factory to declare."""
    listed = ", ".join(f'"{name}"' for name in names)
    return (
        f"nobody can make {' and '.join(names)}: declare @testing.factory({listed}) in your conftest, "
        "a function that takes a Place and returns the id of a new object there"
    )

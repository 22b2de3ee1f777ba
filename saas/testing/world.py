"""The accounts and people of the matrix, made once and made anew when a cell has used them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import signature
from typing import Literal

import flask

from saas import database
from saas.actor import Actor
from saas.audit.refusals import RefusalLog
from saas.database import Database
from saas.permissions import Permission
from saas.security.counters import Limit
from saas.services import api_key_services, role_services, session_services
from saas.session_cookie import session_cookie
from saas.testing.places import Place, Site
from saas.testing.registry import REGISTRY
from tenants import enter_account

Permissions = frozenset[Permission]
Probe = Callable[[], Permissions | None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls: the headers they send, and what they hold (None: they are nobody).

    ``site``: the account they act in. ``knows``: what they may be told of other accounts, such as the name of
    another account of their own. ``probe`` says what they hold by now, None when their session or key has ended.
    """

    headers: dict[str, str] = field(default_factory=dict)
    permissions: Permissions | None = None
    kind: Literal["nobody", "person", "key"] = "nobody"
    site: Site | None = None
    actor: Actor | None = None
    knows: tuple[str, ...] = ()
    probe: Probe | None = None

    @property
    def spent(self) -> bool:
        """Whether a call has ended the caller's session or key, or changed what they hold."""
        return self.probe is not None and self.probe() != self.permissions


class World:
    """Every account and everybody who calls.

    ``home``: where the callers sit. ``foreign``: whose objects nobody at home may notice. ``outside``: for what comes
    from neither.
    """

    def __init__(self, app: flask.Flask) -> None:
        self.app = app
        self.database: Database = app.extensions["database"]
        # Here one caller is refused far more often than in life, and every refusal must be told by itself.
        app.extensions["refusals"] = RefusalLog(self.database, Limit(1_000_000, 60))
        self._callers: dict[tuple[object, ...], Caller | None] = {}
        self.sites: list[Site] = []
        self.shared_identities: set[str] = set()
        self.home, self.foreign = self.open_site(), self.open_site()

    @cached_property
    def outside(self) -> Site:
        return Site(self)  # not among the sites: what comes from there may be shown

    def open_site(self) -> Site:
        """Open another account whose words nobody outside it may see."""
        site = Site(self)
        self.sites.append(site)
        return site

    def caller(self, principal: str, permission: Permission | None) -> Caller | None:
        """Return a principal as it calls a route with this permission; made when first asked for."""
        make: Callable[..., Caller | None] = REGISTRY.principals[principal]
        given = (permission,) if len(signature(make).parameters) > 1 else ()
        key = (principal, *given)
        if key not in self._callers:
            self._callers[key] = make(self, *given)
        return self._callers[key]

    def refresh(self, principal: str) -> None:
        """Make a principal anew when next asked for."""
        self._callers = {k: c for k, c in self._callers.items() if k[0] != principal}

    def settle(self, caller: Caller) -> bool:
        """Forget who was used up by a call; true when a whole account was, and everything is made anew."""
        if caller.spent:
            self._callers = {k: c for k, c in self._callers.items() if c is not caller}
        if not any(self.person(each, each.founder).spent for each in (self.home, self.foreign)):
            return False
        self._callers = {}
        self.sites.clear()
        self.home, self.foreign = self.open_site(), self.open_site()
        return True

    def place(self, site: Site, caller: Caller | None = None) -> Place:
        """Return an account as a factory sees it."""
        return Place(site, caller.actor if caller else None, site.word)

    def person(self, site: Site, seat: Actor, knows: tuple[str, ...] = ()) -> Caller:
        """Return a seat as somebody who calls, with the session it has or a new one.

        They hold what the seat was made with: what the product makes of it is what is being tested.
        """
        permissions = seat.permissions
        if not seat.token:
            seat = self.sign_in(site, seat)
        headers = {"Cookie": "=".join(session_cookie(self.app, seat))}

        def probe() -> Permissions | None:
            with database.use(self.database), enter_account(site.account_id), database.reading():
                found = session_services.find_actor(site.account_id, seat.token)
            return found[0].permissions if found else None

        acting = replace(seat, permissions=permissions)
        return Caller(headers, permissions, "person", site, acting, knows, probe)

    def sign_in(self, site: Site, seat: Actor) -> Actor:
        """Begin a session on a seat."""
        assert seat.identity_id is not None
        assert seat.id is not None
        with site.entered(), database.unit_of_work() as unit:
            return session_services.begin_session(
                unit, seat.identity_id, seat.id, how="sign-in", remember=False, client=site.client
            )

    def in_custom_role(self, site: Site, permissions: Permissions) -> Caller:
        """Return a new person who holds one role that was made here, with these permissions."""
        seat = site.add()
        assert seat.id is not None
        with site.entered():
            role = role_services.create_role(
                site.founder, name=site.word(), permissions=sorted(permissions)
            )
            role_services.grant_role(site.founder, user_id=seat.id, role_id=role.id)
        return self.person(site, replace(seat, permissions=permissions))

    def key(self, site: Site, permissions: Permissions, maker: Actor | None = None) -> Caller:
        """Return a program that calls with an API key of the founder (or another maker)."""
        maker = maker or site.founder
        with site.entered():
            made = api_key_services.create_api_key(
                maker, name=site.word(), permissions=sorted(permissions)
            )
        parts = api_key_services.parse_key(made.key)
        assert parts is not None

        def probe() -> Permissions | None:
            with database.use(self.database), enter_account(site.account_id), database.reading():
                found = api_key_services.find_actor(*parts)
            return found[0].permissions if found else None

        headers = {"Authorization": f"Bearer {made.key}"}
        acting = replace(maker, permissions=permissions)
        return Caller(headers, permissions, "key", site, acting, probe=probe)

"""Who calls: the columns of the matrix. A project adds its own with ``@testing.principal``."""

from __future__ import annotations

from saas.actor import system_actor
from saas.permissions import SYSTEM_ROLES, Permission
from saas.services import account_services, user_services
from saas.testing.registry import REGISTRY, PrincipalMaker, principal
from saas.testing.world import Caller, World

EVERYTHING = frozenset(Permission)


@principal("nobody")
def nobody(world: World) -> Caller:
    """Somebody who is not signed in."""
    return Caller()


def _in_system_role(key: str) -> PrincipalMaker:
    def make(world: World) -> Caller:
        return world.person(world.home, world.home.add(key))

    make.__doc__ = f"Somebody in the system role {key}."
    return make


for _key in SYSTEM_ROLES:
    REGISTRY.principals[_key] = _in_system_role(_key)


@principal("only it")
def only_it(world: World, permission: Permission | None) -> Caller:
    """A custom role with exactly the permission of the route, or with none where none is needed."""
    return world.in_custom_role(world.home, frozenset({permission} if permission else ()))


@principal("all but it")
def all_but_it(world: World, permission: Permission | None) -> Caller | None:
    """A custom role with every permission but that of the route."""
    return world.in_custom_role(world.home, EVERYTHING - {permission}) if permission else None


@principal("in both")
def in_both(world: World) -> Caller:
    """A member at home who owns the foreign account too, and has entered home."""
    email = f"{world.home.word()}@example.com"
    there = world.foreign.add("owner", email=email)
    here = world.home.add("member" if "member" in SYSTEM_ROLES else "owner", email=email)
    assert here.identity_id is not None
    world.shared_identities.add(here.identity_id.hex)
    knows = (there.account_name, there.label, str(world.foreign.account_id))
    return world.person(world.home, here, knows)


@principal("stranger")
def stranger(world: World) -> Caller:
    """The owner of a third account: what belongs to home is foreign to them."""
    site = world.open_site()
    return world.person(site, site.add("owner"))


@principal("suspended")
def suspended(world: World) -> Caller:
    """An owner who was suspended while signed in."""
    caller = world.person(world.home, world.home.add("owner"))
    assert caller.actor is not None
    assert caller.actor.id is not None
    with world.home.entered():
        user_services.suspend_user(world.home.founder, user_id=caller.actor.id)
    return Caller(caller.headers)


@principal("account suspended")
def account_suspended(world: World) -> Caller:
    """The owner of an account that was suspended while they were signed in."""
    site = world.open_site()
    caller = world.person(site, site.founder)
    with site.entered():
        account_services.suspend_account(
            system_actor(site.account_id, "matrix"), reason="for the matrix"
        )
    return Caller(caller.headers)


@principal("key")
def key(world: World, permission: Permission | None) -> Caller:
    """An API key with exactly the permission of the route, or with every one where none is needed."""
    return world.key(world.home, frozenset({permission}) if permission else EVERYTHING)


@principal("key without")
def key_without(world: World, permission: Permission | None) -> Caller | None:
    """An API key with every permission but that of the route."""
    return world.key(world.home, EVERYTHING - {permission}) if permission else None


@principal("key, maker suspended")
def key_of_suspended(world: World) -> Caller:
    """An API key with every permission, made by an owner who was suspended since."""
    maker = world.home.add("owner")
    caller = world.key(world.home, EVERYTHING, maker)
    assert maker.id is not None
    with world.home.entered():
        user_services.suspend_user(world.home.founder, user_id=maker.id)
    return Caller(caller.headers)


@principal("operator")
def operator(world: World) -> Caller:
    """An operator's cookie: nobody here, whatever it opens in the console."""
    return Caller({"Cookie": f"operator={'0' * 32}.{'x' * 43}"})

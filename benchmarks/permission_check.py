"""One permission check, ``require(actor, permission)``, over a plain look-up in a frozenset.

``python -m benchmarks.permission_check [--quick] [--json]``. Measured for callers of few and of many accounts, with
one role and with many: it must not grow with either. No SQL: what a caller holds came with the caller.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from saas.actor import Actor
from saas.permissions import SYSTEM_ROLES, Permission, require
from saas.services import role_services
from saas.unit import Unit

MUST_US = 1.0
FEW, MANY = 10, 10_000
_CHECKED = (Permission.USER_READ, Permission.PROJECT_READ, Permission.ACCOUNT_READ)


def main() -> int:
    """Measure, print and say whether the figure holds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.permission_check", description=__doc__
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    result = measure(rounds=5 if asked.quick else 25)
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if max(result["require_us"].values()) <= MUST_US else 1


def measure(*, rounds: int) -> dict[str, Any]:
    """Return microseconds of one look-up and of one check, for each number of accounts and roles."""
    kinds = {
        f"{accounts:,} accounts, {roles} roles each": _actors(accounts, roles)
        for accounts in (FEW, MANY)
        for roles in (1, 200)
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, actors in kinds.items():
            plain = _time(_look_up, [actor.permissions for actor in actors])
            times[name].append((plain, _time(require, actors)))
    return {
        "look_up_us": {
            name: round(statistics.median(t[0] for t in of), 3) for name, of in times.items()
        },
        "require_us": {
            name: round(statistics.median(t[1] for t in of), 3) for name, of in times.items()
        },
    }


def _look_up(held: frozenset[Permission], permission: Permission) -> None:
    if permission not in held:
        raise PermissionError


def _time(check: Callable[[Any, Permission], None], held: list[Any], calls: int = 30_000) -> float:
    """Microseconds of one call, callers and permissions in turn; the loop itself is not taken off."""
    turns = calls // len(_CHECKED)
    among = list(islice(held * (turns // len(held) + 1), turns))
    begun = time.perf_counter()
    for one in among:
        for permission in _CHECKED:
            check(one, permission)
    return (time.perf_counter() - begun) / (turns * len(_CHECKED)) * 1e6


def _actors(accounts: int, roles: int) -> list[Actor]:
    """Callers as the door makes them: every one in an account of its own, with what its custom roles add up to."""
    return [_actor(uuid7(), [uuid7() for _ in range(roles)]) for _ in range(accounts)]


def _actor(account_id: UUID, role_ids: list[UUID]) -> Actor:
    granted = sorted(permission.value for permission in SYSTEM_ROLES["viewer"])
    unit: Any = _StoredRoles(account_id, [_Role(role_id, granted) for role_id in role_ids])
    references = ",".join(str(role_id) for role_id in role_ids)
    held = role_services.permissions_of(unit, references, 1)
    return Actor("user", uuid7(), "somebody", account_id, held)


class _Role:
    """A row of a custom role."""

    def __init__(self, role_id: UUID, permissions: list[str]) -> None:
        self.id, self.permissions = role_id, permissions


class _StoredRoles(Unit):
    """A unit that answers with roles instead of asking a database: this figure is about the time after it."""

    def __init__(self, account_id: UUID, roles: list[Any]) -> None:
        self.account_id, self._roles = account_id, roles

    def rows(self, statement: Any, parameters: Any) -> list[Any]:
        return self._roles


def _as_text(result: dict[str, Any]) -> str:
    return "\n".join(
        f"{name}: require {us:.2f} us, plain look-up {result['look_up_us'][name]:.2f} us (must be <= {MUST_US:.0f} us)"
        for name, us in result["require_us"].items()
    )


if __name__ == "__main__":
    sys.exit(main())

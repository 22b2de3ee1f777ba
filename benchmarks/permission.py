"""One permission check, ``require(actor, permission)``, beside pycasbin's FastEnforcer and Django's ``has_perm``.

``python -m benchmarks.permission [--quick] [--json]``. All three answer the same questions for the same people: an
account with the four system roles, a person in each role, every permission. Django's permissions are already cached
on its user object, the best it can do; what its first question of a request costs is told apart, in SQL statements.
A peer that is not installed is said to be missing (``pip install pycasbin django``). Ends with 1 when the figure
that must hold does not: one check in at most a microsecond, however many accounts there are.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from uuid_utils.compat import uuid7

from saas.actor import Actor
from saas.errors import PermissionDeniedError
from saas.permissions import SYSTEM_ROLES, Permission, require

MUST_US = 1.0
FEW, MANY = 10, 10_000  # accounts
MANY_FOR_CASBIN = 100  # reading its policies takes time with the square of their number
ROLES = tuple(SYSTEM_ROLES)
Check = Callable[[], bool]
Ask = Callable[
    [int, str, Permission], Check
]  # account, role, permission → the question, ready to be asked

_MODEL = """
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.dom == p.dom && r.obj == p.obj && r.act == p.act && g(r.sub, p.sub, r.dom)
"""


def main() -> int:
    """Measure, print and say whether the figure holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.permission", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    result = measure(rounds=3 if asked.quick else 9)
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if result["holds"] else 1


def measure(*, rounds: int) -> dict[str, Any]:
    """Take every figure in one run and return them: microseconds of one check, the median of the rounds."""
    django = _django() if find_spec("django") else None
    makers: list[tuple[str, int, int, Callable[[int], Ask]]] = [("tenantry", MANY, 60, _tenantry)]
    if find_spec("casbin"):
        makers.append(("pycasbin", MANY_FOR_CASBIN, 1, _pycasbin))
    if django:
        makers.append(("django", MANY, 20, lambda accounts: django[0]))
    taken: dict[str, dict[int, list[float]]] = {}
    runs = [(n, a, times, make(a)) for n, many, times, make in makers for a in (FEW, many)]
    for _, _, _, ask in runs:
        _refuse_wrong_answers(ask)
    for _ in range(rounds):
        for name, accounts, times, ask in runs:
            took = _time(_questions(ask, accounts), times)
            taken.setdefault(name, {}).setdefault(accounts, []).append(took)
    us = {
        name: {accounts: round(statistics.median(took), 3) for accounts, took in each.items()}
        for name, each in taken.items()
    }
    return {
        "us": us,
        "django_first_check_statements": django[1]() if django else None,
        "missing": [name for name in ("pycasbin", "django") if name not in us],
        "holds": max(us["tenantry"].values()) <= MUST_US,
    }


def _questions(ask: Ask, accounts: int) -> list[Check]:
    """Every permission for a person in each role, of accounts all over the place."""
    some = range(0, accounts, max(1, accounts // FEW))
    return [ask(a, role, permission) for a in some for role in ROLES for permission in Permission]


def _time(questions: Sequence[Check], times: int) -> float:
    """Microseconds of CPU of one question; asking costs all three the same call."""
    begun = time.process_time()
    for _ in range(times):
        for question in questions:
            question()
    return (time.process_time() - begun) / (times * len(questions)) * 1e6


def _refuse_wrong_answers(ask: Ask) -> None:
    for role, held in SYSTEM_ROLES.items():
        for permission in Permission:
            if ask(0, role, permission)() != (permission in held):
                raise RuntimeError(f"a wrong answer: may {role} do {permission}?")


def _tenantry(accounts: int) -> Ask:
    """Callers as the door makes them, each in an account of its own."""
    people = {
        (account, role): Actor("user", uuid7(), role, uuid7(), held)
        for account in range(accounts)
        for role, held in SYSTEM_ROLES.items()
    }

    def ask(account: int, role: str, permission: Permission) -> Check:
        actor = people[account, role]

        def question() -> bool:
            try:
                require(actor, permission)
            except PermissionDeniedError:
                return False
            return True

        return question

    return ask


def _pycasbin(accounts: int) -> Ask:
    """Roles with domains, and every account's policy its own."""
    from casbin import FastEnforcer
    from casbin.model import FastModel

    by = [1, 2, 3]  # what its policies are found by: account, object and act
    model = FastModel(by)
    model.load_model_from_text(_MODEL)
    for account in range(accounts):
        for role, held in SYSTEM_ROLES.items():
            model.add_policy("g", "g", [f"{role}@{account}", role, str(account)])
            for permission in held:
                model.add_policy("p", "p", [role, str(account), *permission.value.split(":")])
    enforcer = FastEnforcer(model, cache_key_order=by)
    enforcer.build_role_links()

    def ask(account: int, role: str, permission: Permission) -> Check:
        words = (f"{role}@{account}", str(account), *permission.value.split(":"))
        return lambda: bool(enforcer.enforce(*words))

    return ask


def _django() -> tuple[Ask, Callable[[], int]]:
    """Users with one group each, in SQLite in memory; Django knows no accounts, so their number does not count."""
    import django
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()
    from django.contrib.auth import models
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    call_command("migrate", verbosity=0)
    kind = ContentType.objects.create(app_label="saas", model="thing")
    known = {
        p: models.Permission.objects.create(codename=p.value, name=p.value, content_type=kind)
        for p in Permission
    }
    people = {}
    for role, held in SYSTEM_ROLES.items():
        group = models.Group.objects.create(name=role)
        group.permissions.set([known[permission] for permission in held])
        people[role] = models.User.objects.create(username=role)
        people[role].groups.add(group)

    def ask(account: int, role: str, permission: Permission) -> Check:
        user, name = people[role], f"saas.{permission.value}"
        return lambda: bool(user.has_perm(name))

    def first_check() -> int:
        fresh = models.User.objects.get(username="member")
        with CaptureQueriesContext(connection) as seen:
            fresh.has_perm("saas.project:read")
        return len(seen)

    return ask, first_check


def _as_text(result: dict[str, Any]) -> str:
    ours = max(result["us"]["tenantry"].values())
    lines = []
    for name, times in result["us"].items():
        told = ", ".join(
            f"{us:.3f} us with {accounts:,} accounts" for accounts, us in times.items()
        )
        beside = f" ({max(times.values()) / ours:.0f} times ours)" if name != "tenantry" else ""
        lines.append(f"{name}: {told}{beside}")
    if result["django_first_check_statements"] is not None:
        told = result["django_first_check_statements"]
        lines.append(f"django's first check of a request: {told} SQL statements; ours: 0")
    lines += [f"{name} is not installed: not measured" for name in result["missing"]]
    verdict = "holds" if result["holds"] else "DOES NOT HOLD"
    return "\n".join([*lines, f"at most {MUST_US:.0f} us: {verdict}"])


if __name__ == "__main__":
    sys.exit(main())

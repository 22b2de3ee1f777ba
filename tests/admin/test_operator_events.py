"""Take one event of the console away: the commit is refused, and nothing is changed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from saas import errors
from saas.audit import chain
from saas.audit.coverage import UnauditedChangeError
from saas.models import OperatorRow, SystemEventRow
from saas.security import second_factor
from saas.services import (
    console_act_services,
    operator_factor_services,
    operator_services,
    operator_staff_services,
)
from saas.services.session_services import Client
from saas.system_unit import system_unit_of_work
from tests import people
from tests.admin import desk
from tests.admin.desk import REASON
from tests.house import House
from tests.refusals import look, nothing_changes

SERVICES = Path(operator_services.__file__).parent
# Act → the call of record that it comes by: (module, function, which call in it). Events that account for no table of
# their own stand beside one that does: that they are written is shown in test_acts.py.
UPON_PERSON = ("console_act_services", "_upon_person", 0)
SITES = {
    "sign in": ("operator_services", "sign_in", 0),
    "finish set-up": ("operator_factor_services", "finish_setup", 0),
    "renew codes": ("operator_factor_services", "renew_recovery_codes", 0),
    "add operator": ("operator_staff_services", "add_operator", 0),
    "remove operator": ("operator_staff_services", "remove_operator", 0),
    "reset": ("operator_factor_services", "reset_second_factor", 0),
    "sign out": ("operator_services", "_record_ended", 0),
    "suspend person": UPON_PERSON,
    "restore person": UPON_PERSON,
    "sign person out": UPON_PERSON,
    "write note": ("console_act_services", "write_note", 0),
}
BESIDE = {("console_act_services", "_upon_person", 1)}


def call_sites() -> dict[tuple[str, str, int], range]:
    found = {}
    for path in sorted(SERVICES.glob("*_services.py")):
        if path.stem.startswith(("console_", "operator_")):
            for function in ast.parse(path.read_text("utf-8")).body:
                if isinstance(function, ast.FunctionDef):
                    calls = [n for n in ast.walk(function) if is_record(n)]
                    for number, call in enumerate(sorted(calls, key=lambda n: n.lineno)):
                        lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
                        found[path.stem, function.name, number] = lines
    return found


def is_record(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "record"


def test_every_call_of_record_is_taken_away_once_here_or_stands_beside_one() -> None:
    assert call_sites().keys() == set(SITES.values()) | BESIDE


class Stage:
    """An operator and a customer, ready for each act."""

    def __init__(self, house: House) -> None:
        self.house, self.ada = house, people.register(house, "ada")
        self.olga, self.sam = desk.hire(house), desk.hire(house, "support")
        cookie = self.olga.client.get_cookie("tenantry_operator", path="/admin")
        assert cookie
        with house.in_use():
            found = operator_services.find_operator(cookie.value)
        assert found
        self.operator = found
        self.waiting: Any = None

    def make_ready(self, act: str) -> None:
        with self.house.in_use():
            if act == "restore person":
                self.suspend()
            if act == "finish set-up":
                code = operator_factor_services.reset_second_factor(
                    self.operator, operator_id=self.sam.id, reason=REASON
                )
                self.waiting = self.sign_in(self.sam, code)

    def acts(self) -> dict[str, Callable[[], Any]]:
        about: dict[str, Any] = {"identity_id": self.ada.identity_id, "reason": REASON}
        return {
            "sign in": lambda: self.sign_in(self.olga, self.olga.recovery_codes[0]),
            "finish set-up": lambda: operator_factor_services.finish_setup(
                self.waiting, code=self.sam.code()
            ),
            "renew codes": lambda: operator_factor_services.renew_recovery_codes(
                self.operator, code=self.olga.code()
            ),
            "add operator": lambda: operator_staff_services.add_operator(
                email=people.fresh_email("new"), role="viewer"
            ),
            "remove operator": lambda: operator_staff_services.remove_operator(
                email=self.sam.email
            ),
            "reset": lambda: operator_factor_services.reset_second_factor(
                self.operator, operator_id=self.sam.id, reason=REASON
            ),
            "sign out": lambda: operator_services.sign_out(self.operator),
            "suspend person": self.suspend,
            "restore person": lambda: console_act_services.restore_person(self.operator, **about),
            "sign person out": lambda: console_act_services.sign_person_out(self.operator, **about),
            "write note": lambda: console_act_services.write_note(
                self.operator, account_id=self.ada.account_id, text="They called about it."
            ),
        }

    def suspend(self) -> None:
        console_act_services.suspend_person(
            self.operator, identity_id=self.ada.identity_id, reason=REASON
        )

    def sign_in(self, who: desk.Desk, code: str) -> Any:
        return operator_services.sign_in(
            email=who.email, password=who.password, code=code, client=Client("", "tests")
        )


@pytest.mark.parametrize("act", SITES)
def test_without_its_event_the_change_is_refused(
    house: House, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, site = Stage(house), SITES[act]
    stage.make_ready(act)
    module = import_module(f"saas.services.{site[0]}")
    lines, real, dropped = call_sites()[site], module.record, []

    def forgetful(*args: Any, **options: Any) -> None:
        if sys._getframe(1).f_lineno in lines:
            dropped.append(args[0])
        else:
            real(*args, **options)

    with nothing_changes(house, stage.ada):
        monkeypatch.setattr(module, "record", forgetful)
        with house.in_use(), pytest.raises(UnauditedChangeError, match=r"changed at"):
            stage.acts()[act]()
    assert len(dropped) == 1
    monkeypatch.undo()
    with house.in_use():
        stage.acts()[act]()


def test_of_two_who_looked_at_once_the_second_finds_it_done(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(house)
    with house.in_use():
        seen = console_act_services._find_person(stage.ada.identity_id)
        stage.suspend()
        monkeypatch.setattr(console_act_services, "_find_person", lambda identity_id: seen)
        with nothing_changes(house, stage.ada), pytest.raises(errors.AlreadySoError):
            stage.suspend()
    events = SystemEventRow.__table__
    suspended = (
        events.c.target_id == str(stage.ada.identity_id),
        events.c.action == "identity.suspended",
    )
    assert len(look(house, select(events.c.id).where(*suspended))) == 1


def test_a_silent_change_of_an_operator_is_refused(house: House) -> None:
    olga, table = desk.hire(house), OperatorRow.__table__
    promotion = update(table).where(table.c.id == olga.id).values(role="administrator")
    with (
        house.in_use(),
        nothing_changes(house),
        pytest.raises(UnauditedChangeError, match="operators"),
        system_unit_of_work() as unit,
    ):
        unit.execute(promotion)


def test_what_operators_did_is_in_the_chain_of_the_house(house: House) -> None:
    stage = Stage(house)
    with house.in_use():
        for name in ("suspend person", "write note", "reset"):
            stage.acts()[name]()
    rows = look(house, select(SystemEventRow.__table__).order_by(SystemEventRow.__table__.c.seq))

    prev = chain.GENESIS
    for number, row in enumerate(rows, 1):
        envelope = {**row._mapping, "account_id": None}
        assert (row.seq, row.prev) == (number, prev)
        assert chain.digest(envelope) == row.digest
        assert chain.link(row.prev, row.seq, row.digest) == row.hash
        prev = row.hash


def test_the_secret_follows_from_seed_and_pepper_alone() -> None:
    seed, key = second_factor.new_seed()
    assert second_factor.secret_of(seed, key) == second_factor.secret_of(seed, key)
    assert second_factor.secret_of(second_factor.new_seed()[0], key) != second_factor.secret_of(
        seed, key
    )
    with pytest.raises(KeyError):
        second_factor.secret_of(seed, "gone")

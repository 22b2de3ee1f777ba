"""Each guard of the console is seeded away once, and an attack gets through: the tests are not green by accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from admin import fields, gate, guarded
from saas import spreadsheet
from saas.audit.events import AuditEvent
from saas.security import second_factor
from saas.services import (
    console_act_services,
    console_audit_services,
    console_home_services,
    console_looks,
    operator_codes,
    operator_services,
)
from tests import people
from tests.admin import desk
from tests.admin.desk import REASON
from tests.house import House
from tests.seeded_guards import Guard

Attack = Callable[[House], bool]


def a_code_twice(house: House) -> bool:
    olga = desk.hire(house, signed_in=False)
    code = olga.code()
    desk.sign_in(olga, code)
    return bool(desk.sign_in(olga, code).status_code == 303)


def a_recovery_code_twice(house: House) -> bool:
    olga = desk.hire(house, signed_in=False)
    desk.sign_in(olga, olga.recovery_codes[0])
    return bool(desk.sign_in(olga, olga.recovery_codes[0]).status_code == 303)


def a_wrong_password(house: House) -> bool:
    olga = desk.hire(house, signed_in=False)
    return bool(desk.sign_in(olga, olga.code(), password="not it").status_code == 303)


def no_code(house: House) -> bool:
    olga = desk.hire(house, signed_in=False)
    return bool(desk.sign_in(olga, "000000").status_code == 303)


def a_stranger(house: House) -> bool:
    return house.app.test_client().get("/admin/accounts/new/").status_code != 404 or (
        house.app.test_client().post("/admin/accounts/").status_code != 404
    )


def a_cookie_beside_a_key(house: House) -> bool:
    olga = desk.hire(house)
    answer = olga.get("/admin/accounts/", headers={"Authorization": "Bearer tk_x"})
    return bool(answer.status_code == 200)


def a_form_without_its_token(house: House) -> bool:
    olga, ada = desk.hire(house), people.register(house, "ada")
    path = f"/admin/accounts/{ada.account_id}/suspend/"
    olga.client.post(path, data={"reason": REASON})
    return bool(ada.get("/api/user").status_code == 401)


def a_viewer_suspends(house: House) -> bool:
    vic, ada = desk.hire(house, "viewer"), people.register(house, "ada")
    vic.act(f"/admin/accounts/{ada.account_id}/suspend/")
    return bool(ada.get("/api/user").status_code == 401)


def the_set_up_opens_all(house: House) -> bool:
    olga, sam = desk.hire(house), desk.hire(house, "support", signed_in=False)
    page = olga.act(f"/admin/operators/{sam.id}/reset/").get_data(as_text=True)
    desk.sign_in(sam, page.split('data-copy="code">')[1].split("<")[0])
    return bool(sam.get("/admin/").status_code == 200)


def a_formula(house: House) -> bool:
    return not spreadsheet.safe_cell("=1+1").startswith("'")


def a_secret_in_a_list(house: House) -> bool:
    from saas.models import Identity

    try:
        fields.Field("password_hash", "Leak").expression(Identity.__table__)
    except fields.FieldError:
        return False
    return True


def an_unseen_look(house: House) -> bool:
    olga, ada = desk.hire(house), people.register(house, "ada")
    olga.get(f"/admin/accounts/{ada.account_id}/")
    return "account.viewed" not in ada.actions()


def an_act_that_the_house_never_hears_of(house: House) -> bool:
    olga, ada = desk.hire(house), people.register(house, "ada")
    olga.act(f"/admin/accounts/{ada.account_id}/suspend/")
    return "console.acted" not in [event.action for event in olga.told()]


SEEDED: dict[str, tuple[Guard, Attack]] = {
    "a step is used once": (
        Guard(
            second_factor, "matching_step", "and step > after", "",
            also=Guard(operator_codes, "use_app_code", ", _operators.c.totp_step < step", ""),
        ),
        a_code_twice,
    ),
    "a recovery code is used once": (
        Guard(operator_codes, "use_code", "_codes.c.used_at.is_(None),", ""),
        a_recovery_code_twice,
    ),
    "the password is asked": (
        Guard(operator_services, "sign_in", "known is None or not right", "known is None"),
        a_wrong_password,
    ),
    "the code is asked": (
        Guard(operator_services, "sign_in", "if how is None:\n            raise refused", "how = how or ''"),
        no_code,
    ),
    "the gate stands before routing": (
        Guard(gate, "open_gate", "    raise errors.NotFoundError\n", "    return None\n"),
        a_stranger,
    ),
    "a cookie beside a key does not count": (
        Guard(gate, "_is_bearer", '"HTTP_AUTHORIZATION" in flask.request.environ', "False"),
        a_cookie_beside_a_key,
    ),
    "a form carries its token": (
        Guard(gate, "check_form", "if not hmac.compare_digest(given, form_token(operator).encode()):", "if False:"),
        a_form_without_its_token,
    ),
    "a formula gets a quote": (
        Guard(spreadsheet, "safe_cell", 'return "\'" + text if', "return text if"),
        a_formula,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEDED)
def test_without_the_guard_the_attack_gets_through(
    lite: House, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, attack = SEEDED[name]
    assert not attack(lite)
    guard.seed_away(monkeypatch)
    if guard.module is gate:
        hooks = [gate.open_gate if hook is ORIGINAL_GATE else hook for hook in hooks_of(lite)]
        monkeypatch.setitem(lite.app.before_request_funcs, None, hooks)
    assert attack(lite)


ORIGINAL_GATE = gate.open_gate


def hooks_of(house: House) -> list[Any]:
    return list(house.app.before_request_funcs[None])


def test_services_ask_even_when_the_view_forgets(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nets: the page's permission and the service's. Each alone holds; without both the attack gets through."""

    def nobody_asks(*args: object) -> None:
        return None

    assert not a_viewer_suspends(lite)
    with monkeypatch.context() as view:
        view.setattr(guarded, "require_operator", nobody_asks)
        assert not a_viewer_suspends(lite)
    with monkeypatch.context() as service:
        service.setattr(console_act_services, "require_operator", nobody_asks)
        assert not a_viewer_suspends(lite)
    from admin import act_pages

    monkeypatch.setattr(guarded, "require_operator", nobody_asks)
    monkeypatch.setattr(act_pages, "why_not", lambda *args: "")
    assert not a_viewer_suspends(lite)
    monkeypatch.setattr(console_act_services, "require_operator", nobody_asks)
    assert a_viewer_suspends(lite)


def test_a_set_up_session_opens_nothing_by_two_nets(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not the_set_up_opens_all(lite)
    monkeypatch.setattr(guarded.Guarded, "open_to_setup", True)
    assert not the_set_up_opens_all(lite)  # the services refuse a session that is not full
    for module in (console_home_services, console_audit_services):
        monkeypatch.setattr(module, "require_operator", lambda *args: None)
    assert the_set_up_opens_all(lite)


def test_a_look_that_is_not_told_is_seen_here(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not an_unseen_look(lite)
    real = console_looks.record

    def forgetful(event: AuditEvent, **options: Any) -> None:
        if event is not AuditEvent.ACCOUNT_VIEWED:
            real(event, **options)

    monkeypatch.setattr(console_looks, "record", forgetful)
    assert an_unseen_look(lite)


def test_secrets_and_silent_acts(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not a_secret_in_a_list(lite)
    assert not an_act_that_the_house_never_hears_of(lite)
    with monkeypatch.context() as pattern:
        pattern.setattr(
            fields, "_SECRET", type("Never", (), {"search": staticmethod(lambda _: None)})
        )
        assert not a_secret_in_a_list(lite)  # the table hides it: the second net
    monkeypatch.setattr(console_act_services, "record_act", lambda *args: None)
    assert an_act_that_the_house_never_hears_of(lite)

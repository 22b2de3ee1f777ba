"""Operators come in with two factors, each code once; nobody else comes in at all."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from saas import errors
from saas.columns import utc_now
from saas.models import OWNERSHIP, OperatorRow, SystemEventRow
from saas.operator import OPERATOR_ROLES
from saas.security import second_factor
from saas.services import operator_rows, operator_services, operator_staff_services
from tenants import UnscopableStatementError, enter_account
from tests.admin import desk
from tests.admin.desk import Desk, alert
from tests.house import House
from tests.people import Person
from tests.refusals import change, look, nothing_changes, refused
from tests.variants import variant

HOME = "/admin/"


def failures(house: House) -> list[Any]:
    table = SystemEventRow.__table__
    failed = select(table).where(table.c.action == "sign_in.failed")
    return look(house, failed.order_by(table.c.seq))


def test_address_password_and_code_open_the_console(house: House) -> None:
    olga = desk.hire(house, signed_in=False)

    answer = desk.sign_in(olga, olga.code())

    assert answer.status_code == 303
    assert answer.headers["Location"] == HOME
    assert olga.email in olga.get(HOME).get_data(as_text=True)
    assert [event.action for event in olga.told()] == ["operator.signed_in"]
    assert olga.told()[0].data == {"how": "code of the app"}


def test_the_cookie_is_an_operators_own(house: House) -> None:
    olga = desk.hire(house, signed_in=False)

    cookies = desk.sign_in(olga, olga.code()).headers.getlist("Set-Cookie")

    assert len(cookies) == 1
    assert cookies[0].startswith("tenantry_operator=")
    for word in ("; HttpOnly", "; Path=/admin", "; SameSite=Lax", "; Expires="):
        assert word in cookies[0]


def test_over_tls_the_cookie_is_secure(lite: House) -> None:
    with variant(lite, base_url="https://tenantry.example") as other:
        olga = desk.hire(other, signed_in=False)
        answer = desk.sign_in(olga, olga.code())
        assert "; Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("wrong", ["email", "password", "code"])
def test_whatever_is_wrong_the_answer_is_the_same_and_the_log_tells(
    house: House, wrong: str
) -> None:
    olga, before = desk.hire(house, signed_in=False), len(failures(house))
    given = {"email": olga.email, "password": olga.password, "code": olga.code()}
    given[wrong] = {"email": "nobody@example.com", "password": "not it", "code": "000000"}[wrong]

    with nothing_changes(house):
        answer = olga.client.post("/admin/sign-in", data=given)

    assert answer.status_code == 401
    assert alert(answer) == operator_services._WRONG
    assert "Set-Cookie" not in answer.headers
    told = failures(house)
    assert len(told) == before + 1
    assert told[-1].actor_type == "anonymous"
    assert (told[-1].target_id == str(olga.id)) is (wrong != "email")


def test_without_the_pepper_of_the_second_factor_no_code_of_the_app_is_right(house: House) -> None:
    olga, operators = desk.hire(house, signed_in=False), OperatorRow.__table__
    code = olga.code()
    change(house, update(operators).where(operators.c.id == olga.id).values(totp_key="removed"))

    assert desk.sign_in(olga, code).status_code == 401
    assert failures(house)[-1].target_id == str(olga.id)
    assert desk.sign_in(olga, olga.recovery_codes[0]).status_code == 303


def test_a_customers_password_opens_nothing(house: House, ada: Person) -> None:
    answer = house.app.test_client().post(
        "/admin/sign-in", data={"email": ada.email, "password": ada.password, "code": "123456"}
    )

    assert answer.status_code == 401


def test_an_operator_is_no_customer(house: House) -> None:
    olga = desk.hire(house)

    refused(olga.client.get("/api/user"), 40102)
    body = {"email": olga.email, "password": olga.password}
    refused(olga.client.post("/api/login", json=body), 40101)


def test_a_code_of_the_app_works_once(house: House) -> None:
    olga = desk.hire(house, signed_in=False)
    code = olga.code()

    assert desk.sign_in(olga, code).status_code == 303
    assert desk.sign_in(olga, code).status_code == 401


def test_an_older_code_is_dead_once_a_newer_one_was_used(house: House) -> None:
    olga = desk.hire(house, signed_in=False)
    with house.in_use():
        known = operator_rows.find(olga.id)
    secret = second_factor.secret_of(known.totp_seed, known.totp_key)
    older, newer = (
        second_factor.code_at(secret, utc_now() + timedelta(seconds=s)) for s in (-30, 0)
    )

    assert desk.sign_in(olga, newer).status_code == 303
    assert desk.sign_in(olga, older).status_code == 401


@pytest.mark.parametrize(("off", "opens"), [(-30, True), (30, True), (-120, False), (120, False)])
def test_a_clock_may_be_off_by_a_step(house: House, off: int, opens: bool) -> None:
    code, near = "", {""}
    while (code in near) is not opens or not code:  # six digits: two moments may have the same
        olga = desk.hire(house, signed_in=False)
        with house.in_use():
            known = operator_rows.find(olga.id)
        secret, now = second_factor.secret_of(known.totp_seed, known.totp_key), utc_now()
        moments = [now + timedelta(seconds=seconds) for seconds in (off, -60, -30, 0, 30, 60)]
        code, *others = (second_factor.code_at(secret, moment) for moment in moments)
        near = set(others)

    assert (desk.sign_in(olga, code).status_code == 303) is opens


def test_of_many_with_one_code_at_once_one_comes_in(house: House) -> None:
    olga = desk.hire(house, signed_in=False)
    code = olga.code()

    def try_it(_: int) -> int:
        fields = {"email": olga.email, "password": olga.password, "code": code}
        return int(house.app.test_client().post("/admin/sign-in", data=fields).status_code)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(try_it, range(6))) == [303, 401, 401, 401, 401, 401]


def test_a_recovery_code_works_once_however_it_is_typed(house: House) -> None:
    olga = desk.hire(house, signed_in=False)
    code = olga.recovery_codes[0].replace("-", " ").upper()

    assert desk.sign_in(olga, code).status_code == 303
    assert olga.told()[-1].data == {"how": "recovery code"}
    assert desk.sign_in(olga, code).status_code == 401
    assert desk.sign_in(olga, olga.recovery_codes[1]).status_code == 303


def test_there_are_ten_recovery_codes_and_new_ones_end_the_old(house: House) -> None:
    olga = desk.hire(house)
    assert len(set(olga.recovery_codes)) == 10

    page = olga.post("/admin/me/", code=olga.code()).get_data(as_text=True)

    new = re.findall(r"<code>([a-z2-7-]{19})</code>", page)
    assert len(new) == 10
    assert desk.sign_in(olga, olga.recovery_codes[0]).status_code == 401
    assert desk.sign_in(olga, new[0]).status_code == 303
    assert "operator.codes_renewed" in [event.action for event in olga.told()]


def test_new_recovery_codes_ask_a_code(house: House) -> None:
    olga = desk.hire(house)
    with nothing_changes(house):
        assert olga.post("/admin/me/", code="000000").status_code == 422


def test_a_session_ends_after_thirty_minutes_without_use(house: House) -> None:
    olga, start = desk.hire(house), utc_now()

    with time_machine.travel(start + timedelta(minutes=29), tick=False):
        assert olga.get(HOME).status_code == 200
    with time_machine.travel(start + timedelta(minutes=58), tick=False):
        assert olga.get(HOME).status_code == 200
    with time_machine.travel(start + timedelta(minutes=89), tick=False):
        answer = olga.get(HOME)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/admin/sign-in?ended=1"
    assert olga.get(HOME).status_code == 404  # the cookie is gone, and with it the friendly words


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(house: House) -> None:
    olga, start = desk.hire(house), utc_now()

    for quarter in range(1, 48):
        with time_machine.travel(start + timedelta(minutes=15 * quarter), tick=False):
            assert olga.get(HOME).status_code == 200
    with time_machine.travel(start + timedelta(hours=12, seconds=1), tick=False):
        assert olga.get(HOME).status_code == 303


def test_signing_out_ends_the_session_for_a_copy_of_the_cookie_too(house: House) -> None:
    olga = desk.hire(house)
    cookie = olga.client.get_cookie("tenantry_operator", path="/admin")
    assert cookie

    assert olga.post("/admin/sign-out/").headers["Location"] == "/admin/sign-in"

    copy = house.app.test_client()
    copy.set_cookie("tenantry_operator", cookie.value, path="/admin")
    assert copy.get(HOME).status_code == 303
    assert copy.post("/admin/sign-out/").status_code == 404
    assert olga.told()[-1].action == "operator.signed_out"


def test_a_removed_operator_is_out_at_the_next_request(house: House) -> None:
    olga = desk.hire(house)

    with house.in_use():
        operator_staff_services.remove_operator(email=olga.email)

    assert olga.get(HOME).status_code == 303
    assert desk.sign_in(olga, olga.recovery_codes[0]).status_code == 401


def test_too_many_tries_are_refused_and_say_until_when(lite: House) -> None:
    with variant(lite, throttle_sign_in="3/minute") as other:
        olga = desk.hire(other, signed_in=False)
        answers = [desk.sign_in(olga, "000000") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_stolen_session_cannot_be_used_to_guess_a_code(lite: House) -> None:
    with variant(lite, throttle_sign_in="3/minute") as other:
        olga = desk.hire(other)
        answers = [olga.post("/admin/me/", code="000000").status_code for _ in range(4)]

    assert answers == [422, 422, 429, 429]  # the sign-in was the first of the three


@pytest.mark.parametrize(
    "next_",
    ["https://evil.example/", "//evil.example", "/projects", "/admin/../projects", "\\\\evil"],
)
def test_after_signing_in_nobody_is_led_out_of_the_console(lite: House, next_: str) -> None:
    olga = desk.hire(lite, signed_in=False)

    there = desk.sign_in(olga, olga.code(), next=next_).headers["Location"]

    assert there in ("/admin/", "/admin/../projects")


def test_the_form_holds_the_address_and_never_the_password(lite: House) -> None:
    olga = desk.hire(lite, signed_in=False)
    page = desk.sign_in(olga, "000000").get_data(as_text=True)

    assert olga.email in page
    assert olga.password not in page
    assert "000000" not in page


class TestSettingUpAnew:
    """An administrator resets a second factor; whoever it was sets up a new one with a code handed over."""

    def reset(self, house: House) -> tuple[Desk, Desk, str]:
        olga, sam = desk.hire(house), desk.hire(house, "support")
        answer = olga.act(f"/admin/operators/{sam.id}/reset/")
        found = re.search(r'data-copy="code">([^<]+)<', answer.get_data(as_text=True))
        assert found, answer.status_code
        return olga, sam, found[1]

    def test_the_old_factor_ends_at_once(self, house: House) -> None:
        olga, sam, _ = self.reset(house)

        assert sam.get(HOME).status_code == 303
        for code in (sam.code(), sam.recovery_codes[0]):
            assert desk.sign_in(sam, code).status_code == 401
        assert "operator.factor_reset" in [event.action for event in olga.told()]
        acted = olga.told()[-1]
        assert (acted.action, acted.reason) == ("console.acted", desk.REASON)

    def test_the_code_opens_the_set_up_and_nothing_else(self, house: House) -> None:
        _, sam, code = self.reset(house)

        assert desk.sign_in(sam, code).headers["Location"] == "/admin/second-factor/"
        for path in (HOME, "/admin/accounts/", "/admin/me/"):
            assert sam.get(path).headers["Location"] == "/admin/second-factor/"
        page = sam.get("/admin/second-factor/").get_data(as_text=True)
        assert "data:image/svg+xml" in page

    def test_the_new_app_proves_itself_and_everything_is_open(self, house: House) -> None:
        _, sam, code = self.reset(house)
        desk.sign_in(sam, code)
        token = re.search(r'name="csrf" value="(\w+)"', sam.get("/admin/second-factor/").text)
        assert token

        wrong = sam.client.post("/admin/second-factor/", data={"csrf": token[1], "code": "000000"})
        assert wrong.status_code == 422
        right = sam.client.post(
            "/admin/second-factor/", data={"csrf": token[1], "code": sam.code()}
        )

        assert len(re.findall(r"<code>[a-z2-7-]{19}</code>", right.text)) == 10
        assert sam.get(HOME).status_code == 200
        assert "operator.factor_set" in [event.action for event in sam.told()]

    def test_the_code_works_once_and_for_a_day(self, house: House) -> None:
        _, sam, code = self.reset(house)
        with time_machine.travel(utc_now() + timedelta(hours=24, seconds=1), tick=False):
            assert desk.sign_in(sam, code).status_code == 401
        assert desk.sign_in(sam, code).status_code == 303
        assert desk.sign_in(sam, code).status_code == 401

    def test_nobody_resets_their_own(self, house: House) -> None:
        olga = desk.hire(house)
        with nothing_changes(house):
            assert olga.act(f"/admin/operators/{olga.id}/reset/").status_code == 409


class TestWhatIsStored:
    def test_a_copy_of_the_database_makes_no_codes(self, house: House) -> None:
        olga = desk.hire(house)
        code, with_code = olga.code(), olga.recovery_codes[0]
        stored = " ".join(
            str(tuple(row))
            for name in ("operators", "operator_sessions", "operator_recovery_codes")
            for row in look(house, select(OWNERSHIP.metadata.tables[name]))
        )
        cookie = olga.client.get_cookie("tenantry_operator", path="/admin")
        assert cookie

        for secret in (
            olga.password,
            with_code,
            with_code.replace("-", ""),
            cookie.value,
            f"'{code}'",
        ):
            assert secret not in stored
        with house.in_use():
            known = operator_rows.find(olga.id)
        assert second_factor.secret_of(known.totp_seed, known.totp_key) not in stored

    def test_the_engine_of_customers_cannot_even_ask(self, house: House, ada: Person) -> None:
        from saas import database

        with (
            house.in_use(),
            enter_account(ada.account_id),
            database.reading() as unit,
            pytest.raises(UnscopableStatementError, match="SELECT is not for this engine"),
        ):
            unit.execute(select(OperatorRow.id))


def test_roles_of_operators_are_those_written_here() -> None:
    sizes = {name: len(held) for name, held in OPERATOR_ROLES.items()}
    assert sizes == {"administrator": 17, "support": 11, "viewer": 7}
    assert OPERATOR_ROLES["viewer"] < OPERATOR_ROLES["support"] < OPERATOR_ROLES["administrator"]


def test_an_operator_has_a_role_there_is_and_an_address_of_their_own(house: House) -> None:
    olga = desk.hire(house, signed_in=False)
    with house.in_use():
        with pytest.raises(errors.ValidationFailedError):
            operator_staff_services.add_operator(email="x@example.com", role="owner")
        with pytest.raises(errors.EmailAddressAlreadyExistsError):
            operator_staff_services.add_operator(email=olga.email.upper(), role="viewer")
        with pytest.raises(errors.NotFoundError):
            operator_staff_services.remove_operator(email="nobody@example.com")

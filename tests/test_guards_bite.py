"""Each guard is seeded away once, and the matrix or an attack below goes red: they are not green by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from config import application
from saas import errors
from saas.services import role_services, webhook_services
from saas.testing import matrix
from tenants import enter_account
from tests import acts, mail, people
from tests.house import House, Street
from tests.seeded_guards import GUARDS, Guard

Attack = Callable[[House], None]
ROOT = Path(__file__).parent.parent
BY_MATRIX = {name: guard for name, guard in GUARDS.items() if guard.lines}
BY_ATTACK = {name: guard for name, guard in GUARDS.items() if guard.attack}


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A house of its own: what a missing guard lets happen is left behind here."""
    street = Street(tmp_path_factory.mktemp("apart"), "apart")
    yield street
    street.close()


def key_of_a_demoted_maker(lite: House) -> None:
    team = people.team(lite)
    script = acts.make_key(lite, team.ben, "project:read")
    acts.done(
        team.ada.delete(f"/api/users/{team.ben.user_id}/roles/{acts.role_ids(team.ada)['admin']}")
    )
    assert script.get("/api/projects").status_code == 403


def suspending_oneself(lite: House) -> None:
    ben = people.team(lite).ben
    assert ben.post(f"/api/users/{ben.user_id}/suspend", {}).status_code == 403


def leaving_as_the_last_owner(lite: House) -> None:
    assert people.team(lite).ada.post("/api/account/leave").status_code == 409


def acting_after_a_demotion(lite: House) -> None:
    team = people.team(lite)
    viewer = acts.role_ids(team.ada)["viewer"]
    stale = team.ben.actor("admin")
    acts.done(
        team.ada.delete(f"/api/users/{team.ben.user_id}/roles/{acts.role_ids(team.ada)['admin']}")
    )
    refused = False
    with lite.in_use(), enter_account(team.account_id):
        try:
            role_services.grant_role(stale, user_id=team.cleo.user_id, role_id=UUID(viewer))
        except errors.PermissionDeniedError:
            refused = True
    assert refused


def closing_with_a_wrong_password(lite: House) -> None:
    ada = people.register(lite, "ada")
    assert ada.post("/api/account/close", {"password": "not the right one"}).status_code == 422


def pointing_a_webhook_elsewhere_without_reading_the_log(lite: House) -> None:
    team = people.team(lite)
    body = {"url": "https://hooks.example.com/a"}
    hook = acts.done(team.ada.post("/api/webhooks", body), 201)
    acts.give(team.ada, team.cleo, "keeper", "webhook:update")
    for change in ({"url": "https://evil.example.com/"}, {"actions": None}):
        assert team.cleo.patch(f"/api/webhooks/{hook['id']}", change).status_code == 403


def saving_a_webhook_to_the_metadata_service(lite: House) -> None:
    ada = people.register(lite, "ada")
    refused = False
    with lite.in_use(), enter_account(ada.account_id):
        try:
            webhook_services.create_webhook(ada.actor(), url="https://169.254.169.254/latest")
        except errors.ValidationFailedError:
            refused = True
    assert refused


def accepting_with_a_made_up_token(lite: House) -> None:
    ada = people.register(lite, "ada")
    acts.invite(ada, people.fresh_email("dora"), "viewer")
    made_up = f"inv_{ada.account_id.hex}_{'x' * 43}"
    assert acts.accept(lite.app.test_client(), made_up, "dora").status_code == 404


def accepting_twice(lite: House) -> None:
    token = acts.invited(lite, people.register(lite, "ada"), people.fresh_email("dora"), "viewer")
    assert acts.accept(lite.app.test_client(), token, "dora").status_code == 201
    assert acts.accept(lite.app.test_client(), token, "dora2").status_code == 410


def accepting_what_was_taken_back(lite: House) -> None:
    ada, email = people.register(lite, "ada"), people.fresh_email("dora")
    invitation = acts.invite(ada, email, "viewer")
    token = mail.token(lite, email)
    acts.done(ada.delete(f"/api/invitations/{invitation['id']}"))
    assert acts.accept(lite.app.test_client(), token, "dora").status_code == 410


def accepting_as_somebody_else(lite: House) -> None:
    token = acts.invited(lite, people.register(lite, "ada"), people.fresh_email("dora"), "viewer")
    assert acts.accept(people.register(lite, "gus").client, token).status_code == 403


def accepting_from_a_demoted_sender(lite: House) -> None:
    ada = people.register(lite, "ada")
    ben = people.add(lite, ada, "ben", "admin", "member")
    token = acts.invited(lite, ben, people.fresh_email("dora"), "viewer")
    acts.done(ada.delete(f"/api/users/{ben.user_id}/roles/{acts.role_ids(ada)['admin']}"))
    assert acts.accept(lite.app.test_client(), token, "dora").status_code == 410


def resetting_twice(lite: House) -> None:
    ada = people.register(lite, "ada")
    acts.done(ada.post("/api/password/forgot", {"email": ada.email}), 202)
    body = {"token": mail.token(lite, ada.email), "new_password": "another few unrelated words"}
    assert ada.post("/api/password/reset", body).status_code == 200
    assert ada.post("/api/password/reset", body).status_code == 410


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        key_of_a_demoted_maker,
        suspending_oneself,
        leaving_as_the_last_owner,
        acting_after_a_demotion,
        closing_with_a_wrong_password,
        accepting_with_a_made_up_token,
        accepting_twice,
        accepting_what_was_taken_back,
        accepting_as_somebody_else,
        accepting_from_a_demoted_sender,
        resetting_twice,
        pointing_a_webhook_elsewhere_without_reading_the_log,
        saving_a_webhook_to_the_metadata_service,
    )
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attack_is_refused(name: str, lite: House) -> None:
    ATTACKS[name](lite)


@pytest.mark.parametrize("name", BY_ATTACK)
def test_without_the_guard_the_attack_succeeds(
    name: str, apart: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = apart.house("sqlite")
    GUARDS[name].seed_away(monkeypatch)

    with pytest.raises(AssertionError):
        ATTACKS[GUARDS[name].attack](house)


@pytest.mark.parametrize("name", BY_MATRIX)
def test_without_the_guard_the_matrix_goes_red(
    name: str, apart: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = apart.house("sqlite")
    GUARDS[name].seed_away(monkeypatch)
    # The wrapper of a route is made with the app.
    app = application.create_app(here.settings)

    outcome = matrix.run(app, lambda row: line_of(row) in GUARDS[name].lines)
    app.extensions["database"].dispose()

    red = {
        line_of(row)
        for row, cells in outcome.rows.items()
        if any(c.differs for c in cells.values())
    }
    assert not outcome.unspecified
    assert red == set(GUARDS[name].lines)


def line_of(row: matrix.Row) -> str:
    return f"{row.line.name} [{row.relation}]"


def test_the_documentation_tells_of_every_guard_and_what_goes_red() -> None:
    text = (ROOT / "docs/permissions.md").read_text("utf-8")

    for name, guard in GUARDS.items():
        told = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert told, f"docs/permissions.md has no line for the guard {name!r}"
        for expected in shown(guard):
            assert expected in told[0], f"{name}: {expected}"


def shown(guard: Guard) -> list[str]:
    return [f"`{line}`" for line in guard.lines] or [guard.attack.replace("_", " ")]

"""Ownership moves by offer and acceptance; an account is closed by its owner, and nothing of it is deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from saas.columns import utc_now
from saas.models import Account, AuditEventRow, OwnershipOffer, Project, User
from saas.permissions import SYSTEM_ROLES, Permission
from tests import acts, mail, people
from tests.acts import done, give, give_role, make_key, permissions_of, role_ids
from tests.house import House
from tests.people import PASSWORD, Person, Team
from tests.refusals import change, look, nothing_changes, refused

OFFERS = "/api/account/ownership-offers"


def offer(person: Person, to: Person) -> Any:
    return person.post(OFFERS, {"user_id": str(to.user_id)})


def offered(person: Person, to: Person) -> str:
    """Offer the account and return the path by which it is accepted."""
    return f"{OFFERS}/{done(offer(person, to), 201)['id']}/accept"


class TestMoving:
    def test_an_offer_moves_nothing_until_it_is_accepted_and_then_at_the_next_request(
        self, house: House, acme: Team
    ) -> None:
        made = done(offer(acme.ada, acme.ben), 201)
        assert made["to_user_id"] == str(acme.ben.user_id)
        assert permissions_of(acme.ada) == SYSTEM_ROLES["owner"]
        assert permissions_of(acme.ben) == SYSTEM_ROLES["admin"]

        done(acme.ben.post(f"{OFFERS}/{made['id']}/accept"))

        assert permissions_of(acme.ben) == SYSTEM_ROLES["owner"]
        assert permissions_of(acme.ada) == SYSTEM_ROLES["admin"]
        refused(acme.ada.post("/api/account/close", {"password": PASSWORD}), 40301)
        told = [(e["action"], e["actor_label"]) for e in acme.ben.events()[-3:]]
        assert told == [
            ("ownership.offered", "ada"),
            ("ownership.accepted", "ben"),
            ("access.denied", "ada"),
        ]

    def test_whom_it_is_offered_is_told_by_mail(self, house: House, acme: Team) -> None:
        done(offer(acme.ada, acme.cleo), 201)

        message = mail.newest(house, acme.cleo.email)
        assert message["Subject"] == "ada offers you acme"
        for kind in ("plain", "html"):
            assert house.settings.base_url in mail.text(message, kind)

    def test_a_member_becomes_owner_beside_what_they_were(self, house: House, acme: Team) -> None:
        done(acme.cleo.post(offered(acme.ada, acme.cleo)))

        assert done(acme.cleo.get("/api/session"))["roles"] == ["member", "owner"]
        assert done(acme.ada.get("/api/session"))["roles"] == ["admin"]

    def test_of_two_offers_the_first_that_is_accepted_counts(
        self, house: House, acme: Team
    ) -> None:
        first, second = offered(acme.ada, acme.ben), offered(acme.ada, acme.cleo)
        done(acme.cleo.post(second))

        with nothing_changes(house, acme.ada):
            refused(acme.ben.post(first), 41001)

    def test_it_is_accepted_once(self, house: House, acme: Team) -> None:
        path = offered(acme.ada, acme.ben)
        done(acme.ben.post(path))

        with nothing_changes(house, acme.ada):
            assert "already" in refused(acme.ben.post(path), 41001)["display_error"]

    def test_an_offer_lasts_seven_days(self, house: House, acme: Team) -> None:
        path = offered(acme.ada, acme.ben)
        past = utc_now() - timedelta(seconds=1)
        of_it = update(OwnershipOffer).where(OwnershipOffer.id == UUID(path.split("/")[-2]))
        assert change(house, of_it.values(expires_at=past)) == 1

        with nothing_changes(house, acme.ada):
            assert "expired" in refused(acme.ben.post(path), 41001)["display_error"]

    def test_an_owner_who_stepped_down_has_nothing_to_offer_any_more(
        self, house: House, acme: Team
    ) -> None:
        path, owner = offered(acme.ada, acme.ben), role_ids(acme.ada)["owner"]
        give_role(acme.ada, acme.cleo, owner)
        done(acme.ada.delete(f"/api/users/{acme.ada.user_id}/roles/{owner}"))

        with nothing_changes(house, acme.ada):
            assert "no longer" in refused(acme.ben.post(path), 41001)["display_error"]

    def test_an_offer_of_a_suspended_or_removed_owner_is_void(
        self, house: House, acme: Team
    ) -> None:
        path = offered(acme.ada, acme.ben)
        give_role(acme.ada, acme.cleo, role_ids(acme.ada)["owner"])
        done(acme.cleo.post(f"/api/users/{acme.ada.user_id}/suspend", {}))
        with nothing_changes(house, acme.cleo):
            refused(acme.ben.post(path), 41001)
        done(acme.cleo.delete(f"/api/users/{acme.ada.user_id}"))
        with nothing_changes(house, acme.cleo):
            refused(acme.ben.post(path), 40401)


class TestOfferRefusals:
    def test_only_who_holds_it_all_offers_the_account(self, house: House, acme: Team) -> None:
        give(acme.ada, acme.cleo, "transferrer", "account:transfer")

        with nothing_changes(house, acme.ada):
            for person in (acme.ben, acme.vera):
                told = refused(offer(person, acme.cleo), 40301)
                assert "account:transfer" in told["display_error"]
            # The permission alone would give what its holder does not hold.
            refused(offer(acme.cleo, acme.vera), 40301)

    def test_an_offer_of_less_than_all_is_not_accepted_either(
        self, house: House, acme: Team
    ) -> None:
        """Whoever offered with every permission and lost one meanwhile."""
        role_id = give(acme.ada, acme.cleo, "everything", *Permission)
        path = offered(acme.cleo, acme.vera)
        done(acme.ada.patch(f"/api/roles/{role_id}", {"permissions": ["account:transfer"]}))

        with nothing_changes(house, acme.ada):
            refused(acme.vera.post(path), 41001)

    def test_an_offer_is_nobody_elses_to_accept(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        path, missing = offered(acme.ada, acme.ben), f"{OFFERS}/{uuid4()}/accept"

        with nothing_changes(house, acme.ada, gus):
            for person in (acme.ada, acme.cleo, gus):
                assert refused(person.post(path), 40401) == refused(person.post(missing), 40401)

    def test_a_foreign_unknown_or_suspended_person_is_offered_nothing(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        done(acme.ada.post(f"/api/users/{acme.vera.user_id}/suspend", {}))

        with nothing_changes(house, acme.ada, gus):
            unknown = refused(acme.ada.post(OFFERS, {"user_id": str(uuid4())}), 40401)
            for person in (gus, acme.vera):
                assert refused(offer(acme.ada, person), 40401) == unknown
            refused(offer(acme.ada, acme.ada), 40301)

    def test_a_key_neither_offers_nor_accepts_nor_closes(self, house: House, acme: Team) -> None:
        script = make_key(house, acme.ada, *Permission)
        path = offered(acme.ada, acme.ben)
        done(script.get("/api/account"))  # its use is noted now, and for a minute no more

        with nothing_changes(house, acme.ada):
            refused(script.post(OFFERS, {"user_id": str(acme.ben.user_id)}), 40301)
            refused(script.post(path), 40301)
            refused(script.post("/api/account/close", {"password": PASSWORD}), 40301)
            refused(script.post("/api/account/leave"), 40301)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "user_id"),
            ({"user_id": "ben"}, "user_id"),
            ({"user_id": str(uuid4()), "account_id": str(uuid4())}, "account_id"),
            ({"user_id": str(uuid4()), "expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
        ],
    )
    def test_what_cannot_be_an_offer_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, str], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post(OFFERS, body), 42201, field)


class TestClosing:
    def test_everybody_is_locked_out_at_their_next_request_and_nothing_is_deleted(
        self, house: House, acme: Team
    ) -> None:
        script = make_key(house, acme.ada, "project:read", "project:create")
        done(script.post("/api/projects", {"name": "Apollo"}), 201)
        everybody = (acme.ada, acme.ben, acme.cleo, acme.vera)

        done(acme.ada.post("/api/account/close", {"password": PASSWORD}))

        for person in everybody:
            refused(person.get("/api/user"), 40102)
            body = {"email": person.email, "password": PASSWORD}
            refused(house.app.test_client().post("/api/login", json=body), 40304)
        refused(script.get("/api/projects"), 40102)
        here = Account.account_id == acme.account_id
        assert look(house, select(Account.status).where(here))[0].status == "closing"
        for model, there in ((User, 4), (Project, 1)):
            owned = model.__table__.c.account_id == acme.account_id
            counted = select(func.count()).select_from(model.__table__).where(owned)
            assert look(house, counted)[0][0] == there

    def test_people_go_on_in_their_other_accounts(
        self, house: House, acme: Team, gus: Person
    ) -> None:
        done(acts.accept(gus.client, acts.invited(house, acme.ada, gus.email, "viewer")), 201)
        done(acme.ada.post("/api/account/close", {"password": PASSWORD}))

        refused(gus.get("/api/user"), 40102)
        people.sign_in(house, gus)
        assert [a["name"] for a in done(gus.get("/api/session"))["accounts"]] == ["globex"]

    def test_closing_asks_for_the_password_and_the_permission(
        self, house: House, acme: Team
    ) -> None:
        with nothing_changes(house, acme.ada):
            body = {"password": "wrong horse battery 9"}
            refused(acme.ada.post("/api/account/close", body), 42202, "password")
            for person in (acme.ben, acme.cleo, acme.vera):
                told = refused(person.post("/api/account/close", {"password": PASSWORD}), 40301)
                assert "account:close" in told["display_error"]

    def test_closing_is_told_with_who_did_it(self, house: House, acme: Team) -> None:
        done(acme.ada.post("/api/account/close", {"password": PASSWORD}))

        rows = AuditEventRow.__table__
        of_acme = select(rows).where(rows.c.account_id == acme.account_id)
        event = look(house, of_acme.order_by(rows.c.seq.desc()))[0]
        assert (event.action, event.actor_label) == ("account.closed", "ada")
        assert event.changes == [{"field": "status", "old": "active", "new": "closing"}]

    @pytest.mark.parametrize(
        ("body", "field"), [({}, "password"), ({"password": "x", "reason": "y"}, "reason")]
    )
    def test_what_cannot_close_an_account_is_refused_with_the_field(
        self, lite: House, solo: Person, body: dict[str, str], field: str
    ) -> None:
        with nothing_changes(lite, solo):
            refused(solo.post("/api/account/close", body), 42201, field)

    def test_nobody_gets_in_without_signing_in(self, lite: House) -> None:
        nobody = lite.app.test_client()

        for path in (OFFERS, f"{OFFERS}/{uuid4()}/accept", "/api/account/close"):
            refused(nobody.post(path), 40102)

"""What makes a request cheap must not change what it does: prepared statements, the cookie, the query."""

from __future__ import annotations

import pytest

from saas import database, routing
from saas.schemas.list_schemas import ListIn
from tenants import enter_account
from tests import databases, needs, people
from tests.house import House, Street
from tests.people import Person, Team


def prepared(house: House, ada: Person) -> list[str]:
    """The statements that PostgreSQL keeps prepared on the pooled connection."""
    with house.in_use(), enter_account(ada.account_id), database.reading() as unit:
        driver = unit.connection.connection.driver_connection
        assert driver is not None
        return [row[0] for row in driver.execute("SELECT statement FROM pg_prepared_statements")]


@pytest.fixture
def on_postgresql(street: Street) -> House:
    try:
        return street.house("postgresql")
    except databases.DatabaseMissingError as error:
        needs.skip_or_fail(error)


def test_reads_stay_prepared_from_request_to_request(on_postgresql: House) -> None:
    house, ada = on_postgresql, people.register(on_postgresql, "ada")
    house.database.dispose()
    for _ in range(8):
        assert ada.get("/api/users").status_code == 200

    kept = prepared(house, ada)

    assert any("FROM sessions JOIN identities" in statement for statement in kept)
    assert any("FROM users JOIN identities" in statement for statement in kept)


def test_the_cookie_is_set_when_it_changes_and_only_then(ada: Person) -> None:
    read = ada.get("/api/user")
    assert "Set-Cookie" not in read.headers
    assert read.headers.getlist("Vary") == ["Cookie"]
    assert "session=;" in ada.post("/api/logout").headers["Set-Cookie"]


def test_a_cookie_signed_with_another_secret_is_nobodys(ada: Person) -> None:
    cookie = ada.client.get_cookie("session")
    assert cookie is not None
    ada.client.set_cookie(
        "session", f"{cookie.value[:-1]}{'A' if cookie.value[-1] != 'A' else 'B'}x"
    )
    assert ada.get("/api/user").status_code == 401


def test_the_same_query_is_read_for_each_account_by_itself(acme: Team, gus: Person) -> None:
    ours = [row["id"] for row in acme.ada.get("/api/users?limit=2").json["data"]]
    theirs = [row["id"] for row in gus.get("/api/users?limit=2").json["data"]]
    again = [row["id"] for row in acme.ada.get("/api/users?limit=2").json["data"]]

    assert ours == again
    assert len(ours) == 2
    assert theirs == [str(gus.user_id)]


def test_a_refused_query_is_refused_every_time(ada: Person) -> None:
    for _ in range(2):
        answer = ada.get("/api/users?limit=0")
        assert answer.json["errors"]["internal_error_code"] == 42201


def test_what_a_query_was_read_into_cannot_be_changed(lite: House) -> None:
    with lite.app.test_request_context("/api/users?limit=7"):
        read = routing.read_query(ListIn)
        assert read is routing.read_query(ListIn)
        with pytest.raises(ValueError, match="frozen"):
            read.limit = 8  # type: ignore[misc]

import inspect
import json
import re
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from saas import errors
from saas.errors import FieldError

CODES_OF_THE_CONTRACT = {
    40001: "MalformedBodyError",
    40002: "BadRequestError",
    40101: "CouldNotVerifyLoginError",
    40102: "SignInRequiredError",
    40301: "PermissionDeniedError",
    40302: "NoSeatError",
    40303: "CrossSiteRequestError",
    40304: "SuspendedError",
    40401: "NotFoundError",
    40501: "MethodNotAllowedError",
    40901: "AccountMismatchError",
    40902: "EmailAddressAlreadyExistsError",
    40903: "NameAlreadyExistsError",
    41301: "BodyTooLargeError",
    41501: "UnsupportedMediaTypeError",
    42201: "ValidationFailedError",
    42202: "WrongPasswordError",
    42901: "TooManyRequestsError",
    50001: "InternalDbError",
    50002: "InternalError",
    50301: "DatabaseAwayError",
}


def test_catalogue_has_every_code_once_and_no_base_class() -> None:
    listed = {error.internal_error_code: error.__name__ for error in errors.CATALOGUE}

    assert listed.items() >= CODES_OF_THE_CONTRACT.items()
    assert len(listed) == len(errors.CATALOGUE)
    defined = {
        value
        for value in vars(errors).values()
        if inspect.isclass(value)
        and issubclass(value, errors.ProductError)
        and "internal_error_code" in vars(value)
    }
    assert defined == set(errors.CATALOGUE)


@pytest.mark.parametrize("error", errors.CATALOGUE, ids=lambda error: error.__name__)
def test_every_error_tells_status_and_a_whole_sentence(error: type[errors.ProductError]) -> None:
    body = error().body("req-1")["errors"]

    assert error.status == int(str(error.internal_error_code)[:3])
    assert set(body) == {"display_error", "internal_error_code", "field_errors", "request_id"}
    assert body["request_id"] == "req-1"
    assert body["internal_error_code"] == error.internal_error_code
    assert re.fullmatch(r"[A-Z].{20,}[.]", body["display_error"])
    assert error.__doc__


def test_field_errors_stand_in_the_body() -> None:
    error = errors.ValidationFailedError(field_errors=[FieldError("email", "Wrong.")])

    body = error.body("r")["errors"]

    assert body["field_errors"] == [{"field": "email", "message": "Wrong."}]
    assert body["display_error"] == "Please correct: email."


def test_top_sentence_stays_short_with_many_fields() -> None:
    error = errors.ValidationFailedError(
        field_errors=[FieldError(f"f{n}", "Wrong.") for n in range(8)]
    )

    assert error.message == "Please correct: f0, f1, f2, f3, f4 and 3 more."


def test_permission_denied_names_the_permission() -> None:
    class Permission(Enum):
        ROLE_GRANT = "role:grant"

    assert "role:grant" in errors.PermissionDeniedError(permission=Permission.ROLE_GRANT).message
    assert "role:grant" in errors.PermissionDeniedError(permission="role:grant").message


def test_clashes_stand_on_their_field() -> None:
    def fields(error: errors.ProductError) -> list[str]:
        return [field_error.field for field_error in error.field_errors]

    assert fields(errors.EmailAddressAlreadyExistsError()) == ["email"]
    assert fields(errors.NameAlreadyExistsError(field="username")) == ["username"]
    assert fields(errors.WrongPasswordError()) == ["current_password"]


def test_waiting_errors_say_how_long() -> None:
    assert errors.TooManyRequestsError(retry_after=7).headers == {"Retry-After": "7"}
    assert errors.TooManyRequestsError(retry_after=0).headers == {"Retry-After": "1"}
    assert errors.DatabaseAwayError().headers == {"Retry-After": "5"}


@pytest.mark.parametrize("status", [*range(400, 419), 421, 422, 429, 431, 451, 500, 501, 505])
def test_every_status_of_the_framework_has_an_error_of_its_kind(status: int) -> None:
    error = errors.for_status(status)

    assert error.status // 100 == status // 100
    assert error.status == status or error in (errors.BadRequestError, errors.InternalError)


class Color(Enum):
    RED = "red"


class Inner(BaseModel):
    size: int


class Sample(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    count: Annotated[int, Field(ge=1, le=9)] = 1
    on: bool = False
    items: list[Inner] = Field(default=[], max_length=2)
    kind: Literal["a", "b"] = "a"
    color: Color = Color.RED
    ident: UUID | None = None
    ruled: str = ""

    @field_validator("ruled")
    @classmethod
    def _never(cls, value: str) -> str:
        if value:
            raise ValueError(f"I repeat {value}")
        return value


def translated(raw: bytes) -> list[FieldError]:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate_json(raw)
    return errors.from_pydantic(caught.value).field_errors


@pytest.mark.parametrize(
    ("raw", "field", "message"),
    [
        (b"{}", "name", "This field is required."),
        (b'{"name": "x", "role": 1}', "role", "Unknown field."),
        (b'{"name": 1}', "name", "Must be text."),
        (b'{"name": true}', "name", "Must be text."),
        (b'{"name": "x", "on": "yes"}', "on", "Must be true or false."),
        (b'{"name": "x", "count": "1"}', "count", "Must be a whole number."),
        (b'{"name": "x", "count": true}', "count", "Must be a whole number."),
        (b'{"name": "x", "count": 0}', "count", "Must be at least 1."),
        (b'{"name": "x", "count": 10}', "count", "Must be at most 9."),
        (b'{"name": "x", "items": {}}', "items", "Must be a list."),
        (
            b'{"name": "x", "items": [{"size": 1}, {"size": "s"}]}',
            "items.1.size",
            "Must be a whole number.",
        ),
        (b'{"name": "x", "items": [1]}', "items.0", "Must be an object."),
        (
            b'{"name": "x", "items": [{"size":1},{"size":1},{"size":1}]}',
            "items",
            "Must have at most 2 entries.",
        ),
        (b'{"name": "x", "kind": "c"}', "kind", "Must be one of: 'a' or 'b'."),
        (b'{"name": "x", "color": "c"}', "color", "Must be one of: 'red'."),
        (b'{"name": "x", "ident": "zz"}', "ident", "Must be an id (UUID)."),
        (b'{"name": "x", "ruled": "secret"}', "ruled", "This value is not valid."),
        (b'{"name": "\\ud800"}', "body", "This is not valid JSON text."),
        (b"[]", "body", "Must be an object."),
    ],
)
def test_pydantic_errors_become_sentences(raw: bytes, field: str, message: str) -> None:
    assert translated(raw) == [FieldError(field, message)]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(Sample.model_fields)), st.text("QXZ", min_size=6, max_size=30))
def test_no_sentence_repeats_what_was_sent(field: str, secret: str) -> None:
    raw = json.dumps({"name": 1} | {field: [secret, secret]})
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate_json(raw)

    error = errors.from_pydantic(caught.value)

    assert secret not in str(error.body("r"))
    assert secret not in str(error)


def test_flood_of_unknown_fields_is_answered_briefly() -> None:
    raw = json.dumps({f"\n{n}{'k' * 500}": 1 for n in range(3000)} | {"name": "x"})

    found = translated(raw.encode())

    assert len(found) == 20
    assert max(len(error.field) for error in found) <= 60
    assert all(error.field.isprintable() for error in found)

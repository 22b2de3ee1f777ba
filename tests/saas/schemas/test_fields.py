import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from saas import errors
from saas.schemas import fields

ID = "0190a0a0-0000-7000-8000-000000000000"
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)


class Kind(StrEnum):
    ONE = "one"


class PersonIn(fields.In):
    username: fields.Username = "ada"
    email: fields.EmailAddress = "ada@example.com"
    password: fields.Password = "a long password"
    current: fields.PasswordTry = "x"
    token: fields.Token = "x"
    name: Annotated[str, fields.PlainText(20)] = "x"
    about: Annotated[str, fields.PlainText(40, min=0, lines=True)] = ""
    account_name: Annotated[Annotated[str, fields.PlainText(20)] | None, fields.BLANK_IS_NONE] = (
        None
    )
    remember: bool = False
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    after: fields.BigCount = 0
    role_ids: list[UUID] = Field(default=[])
    at: datetime | None = None
    kind: Kind = Kind.ONE


TEXT_FIELDS = ("username", "email", "password", "current", "token", "name", "about")


def problem(read: Any, field: str, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read({field: value})
    (error,) = errors.from_pydantic(caught.value).field_errors
    assert error.field == field
    return error.message


def accepted(field: str, value: Any) -> Any:
    return getattr(PersonIn.model_validate({field: value}), field)


@pytest.mark.parametrize("name", ["a", "Ada", "ada_lovelace_99", "A" * 15])
def test_usernames_of_the_allowed_form_pass(name: str) -> None:
    assert accepted("username", name) == name


@pytest.mark.parametrize(
    "name", ["1ada", "_ada", "ada-l", "ada l", "äda", "", "ada!", "a\nb", "\u0430da"]
)
def test_username_of_another_form_is_told_the_form(name: str) -> None:
    message = problem(PersonIn.model_validate, "username", name)

    assert "start with a letter" in message
    assert "underscores" in message
    assert "15" not in message


def test_long_username_is_told_the_length() -> None:
    assert problem(PersonIn.model_validate, "username", "a" * 16) == (
        "Usernames have at most 15 characters."
    )
    both = problem(PersonIn.model_validate, "username", "1" * 16)
    assert "15 characters" in both
    assert "start with a letter" in both


def test_markup_and_spaces_around_a_username_go() -> None:
    assert accepted("username", " <b>ada</b>\n") == "ada"


def test_email_is_kept_as_typed_and_refused_when_it_is_none() -> None:
    assert accepted("email", " Ada@Example.com ") == "Ada@Example.com"
    for wrong in ("ada", "ada@", "a" * 250 + "@example.com", ""):
        assert "valid email address" in problem(PersonIn.model_validate, "email", wrong)


def test_password_is_kept_exactly_and_bounded() -> None:
    assert accepted("password", "  <b>x &amp; y</b>  ") == "  <b>x &amp; y</b>  "
    assert accepted("password", "x" * 1000) == "x" * 1000
    assert "at least 8" in problem(PersonIn.model_validate, "password", "1234567")
    assert "at most 1,000" in problem(PersonIn.model_validate, "password", "x" * 1001)
    assert accepted("current", "short") == "short"
    assert "empty" in problem(PersonIn.model_validate, "current", "")


@pytest.mark.parametrize(
    ("unsafe", "plain"),
    [
        (" Tom & Jerry ", "Tom & Jerry"),
        ("a < b", "a < b"),
        ("<b>Acme</b>", "Acme"),
        ("Acme<div><p>Inc", "Acme Inc"),
        ("cafe\u0301", "caf\u00e9"),
        ("日本", "日本"),
    ],
)
def test_plain_text_is_cleaned_gently(unsafe: str, plain: str) -> None:
    assert accepted("name", unsafe) == plain


@pytest.mark.parametrize("blank", ["", "   ", "<b></b>", "\u200b\u200b", "\u00a0", "\u2060 \ufeff"])
def test_text_that_shows_nothing_is_blank(blank: str) -> None:
    assert problem(PersonIn.model_validate, "name", blank) == "Must not be blank."


@pytest.mark.parametrize(
    "forged",
    ["a\nb", "a\r\nBcc: x", "a\tb", "a\x1b[31m", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b"],
)
def test_name_cannot_forge_lines_or_turn_the_text_around(forged: str) -> None:
    assert "control characters" in problem(PersonIn.model_validate, "name", forged)


def test_longer_text_keeps_its_lines() -> None:
    assert accepted("about", "one\r\ntwo\tthree\rfour") == "one\ntwo\tthree\nfour"
    assert "control characters" in problem(PersonIn.model_validate, "about", "a\x1bb")
    assert accepted("about", "  ") == ""


def test_length_counts_what_was_sent() -> None:
    assert accepted("name", "x" * 20) == "x" * 20
    assert "at most 20" in problem(PersonIn.model_validate, "name", "x" * 21)
    assert "at most 20" in problem(PersonIn.model_validate, "name", "<b>" * 6 + "xxx")


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("bad", ["long enough\x00", "long enough\ud800", "\udfff long enough"])
def test_nul_and_lone_surrogates_are_refused_everywhere(field: str, bad: str) -> None:
    assert problem(PersonIn.model_validate, field, bad)
    assert problem(PersonIn.from_strings, field, [bad])


def test_json_with_nul_or_lone_surrogates_is_refused() -> None:
    with pytest.raises(ValidationError):
        PersonIn.model_validate_json(b'{"name": "a\\u0000b"}')
    with pytest.raises(ValidationError):
        PersonIn.model_validate_json(b'{"name": "a\\ud800b"}')


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize("value", [1, True, 1.5, None, ["abcdefgh"], {"a": 1}, b"abcdefgh"])
def test_only_text_is_text(field: str, value: Any) -> None:
    assert problem(PersonIn.model_validate, field, value) == "Must be text."


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("remember", '"true"'),
        ("remember", "1"),
        ("limit", '"5"'),
        ("limit", "true"),
        ("limit", "5.0"),
        ("limit", "101"),
        ("after", "1180591620717411303424"),
        ("after", "-1"),
        ("role_ids", f'"{ID}"'),
        ("role_ids", '["x"]'),
        ("kind", '"two"'),
        ("unknown", "1"),
    ],
)
def test_json_is_not_converted(field: str, value: str) -> None:
    with pytest.raises(ValidationError):
        PersonIn.model_validate_json(f'{{"{field}": {value}}}')


def test_json_ids_dates_and_kinds_are_read() -> None:
    body = PersonIn.model_validate_json(
        f'{{"role_ids": ["{ID}"], "at": "2030-01-31T12:00:00Z", "kind": "one", "remember": true}}'
    )

    assert body.role_ids == [UUID(ID)]
    assert body.at is not None
    assert body.remember is True


def test_forms_and_queries_are_read_from_text() -> None:
    body = PersonIn.from_strings(
        {"remember": ["on"], "limit": ["5"], "role_ids": [ID], "account_name": [""], "name": ["A"]}
    )

    assert (body.remember, body.limit, body.role_ids) == (True, 5, [UUID(ID)])
    assert (body.account_name, body.name) == (None, "A")
    assert PersonIn.from_strings({"role_ids": [ID, ID]}).role_ids == [UUID(ID), UUID(ID)]


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("name", ["a", "b"]),
        ("email", ["ada@example.com", "eve@example.com"]),
        ("limit", ["1", "2"]),
        ("limit", ["x"]),
        ("after", [str(2**70)]),
        ("unknown", ["1"]),
        ("name", []),
    ],
)
def test_odd_forms_are_refused(field: str, texts: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        PersonIn.from_strings({field: texts})

    assert errors.from_pydantic(caught.value).field_errors[0].field.startswith(field)


def test_body_cannot_be_changed_after_it_was_checked() -> None:
    body = PersonIn()

    with pytest.raises(ValidationError):
        body.name = "other"


def test_refused_values_are_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        PersonIn.model_validate({"password": "hunter", "name": "hunter\x00", "email": "hunter"})

    assert "hunter" not in str(caught.value)
    assert "hunter" not in str(errors.from_pydantic(caught.value).body("r"))


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        str | None,
        list[str],
        dict[str, bool],
        Annotated[str, Field(max_length=9)],
        int,
        int | None,
        list[int],
        Annotated[int, Field(ge=0)],
    ],
)
def test_schema_with_unbounded_input_cannot_be_written(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"LooseIn\.loose"):
        type("LooseIn", (fields.In,), {"__annotations__": {"loose": annotation}})


def test_schema_whose_types_are_not_known_yet_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="EarlyIn"):
        type("EarlyIn", (fields.In,), {"__annotations__": {"early": "DefinedLater"}})


@pytest.mark.parametrize(
    "annotation",
    [
        fields.Username,
        fields.Token | None,
        list[fields.Token],
        fields.BigCount | None,
        bool,
        Literal["a", "b"],
        Kind,
        UUID | None,
        list[UUID],
        Annotated[int, Field(ge=0, lt=9)],
    ],
)
def test_schema_with_bounded_input_can_be_written(annotation: Any) -> None:
    made: Any = type("TightIn", (fields.In,), {"__annotations__": {"tight": annotation}})

    assert list(made.model_fields) == ["tight"]


def test_openapi_tells_the_rules() -> None:
    told = PersonIn.model_json_schema()["properties"]

    assert told["username"]["pattern"] == "^[A-Za-z][A-Za-z0-9_]*$"
    assert (told["username"]["minLength"], told["username"]["maxLength"]) == (1, 15)
    assert told["email"]["format"] == "email"
    assert (told["password"]["minLength"], told["password"]["maxLength"]) == (8, 1000)
    assert told["name"]["maxLength"] == 20


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXT_FIELDS), ANY_TEXT)
def test_accepted_text_can_be_stored_and_is_accepted_again(field: str, text: str) -> None:
    try:
        kept = accepted(field, text)
    except ValidationError:
        return
    kept.encode()  # no lone surrogates
    assert "\x00" not in kept
    assert accepted(field, kept) == kept
    if field in ("username", "name", "about"):
        assert unicodedata.is_normalized("NFC", kept)


class PersonOut(fields.Out):
    name: str


def test_answers_are_read_from_objects_and_know_their_fields() -> None:
    class Row:
        name = "Ada"

    assert PersonOut.model_validate(Row()).name == "Ada"
    with pytest.raises(ValidationError):
        PersonOut.model_validate({"name": "Ada", "password_hash": "x"})

"""The pieces schemas are made of: base classes and the kinds of text that may come in.

Text from outside always carries a rule: `In` refuses, when a class is made, a field of bare `str`
and a whole number without an upper bound. So no schema can let NUL, lone surrogates or 2**70
through to a database, which would answer with an error of its own.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self, get_args, get_origin

from annotated_types import Le, Lt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from saas import sanitization
from saas.errors import REFUSED, ValidationFailedError
from saas.security import emails, passwords

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Control characters, line and paragraph separators, and the marks that turn the direction of text:
# in a name they forge mail headers, log lines and other names.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BREAKS_AND_TABS = re.compile("[\n\t]")
_USERNAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
_USERNAME_LENGTH = 15


def refuse(message: str) -> PydanticCustomError:
    """The error a validator of ours raises; `message` must never contain what was sent."""
    return PydanticCustomError(REFUSED, message)


@dataclass(frozen=True, slots=True)
class TextRule:
    """Text kept exactly as sent: `min` to `max` characters, no NUL, no lone surrogates."""

    max: int
    min: int = 1

    def read(self, unsafe: str) -> str:
        """The accepted text; raises PydanticCustomError with a sentence for the person."""
        if _UNSTORABLE.search(unsafe):
            raise refuse("Contains characters that cannot be stored.")
        if len(unsafe) < self.min:
            raise refuse("Must not be empty." if self.min == 1 else self._too_short())
        if len(unsafe) > self.max:
            raise refuse(self._too_long())
        return unsafe

    def _too_short(self) -> str:
        return f"Must be at least {self.min:,} characters long."

    def _too_long(self) -> str:
        return f"Must be at most {self.max:,} characters long."

    def describe(self) -> JsonSchemaValue:
        """What OpenAPI tells about this text."""
        return {"minLength": self.min, "maxLength": self.max}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, core_schema.str_schema())

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | self.describe()


@dataclass(frozen=True, slots=True)
class PlainText(TextRule):
    """Text for people: trimmed, NFC, without markup; `lines=True` allows line breaks and tabs."""

    lines: bool = False

    def read(self, unsafe: str) -> str:
        """The cleaned text; `max` counts before and after the cleaning, `min` after it."""
        text = TextRule(self.max).read(unsafe.strip()) if unsafe.strip() else ""
        if self.lines:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _UNPRINTABLE.search(_BREAKS_AND_TABS.sub("", text) if self.lines else text):
            raise refuse("Must not contain control characters.")
        text = unicodedata.normalize("NFC", sanitization.plain_text(text))
        if not self.lines:  # removed block elements leave a line break
            text = " ".join(text.split("\n"))
        if self.min and not any(unicodedata.category(sign)[0] not in "ZC" for sign in text):
            raise refuse("Must not be blank.")
        return TextRule(self.max, self.min).read(text)

    def describe(self) -> JsonSchemaValue:
        """As the base; text that may not be blank says so."""
        seen = {"pattern": r"\S"} if self.min else {}
        return TextRule.describe(self) | seen


@dataclass(frozen=True, slots=True)
class _UsernameRule(TextRule):
    def read(self, unsafe: str) -> str:
        text = sanitization.plain_text(TextRule(1000, 0).read(unsafe))
        problems = []
        if len(text) > self.max:
            problems.append(f"Usernames have at most {self.max} characters.")
        if not _USERNAME.fullmatch(text):
            problems.append(
                "Usernames start with a letter and have only letters (A-Z), digits and underscores."
            )
        if problems:
            raise refuse(" ".join(problems))
        return text

    def describe(self) -> JsonSchemaValue:
        return TextRule.describe(self) | {"pattern": f"^{_USERNAME.pattern}$"}


@dataclass(frozen=True, slots=True)
class _EmailRule(TextRule):
    def read(self, unsafe: str) -> str:
        try:
            return emails.check_address(unsafe)
        except ValidationFailedError as error:
            raise refuse(error.field_errors[0].message) from None

    def describe(self) -> JsonSchemaValue:
        return {"format": "email", "maxLength": self.max}


@dataclass(frozen=True, slots=True)
class _PasswordRule(TextRule):
    def describe(self) -> JsonSchemaValue:
        return TextRule.describe(self) | {"format": "password", "writeOnly": True}


Username = Annotated[str, _UsernameRule(_USERNAME_LENGTH)]
EmailAddress = Annotated[str, _EmailRule(emails.MAX_LENGTH)]
Password = Annotated[str, _PasswordRule(passwords.MAX_LENGTH, passwords.MIN_LENGTH)]
# At sign-in a password that no longer meets the rules is simply wrong (401), not invalid (422).
PasswordTry = Annotated[str, _PasswordRule(passwords.MAX_LENGTH)]
Token = Annotated[str, TextRule(512)]
BigCount = Annotated[int, Field(ge=0, le=2**63 - 1)]
BLANK_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)


class In(BaseModel):
    """Base of what comes in: unknown fields refused, nothing converted, never shown in errors."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        ser_json_inf_nan="null",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError for a field of bare `str` or a whole number without an upper bound."""
        if not cls.__pydantic_complete__:  # the check below would see names instead of types
            raise TypeError(f"{cls.__name__}: define the types of its fields before it.")
        for name, field in cls.model_fields.items():
            if problem := _unruled(field.annotation, field.metadata):
                raise TypeError(f"{cls.__name__}.{name}: {problem}")

    @classmethod
    def from_strings(cls, values: Mapping[str, Sequence[str]]) -> Self:
        """Read a form or a query, where everything is text and a name may come several times.

        `values` is what `MultiDict.to_dict(flat=False)` gives. Numbers, ids, dates and checkboxes
        ("on") are read from text; a name that comes twice is refused unless the field is a list.
        Raises pydantic's ValidationError.
        """
        lists = {name for name, field in cls.model_fields.items() if _holds_list(field.annotation)}
        plain = {
            name: list(texts) if name in lists or len(texts) != 1 else texts[0]
            for name, texts in values.items()
        }
        return cls.model_validate(plain, strict=False)


class Out(BaseModel):
    """Base of what goes out: read from rows and entities, unknown names refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


def _unruled(annotation: Any, metadata: Sequence[Any]) -> str | None:
    """What is missing on this type or on a type inside it; None when all is bounded."""
    if get_origin(annotation) is Annotated:
        annotation, *inner = get_args(annotation)
        return _unruled(annotation, [*metadata, *inner])
    rules = [rule for entry in metadata for rule in _flat(entry)]
    if annotation is str and not any(isinstance(rule, TextRule) for rule in rules):
        return "text needs a rule of saas.schemas.fields"
    if annotation is int and not any(isinstance(rule, Le | Lt) for rule in rules):
        return "a whole number needs an upper bound"
    return next(filter(None, (_unruled(part, ()) for part in _inner_types(annotation))), None)


def _inner_types(annotation: Any) -> list[Any]:
    """`str` and `None` of `str | None`; the values of a Literal are no types and left out."""
    return [part for part in get_args(annotation) if isinstance(part, type) or get_args(part)]


def _flat(entry: Any) -> list[Any]:
    return list(entry.metadata) if isinstance(entry, FieldInfo) else [entry]


def _holds_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (list, set, frozenset, tuple):
        return True
    return any(_holds_list(part) for part in get_args(annotation))

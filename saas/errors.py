"""Every error the product answers with: its code, its sentence and the one shape all answers share.

The first three digits of a code are the HTTP status. `CATALOGUE` holds every class, in the order of
this file; documentation and OpenAPI are made from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

CATALOGUE: list[type["ProductError"]] = []

_MOST_FIELD_ERRORS = 20  # a body with 10,000 unknown keys must not be answered with 10,000 errors
_LONGEST_FIELD_NAME = 60
_NAMED_FIELDS = 5  # in the sentence on top


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused field: its dotted path and a sentence for the person who filled it in."""

    field: str
    message: str


class ProductError(Exception):
    """Base of every error that becomes an answer; `status` follows from `internal_error_code`."""

    internal_error_code: ClassVar[int]
    status: ClassVar[int]
    message: str
    about: object = None  # whom or what the audit log says it was about; never in the answer

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "internal_error_code" in cls.__dict__:  # a class without its own code is only a base
            cls.status = cls.internal_error_code // 100
            CATALOGUE.append(cls)

    def __init__(
        self,
        message: str | None = None,
        *,
        field_errors: Iterable[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message if message is not None else type(self).message
        self.field_errors: list[FieldError] = list(field_errors or ())
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.message)

    def body(self, request_id: str) -> dict[str, Any]:
        """The error shape of the HTTP contract, ready for JSON."""
        return {
            "errors": {
                "display_error": self.message,
                "internal_error_code": self.internal_error_code,
                "field_errors": [
                    {"field": error.field, "message": error.message} for error in self.field_errors
                ],
                "request_id": request_id,
            }
        }


class MalformedBodyError(ProductError):
    """The body is not one JSON object: bad syntax, bad UTF-8, a key twice, too deep, too large."""

    internal_error_code = 40001
    message = "The request body could not be read. Send one JSON object in UTF-8."


class BadRequestError(ProductError):
    """Everything else that makes a request unreadable, an unknown host among it."""

    internal_error_code = 40002
    message = "The request could not be understood. Check the address and the headers you sent."


class CouldNotVerifyLoginError(ProductError):
    """Sign-in failed; says the same for an unknown address and a wrong password."""

    internal_error_code = 40101
    message = "The email address or the password is not right. Check both and try again."


class SignInRequiredError(ProductError):
    """Nobody is signed in, or the session or key has ended."""

    internal_error_code = 40102
    message = "Sign in first. If you were signed in, your session has ended."


class PermissionDeniedError(ProductError):
    """Names the missing permission, so that the person knows what to ask an administrator for."""

    internal_error_code = 40301
    message = "You do not have the permission this needs. Ask an administrator of the account."

    def __init__(self, message: str | None = None, *, permission: object | None = None) -> None:
        name = getattr(permission, "value", permission)  # an enum member or its text
        self.permission = None if name is None else str(name)
        if message is None and name is not None:
            message = (
                f"You need the permission {name} to do this. "
                "Ask an administrator of the account for it."
            )
        super().__init__(message)


class NoSeatError(ProductError):
    """The person is known, but holds no seat in the account that was asked for."""

    internal_error_code = 40302
    message = "You are signed in, but you are not a member of this account. Ask to be invited."


class CrossSiteRequestError(ProductError):
    """A browser sent an unsafe request from a page that is not ours."""

    internal_error_code = 40303
    message = "This request came from another site and was refused. Open our page and try again."


class SuspendedError(ProductError):
    """The person, the seat or the account is suspended."""

    internal_error_code = 40304
    message = "This access is suspended. Ask an administrator of the account to restore it."


class OtherInviteeError(ProductError):
    """Of somebody who is signed in with another address than the invited one."""

    internal_error_code = 40305
    message = "This invitation is for another address. Sign in with the address it was sent to."


class NotFoundError(ProductError):
    """No such thing, or not in this account: the two are never told apart."""

    internal_error_code = 40401
    message = "There is nothing here, or you may not see it. Check the address."


class MethodNotAllowedError(ProductError):
    """The path exists, the method does not; the answer carries `Allow`."""

    internal_error_code = 40501
    message = "This address does not accept that method. The Allow header lists those it accepts."


class AccountMismatchError(ProductError):
    """`X-Account-ID` is not the account of the session."""

    internal_error_code = 40901
    message = "This page belongs to another account than the one you are in now. Reload it."


class _FieldClashError(ProductError):
    """Base of clashes on one field: the sentence stands on the field as well as on top."""

    field: ClassVar[str]

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        text = message if message is not None else type(self).message
        super().__init__(text, field_errors=[FieldError(field or type(self).field, text)])


class EmailAddressAlreadyExistsError(_FieldClashError):
    """Another identity has this email address."""

    internal_error_code = 40902
    field = "email"
    message = "This email address is already in use. Sign in with it, or use another one."


class NameAlreadyExistsError(_FieldClashError):
    """The name must be unique in the account and is taken."""

    internal_error_code = 40903
    field = "name"
    message = "This name is already taken here. Choose another one."


class LastOwnerError(ProductError):
    """Of whatever would leave an account without an active owner."""

    internal_error_code = 40905
    message = "An account needs an owner. Make somebody else an owner first."


class SystemRoleError(ProductError):
    """Of a change to a role whose permissions stand in the code."""

    internal_error_code = 40906
    message = "System roles follow the product and cannot be changed. Make a role of your own."


class AlreadyMemberError(ProductError):
    """Of a second seat for one person in one account."""

    internal_error_code = 40907
    message = "This person is a member of the account already."


class TooManyWebhooksError(ProductError):
    """The account has as many webhooks as an account may have."""

    internal_error_code = 40908
    message = "An account has at most 20 webhooks. Delete one that is no longer needed."


class AlreadySoError(ProductError):
    """Of an act upon what is in that state already, or was changed by somebody else meanwhile."""

    internal_error_code = 40909
    message = "There is nothing to do: it is so already."


class LinkGoneError(ProductError):
    """Tells in words why a link, an invitation or an offer no longer works."""

    internal_error_code = 41001
    message = "This link no longer works. Ask for a new one."


class InvitationUsedError(LinkGoneError):
    """A link that did its work; a class of its own so that the page can say what to do now."""

    message = "This invitation was accepted already."


class InvitationRevokedError(LinkGoneError):
    """Taken back by the account."""

    message = "This invitation was taken back. Ask for a new one."


class InvitationExpiredError(LinkGoneError):
    """Older than its seven days."""

    message = "This invitation has expired. Ask for a new one."


class BodyTooLargeError(ProductError):
    """The body is longer than the limit of the application."""

    internal_error_code = 41301
    message = "The request body is too large. Send less at once."


class UnsupportedMediaTypeError(ProductError):
    """The body is of a content type the route does not read."""

    internal_error_code = 41501
    message = "Send the body as application/json; pages send their forms as browsers do."


class ValidationFailedError(ProductError):
    """Carries one sentence per refused field; the top sentence names the fields."""

    internal_error_code = 42201
    message = "Some of what was sent is not valid. Correct it and try again."

    def __init__(
        self, message: str | None = None, *, field_errors: Iterable[FieldError] | None = None
    ) -> None:
        listed = list(field_errors or ())
        names = list(dict.fromkeys(error.field for error in listed if error.field))
        if message is None and names:
            shown, more = names[:_NAMED_FIELDS], len(names) - _NAMED_FIELDS
            rest = f" and {more} more" if more > 0 else ""
            message = f"Please correct: {', '.join(shown)}{rest}."
        super().__init__(message, field_errors=listed)


class WrongPasswordError(_FieldClashError):
    """A change asked for the current password, and the one given is wrong."""

    internal_error_code = 42202
    field = "current_password"
    message = "This is not your current password. Check it and try again."


class TooManyRequestsError(ProductError):
    """Tells in `Retry-After` (whole seconds, at least 1) when the next try is let through."""

    internal_error_code = 42901
    message = "Too many tries in a short time. Wait a moment and try again."

    def __init__(self, message: str | None = None, *, retry_after: int = 60) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(message, headers={"Retry-After": str(self.retry_after)})


class InternalDbError(ProductError):
    """The database refused a statement; the transaction was rolled back."""

    internal_error_code = 50001
    message = "The database could not complete this. Nothing was changed; please try again."


class InternalError(ProductError):
    """A fault of ours that no other class stands for."""

    internal_error_code = 50002
    message = "Something went wrong on our side. Try again; if it persists, quote the request id."


class DatabaseAwayError(ProductError):
    """Tells in `Retry-After` (seconds) when it is worth trying again."""

    internal_error_code = 50301
    message = "The database cannot be reached right now. Please try again in a few seconds."

    def __init__(self, message: str | None = None, *, retry_after: int = 5) -> None:
        super().__init__(message, headers={"Retry-After": str(max(1, retry_after))})


_BY_STATUS: dict[int, type[ProductError]] = {
    401: SignInRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    413: BodyTooLargeError,
    415: UnsupportedMediaTypeError,
    422: ValidationFailedError,
    429: TooManyRequestsError,
}


def for_status(status: int) -> type[ProductError]:
    """The error that stands for a bare HTTP status of the framework; unknown 4xx become 400."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return InternalError
    return _BY_STATUS.get(status, BadRequestError)


# Sentences for pydantic's own error types. A type that is missing here gets the general sentence:
# pydantic's texts may quote what was sent, and what was sent may be a password.
_SENTENCES = {
    "missing": "This field is required.",
    "extra_forbidden": "Unknown field.",
    "string_type": "Must be text.",
    "string_unicode": "Contains characters that are not valid Unicode.",
    "string_too_short": "Must be at least {min_length} characters long.",
    "string_too_long": "Must be at most {max_length} characters long.",
    "bool_type": "Must be true or false.",
    "bool_parsing": "Must be true or false.",
    "int_type": "Must be a whole number.",
    "int_parsing": "Must be a whole number.",
    "int_from_float": "Must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "float_type": "Must be a number.",
    "float_parsing": "Must be a number.",
    "finite_number": "Must be a finite number.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be at least {ge}.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be at most {le}.",
    "list_type": "Must be a list.",
    "set_type": "Must be a list.",
    "frozen_set_type": "Must be a list.",
    "tuple_type": "Must be a list.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "too_short": "Must have at least {min_length} entries.",
    "too_long": "Must have at most {max_length} entries.",
    "literal_error": "Must be one of: {expected}.",
    "enum": "Must be one of: {expected}.",
    "uuid_type": "Must be an id (UUID).",
    "uuid_parsing": "Must be an id (UUID).",
    "uuid_version": "Must be an id (UUID).",
    "datetime_type": "Must be a date and time, for example 2030-01-31T12:00:00Z.",
    "datetime_parsing": "Must be a date and time, for example 2030-01-31T12:00:00Z.",
    "datetime_from_date_parsing": "Must be a date and time, for example 2030-01-31T12:00:00Z.",
    "timezone_aware": "Must name its time zone, for example with a Z at the end.",
    "datetime_future": "Must be in the future.",
    "json_invalid": "This is not valid JSON text.",
    "none_required": "Must be null.",
}
# The type of our own validators' errors: their texts are constants of this code.
REFUSED = "refused"


def _sentence(error: Mapping[str, Any]) -> str:
    if error["type"] == REFUSED:
        return str(error["msg"])
    template = _SENTENCES.get(error["type"], "This value is not valid.")
    return template.format(**error.get("ctx", {})) if "{" in template else template


def _path(location: tuple[int | str, ...]) -> str:
    """Dotted field path; names of unknown fields come from outside: cut, nothing invisible."""
    path = ".".join(str(part) for part in location) or "body"
    return "".join(sign if sign.isprintable() else "?" for sign in path[:_LONGEST_FIELD_NAME])


def from_pydantic(exc: "ValidationError") -> ValidationFailedError:
    """Translate pydantic's errors into ours; never repeats a value that was sent."""
    raw = exc.errors(include_url=False, include_input=False)[:_MOST_FIELD_ERRORS]
    return ValidationFailedError(
        field_errors=[FieldError(_path(error["loc"]), _sentence(error)) for error in raw]
    )

"""Email addresses: what is a valid one, and the key by which two spellings are the same person."""

import unicodedata

from saas import sanitization
from saas.errors import FieldError, ValidationFailedError

MAX_LENGTH = 254  # RFC 5321 4.5.3.1.3: a path of 256 octets with its two brackets
MESSAGE = "Enter a valid email address, for example name@example.com."


def check_address(unsafe_email: str) -> str:
    """The address as typed, trimmed; raises ValidationFailedError on the field `email`.

    Only the syntax is looked at: no DNS question is asked.
    """
    address = unsafe_email.strip()
    # Length before any parsing, so that long input stays cheap; NUL is refused, not taken out.
    if len(address) > MAX_LENGTH or "\x00" in address:
        raise _refused()
    address = sanitization.plain_text(address)
    _key_of(address)
    return address


def email_key(address: str) -> str:
    """The form that is unique: NFC, IDNA domain, lower case; raises ValidationFailedError.

    Providers may treat `Ada@` and `ada@` as two mailboxes; none of note does, and to people they
    are one. Mail goes to the stored address, never to one typed later that has the same key.
    """
    return _key_of(check_address(address))


def _key_of(address: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # 36 ms to import

    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        raise _refused() from None  # its text may quote the address
    # The library allows 254 bytes; no letter grows beyond its bytes when it is lowered.
    return unicodedata.normalize("NFC", checked.normalized.lower())


def _refused() -> ValidationFailedError:
    return ValidationFailedError(field_errors=[FieldError("email", MESSAGE)])

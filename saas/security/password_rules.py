"""The rules a new password must meet: long enough, not common, not the person's own name."""

import re
import unicodedata
from functools import cache
from itertools import pairwise

from saas.errors import FieldError, ValidationFailedError

MIN_LENGTH = 8  # characters (code points), after NFC
MAX_LENGTH = 1000
_SHORTEST_WORD = 3  # of the person's own words that count
_PERSONAL_REST = 6  # letters and digits a password must have besides the person's own words
# Signs read as letters; 1 and ! stand for i as well as for l.
_AS_LETTERS = (str.maketrans("@4831!05$7", "aabeiiosst"), str.maketrans("@4831!05$7", "aabellosst"))


def check_strength(password: str, *, username: str, email: str, field: str = "password") -> None:
    """Raise ValidationFailedError on `field` if the password is one that is guessed early.

    NIST SP 800-63B 3.1.1.2: length, a list of common passwords and the person's own words; no rule
    on kinds of characters. The list is the 30,000 passwords that come with zxcvbn. Its estimator is
    not asked: 72 characters such as `4@8({[` keep it busy for two seconds.
    """
    if len(password) > MAX_LENGTH:
        raise _refused(field, f"Use at most {MAX_LENGTH:,} characters.")
    text = unicodedata.normalize("NFC", password)
    if len(text) < MIN_LENGTH:
        raise _refused(field, f"Use at least {MIN_LENGTH} characters.")
    folded = text.casefold()
    if _is_pattern(folded):
        raise _refused(field, "This repeats or counts on, which is guessed first. Choose another.")
    if not _common_passwords().isdisjoint(_spellings(folded)):
        raise _refused(field, "This is one of the most used passwords. Choose another.")
    if _is_personal(folded, username.casefold(), email.casefold()):
        raise _refused(field, "This is mostly your name or email address. Choose another.")


def _spellings(folded: str) -> set[str]:
    """The password as a guesser reads it: without signs around it, with signs read as letters."""
    trimmed = re.sub(r"^[\W_]+|[\W_]+$", "", folded)
    return {
        spelling
        for text in (folded, trimmed)
        for spelling in (text, *(text.translate(table) for table in _AS_LETTERS))
        if spelling
    }


def _is_pattern(folded: str) -> bool:
    unit = (folded + folded).find(folded, 1)  # the shortest stretch that repeats to the whole
    if unit < MIN_LENGTH and unit < len(folded):
        return True
    return len({ord(right) - ord(left) for left, right in pairwise(folded)}) == 1


def _is_personal(folded: str, username: str, email: str) -> bool:
    local, _, domain = email.partition("@")
    words = {username, email, local, domain, domain.partition(".")[0]}
    for word in sorted(words, key=len, reverse=True):
        rest = folded.replace(word, "") if len(word) >= _SHORTEST_WORD else folded
        if rest != folded and sum(map(str.isalnum, rest)) < _PERSONAL_REST:
            return True
    return False


@cache
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 35 ms and 12 MB: at the first sign-up

    return frozenset(FREQUENCY_LISTS["passwords"])


def _refused(field: str, message: str) -> ValidationFailedError:
    return ValidationFailedError(field_errors=[FieldError(field, message)])

"""The one place that touches bleach: takes markup out of text that is meant to be plain.

Output escaping and the content security policy are what stops script; this only keeps stored names
free of tags. bleach answers in HTML (`&` becomes `&amp;`), so the entities are decoded again, and
because decoding can bring new tags to light the two steps are repeated until nothing changes.
"""

import html

MAX_LENGTH = 10_000  # characters; bleach needs milliseconds for text of this length, not seconds
_MOST_ROUNDS = 8


def plain_text(unsafe: str) -> str:
    """The text without tags, comments and NUL, at most `MAX_LENGTH` characters, trimmed.

    Text without `<` is returned as it came (trimmed). Applying it twice changes nothing.
    """
    text = unsafe.replace("\x00", "")[:MAX_LENGTH].strip()
    for _ in range(_MOST_ROUNDS):
        if "<" not in text:
            return text
        cleaned = _without_tags(text)
        if cleaned == text:
            return text
        text = cleaned
    # Entities nested deeper than any person writes: give up the brackets, keep the words.
    return text.replace("<", "").strip()


def _without_tags(text: str) -> str:
    from bleach.sanitizer import Cleaner  # 90 ms to import: not at start-up

    # A new Cleaner each time: one may not be shared between threads.
    cleaned = Cleaner(tags=frozenset(), strip=True, strip_comments=True).clean(text)
    return html.unescape(cleaned).replace("\x00", "")[:MAX_LENGTH].strip()

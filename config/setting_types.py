"""The types of the settings: how each kind of value is written, checked and normalised.

Every check raises ValueError with half a sentence that goes on from the variable's name.
"""

import re
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

# The spellings of a database URL that people bring, and the driver that we ship for each.
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mariadb+pymysql",
    "mysql+pymysql": "mariadb+pymysql",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
}
_RATE = re.compile(
    r"[1-9]\d*\s*(/|\s+per\s+)\s*([1-9]\d*\s*)?(second|minute|hour|day)s?", re.IGNORECASE
)
_HOST = re.compile(r"\.?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


class Pepper(NamedTuple):
    """A key mixed into passwords before they are hashed; its id is stored with each hash."""

    key_id: str
    secret: SecretStr


def split_commas(value: object) -> object:
    """Turn "a, b" into ["a", "b"]; what is not text passes through."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def parse_pepper(value: object) -> object:
    """Turn "key_id:secret" into a `Pepper`; what is not text passes through."""
    if not isinstance(value, str):
        return value
    key_id, _, secret = value.partition(":")
    if not secret or not _KEY_ID.fullmatch(key_id):
        raise ValueError("must be written key_id:secret (id: 1 to 16 letters, digits, _ or -).")
    return Pepper(key_id, SecretStr(secret))


def _different_ids(peppers: tuple[Pepper, ...]) -> tuple[Pepper, ...]:
    if len({pepper.key_id for pepper in peppers}) < len(peppers):
        raise ValueError("names one key id twice.")
    return peppers


def database_url(value: str) -> str:
    """The URL with our driver: an absolute file for SQLite, utf8mb4 for MariaDB."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL.") from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError("must begin with sqlite:///, postgresql:// or mariadb://.")
    url = url.set(drivername=driver)
    if driver == "sqlite":
        url = url.set(database=_absolute_file(url.database))
    elif not url.database:
        raise ValueError("does not say which database: …://user@host/database.")
    elif driver == "mariadb+pymysql":
        url = url.update_query_dict({"charset": "utf8mb4"})
    return url.render_as_string(hide_password=False)


def _absolute_file(name: str | None) -> str:
    if not name or name == ":memory:" or name.startswith("file:"):
        raise ValueError("must name a file: the engines of one process would not share a memory.")
    return str(Path(name).expanduser().absolute())


def url_of(*schemes: str) -> AfterValidator:
    """A check that a URL has one of these schemes and a host (a path for unix://)."""

    def checked(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not (parts.hostname or parts.scheme == "unix"):
            raise ValueError(f"must be written {' or '.join(f'{each}://…' for each in schemes)}.")
        return value

    return AfterValidator(checked)


def base_url(value: str) -> str:
    """Scheme and host of our own address, without a closing slash."""
    parts = urlsplit(value)
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise ValueError("must be written https://host, with no path and no user.")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _matching(pattern: re.Pattern[str], otherwise: str) -> AfterValidator:
    def checked(value: str) -> str:
        if not pattern.fullmatch(value.strip().lower()):
            raise ValueError(otherwise)
        return value.strip().lower()

    return AfterValidator(checked)


def read_flag(value: object) -> object:
    """Read a flag as Flask reads FLASK_DEBUG, so that the two never differ."""
    return value.lower() not in {"0", "false", "no"} if isinstance(value, str) else value


_COMMAS = (NoDecode, BeforeValidator(split_commas))
_host = _matching(_HOST, "must hold plain host names, no ports; a leading dot adds subdomains.")

Flag = Annotated[bool, BeforeValidator(read_flag)]
DatabaseUrl = Annotated[str, AfterValidator(database_url)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
Rate = Annotated[str, _matching(_RATE, "must be written like 10/minute.")]
Hosts = Annotated[tuple[Annotated[str, _host], ...], *_COMMAS]
Secrets = Annotated[tuple[SecretStr, ...], *_COMMAS]
Peppers = Annotated[
    tuple[Annotated[Pepper, BeforeValidator(parse_pepper)], ...],
    *_COMMAS,
    AfterValidator(_different_ids),
]

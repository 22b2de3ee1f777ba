"""Column types that behave alike on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, Text, Uuid
from sqlalchemy.dialects.mysql import DATETIME, MEDIUMTEXT
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["CanonicalJson", "UtcDateTime", "Uuid", "canonical_json", "utc_now"]


def utc_now() -> datetime:
    """Return the present time in UTC, aware, in microseconds."""
    return datetime.now(UTC)


class _NaiveUtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on databases that store no zone."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return DateTime() if dialect.name == "sqlite" else DATETIME(fsp=6)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone: use saas.columns.utc_now()")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


# PostgreSQL keeps the zone itself, so its rows pay for no Python call per value.
UtcDateTime = DateTime(timezone=True).with_variant(
    _NaiveUtcDateTime(), "sqlite", "mysql", "mariadb"
)


def canonical_json(value: Any) -> str:
    """Return the canonical JSON text of a value: RFC 8785 on ASCII keys, integers of 64 bits and strings.

    Raises TypeError for what JSON cannot hold. Floats have no canonical form here: what is digested has none.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


class CanonicalJson(TypeDecorator[Any]):
    """JSON stored as its canonical text, so that the same bytes stand on every database."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return MEDIUMTEXT() if dialect.name in ("mysql", "mariadb") else Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)

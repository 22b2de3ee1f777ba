"""Every form of the catalogue; importing this package registers them."""

from tests.tenants.forms import (
    core_reads,
    core_writes,
    evasions,
    loaders,
    orm_reads,
    orm_writes,
    people,
    raw_sql,
    switches,
)

__all__ = [
    "core_reads",
    "core_writes",
    "evasions",
    "loaders",
    "orm_reads",
    "orm_writes",
    "people",
    "raw_sql",
    "switches",
]

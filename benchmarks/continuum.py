"""SQLAlchemy-Continuum for ``benchmarks.audit``: a change of one row with its version, over the change alone.

In a process of its own, because its listeners stay on every mapper. Its versions have no actor, no chain and no name of
what happened; it is the best known way to keep what a row was.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column

from benchmarks.servers import cpu_of


def main(url: str, pairs: int, changes: int) -> dict[str, Any]:
    """Return the ratio: median of the pairs."""
    from sqlalchemy_continuum import make_versioned

    make_versioned(user_cls=None)

    class Base(DeclarativeBase):
        pass

    class Plain(Base):
        __tablename__ = "bench_plain"
        id: Mapped[int] = mapped_column(primary_key=True)
        description: Mapped[str] = mapped_column(sa.String(2000))

    class Versioned(Base):
        __tablename__ = "bench_versioned"
        __versioned__: dict[str, Any] = {}  # noqa: RUF012 - read by Continuum as declared
        id: Mapped[int] = mapped_column(primary_key=True)
        description: Mapped[str] = mapped_column(sa.String(2000))

    configure_mappers()
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Plain(id=1, description="x"), Versioned(id=1, description="x")])
        session.commit()
        backend = session.connection().connection.driver_connection.info.backend_pid  # type: ignore[union-attr]

    def change(model: type[Any]) -> Callable[[str], None]:
        def act(text: str) -> None:
            with Session(engine) as session:
                session.get_one(model, 1).description = text
                session.commit()

        return act

    acts = change(Plain), change(Versioned)
    ratios = []
    for _ in range(pairs + 1):
        alone, versioned = (_cpu(act, backend, changes) for act in acts)
        ratios.append(versioned / alone)
    return {"ratio": round(statistics.median(ratios[1:]), 3)}  # the first pair warms up


def _cpu(act: Callable[[str], None], backend: int, changes: int) -> float:
    before = time.process_time() + cpu_of(backend)
    for number in range(changes):
        act(f"{time.monotonic_ns()} {number}")
    return time.process_time() + cpu_of(backend) - before


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))

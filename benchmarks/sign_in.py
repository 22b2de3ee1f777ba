"""Sign-up and sign-in over the one bcrypt hash that each must make: what everything around it costs.

``python -m benchmarks.sign_in [--quick] [--json]``. CPU of this process for ``POST /api/register`` and
``POST /api/login`` (in-process WSGI, PostgreSQL, production settings, cost 12) over the CPU of the hash inside it: a
hash beside it would differ by more than what is measured. Refuses a request that hashes never or twice.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from unittest import mock

import bcrypt
import flask

from benchmarks import data, instructions
from benchmarks import list as list_benchmark

WANTED = 1.02
_PASSWORD = "correct horse battery 9"


def main() -> int:
    """Measure, print and say whether the figures hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sign_in", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, for a look")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    result = measure(rounds=3 if asked.quick else 15)
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if max(result["sign_up"]["ratio"], result["sign_in"]["ratio"]) <= WANTED else 1


def measure(*, rounds: int) -> dict[str, Any]:
    """Return both ratios, medians of the rounds."""
    with (
        data.filled_database(accounts=20, callers=1) as bench,
        list_benchmark.product(bench) as app,
        _counting_hashes() as hashes,
    ):
        for warm in range(3):  # lazy imports, prepared statements
            _sign_up(app, warm)
            _sign_in(app, warm)
        times: dict[str, list[tuple[float, float]]] = {"sign_up": [], "sign_in": []}
        for number in range(3, rounds + 3):
            for name, act in (("sign_up", _sign_up), ("sign_in", _sign_in)):
                hashes.clear()
                before = time.process_time()
                act(app, number)
                taken = time.process_time() - before
                if len(hashes) != 1:
                    raise RuntimeError(f"{name} hashed {len(hashes)} times")
                times[name].append((taken, hashes[0]))
    return {name: _summary(taken) for name, taken in times.items()}


@contextmanager
def _counting_hashes() -> Iterator[list[float]]:
    """Collect the CPU seconds of every bcrypt hash."""
    seconds: list[float] = []

    def timed(hashing: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            before = time.process_time()
            try:
                return hashing(*arguments)
            finally:
                seconds.append(time.process_time() - before)

        return call

    with (
        mock.patch.object(bcrypt, "hashpw", timed(bcrypt.hashpw)),
        mock.patch.object(bcrypt, "checkpw", timed(bcrypt.checkpw)),
    ):
        yield seconds


def _summary(times: list[tuple[float, float]]) -> dict[str, float]:
    ratios = [taken / hashed for taken, hashed in times]
    return {
        "ratio": round(statistics.median(ratios), 4),
        "min": round(min(ratios), 4),
        "max": round(max(ratios), 4),
        "around_ms": round(statistics.median((taken - hashed) * 1e3 for taken, hashed in times), 2),
        "bcrypt_ms": round(statistics.median(hashed * 1e3 for _, hashed in times), 1),
    }


def _sign_up(app: flask.Flask, number: int) -> None:
    body = {
        "username": f"newcomer{number}",
        "email": f"newcomer{number}@example.com",
        "password": _PASSWORD,
    }
    _post(app, "/api/register", body, 201)


def _sign_in(app: flask.Flask, number: int) -> None:
    _post(app, "/api/login", {"email": f"newcomer{number}@example.com", "password": _PASSWORD}, 200)


def _post(app: flask.Flask, path: str, body: dict[str, str], status: int) -> None:
    raw = json.dumps(body).encode()
    posted = instructions.environ(cookie="") | {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "RAW_URI": path, "wsgi.input": BytesIO(raw),
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)),
    }  # fmt: skip
    instructions.answer(app, posted, status)


def _as_text(result: dict[str, Any]) -> str:
    return "\n".join(
        f"{name.replace('_', '-')}: CPU x {each['ratio']:.3f} of bare bcrypt [{each['min']:.3f}..{each['max']:.3f}]"
        f"  ({each['around_ms']:.1f} ms around {each['bcrypt_ms']:.0f} ms; wanted <= {WANTED})"
        for name, each in result.items()
    )


if __name__ == "__main__":
    sys.exit(main())

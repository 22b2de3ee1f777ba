"""The list of 20 users with their roles: the product with every net on, over Flask and psycopg by hand.

``python -m benchmarks.list [--quick] [--pairs N] [--json]``. Both apps answer the same bytes to the same 50 callers
on the same PostgreSQL, which is checked first. Only ratios of one run count; other work on the machine moves the
CPU times of both. Ends with 1 when a figure that must hold does not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask

from benchmarks import data, instructions, servers, sessions, statements
from benchmarks.data import Bench
from benchmarks.servers import Server
from config import application, log

MUST = {"cpu": 1.9, "instructions": 1.6, "statements": 2}
_SERVED = {"product": "config.application:create_app()", "bare": "benchmarks.bare_app:create_app()"}


def main() -> int:
    """Measure, print and say whether the figures that must hold do."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.list", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the data and few short pairs, for a look"
    )
    parser.add_argument(
        "--pairs", type=int, default=0, help="alternating pairs of runs (9; quick: 3)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    pairs, seconds = asked.pairs or (3 if asked.quick else 9), 0.5 if asked.quick else 1.0
    result = measure(
        accounts=data.ACCOUNTS // (10 if asked.quick else 1), pairs=pairs, seconds=seconds
    )
    print(json.dumps(result, indent=2) if asked.json else _as_text(result))
    return 0 if result["holds"] else 1


def measure(*, accounts: int, pairs: int, seconds: float) -> dict[str, Any]:
    """Take every figure in one run and return them; ratios are product over bare."""
    with data.filled_database(accounts=accounts) as bench, product(bench) as app:
        cookies = sessions.both_cookies(bench, app)
        result: dict[str, Any] = {
            "accounts": accounts,
            "users_an_account": data.USERS,
            "callers": len(bench.callers),
            "worker_cpu": _worker_cpu(bench, cookies, pairs, seconds),
            "instructions": _instructions(bench, cookies),
            "statements": _statements(bench, app, cookies["product"][0]),
        }
    counted = result["instructions"]
    result["holds"] = (
        result["worker_cpu"]["ratio"] <= MUST["cpu"]
        and (counted is None or counted["ratio"] <= MUST["instructions"])
        and result["statements"]["besides_transaction"] == MUST["statements"]
        and result["statements"]["prepared"]
    )
    return result


@contextmanager
def product(bench: Bench) -> Iterator[flask.Flask]:
    """The product in this process: for its cookies and for its statements."""
    app = application.create_app(bench.settings)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - not a file of ours
        log.configure("json", stream=nowhere)
        yield app
        log.flush()
        log.configure("json")
    app.extensions["database"].dispose()


def _worker_cpu(
    bench: Bench, cookies: dict[str, list[str]], pairs: int, seconds: float
) -> dict[str, Any]:
    requests = {name: [sessions.request(cookie) for cookie in own] for name, own in cookies.items()}
    environment = bench.environment()
    with (
        servers.serving(_SERVED["bare"], environment) as bare,
        servers.serving(_SERVED["product"], environment) as product,
    ):
        _refuse_different_answers(bare, product, requests)
        for server, name in ((bare, "bare"), (product, "product")):
            servers.cpu_per_request(
                server, requests[name], seconds
            )  # warm: statements prepared, caches filled
        times = [
            _pair(bare, product, requests, seconds, reverse=bool(turn % 2)) for turn in range(pairs)
        ]
    ratios = [of_product / of_bare for of_bare, of_product in times]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
        "pairs": pairs,
        "bare_us": round(statistics.median(t[0] for t in times) * 1e6),
        "product_us": round(statistics.median(t[1] for t in times) * 1e6),
    }


def _pair(
    bare: Server,
    product: Server,
    requests: dict[str, list[bytes]],
    seconds: float,
    *,
    reverse: bool,
) -> tuple[float, float]:
    """One run of each, the order changed every time, so that a drift of the machine hits both."""
    if reverse:
        of_product = servers.cpu_per_request(product, requests["product"], seconds)
        return servers.cpu_per_request(bare, requests["bare"], seconds), of_product
    of_bare = servers.cpu_per_request(bare, requests["bare"], seconds)
    return of_bare, servers.cpu_per_request(product, requests["product"], seconds)


def _refuse_different_answers(
    bare: Server, product: Server, requests: dict[str, list[bytes]]
) -> None:
    with servers.Connection(bare.port) as to_bare, servers.Connection(product.port) as to_product:
        for by_hand, ours in zip(requests["bare"], requests["product"], strict=True):
            expected, got = to_bare.call(by_hand), to_product.call(ours)
            if expected != got or got[0] != 200 or got[1].count(b'"roles":["') != data.USERS:
                raise RuntimeError(
                    f"the two apps answer differently: {expected!r:.300} and {got!r:.300}"
                )


def _instructions(bench: Bench, cookies: dict[str, list[str]]) -> dict[str, Any] | None:
    if not instructions.available():
        return None
    environment = bench.environment()
    counted = {
        name: instructions.per_request(name, environment, cookies[name])
        for name in ("bare", "product")
    }
    return {**counted, "ratio": round(counted["product"] / counted["bare"], 3)}


def _statements(bench: Bench, app: flask.Flask, cookie: str) -> dict[str, Any]:
    with bench.logging_statements():
        found = statements.of_one_request(app, cookie)
    own = [statement for statement in found if not statement.is_transaction]
    return {
        "all": [statement.text for statement in found],
        "besides_transaction": len(own),
        "prepared": all(statement.prepared for statement in own),
    }


def _as_text(result: dict[str, Any]) -> str:
    cpu, counted, sql = result["worker_cpu"], result["instructions"], result["statements"]
    lines = [
        (
            f"GET {sessions.PATH}, {result['accounts']} accounts of {result['users_an_account']} users, "
            f"{result['callers']} callers; product over Flask + psycopg by hand"
        ),
        (
            f"  worker CPU     x {cpu['ratio']:.2f}  [{cpu['min']:.2f}..{cpu['max']:.2f}], {cpu['pairs']} pairs"
            f"  ({cpu['product_us']} over {cpu['bare_us']} us; must be <= {MUST['cpu']})"
        ),
        "  instructions   not counted: valgrind is not installed"
        if counted is None
        else (
            f"  instructions   x {counted['ratio']:.2f}  ({counted['product'] / 1e6:.2f} over "
            f"{counted['bare'] / 1e6:.2f} million; must be <= {MUST['instructions']})"
        ),
        (
            f"  SQL statements {sql['besides_transaction']} besides the transaction's own, "
            f"{'all prepared' if sql['prepared'] else 'NOT prepared'} (must be {MUST['statements']}, prepared):"
        ),
        *(f"    {' '.join(statement.split())[:100]}" for statement in sql["all"]),
        "All figures hold." if result["holds"] else "A figure that must hold does not.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

"""The audit explorer over a million events on PostgreSQL: pages against the first page of 10,000, and a flat export.

``python -m benchmarks.console``: prints milliseconds (median and best of 15) and the ratio, then the memory that an
export of 100,000 events takes over idle. Everything is asked over HTTP as an operator, the record of the look included.
"""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import flask
import psycopg
from flask.testing import FlaskClient

from benchmarks.data import HOST, Bench, filled_database
from config import application
from saas import database
from saas.services import operator_staff_services

FEW, MANY, ACCOUNTS, ROUNDS, DAYS = 10_000, 1_000_000, 200, 15, 30
MOST = 3.0  # times the first page of FEW: what must be held
_ACTIONS = (
    "ARRAY['project.created','project.updated','role.granted','session.created','user.suspended']"
)
# An id is a UUIDv7 of the moment of its event, as ``record`` makes it.
_FILL = f"""
INSERT INTO audit_events (account_id, id, v, seq, time, action, crud, outcome, severity, actor_type, actor_id,
                          actor_label, target_type, target_id, target_label, targets, changes, data, request_id, ip,
                          user_agent, channel, route, digest, prev, hash)
SELECT owner.account_id, (lpad(to_hex((extract(epoch FROM made.at) * 1000)::bigint), 12, '0') || '7'
         || substr(made.noise, 1, 3) || 'a' || substr(made.noise, 4, 15))::uuid,
       1, made.n, made.at, ({_ACTIONS})[1 + made.n %% 5], 'u',
       CASE made.n %% 50 WHEN 0 THEN 'denied' ELSE 'success' END, 'info', 'user', made.noise,
       'person' || made.n %% 20, 'project', made.noise, 'Apollo ' || made.n, '[]', '[]', '{{}}', made.noise,
       '192.0.2.1', 'benchmarks', 'api',
       '/api/projects', made.noise || made.noise, made.noise || made.noise, made.noise || made.noise
FROM (SELECT n, now() - random() * interval '{DAYS} days' AS at, md5(n::text || %s) AS noise
      FROM generate_series(%s::bigint, %s::bigint) AS n) AS made
JOIN (SELECT account_id, row_number() OVER (ORDER BY account_id) AS number, count(*) OVER () AS count FROM accounts)
  AS owner ON owner.number = 1 + made.n %% owner.count
"""


def main() -> int:
    """Fill, measure, fill up, measure again; returns 1 where a ratio is not held."""
    with filled_database(accounts=ACCOUNTS) as bench:
        app = application.create_app(bench.settings)
        client = come_in(app)
        account = str(bench.callers[0].account_id)
        fill(bench, 1, FEW)
        base, _ = measure(client, "/admin/audit/")
        print(f"{'page':<44}{'median ms':>10}{'best ms':>10}{'ratio':>8}")
        tell(f"first page, {FEW:,} events", base, base)
        fill(bench, FEW + 1, MANY)
        ratios = [tell(name, measure(client, path), base) for name, path in paths(client, account)]
        tell("home (no bound)", measure(client, "/admin/"), base)
        memory(client)
        app.extensions["database"].dispose()
    return int(max(ratios) > MOST)


def come_in(app: flask.Flask) -> FlaskClient:
    """Return a browser in which an administrator is signed in."""
    with database.use(app.extensions["database"]):
        made = operator_staff_services.add_operator(email="olga@example.com", role="administrator")
    client = app.test_client()
    form = {"email": made.email, "password": made.password, "code": made.recovery_codes[0]}
    answer = client.post("/admin/sign-in", data=form, base_url=f"https://{HOST}")
    assert answer.status_code == 303
    return client


def fill(bench: Bench, first: int, last: int) -> None:
    """Put events ``first`` to ``last`` into the log, over all accounts and the last DAYS days."""
    with psycopg.connect(bench.bare_database, autocommit=True) as superuser:
        superuser.execute(_FILL, (secrets.token_hex(4), first, last))
        superuser.execute(
            "UPDATE audit_heads SET seq = %s", (last + MANY,)
        )  # the looks come after what was filled in
        superuser.execute("VACUUM ANALYZE audit_events")


def paths(client: FlaskClient, account: str) -> list[tuple[str, str]]:
    """What is asked of the million: the page after the first is found as a person finds it, by its link."""
    first = get(client, "/admin/audit/")
    found = re.search(r'rel="next" href="(\?[^"]+)"', first.get_data(as_text=True))
    assert found
    following = "/admin/audit/" + found[1].replace("&amp;", "&")
    return [
        (f"first page, {MANY:,} events", "/admin/audit/"),
        ("next page", following),
        ("one account, 7 days", f"/admin/audit/?account_id={account}"),
        ("one account, all there is", f"/admin/audit/?account_id={account}&days=all"),
        ("the account's own page, its events", f"/admin/accounts/{account}/?tab=events"),
        ("denied, 30 days", "/admin/audit/?outcome=denied&days=30"),
        ("search for a request", "/admin/search/?q=0123456789abcdef0123456789abcdef"),
    ]


def get(client: FlaskClient, path: str) -> Any:
    """Ask for a page; its body is read by whoever asked."""
    answer = client.get(path, base_url=f"https://{HOST}", buffered=False)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer


def measure(client: FlaskClient, path: str) -> tuple[float, float]:
    """Return median and best milliseconds of one page."""
    taken = []
    for number in range(ROUNDS + 3):
        start = perf_counter()
        get(client, path).get_data()
        if number >= 3:
            taken.append((perf_counter() - start) * 1000)
    return median(taken), min(taken)


def tell(name: str, taken: tuple[float, float] | float, base: float) -> float:
    """Print one line of the table and return its ratio."""
    middle, best = taken if isinstance(taken, tuple) else (taken, taken)
    print(f"{name:<44}{middle:>10.1f}{best:>10.1f}{middle / base:>8.2f}")
    return middle / base


def memory(client: FlaskClient) -> None:
    """Print what an export of 100,000 events takes over idle: lines are counted and let go, as a socket does."""
    get(client, "/admin/audit/").get_data()
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the highest mark so far
    before, start, lines, size = highest(), perf_counter(), 0, 0
    for chunk in get(client, "/admin/audit/export/?days=all").response:
        lines += chunk.count(b"\n")
        size += len(chunk)
    seconds = perf_counter() - start
    print(
        f"export: {lines - 1:,} events, {size / 1e6:.0f} MB, {seconds:.1f} s, "
        f"{(highest() - before) / 1024:.1f} MiB over idle"
    )


def highest() -> int:
    """Return the most memory this process had since the mark was reset, in KiB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("ascii"))
    assert found
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())

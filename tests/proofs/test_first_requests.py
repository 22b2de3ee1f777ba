"""The first requests of a fresh process come at the same time: what is imported late is there for all of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.proofs import processes

# Threads that begin a few milliseconds apart, so that some come into the middle of the first one's imports.
SCRIPT = """
import random, sys, threading, time, traceback
from saas.security import emails, passwords
from saas.security.throttle import Throttle
from saas import sanitization
sys.setswitchinterval(1e-6)
passwords.configure([("k1", "a pepper of the tests")], 4)
throttle = Throttle({"sign_in": "1000/minute"})
failures = []
def first(delay):
    time.sleep(delay)
    try:
        throttle.hit_sign_in("127.0.0.1", emails.email_key("ada@example.com"))
        passwords.verify_password("correct horse", None)
        passwords.check_strength("correct horse battery 9", username="ada", email="ada@example.com")
        sanitization.plain_text("<b>Ada</b> & Ben")
    except BaseException:
        failures.append(traceback.format_exc())
threads = [threading.Thread(target=first, args=(random.random() * 0.2,)) for _ in range(24)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("\\n".join(failures[:3]) if failures else 0)
"""


def start_at_once(times: int) -> None:
    environment = processes.bare_environment()
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            cwd=processes.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]


def test_the_first_requests_of_a_process_do_not_trip_over_its_imports() -> None:
    start_at_once(3)


@pytest.mark.proof
def test_the_first_requests_of_fifty_processes_do_not_trip_over_their_imports() -> None:
    start_at_once(50)

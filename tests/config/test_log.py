"""The log: what a line holds, that no text can forge one, and that writing never stops its caller."""

import io
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
import structlog
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from structlog.testing import capture_logs

from config import log, log_lines
from config.log_writer import LineWriter
from config.server_log import ServerLog

ROOT = Path(__file__).parents[2]
logger = structlog.get_logger("tests")  # as modules do: made once, before the log is configured
Lines = Callable[[], list[Any]]


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Leave the log as it was found, with nothing bound."""
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    log.configure("console", stream=sys.__stderr__)


@pytest.fixture
def json_lines() -> Lines:
    """Send the log to memory as JSON; what it gives, called, are the objects written so far."""
    stream = io.StringIO()
    log.configure("json", stream=stream)

    def lines() -> list[Any]:
        assert log.flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return lines


@pytest.fixture
def console_lines() -> Lines:
    """Send the log to memory in columns."""
    stream = io.StringIO()
    log.configure("console", stream=stream)

    def lines() -> list[str]:
        assert log.flush()
        return stream.getvalue().splitlines()

    return lines


def test_a_json_line_begins_with_time_level_message_and_type(json_lines: Lines) -> None:
    logger.info("user.invited", user_id=UUID(int=7), count=3)
    (line,) = json_lines()
    assert list(line) == [
        "@timestamp", "level", "message", "log_type", "logger", "user_id", "count"
    ]  # fmt: skip
    assert line["@timestamp"].endswith("Z")
    assert (line["level"], line["message"], line["log_type"]) == ("info", "user.invited", "app")
    assert (line["user_id"], line["count"]) == (str(UUID(int=7)), 3)


def test_a_line_may_say_its_own_type(json_lines: Lines) -> None:
    logger.warning("role.granted", log_type="audit")
    (line,) = json_lines()
    assert (line["level"], line["log_type"]) == ("warning", "audit")


@pytest.mark.parametrize("form", ["json", "console"])
def test_fields_that_are_json_already_stand_in_the_line_as_they_are(form: Any) -> None:
    event = {"action": "role.granted", "actor_label": "ada \u2028", "data": {"token": 1.0}, "v": 1}
    stream = io.StringIO()
    log.configure(form, stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="it has its own"):
        logger.info("role.granted", log_type="audit", json=orjson.dumps(event))
    assert log.flush()
    (line,) = stream.getvalue().splitlines()
    if form == "json":
        told = json.loads(line)
        assert list(told) == ["@timestamp", "level", "message", "log_type", "logger", *event]
        assert {name: told[name] for name in event} == event
    else:
        assert "role.granted" in line
        assert "actor_label" in line


def test_debug_is_not_written(json_lines: Lines) -> None:
    logger.debug("detail")
    logging.getLogger("library").debug("detail")
    assert json_lines() == []


def test_what_is_bound_to_the_context_is_in_every_line_until_it_is_cleared(
    json_lines: Lines,
) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1")
    logger.info("ours")
    logging.getLogger("library").info("theirs")
    structlog.contextvars.clear_contextvars()
    logger.info("after")
    assert [line.get("request_id") for line in json_lines()] == ["r1", "r1", None]


def test_a_field_cannot_take_the_place_of_the_envelope(json_lines: Lines) -> None:
    logger.info("real", level="debug", message="forged", **{"@timestamp": "1970"})
    (line,) = json_lines()
    assert (line["level"], line["message"]) == ("info", "real")
    assert line["message_"] == "forged"
    assert line["@timestamp"] > "2000"


def test_records_of_libraries_have_the_same_form(json_lines: Lines) -> None:
    logging.getLogger("library.part").info("Running %s", "upgrade", extra={"revision": "a1"})
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", UserWarning, stacklevel=1)
    running, warned = json_lines()
    assert (running["message"], running["logger"]) == ("Running upgrade", "library.part")
    assert running["revision"] == "a1"
    assert (warned["level"], warned["logger"]) == ("warning", "py.warnings")
    assert "careful" in warned["message"]


def test_a_record_whose_arguments_do_not_fit_is_written_as_it_stands(json_lines: Lines) -> None:
    record = logging.makeLogRecord({"msg": "%d rows", "args": ("many",)})
    log.RecordHandler().handle(record)
    assert json_lines()[0]["message"] == "%d rows"


def test_gunicorn_writes_through_the_same_log(json_lines: Lines) -> None:
    server = ServerLog(Config())
    server.info("Listening at: %s", "127.0.0.1")
    (line,) = json_lines()
    assert (line["message"], line["logger"]) == ("Listening at: 127.0.0.1", "gunicorn.error")


def test_a_request_is_one_line_without_its_query(json_lines: Lines) -> None:
    config = Config()
    config.set("accesslog", "-")
    answer = SimpleNamespace(status="200 OK", sent=12, headers=[("X-Request-ID", "r1")])
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/invitations/accept",
        "QUERY_STRING": "token=t",
    }
    ServerLog(config).access(answer, None, environ, timedelta(milliseconds=3))
    (line,) = json_lines()
    assert (line["message"], line["log_type"]) == ("request.done", "access")
    assert (line["status"], line["ms"], line["request_id"]) == (200, 3.0, "r1")
    assert "token" not in json.dumps(line)


def test_without_an_access_log_no_request_is_written(json_lines: Lines) -> None:
    ServerLog(Config()).access(None, None, {}, timedelta())
    assert json_lines() == []


def _fail_with(secret: str) -> None:
    raise ValueError("refused")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_is_written_without_local_variables(log_format: Any) -> None:
    stream = io.StringIO()
    log.configure(log_format, stream=stream)
    try:
        _fail_with("hunter2" + "-secret")
    except ValueError:
        logger.exception("sign_in.failed")
        logging.getLogger("library").exception("failed")
    log.flush()
    assert stream.getvalue().count("_fail_with") >= 2
    assert "refused" in stream.getvalue()
    assert "hunter2-secret" not in stream.getvalue()


def test_the_value_of_a_telling_name_is_not_written(json_lines: Lines) -> None:
    data = {"new_password": "hunter2", "deep": {"api-token": "hunter2"}, "name": "x"}
    logger.info(
        "x", password="hunter2", Authorization="hunter2", session_token="hunter2", data=data
    )
    logging.getLogger("library").info("y", extra={"set_cookie": "hunter2"})
    assert "hunter2" not in json.dumps(json_lines())
    assert json_lines()[0]["data"]["name"] == "x"


def test_the_id_or_hash_of_a_secret_is_written(json_lines: Lines) -> None:
    logger.info("x", token_id="t1", token_hash="abc")
    assert (json_lines()[0]["token_id"], json_lines()[0]["token_hash"]) == ("t1", "abc")


FORGED = "x\n2026-01-01 info forged\r\x1b[2J\x9b31m\u2028\u2029\x85\u202etxt\x00\x7f"


def test_forged_text_stays_inside_its_json_line(json_lines: Lines) -> None:
    stream = io.StringIO()
    log.configure("json", stream=stream)
    logger.info(FORGED, field=FORGED, **{FORGED: 1})
    log.flush()
    assert len(stream.getvalue().splitlines()) == 1  # Python splits at more than \n
    assert stream.getvalue().rstrip("\n").isprintable()
    line = json.loads(stream.getvalue())
    assert (line["message"], line["field"], line[FORGED]) == (FORGED, FORGED, 1)


def test_forged_text_stays_inside_its_console_line(console_lines: Lines) -> None:
    logger.info(FORGED, field=FORGED, **{FORGED: 1})
    (line,) = console_lines()
    assert line.isprintable()


def test_a_forged_error_cannot_pose_as_a_line_of_its_own(console_lines: Lines) -> None:
    try:
        raise ValueError("x\n12:00:00 info     forged\x1b[2J")
    except ValueError:
        logger.exception("failed")
    first, *rest = console_lines()
    assert " failed " in f"{first} "
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters())
        | st.binary(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner)
        ),
        max_leaves=10,
    ),
    st.text(st.characters()),
)
def test_any_value_becomes_exactly_one_line_that_parses(value: Any, message: str) -> None:
    fields = {"@timestamp": "2026-01-01T00:00:00Z", "level": "info", "message": message, "v": value}
    line = log_lines.to_json(fields, None)
    json.loads(line)
    assert len(line.decode().splitlines()) == 1
    assert len(log_lines.to_console(fields, None, colour=False).decode().splitlines()) == 1


def test_values_that_json_does_not_know_are_written_without_their_insides(
    json_lines: Lines,
) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    logger.info(
        "x", price=Decimal("1.50"), path=Path("/a"), kinds={1}, key=SecretStr("hunter2"), loop=loop,
        thing=SimpleNamespace(inside="hunter2"), huge=2**80, broken="\ud800", error=KeyError("k"),
    )  # fmt: skip
    (line,) = json_lines()
    assert (line["price"], line["path"], line["kinds"]) == ("1.50", "/a", [1])
    assert (line["thing"], line["huge"]) == ("<SimpleNamespace>", str(2**80))
    assert "hunter2" not in str(line)


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_line_that_cannot_be_made_says_so_and_does_not_raise(json_lines: Lines) -> None:
    logger.info("x", error=ValueError(_Broken()))
    (line,) = json_lines()
    assert (line["message"], line["of"]) == ("log.line_failed", "x")
    assert line["reason"] == "RuntimeError"


def test_loggers_that_exist_follow_a_change_of_the_log() -> None:
    first, second = io.StringIO(), io.StringIO()
    log.configure("json", stream=first)
    logger.info("one")
    log.configure("console", stream=second)
    logger.info("two")
    log.flush()
    assert json.loads(first.getvalue())["message"] == "one"
    assert " two " in second.getvalue()


def test_a_library_is_routed_once_however_often_the_log_is_configured(json_lines: Lines) -> None:
    log.configure("json", stream=log._output.stream)
    logging.getLogger("library").info("once")
    assert len(json_lines()) == 1


def test_tests_can_capture_what_is_logged(json_lines: Lines) -> None:
    logger.info("outside")
    with capture_logs() as captured:
        logger.info("inside", count=1)
    assert captured == [{"event": "inside", "log_level": "info", "count": 1}]
    assert [line["message"] for line in json_lines()] == ["outside"]


def test_a_terminal_sees_colours_and_a_file_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        log.configure("console", stream=stream)
        logger.error("x")
        log.flush()
    assert "\x1b[31m" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_pipe_that_nobody_reads_blocks_no_caller_and_what_is_dropped_is_told() -> None:
    reader, writer = os.pipe()
    with ThreadPoolExecutor() as pool, os.fdopen(reader, "rb") as source:
        with os.fdopen(writer, "w") as stream:
            log.configure("json", stream=stream)
            start = time.monotonic()
            for number in range(20_000):
                logger.info("line", number=number)
            assert time.monotonic() - start < 10
            assert not log.flush(0.05)
            assert log._output.writer.lost > 0
            lines = pool.submit(source.readlines)  # at last somebody reads
            assert log.flush(30)
            logger.info("after")
            assert log.flush(30)
        found = [json.loads(line) for line in lines.result(30)]
    assert found[-1]["message"] == "after"
    numbers = [line["number"] for line in found if line["message"] == "line"]
    assert numbers == sorted(numbers)
    told = [line["lines"] for line in found if line["message"] == "log.lines_lost"]
    assert len(numbers) + sum(told) == 20_000


def test_a_pipe_without_a_reader_does_not_reach_the_caller() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        log.configure("json", stream=stream)
        logger.info("nobody hears")
        assert log.flush()
        assert log._output.writer.lost == 1


def test_a_closed_stream_does_not_reach_the_caller() -> None:
    stream = io.StringIO()
    log.configure("json", stream=stream)
    stream.close()
    logger.info("nobody hears")
    assert log.flush()
    assert log._output.writer.lost == 1


def test_a_torn_line_is_ended_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    written = bytearray()
    answers: list[Any] = [3, OSError("no space"), None]

    def write(_handle: int, data: bytes) -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        written.extend(data[:answer])
        return answer or len(data)

    monkeypatch.setattr("config.log_writer.os.write", write)
    writer = LineWriter(SimpleNamespace(fileno=lambda: 1), lambda lost: b"lost %d\n" % lost)  # type: ignore[arg-type]
    writer.write(b"first\n")
    assert writer.flush()
    writer.write(b"second\n")
    assert writer.flush()
    writer.pause()
    assert bytes(written) == b"fir\nlost 1\nsecond\n"


CHILD = """
import os, structlog
from config import log
log.configure("json")
logger = structlog.get_logger()
logger.info("parent")
child = os.fork()
logger.info("child" if child == 0 else "parent again")
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_child_writes_its_own_lines_and_all_are_out_at_the_end() -> None:
    command = [sys.executable, "-W", "error", "-c", CHILD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60, text=True)
    messages = [json.loads(line)["message"] for line in done.stdout.splitlines()]
    assert messages[0] == "parent"
    assert sorted(messages) == ["child", "parent", "parent again"]
    assert done.stderr == ""


def test_the_end_of_the_process_does_not_wait_for_a_reader_that_is_gone() -> None:
    code = "import structlog; from config import log; log.configure('json')\n"
    code += "for n in range(5000): structlog.get_logger().info('x' * 100)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""

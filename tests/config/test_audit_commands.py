"""``flask audit``: verify, tail, export, retention and prune, with their exit codes."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from config import audit_following
from saas import database, errors
from saas.audit.reading import Chain
from tests.command_line import Run
from tests.house import House, Street
from tests.people import Person, add, register
from tests.refusals import change
from tests.saas.audit.tampering import EVENTS
from tests.saas.audit.test_prune import grow_old
from tests.saas.audit.test_verify import write_some
from tests.variants import cuttable
from tests.waiting import until


def tamper(house: House, person: Person, seq: int) -> Any:
    """Change one event; what puts it back."""
    mine = (EVENTS.c.account_id == person.account_id, EVENTS.c.seq == seq)
    label = next(e["actor_label"] for e in person.events() if e["seq"] == seq)
    assert change(house, update(EVENTS).where(*mine).values(actor_label="nobody")) == 1
    return lambda: change(house, update(EVENTS).where(*mine).values(actor_label=label))


def told(lines: list[Any], message: str) -> list[Any]:
    return [line for line in lines if line["event"] == message]


class TestVerify:
    def test_good_is_0(self, run: Run, house: House, ada: Person) -> None:
        assert (
            "1 of 1 chains are good"
            in run("audit", "verify", "--account", str(ada.account_id)).output
        )
        assert "chains are good" in run("audit", "verify").output

    def test_tampered_is_1_and_names_the_event(self, run: Run, house: House, ada: Person) -> None:
        mend = tamper(house, ada, 2)
        try:
            told = run("audit", "verify", "--json", exit_code=1).stdout
        finally:
            mend()

        bad = [report for report in json.loads(told) if report["verdict"] != "good"]
        assert [(report["chain"], report["bad_seq"]) for report in bad] == [
            (str(ada.account_id), 2)
        ]

    def test_a_copy_tells_what_the_chain_cannot(
        self,
        run: Run,
        house: House,
        ada: Person,
        tmp_path: Path,
    ) -> None:
        copy, account = tmp_path / "copy.ndjson", str(ada.account_id)
        run("audit", "export", "--account", account, "--output", str(copy))
        told = run("audit", "verify", "--account", account, "--file", str(copy))
        assert "3 of 3 chains" in told.output  # the file, the log, and the one against the other
        lines = copy.read_bytes().splitlines(keepends=True)
        event = json.loads(lines[-1])
        lines.append(json.dumps(event | {"seq": event["seq"] + 100}).encode() + b"\n")
        copy.write_bytes(b"".join(lines))

        run("audit", "verify", "--account", account, "--file", str(copy), exit_code=1)

    def test_incomplete_is_2(self, run: Run, house: House, ada: Person, tmp_path: Path) -> None:
        copy = tmp_path / "copy.ndjson"
        run("audit", "export", "--account", str(ada.account_id), "--output", str(copy))
        copy.write_bytes(b"".join(copy.read_bytes().splitlines(keepends=True)[1:]))

        told = run("audit", "verify", "--offline", "--file", str(copy), exit_code=2)
        assert "incomplete" in told.output

    @pytest.mark.parametrize(
        "line",
        [
            ("--offline",),
            ("--file", "no such file"),
            ("--file", "/"),
            ("--file", __file__, "--offline"),
            ("--nonsense",),
            ("--account", "no such account"),
        ],
    )
    def test_wrong_use_is_3(self, run_lite: Run, line: tuple[str, ...]) -> None:
        run_lite("audit", "verify", *line, exit_code=3)

    def test_a_database_that_is_away_is_no_tampering(
        self, run_lite: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @contextmanager
        def away(reason: str) -> Iterator[None]:
            raise errors.DatabaseAwayError
            yield

        monkeypatch.setattr(database, "looking_across", away)
        assert "could not be read" in run_lite("audit", "verify", exit_code=2).output


class TestExport:
    @pytest.mark.parametrize("form", ["ndjson", "csv", "ecs"])
    def test_every_form_and_the_log_tells(
        self,
        run: Run,
        house: House,
        ada: Person,
        form: str,
    ) -> None:
        told = run("audit", "export", "--account", str(ada.account_id), "--format", form).stdout

        assert str(ada.account_id) in told
        event = ada.events()[-1]
        assert (event["action"], event["data"]["format"]) == ("audit.exported", form)
        assert (event["actor_label"], event["channel"]) == ("flask audit export", "cli")

    def test_the_systems_chain_too(self, run: Run, house: House, ada: Person) -> None:
        lines = run("audit", "export", "--account", "system").stdout.splitlines()

        assert {json.loads(line)["account_id"] for line in lines} == {None}


class TestTail:
    def test_everything_from_the_start(self, run: Run, house: House, ada: Person) -> None:
        told = run("audit", "tail", "--from-start", "--account", str(ada.account_id)).stdout

        assert [json.loads(line) for line in told.splitlines()] == ada.events()

    def test_state_misses_nothing_between_two_runs(
        self,
        run: Run,
        house: House,
        ada: Person,
        tmp_path: Path,
    ) -> None:
        line = (
            "audit",
            "tail",
            "--account",
            str(ada.account_id),
            "--state",
            str(tmp_path / "state"),
        )
        assert run(*line).stdout == ""
        ada.post("/api/projects", {"name": "Apollo"})
        ada.post("/api/projects", {"name": "Gemini"})

        told = [json.loads(each)["target_label"] for each in run(*line).stdout.splitlines()]

        assert told == ["Apollo", "Gemini"]
        assert run(*line).stdout == ""

    def test_a_reader_that_goes_away_gets_it_again(
        self, house: House, ada: Person, tmp_path: Path
    ) -> None:
        class Broken(io.BytesIO):
            def flush(self) -> None:
                raise BrokenPipeError

        state = audit_following.State(tmp_path / "state", from_start=True)
        only = Chain(ada.account_id)
        with house.in_use():
            with pytest.raises(BrokenPipeError):
                audit_following.follow(Broken(), only=only, state=state, forever=False)
            again = io.BytesIO()
            audit_following.follow(
                again,
                only=only,
                state=audit_following.State(tmp_path / "state", from_start=True),
                forever=False,
            )

        assert len(again.getvalue().splitlines()) == len(ada.events())

    @pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
    def test_a_server_that_is_away_is_waited_for_and_told_once(
        self, street: Street, backend: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the servers alone: SQLite's file cannot be moved away and back under somebody who reads it."""
        house = street.open(backend)

        class Out(io.BytesIO):
            gone = False

            def write(self, data: Any) -> int:
                if self.gone:
                    raise BrokenPipeError
                return super().write(data)

        monkeypatch.setattr(audit_following, "PAUSE", 0.02)
        out = Out()
        with cuttable(house) as (same, cut, restore), capture_logs() as lines:
            ada = register(same)
            state = audit_following.State(None, from_start=True)

            def follow() -> None:
                with same.in_use(), contextlib.suppress(BrokenPipeError):
                    audit_following.follow(
                        out, only=Chain(ada.account_id), state=state, forever=True
                    )

            following = threading.Thread(
                target=follow, daemon=True
            )  # where this fails, it never ends
            following.start()
            until(lambda: out.getvalue().count(b"\n") == len(ada.events()), 20)
            cut()
            until(lambda: told(lines, "audit tail waits for the database"), 20)
            time.sleep(0.2)
            restore()
            until(lambda: told(lines, "audit tail goes on"), 20)
            assert ada.post("/api/projects", {"name": "Apollo"}).status_code == 201
            until(lambda: b"Apollo" in out.getvalue(), 20)
            out.gone = True
            assert ada.post("/api/projects", {"name": "Gemini"}).status_code == 201
            following.join(20)
            assert not following.is_alive()

        assert len(told(lines, "audit tail waits for the database")) == 1
        assert len(told(lines, "audit tail goes on")) == 1
        assert "Gemini" not in out.getvalue().decode()

    def test_every_chain_has_its_own_place(self, house: House, ada: Person, gus: Person) -> None:
        state = audit_following.State(None, from_start=False)
        first, second = io.BytesIO(), io.BytesIO()
        with house.in_use():
            audit_following.follow(first, only=None, state=state, forever=False)
            gus.post("/api/projects", {"name": "Apollo"})
            ada.post("/api/projects", {"name": "Gemini"})
            add(house, ada, "zoe", "member")
            audit_following.follow(second, only=None, state=state, forever=False)

        assert first.getvalue() == b""
        told = [json.loads(line) for line in second.getvalue().splitlines()]
        mine = [e["action"] for e in told if e["account_id"] == str(ada.account_id)]
        assert mine[0] == "project.created"
        assert {e["account_id"] for e in told} == {str(ada.account_id), str(gus.account_id), None}

    @pytest.mark.parametrize("text", ["{", "[]", '{"system": "1"}', "\x00"])
    def test_a_file_that_is_no_state_is_refused_and_left(
        self, run_lite: Run, tmp_path: Path, text: str
    ) -> None:
        state = tmp_path / "state"
        state.write_text(text)
        told = run_lite("audit", "tail", "--state", str(state), exit_code=1).output

        assert "does not say what was delivered" in told
        assert state.read_text() == text

    def test_a_place_that_cannot_be_written_is_told(self, run_lite: Run, tmp_path: Path) -> None:
        run_lite("audit", "tail", "--state", str(tmp_path / "no" / "state"), exit_code=1)


class TestPrune:
    def test_only_accounts_with_a_retention(
        self,
        run: Run,
        house: House,
        ada: Person,
        gus: Person,
    ) -> None:
        for person in (ada, gus):
            write_some(house, person, 6)
            grow_old(house, person, 4)
        account = str(ada.account_id)
        before = gus.events()
        run("audit", "retention", account, "30", "--reason", "contract 12")

        (would,) = json.loads(
            run("audit", "prune", "--account", account, "--dry-run", "--json").stdout
        )
        (did,) = json.loads(run("audit", "prune", "--account", account, "--json").stdout)

        assert would["removed"] == did["removed"] == 4
        assert gus.events() == before
        run("audit", "verify", "--account", account)
        run("audit", "retention", account, "0", "--reason", "for ever again")
        assert json.loads(run("audit", "prune", "--account", account, "--json").stdout) == []

    def test_a_reason_is_wanted(self, run: Run, house: House, ada: Person) -> None:
        run("audit", "retention", str(ada.account_id), "30", exit_code=2)

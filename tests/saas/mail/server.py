"""A small mail server of the tests' own: says what it is told to, keeps what it took, and can go away and come back."""

from __future__ import annotations

import socketserver
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal

Mood = Literal["fine", "greylist", "refuse", "silent", "drop", "vanish"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that the server has answered for with 250."""

    recipients: tuple[str, ...]
    raw: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])


class MailServer:
    """SMTP (RFC 5321) on loopback, a thread for each visitor.

    Moods: ``greylist`` answers 451, ``refuse`` 550, ``silent`` lets wait for ever, ``drop`` hangs up before it
    answers for a mail, ``vanish`` takes the mail and hangs up instead of saying so.
    """

    def __init__(self) -> None:
        self.mood: Mood = "fine"
        self.pause = 0.0  # seconds before each answer
        self.taken: list[Taken] = []
        self.visits = 0
        self.released = threading.Event()
        self._server: _Tcp | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen: on a free port the first time, on the same one afterwards."""
        self._server = _Tcp(("127.0.0.1", self._port), _Visit)
        self._server.owner = self
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: whoever comes now is refused the connection."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.released.set()
        self.stop()


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    owner: MailServer


class _Visit(socketserver.StreamRequestHandler):
    server: _Tcp
    disable_nagle_algorithm = True

    def handle(self) -> None:
        owner = self.server.owner
        owner.visits += 1
        if owner.mood == "silent":
            owner.released.wait()
            return
        try:
            self._say("220 tests")
            self._talk(owner)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the visitor was killed, which some tests do

    def _talk(self, owner: MailServer) -> None:
        recipients: list[str] = []
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say("250-tests\r\n250 SMTPUTF8")
            elif verb == b"RCPT":
                recipients.append(line.decode().split("<", 1)[1].split(">", 1)[0])
                self._say("550 no such user" if owner.mood == "refuse" else "250 fine")
            elif verb == b"DATA":
                if not self._take(owner, tuple(recipients)):
                    return
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _take(self, owner: MailServer, recipients: tuple[str, ...]) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if owner.mood == "drop" or not line:
            return False
        if owner.mood == "greylist":
            self._say("451 come again later")
            return True
        owner.taken.append(Taken(recipients, b"".join(lines)))
        if owner.mood == "vanish":
            return False
        self._say("250 taken")
        return True

    def _say(self, words: str) -> None:
        if self.server.owner.pause:
            time.sleep(self.server.owner.pause)
        self.wfile.write(f"{words}\r\n".encode())

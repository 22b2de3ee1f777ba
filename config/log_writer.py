"""The last step of a log line: out of the process, without holding up or breaking its caller.

Whoever writes to a full pipe is blocked, and to a pipe without a reader raises. So callers only put
lines into a bounded queue, and one thread writes them; what does not fit is dropped, counted, and
told as soon as lines go out again.
"""

import os
import queue
import select
import threading
import time
from collections.abc import Callable
from typing import TextIO

QUEUE_LINES = 4096  # lines that may wait for a slow reader
GATHER_SECONDS = 0.02  # lines of so long go out in one write
FLUSH_SECONDS = 2.0  # how long the end of the process waits for a reader


class _Mark(threading.Event):
    """Stands in the queue behind lines; is set once they are written. `last` ends the thread."""

    def __init__(self, *, last: bool = False) -> None:
        super().__init__()
        self.last = last


class LineWriter:
    """Writes lines to `stream` from a thread of its own; `tell` makes the line about lost ones."""

    def __init__(
        self,
        stream: TextIO,
        tell: Callable[[int], bytes],
        limit: int = QUEUE_LINES,
        on_lost: Callable[[int], None] = lambda lines: None,
    ) -> None:
        self._on_lost = on_lost
        self.lost = 0  # lines dropped or not written, and not yet told
        self._stream = stream
        self._tell = tell
        self._limit = limit
        self._torn = False  # the last write stopped in the middle of a line
        self.after_fork()

    def write(self, line: bytes) -> None:
        """Queue one line, which ends in a line break. Never blocks and never raises."""
        if self._queue.qsize() >= self._limit:
            self._lose(1)
        else:
            self._put(line)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all that was queued before is written; False when it takes longer."""
        mark = _Mark()
        self._put(mark)
        return mark.wait(seconds)

    def pause(self) -> None:
        """Write what waits and end the thread, as before a fork; the next line starts another."""
        if self._thread is not None and self._thread.is_alive():
            self._put(_Mark(last=True))
            self._thread.join(FLUSH_SECONDS / 10)

    def after_fork(self) -> None:
        """Begin anew in a child process: what waited is the parent's, and so is the thread."""
        # SimpleQueue and RLock may be entered again by a signal handler that logs.
        self._queue: queue.SimpleQueue[bytes | _Mark] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def _put(self, item: bytes | _Mark) -> None:
        self._queue.put(item)
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # too late in the life of the interpreter, or no thread to be had
                self._drain_here()

    def _lose(self, lines: int) -> None:
        with self._lock:
            self.lost += lines
        self._on_lost(lines)

    def _put_back(self, lines: int) -> None:
        """Tell later of lines that are counted already."""
        with self._lock:
            self.lost += lines

    def _run(self) -> None:
        last = False
        while not last:
            items = [self._queue.get()]
            if not isinstance(items[0], _Mark):
                time.sleep(GATHER_SECONDS)
            items += self._waiting()
            last = self._write_out(items)

    def _waiting(self) -> list[bytes | _Mark]:
        """What is in the queue now, at most as much as may wait there."""
        items: list[bytes | _Mark] = []
        while len(items) < self._limit:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _drain_here(self) -> None:
        self._write_out(self._waiting())

    def _write_out(self, items: list[bytes | _Mark]) -> bool:
        """Write the lines, then set the marks; True when one of them is the last."""
        lines = [item for item in items if isinstance(item, bytes)]
        marks = [item for item in items if isinstance(item, _Mark)]
        if lines:
            with self._lock:
                lost, self.lost = self.lost, 0
            told = [self._tell(lost)] if lost else []
            written = self._write_lines(told + lines)
            if written < len(told):
                self._put_back(lost)
            if written < len(told + lines):
                self._lose(len(lines) - max(0, written - len(told)))
        for mark in marks:
            mark.set()
        return any(mark.last for mark in marks)

    def _write_lines(self, lines: list[bytes]) -> int:
        """Write whole lines, as many at once as a pipe takes in one piece, and return how many went out.

        Several processes write to one pipe. What is no longer than PIPE_BUF never mixes with what another one
        writes (POSIX, write()); a longer line may.
        """
        done = 0
        while done < len(lines):
            size, end = len(lines[done]), done + 1
            while end < len(lines) and size + len(lines[end]) <= select.PIPE_BUF:
                size, end = size + len(lines[end]), end + 1
            if not self._write_all(b"".join(lines[done:end])):
                return done
            done = end
        return done

    def _write_all(self, data: bytes) -> bool:
        """Write to the file behind the stream; False when it is closed, full or without a reader."""
        rest = b"\n" + data if self._torn else data
        try:
            handle = self._handle()
            if handle is None:
                self._stream.write(rest.decode("utf-8", "replace"))
                self._stream.flush()
                return True
            while rest:
                rest = rest[self._write_some(handle, rest) :]
        except (OSError, ValueError):  # a closed file is a ValueError
            self._torn = len(rest) < len(data)
            return False
        self._torn = False
        return True

    def _handle(self) -> int | None:
        """The stream's file descriptor, asked each time since a test may swap it; None without."""
        try:
            return self._stream.fileno()
        except (OSError, AttributeError):  # a stream in memory
            return None

    @staticmethod
    def _write_some(handle: int, data: bytes) -> int:
        try:
            return os.write(handle, data)
        except BlockingIOError:  # somebody made our end non-blocking: wait for the reader
            select.select([], [handle], [], 1.0)
            return 0

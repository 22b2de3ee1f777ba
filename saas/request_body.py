"""The body of a request: what a client sends wrong is told to the client, and is no fault of ours."""

from __future__ import annotations

from typing import IO, cast

import flask
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.utils import cached_property


class Request(flask.Request):
    """Flask's request, with a stricter stream for JSON and forms alike."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body; reading it raises BadRequest and RequestEntityTooLarge and nothing else."""
        return cast("IO[bytes]", _Body(super().stream, self.content_length is None))


class _Body:
    """A stream that cannot blame us: chunks that are none, a client that goes, too much of all."""

    def __init__(self, stream: IO[bytes], unmeasured: bool) -> None:
        self._stream, self._unmeasured = stream, unmeasured

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes, or all."""
        try:
            data = self._stream.read(size)
            if size < 0 and self._unmeasured and data:
                # Werkzeug cuts a body without a length at the limit and says nothing; asked for more, it does.
                self._stream.read(1)
        except HTTPException:
            raise
        except Exception as error:  # each server has its own errors for a body that it cannot read
            raise BadRequest from error
        return data

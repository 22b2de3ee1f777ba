"""gunicorn's log through ours: `logger_class="config.server_log.ServerLog"`."""

from typing import Any

import structlog
from gunicorn.glogging import Logger

_requests = structlog.get_logger("requests")


class ServerLog(Logger):
    """Keeps gunicorn's levels, but lets `config.log` write its lines."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's own handlers away, so that its records climb to the root logger."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Write one line a request, when `accesslog` is set: without its query, which may hold tokens."""
        if not self.cfg.accesslog:
            return
        answer = {name.lower(): value for name, value in resp.headers}
        _requests.info(
            "request.done",
            log_type="access",
            method=environ.get("REQUEST_METHOD"),
            path=environ.get("PATH_INFO"),
            status=int(str(resp.status).split(maxsplit=1)[0]),
            ms=round(request_time.total_seconds() * 1000, 1),
            bytes=resp.sent,
            ip=environ.get("REMOTE_ADDR"),
            request_id=answer.get("x-request-id"),
        )

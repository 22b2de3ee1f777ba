"""gunicorn's log through ours: give `logger_class=ServerLog`, or "config.server_log.ServerLog"."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):
    """Keeps gunicorn's levels, but lets `config.log` write its lines."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's own handlers away, so that its records climb to the root logger."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True

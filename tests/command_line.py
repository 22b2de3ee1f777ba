"""Running the command line of a house's app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from click.testing import Result

from tests.house import House

Run = Callable[..., Result]


def runner(house: House) -> Run:
    """Run a command line on a house's app; holds that no command ends in a traceback."""

    def run(*args: str, exit_code: int = 0, **options: Any) -> Result:
        result = house.app.test_cli_runner().invoke(args=args, **options)
        assert result.exit_code == exit_code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        return result

    return run

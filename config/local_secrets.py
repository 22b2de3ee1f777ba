"""Secrets for one's own machine: made once in VAR_DIR/secrets.env, found by later processes.

Production never comes here: there the environment gives the secrets or nothing starts.
"""

import fcntl
import os
import secrets
from pathlib import Path

from dotenv import dotenv_values

FILE_NAME = "secrets.env"
_NAMES = ("SECRET_KEY", "PASSWORD_PEPPERS")


def read_or_create(var_dir: Path) -> dict[str, str]:
    """SECRET_KEY and PASSWORD_PEPPERS as the environment would hold them.

    The first caller makes them. A lock on the folder lets processes that start at once find one and
    the same pair, and the file appears whole or not at all. Raises OSError when it cannot.
    """
    path = var_dir / FILE_NAME
    found = _read(path)
    if found is not None:
        return found
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(var_dir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = _read(path)
        if found is None:
            found = {name: secrets.token_urlsafe(48) for name in _NAMES}
            found["PASSWORD_PEPPERS"] = f"local1:{found['PASSWORD_PEPPERS']}"
            _write(path, found)
        return found
    finally:
        os.close(folder)  # which also opens the lock


def _read(path: Path) -> dict[str, str] | None:
    """The secrets of the file; None without a file, OSError when it does not hold both."""
    if not path.exists():
        return None
    values = dotenv_values(path, interpolate=False, encoding="utf-8")
    found = {name: values[name] or "" for name in _NAMES if values.get(name)}
    if len(found) < len(_NAMES):
        raise OSError(f"{path} lacks {' or '.join(set(_NAMES) - set(found))}: mend or remove it")
    return found


def _write(path: Path, values: dict[str, str]) -> None:
    """Write the file aside, readable by its owner alone, and move it into place."""
    aside = path.with_suffix(f".{os.getpid()}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("# Made at the first start, for this machine only. Production has its own.\n")
        file.writelines(f"{name}={value}\n" for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)

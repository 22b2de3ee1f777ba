"""A PgBouncer of our own in transaction mode, in front of one test database, with two connections for each role."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import URL, make_url

from tests.databases import DatabaseMissingError, Urls
from tests.notes import note
from tests.proofs.processes import PATIENCE, free_port
from tests.proofs.proxy import server_of, through

SERVER_CONNECTIONS = 2
PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"

CONFIGURATION = """
[databases]
{name} = {server} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
logfile = {folder}/pgbouncer.log
log_connections = 0
log_disconnections = 0
"""


@contextmanager
def in_front_of(urls: Urls) -> Iterator[Urls]:
    """The tenant's and the system's way through a pooler; raises DatabaseMissingError where there is none."""
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{PLACES}")
    if binary is None:
        note(
            "missing",
            "pgbouncer was not tested: there is no such program (Debian: apt install pgbouncer)",
        )
        raise DatabaseMissingError("there is no program pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="tenantry_t_pgbouncer_"))
    port = free_port()
    try:
        _configure(folder, port, urls)
        with (folder / "said.txt").open("wb") as said:
            command = [binary, *_user(folder), str(folder / "pgbouncer.ini")]
            process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            _wait(port, process, folder)
            tenant, system = through(urls.tenant_url, port), through(urls.system_url, port)
            yield replace(urls, tenant_url=tenant, system_url=system)
        finally:
            process.terminate()
            process.wait(PATIENCE)
    finally:
        shutil.rmtree(folder)


def _configure(folder: Path, port: int, urls: Urls) -> None:
    url = make_url(urls.tenant_url)
    told = CONFIGURATION.format(
        name=url.database, server=_server(url), port=port, folder=folder, size=SERVER_CONNECTIONS
    )
    (folder / "pgbouncer.ini").write_text(told)
    users = [make_url(each) for each in (urls.tenant_url, urls.system_url)]
    (folder / "users.txt").write_text("".join(f'"{u.username}" "{u.password}"\n' for u in users))


def _server(url: URL) -> str:
    server = server_of(url)
    if isinstance(server, str):
        file = Path(server)
        return f"host={file.parent} port={file.suffix[1:]}"
    return f"host={server[0]} port={server[1]}"


def _user(folder: Path) -> list[str]:
    """PgBouncer refuses to run as root, so root hands it and its folder to somebody else."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            for path in (folder, *folder.iterdir()):
                os.chown(path, entry.pw_uid, entry.pw_gid)
            return ["-u", name]
    return []


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"pgbouncer did not come up: {(folder / 'said.txt').read_text()[-2000:]}")

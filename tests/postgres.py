"""A private PostgreSQL server for tests: on a Unix socket in a folder of its own, gone when they are over."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

__all__ = ["NoServer", "Server", "running"]

_USERS = ("postgres", "nobody")
"""Who runs the server where the tests run as root, which it refuses."""
_SETTINGS = ("listen_addresses=", "fsync=off", "shared_buffers=16MB", "log_min_messages=fatal")
"""Without fsync a killed server still keeps what it has committed; only a machine that fails would lose it."""
_numbers = count(1)


class NoServer(Exception):
    """There can be no server here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of our own."""

    programs: Path
    """Folder of its programs."""
    folder: Path
    """Of its data and its socket."""
    user: str | None
    """Who it runs as; None: who runs the tests."""

    def create(self) -> None:
        """Make its files."""
        self._run("initdb", "-D", "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = " ".join(f"-c {one}" for one in (*_SETTINGS, f"unix_socket_directories={self.folder}"))
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", settings)

    def kill(self) -> None:
        """Stop it as a crash would: connections are cut, nothing is finished."""
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "immediate")

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    def new_database(self) -> str:
        """Make an empty database and return how to connect to it."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self._connection("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._connection(name)

    def _connection(self, database: str) -> str:
        return f"host={self.folder} user=tests dbname={database}"

    def _run(self, program: str, *arguments: str) -> None:
        # Into a file: the server inherits its output, and a pipe would never end.
        with (self.folder / "output").open("wb") as output:
            done = subprocess.run(
                [self.programs / program, *arguments],
                cwd=self.folder,
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user is not None else None,
                extra_groups=[] if self.user is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
            )
        if done.returncode:
            logs = [one for one in (self.folder / "output", self.folder / "log") if one.exists()]
            said = " ".join(" ".join(one.read_text(errors="replace").split()) for one in logs)
            raise NoServer(f"{program} failed: {said[-500:]}")


@contextmanager
def running() -> Generator[Server]:
    """Make and start a server; end it afterwards, and delete all of it.

    Raises:
        NoServer: There can be none.
    """
    programs, user = _programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="goalgraph-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = Server(programs=programs, folder=folder, user=user)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise NoServer("there is no initdb with pg_ctl and postgres beside it, on PATH or in /usr/lib/postgresql")


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    for user in _USERS:
        if user in known:
            return user
    raise NoServer(f"a server does not run as root, and there is none of the users {', '.join(_USERS)}")

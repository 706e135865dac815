"""Waking the workers of a database: an empty datagram, or a NOTIFY.

Nothing is lost where it does not arrive; a worker looks by itself after a while. Beside an SQLite
file each worker has a datagram socket, whose name ends with its process number; on PostgreSQL all
of them LISTEN.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from glob import escape
from pathlib import Path
from threading import Event, Thread
from typing import Final

from sqlalchemy import text

from headend.console.calling import clear_away, is_socket, numbered
from headend.store.connection import Connection
from headend.store.url import DatabaseUrl

_CHANNEL: Final = "prepay_commands"
#: Seconds after which the listening thread looks whether it is to end.
_PATIENCE: Final = 0.5
#: The longest name that a socket may have in a file system (Linux: sun_path has 108 octets).
_LONGEST: Final = 104


def _directory(url: DatabaseUrl) -> Path | None:
    """Return the path before which the names of sockets begin; None where there is no file."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database).absolute()


def wake(url: DatabaseUrl) -> None:
    """Wake up whoever waits beside an SQLite file; nobody may be there."""
    beside = _directory(url)
    if beside is None:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.setblocking(False)
        for path in beside.parent.glob(f"{escape(beside.name)}.wake.*"):
            if not numbered(path.name, f"{beside.name}.wake."):
                continue
            try:
                ours.sendto(b"", str(path))
            except ConnectionRefusedError:  # its process was killed
                clear_away(path)
            except OSError:  # gone, or it has enough to wake it already
                continue


def wake_with(db: Connection) -> None:
    """Wake up whoever listens to a PostgreSQL database, once this transaction is committed."""
    if db.dialect.name == "postgresql":
        db.execute(text(f"NOTIFY {_CHANNEL}"))


class Listener:
    """Calls a function whenever somebody wakes the workers of a database.

    Args:
        url: of the database.
        woken: is called from a thread of its own.
    """

    def __init__(self, url: DatabaseUrl, woken: Callable[[], None]) -> None:
        self._woken = woken
        self._stop = Event()
        self._path: Path | None = None
        served = url.get_backend_name() == "postgresql"
        target = self._notices(url) if served else self._datagrams(url)
        self._thread = None
        if target is not None:
            self._thread = Thread(target=target, name="wake", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * _PATIENCE)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _datagrams(self, url: DatabaseUrl) -> Callable[[], None] | None:
        beside = _directory(url)
        if beside is None:
            return None
        path = beside.with_name(f"{beside.name}.wake.{os.getpid()}")
        if len(os.fsencode(path)) > _LONGEST:
            return None  # it looks by itself
        if is_socket(path):  # of a process of the same number that died
            path.unlink(missing_ok=True)
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ours.bind(str(path))
        except OSError:  # a file system that knows no sockets, or a user's file of that name
            ours.close()
            return None
        path.chmod(0o600)
        self._path = path
        ours.settimeout(_PATIENCE)

        def listen() -> None:
            with ours:
                while not self._stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        ours.recv(1)
                        self._woken()

        return listen

    def _notices(self, url: DatabaseUrl) -> Callable[[], None]:
        plain = url.whole.set(drivername="postgresql").render_as_string(hide_password=False)

        def listen() -> None:
            while not self._stop.is_set():
                self._listen_once(plain)
                self._stop.wait(_PATIENCE)

        return listen

    def _listen_once(self, url: str) -> None:
        """Listen until told to stop, or until the connection breaks."""
        import psycopg  # only where it is PostgreSQL

        with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as db:
            db.execute(f"LISTEN {_CHANNEL}")
            while not self._stop.is_set():
                for _ in db.notifies(timeout=_PATIENCE, stop_after=1):
                    self._woken()

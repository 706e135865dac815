"""Copies of a whole database: taken while it is in use, and brought back.

SQLite by its own online backup, PostgreSQL by ``pg_dump`` and ``pg_restore``.

A copy that is brought back is older than the meters. Two things must not be taken from it as they
are. Its invocation counters have been used since, and a nonce of GCM never twice: so the system
title, which is the other part of every nonce, is drawn anew. And a central meter may hold a newer
snapshot than the copy knows of: ``headend.adopting``.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import delete, select

from headend.errors import Refused, UsageError
from headend.store import dialects, schema
from headend.store.opening import Store, StoreError
from headend.store.url import DatabaseUrl

#: How long pg_dump and pg_restore may take.
_SECONDS: Final = 24 * 3600
#: How a file begins that pg_dump made, and one of SQLite.
_DUMP, _SQLITE = b"PGDMP", b"SQLite format 3\0"


def backup(store: Store, path: Path) -> int:
    """Write a copy of a database that may be in use; nobody waits for it for long.

    Returns:
        Octets of the copy.

    Raises:
        UsageError: the file is there already, or the database is gone with its process.
        Refused: it cannot be written, or PostgreSQL's programs are not there.
    """
    if path.exists():
        raise UsageError(f"{path} is there already: a backup overwrites nothing")
    half = path.with_name(f"{path.name}.part")
    try:
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        if store.url.get_backend_name() == "postgresql":
            _run("pg_dump", store.url, "--format=custom", "--no-owner", f"--file={half}")
        else:
            _copy(_file(store.url), half)
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.rename(path)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            half.unlink()
    return path.stat().st_size


def restore(url: DatabaseUrl, path: Path, *, overwrite: bool) -> None:
    """Bring a copy back; all of it, or nothing is changed.

    Raises:
        UsageError: the file is no backup of such a database.
        Refused: there are meters in the database already, or a worker has it; or it failed.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(16)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    server = url.get_backend_name() == "postgresql"
    if not beginning.startswith(_DUMP if server else _SQLITE):
        kind = "PostgreSQL" if server else "SQLite"
        raise UsageError(f"{path} is no backup of a {kind} database of this program")
    _check_unused(url, overwrite=overwrite)
    if server:
        words = ["--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error"]
        _run("pg_restore", url, *words, str(path))
    else:
        try:
            Store(str(_as_temporary(path, url))).close()  # it is ours, and whole
            _copy(_temporary(url), _file(url))
        finally:
            _temporary(url).unlink(missing_ok=True)
    store = Store(url.render_as_string(hide_password=False))
    try:
        with store.begin() as db:
            db.execute(delete(schema.settings).where(schema.settings.c.name == "system_title"))
    finally:
        store.close()


def _check_unused(url: DatabaseUrl, *, overwrite: bool) -> None:
    """Refuse to take a database from under somebody."""
    if url.get_backend_name() == "sqlite" and not _file(url).exists():
        return
    try:
        store = Store(url.render_as_string(hide_password=False))
    except StoreError:
        if overwrite:
            return  # what cannot even be opened is what a backup is for
        raise
    try:
        with store.read() as db:
            meters = db.scalar(select(schema.meters.c.id).limit(1))
            workers = db.scalars(select(schema.workers.c.executor)).all()
        for executor in workers:
            if store.locks.alive(executor):
                raise Refused(f"worker {executor} has this database: stop it first")
        if meters is not None and not overwrite:
            raise Refused("there are meters in this database: --overwrite gives up what it has")
    finally:
        store.close()


def _file(url: DatabaseUrl) -> Path:
    if dialects.in_memory(url):
        raise UsageError("a database in memory is gone with its process: give --db")
    return Path(str(url.database))


def _temporary(url: DatabaseUrl) -> Path:
    file = _file(url)
    return file.with_name(f"{file.name}.restoring")


def _as_temporary(path: Path, url: DatabaseUrl) -> Path:
    """Return a copy beside the database, to be looked at and brought up to date first."""
    try:
        shutil.copyfile(path, _temporary(url))
    except OSError as error:
        raise Refused(f"cannot write beside {_file(url)}: {error.strerror}") from error
    with closing(sqlite3.connect(_temporary(url))) as copy:
        try:
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise UsageError(f"{path} is damaged: {found}")
    return _temporary(url)


def _copy(source: Path, target: Path) -> None:
    """Copy one database into another, in one transaction of the other's.

    Raises:
        Refused: one of them cannot be used, or the disk is full.
    """
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            new.execute(f"PRAGMA busy_timeout={dialects.PATIENCE_MS}")
            old.backup(new)
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise Refused(f"cannot copy {source} to {target}: {error}") from error


def _run(program: str, url: DatabaseUrl, *words: str) -> None:
    """Run one of PostgreSQL's programs on a database; the password is not on its command line.

    Raises:
        Refused: it is not there, or it failed.
    """
    found = shutil.which(program)
    if found is None:
        raise Refused(f"{program} is not on this machine: it comes with PostgreSQL's client")
    asked = url.whole.translate_connect_args(username="user", database="dbname")
    password = asked.pop("password", None)
    asked["username"] = asked.pop("user", None)
    target = [f"--{name}={value}" for name, value in asked.items() if value is not None]
    environment = os.environ | ({"PGPASSWORD": str(password)} if password is not None else {})
    if program == "pg_dump":
        environment["PGOPTIONS"] = f"-c lock_timeout={dialects.PATIENCE_MS}"
    done = subprocess.run(
        [found, "--no-password", *target, *words],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Refused(f"{lines[0]}: nothing was changed")

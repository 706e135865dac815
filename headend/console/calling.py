"""Queueing by way of a worker that runs on this machine: what the command line says to its desk.

To write a row a process has to import the database, which takes longer than to carry the command
out. A worker has all of that; so whoever queues asks it first (``headend.engine.desk``), through a
stream socket that is the user's own: beside an SQLite file, or in the user's folder of sockets for
a database on a server.

The caller says one line of JSON, ``{"spoken": 2, "draw": ID, "name": "topup", ...}``, and hears one
line once the row is committed, and another one when the command is over, if it waits for that.
It draws the row's id. So whatever becomes of the worker or the line meanwhile, the caller goes on
by itself under the same id (``headend.engine.ordering``), and finds what was written or writes it.
"""

import json
import os
import re
import socket
import stat
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from headend.context import Context, default_database
from headend.errors import ExitCode, HeadendError, StillQueued, UsageError
from headend.report import Report

#: Changed whenever what is said changes: who says another one is not understood.
SPOKEN: Final = 2
#: Octets of the longest line that is said to a desk: parameters of the greatest length, escaped.
LONGEST: Final = 1 << 19
#: Octets of the longest that is answered: the longest report that is kept, escaped.
_LONGEST_ANSWER: Final = 8 << 20
#: The longest name that a socket may have in a file system (Linux: sun_path has 108 octets).
LONGEST_NAME: Final = 104
#: Seconds that a desk has to write the row, or may be silent while it is waited for.
_PATIENCE: Final = 15.0
#: The number of a process, at the end of a socket's name.
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_SQLITE: Final = re.compile(r"sqlite:///([^?]+)")
_SERVED: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://(?:([^:/@]*)(?::[^@]*)?@)?([^@]*)")


# --- where -------------------------------------------------------------------------------------


def place(db: str | None) -> Path | None:
    """Return what the names of the sockets for a database begin with; None where there are none.

    Args:
        db: the database as it was given; None is the user's own.
    """
    text = str(default_database()) if db is None else db
    found = _SQLITE.fullmatch(text)
    if "://" not in text or found:
        path = found[1] if found else text
        if path == ":memory:" or not path:
            return None
        with suppress(OSError, ValueError, RuntimeError):  # no path, or links that go in circles
            real = Path(path).resolve()
            return real.with_name(f"{real.name}.desk.")
        return None
    served = _SERVED.fullmatch(text)
    folder = _own_folder()
    if served is None or folder is None or "password" in served[2]:
        return None
    from hashlib import sha256  # only for a database on a server

    # libpq looks into the environment for whatever a URL leaves open.
    open_ends = sorted(f"{n}={v}" for n, v in os.environ.items() if _counts(n))
    whole = "\n".join([served[1] or "", served[2], *open_ends])
    return folder / f"{sha256(whole.encode(errors='replace')).hexdigest()[:24]}.desk."


def _counts(name: str) -> bool:
    return name.startswith("PG") and name != "PGPASSWORD"


def _own_folder() -> Path | None:
    """Return the folder of the user's sockets, made if need be; None where it is not his alone."""
    if not hasattr(os, "geteuid"):
        return None
    given = os.environ.get("XDG_RUNTIME_DIR")
    above, name = (given, "openprepay") if given else ("/tmp", f"openprepay-{os.geteuid()}")
    folder = Path(above, name)
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & 0o077
        ):
            return folder
    return None


def same_user(line: socket.socket) -> bool:
    """Say whether who is at the other end is who runs this; True where only the file can tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, user, _ = struct.unpack("iII", line.getsockopt(socket.SOL_SOCKET, option, 12))
    return bool(user == os.geteuid())


def is_socket(path: Path) -> bool:
    """Say whether a socket stands at a path; a link to one is none."""
    with suppress(OSError):
        return stat.S_ISSOCK(path.lstat().st_mode)
    return False


def numbered(name: str, beginning: str) -> bool:
    """Say whether a name is a beginning and the number of a process: others are a user's files."""
    return name.startswith(beginning) and bool(_NUMBER.fullmatch(name, len(beginning)))


def clear_away(path: Path) -> None:
    """Remove the socket at which nobody answers, if the process of its number is gone."""
    if not is_socket(path):
        return
    try:
        os.kill(int(path.name.rpartition(".")[2]), 0)  # 0 asks only whether it is there
    except ProcessLookupError:
        with suppress(OSError):
            path.unlink()
    except (OSError, OverflowError):
        pass  # another user's, or no number that a process can have


def identity_of(db: str | None) -> list[int]:
    """Return what tells an SQLite file from another one of its name; empty on a server."""
    with suppress(OSError, ValueError):
        if db is None or "://" not in db or _SQLITE.fullmatch(db):
            found = _SQLITE.fullmatch(db or "")
            known = Path(found[1] if found else db or default_database()).stat()
            return [known.st_dev, known.st_ino]
    return []


# --- what is said ------------------------------------------------------------------------------


class Told(HeadendError):
    """What a worker said of a command that was not queued, or is not done.

    Args:
        message: as the error has it there.
        exit_code, details: of it.
    """

    def __init__(self, message: str, exit_code: int, details: Mapping[str, str]) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)  # type: ignore[misc] # each one's own
        self.details = dict(details)


class _Silence(Exception):
    """Nobody answers, or not what a desk of ours would; no fault of the user's."""


class Call:
    """A command that is queued by way of a worker on this machine.

    Args:
        context: the run of the command.
        name: of the command.
        parameters: as click made them.
        asked: values of ``cli.QUEUEING`` that were given.
    """

    def __init__(
        self, context: Context, name: str, parameters: Mapping[str, Any], asked: Mapping[str, Any]
    ) -> None:
        self._context = context
        self._name = name
        self._parameters = parameters
        self._asked = dict(asked)
        self._begun = time.monotonic()
        #: The id under which a worker may have queued it; None: nobody was asked.
        self.drawn: str | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What is still asked for, once some of the wait is over."""
        if not isinstance(self._asked.get("wait"), float) or self.drawn is None:
            return self._asked
        over = time.monotonic() - self._begun
        return {**self._asked, "wait": max(0.0, self._asked["wait"] - over)}

    def report(self) -> Report | None:
        """Return what became of it; None where nobody is there who could say.

        Raises:
            Told: it was refused, or it is not done.
            StillQueued: somebody has interrupted this.
        """
        said = self._said()
        line = None if said is None else _connected(self._context.chosen.db)
        if line is None or said is None:
            return None
        with line, suppress(_Silence, OSError):
            return self._heard(line, said)
        return None

    def _said(self) -> dict[str, Any] | None:
        """Return what is to be said; None for what a worker cannot judge in our place."""
        chosen, asked = self._context.chosen, self._asked
        if not asked.get("queue") or asked.get("dry_run") or not chosen.meter:
            return None
        if not self._context.from_outside:
            return None  # a database that is open here
        moments = (asked.get("not_before"), asked.get("not_after"))
        if not all(each is None or each.startswith("+") for each in moments):
            return None  # it may be by our own time zone
        from headend.engine.arguments import IDENTITY, durable, freeze
        from prepay.transactions import transaction_id

        try:
            arguments = freeze(durable(self._name), self._parameters)
        except UsageError:
            return None  # which is said in its turn, after what else is wrong
        identity = self._parameters.get(IDENTITY)
        terms = ("not_before", "not_after", "priority", "idempotency_key")
        wait = asked.get("wait")
        return {
            "spoken": SPOKEN,
            "file": identity_of(chosen.db),
            "draw": transaction_id(self._context.now(), self._context.entropy(10)).hex(),
            "name": self._name,
            "arguments": arguments,
            "identity": None if identity is None else str(identity),
            "meter": chosen.meter,
            "given": sorted(chosen.given),
            "terms": {name: asked[name] for name in terms if asked.get(name) is not None},
            "caller": self._context.caller,
            "waits": wait is not None,
            "seconds": None if wait in (None, float("inf")) else float(wait),
        }

    def _heard(self, line: socket.socket, said: Mapping[str, Any]) -> Report:
        spoken = json.dumps(said).encode() + b"\n"
        if len(spoken) > LONGEST:
            raise _Silence
        line.settimeout(_PATIENCE)
        self.drawn = said["draw"]
        command, meter, sure = said["draw"], said["meter"], False
        try:
            line.sendall(spoken)
            with line.makefile("rb") as answers:
                queued = _understood(answers.readline(_LONGEST_ANSWER))
                if not said["waits"]:
                    return queued
                command, sure = str(queued.data["command"]), True  # or the one of its key
                while (answer := answers.readline(_LONGEST_ANSWER)) == b"\n":
                    continue  # it is not over; somebody is there
                return _understood(answer)
        except KeyboardInterrupt:
            raise StillQueued(command, meter, sure=sure) from None


def _understood(line: bytes) -> Report:
    """Return the report in an answer.

    Raises:
        _Silence: it is no answer, or the desk says that it is not meant.
        Told: it is an error.
    """
    try:
        answer = json.loads(line)
        if "report" in answer:
            return Report(**answer["report"])
        raise Told(str(answer["error"]), answer["exit_code"], answer.get("details", {}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Silence from error


def _connected(db: str | None) -> socket.socket | None:
    """Return a line to a worker of the same user on a database; None where none listens."""
    beside = place(db)
    if beside is None or not hasattr(socket, "AF_UNIX"):
        return None
    names: list[str] = []
    with suppress(OSError):
        names = [n for n in os.listdir(beside.parent) if numbered(n, beside.name)]
    for name in sorted(names):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(_PATIENCE)
            line.connect(str(beside.with_name(name)))
            if same_user(line):
                return line
        except ConnectionRefusedError:  # its process was killed
            clear_away(beside.with_name(name))
        except OSError:  # somebody else's, or it has enough to do
            pass
        line.close()
    return None

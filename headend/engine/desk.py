"""The desk of a worker: queues what the command lines of its user's own machine ask for.

What it does is what ``headend.engine.ordering`` does in any process, in this one, where all of it
is imported and the database is open; what is said is told in ``headend.console.calling``. Each
caller has a thread. Who does not say a whole line in time, says too long a one, or one that is
none, hears why and is let go; one that is of another user hears nothing.
"""

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from headend.console.calling import (
    LONGEST,
    LONGEST_NAME,
    SPOKEN,
    identity_of,
    is_socket,
    place,
    same_user,
)
from headend.context import Context, Settings
from headend.engine import ordering
from headend.engine.answers import as_json
from headend.engine.arguments import IDENTITY
from headend.engine.queueing import wait
from headend.errors import ExitCode, HeadendError
from headend.report import Report
from headend.store.commands import Command
from protocol.errors import ProtocolError

#: Callers at a time; one more is let go, and queues by itself.
_MOST: Final = 64
#: Seconds in which a caller has to say his line, and to take an answer.
_PATIENCE: Final = 5.0
#: Seconds from one look to the next at a command that is waited for: it may end elsewhere.
_LOOK: Final = 1.0
#: Seconds after which the desk looks whether it, or a caller's line, is closed.
_BREATH: Final = 0.25
#: Exit code of what is no fault of a user's: a caller of ours goes on by himself.
_ELSEWHERE: Final = -1


class _Misspoken(ValueError):
    """What was said is no line of ours; the message says why."""


class _Gone(Exception):
    """The caller has hung up, or the desk closes."""


class _Asked(Struct, frozen=True):
    """What a caller asks for; see ``headend.console.calling``.

    Args:
        draw: id of the row.
        name, arguments, identity: the command, its parameters in JSON's types, and its id.
        meter, given: of the caller's settings.
        terms: of ``cli.QUEUEING``, as they were given.
        caller: who it is for.
        waits, seconds: whether it is waited for, and for how long at most; None is for ever.
    """

    draw: str
    name: str
    arguments: Mapping[str, Any]
    identity: str | None
    meter: str
    given: frozenset[str]
    terms: Mapping[str, Any]
    caller: str
    waits: bool
    seconds: float | None


class Desk:
    """Listens until it is closed.

    Args:
        context: of the worker: its database is written to.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._file = identity_of(context.chosen.db)
        self._closing = threading.Event()
        self._room = threading.BoundedSemaphore(_MOST)
        self._guard = threading.Lock()
        self._bells: dict[str, threading.Event] = {}
        self._path: Path | None = None
        self._thread: threading.Thread | None = None
        self._open()

    def _open(self) -> None:
        beside = place(self._context.chosen.db)
        if beside is None or not hasattr(socket, "AF_UNIX"):
            return
        path = beside.with_name(f"{beside.name}{os.getpid()}")
        if len(os.fsencode(path)) > LONGEST_NAME:
            return  # callers queue by themselves
        aside = path.with_name(f"~{path.name[1:]}")  # as long, and looked for by nobody
        if is_socket(aside):  # of a process of the same number that died
            aside.unlink(missing_ok=True)
        if path.exists() and not is_socket(path):
            return  # a user's file of that name
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            ours.bind(str(aside))
            aside.chmod(0o600)
            ours.listen(_MOST)
            aside.rename(path)  # whoever finds it is heard
        except OSError:  # a file system that knows no sockets
            ours.close()
            return
        self._path = path
        ours.settimeout(_BREATH)
        self._thread = threading.Thread(target=self._listen, args=(ours,), name="desk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; who still waits looks for himself."""
        self._closing.set()
        with self._guard:
            for bell in self._bells.values():
                bell.set()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        until = time.monotonic() + 4 * _BREATH
        if self._thread is not None:
            self._thread.join(4 * _BREATH)
        for _ in range(_MOST):  # until nobody is served any more
            self._room.acquire(timeout=max(0.0, until - time.monotonic()))

    def told(self, event: str, command: Command) -> None:
        """Look at once at a command that somebody waits for; from any thread."""
        if event == "ended":
            with self._guard:
                bell = self._bells.get(command.id)
            if bell is not None:
                bell.set()

    def _listen(self, ours: socket.socket) -> None:
        with ours:
            while not self._closing.is_set():
                try:
                    line, _ = ours.accept()
                except TimeoutError:
                    continue
                except OSError:  # no more files can be open just now
                    self._closing.wait(_BREATH)
                    continue
                if not same_user(line) or not self._room.acquire(blocking=False):
                    line.close()
                    continue
                serving = threading.Thread(
                    target=self._serve, args=(line,), name="desk caller", daemon=True
                )
                serving.start()

    def _serve(self, line: socket.socket) -> None:
        try:
            with line, suppress(_Gone, OSError):
                for answer in self._answers(line):
                    line.settimeout(_PATIENCE)
                    line.sendall(json.dumps(answer).encode() + b"\n")
        finally:
            self._room.release()

    def _answers(self, line: socket.socket) -> Iterator[dict[str, Any]]:
        """Give what a caller is to hear, one after the other."""
        try:
            yield from self._carried_out(line, _understood(_heard(line), self._file))
        except _Misspoken as error:
            yield {"error": f"the desk: {error}", "exit_code": _ELSEWHERE}
        except HeadendError as error:
            code, details = int(error.exit_code), dict(error.details)
            yield {"error": str(error), "exit_code": code, "details": details}
        except ProtocolError as error:
            yield {"error": str(error), "exit_code": int(ExitCode.REFUSED)}

    def _carried_out(self, line: socket.socket, asked: _Asked) -> Iterator[dict[str, Any]]:
        context = Context(
            Settings(meter=asked.meter, given=asked.given),
            entropy=self._context.entropy,
            store=self._context.store,
        )
        with self._bell(asked.draw) as bell:
            placed = ordering.placed(
                context,
                asked.name,
                {**asked.arguments, IDENTITY: asked.identity},
                {"queue": True, **asked.terms},
                drawn=asked.draw,
                caller=asked.caller,
            )
            yield _answer(ordering.queued(placed))
            if asked.waits:
                pause = self._pause(line, bell, asked.seconds)
                over = wait(context, placed.command.id, asked.seconds, pause)
                yield _answer(ordering.ended(over, again=placed.again))

    def _pause(
        self, line: socket.socket, bell: threading.Event, seconds: float | None
    ) -> Callable[[float], None]:
        """Return what waits for a command to end, or to be looked at, or for the wait's end."""
        end = float("inf") if seconds is None else time.monotonic() + seconds

        def pause(_seconds: float) -> None:
            until = min(time.monotonic() + _LOOK, end)
            rung = False
            while not rung and (left := until - time.monotonic()) > 0:
                rung = bell.wait(min(left, _BREATH))
                if self._closing.is_set() or _hung_up(line):
                    raise _Gone
            bell.clear()
            if not rung and time.monotonic() < end:
                line.sendall(b"\n")  # by which the caller hears that somebody is there

        return pause

    @contextmanager
    def _bell(self, command_id: str) -> Iterator[threading.Event]:
        bell = threading.Event()
        with self._guard:
            self._bells[command_id] = bell
        try:
            yield bell
        finally:
            with self._guard:
                if self._bells.get(command_id) is bell:
                    del self._bells[command_id]


# --- what is said ------------------------------------------------------------------------------


def _heard(line: socket.socket) -> bytes:
    """Return the line that a caller says.

    Raises:
        _Misspoken: it is too long, or not there in time.
        _Gone: the caller hung up in the middle.
    """
    until = time.monotonic() + _PATIENCE
    said = bytearray()
    while not said.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0:
            raise _Misspoken("no line came in time")
        line.settimeout(left)
        try:
            more = line.recv(65_536)
        except TimeoutError:
            continue
        if not more:
            raise _Gone
        said += more
        if len(said) > LONGEST:
            raise _Misspoken(f"a line has at most {LONGEST} octets")
    return bytes(said)


def _hung_up(line: socket.socket) -> bool:
    readable, _, _ = select.select([line], [], [], 0)
    try:
        return bool(readable) and not line.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _understood(said: bytes, file: list[int]) -> _Asked:
    """Return what a line asks for.

    Raises:
        _Misspoken: it is no line of this version, or about another database.
    """
    try:
        found = json.loads(said)
        json.dumps(found, ensure_ascii=False).encode()  # what is half a character is no text
    except (ValueError, RecursionError):
        raise _Misspoken("a line is JSON") from None
    if not isinstance(found, dict) or found.pop("spoken", None) != SPOKEN:
        raise _Misspoken(f"only version {SPOKEN} is spoken here")
    if found.pop("file", None) != file:
        raise _Misspoken("it is about another file of that name")
    for name, fits in _FITS.items():
        if name not in found or not fits(found[name]):
            raise _Misspoken(f"{name} is missing, or is none")
    if len(found) > len(_FITS):
        raise _Misspoken("there is more than is known here")
    return _Asked(**{**found, "given": frozenset(found["given"])})


def _answer(report: Report) -> dict[str, Any]:
    return {"report": as_json(report)}


def _text(value: Any, most: int = 128) -> bool:
    return isinstance(value, str) and len(value) <= most


def _terms(value: Any) -> bool:
    """Say whether these are terms of ``ordering``; whether they can be kept is judged there."""
    texts = ("not_before", "not_after", "idempotency_key")
    return isinstance(value, dict) and all(
        type(each) is int if name == "priority" else name in texts and isinstance(each, str)
        for name, each in value.items()
    )


#: Seconds that a caller waits at the longest (30 years); who wants more waits by himself.
_LONGEST_WAIT: Final = 1e9
_FITS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "draw": lambda v: _text(v, 32) and len(v) == 32 and set(v) <= set("0123456789abcdef"),
    "name": _text,
    "arguments": lambda v: isinstance(v, dict) and IDENTITY not in v,
    "identity": lambda v: v is None or isinstance(v, str),
    "meter": lambda v: isinstance(v, str) and v != "",
    "given": lambda v: isinstance(v, list) and all(_text(each) for each in v),
    "terms": _terms,
    "caller": lambda v: _text(v, 64),
    "waits": lambda v: isinstance(v, bool),
    "seconds": lambda v: v is None or (type(v) in (int, float) and 0 <= v <= _LONGEST_WAIT),
}

"""``prepay`` with its points of danger wired: at each of them it says where it is, and waits.

Run as ``python -m tests.kill.armed serve ...``. It is the program itself, with a call put around
five of its functions; the program knows nothing of it, so it costs nothing where it is not wanted.
Everything is imported first and then a line on standard input is awaited: a worker that was
killed is replaced at once by one that stood ready.

| point | what has happened, and what has not |
|---|---|
| before send | booked and marked as sent; no octet of the order is out |
| after send | the order is out; its answer has not been read |
| after the meter's commit | the answer has been read; nothing of it is written down |
| before the row's end | the books know the outcome; the command's row does not |
| before the checkpoint | the row is final; the engine still holds the attempt to be running |
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from headend.commands import topup
from headend.device import Device
from headend.engine import durable, service  # what a worker needs
from headend.engine.attempt import Attempts
from headend.transports.tcp import TcpTransport
from tests.kill.plan import BARRIER

POINTS: Final = (
    "before send",
    "after send",
    "after the meter's commit",
    "before the row's end",
    "before the checkpoint",
)
_BEFORE_SEND, _AFTER_SEND, _AFTER_COMMIT, _BEFORE_ROW, _BEFORE_CHECKPOINT = POINTS
_Any = Callable[..., Any]
_own = threading.local()


def reach(point: str) -> None:
    """Say that a point is reached, and wait until told to go on; alone, go on at once."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(os.environ[BARRIER])
            line.sendall(f"{os.getpid()} {point}\n".encode())
            line.recv(1)
        except OSError:
            return  # the campaign is over


def arm() -> None:
    """Put the points around the functions that they are of."""
    _wrap(Device, "order", _ordering)
    _wrap(Device, "enter_token", _ordering)
    _wrap(TcpTransport, "write", _writing)
    _wrap(Attempts, "_end", _ending)
    _wrap(Attempts, "run", _running)


def _wrap(owner: type, name: str, around: Callable[[_Any], _Any]) -> None:
    setattr(owner, name, around(getattr(owner, name)))


def _ordering(real: _Any) -> _Any:
    @wraps(real)
    def order(*args: Any) -> Any:
        reach(_BEFORE_SEND)
        _own.sending = True
        try:
            answer = real(*args)
        finally:
            _own.sending = False
        reach(_AFTER_COMMIT)
        return answer

    return order


def _writing(real: _Any) -> _Any:
    @wraps(real)
    def write(*args: Any) -> Any:
        done = real(*args)
        if getattr(_own, "sending", False):
            _own.sending = False
            reach(_AFTER_SEND)
        return done

    return write


def _ending(real: _Any) -> _Any:
    @wraps(real)
    def end(*args: Any) -> Any:
        reach(_BEFORE_ROW)
        return real(*args)

    return end


def _running(real: _Any) -> _Any:
    @wraps(real)
    def run(*args: Any) -> Any:
        done = real(*args)
        reach(_BEFORE_CHECKPOINT)
        return done

    return run


def main() -> None:
    """Stand ready, and be ``prepay`` once there is a line on standard input."""
    from headend.cli import main as prepay

    assert durable
    assert service
    assert topup
    arm()
    if not sys.stdin.readline():
        return
    prepay(sys.argv[1:])


if __name__ == "__main__":
    main()

"""``pty:LINK``: HDLC on a pseudo-terminal, whose slave end the symbolic link LINK names.

The slave end stays open here as well, so that the master never reads EIO when a client leaves:
like on a real serial line, the meter is not told who listens.
"""

import hashlib
import os
import socket
import tty
from pathlib import Path
from selectors import BaseSelector

from meter_fw.board import PortId, PortKind
from sim.ports.base import PortError, PortSpecError
from sim.ports.fixed import FixedLine
from sim.ports.stream import Stream

SCHEME = "pty"
FORM = "pty:LINK"
SUMMARY = "HDLC on a pseudo-terminal; LINK is made to point at it"


class PtyPort(FixedLine):
    """A pseudo-terminal with one line, there from the start.

    Args:
        link: the path at which clients find the terminal.
        selector: the world's.
        kind: what is spoken on it.
        client: the scheme by which clients name it.

    Raises:
        PortError: the path is taken by something else, or by a running simulator.
    """

    def __init__(
        self,
        link: str,
        selector: BaseSelector,
        kind: PortKind = PortKind.HDLC,
        client: str = "serial",
    ) -> None:
        self._link = Path(link)
        self._client = client
        self._claim = _claim(self._link)
        self._closed = False
        self._master, self._slave = os.openpty()
        try:
            tty.setraw(self._slave)
            self._terminal = os.ttyname(self._slave)
            _point(self._link, self._terminal)
        except BaseException:  # whatever it was: the terminal is given back
            self._release()
            raise
        os.set_blocking(self._master, False)
        stream = Stream(self._master, selector, keep_on_overflow=True)
        super().__init__(PortId(f"pty:{link}"), kind, stream)

    @property
    def client_spec(self) -> str:
        """The scheme, ``serial:`` for instance, and the link as it was given."""
        return f"{self._client}:{self._line.removeprefix('pty:')}"

    def close(self) -> None:
        """Close both ends and remove the link, if it is still ours."""
        if not self._closed:
            self._closed = True
            self._stream.end()
            if _target(self._link) == self._terminal:
                self._link.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        os.close(self._master)
        os.close(self._slave)
        self._claim.close()


def open_port(rest: str, selector: BaseSelector) -> PtyPort:
    """Open the port that ``pty:`` and ``rest`` name.

    Raises:
        PortSpecError: no path is given.
        PortError: the path cannot be used.
    """
    if not rest:
        raise PortSpecError("pty: needs the path of a link, as in pty:./meter0")
    return PtyPort(rest, selector)


def _claim(link: Path) -> socket.socket:
    """Hold the link's name for as long as this process lives, kill -9 included.

    A link left behind by a killed simulator may by now point at a terminal that belongs to
    somebody else, so its target cannot say whether it is in use. An abstract socket of Linux
    can: it goes with its process and leaves nothing behind.
    """
    name = hashlib.sha256(os.fsencode(link.parent.resolve() / link.name)).hexdigest()
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0prepay-sim/pty/{name}")
    except OSError as error:
        claim.close()
        raise PortError(f"{link} is in use by another prepay-sim") from error
    return claim


def _point(link: Path, terminal: str) -> None:
    target = _target(link)
    if link.exists() and not (target or "").startswith("/dev/pts/"):
        raise PortError(f"{link} exists and is no link to a terminal; name another")
    try:
        if target is not None:  # left behind by a simulator that was killed
            link.unlink()
        link.symlink_to(terminal)
    except OSError as error:
        raise PortError(f"cannot make the link {link}: {error.strerror}") from error


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None

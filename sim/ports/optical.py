"""``optical:PATH``: a meter's local port (IEC 62056-21), on a pseudo-terminal or a serial port.

Where PATH is a serial port, it is opened, and a reading head on it makes this machine a meter; its
rate changes as the session wants. Anything else is a pseudo-terminal that PATH is made to point
at, on which rates are only noted. Both carry eight bits; the parity is the meter's business.
"""

import os
import stat
from selectors import BaseSelector

import serial

from meter_fw.board import PortId, PortKind
from protocol.iec21.characters import INITIAL_BAUD
from sim.ports.base import PortError, PortSpecError
from sim.ports.fixed import FixedLine
from sim.ports.pty import PtyPort
from sim.ports.stream import Stream

SCHEME = "optical"
FORM = "optical:PATH"
SUMMARY = "the local port (IEC 62056-21) on a pseudo-terminal, or on the serial port at PATH"

#: Where the terminals of pseudo-terminals are: a link to one is ours, or was.
_TERMINALS = "/dev/pts/"


class SerialPort(FixedLine):
    """A serial port with one line, there from the start.

    Args:
        path: of the device.
        selector: the world's.

    Raises:
        PortError: it cannot be opened.
    """

    def __init__(self, path: str, selector: BaseSelector) -> None:
        self._path = path
        try:
            self._port = serial.Serial(path, INITIAL_BAUD, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortError(f"cannot open {path}: {error}") from error
        os.set_blocking(self._port.fileno(), False)
        stream = Stream(self._port.fileno(), selector, keep_on_overflow=True)
        super().__init__(PortId(f"{SCHEME}:{path}"), PortKind.OPTICAL, stream)

    @property
    def client_spec(self) -> str:
        """The device's own end; a client has the other one."""
        return f"{SCHEME}:{self._path}"

    def set_baud(self, line: PortId, baud: int) -> None:
        """Run at another rate from now on; the firmware waits for what is on the wire."""
        if line == self._line and not self._stream.ended:
            self._port.baudrate = baud

    def close(self) -> None:
        """Give the port back."""
        self._stream.end()
        self._port.close()


def open_port(rest: str, selector: BaseSelector) -> PtyPort | SerialPort:
    """Open the port that ``optical:`` and ``rest`` name.

    Raises:
        PortSpecError: no path is given.
        PortError: the path cannot be used.
    """
    if not rest:
        raise PortSpecError("optical: needs a path, as in optical:./head0")
    if _is_serial_port(rest):
        return SerialPort(rest, selector)
    return PtyPort(rest, selector, PortKind.OPTICAL, SCHEME)


def _is_serial_port(path: str) -> bool:
    """Whether there is a character device that is no link of ours to a pseudo-terminal."""
    try:
        found = stat.S_ISCHR(os.stat(path).st_mode)
        ours = os.path.islink(path) and os.readlink(path).startswith(_TERMINALS)
    except OSError:
        return False
    return found and not ours

"""UI frames: APDUs without a connection or beside one, and without any promise.

A client sends them to one server or to all; a server only where it may speak. Nothing counts them,
so nothing acknowledges or repeats them, and a lost segment loses its APDU.

When a server may speak: with its turn, before what it has to answer; when a client lets it with an
empty UI frame whose poll bit is set, which is answered by what waits, the last of it with the
final bit, or else by an empty UI frame; and, on a line of which it is the only server, at any
time: what a meter pushes through a port of its own.
"""

from collections import deque

from msgspec import Struct

from obis.values import replace
from protocol.errors import LocalProtocolError
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.reassembly import Reassembly, segments

#: APDUs that may wait for their turn.
MAX_WAITING = 8


class UnnumberedReceiver:
    """Segments of UI frames in, APDUs out, one sender's at a time.

    Args:
        llc: the LLC header expected.
        max_apdu: octets of the longest APDU taken.
    """

    def __init__(self, llc: bytes, max_apdu: int) -> None:
        self._llc = llc
        self._max_apdu = max_apdu
        self._reassembly = Reassembly(llc, max_apdu)
        self._ends: tuple[HdlcAddress, HdlcAddress] | None = None

    def accept(self, frame: Frame) -> bytes | None:
        """Take a UI frame, and return the APDU that it completes."""
        ends = frame.source, frame.destination
        if ends != self._ends:  # what another had begun is lost
            self._ends, self._reassembly = ends, Reassembly(self._llc, self._max_apdu)
        return self._reassembly.accept(frame.information, frame.segmented)


class _Waiting(Struct, frozen=True):
    destination: HdlcAddress
    frames: tuple[Frame, ...]


class UnnumberedSender:
    """APDUs that wait until they may go out.

    Args:
        llc: the LLC header sent.
        length: octets of an information field; nobody negotiates it for UI frames.
        max_apdu: octets of the longest APDU sent.
    """

    def __init__(self, llc: bytes, length: int, max_apdu: int) -> None:
        self._llc = llc
        self._length = length
        self._max_apdu = max_apdu
        self._waiting: deque[_Waiting] = deque()

    def enqueue(self, destination: HdlcAddress, source: HdlcAddress, apdu: bytes) -> None:
        """Take an APDU to send.

        Raises:
            LocalProtocolError: it is empty or too long, or too many are waiting.
        """
        if not 0 < len(apdu) <= self._max_apdu:
            raise LocalProtocolError(f"an APDU of {len(apdu)} octets; 1 to {self._max_apdu} can go")
        if len(self._waiting) >= MAX_WAITING:
            raise LocalProtocolError(f"{MAX_WAITING} unnumbered APDUs are waiting to be sent")
        control = Control(FrameKind.UI, poll=False)
        frames = (
            Frame(destination, source, control, information, more)
            for information, more in segments(self._llc + apdu, self._length)
        )
        self._waiting.append(_Waiting(destination, tuple(frames)))

    def take(self, destination: HdlcAddress, *, final: bool = False) -> list[Frame]:
        """Return, once, the frames that wait for ``destination``.

        Args:
            destination: whose they are.
            final: the last of them gives the turn away.
        """
        mine = [one for one in self._waiting if one.destination == destination]
        self._waiting = deque(one for one in self._waiting if one.destination != destination)
        frames = [frame for one in mine for frame in one.frames]
        if final and frames:
            frames[-1] = replace(frames[-1], control=Control(FrameKind.UI))
        return frames

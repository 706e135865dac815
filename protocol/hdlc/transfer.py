"""Numbered information transfer with windows: what I, RR and RNR mean in NRM.

Three numbers modulo 8 carry it, the same on both sides:

    V(S)  the number of the next new segment to send
    V(A)  the oldest number not acknowledged yet; V(A) = V(S) when nothing is outstanding
    V(R)  the number of the next segment to take

Whoever has the turn sends a *window*: first every outstanding segment again, from V(A), then new
ones, until as many are outstanding as the other side takes (1 to 7). Only the last has the poll or
final bit, which gives the turn away.

A received N(R) says "I have everything before this": V(A) moves up to it, and what is still
outstanding then was lost and goes out again with the next window (go-back-N; the profile has no
REJ). A received N(S) equal to V(R) is new; any other is dropped, for it is a repetition, or one
before it was lost and will come again with it. So nothing is delivered twice, and nothing out of
order, as long as a repetition cannot pass for something new: a window is below the modulus, and a
line keeps the order of what it carries.

A client's window ends where an APDU ends: the server has its answer to give then. A server that
has several APDUs to say at a stretch, as the blocks of general block transfer, goes on.
"""

from collections import deque

from msgspec import Struct

from protocol.errors import LocalProtocolError
from protocol.hdlc.parameters import HdlcParameters
from protocol.hdlc.reassembly import Reassembly

MODULUS = 8
#: APDUs that may wait for their turn; the layers above have one or two under way, or a window.
MAX_QUEUED = 8


class Segment(Struct, frozen=True):
    """One information field to send.

    Args:
        number: N(S).
        information: at most the agreed length.
        more: whether segments of the same APDU follow.
    """

    number: int
    information: bytes
    more: bool


class Transfer:
    """Both directions of one connection in NRM.

    Args:
        agreed: the negotiated lengths of an information field, and the windows.
        llc_sent: the LLC header of what we send.
        llc_expected: the LLC header without which a received PDU is dropped.
        max_apdu: octets of the longest APDU sent or taken; a longer one is dropped on receipt.
        joining: a window goes on over the end of an APDU.
    """

    def __init__(
        self,
        agreed: HdlcParameters,
        llc_sent: bytes,
        llc_expected: bytes,
        max_apdu: int,
        *,
        joining: bool = False,
    ) -> None:
        self.agreed = agreed
        self._joining = joining
        self.send_number = 0
        self.receive_number = 0
        self._llc_sent = llc_sent
        self._max_apdu = max_apdu
        self._queue: deque[bytes] = deque()
        self._offset = 0
        self._outstanding: deque[Segment] = deque()
        self._reassembly = Reassembly(llc_expected, max_apdu)

    # --- sending ---------------------------------------------------------------------------------

    @property
    def has_outstanding(self) -> bool:
        """Whether a segment was sent and is not acknowledged."""
        return bool(self._outstanding)

    @property
    def has_data(self) -> bool:
        """Whether there is a segment to send or to repeat."""
        return bool(self._outstanding or self._queue)

    @property
    def full(self) -> bool:
        """Whether no further APDU can be queued."""
        return len(self._queue) >= MAX_QUEUED

    def enqueue(self, apdu: bytes) -> None:
        """Take an APDU to send.

        Raises:
            LocalProtocolError: it is empty or too long, or too many are waiting.
        """
        if not 0 < len(apdu) <= self._max_apdu:
            raise LocalProtocolError(f"an APDU of {len(apdu)} octets; 1 to {self._max_apdu} can go")
        if self.full:
            raise LocalProtocolError(f"{MAX_QUEUED} APDUs are waiting to be sent")
        self._queue.append(self._llc_sent + apdu)

    def window(self) -> list[Segment]:
        """Return the segments that are due: the outstanding ones again, then new ones."""
        outstanding = self._outstanding
        while len(outstanding) < self.agreed.window_transmit and self._queue:
            if outstanding and not outstanding[-1].more and not self._joining:
                break
            outstanding.append(self._cut())
            self.send_number = (self.send_number + 1) % MODULUS
        return list(outstanding)

    def can_acknowledge(self, number: int) -> bool:
        """Whether ``number`` is an N(R) that the other side can send now: V(A) to V(S)."""
        return (self.send_number - number) % MODULUS <= len(self._outstanding)

    def acknowledge(self, number: int) -> bool:
        """Take a received N(R), see ``can_acknowledge``; return whether it brought anything."""
        left = (self.send_number - number) % MODULUS
        moved = len(self._outstanding) > left
        while len(self._outstanding) > left:
            self._outstanding.popleft()
        return moved

    def _cut(self) -> Segment:
        pdu = self._queue[0]
        end = self._offset + self.agreed.transmit
        information, more = pdu[self._offset : end], end < len(pdu)
        if more:
            self._offset = end
        else:
            self._offset = 0
            self._queue.popleft()
        return Segment(self.send_number, information, more)

    # --- receiving -------------------------------------------------------------------------------

    @property
    def reassembling(self) -> bool:
        """Whether more segments of a begun PDU are due."""
        return self._reassembly.under_way

    def is_new(self, number: int) -> bool:
        """Whether N(S) is the one that is due."""
        return number == self.receive_number

    def is_ahead(self, number: int) -> bool:
        """Whether N(S) is of the window that is due, behind one that was lost.

        The numbers before V(R), as many as the window leaves, can only be repetitions.
        """
        return 0 < (number - self.receive_number) % MODULUS < self.agreed.window_receive

    def accept(self, information: bytes, more: bool) -> bytes | None:
        """Take the content of a new segment, and return the APDU that it completes.

        A PDU that is too long or has the wrong LLC header is acknowledged and dropped as a whole:
        the line is not at fault, and repeating it would not help.
        """
        self.receive_number = (self.receive_number + 1) % MODULUS
        return self._reassembly.accept(information, more)

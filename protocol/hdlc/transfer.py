"""Numbered information transfer with a window of one: what I, RR and RNR mean in NRM.

Three numbers modulo 8 carry it, the same on both sides:

    V(S)  the number of the next new segment to send
    V(A)  the oldest number not acknowledged yet; V(A) = V(S) when nothing is outstanding
    V(R)  the number of the next segment to take

A received N(R) says "I have everything before this", so with a window of one only V(A) and V(S)
are possible. A received N(S) equal to V(R) is new; any other is a repetition, whose content was
taken already, and is dropped. That is what makes it safe to repeat a frame after a lost answer.

An APDU travels behind three octets of LLC header and is cut into segments of the agreed length;
all but the last have the segmentation bit set.
"""

from collections import deque
from dataclasses import dataclass

from protocol.errors import LocalProtocolError
from protocol.hdlc.parameters import HdlcParameters

MODULUS = 8
#: LLC header (destination LSAP, source LSAP, quality) of what a client and what a server sends.
LLC_COMMAND = bytes((0xE6, 0xE6, 0x00))
LLC_RESPONSE = bytes((0xE6, 0xE7, 0x00))
DEFAULT_MAX_APDU = 0x10000
#: APDUs that may wait for their turn; the layers above have one or two under way.
MAX_QUEUED = 8


@dataclass(frozen=True, slots=True)
class Segment:
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
        agreed: the negotiated lengths of an information field.
        llc_sent: the LLC header of what we send.
        llc_expected: the LLC header without which a received PDU is dropped.
        max_apdu: octets of the longest APDU sent or taken; a longer one is dropped on receipt.
    """

    def __init__(
        self, agreed: HdlcParameters, llc_sent: bytes, llc_expected: bytes, max_apdu: int
    ) -> None:
        self.agreed = agreed
        self.send_number = 0
        self.receive_number = 0
        self._llc_sent = llc_sent
        self._llc_expected = llc_expected
        self._max_apdu = max_apdu
        self._queue: deque[bytes] = deque()
        self._offset = 0
        self._outstanding: Segment | None = None
        self._partial = bytearray()
        self._dropping = False
        self._reassembling = False

    # --- sending ---------------------------------------------------------------------------------

    @property
    def has_outstanding(self) -> bool:
        """Whether a segment was sent and is not acknowledged."""
        return self._outstanding is not None

    @property
    def has_data(self) -> bool:
        """Whether there is a segment to send or to repeat."""
        return self._outstanding is not None or bool(self._queue)

    def enqueue(self, apdu: bytes) -> None:
        """Take an APDU to send.

        Raises:
            LocalProtocolError: it is empty or too long, or too many are waiting.
        """
        if not 0 < len(apdu) <= self._max_apdu:
            raise LocalProtocolError(f"an APDU of {len(apdu)} octets; 1 to {self._max_apdu} can go")
        if len(self._queue) >= MAX_QUEUED:
            raise LocalProtocolError(f"{MAX_QUEUED} APDUs are waiting to be sent")
        self._queue.append(self._llc_sent + apdu)

    def next_segment(self) -> Segment | None:
        """Return the segment that is due: the outstanding one again, or the next new one."""
        if self._outstanding is None and self._queue:
            self._outstanding = self._cut()
            self.send_number = (self.send_number + 1) % MODULUS
        return self._outstanding

    def can_acknowledge(self, number: int) -> bool:
        """Whether ``number`` is an N(R) that the other side can send now."""
        outstanding = self._outstanding
        return number == self.send_number or (
            outstanding is not None and number == outstanding.number
        )

    def acknowledge(self, number: int) -> None:
        """Take a received N(R), see ``can_acknowledge``."""
        if number == self.send_number:
            self._outstanding = None

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
        return self._reassembling

    def is_new(self, number: int) -> bool:
        """Whether N(S) is the one that is due; otherwise it is a repetition."""
        return number == self.receive_number

    def accept(self, information: bytes, more: bool) -> bytes | None:
        """Take the content of a new segment, and return the APDU that it completes.

        A PDU that is too long or has the wrong LLC header is acknowledged and dropped as a whole:
        the line is not at fault, and repeating it would not help.
        """
        self.receive_number = (self.receive_number + 1) % MODULUS
        self._reassembling = more
        if not self._dropping:
            self._partial += information
            self._dropping = self._is_unacceptable()
        if self._dropping:
            self._partial.clear()
        if more:
            return None
        header = len(self._llc_expected)
        apdu = bytes(self._partial[header:])
        self._partial.clear()
        self._dropping = False
        return apdu or None

    def _is_unacceptable(self) -> bool:
        header = self._partial[: len(self._llc_expected)]
        too_long = len(self._partial) > len(self._llc_expected) + self._max_apdu
        return too_long or not self._llc_expected.startswith(header)

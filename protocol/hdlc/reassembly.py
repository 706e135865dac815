"""Putting an APDU together from the information fields that carry it.

An APDU travels behind three octets of LLC header and is cut into segments; all but the last have
the segmentation bit set. Numbered (I) and unnumbered (UI) frames carry it alike.
"""

from collections.abc import Iterator

#: LLC header (destination LSAP, source LSAP, quality) of what a client and what a server sends.
LLC_COMMAND = bytes((0xE6, 0xE6, 0x00))
LLC_RESPONSE = bytes((0xE6, 0xE7, 0x00))
DEFAULT_MAX_APDU = 0x10000


class Reassembly:
    """Segments in, whole APDUs out; never more octets held than one APDU may have.

    Args:
        llc: the LLC header without which a PDU is dropped.
        max_apdu: octets of the longest APDU taken; a longer one is dropped as a whole.
    """

    def __init__(self, llc: bytes, max_apdu: int) -> None:
        #: Whether more segments of a begun PDU are due.
        self.under_way = False
        self._llc = llc
        self._max_apdu = max_apdu
        self._partial = bytearray()
        self._dropping = False

    def accept(self, information: bytes, more: bool) -> bytes | None:
        """Take a segment, and return the APDU that it completes, if it has one."""
        self.under_way = more
        if not self._dropping:
            self._partial += information
            self._dropping = self._is_unacceptable()
        if self._dropping:
            self._partial.clear()
        if more:
            return None
        apdu = bytes(self._partial[len(self._llc) :])
        self._partial.clear()
        self._dropping = False
        return apdu or None

    def _is_unacceptable(self) -> bool:
        header = self._partial[: len(self._llc)]
        too_long = len(self._partial) > len(self._llc) + self._max_apdu
        return too_long or not self._llc.startswith(header)


def segments(pdu: bytes, length: int) -> Iterator[tuple[bytes, bool]]:
    """Return the information fields that carry ``pdu``, and whether more of them follow each."""
    for start in range(0, len(pdu), length):
        yield pdu[start : start + length], start + length < len(pdu)

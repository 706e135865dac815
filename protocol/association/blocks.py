"""Datablocks: a long value in pieces that fit, and pieces back into a value."""

from typing import NamedTuple

from protocol.association.channel import Envelope
from protocol.axdr import encode_length
from protocol.errors import RemoteProtocolError


class BlockNumberError(RemoteProtocolError):
    """A block that is not the next one."""


class TooLongError(RemoteProtocolError):
    """More octets than this side puts together."""


class Block(NamedTuple):
    """One piece of a value; the first has number 1."""

    number: int
    is_last: bool
    octets: bytes


def sealed_length(envelope: Envelope | None, plain: int) -> int:
    """Return how long an APDU of ``plain`` octets is in its envelope, if it has one."""
    return plain if envelope is None else envelope.length(plain)


def room(limit: int, envelope: Envelope | None, head: int) -> int:
    """Return how many octets of a value fit into a block.

    Args:
        limit: the largest APDU in octets, its envelope included.
        envelope: how the APDU will be ciphered.
        head: octets of the plain APDU before the length of the octets.

    Returns:
        The number of octets; 0 or less when none fits.
    """
    octets = limit - sealed_length(envelope, head)
    while octets > 0:
        if sealed_length(envelope, head + len(encode_length(octets)) + octets) <= limit:
            break
        octets -= 1  # lengths grow by octets of their own, so this takes a few rounds at most
    return octets


class OutgoingBlocks:
    """A value on its way out.

    Args:
        octets: the whole value, encoded.
    """

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._offset = 0
        self.number = 0

    @property
    def is_done(self) -> bool:
        """Whether the last block has been taken."""
        return self.number > 0 and self._offset >= len(self._octets)

    def take(self, size: int) -> Block:
        """Return the next block, of at most ``size`` octets."""
        octets = self._octets[self._offset : self._offset + size]
        self._offset += len(octets)
        self.number += 1
        return Block(self.number, self._offset >= len(self._octets), octets)


class IncomingBlocks:
    """A value on its way in.

    Args:
        limit: how many octets are put together at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = bytearray()
        self.number = 0

    def add(self, number: int, octets: bytes) -> None:
        """Take the next block.

        Raises:
            BlockNumberError: it is not the next one.
            TooLongError: the value would get too long.
        """
        if number != self.number + 1:
            raise BlockNumberError(f"block {number} after block {self.number}")
        if len(self._octets) + len(octets) > self._limit:
            raise TooLongError(f"a value of more than {self._limit} octets in blocks")
        self._octets += octets
        self.number = number

    def value(self) -> bytes:
        """Return what has come so far."""
        return bytes(self._octets)

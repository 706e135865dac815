"""What an envelope had in it, until it is believed."""

from dataclasses import dataclass
from functools import cache

from protocol.apdu import ApduTag
from protocol.association.envelope import Envelope
from protocol.association.guards import Guard
from protocol.security import Protection, SecuritySuite


@dataclass(slots=True)
class Content:
    """What was in an envelope.

    Args:
        plain: the APDU, perhaps a signed one.
        envelope: the envelope for the answer.
        title: who sent it.
        named: the tag that the envelope gives to what it holds, if it names one.
        guard: what remembers its counter.
        counter: its invocation counter.
        vouched: whether a true tag or signature vouches for the counter.
    """

    plain: bytes
    envelope: Envelope
    title: bytes
    named: ApduTag | None
    guard: Guard | None
    counter: int
    vouched: bool

    def accept(self) -> None:
        """Take the counter as used.

        Raises:
            ReplayError: it is not new.
        """
        if self.guard is not None:
            self.guard.accept(self.counter)


@cache
def simple_envelope(
    protection: Protection, general: bool, dedicated: bool, broadcast: bool, suite: SecuritySuite
) -> Envelope:
    """Return an envelope without particulars; there are only a few dozen of them."""
    return Envelope(protection, general, dedicated, broadcast, suite=suite)

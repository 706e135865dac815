"""Finding messages among the octets of a line; what is none is passed over."""

from typing import Final

from protocol.iec21.characters import (
    ACK,
    END,
    EOT,
    ETX,
    LF,
    NAK,
    SLASH,
    SOH,
    STX,
    Parity,
    decode,
    parity_of_slash,
)
from protocol.timing import Instant

#: The longest silence between two characters of one message, in milliseconds.
INTER_CHARACTER: Final = 1_500


class MessageFinder:
    """Takes octets and gives messages of characters of seven bits.

    A message begins with "/", SOH, STX, ACK or NAK; neither "/" nor SOH stand within one, so that
    they begin another wherever they come, but as a block check. What is longer than the limit is
    dropped, and so is what was begun when the line fell silent.

    Args:
        limit: characters of the longest message.
        parity: as long as no "/" has told.
    """

    def __init__(self, limit: int, parity: Parity = Parity.NONE) -> None:
        #: As the last "/" told.
        self.parity = parity
        #: Characters of a message that begins with ACK: 1, or 6 where an option is waited for.
        self.acknowledgement = 1
        #: Whether what begins with "/" goes on to its "!", as data that nobody asked for do.
        self.telegrams = False
        self._limit = limit
        self._octets = b""
        self._place = 0
        self._message = bytearray()
        self._checking = False  # the block check is the next character
        self._last: Instant | None = None

    @property
    def begun(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._message)

    def push(self, octets: bytes, now: Instant) -> None:
        """Take octets; ``take`` gives the messages in them."""
        if self._last is not None and now - self._last >= INTER_CHARACTER:
            self._forget()
        self._last = now
        self._octets, self._place = self._octets[self._place :] + octets, 0

    def take(self) -> bytes | None:
        """Return the next whole message; None when there is none."""
        while self._place < len(self._octets):
            octet = self._octets[self._place]
            self._place += 1
            if self._step(octet):
                message = bytes(self._message)
                self._forget()
                return message
        self._octets, self._place = b"", 0
        return None

    def rest(self) -> bytes:
        """Return, once, the octets behind the last message, whatever they are."""
        octets = self._octets[self._place :]
        self.clear()
        return octets

    def clear(self) -> None:
        """Forget what has come."""
        self._octets, self._place = b"", 0
        self._forget()

    def _forget(self) -> None:
        self._message.clear()
        self._checking = False

    def _step(self, octet: int) -> bool:
        """Take one octet; say whether a message ends with it."""
        shown = parity_of_slash(octet)
        if shown is not None and not self._checking:
            self.parity = shown
            self._message[:] = (SLASH,)
            return False
        (character,) = decode(bytes((octet,)), self.parity)
        if self._checking:
            self._message.append(character)
            return True
        if character == SOH or not self._message:
            return self._begin(character)
        self._message.append(character)
        if len(self._message) > self._limit:
            self._forget()
            return False
        return self._ends(character)

    def _begin(self, character: int) -> bool:
        self._message.clear()
        if character not in (SOH, STX, ACK, NAK):
            return False
        self._message.append(character)
        return character == NAK or (character == ACK and self.acknowledgement == 1)

    def _ends(self, character: int) -> bool:
        first = self._message[0]
        if first == ACK:
            return len(self._message) >= self.acknowledgement
        if first == SLASH:
            whole = not self.telegrams or END in self._message
            return character == LF and whole
        self._checking = character in (ETX, EOT)
        return False

"""General block transfer: whole APDUs, ciphered ones included, in blocks a window at a time.

Each side numbers its blocks from 1 in each exchange, a block that only acknowledges among them. A
sender lets go as many blocks as the other side takes (its window, 1 until it says so), all but the
last of them streaming, and waits. The receiver acknowledges the last block before which none is
missing; the sender goes on after that one, so a block that was lost is sent again, with those
after it as far as the window reaches. An answer acknowledges the whole request.

On HDLC whoever has the turn sends no more blocks than go out with it, so that an acknowledgement
gives the turn back: some clients do not poll for the rest of a window.

What a block means, in the order that it is looked at:

| block | when | what happens |
|---|---|---|
| without octets | none of the other side's blocks is collected, and it is not all there is | an acknowledgement: the next window, or the blocks after a gap again |
| number 1 | a server's end, nothing collected, or other octets than those collected | a new APDU begins |
| the next number | | collected; at the end of a window acknowledged; the last one completes the APDU |
| a number before | | dropped; at the end of a window acknowledged again |
| a number beyond | | dropped; at the end of a window the last one before the gap is acknowledged |

A sender with window 0 wants no acknowledgement, so there a gap ends the transfer. Nothing is
collected beyond a bound, and after ``MAX_STALLS`` repetitions without progress a transfer ends.

There is no clock here. A client that hears nothing calls ``recover``; a server only answers, so
it is always the client who fills a silence. If what is lost is the first block of the answer to a
request that was not in blocks, nobody knows of a transfer: that is as every other answer that is
lost, and the session gives up in time. Numbers, windows and the empty acknowledgement with its
last-block bit are as ``pydlms-client`` has them, and a published test of another implementation
(EnergyICT, ``GeneralBlockTransferHandlerTest``).
"""  # noqa: E501 - the rows of a table do not wrap

from typing import Final, NamedTuple

from protocol.apdu import GENERAL_BLOCK_HEAD, MAX_BLOCK_NUMBER, GeneralBlock
from protocol.apdu.general_block_transfer import MAX_WINDOW
from protocol.association.blocks import BlockNumberError, room
from protocol.association.requests import PduTooLongError
from protocol.codes import ServiceError, StateError
from protocol.errors import EncodeError, RemoteProtocolError

#: How often a window or an acknowledgement is repeated before something new has to come of it.
MAX_STALLS: Final = 5


class GivenUpError(RemoteProtocolError):
    """A transfer that does not get on."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE
        )


class Received(NamedTuple):
    """What came of a block: blocks to send, and the APDU that it completed."""

    send: list[bytes]
    apdu: bytes | None = None


_NOTHING: Final = Received([])


def unconfirmed(apdu: bytes, limit: int) -> list[bytes]:
    """Return an APDU in blocks that nobody acknowledges: how a push goes out.

    Args:
        apdu: the APDU, ciphered if it is to be.
        limit: the largest block in octets, its head included.

    Raises:
        EncodeError: it takes more blocks than there are numbers.
    """
    size = room(limit, None, GENERAL_BLOCK_HEAD)
    pieces = _pieces(apdu, size)
    return [
        GeneralBlock(number == len(pieces), False, 0, number, 0, piece).encode()
        for number, piece in enumerate(pieces, 1)
    ]


class GeneralBlocks:
    """One end of the block transfers of an association.

    Args:
        asks: whether this is the client's end: an exchange begins with what it sends, at the
            server's end with what comes.
        window: how many blocks we take at a stretch, 1..63.
        limit: the largest APDU in octets that the other side takes, the block's head included.
        max_assembly: the longest APDU in octets that is put together.
    """

    def __init__(self, asks: bool, window: int, limit: int, max_assembly: int) -> None:
        self._asks = asks
        self._window = window
        self._limit = limit
        self._size = room(limit, None, GENERAL_BLOCK_HEAD)
        self._max_assembly = max_assembly
        self._peer_window = 1
        #: The most blocks that go out before an acknowledgement, whatever the other side takes.
        self.stretch = MAX_WINDOW
        self.begin()

    def begin(self) -> None:
        """Begin an exchange; what is left of the last one is forgotten."""
        self._pieces: list[bytes] = []
        self._base = 0  # the number before our first piece
        self._number = 0  # the last that we used
        self._sent = 0  # the last piece that went out
        self._acknowledged = 0  # the last piece that is known to have come
        self._stalls = 0
        self._expect(1)
        #: Whether the other side sends blocks in this exchange, so that the answer has to.
        self.in_blocks = False

    def _expect(self, number: int) -> None:
        """Make ready for an APDU whose first block has ``number``."""
        self._incoming = bytearray()
        self._first_size = 0  # octets of its first block
        self._expected = number
        self._complete = False

    @property
    def is_sending(self) -> bool:
        """Whether some piece of ours is not known to have come."""
        return self._acknowledged < self._final

    @property
    def is_receiving(self) -> bool:
        """Whether an APDU has begun to come."""
        return self.in_blocks and not self._complete

    @property
    def _final(self) -> int:
        return self._base + len(self._pieces)

    # --- out -------------------------------------------------------------------------------

    def send(self, apdu: bytes) -> list[bytes]:
        """Begin to send an APDU; return the blocks that go out at once.

        Raises:
            EncodeError: it takes more blocks than there are numbers.
        """
        pieces = _pieces(apdu, self._size)
        if self._number + len(pieces) > MAX_BLOCK_NUMBER:
            raise EncodeError(f"{len(pieces)} blocks are more than there are numbers for")
        self._pieces = pieces
        self._base = self._sent = self._acknowledged = self._number
        self._stalls = 0
        return self._send_from(self._base + 1)

    def carries(self, length: int) -> bool:
        """Whether an APDU of so many octets can be sent in blocks at all."""
        return self._size > 0 and length <= self._size * MAX_BLOCK_NUMBER

    def fit(self, apdu: bytes) -> list[bytes]:
        """Return an APDU as it is, or in blocks if it is too long or answers what came in blocks.

        Raises:
            EncodeError: it takes more blocks than there are numbers.
        """
        if self.in_blocks or len(apdu) > self._limit:
            return self.send(apdu)
        return [apdu]

    def recover(self) -> list[bytes]:
        """Return what to send because the other side is silent; nothing when nothing is owed.

        Raises:
            GivenUpError: it has been tried often enough.
        """
        if self._sent < self._final:
            self._stall("no acknowledgement")
            return self._send_from(self._acknowledged + 1)
        if self.is_sending or self.is_receiving:
            self._stall("no further block")
            return [self._acknowledge()]
        return []

    def _send_from(self, first: int) -> list[bytes]:
        last = min(first + min(self._peer_window, self.stretch) - 1, self._final)
        blocks = [
            GeneralBlock(
                number == self._final,
                number != last,
                self._window,
                number,
                self._expected - 1,
                self._pieces[number - self._base - 1],
            ).encode()
            for number in range(first, last + 1)
        ]
        self._sent = max(self._sent, last)
        self._number = max(self._number, last)
        return blocks

    def _acknowledge(self) -> bytes:
        if self._number >= MAX_BLOCK_NUMBER:
            raise GivenUpError("no block number is left")
        self._number += 1
        return GeneralBlock(True, False, self._window, self._number, self._expected - 1).encode()

    def _stall(self, why: str) -> None:
        self._stalls += 1
        if self._stalls > MAX_STALLS:
            raise GivenUpError(f"general block transfer given up: {why}")

    # --- in --------------------------------------------------------------------------------

    def receive(self, block: GeneralBlock) -> Received:
        """Take a block; an error forgets the exchange.

        Raises:
            BlockNumberError: it has no number, acknowledges what was not sent, or is not the next
                one of a stream that nobody acknowledges.
            PduTooLongError: the APDU would get too long.
            GivenUpError: there is no transfer that it belongs to, or one that does not get on.
        """
        try:
            return self._receive(block)
        except RemoteProtocolError:
            self.begin()
            raise

    def _receive(self, block: GeneralBlock) -> Received:
        if block.window:
            self._peer_window = block.window
        if not block.octets and not self._incoming:
            return self._acknowledged_by(block)
        if not block.number:
            raise BlockNumberError("a block without a number")
        if self._asks:
            if self._sent < self._final:
                return _NOTHING  # no answer can come before the whole request went out
            self._acknowledged = self._final
        first = block.number == 1
        if first and (self._complete or self._is_another(block)):
            self._expect(1)
        if first and not self._asks and not self._incoming:
            self.begin()
        elif self._complete or (self._pieces and not self._asks):
            return _NOTHING  # the end of a request that is being answered came again
        self.in_blocks = True
        if block.number != self._expected:
            return self._out_of_order(block)
        return self._collect(block)

    def _is_another(self, block: GeneralBlock) -> bool:
        """Whether block 1 is of another APDU than the one that is being collected."""
        return self._expected > 1 and self._incoming[: self._first_size] != block.octets

    def _collect(self, block: GeneralBlock) -> Received:
        if len(self._incoming) + len(block.octets) > self._max_assembly:
            raise PduTooLongError(len(self._incoming) + len(block.octets))
        if not self._incoming:
            self._first_size = len(block.octets)
        self._incoming += block.octets
        self._expected += 1
        self._stalls = 0
        if block.last:
            if not self._incoming:  # an empty first block in place of one that had octets
                raise BlockNumberError("a general block transfer of nothing")
            apdu = bytes(self._incoming)
            self._incoming = bytearray()
            self._complete = True
            return Received([], apdu)
        if block.streaming or not block.window:
            return _NOTHING
        return Received([self._acknowledge()])

    def _out_of_order(self, block: GeneralBlock) -> Received:
        if not block.window:
            raise BlockNumberError(f"block {block.number}, not {self._expected}, unconfirmed")
        if block.streaming and not block.last:
            return _NOTHING
        self._stall(f"block {block.number}, not {self._expected}")
        return Received([self._acknowledge()])

    def _acknowledged_by(self, block: GeneralBlock) -> Received:
        if not self._pieces:
            if self._asks:
                raise GivenUpError("nothing was sent that could be acknowledged")
            self._stall("the whole first window of a request is lost")
            return Received([self._acknowledge()])
        number = max(block.acknowledged, self._base)
        if number > self._sent:
            raise BlockNumberError(f"block {number} acknowledged after block {self._sent}")
        self._expect(max(self._expected, block.number + 1))
        if number > self._acknowledged:
            self._stalls = 0
        else:
            self._stall(f"block {number} acknowledged again")
        self._acknowledged = max(self._acknowledged, number)
        if number >= self._final:
            return _NOTHING
        return Received(self._send_from(number + 1))


def _pieces(apdu: bytes, size: int) -> list[bytes]:
    if size <= 0:
        raise EncodeError("no block fits an APDU")
    return [apdu[start : start + size] for start in range(0, len(apdu), size)]

"""Octets that nobody should send: arbitrary ones, mutated conversations, lies and bombs.

Everything is drawn from a ``random.Random``: a seeded one for the campaigns, or one whose every
draw hypothesis makes, so that it can shrink what it found.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from meter_fw.board import PortKind
from obis import catalogue
from obis.values import replace
from protocol.apdu import GLO_BY_PLAIN, ApduTag
from protocol.errors import DecodeError
from protocol.hdlc.frame import FLAG, Control, Incomplete, decode_frame, frame_check
from protocol.security import CounterLease
from protocol.wrapper import HEADER_OCTETS
from tests.fuzz.recording import Recording
from tests.fuzz.states import Standing, seal

_TAGS: Final = (*(int(tag) for tag in ApduTag), 0x00, 0x01, 0x7F, 0xFF)
_CONTROLS: Final = (0x93, 0x83, 0x53, 0x43, 0x73, 0x1F, 0x97, 0x03, 0x13, 0xFF, 0x09, 0x19)
_LENGTHS: Final = (
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\x81\xff",
    b"\x82\xff\xff",
    b"\x84\x7f\xff\xff\xff",
    b"\x84\xff\xff\xff\xff",
    b"\x88\xff\xff\xff\xff\xff\xff\xff\xff",
)
_TRANSACTION: Final = bytes.fromhex("0001") + catalogue.TRANSACTION.to_bytes() + b"\x02"
_LOG: Final = bytes.fromhex("0007") + catalogue.TRANSACTION_LOG.to_bytes() + b"\x02"
_ENTER: Final = bytes.fromhex("0073") + catalogue.TOKEN_GATEWAY.to_bytes() + b"\x01"
_SET: Final = b"\xc1\x01\xc1" + _TRANSACTION + b"\x00"
_ACT: Final = b"\xc3\x01\xc1" + _ENTER + b"\x01"
_NUMBERS: Final = (0, 1, 2, 3, 0x7FFFFFFF, 0xFFFFFFFF)

#: Values that claim more than they are.
VALUE_BOMBS: Final[tuple[bytes, ...]] = (
    b"\x02\x01" * 3000,
    b"\x01\x01" * 3000,
    b"\x02\xff" * 300,
    b"\x01\x82\xff\xff" + b"\x00" * 200,
    *(
        tag + length
        for tag in (b"\x01", b"\x02", b"\x04", b"\x09", b"\x0a", b"\x0c")
        for length in _LENGTHS
    ),
    *(b"\x13\x00" + length for length in _LENGTHS),
    *(b"\x13\x12" + length + b"\x00" for length in _LENGTHS),
    b"\x13\x01\xff\xff\x12\x81\xff" + b"\x00" * 255,
    b"\x13" + b"\x01\xff\xff" * 500 + b"\x00\x04\x00\x00\x00\x00",
    b"\x13" + b"\x02\xff" * 500 + b"\x00\x81\xff",
    b"\x13\x01\xff\xff\x00\x00",
    b"\x13\x02\x02\x01\xff\xff\x00\x01\xff\xff\x00\x01\x00",
)
#: APDUs that claim more than they are, or are not now due.
APDU_BOMBS: Final[tuple[bytes, ...]] = (
    *(_SET + value for value in VALUE_BOMBS),
    *(_ACT + value for value in VALUE_BOMBS),
    *(b"\xc0\x01\xc1" + _LOG + b"\x01\x01" + value for value in VALUE_BOMBS),
    *(b"\xc0\x01\xc1" + _LOG + b"\x01\x02" + value for value in VALUE_BOMBS),
    *(b"\xc0\x03\xc1" + length for length in _LENGTHS),
    *(b"\xc0\x02\xc1" + n.to_bytes(4, "big") for n in _NUMBERS),
    *(b"\xc3\x02\xc1" + n.to_bytes(4, "big") for n in _NUMBERS),
    *(b"\xc1\x03\xc1\x01" + n.to_bytes(4, "big") + b"\x02\x0f\x00" for n in _NUMBERS),
    *(b"\xc3\x06\xc1\x01" + n.to_bytes(4, "big") + b"\x02\x0f\x00" for n in _NUMBERS),
    *(b"\xc1\x02\xc1" + _TRANSACTION + b"\x00\x01\x00\x00\x00\x01" + length for length in _LENGTHS),
    *(
        bytes((tag,)) + length
        for tag in (0x60, 0x62, 0xC8, 0xC9, 0xCB, 0xDB, 0xD0, 0xE0)
        for length in _LENGTHS
    ),
    b"\x60\x80" + b"\xa1\x80" * 2000,
    b"\x60\x82\x10\x00" + b"\xbe\x82\x0f\xfc" * 1000,
    b"\x60\x1d\xa1\x09\x06\x07`\x85t\x05\x08\x01\x01\xbe\x10\x04\x0e\x01\x00\x00\x00\x06_\x1f\x04\x00\xff\xff\xff\x00\x00",
    bytes.fromhex("c30200c1") + b"\x00" * 3,
    b"\xdb\x08OPP\0\0\0\0\1\x05\x30\x00\x00\x00\x00",
    b"\xc8\x05\x00\x00\x00\x00\x00",
    b"\xcb\x05\x20\xff\xff\xff\xff",
    b"\xcb\x11\x10\xff\xff\xff\xff" + bytes(12),
    b"\xcb\x11\x30\xff\xff\xff\xff" + bytes(12),
)


@dataclass(frozen=True, slots=True)
class Input:
    """One hostile input.

    Args:
        octets: the runs of octets, a tick each.
        sealed: the plain APDUs in it that were ciphered with the right keys and a new counter.
        how: where it comes from.
    """

    octets: tuple[bytes, ...]
    how: str
    sealed: tuple[bytes, ...] = ()


# --- mutation ----------------------------------------------------------------------------------

Mutation = Callable[[Random, bytearray], None]


def _flip(random: Random, octets: bytearray) -> None:
    octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)


def _replace(random: Random, octets: bytearray) -> None:
    octets[random.randrange(len(octets))] = random.randrange(256)


def _swap_tag(random: Random, octets: bytearray) -> None:
    octets[random.randrange(min(len(octets), 24))] = random.choice(_TAGS)


def _lie(random: Random, octets: bytearray) -> None:
    place = random.randrange(len(octets))
    octets[place : place + 1] = random.choice(_LENGTHS)


def _truncate(random: Random, octets: bytearray) -> None:
    del octets[random.randrange(len(octets)) :]


def _behead(random: Random, octets: bytearray) -> None:
    del octets[: random.randrange(len(octets))]


def _cut_out(random: Random, octets: bytearray) -> None:
    place = random.randrange(len(octets))
    del octets[place : place + random.randrange(1, 9)]


def _insert(random: Random, octets: bytearray) -> None:
    place = random.randrange(len(octets) + 1)
    octets[place:place] = random.randbytes(random.randrange(1, 9))


def _duplicate(random: Random, octets: bytearray) -> None:
    start = random.randrange(len(octets))
    piece = octets[start : start + random.randrange(1, 40)]
    octets[start:start] = piece * random.choice((1, 1, 1, 2, 40))


def _count(random: Random, octets: bytearray) -> None:
    octets[random.randrange(len(octets))] = (octets[-1] + random.choice((-1, 1))) % 256


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_flip, _flip, _replace, _swap_tag, _lie, _truncate),
    *(_behead, _cut_out, _insert, _duplicate, _count),
)


def mutate(random: Random, octets: bytes) -> bytes:
    """Return octets like these, damaged in one to four places."""
    damaged = bytearray(octets)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        if damaged:
            random.choice(_MUTATIONS)(random, damaged)
    return bytes(damaged[:8192])


# --- inputs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """What was really said on one kind of port."""

    kind: PortKind
    recordings: tuple[Recording, ...]

    @property
    def octets(self) -> Sequence[bytes]:
        """Every run of octets."""
        return [run for each in self.recordings for run in each.octets]

    @property
    def apdus(self) -> Sequence[bytes]:
        """Every APDU, ciphered or not, as it was sent."""
        return [apdu for each in self.recordings for apdu in each.apdus]

    @property
    def plain(self) -> Sequence[bytes]:
        """Every request in plain."""
        return [apdu for each in self.recordings for apdu in each.plain]


@dataclass
class Hostile:
    """Draws hostile inputs for one state.

    Args:
        corpus: what was really said on such a port.
        standing: the state, and what its client would say next.
        keyed: whether the inputs may be ciphered with the right keys.
    """

    corpus: Corpus
    standing: Standing
    keyed: bool

    def __post_init__(self) -> None:
        self._octets = (*self.corpus.octets, *(self.standing.pending,) * 8)
        self._apdus = (*self.corpus.apdus, *self.corpus.plain)
        frames = (self._with_false_fields, self._with_true_checks)
        self._ways = (
            *(self._arbitrary, self._mutated, self._mutated, self._replayed, self._several),
            *(self._apdu, self._apdu, self._apdu_bomb, self._apdu_garbage),
            *(frames if self.corpus.kind is PortKind.HDLC else (self._false_header,)),
            *((self._sealed, self._sealed, self._sealed) if self.keyed else ()),
        )

    def draw(self, random: Random, counters: CounterLease) -> Input:
        """Return one input.

        Args:
            random: what to draw from.
            counters: the invocation counters of the management client from now on.
        """
        drawn: Input = random.choice(self._ways)(random, counters)
        return drawn

    def _arbitrary(self, random: Random, counters: CounterLease) -> Input:
        octets = random.randbytes(random.choice((1, 2, 3, 9, 40, 300)))
        if random.random() < 0.5:
            octets = random.choice((b"\x7e", b"\x7e\xa0", b"\0\1\0\1", b"\0\1\0\1\0\1")) + octets
        return Input((octets,), "arbitrary")

    def _mutated(self, random: Random, counters: CounterLease) -> Input:
        return Input((mutate(random, random.choice(self._octets)),), "mutated octets")

    def _replayed(self, random: Random, counters: CounterLease) -> Input:
        """Say again what was said before, perhaps in the wrong order, perhaps in one run."""
        runs = tuple(random.choice(self.corpus.octets) for _ in range(random.randrange(1, 5)))
        return Input(runs if random.random() < 0.5 else (b"".join(runs),), "replayed octets")

    def _several(self, random: Random, counters: CounterLease) -> Input:
        runs = [mutate(random, random.choice(self._octets)) for _ in range(3)]
        return Input(tuple(runs), "mutated runs")

    def _apdu(self, random: Random, counters: CounterLease) -> Input:
        apdu = mutate(random, random.choice(self._apdus))
        return self._next(apdu, "mutated APDU")

    def _apdu_bomb(self, random: Random, counters: CounterLease) -> Input:
        return self._next(random.choice(APDU_BOMBS), "bomb")

    def _apdu_garbage(self, random: Random, counters: CounterLease) -> Input:
        octets = random.randbytes(random.choice((0, 1, 2, 5, 30)))
        return self._next(bytes((random.choice(_TAGS),)) + octets, "garbage in an APDU")

    def _next(self, apdu: bytes, how: str) -> Input:
        return Input((self.standing.envelope(apdu[:1900]),), how)

    def _sealed(self, random: Random, counters: CounterLease) -> Input:
        """Cipher garbage with the right keys and counter."""
        choice = random.random()
        if choice < 0.6:
            plain = mutate(random, random.choice(self.corpus.plain))
        elif choice < 0.8:
            plain = random.choice(APDU_BOMBS)
        else:
            plain = bytes((random.choice(_TAGS),)) + random.randbytes(random.randrange(40))
        tag = random.choice((None, None, None, *GLO_BY_PLAIN.values(), 219))
        apdu = seal(plain[:1800], counters, tag)
        octets = self.standing.envelope(apdu)
        return Input((octets,), "ciphered garbage", (plain[:1800],))

    # HDLC

    def _with_true_checks(self, random: Random, counters: CounterLease) -> Input:
        """Put garbage between true check sequences, in the next frame that is due."""
        frame = decode_frame(self._frame(random))
        assert not isinstance(frame, Incomplete)
        taken = frame[0]
        control = Control.from_int(
            random.choice((taken.control.to_int(), *_CONTROLS, random.randrange(256)))
        )
        information = random.choice(
            (
                mutate(random, taken.information or b"\x81\x80\x00"),
                random.randbytes(20),
                b"",
                b"\xe6" * 600,
            )
        )
        segmented = random.random() < 0.3
        built = replace(taken, control=control, information=information[:1900], segmented=segmented)
        return Input((built.to_bytes(),), "frame with true checks")

    def _with_false_fields(self, random: Random, counters: CounterLease) -> Input:
        """Damage the header, and make its check and that of the frame true again."""
        octets = self._frame(random)
        frame = decode_frame(octets)
        assert not isinstance(frame, Incomplete)
        addresses = frame[0].destination.octets + frame[0].source.octets
        header = bytearray(octets[1 : 1 + 2 + addresses + 1])
        for _ in range(random.choice((1, 1, 2))):
            header[random.randrange(len(header))] ^= 1 << random.randrange(8)
        body = bytes(header)
        if frame[0].information:
            body += frame_check(body).to_bytes(2, "little") + frame[0].information
        check = frame_check(body).to_bytes(2, "little")
        return Input((bytes((FLAG,)) + body + check + bytes((FLAG,)),), "frame with a false header")

    def _frame(self, random: Random) -> bytes:
        """Return a whole frame: the one that is due, or one of those recorded."""
        candidates = (self.standing.cut + self.standing.pending, random.choice(self.corpus.octets))
        for octets in random.sample(candidates, 2):
            try:
                if not isinstance(decode_frame(octets), Incomplete):
                    return octets
            except DecodeError:
                continue
        return self.corpus.octets[0]

    # wrapper

    def _false_header(self, random: Random, counters: CounterLease) -> Input:
        header = random.choice(self.corpus.octets)[:HEADER_OCTETS]
        body = random.choice(self._apdus)[: random.choice((0, 3, 2000))]
        return Input((mutate(random, header) + body,), "false header")

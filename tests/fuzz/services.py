"""Hostile inputs beyond the recorded conversations: every service, suite, envelope and port.

The requests here are one of each service that the meter has, by logical and by short names. An
attacker damages or keeps them, and puts them into any envelope that its client has keys for, into
general blocks, and on the line as they should be or damaged once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from meter_fw.board import PortId, PortKind
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from obis import catalogue
from obis.values import replace
from prepay.keys import lab_keys
from protocol import axdr
from protocol.apdu import (
    AccessKind,
    AccessRequestApdu,
    AccessSpecification,
    ActionRequestNormal,
    ActionRequestWithList,
    GeneralBlock,
    GetRequestNormal,
    GetRequestWithList,
    ReadRequestApdu,
    SetRequestListFirstDatablock,
    SetRequestNormal,
    SetRequestWithList,
    WriteRequestApdu,
)
from protocol.association.envelope import Envelope, Exchange, KeyKind, Signing, SigningPlace
from protocol.codes import ApplicationContext
from protocol.errors import ProtocolError
from protocol.events import (
    AttributeRef,
    InvokeId,
    LinkData,
    LongInvokeId,
    MethodRef,
    Opened,
    SelectiveAccess,
    ShortName,
)
from protocol.security import Protection
from protocol.timing import Instant
from tests.fuzz.hostile import APDU_BOMBS, VALUE_BOMBS, mutate
from tests.meter_fw.client import PUBLIC, READER, Client
from tests.meter_fw.rig import Rig
from tests.meter_fw.test_security_lines import settings
from tests.protocol.security_tools import broken_certificates

_CALM, _QUIET = InvokeId(), InvokeId(confirmed=False)
_LIST: Final = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2)
_CLOCK: Final = AttributeRef(8, catalogue.CLOCK, 2)
_DOOR: Final = AttributeRef(1, catalogue.TRANSACTION, 2)
_CUT: Final = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
_ENTER: Final = MethodRef(115, catalogue.TOKEN_GATEWAY, 1)
_ZERO: Final = axdr.integer(0)
#: Sign-on on the local port, and the wish for HDLC.
_SIGN_ON: Final = (b"/?!\r\n", b"\x06252\r\n")


def _security(index: int, parameter: axdr.Data) -> bytes:
    method = MethodRef(64, catalogue.SECURITY_SETUP, index)
    return ActionRequestNormal(_CALM, method, parameter).encode()


def _values(*bodies: bytes) -> Iterator[bytes]:
    """Yield requests that carry a value whose octets are anything."""
    head = SetRequestNormal(_CALM, _DOOR, None, axdr.null()).encode()[:-1]
    act = ActionRequestNormal(_CALM, _ENTER, axdr.null()).encode()[:-1]
    for body in bodies:
        yield head + body
        yield act + body


def requests() -> tuple[bytes, ...]:
    """Return one plain APDU of each service and form, and some that ask for very much."""
    selected = SelectiveAccess(2, axdr.structure(*[axdr.double_long_unsigned(1)] * 4))
    entry = axdr.structure(axdr.enum(0), axdr.octet_string(bytes(24)))
    offer = axdr.structure(axdr.enum(0), axdr.octet_string(bytes(128)))
    access = tuple(
        AccessSpecification(kind, _CUT if kind is AccessKind.ACTION else _CLOCK, chosen)
        for kind, chosen in (
            (AccessKind.GET, None),
            (AccessKind.SET, None),
            (AccessKind.ACTION, None),
            (AccessKind.GET_WITH_SELECTION, selected),
        )
    )
    names = [ShortName(address) for address in (0, 0x0108, 0xFA08, 0xFD08, 0xFFF8, 0xFFFF)]
    return (
        GetRequestNormal(_CALM, _LIST).encode(),
        GetRequestNormal(_QUIET, _LIST, selected).encode(),
        GetRequestWithList(_CALM, ((_CLOCK, None), (_LIST, selected))).encode(),
        GetRequestWithList(_CALM, ((_CLOCK, None),) * 90).encode(),
        SetRequestWithList(_CALM, ((_CLOCK, None), (_DOOR, None)), (_ZERO, _ZERO)).encode(),
        SetRequestListFirstDatablock(_CALM, ((_CLOCK, None),) * 2, False, 1, b"\x0f").encode(),
        ActionRequestWithList(_CALM, (_CUT, _ENTER), (_ZERO, _ZERO)).encode(),
        AccessRequestApdu(LongInvokeId(3), b"", access, (_ZERO,) * 4).encode(),
        AccessRequestApdu(LongInvokeId(3), b"", access[:1] * 60, (_ZERO,) * 60).encode(),
        ReadRequestApdu(tuple(names)).encode(),
        ReadRequestApdu((ShortName(0xFA08),) * 100).encode(),
        WriteRequestApdu(tuple(names), (_ZERO,) * len(names)).encode(),
        WriteRequestApdu((names[1],), (_ZERO,), confirmed=False).encode(),
        *(_security(index, axdr.array(entry)) for index in (2, 3)),
        *(_security(3, axdr.array(offer, *more)) for more in ((), (offer,))),
        *(_security(6, axdr.octet_string(octets)) for octets in broken_certificates()),
        *(_security(index, axdr.enum(200)) for index in (1, 4, 5, 7, 8)),
        *_values(*VALUE_BOMBS),
        *APDU_BOMBS,
    )


REQUESTS: Final = requests()


@dataclass(frozen=True, slots=True)
class Attacker:
    """Who attacks, where.

    Args:
        kind: what the port speaks.
        sap: the client that he is.
        suite: of the meter.
        short: whether he speaks by short names.
        changes: of the management client's settings.
    """

    kind: PortKind
    sap: int
    suite: int = 0
    short: bool = False
    changes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        names = {PUBLIC_SAP: "public", READER_SAP: "reader", MANAGEMENT_SAP: "management"}
        words = [self.kind.value, names[self.sap], f"suite {self.suite}"]
        return ", ".join([*words, *(["short names"] * self.short), *(k for k, _ in self.changes)])

    def open(self, rig: Rig, place: int) -> Client | None:
        """Open an association on a port of its own; None where the meter does not let him."""
        rig.tick(closed=frozenset(rig.kernel._ports.lines))
        kind = PortKind.HDLC if self.kind is PortKind.OPTICAL else self.kind
        port = PortId(f"{self.kind.value} {place}")
        rig.tick(opened={port: self.kind})
        if self.kind is PortKind.OPTICAL:
            for said in _SIGN_ON:
                rig.tick(rx={port: said})
                rig.now = Instant(rig.now + 1_000)
                rig.tick()
        counter = 1 + place * 1_000
        client = Client(rig, self._settings(), self.sap, kind, port, counter, shared=True)
        return client if isinstance(client.open(), Opened) else None

    def _settings(self) -> Any:
        if self.sap == MANAGEMENT_SAP:
            made = settings(lab_keys(self.suite), **dict(self.changes))
        else:
            made = PUBLIC if self.sap == PUBLIC_SAP else READER
        names = {
            ApplicationContext.LN: ApplicationContext.SN,
            ApplicationContext.LN_CIPHERED: ApplicationContext.SN_CIPHERED,
        }
        return replace(made, context=names[made.context]) if self.short else made


def envelope(random: Random, attacker: Attacker) -> Envelope:
    """Return some way to cipher and sign."""
    suite = lab_keys(attacker.suite).suite
    kinds = [KeyKind.UNSTATED, KeyKind.IDENTIFIED, KeyKind.WRAPPED]
    kinds += [KeyKind.ONE_PASS, KeyKind.STATIC_UNIFIED] if suite else []
    places = [None, None, *([*SigningPlace] if suite else ())]
    place = random.choice(places)
    return Envelope(
        random.choice([Protection.AUTHENTICATED_ENCRYPTED] * 5 + list(Protection)),
        is_general=random.random() < 0.3,
        is_dedicated=random.random() < 0.1,
        broadcast=random.random() < 0.1,
        exchange=random.choice([None, None, Exchange(random.choice(kinds))]),
        signing=None if place is None else Signing(place),
        suite=attacker._settings().suite,
    )


def apdus(random: Random, attacker: Attacker, client: Client) -> list[bytes]:
    """Return APDUs that are to be said one after the other."""
    plain = random.choice(REQUESTS)
    if random.random() < 0.6:
        plain = mutate(random, plain)
    channel = client.association._half._channel  # type: ignore[attr-defined] # his keys
    apdu = plain
    if channel is not None and plain and random.random() < 0.9:
        try:
            apdu = channel.seal(plain, envelope(random, attacker))
        except (ProtocolError, ValueError):  # no such key, or nothing that could be ciphered
            return [plain]
    if random.random() < 0.15:
        apdu = mutate(random, apdu)
    return _in_blocks(random, apdu) if random.random() < 0.2 else [apdu]


def _in_blocks(random: Random, apdu: bytes) -> list[bytes]:
    """Cut an APDU into general blocks, some of which are lost, repeated, or lie."""
    size = random.choice((1, 7, 50, 400))
    pieces = [apdu[start : start + size] for start in range(0, len(apdu), size)][:40] or [b""]
    window = random.choice((0, 1, 5, 63))
    blocks = [
        GeneralBlock(
            number == len(pieces), random.random() < 0.7, window, number, 0, piece
        ).encode()
        for number, piece in enumerate(pieces, 1)
    ]
    trick = random.randrange(7)
    if trick == 0:
        del blocks[random.randrange(len(blocks))]
    elif trick == 1:
        blocks += [random.choice(blocks)] * 3
    elif trick == 2:
        random.shuffle(blocks)
    elif trick == 3:
        blocks.append(GeneralBlock(True, False, 63, 0xFFFF, random.choice((0, 9, 0xFFFF))).encode())
    elif trick == 4:
        blocks = [mutate(random, block) for block in blocks]
    elif trick == 5:
        number = random.choice((0, 1, 1, 2, len(blocks)))
        empty = GeneralBlock(random.random() < 0.7, False, window, number, 0, b"").encode()
        blocks.insert(random.randrange(len(blocks) + 1), empty)
    return blocks


def say(random: Random, client: Client, apdu: bytes) -> int:
    """Say an APDU on the line and let the link have its turns; return the octets answered."""
    rig, answered = client.rig, 0
    try:
        client.link.send(LinkData(client.peer, apdu[:60_000]), rig.now)
    except ProtocolError:  # nothing to say, or no connection any more
        return 0
    damage = random.random() < 0.05
    for _ in range(400):
        octets = client.link.outgoing()
        if not octets:
            break
        octets = mutate(random, octets) if damage else octets
        outputs = rig.tick(rx={client.port: octets})
        answer = outputs.tx.get(client.port, b"")
        answered += len(answer)
        client.link.receive(answer, rig.now)
        if client.port in outputs.close:
            break
    return answered

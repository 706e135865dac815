"""A real conversation of each client with a meter, recorded: what replays and mutations are of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meter_fw.board import PortKind
from obis import catalogue
from prepay.transactions import Kind
from protocol import axdr
from protocol.apdu import ActionRequestNormal, GetRequestNormal, SetRequestNormal
from protocol.cosem.vendor import Order
from protocol.events import (
    ActionRequest,
    AttributeRef,
    GetRequest,
    MethodRef,
    Released,
    ReleaseRequest,
    Request,
    SelectiveAccess,
    SetRequest,
)
from tests.fuzz.bench import MANAGER, NAME_OF_DEVICE, PUBLIC, READER, Bench, Dialogue, small
from tests.meter_fw.rig import number

CLOCK: Final = AttributeRef(8, catalogue.CLOCK, 2)
TRANSACTION: Final = AttributeRef(1, catalogue.TRANSACTION, 2)
OBJECT_LIST: Final = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2)
LOG: Final = AttributeRef(7, catalogue.TRANSACTION_LOG, 2)
ENTER: Final = MethodRef(115, catalogue.TOKEN_GATEWAY, 1)
RELAY_OFF: Final = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)
RELAY_ON: Final = MethodRef(70, catalogue.DISCONNECT_CONTROL, 2)
#: Longer than the meter takes in one APDU, so it goes in blocks.
LONG: Final = axdr.octet_string(bytes(range(256)) * 6)
LAST_TWO: Final = SelectiveAccess(
    2,
    axdr.structure(
        axdr.double_long_unsigned(1),
        axdr.double_long_unsigned(2),
        axdr.long_unsigned(1),
        axdr.long_unsigned(0),
    ),
)


@dataclass(frozen=True, slots=True)
class Recording:
    """What one client said.

    Args:
        octets: every run of octets that went to the meter, in order.
        apdus: every APDU that went to the meter, as it did.
        plain: the plain APDU of each request.
    """

    octets: tuple[bytes, ...]
    apdus: tuple[bytes, ...]
    plain: tuple[bytes, ...]


def top_up(bench: Bench, identity: int, amount: int) -> Request:
    """Return the request that pays, in the way of the meter's mode."""
    if bench.profile == "il":
        return ActionRequest(ENTER, axdr.octet_string(bench.token(identity, amount)))
    sequence = bench.kernel.state.snapshot.sequence + 1
    snapshot = bench.snapshot(sequence, bench.balance + amount)
    return SetRequest(TRANSACTION, Order(number(identity), Kind.SNAPSHOT, snapshot).to_data())


def management_requests(bench: Bench, identity: int) -> Iterator[Request]:
    """Yield what a head-end asks on a busy day; top-up and relay moves among it."""
    yield GetRequest(OBJECT_LIST)
    yield GetRequest(CLOCK)
    yield top_up(bench, identity, 2_500)
    yield GetRequest(TRANSACTION)
    yield GetRequest(LOG, LAST_TWO)
    yield ActionRequest(RELAY_OFF, axdr.integer(0))
    yield ActionRequest(RELAY_ON, axdr.integer(0))
    yield ActionRequest(ENTER, LONG)
    yield SetRequest(AttributeRef(1, catalogue.SERIAL_NUMBER, 2), LONG)
    yield SetRequest(CLOCK, axdr.octet_string(bench.stamp().to_bytes()))


def record(bench: Bench, kind: PortKind, identity: int) -> Recording:
    """Let the management client hold its whole conversation and return what it said."""
    dialogue = Dialogue(bench, kind, MANAGER).open()
    plain = []
    for request in management_requests(bench, identity):
        plain.append(_plain(request))
        dialogue.ask(request)
    dialogue.say(ReleaseRequest())
    dialogue.run()
    assert isinstance(dialogue.heard[-1], Released)
    return Recording(tuple(dialogue.sent), tuple(dialogue.apdus), tuple(plain))


def record_others(bench: Bench, kind: PortKind) -> tuple[Recording, ...]:
    """Let those without keys read what they may, in blocks too."""
    recordings = []
    for who in (PUBLIC, small(PUBLIC), READER, small(READER)):
        dialogue = Dialogue(bench, kind, who).open()
        requests = [NAME_OF_DEVICE, GetRequest(OBJECT_LIST), GetRequest(CLOCK)]
        for request in requests:
            dialogue.ask(request)
        dialogue.say(ReleaseRequest())
        dialogue.run()
        plain = tuple(_plain(request) for request in requests)
        recordings.append(Recording(tuple(dialogue.sent), tuple(dialogue.apdus), plain))
    return tuple(recordings)


def _plain(request: Request) -> bytes:
    match request:
        case GetRequest():
            apdu = GetRequestNormal(request.invoke, request.attribute, request.access)
            return apdu.encode()
        case SetRequest():
            return SetRequestNormal(
                request.invoke, request.attribute, request.access, request.value
            ).encode()
        case ActionRequest():
            return ActionRequestNormal(request.invoke, request.method, request.parameter).encode()

"""Long values: split so that every block fits, and put together within bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import axdr
from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    Apdu,
    ExceptionResponse,
    GetRequestNext,
    GetRequestNormal,
    GetResponseDatablock,
    GetResponseNormal,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
    SetResponseDatablock,
    SetResponseLastDatablock,
    decode,
)
from protocol.association import SUPPORTED, Association
from protocol.association.blocks import IncomingBlocks, OutgoingBlocks, room, sealed_length
from protocol.association.channel import Envelope
from protocol.axdr import encode_length, null, octet_string
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    ServiceError,
    StateError,
)
from protocol.events import (
    ActionRequest,
    ActionResponse,
    GetResponse,
    InvokeId,
    SetRequest,
    SetResponse,
)
from protocol.security import Protection
from tests.protocol.association_tools import (
    BOTH,
    CLOCK,
    LN_CIPHERED,
    RELAY,
    T0,
    HandClient,
    answer,
    make_server,
    only,
    open_plain,
)

GET = GetRequestNormal(InvokeId(), CLOCK)
#: What there is without general blocks, which would carry everything.
NOT_GENERAL = SUPPORTED & ~Conformance.GENERAL_BLOCK_TRANSFER
LONG = octet_string(bytes(range(250)))
UNKNOWN = ExceptionResponse(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)

ENVELOPES = [
    None,
    *(
        Envelope(protection, general)
        for protection in (Protection(0x10), Protection(0x20), Protection(0x30))
        for general in (False, True)
    ),
]


def opened(max_pdu: int = 64, conformance: Conformance = SUPPORTED, **changes: Any) -> Association:
    """Return a server whose client takes APDUs of so many octets."""
    server = make_server(**changes)
    open_plain(server, max_pdu=max_pdu, conformance=conformance)
    return server


def asked(server: Association, apdu: Apdu) -> Apdu | None:
    """Return the answer that needs no application."""
    reply = answer(server, apdu.encode())
    return decode(reply) if reply else None


def first_get_block(server: Association, value: axdr.Data = LONG) -> GetResponseDatablock:
    """Ask for a long value and return its first block."""
    server.receive(GET.encode(), T0)
    server.send(GetResponse(value), T0)
    block = decode(only(server))
    assert isinstance(block, GetResponseDatablock)
    return block


# --- room --------------------------------------------------------------------------------------


@given(st.integers(12, 0xFFFF), st.sampled_from(ENVELOPES), st.integers(5, 40))
def test_room_is_all_there_is(limit: int, envelope: Envelope | None, head: int) -> None:
    """What fits, fits; one octet more would not."""

    def length(octets: int) -> int:
        return sealed_length(envelope, head + len(encode_length(octets)) + octets)

    octets = room(limit, envelope, head)
    assert octets <= 0 or length(octets) <= limit
    assert length(max(octets, 0) + 1) > limit


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("plain", [0, 1, 100, 109, 110, 122, 123, 250, 300, 65535])
def test_an_envelope_knows_its_length(envelope: Envelope | None, plain: int) -> None:
    """What is reckoned with is what is sealed."""
    client = HandClient(make_server())
    apdu = b"\xc0" + bytes(plain)
    if envelope is not None:
        assert len(client.channel.seal(apdu, envelope)) == sealed_length(envelope, len(apdu))
    else:
        assert sealed_length(None, plain) == plain


@given(st.binary(max_size=200), st.integers(1, 50))
def test_blocks_out_and_in_again(octets: bytes, size: int) -> None:
    """No octet is lost, and only the last block says that it is the last."""
    outgoing, incoming = OutgoingBlocks(octets), IncomingBlocks(len(octets))
    while not outgoing.is_done:
        number, is_last, piece = outgoing.take(size)
        assert len(piece) <= size
        assert is_last == outgoing.is_done
        incoming.add(number, piece)
    assert incoming.value() == octets


# --- GET ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [-1, 0, 1, 2])
def test_the_boundary_between_one_apdu_and_blocks(over: int) -> None:
    """A response goes whole as long as it fits to the last octet."""
    limit = 100
    head = len(GetResponseNormal(InvokeId(), octet_string(b"")).encode())
    value = octet_string(bytes(limit - head + over))
    server = opened(limit)
    server.receive(GET.encode(), T0)
    server.send(GetResponse(value), T0)
    apdu = only(server)
    assert len(apdu) <= limit
    kind = GetResponseNormal if over <= 0 else GetResponseDatablock
    assert isinstance(decode(apdu), kind)


@pytest.mark.parametrize("max_pdu", [12, 13, 64, 127, 128, 129, 138, 139, 140, 200, 251])
def test_a_long_get(max_pdu: int) -> None:
    """Each block fits and is as full as it can be; together they are the value."""
    server = opened(max_pdu)
    block = first_get_block(server)
    octets = b""
    while True:
        assert len(block.encode()) <= max_pdu
        assert isinstance(block.result, bytes)
        octets += block.result
        if block.last:
            break
        assert len(block.encode()) >= max_pdu - 1
        reply = asked(server, GetRequestNext(InvokeId(), block.block_number))
        assert isinstance(reply, GetResponseDatablock)
        assert reply.block_number == block.block_number + 1
        block = reply
    assert axdr.decode(octets) == LONG


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("max_pdu", [64, 127, 128, 150, 160, 250])
def test_a_long_get_in_envelopes(max_pdu: int, general: bool) -> None:
    """The envelope is part of what has to fit."""
    server = make_server(context=LN_CIPHERED)
    client = HandClient(server, BOTH, general=general)
    client.open(max_pdu=max_pdu)
    server.receive(client.seal(GET), T0)
    server.send(GetResponse(LONG), T0)
    octets = b""
    while True:
        apdu = only(server)
        assert len(apdu) <= max_pdu
        block = client.unseal(apdu)
        assert isinstance(block, GetResponseDatablock)
        assert isinstance(block.result, bytes)
        octets += block.result
        if block.last:
            break
        server.receive(client.seal(GetRequestNext(InvokeId(), block.block_number)), T0)
    assert axdr.decode(octets) == LONG


def no_block(number: int, reason: DataAccessResult) -> GetResponseDatablock:
    """Return the refusal of a block."""
    return GetResponseDatablock(InvokeId(), True, number, reason)


@pytest.mark.parametrize("number", [0, 2, 3, 0xFFFFFFFF])
def test_a_wrong_block_number_ends_a_long_get(number: int) -> None:
    """It is said once what was wrong; after that there is nothing in progress."""
    server = opened()
    first_get_block(server)
    invalid = no_block(number, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)
    assert asked(server, GetRequestNext(InvokeId(), number)) == invalid
    over = no_block(1, DataAccessResult.NO_LONG_GET_IN_PROGRESS)
    assert asked(server, GetRequestNext(InvokeId(), 1)) == over


def test_a_next_block_of_nothing() -> None:
    """Neither before a long GET, nor after its last block, nor after another request."""
    server = opened()
    over = no_block(1, DataAccessResult.NO_LONG_GET_IN_PROGRESS)
    assert asked(server, GetRequestNext(InvokeId(), 1)) == over
    first_get_block(server)
    server.receive(GET.encode(), T0)
    server.send(GetResponse(null()), T0)
    only(server)
    assert asked(server, GetRequestNext(InvokeId(), 1)) == over


def test_after_the_last_block_there_is_nothing_in_progress() -> None:
    """The last block ends the transfer, of a GET and of an ACTION."""
    server = opened()
    number = first_get_block(server).block_number
    while True:
        block = asked(server, GetRequestNext(InvokeId(), number))
        assert isinstance(block, GetResponseDatablock)
        number = block.block_number
        if block.last:
            break
    over = no_block(number, DataAccessResult.NO_LONG_GET_IN_PROGRESS)
    assert asked(server, GetRequestNext(InvokeId(), number)) == over
    server.receive(ActionRequestNormal(InvokeId(), RELAY).encode(), T0)
    server.send(ActionResponse(ActionResult.SUCCESS, octet_string(bytes(60))), T0)
    only(server)
    last = asked(server, ActionRequestNextPblock(InvokeId(), 1))
    assert isinstance(last, ActionResponsePblock)
    assert last.last
    assert asked(server, ActionRequestNextPblock(InvokeId(), 2)) == failed(
        ActionResult.NO_LONG_ACTION_IN_PROGRESS
    )


def test_without_block_transfer_a_long_get_is_aborted() -> None:
    """The client could not fetch the rest."""
    server = opened(conformance=NOT_GENERAL & ~Conformance.BLOCK_TRANSFER_GET)
    server.receive(GET.encode(), T0)
    server.send(GetResponse(LONG), T0)
    assert decode(only(server)) == GetResponseNormal(InvokeId(), DataAccessResult.LONG_GET_ABORTED)
    assert asked(server, GetRequestNext(InvokeId(), 1)) == UNKNOWN


# --- SET ---------------------------------------------------------------------------------------


def first_set_block(number: int = 1, last: bool = False, octets: bytes = b"\x09\x03a") -> Apdu:
    """Return the first block of a SET."""
    return SetRequestFirstDatablock(InvokeId(), CLOCK, None, last, number, octets)


def set_block(number: int, last: bool = False, octets: bytes = b"b") -> Apdu:
    """Return a further block of a SET."""
    return SetRequestDatablock(InvokeId(), last, number, octets)


def ended(reason: DataAccessResult, number: int) -> SetResponseLastDatablock:
    """Return how a SET in blocks ended."""
    return SetResponseLastDatablock(InvokeId(), reason, number)


def test_a_long_set_is_one_event() -> None:
    """Each block is confirmed, the last by the result."""
    server = opened()
    assert asked(server, first_set_block()) == SetResponseDatablock(InvokeId(), 1)
    assert asked(server, set_block(2)) == SetResponseDatablock(InvokeId(), 2)
    assert server.receive(set_block(3, True, b"c").encode(), T0) == [
        SetRequest(CLOCK, octet_string(b"abc"))
    ]
    server.send(SetResponse(DataAccessResult.READ_WRITE_DENIED), T0)
    assert decode(only(server)) == ended(DataAccessResult.READ_WRITE_DENIED, 3)


def test_a_long_set_may_be_one_block() -> None:
    """The first may be the last."""
    server = opened()
    (event,) = server.receive(first_set_block(1, True, b"\x00").encode(), T0)
    assert event == SetRequest(CLOCK, null())
    server.send(SetResponse(DataAccessResult.SUCCESS), T0)
    assert decode(only(server)) == ended(DataAccessResult.SUCCESS, 1)


@pytest.mark.parametrize(
    ("apdus", "reply"),
    [
        ([set_block(1)], ended(DataAccessResult.NO_LONG_SET_IN_PROGRESS, 1)),
        ([first_set_block(0)], ended(DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 0)),
        ([first_set_block(2)], ended(DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 2)),
        (
            [first_set_block(), set_block(3)],
            ended(DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 3),
        ),
        (
            [first_set_block(), set_block(1)],
            ended(DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 1),
        ),
        (
            [first_set_block(), set_block(3), set_block(2)],
            ended(DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2),
        ),
        (
            [first_set_block(), set_block(2, True, b"bcd")],
            ended(DataAccessResult.OTHER_REASON, 2),
        ),
        ([first_set_block(), set_block(2, True, b"")], ended(DataAccessResult.OTHER_REASON, 2)),
        (
            [first_set_block(), set_block(2, False, bytes(30)), set_block(3, False, bytes(30))],
            ended(DataAccessResult.LONG_SET_ABORTED, 3),
        ),
        (
            [
                ActionRequestFirstPblock(InvokeId(), RELAY, False, 1, b"\x09"),
                set_block(2),
            ],
            ended(DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2),
        ),
        (
            [first_set_block(), first_set_block(), set_block(2)],
            SetResponseDatablock(InvokeId(), 2),
        ),
    ],
    ids=[
        "none in progress",
        "begins at 0",
        "begins at 2",
        "one left out",
        "one twice",
        "after an error",
        "a value and more",
        "half a value",
        "too long",
        "of an ACTION",
        "begun anew",
    ],
)
def test_blocks_of_a_set_that_do_not_fit_together(apdus: list[Apdu], reply: Apdu) -> None:
    """The last answer says why, and no event came of it."""
    server = opened(max_assembly=60)
    for apdu in apdus[:-1]:
        assert server.receive(apdu.encode(), T0) == []
        only(server)
    assert server.receive(apdus[-1].encode(), T0) == []
    assert decode(only(server)) == reply


def test_the_longest_value_that_is_put_together() -> None:
    """To the octet."""
    value = axdr.encode(octet_string(bytes(58)))
    server = opened(max_assembly=60)
    asked(server, first_set_block(1, False, value[:30]))
    assert len(server.receive(set_block(2, True, value[30:]).encode(), T0)) == 1


@pytest.mark.parametrize(
    "apdu",
    [first_set_block(), set_block(1)],
)
def test_set_blocks_that_were_not_negotiated(apdu: Apdu) -> None:
    """They are not supported in this association."""
    server = opened(conformance=SUPPORTED & ~Conformance.BLOCK_TRANSFER_SET)
    assert asked(server, apdu) == UNKNOWN


# --- ACTION ------------------------------------------------------------------------------------


def first_pblock(number: int = 1, last: bool = False, octets: bytes = b"\x09\x03a") -> Apdu:
    """Return the first block of an ACTION's parameters."""
    return ActionRequestFirstPblock(InvokeId(), RELAY, last, number, octets)


def pblock(number: int, last: bool = False, octets: bytes = b"b") -> Apdu:
    """Return a further block of an ACTION's parameters."""
    return ActionRequestPblock(InvokeId(), last, number, octets)


def test_long_parameters_and_long_results() -> None:
    """Blocks come in, one event; one response, and blocks go out."""
    server = opened()
    assert asked(server, first_pblock()) == ActionResponseNextPblock(InvokeId(), 1)
    (event,) = server.receive(pblock(2, True, b"bc").encode(), T0)
    assert event == ActionRequest(RELAY, octet_string(b"abc"))
    server.send(ActionResponse(ActionResult.SUCCESS, LONG), T0)
    octets = b""
    while True:
        apdu = only(server)
        assert len(apdu) <= 64
        block = decode(apdu)
        assert isinstance(block, ActionResponsePblock)
        octets += block.raw_data
        if block.last:
            break
        server.receive(ActionRequestNextPblock(InvokeId(), block.block_number).encode(), T0)
    assert axdr.decode(octets) == LONG


def failed(reason: ActionResult) -> ActionResponseNormal:
    """Return the refusal of an ACTION."""
    return ActionResponseNormal(InvokeId(), reason)


@pytest.mark.parametrize(
    ("apdus", "reply"),
    [
        ([pblock(1)], failed(ActionResult.NO_LONG_ACTION_IN_PROGRESS)),
        ([first_pblock(2)], failed(ActionResult.LONG_ACTION_ABORTED)),
        ([first_pblock(), pblock(3)], failed(ActionResult.LONG_ACTION_ABORTED)),
        (
            [first_pblock(), pblock(3), pblock(2)],
            failed(ActionResult.NO_LONG_ACTION_IN_PROGRESS),
        ),
        (
            [first_pblock(), pblock(2, False, bytes(58))],
            failed(ActionResult.LONG_ACTION_ABORTED),
        ),
        ([first_pblock(), pblock(2, True, b"bcd")], failed(ActionResult.OTHER_REASON)),
        ([first_set_block(), pblock(2)], failed(ActionResult.NO_LONG_ACTION_IN_PROGRESS)),
        (
            [ActionRequestNextPblock(InvokeId(), 1)],
            failed(ActionResult.NO_LONG_ACTION_IN_PROGRESS),
        ),
    ],
    ids=[
        "none in progress",
        "begins at 2",
        "one left out",
        "after an error",
        "too long",
        "a value and more",
        "of a SET",
        "next of nothing",
    ],
)
def test_blocks_of_an_action_that_do_not_fit_together(apdus: list[Apdu], reply: Apdu) -> None:
    """The last answer says why, and no event came of it."""
    server = opened(max_assembly=60)
    for apdu in apdus[:-1]:
        assert server.receive(apdu.encode(), T0) == []
        only(server)
    assert server.receive(apdus[-1].encode(), T0) == []
    assert decode(only(server)) == reply


def test_a_wrong_number_ends_a_long_result() -> None:
    """After that there is nothing in progress."""
    server = opened()
    server.receive(ActionRequestNormal(InvokeId(), RELAY).encode(), T0)
    server.send(ActionResponse(ActionResult.SUCCESS, LONG), T0)
    only(server)
    wrong, right = ActionRequestNextPblock(InvokeId(), 2), ActionRequestNextPblock(InvokeId(), 1)
    assert asked(server, wrong) == failed(ActionResult.LONG_ACTION_ABORTED)
    assert asked(server, right) == failed(ActionResult.NO_LONG_ACTION_IN_PROGRESS)


@pytest.mark.parametrize(
    ("conformance", "result"),
    [
        (NOT_GENERAL & ~Conformance.BLOCK_TRANSFER_ACTION, ActionResult.SUCCESS),
        (NOT_GENERAL, ActionResult.HARDWARE_FAULT),
    ],
    ids=["blocks were not negotiated", "blocks would mean success"],
)
def test_long_results_that_cannot_be_blocks(conformance: Conformance, result: ActionResult) -> None:
    """The method was executed, and its result is told; only the return parameters are not."""
    server = opened(conformance=conformance)
    server.receive(ActionRequestNormal(InvokeId(), RELAY).encode(), T0)
    server.send(ActionResponse(result, LONG), T0)
    assert decode(only(server)) == ActionResponseNormal(
        InvokeId(), result, DataAccessResult.OTHER_REASON
    )


@pytest.mark.parametrize(
    "apdu", [first_pblock(), pblock(1), ActionRequestNextPblock(InvokeId(), 1)]
)
def test_action_blocks_that_were_not_negotiated(apdu: Apdu) -> None:
    """They are not supported in this association."""
    server = opened(conformance=SUPPORTED & ~Conformance.BLOCK_TRANSFER_ACTION)
    assert asked(server, apdu) == UNKNOWN


def test_a_new_association_knows_nothing_of_the_old_transfer() -> None:
    """Neither half a SET nor the rest of a GET."""
    server = opened()
    asked(server, first_set_block())
    open_plain(server)
    assert asked(server, set_block(2)) == ended(DataAccessResult.NO_LONG_SET_IN_PROGRESS, 2)
    assert server.receive(SetRequestNormal(InvokeId(), CLOCK, None, null()).encode(), T0)

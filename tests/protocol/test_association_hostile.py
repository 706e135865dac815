"""Whatever a stranger sends: a server never raises, never grows, and still serves the next."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestNormal,
    ApduTag,
    GetRequestNext,
    GetRequestNormal,
    Rlrq,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
)
from protocol.association import Association, State
from protocol.axdr import array, null, octet_string
from protocol.codes import DataAccessResult, Mechanism
from protocol.errors import RemoteProtocolError
from protocol.events import (
    ActionRequest,
    GetRequest,
    GetResponse,
    InvokeId,
    OpenRequest,
    ReleaseRequest,
    SetRequest,
)
from tests.protocol.association_tools import (
    CLIENT_CHALLENGE,
    CLIENT_TITLE,
    CLOCK,
    LN_CIPHERED,
    RELAY,
    T0,
    HandClient,
    aarq,
    answer,
    echo,
    initiate,
    make_client,
    make_server,
    open_plain,
    pass_3,
)

INVOKE = InvokeId()
GENUINE = [
    aarq(),
    aarq(mechanism=1, authentication_value=b"12345678"),
    aarq(calling_ap_title=CLIENT_TITLE, mechanism=5, authentication_value=CLIENT_CHALLENGE),
    HandClient(make_server()).aarq(Mechanism.HLS_GMAC),
    Rlrq().encode(),
    Rlrq(0, initiate().encode()).encode(),
    GetRequestNormal(INVOKE, CLOCK).encode(),
    GetRequestNext(INVOKE, 1).encode(),
    SetRequestNormal(INVOKE, CLOCK, None, array(null(), octet_string(b"x"))).encode(),
    SetRequestFirstDatablock(INVOKE, CLOCK, None, False, 1, b"\x09\x05ab").encode(),
    SetRequestDatablock(INVOKE, True, 2, b"cde").encode(),
    ActionRequestNormal(INVOKE, RELAY, null()).encode(),
    ActionRequestFirstPblock(INVOKE, RELAY, False, 1, b"\x09").encode(),
    pass_3(bytes(17)).encode(),
    HandClient(make_server(), counter=500).seal(GetRequestNormal(INVOKE, CLOCK)),
    HandClient(make_server(), counter=500, general=True).seal(GetRequestNormal(INVOKE, CLOCK)),
]


def idle() -> Association:
    """Return a server without an association."""
    return make_server()


def plain() -> Association:
    """Return a server with a plain association."""
    server = make_server(max_assembly=200)
    open_plain(server, max_pdu=64)
    return server


def receiving() -> Association:
    """Return a server in the middle of a long SET."""
    server = plain()
    answer(server, SetRequestFirstDatablock(INVOKE, CLOCK, None, False, 1, b"\x09").encode())
    return server


def sending() -> Association:
    """Return a server in the middle of a long GET."""
    server = plain()
    server.receive(GetRequestNormal(INVOKE, CLOCK).encode(), T0)
    server.send(GetResponse(octet_string(bytes(200))), T0)
    server.outgoing()
    return server


def owing() -> Association:
    """Return a server whose application has not answered yet."""
    server = plain()
    server.receive(GetRequestNormal(INVOKE, CLOCK).encode(), T0)
    return server


def challenged() -> Association:
    """Return a server that waits for pass 3."""
    server = make_server(mechanism=Mechanism.HLS_GMAC)
    answer(server, GENUINE[2])
    return server


def ciphered() -> Association:
    """Return a server with a ciphered association."""
    server = make_server(context=LN_CIPHERED)
    HandClient(server).open()
    return server


STATES = [idle, plain, receiving, sending, owing, challenged, ciphered]


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """Genuine APDUs with some octets changed, cut out or put in."""
    apdu = bytearray(draw(st.sampled_from(GENUINE)))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(apdu)))
        what = draw(st.sampled_from(["change", "cut", "insert", "truncate"]))
        if what == "change" and position < len(apdu):
            apdu[position] = draw(st.integers(0, 255))
        elif what == "cut":
            del apdu[position : position + draw(st.integers(1, 4))]
        elif what == "insert":
            apdu[position:position] = draw(st.binary(min_size=1, max_size=4))
        else:
            del apdu[position:]
    return bytes(apdu)


octets = st.binary(max_size=80) | mutants() | st.sampled_from(GENUINE)


def feed(server: Association, apdus: list[bytes], *, serve: bool = True) -> None:
    """Give a server APDUs; its application may or may not be there."""
    for apdu in apdus:
        events = server.receive(apdu, T0)
        assert len(events) <= 1
        for event in events:
            if serve and isinstance(event, GetRequest | SetRequest | ActionRequest):
                server.send(echo(event), T0)
        replies = 0
        while server.outgoing():
            replies += 1
        assert replies <= 1


@pytest.mark.parametrize("begin", STATES)
@settings(max_examples=60)
@given(apdus=st.lists(octets, max_size=6), serve=st.booleans())
def test_a_server_survives_anything(
    begin: Callable[[], Association], apdus: list[bytes], serve: bool
) -> None:
    """At most one answer to an APDU, no exception, and afterwards it can be opened."""
    server = begin()
    feed(server, apdus, serve=serve)
    server.reset()
    assert server.state == State.IDLE
    for way in (aarq(), GENUINE[2], HandClient(server, counter=10_000).aarq()):
        answer(server, way)
    assert isinstance(server.state, State)


@pytest.mark.parametrize("begin", STATES)
def test_every_octet_alone_is_answered(begin: Callable[[], Association]) -> None:
    """No tag is met with silence, but that of a confirmation, which has no answer."""
    for tag in set(range(256)) - {ApduTag.DATA_NOTIFICATION_CONFIRM}:
        assert answer(begin(), bytes((tag,))), tag


@pytest.mark.parametrize("begin", STATES)
@pytest.mark.parametrize("apdu", GENUINE, ids=range(len(GENUINE)))
def test_every_prefix_of_a_genuine_apdu_is_answered(
    begin: Callable[[], Association], apdu: bytes
) -> None:
    """Cut anywhere, it gets one answer and leaves the state of a plain association alone."""
    for cut in range(len(apdu)):
        server = begin()
        state = server.state
        assert answer(server, apdu[:cut])
        assert server.state == state


def test_deep_nesting_is_refused() -> None:
    """Structures in structures in structures, as far as an APDU goes."""
    server = make_server(max_pdu_receive=0xFFFF)
    open_plain(server)
    head = SetRequestNormal(INVOKE, CLOCK, None, null()).encode()[:-1]
    reply = answer(server, head + b"\x02\x01" * 30_000 + b"\x00")
    assert reply == bytes.fromhex("D80203")


def test_a_transfer_without_end_does_not_grow() -> None:
    """Neither with full blocks nor with empty ones."""
    server = make_server(max_assembly=1000)
    open_plain(server)
    answer(server, SetRequestFirstDatablock(INVOKE, CLOCK, None, False, 1, b"").encode())
    for number in range(2, 500):
        answer(server, SetRequestDatablock(INVOKE, False, number, b"").encode())
    kept = []
    for number in range(500, 600):
        reply = answer(server, SetRequestDatablock(INVOKE, False, number, bytes(100)).encode())
        kept.append(reply[1] == 2)  # a block confirmed, not a transfer ended
    assert sum(kept) == 10


def test_a_patient_stranger_gains_nothing() -> None:
    """Thousands of APDUs later a server keeps no more than at first."""
    server = plain()
    feed(server, GENUINE)
    before = _weight(server)
    for _ in range(50):
        feed(server, GENUINE)
    assert _weight(server) <= before + 200


def _weight(thing: object, seen: set[int] | None = None) -> int:
    """Return the octets that an object and all that it refers to take, roughly."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    weight = sys.getsizeof(thing)
    if isinstance(thing, str | bytes | bytearray | int):
        return weight
    if isinstance(thing, dict):
        return weight + sum(_weight(x, seen) for pair in thing.items() for x in pair)
    if isinstance(thing, list | tuple | set | frozenset):
        return weight + sum(_weight(x, seen) for x in thing)
    return weight + _weight(getattr(thing, "__dict__", {}), seen)


@settings(max_examples=200)
@given(
    st.lists(octets, max_size=6),
    st.sampled_from(["idle", "asked", "open", "busy", "leaving"]),
)
def test_a_client_raises_nothing_but_remote_errors(apdus: list[bytes], state: str) -> None:
    """Whatever the server sends; and it may always begin anew."""
    client = make_client()
    if state != "idle":
        client.send(OpenRequest(), T0)
    if state in ("open", "busy", "leaving"):
        client.receive(answer(make_server(), client.outgoing()), T0)
        assert client.is_open
    if state == "busy":
        client.send(GetRequest(CLOCK), T0)
    if state == "leaving":
        client.send(ReleaseRequest(), T0)
    for apdu in apdus:
        try:
            client.receive(apdu, T0)
        except RemoteProtocolError:
            assert client.state == State.IDLE
    client.reset()
    client.send(OpenRequest(), T0)


def test_the_application_may_fail_to_answer() -> None:
    """A new AARQ forgets the response that was owed."""
    server = owing()
    answer(server, aarq())
    assert len(server.receive(GetRequestNormal(INVOKE, CLOCK).encode(), T0)) == 1
    server.send(GetResponse(DataAccessResult.TEMPORARY_FAILURE), T0)

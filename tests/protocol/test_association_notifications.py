"""Notifications, their confirmation, and associations that stand from the beginning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.apdu import (
    Aare,
    ApduTag,
    Ciphered,
    DataNotificationApdu,
    ExceptionResponse,
    GeneralBlock,
    Rlrq,
    decode,
)
from protocol.association import SUPPORTED, Association, State
from protocol.axdr import octet_string, unsigned
from protocol.codes import (
    AssociationResult,
    Conformance,
    Mechanism,
    ServiceError,
    StateError,
)
from protocol.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    SecurityError,
)
from protocol.events import (
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    LongInvokeId,
    OpenRefused,
    OpenRequest,
    ReleaseRequest,
)
from protocol.security import KeySet, ReplayGuard
from tests.protocol.association_tools import (
    CLIENT_TITLE,
    CLOCK,
    LN,
    LN_CIPHERED,
    SERVER_TITLE,
    T0,
    WAYS,
    Pipe,
    aarq,
    answer,
    make_client,
    make_server,
    only,
)

DATA = DataNotification(octet_string(b"news"), LongInvokeId(7), b"\x07\xea" + bytes(10))
EVENT = EventNotification(CLOCK, unsigned(3))
PRE: dict[str, Any] = {"pre_established": True}
CONTEXTS = [LN, LN_CIPHERED]
NOT_NOW = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)


def opened(**changes: Any) -> Pipe:
    """Return two ends with an association between them."""
    pipe = Pipe(make_client(**changes), make_server(**changes))
    pipe.open()
    return pipe


def pre_established(**changes: Any) -> Pipe:
    """Return two ends of an association that nobody opened."""
    return Pipe(make_client(**PRE, **changes), make_server(**PRE, **changes))


# --- from the server to the client ---------------------------------------------------------------


@pytest.mark.parametrize("said", [DATA, EVENT], ids=["data", "event"])
@pytest.mark.parametrize(("mechanism", "context"), WAYS)
def test_a_notification_comes_through(mechanism: Mechanism, context: Any, said: Any) -> None:
    """In the envelope that it has: general for data, of its own for an event, or none."""
    pipe = opened(mechanism=mechanism, context=context)
    pipe.server.send(said, T0)
    apdu = only(pipe.server)
    ciphered = {DATA: ApduTag.GENERAL_GLO_CIPHERING, EVENT: ApduTag.GLO_EVENT_NOTIFICATION}
    plain = {DATA: ApduTag.DATA_NOTIFICATION, EVENT: ApduTag.EVENT_NOTIFICATION}
    assert apdu[0] == (ciphered if context == LN_CIPHERED else plain)[said]
    assert pipe.client.receive(apdu, T0) == [said]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_notification_between_a_request_and_its_answer_disturbs_neither(context: Any) -> None:
    """The client hears both, and the server still owes the answer."""
    pipe = opened(context=context)
    pipe.client.send(GetRequest(CLOCK), T0)
    pipe.server.receive(only(pipe.client), T0)
    pipe.server.send(DATA, T0)
    pipe.server.send(GetResponse(unsigned(1)), T0)
    heard = [pipe.client.receive(apdu, T0) for apdu in iter(pipe.server.outgoing, b"")]
    assert heard == [[DATA], [GetResponse(unsigned(1))]]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_confirmation_comes_back(context: Any) -> None:
    """It is an event of the server's, and nothing is answered to it."""
    pipe = opened(context=context)
    confirm = DataNotificationConfirm(DATA.invoke)
    assert pipe.send(confirm) == []
    assert pipe.requests[-1] == confirm
    assert pipe.to_client[1:] == []  # the AARE was the last thing said


def test_what_was_not_agreed_upon_is_not_said() -> None:
    """Neither service, in an association without it, nor anything without an association."""
    plain = SUPPORTED & ~(Conformance.DATA_NOTIFICATION | Conformance.EVENT_NOTIFICATION)
    pipe = opened(conformance=plain)
    for server in (pipe.server, make_server()):
        for said in (DATA, EVENT):
            with pytest.raises(LocalProtocolError):
                server.send(said, T0)
        assert server.outgoing() == b""


def test_nothing_is_notified_to_whom_has_not_proved_himself() -> None:
    """HLS passes 3 and 4 come first."""
    client = make_client(mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED)
    server = make_server(mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED)
    client.send(OpenRequest(), T0)
    server.receive(only(client), T0)
    assert server.state is State.CHALLENGED
    with pytest.raises(LocalProtocolError):
        server.send(DATA, T0)


def test_a_plain_notification_in_a_ciphered_association_is_read_over() -> None:
    """Anybody may have said it; nothing came of it, and the association stands."""
    pipe = opened(context=LN_CIPHERED)
    assert pipe.client.receive(DataNotificationApdu(DATA).encode(), T0) == []
    assert pipe.client.is_open


def test_a_notification_that_was_heard_before_ends_the_association() -> None:
    """Its counter is used."""
    pipe = opened(context=LN_CIPHERED)
    pipe.server.send(DATA, T0)
    apdu = only(pipe.server)
    pipe.client.receive(apdu, T0)
    with pytest.raises(ReplayError):
        pipe.client.receive(apdu, T0)
    assert not pipe.client.is_open


@pytest.mark.parametrize("octets", ["0F", "0F00000001", "0F0000000100", "C200", "C2000001"])
def test_a_malformed_notification_is_an_error(octets: str) -> None:
    """Of the server's."""
    pipe = opened()
    with pytest.raises(RemoteProtocolError):
        pipe.client.receive(bytes.fromhex(octets), T0)


@pytest.mark.parametrize("octets", ["10", "1000", "100000000105", "10FFFFFFFF0D"])
def test_a_malformed_confirmation_gets_no_answer(octets: str) -> None:
    """Nobody waits for one, and the association stands."""
    pipe = opened()
    assert pipe.server.receive(bytes.fromhex(octets), T0) == []
    assert pipe.server.outgoing() == b""
    assert pipe.server.is_open


# --- long ones -----------------------------------------------------------------------------------


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("length", [1, 900, 1024, 5000, 60_000])
def test_a_long_notification_goes_in_blocks(context: Any, length: int) -> None:
    """None longer than the client takes, acknowledged by nobody, ciphered as a whole."""
    pipe = pre_established(context=context)
    said = DataNotification(octet_string(bytes(length)))
    pipe.server.send(said, T0)
    apdus = list(iter(pipe.server.outgoing, b""))
    assert max(map(len, apdus)) <= 1024
    heard = [event for apdu in apdus for event in pipe.client.receive(apdu, T0)]
    assert heard == [said]
    assert pipe.client.outgoing() == b""
    if len(apdus) > 1:
        assert {type(decode(apdu)) for apdu in apdus} == {GeneralBlock}


def test_a_long_notification_without_blocks_is_refused_and_costs_no_counter() -> None:
    """The next one that fits has the next counter."""
    plain = SUPPORTED & ~Conformance.GENERAL_BLOCK_TRANSFER
    pipe = pre_established(context=LN_CIPHERED, conformance=plain)
    with pytest.raises(LocalProtocolError):
        pipe.server.send(DataNotification(octet_string(bytes(1100))), T0)
    pipe.server.send(DATA, T0)
    ciphered = decode(only(pipe.server))
    assert isinstance(ciphered, Ciphered)
    assert ciphered.counter == 1


# --- pre-established -----------------------------------------------------------------------------


@pytest.mark.parametrize("context", CONTEXTS)
def test_services_pass_at_once(context: Any) -> None:
    """Both ends are open from the first, and stay open."""
    pipe = Pipe(
        make_client(**PRE, context=context, general_ciphering=True),
        make_server(**PRE, context=context),
    )
    assert pipe.client.is_open
    assert pipe.server.is_open
    assert pipe.send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]


def test_a_client_whose_title_is_agreed_upon_may_leave_it_out() -> None:
    """glo-get-request has no place for it."""
    client = make_client(**PRE, context=LN_CIPHERED, server_system_title=SERVER_TITLE)
    server = make_server(**PRE, context=LN_CIPHERED, client_system_title=CLIENT_TITLE)
    assert Pipe(client, server).send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]


def test_a_client_without_a_title_is_not_deciphered() -> None:
    """Where none is agreed upon, and it sends none."""
    client = make_client(**PRE, context=LN_CIPHERED, server_system_title=SERVER_TITLE)
    client.send(GetRequest(CLOCK), T0)
    reply = decode(answer(make_server(**PRE, context=LN_CIPHERED), only(client)))
    assert isinstance(reply, ExceptionResponse)
    assert reply.service_error is ServiceError.DECIPHERING_ERROR


def test_an_aarq_is_rejected_and_the_association_stands() -> None:
    """Nobody may open what is open, and least of all with less security."""
    server = make_server(**PRE)
    (refused,) = server.receive(aarq(), T0)
    assert isinstance(refused, OpenRefused)
    aare = decode(only(server))
    assert isinstance(aare, Aare)
    assert aare.result is AssociationResult.REJECTED_PERMANENT
    assert server.is_open
    client = make_client(**PRE)
    assert Pipe(client, server).send(GetRequest(CLOCK)) == [GetResponse(octet_string(b"value"))]


def test_an_rlrq_is_refused_and_the_association_stands() -> None:
    """It has no end."""
    server = make_server(**PRE)
    refused = ExceptionRaised(NOT_NOW.state_error, NOT_NOW.service_error)
    assert server.receive(Rlrq().encode(), T0) == [refused]
    assert decode(only(server)) == NOT_NOW
    assert server.is_open


@pytest.mark.parametrize("event", [OpenRequest(), ReleaseRequest()])
def test_a_client_neither_opens_nor_releases_it(event: Any) -> None:
    """Both are mistakes of the caller's, and change nothing."""
    client = make_client(**PRE)
    with pytest.raises(LocalProtocolError):
        client.send(event, T0)
    assert client.is_open
    assert client.outgoing() == b""


@pytest.mark.parametrize("make", [make_client, make_server])
def test_it_stands_again_after_it_was_forgotten(make: Any) -> None:
    """The link under it may come and go."""
    end: Association = make(**PRE, context=LN_CIPHERED)
    end.reset()
    assert end.is_open


def test_it_stands_again_after_the_other_side_did_what_it_may_not() -> None:
    """The client says so, and hears the next notification."""
    pipe = pre_established(context=LN_CIPHERED)
    pipe.server.send(DATA, T0)
    apdu = only(pipe.server)
    forged = apdu[:-1] + bytes((apdu[-1] ^ 1,))
    with pytest.raises(SecurityError):
        pipe.client.receive(forged, T0)
    assert pipe.client.is_open
    assert pipe.client.receive(apdu, T0) == [DATA]


def test_it_authenticates_nobody() -> None:
    """Passwords and challenges are for associations that are opened."""
    for mechanism in (Mechanism.LLS, Mechanism.HLS_GMAC):
        with pytest.raises(ValueError, match="pre-established"):
            make_server(**PRE, mechanism=mechanism)


def test_a_notification_is_not_believed_when_it_comes_back_to_its_sender() -> None:
    """The same keys are on both sides, so only the title tells who said it."""
    server = make_server(**PRE, context=LN_CIPHERED)
    server.send(DATA, T0)
    reflected = only(server)
    reply = decode(answer(server, reflected))
    assert isinstance(reply, ExceptionResponse)
    assert reply.service_error is ServiceError.DECIPHERING_ERROR


def test_nobody_may_have_the_servers_own_title() -> None:
    """Or what one meter says could be served by itself: the keys are the same on both sides."""
    twin = make_client(
        **PRE, context=LN_CIPHERED, general_ciphering=True, system_title=SERVER_TITLE
    )
    twin.send(GetRequest(CLOCK), T0)
    reply = decode(answer(make_server(**PRE, context=LN_CIPHERED), only(twin)))
    assert isinstance(reply, ExceptionResponse)
    assert reply.service_error is ServiceError.DECIPHERING_ERROR


def test_a_notification_under_other_keys_is_not_believed() -> None:
    """Nor does its title become the meter's."""
    client = make_client(**PRE, context=LN_CIPHERED)
    stranger = make_server(
        **PRE, context=LN_CIPHERED, system_title=b"STRANGER", keys=KeySet(bytes(16), bytes(16))
    )
    stranger.send(DATA, T0)
    with pytest.raises(SecurityError):
        client.receive(only(stranger), T0)
    genuine = make_server(**PRE, context=LN_CIPHERED)
    genuine.send(DATA, T0)
    assert client.receive(only(genuine), T0) == [DATA]


def test_a_replayed_request_is_refused() -> None:
    """Whoever owns the guard remembers it beyond the association."""
    guard = ReplayGuard()
    client = make_client(**PRE, context=LN_CIPHERED, general_ciphering=True)
    client.send(GetRequest(CLOCK), T0)
    apdu = only(client)
    first = make_server(**PRE, context=LN_CIPHERED, guard=guard)
    assert first.receive(apdu, T0) == [GetRequest(CLOCK)]
    reply = decode(answer(make_server(**PRE, context=LN_CIPHERED, guard=guard), apdu))
    assert isinstance(reply, ExceptionResponse)
    assert reply.service_error is ServiceError.INVOCATION_COUNTER_ERROR


@given(st.sampled_from(CONTEXTS), st.lists(st.binary(min_size=1, max_size=40), max_size=4))
def test_no_octets_close_it(context: Any, pieces: list[bytes]) -> None:
    """Nothing is raised, whatever comes, and the next request is served."""
    server = make_server(**PRE, context=context)
    for octets in pieces:
        server.receive(octets, T0)
        list(iter(server.outgoing, b""))
    assert server.is_open

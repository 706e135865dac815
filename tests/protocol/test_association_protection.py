"""An open association: what a server answers to requests that are not as they should be."""

from typing import Any

import pytest

from protocol.apdu import (
    ActionRequestNormal,
    ActionResponseNormal,
    Apdu,
    ExceptionResponse,
    GetRequestNormal,
    GetResponseNormal,
    SetRequestNormal,
    SetResponseNormal,
    decode,
)
from protocol.association import SUPPORTED, State
from protocol.axdr import Data, Tag, null, octet_string
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    Mechanism,
    ServiceError,
    StateError,
)
from protocol.errors import EncodeError, LocalProtocolError
from protocol.events import (
    ActionRequest,
    ActionResponse,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    InvokeId,
    OpenRequest,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard
from tests.protocol.association_tools import (
    BOTH,
    CLOCK,
    KEYS,
    LN_CIPHERED,
    RELAY,
    SERVER_TITLE,
    T0,
    HandClient,
    answer,
    make_server,
    only,
    open_plain,
)

GET = GetRequestNormal(InvokeId(3), CLOCK)
VALUE = GetResponse(octet_string(b"value"))


def exception(
    service: ServiceError, state: StateError = StateError.SERVICE_NOT_ALLOWED
) -> ExceptionResponse:
    """Return an exception response."""
    return ExceptionResponse(state, service)


DECIPHERING = exception(ServiceError.DECIPHERING_ERROR)
NOT_NOW = exception(ServiceError.OPERATION_NOT_POSSIBLE)
UNKNOWN = exception(ServiceError.SERVICE_NOT_SUPPORTED, StateError.SERVICE_UNKNOWN)
NONSENSE = exception(ServiceError.OTHER_REASON, StateError.SERVICE_UNKNOWN)


def ciphered(
    protection: Protection = BOTH,
    required: Protection = BOTH,
    *,
    general: bool = False,
    guard: ReplayGuard | None = None,
) -> HandClient:
    """Return a client with an open ciphered association."""
    server = make_server(context=LN_CIPHERED, protection=required, guard=guard)
    client = HandClient(server, protection, general=general)
    client.open()
    return client


# --- requests and responses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "event", "response", "reply"),
    [
        (
            GetRequestNormal(InvokeId(3), CLOCK),
            GetRequest(CLOCK, None, InvokeId(3)),
            VALUE,
            GetResponseNormal(InvokeId(3), octet_string(b"value")),
        ),
        (
            GetRequestNormal(InvokeId(3), CLOCK, SelectiveAccess(2, null())),
            GetRequest(CLOCK, SelectiveAccess(2, null()), InvokeId(3)),
            GetResponse(DataAccessResult.OBJECT_UNDEFINED),
            GetResponseNormal(InvokeId(3), DataAccessResult.OBJECT_UNDEFINED),
        ),
        (
            SetRequestNormal(InvokeId(15, True, False), CLOCK, None, null()),
            SetRequest(CLOCK, null(), None, InvokeId(15, True, False)),
            SetResponse(DataAccessResult.READ_WRITE_DENIED),
            SetResponseNormal(InvokeId(15, True, False), DataAccessResult.READ_WRITE_DENIED),
        ),
        (
            ActionRequestNormal(InvokeId(0), RELAY, null()),
            ActionRequest(RELAY, null(), InvokeId(0)),
            ActionResponse(ActionResult.SUCCESS, null()),
            ActionResponseNormal(InvokeId(0), ActionResult.SUCCESS, null()),
        ),
        (
            ActionRequestNormal(InvokeId(1), RELAY),
            ActionRequest(RELAY, None, InvokeId(1)),
            ActionResponse(ActionResult.TEMPORARY_FAILURE),
            ActionResponseNormal(InvokeId(1), ActionResult.TEMPORARY_FAILURE),
        ),
    ],
    ids=["GET", "GET refused", "SET refused", "ACTION", "ACTION refused"],
)
def test_a_request_is_an_event_and_its_response_echoes_the_invoke_id(
    request_: Apdu, event: Any, response: Any, reply: Apdu
) -> None:
    """Plain, and in either envelope alike."""
    server = make_server()
    open_plain(server)
    assert server.receive(request_.encode(), T0) == [event]
    server.send(response, T0)
    assert decode(only(server)) == reply
    for general in (False, True):
        client = ciphered(general=general)
        assert client.server.receive(client.seal(request_), T0) == [event]
        client.server.send(response, T0)
        assert client.unseal(only(client.server)) == reply


@pytest.mark.parametrize("protection", [Protection(0x10), Protection(0x20), Protection(0x30)])
@pytest.mark.parametrize("general", [False, True])
def test_the_answer_is_protected_as_the_request_was(protection: Protection, general: bool) -> None:
    """``HandClient.unseal`` checks the envelope."""
    client = ciphered(protection, protection, general=general)
    client.server.receive(client.seal(GET), T0)
    client.server.send(VALUE, T0)
    assert isinstance(client.unseal(only(client.server)), GetResponseNormal)


def test_better_protection_than_required_is_welcome() -> None:
    """A client may do more than it has to."""
    client = ciphered(BOTH, Protection.AUTHENTICATED)
    assert len(client.server.receive(client.seal(GET), T0)) == 1


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (GetRequestNormal(InvokeId(1, False), CLOCK), VALUE),
        (
            SetRequestNormal(InvokeId(1, False), CLOCK, None, null()),
            SetResponse(DataAccessResult.SUCCESS),
        ),
        (ActionRequestNormal(InvokeId(1, False), RELAY), ActionResponse(ActionResult.SUCCESS)),
    ],
    ids=["GET", "SET", "ACTION"],
)
def test_unconfirmed_requests_are_executed_and_not_answered(request_: Apdu, response: Any) -> None:
    """The response is taken and goes nowhere; the next request passes."""
    server = make_server()
    open_plain(server)
    assert len(server.receive(request_.encode(), T0)) == 1
    server.send(response, T0)
    assert only(server) == b""
    assert len(server.receive(GET.encode(), T0)) == 1


def test_unconfirmed_requests_that_fail_are_not_answered_either() -> None:
    """Not supported, not negotiated, malformed, or too early."""
    server = make_server(conformance=SUPPORTED & ~Conformance.SET)
    open_plain(server)
    unconfirmed = InvokeId(1, confirmed=False)
    for apdu in (
        bytes.fromhex("C00381"),
        bytes.fromhex("C0018100"),
        SetRequestNormal(unconfirmed, CLOCK, None, null()).encode(),
    ):
        assert answer(server, apdu) == b""
    server.receive(GET.encode(), T0)
    assert answer(server, GetRequestNormal(unconfirmed, CLOCK).encode()) == b""


# --- misuse by our own side --------------------------------------------------------------------


def test_a_response_nobody_asked_for() -> None:
    """Without a request, twice, or of another service: a mistake of ours."""
    server = make_server()
    with pytest.raises(LocalProtocolError, match="no response is owed"):
        server.send(VALUE, T0)
    open_plain(server)
    with pytest.raises(LocalProtocolError, match="no response is owed"):
        server.send(VALUE, T0)
    server.receive(GET.encode(), T0)
    with pytest.raises(LocalProtocolError, match="no SetResponse is owed"):
        server.send(SetResponse(DataAccessResult.SUCCESS), T0)
    with pytest.raises(LocalProtocolError, match="does not send OpenRequest"):
        server.send(OpenRequest(), T0)
    server.send(VALUE, T0)
    with pytest.raises(LocalProtocolError, match="no response is owed"):
        server.send(VALUE, T0)


def test_a_value_that_does_not_fit_leaves_the_response_owed() -> None:
    """So that the server can still say that it failed."""
    server = make_server()
    open_plain(server)
    server.receive(GET.encode(), T0)
    with pytest.raises(EncodeError):
        server.send(GetResponse(Data(Tag.UNSIGNED, 256)), T0)
    server.send(GetResponse(DataAccessResult.HARDWARE_FAULT), T0)
    assert decode(only(server)) == GetResponseNormal(InvokeId(3), DataAccessResult.HARDWARE_FAULT)


def test_a_server_may_answer_by_an_exception() -> None:
    """For what it cannot express as a result."""
    server = make_server()
    open_plain(server)
    server.receive(GET.encode(), T0)
    server.send(ExceptionRaised(NOT_NOW.state_error, NOT_NOW.service_error), T0)
    assert decode(only(server)) == NOT_NOW
    assert len(server.receive(GET.encode(), T0)) == 1


def test_a_second_request_while_a_response_is_owed() -> None:
    """One at a time; the first is still answered."""
    server = make_server()
    open_plain(server)
    server.receive(GET.encode(), T0)
    assert decode(answer(server, GetRequestNormal(InvokeId(4), CLOCK).encode())) == NOT_NOW
    server.send(VALUE, T0)
    assert decode(only(server)) == GetResponseNormal(InvokeId(3), octet_string(b"value"))


def test_a_worn_out_key_is_told() -> None:
    """What was asked has been done, but cannot be ciphered any more."""
    server = make_server(context=LN_CIPHERED, counters=CounterLease(1, 2))
    client = HandClient(server)
    client.open()
    server.receive(client.seal(GET), T0)
    server.send(VALUE, T0)
    assert decode(only(server)) == NOT_NOW


# --- not what was agreed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "reply"),
    [
        ("C003C1", NONSENSE),
        ("C104C1", NONSENSE),
        ("C105C1", NONSENSE),
        ("C303C1", NONSENSE),
        ("C305C1", NONSENSE),
        ("0501020008", UNKNOWN),
        ("06010200080100", UNKNOWN),
        ("D9", NONSENSE),
        ("E0", NONSENSE),
        ("00", UNKNOWN),
        ("FF", UNKNOWN),
        ("C4", UNKNOWN),
        ("61", UNKNOWN),
        ("D80101", UNKNOWN),
        ("01000000065F1F0400007E1F04B0", UNKNOWN),
        ("", NONSENSE),
        ("C0", NONSENSE),
        ("C001", NONSENSE),
        ("C001C1", NONSENSE),
        ("C009C1", NONSENSE),
        ("C101C100080000010000FF0200", NONSENSE),
        ("C101C100080000010000FF0200FE", NONSENSE),
        ("60", NONSENSE),
        ("62", NONSENSE),
        ("620380", NONSENSE),
        ("C8", DECIPHERING),
        ("C81E1001234567C0010000080000010000FF020006725D910F9221D263877516", DECIPHERING),
        ("DB08", DECIPHERING),
        ("D000", DECIPHERING),
        ("DC00", DECIPHERING),
    ],
)
def test_what_a_plain_association_does_not_serve(apdu: str, reply: ExceptionResponse) -> None:
    """Every one gets its exception, and the association goes on."""
    server = make_server()
    open_plain(server)
    events = server.receive(bytes.fromhex(apdu), T0)
    assert events == [ExceptionRaised(reply.state_error, reply.service_error)]
    assert decode(only(server)) == reply
    assert server.is_open


@pytest.mark.parametrize(
    ("missing", "request_"),
    [
        (Conformance.GET, GET),
        (Conformance.SET, SetRequestNormal(InvokeId(), CLOCK, None, null())),
        (Conformance.ACTION, ActionRequestNormal(InvokeId(), RELAY)),
        (
            Conformance.SELECTIVE_ACCESS,
            GetRequestNormal(InvokeId(), CLOCK, SelectiveAccess(1, null())),
        ),
        (
            Conformance.SELECTIVE_ACCESS,
            SetRequestNormal(InvokeId(), CLOCK, SelectiveAccess(1, null()), null()),
        ),
    ],
    ids=["GET", "SET", "ACTION", "selective GET", "selective SET"],
)
def test_services_that_were_not_negotiated(missing: Conformance, request_: Apdu) -> None:
    """They are not supported in this association."""
    server = make_server()
    open_plain(server, conformance=SUPPORTED & ~missing)
    assert decode(answer(server, request_.encode())) == UNKNOWN


def test_an_apdu_longer_than_agreed() -> None:
    """One octet more than the server takes is one too many."""
    server = make_server(max_pdu_receive=64)
    open_plain(server)
    head = len(SetRequestNormal(InvokeId(), CLOCK, None, octet_string(b"")).encode())
    fits = SetRequestNormal(InvokeId(), CLOCK, None, octet_string(bytes(64 - head)))
    too_long = SetRequestNormal(InvokeId(), CLOCK, None, octet_string(bytes(65 - head)))
    assert len(fits.encode()) == 64
    assert decode(answer(server, too_long.encode())) == exception(ServiceError.PDU_TOO_LONG)
    assert len(server.receive(fits.encode(), T0)) == 1


def test_an_envelope_is_not_held_against_a_client() -> None:
    """Some clients do not reckon with all of it; but it is no way to send without bound."""
    server = make_server(max_pdu_receive=64, context=LN_CIPHERED)
    client = HandClient(server, general=True)
    client.open()
    head = len(SetRequestNormal(InvokeId(), CLOCK, None, octet_string(b"")).encode())
    fits = SetRequestNormal(InvokeId(), CLOCK, None, octet_string(bytes(64 - head)))
    assert len(server.receive(client.seal(fits), T0)) == 1
    server.send(SetResponse(DataAccessResult.SUCCESS), T0)
    only(server)
    too_long = SetRequestNormal(InvokeId(), CLOCK, None, octet_string(bytes(100)))
    assert decode(answer(server, client.seal(too_long))) == exception(ServiceError.PDU_TOO_LONG)


# --- not as it has to be protected -------------------------------------------------------------


def garble(octets: bytes, index: int = -1) -> bytes:
    """Return octets with one bit flipped."""
    changed = bytearray(octets)
    changed[index] ^= 1
    return bytes(changed)


STRANGER = KeySet(bytes(16), KEYS.authentication_key)


@pytest.mark.parametrize(
    "make",
    [
        lambda client: GET.encode(),
        lambda client: garble(client.seal(GET)),
        lambda client: garble(client.seal(GET), 10),
        lambda client: garble(client.seal(GET), 6),
        lambda client: HandClient(client.server, counter=50, keys=STRANGER).seal(GET),
        lambda client: HandClient(client.server, Protection.AUTHENTICATED, 50).seal(GET),
        lambda client: HandClient(client.server, Protection.ENCRYPTED, 50).seal(GET),
        lambda client: bytes((201,)) + client.seal(GET)[1:],
        lambda client: bytes((204,)) + client.seal(GET)[1:],
        lambda client: bytes((208,)) + client.seal(GET)[1:],
        lambda client: client.seal(GetResponseNormal(InvokeId(), null())),
        lambda client: bytes.fromhex("C8053100000050"),
        lambda client: bytes.fromhex("C8057000000050"),
        lambda client: bytes.fromhex("C805B000000050"),
        lambda client: bytes.fromhex("C8050000000050"),
        lambda client: bytes.fromhex("C8053000000050"),
    ],
    ids=[
        "plain",
        "false tag",
        "ciphertext changed",
        "counter changed",
        "another key",
        "authenticated only",
        "encrypted only",
        "the envelope of another service",
        "a response's envelope",
        "dedicated key",
        "a response",
        "suite 1",
        "broadcast key",
        "compressed",
        "no protection",
        "no tag",
    ],
)
def test_requests_that_are_not_protected_as_they_have_to_be(make: Any) -> None:
    """A deciphering error, and nothing changes: not even the counter is remembered."""
    guard = ReplayGuard()
    client = ciphered(guard=guard)
    before = guard.last
    apdu = make(client)
    events = client.server.receive(apdu, T0)
    assert events == [ExceptionRaised(DECIPHERING.state_error, DECIPHERING.service_error)]
    assert decode(only(client.server)) == DECIPHERING
    assert client.server.is_open
    # A true tag vouches for its counter even around the wrong APDU, but it is not needed.
    assert guard.last == before
    assert len(client.server.receive(client.seal(GET), T0)) == 1


def test_general_ciphering_by_a_third_party() -> None:
    """The title in the envelope has to be that of the AARQ, or missing."""
    client = ciphered(general=True)
    sealed = client.seal(GET)
    foreign = sealed.replace(b"CLI\x00\x00\x00\x00\x01", SERVER_TITLE)
    assert decode(answer(client.server, foreign)) == DECIPHERING
    nameless = sealed[:1] + b"\x00" + sealed[10:]
    assert len(client.server.receive(nameless, T0)) == 1


@pytest.mark.parametrize("general", [False, True])
def test_a_replayed_request_is_not_served_again(general: bool) -> None:
    """It is told the least counter that would do."""
    client = ciphered(general=general)
    apdu = client.seal(GET)
    client.server.receive(apdu, T0)
    client.server.send(VALUE, T0)
    only(client.server)
    expected = (StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 3)
    assert client.server.receive(apdu, T0) == [ExceptionRaised(*expected)]
    assert decode(only(client.server)) == ExceptionResponse(*expected)
    assert client.server.is_open


def test_counters_may_be_left_out_but_not_gone_back_to() -> None:
    """A client that lost its place skips ahead."""
    client = ciphered()
    late = client.seal(GET)
    client.server.receive(HandClient(client.server, counter=1000).seal(GET), T0)
    client.server.send(VALUE, T0)
    only(client.server)
    reply = decode(answer(client.server, late))
    assert reply == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 1001
    )


def test_a_genuine_request_is_remembered_even_if_it_is_nonsense() -> None:
    """Its counter is used, whatever it carried."""
    guard = ReplayGuard()
    client = ciphered(guard=guard)
    assert decode(answer(client.server, client.seal(b"\xc0\x01\xc1"))) == NONSENSE
    assert guard.last == 2
    assert decode(answer(client.server, client.seal(b"\xc0\x03\xc1"))) == NONSENSE
    assert guard.last == 3


def test_without_a_tag_only_a_readable_request_is_remembered() -> None:
    """Nobody vouches for a counter under encryption alone; noise must not lock a client out."""
    guard = ReplayGuard()
    client = ciphered(Protection.ENCRYPTED, Protection.ENCRYPTED, guard=guard)
    assert decode(answer(client.server, client.seal(b"\xc0\x01\xc1"))) == NONSENSE
    assert guard.last == 1
    apdu = client.seal(GET)
    client.server.receive(apdu, T0)
    assert guard.last == 3
    client.server.send(VALUE, T0)
    only(client.server)
    reply = decode(answer(client.server, apdu))
    assert isinstance(reply, ExceptionResponse)
    assert reply.service_error == ServiceError.INVOCATION_COUNTER_ERROR


def test_the_guard_outlives_the_association() -> None:
    """An AARQ of yesterday opens nothing today."""
    guard = ReplayGuard()
    server = make_server(context=LN_CIPHERED, guard=guard)
    first = HandClient(server).aarq()
    answer(server, first)
    another = make_server(context=LN_CIPHERED, guard=guard)
    answer(another, first)
    assert another.state == State.IDLE


def test_gmac_alone_ciphers_nothing() -> None:
    """In a plain context the services of an HLS association are plain, and only plain."""
    server = make_server(mechanism=Mechanism.HLS_GMAC)
    client = HandClient(server)
    assert decode(answer(server, client.seal(GET))) == NOT_NOW

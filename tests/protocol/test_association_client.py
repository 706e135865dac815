"""The client's half: what it sends, and what it does not put up with."""

from typing import Any

import pytest

from protocol.apdu import (
    Aare,
    Aarq,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    Apdu,
    ConfirmedServiceError,
    ExceptionResponse,
    GetRequestNext,
    GetResponseDatablock,
    GetResponseNormal,
    InitiateRequest,
    InitiateResponse,
    Rlre,
    Rlrq,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseNormal,
    decode,
)
from protocol.association import SUPPORTED, Association, State
from protocol.association.channel import Envelope, SecureChannel
from protocol.axdr import Data, Tag, encode, null, octet_string
from protocol.codes import (
    ActionResult,
    AssociationResult,
    Conformance,
    DataAccessResult,
    InitiateError,
    Mechanism,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.errors import (
    CountersExhausted,
    EncodeError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    SecurityError,
)
from protocol.events import (
    ActionRequest,
    ActionResponse,
    ExceptionRaised,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    Opened,
    OpenRefused,
    OpenRequest,
    Released,
    ReleaseRequest,
    SetRequest,
    SetResponse,
)
from protocol.security import CounterLease, KeySet, Protection, ReplayGuard, gmac_reply
from tests.protocol.association_tools import (
    BOTH,
    CLIENT_CHALLENGE,
    CLIENT_TITLE,
    CLOCK,
    GRANTED,
    KEYS,
    LN_CIPHERED,
    PASSWORD,
    RELAY,
    SERVER_CHALLENGE,
    SERVER_TITLE,
    T0,
    Pipe,
    client_settings,
    make_client,
    make_server,
    only,
)

#: What there is without general blocks, which would carry everything.
NOT_GENERAL = SUPPORTED & ~Conformance.GENERAL_BLOCK_TRANSFER
GET = GetRequest(CLOCK)
VALUE = GetResponseNormal(InvokeId(), octet_string(b"value"))


def aare(max_pdu: int = 1024, conformance: Conformance = SUPPORTED, **changes: Any) -> bytes:
    """Return an AARE that accepts, but for ``changes``."""
    fields: dict[str, Any] = {
        "context": 1,
        "result": AssociationResult.ACCEPTED,
        "diagnostic": UserDiagnostic.NULL,
        "user_information": InitiateResponse(conformance, max_pdu).encode(),
    }
    return Aare(**(fields | changes)).encode()


def asking(**changes: Any) -> Association:
    """Return a client that has sent its AARQ."""
    client = make_client(**changes)
    client.send(OpenRequest(), T0)
    assert isinstance(decode(only(client)), Aarq)
    return client


def opened(
    max_pdu: int = 1024, conformance: Conformance = SUPPORTED, **changes: Any
) -> Association:
    """Return a client with an open plain association."""
    client = asking(**changes)
    client.receive(aare(max_pdu, conformance), T0)
    assert client.is_open
    return client


def meter_channel(keys: KeySet = KEYS, counter: int = 1) -> SecureChannel:
    """Return a meter's ciphering."""
    return SecureChannel(
        keys, SERVER_TITLE, CLIENT_TITLE, CounterLease(counter), ReplayGuard(), Protection.NONE
    )


def ciphered() -> tuple[Association, SecureChannel]:
    """Return a client with an open ciphered association, and its meter's ciphering."""
    client, meter = asking(context=LN_CIPHERED), meter_channel()
    sealed = meter.seal(InitiateResponse(SUPPORTED, 1024).encode(), Envelope(BOTH))
    client.receive(aare(context=3, responding_ap_title=SERVER_TITLE, user_information=sealed), T0)
    assert client.is_open
    return client, meter


# --- opening -----------------------------------------------------------------------------------


def test_the_aarq_without_security() -> None:
    """No title, no mechanism, and what the client can do."""
    client = make_client(max_pdu_receive=500)
    client.send(OpenRequest(), T0)
    assert decode(only(client)) == Aarq(1, user_information=InitiateRequest(GRANTED, 500).encode())
    assert client.state == State.ASKED


def test_the_aarq_with_a_password() -> None:
    """It travels as the authentication value."""
    client = make_client(mechanism=Mechanism.LLS)
    client.send(OpenRequest(), T0)
    aarq = decode(only(client))
    assert isinstance(aarq, Aarq)
    assert (aarq.mechanism, aarq.authentication_value) == (1, PASSWORD)


def test_the_aarq_with_gmac_and_ciphering() -> None:
    """Title, challenge, and a ciphered InitiateRequest."""
    client = make_client(mechanism=Mechanism.HLS_GMAC, context=LN_CIPHERED)
    client.send(OpenRequest(), T0)
    aarq = decode(only(client))
    assert isinstance(aarq, Aarq)
    assert (aarq.context, aarq.calling_ap_title) == (3, CLIENT_TITLE)
    assert (aarq.mechanism, aarq.authentication_value) == (5, CLIENT_CHALLENGE)
    request, envelope = meter_channel().open(
        aarq.user_information, frozenset((1,)), InitiateRequest.decode
    )
    assert request == InitiateRequest(GRANTED, 1024)
    assert envelope == Envelope(BOTH)


def test_what_was_agreed() -> None:
    """Conformance never grows beyond what the client has."""
    client = asking(conformance=Conformance.GET)
    everything = Conformance.GET | Conformance.SET
    assert client.receive(aare(200, everything), T0) == [
        Opened(Mechanism.NONE, Conformance.GET, 200)
    ]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"diagnostic": UserDiagnostic.AUTHENTICATION_FAILURE, "user_information": b""}, ""),
        (
            {
                "diagnostic": UserDiagnostic.NO_REASON_GIVEN,
                "user_information": ConfirmedServiceError.initiate(
                    InitiateError.PDU_SIZE_TOO_SHORT
                ).encode(),
            },
            "pdu-size-too-short",
        ),
        ({"diagnostic": UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED}, ""),
    ],
)
def test_a_refusal_is_an_event(changes: dict[str, Any], detail: str) -> None:
    """With what the AARE said, and the client may ask again."""
    client = asking()
    events = client.receive(aare(result=AssociationResult.REJECTED_PERMANENT, **changes), T0)
    expected = OpenRefused(AssociationResult.REJECTED_PERMANENT, changes["diagnostic"], detail)
    assert events == [expected]
    assert client.state == State.IDLE
    client.send(OpenRequest(), T0)


def test_an_exception_instead_of_an_aare() -> None:
    """It tells a client with a used counter where to go on."""
    client = asking(context=LN_CIPHERED)
    exception = ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 77
    )
    assert client.receive(exception.encode(), T0) == [
        ExceptionRaised(StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, 77)
    ]
    assert client.state == State.IDLE


SEALED = meter_channel().seal(InitiateResponse(SUPPORTED, 1024).encode(), Envelope(BOTH))
WEAK = meter_channel().seal(
    InitiateResponse(SUPPORTED, 1024).encode(), Envelope(Protection.AUTHENTICATED)
)
FALSE = meter_channel(KeySet(bytes(16), bytes(16))).seal(
    InitiateResponse(SUPPORTED, 1024).encode(), Envelope(BOTH)
)
TITLED: dict[str, Any] = {
    "context": 3,
    "responding_ap_title": SERVER_TITLE,
    "user_information": SEALED,
}


@pytest.mark.parametrize(
    ("setup", "reply"),
    [
        ({}, aare(context=3)),
        ({}, aare(user_information=b"")),
        ({}, aare(user_information=b"\x08\x00")),
        ({}, VALUE.encode()),
        ({}, Rlre().encode()),
        ({}, b""),
        ({}, aare()[:-1]),
        ({"context": LN_CIPHERED}, aare(**TITLED | {"responding_ap_title": b""})),
        ({"context": LN_CIPHERED}, aare(**TITLED | {"responding_ap_title": CLIENT_TITLE})),
        ({"context": LN_CIPHERED}, aare(**TITLED | {"responding_ap_title": b"9 octets!"})),
        (
            {"context": LN_CIPHERED, "server_system_title": b"expected"},
            aare(**TITLED),
        ),
        (
            {"context": LN_CIPHERED},
            aare(**TITLED | {"user_information": InitiateResponse(SUPPORTED, 9).encode()}),
        ),
        ({"context": LN_CIPHERED}, aare(**TITLED | {"user_information": WEAK})),
        ({"context": LN_CIPHERED}, aare(**TITLED | {"user_information": FALSE})),
        ({"context": LN_CIPHERED, "guard": ReplayGuard(1)}, aare(**TITLED)),
    ],
    ids=[
        "another context",
        "no InitiateResponse",
        "half an InitiateResponse",
        "a GET response",
        "an RLRE",
        "nothing",
        "cut short",
        "no title",
        "our own title",
        "a title of 9 octets",
        "another title than expected",
        "not ciphered",
        "too weak",
        "false",
        "replayed",
    ],
)
def test_aares_that_are_not_put_up_with(setup: dict[str, Any], reply: bytes) -> None:
    """The client raises, and is idle."""
    client = asking(**setup)
    with pytest.raises(RemoteProtocolError):
        client.receive(reply, T0)
    assert client.state == State.IDLE
    assert only(client) == b""


# --- HLS ---------------------------------------------------------------------------------------


def hls_aare(challenge: bytes | None = SERVER_CHALLENGE) -> bytes:
    """Return an AARE that asks for pass 3."""
    return aare(
        diagnostic=UserDiagnostic.AUTHENTICATION_REQUIRED,
        responding_ap_title=SERVER_TITLE,
        mechanism=5,
        authentication_value=challenge,
    )


def challenged() -> Association:
    """Return a client that has sent pass 3."""
    client = asking(mechanism=Mechanism.HLS_GMAC)
    assert client.receive(hls_aare(), T0) == []
    assert only(client)
    return client


def pass_4(value: Data | DataAccessResult | None, result: int = 0) -> bytes:
    """Return an answer to pass 3."""
    return ActionResponseNormal(InvokeId(0), ActionResult(result), value).encode()


def test_a_true_pass_four_opens() -> None:
    """Whatever its counter: the challenge makes it fresh."""
    client = challenged()
    proof = gmac_reply(KEYS, SERVER_TITLE, 0, CLIENT_CHALLENGE)
    (event,) = client.receive(pass_4(octet_string(proof)), T0)
    assert isinstance(event, Opened)
    assert client.is_open


@pytest.mark.parametrize(
    "reply",
    [
        pass_4(octet_string(gmac_reply(KEYS, SERVER_TITLE, 1, SERVER_CHALLENGE))),
        pass_4(octet_string(gmac_reply(KEYS, CLIENT_TITLE, 1, CLIENT_CHALLENGE))),
        pass_4(
            octet_string(
                gmac_reply(
                    KeySet(bytes(16), KEYS.authentication_key), SERVER_TITLE, 1, CLIENT_CHALLENGE
                )
            )
        ),
        pass_4(octet_string(b"")),
        pass_4(null()),
        pass_4(None),
        pass_4(DataAccessResult.OTHER_REASON),
        VALUE.encode(),
        aare(),
    ],
    ids=[
        "of another challenge",
        "of our own title",
        "under another key",
        "empty",
        "null-data",
        "missing",
        "refused",
        "a GET response",
        "an AARE",
    ],
)
def test_a_false_pass_four_raises(reply: bytes) -> None:
    """Whoever that is, it is not our meter."""
    client = challenged()
    with pytest.raises(RemoteProtocolError):
        client.receive(reply, T0)
    assert client.state == State.IDLE


def test_a_refused_pass_three_is_a_refusal() -> None:
    """The meter did what the book says: our proof was not good enough."""
    client = challenged()
    (event,) = client.receive(pass_4(None, 250), T0)
    assert isinstance(event, OpenRefused)
    assert event.diagnostic == UserDiagnostic.AUTHENTICATION_FAILURE
    assert client.state == State.IDLE


@pytest.mark.parametrize("challenge", [None, b"", CLIENT_CHALLENGE], ids=["none", "empty", "ours"])
def test_no_proof_for_no_challenge(challenge: bytes | None) -> None:
    """Least of all for our own: a false meter could return it as its own proof."""
    client = asking(mechanism=Mechanism.HLS_GMAC)
    with pytest.raises(SecurityError, match="challenge of its own"):
        client.receive(hls_aare(challenge), T0)
    assert only(client) == b""


# --- services ----------------------------------------------------------------------------------


def test_only_one_request_at_a_time() -> None:
    """The second is a mistake of ours."""
    client = opened()
    client.send(GET, T0)
    with pytest.raises(LocalProtocolError, match="still outstanding"):
        client.send(GET, T0)
    only(client)
    client.receive(VALUE.encode(), T0)
    client.send(GET, T0)


@pytest.mark.parametrize(
    "event", [GET, ReleaseRequest(), GetResponse(null()), Released()], ids=repr
)
def test_events_at_the_wrong_time(event: Any) -> None:
    """Nothing but an OpenRequest before the association is open."""
    client = make_client()
    with pytest.raises(LocalProtocolError):
        client.send(event, T0)
    client.send(OpenRequest(), T0)
    with pytest.raises(LocalProtocolError):
        client.send(event, T0)
    with pytest.raises(LocalProtocolError):
        client.send(OpenRequest(), T0)


def test_unconfirmed_requests_await_nothing() -> None:
    """The next may follow at once."""
    client = opened()
    client.send(SetRequest(CLOCK, null(), None, InvokeId(1, confirmed=False)), T0)
    client.send(GET, T0)


@pytest.mark.parametrize(
    ("request_", "bit"),
    [
        (GET, Conformance.GET),
        (SetRequest(CLOCK, null()), Conformance.SET),
        (ActionRequest(RELAY), Conformance.ACTION),
    ],
)
def test_requests_that_were_not_negotiated(request_: Any, bit: Conformance) -> None:
    """The server would not know them."""
    client = opened(conformance=SUPPORTED & ~bit)
    with pytest.raises(LocalProtocolError, match="not negotiated"):
        client.send(request_, T0)


@pytest.mark.parametrize(
    "request_",
    [SetRequest(CLOCK, octet_string(bytes(100))), ActionRequest(RELAY, octet_string(bytes(100)))],
)
def test_long_requests_without_block_transfer(request_: Any) -> None:
    """They do not fit, and nothing is sent of them."""
    without = NOT_GENERAL & ~Conformance.BLOCK_TRANSFER_SET & ~Conformance.BLOCK_TRANSFER_ACTION
    client = opened(64, without)
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        client.send(request_, T0)
    client.send(GET, T0)


def test_a_server_that_takes_next_to_nothing() -> None:
    """Not even a GET fits into ten octets, nor the first block of a SET into nineteen.

    A general block does, but none fits into seven.
    """
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        opened(7).send(GET, T0)
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        opened(10, NOT_GENERAL).send(GET, T0)
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        opened(19, NOT_GENERAL).send(SetRequest(CLOCK, octet_string(bytes(20))), T0)


def test_a_value_that_does_not_fit_its_type() -> None:
    """Nothing is sent, and the next request may follow."""
    client = opened()
    with pytest.raises(EncodeError):
        client.send(SetRequest(CLOCK, Data(Tag.UNSIGNED, -1)), T0)
    client.send(GET, T0)


def test_an_exception_ends_a_request_and_not_the_association() -> None:
    """So does a ConfirmedServiceError of an old meter."""
    client = opened()
    for reply in ("D80202", "0E050000"):
        client.send(GET, T0)
        only(client)
        (event,) = client.receive(bytes.fromhex(reply), T0)
        assert isinstance(event, ExceptionRaised)
        assert client.is_open


def test_late_answers_are_dropped() -> None:
    """Those to another invoke id, and those to nothing."""
    client = opened()
    assert client.receive(VALUE.encode(), T0) == []
    client.send(GetRequest(CLOCK, None, InvokeId(5)), T0)
    assert client.receive(VALUE.encode(), T0) == []
    right = GetResponseNormal(InvokeId(5), null())
    assert client.receive(right.encode(), T0) == [GetResponse(null(), InvokeId(5))]


@pytest.mark.parametrize("tag", [202, 210])
def test_notifications_under_keys_that_are_not_in_use_are_read_over(tag: int) -> None:
    """A push may come between a request and its response, and perhaps for somebody else."""
    client = opened()
    client.send(GET, T0)
    assert client.receive(bytes((tag, 1, 2, 3)), T0) == []
    assert client.is_open


def test_a_refusal_in_place_of_a_list_is_one_of_each_member() -> None:
    """Some meters answer a GET of a list they do not take as if it were of one."""
    client = opened()
    client.send(GetListRequest((GET, GET)), T0)
    only(client)
    denied = DataAccessResult.READ_WRITE_DENIED
    reply = GetResponseNormal(InvokeId(), denied)
    assert client.receive(reply.encode(), T0) == [GetListResponse((denied, denied), InvokeId())]


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (GetListRequest((GET, GET)), VALUE),
        (GET, SetResponseNormal(InvokeId(), DataAccessResult.SUCCESS)),
        (GET, ActionResponseNormal(InvokeId(), ActionResult.SUCCESS)),
        (GET, GetResponseDatablock(InvokeId(), False, 2, b"")),
        (GET, GetResponseDatablock(InvokeId(), False, 0, b"")),
        (GET, GetResponseDatablock(InvokeId(), True, 1, b"")),
        (GET, GetResponseDatablock(InvokeId(), True, 1, b"\x00\x00")),
        (GET, GetResponseDatablock(InvokeId(), False, 1, bytes(101))),
        (SetRequest(CLOCK, null()), SetResponseDatablock(InvokeId(), 1)),
        (SetRequest(CLOCK, null()), VALUE),
        (ActionRequest(RELAY), ActionResponseNextPblock(InvokeId(), 1)),
        (ActionRequest(RELAY), ActionResponsePblock(InvokeId(), False, 3, b"")),
        (ActionRequest(RELAY), VALUE),
        (GET, Rlre()),
        (GET, SetRequestNormal(InvokeId(), CLOCK, None, null())),
    ],
)
def test_answers_that_are_not_put_up_with(request_: Any, reply: Apdu) -> None:
    """To another question, the wrong block, no value, too long: the association is over."""
    client = opened(max_assembly=100)
    client.send(request_, T0)
    only(client)
    with pytest.raises(RemoteProtocolError):
        client.receive(reply.encode(), T0)
    assert client.state == State.IDLE


def test_a_long_get() -> None:
    """The client fetches block after block; an error in the last is the result."""
    value = octet_string(bytes(range(100)))
    octets = encode(value)
    client = opened()
    client.send(GET, T0)
    only(client)
    client.receive(GetResponseDatablock(InvokeId(), False, 1, octets[:50]).encode(), T0)
    assert decode(only(client)) == GetRequestNext(InvokeId(), 1)
    events = client.receive(GetResponseDatablock(InvokeId(), True, 2, octets[50:]).encode(), T0)
    assert events == [GetResponse(value)]
    client.send(GET, T0)
    only(client)
    client.receive(GetResponseDatablock(InvokeId(), False, 1, b"\x09").encode(), T0)
    reason = DataAccessResult.LONG_GET_ABORTED
    events = client.receive(GetResponseDatablock(InvokeId(), True, 2, reason).encode(), T0)
    assert events == [GetResponse(reason)]


def test_a_long_set() -> None:
    """Block after confirmed block; the result may come before the last."""
    value = octet_string(bytes(range(100)))
    client = opened(64)
    client.send(SetRequest(CLOCK, value), T0)
    first = decode(only(client))
    assert isinstance(first, SetRequestFirstDatablock)
    assert len(first.encode()) == 64
    client.receive(SetResponseDatablock(InvokeId(), 1).encode(), T0)
    second = decode(only(client))
    assert isinstance(second, SetRequestDatablock)
    client.receive(SetResponseDatablock(InvokeId(), 2).encode(), T0)
    third = decode(only(client))
    assert isinstance(third, SetRequestDatablock)
    assert third.last
    assert first.raw_data + second.raw_data + third.raw_data == encode(value)
    done = SetResponseLastDatablock(InvokeId(), DataAccessResult.SUCCESS, 3)
    assert client.receive(done.encode(), T0) == [SetResponse(DataAccessResult.SUCCESS)]
    client.send(SetRequest(CLOCK, value), T0)
    only(client)
    refused = SetResponseNormal(InvokeId(), DataAccessResult.READ_WRITE_DENIED)
    events = client.receive(refused.encode(), T0)
    assert events == [SetResponse(DataAccessResult.READ_WRITE_DENIED)]


@pytest.mark.parametrize("number", [0, 2])
def test_a_confirmation_of_another_block(number: int) -> None:
    """The server lost count: what it has is not what was meant."""
    client = opened(64)
    client.send(SetRequest(CLOCK, octet_string(bytes(100))), T0)
    only(client)
    with pytest.raises(RemoteProtocolError, match="confirmed"):
        client.receive(SetResponseDatablock(InvokeId(), number).encode(), T0)


def test_a_long_action() -> None:
    """Return parameters in blocks mean success."""
    client = opened()
    client.send(ActionRequest(RELAY), T0)
    only(client)
    client.receive(ActionResponsePblock(InvokeId(), False, 1, b"\x09\x01").encode(), T0)
    only(client)
    events = client.receive(ActionResponsePblock(InvokeId(), True, 2, b"x").encode(), T0)
    assert events == [ActionResponse(ActionResult.SUCCESS, octet_string(b"x"))]


# --- ciphered services -------------------------------------------------------------------------


def test_a_ciphered_get() -> None:
    """Service-specific, unless the settings say otherwise."""
    client, meter = ciphered()
    client.send(GET, T0)
    assert only(client)[0] == 200
    events = client.receive(meter.seal(VALUE.encode(), Envelope(BOTH)), T0)
    assert events == [GetResponse(octet_string(b"value"))]


def flipped(octets: bytes) -> bytes:
    """Return octets whose last bit is another."""
    return octets[:-1] + bytes((octets[-1] ^ 1,))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda meter: VALUE.encode(), SecurityError),
        (lambda meter: meter.seal(VALUE.encode(), Envelope(Protection(0x10))), SecurityError),
        (lambda meter: flipped(meter.seal(VALUE.encode(), Envelope(BOTH))), SecurityError),
        (lambda meter: meter_channel().seal(VALUE.encode(), Envelope(BOTH)), ReplayError),
        (lambda meter: b"\xd4\x00", SecurityError),
        (lambda meter: b"\xcd" + meter.seal(VALUE.encode(), Envelope(BOTH))[1:], SecurityError),
    ],
    ids=["plain", "too weak", "false", "replayed", "dedicated key", "another envelope"],
)
def test_responses_that_are_not_protected_as_they_have_to_be(
    make: Any, error: type[Exception]
) -> None:
    """The association is over."""
    client, meter = ciphered()
    client.send(GET, T0)
    only(client)
    with pytest.raises(error):
        client.receive(make(meter), T0)
    assert client.state == State.IDLE


def test_an_answer_in_an_envelope_where_nothing_is_ciphered() -> None:
    """There is no key to open it with."""
    client = opened()
    client.send(GET, T0)
    with pytest.raises(SecurityError, match="not in use"):
        client.receive(meter_channel().seal(VALUE.encode(), Envelope(BOTH)), T0)


def test_a_client_out_of_counters() -> None:
    """It says so before anything is sent."""
    client = make_client(context=LN_CIPHERED, counters=CounterLease(1, 1))
    with pytest.raises(CountersExhausted):
        client.send(OpenRequest(), T0)
    assert only(client) == b""


# --- release -----------------------------------------------------------------------------------


def test_release() -> None:
    """RLRQ, RLRE, idle."""
    client = opened()
    client.send(ReleaseRequest(), T0)
    assert decode(only(client)) == Rlrq()
    assert client.receive(Rlre().encode(), T0) == [Released()]
    assert client.state == State.IDLE


def test_release_gives_a_request_up() -> None:
    """The answer that crosses it is dropped."""
    client = opened()
    client.send(GET, T0)
    client.send(ReleaseRequest(), T0)
    assert client.receive(VALUE.encode(), T0) == []
    assert client.receive(Rlre().encode(), T0) == [Released()]


def test_a_release_that_is_refused_is_over_all_the_same() -> None:
    """We wanted to go, and went."""
    client = opened()
    client.send(ReleaseRequest(), T0)
    (event,) = client.receive(bytes.fromhex("D80101"), T0)
    assert isinstance(event, ExceptionRaised)
    assert client.state == State.IDLE


def test_a_ciphered_release() -> None:
    """It is proved by both sides."""
    pipe = Pipe(make_client(context=LN_CIPHERED), make_server(context=LN_CIPHERED))
    pipe.open()
    assert pipe.send(ReleaseRequest()) == [Released()]
    rlrq, rlre = decode(pipe.to_server[-1]), decode(pipe.to_client[-1])
    assert isinstance(rlrq, Rlrq)
    assert isinstance(rlre, Rlre)
    assert (rlrq.user_information[0], rlre.user_information[0]) == (33, 40)


def test_a_false_farewell_raises() -> None:
    """Ciphered user-information has to be genuine."""
    client, _ = ciphered()
    client.send(ReleaseRequest(), T0)
    with pytest.raises(SecurityError):
        client.receive(Rlre(0, FALSE).encode(), T0)


def test_reset_gives_everything_up() -> None:
    """After a lost link the client begins anew."""
    client = opened()
    client.send(GET, T0)
    client.reset()
    assert only(client) == b""
    assert client.state == State.IDLE
    client.send(OpenRequest(), T0)


@pytest.mark.parametrize("title", [b"short", b"9 octets!"])
def test_an_expected_title_has_eight_octets(title: bytes) -> None:
    """Or it is not expected at all."""
    with pytest.raises(ValueError, match="server_system_title"):
        client_settings(server_system_title=title)

"""Associations by short names: opening, READ and WRITE, blocks, and what is wrong answered."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import (
    Aare,
    Aarq,
    BlockNumberAccess,
    ConfirmedServiceError,
    ExceptionResponse,
    GetRequestNormal,
    InitiateRequest,
    InitiateResponse,
    ReadBlock,
    ReadBlockNumber,
    ReadDataBlockAccess,
    ReadRequestApdu,
    ReadResponseApdu,
    WriteBlockNumber,
    WriteDataBlockAccess,
    WriteRequestApdu,
    WriteResponseApdu,
    decode,
)
from protocol.association import SUPPORTED, Association
from protocol.association.lists import MAX_MEMBERS
from protocol.association.short_names import usable
from protocol.axdr import Data, encode, integer, octet_string
from protocol.codes import (
    ApplicationContext,
    Conformance,
    DataAccessResult,
    Mechanism,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.events import (
    AssociationEvent,
    ExceptionRaised,
    GetRequest,
    InformationReport,
    InvokeId,
    Opened,
    OpenRefused,
    OpenRequest,
    ReadRequest,
    ReadResponse,
    Released,
    ReleaseRequest,
    SelectiveAccess,
    ShortName,
    WriteRequest,
    WriteResponse,
)
from tests.protocol.association_tools import (
    CLOCK,
    PASSWORD,
    T0,
    answer,
    initiate,
    make_client,
    make_server,
    only,
)

SN = ApplicationContext.SN
SN_CIPHERED = ApplicationContext.SN_CIPHERED
LN_CIPHERED = ApplicationContext.LN_CIPHERED
MECHANISMS = (Mechanism.NONE, Mechanism.LLS, Mechanism.HLS_GMAC)
VALUE = octet_string(b"value")
NAME = ShortName(0x0108)
GRANTED = usable(SUPPORTED, by_short_names=True)
READ_ONE = ReadRequestApdu((NAME,))

Asked = ReadRequest | WriteRequest
Application = Callable[[Asked], AssociationEvent]


def echo(request: Asked) -> AssociationEvent:
    """Be a meter that has a value everywhere and takes every other."""
    if isinstance(request, ReadRequest):
        return ReadResponse((VALUE,) * len(request.variables))
    return WriteResponse((DataAccessResult.SUCCESS,) * len(request.variables))


class Talk:
    """A client and a server that hear each other's every APDU."""

    def __init__(
        self, client: Association, server: Association, application: Application = echo
    ) -> None:
        self.client, self.server, self.application = client, server, application
        self.asked: list[Asked] = []
        self.to_server: list[bytes] = []
        self.to_client: list[bytes] = []

    def say(self, event: AssociationEvent) -> list[AssociationEvent]:
        """Let the client send an event; return what comes of it."""
        self.client.send(event, T0)
        heard: list[AssociationEvent] = []
        while apdu := self.client.outgoing():
            self.to_server.append(apdu)
            for asked in self.server.receive(apdu, T0):
                if isinstance(asked, ReadRequest | WriteRequest):
                    self.asked.append(asked)
                    self.server.send(self.application(asked), T0)
            while reply := self.server.outgoing():
                self.to_client.append(reply)
                heard += self.client.receive(reply, T0)
        return heard


def talk(application: Application = echo, *, ciphered: bool = False, **changes: Any) -> Talk:
    """Return an open association; ``client_`` and ``server_`` before a change say whose it is."""
    client: dict[str, Any] = {"context": SN_CIPHERED if ciphered else SN}
    server: dict[str, Any] = {"short_names": True}
    if ciphered:
        server["context"] = LN_CIPHERED
    for name, value in changes.items():
        side, _, field = name.partition("_")
        {"client": client, "server": server}[side][field] = value
    conversation = Talk(make_client(**client), make_server(**server), application)
    (opened,) = conversation.say(OpenRequest())
    assert isinstance(opened, Opened)
    return conversation


def opened_server(conformance: Conformance = SUPPORTED, max_pdu: int = 1024, **changes: Any) -> Any:
    """Return a server in an open association without security."""
    server = make_server(short_names=True, **changes)
    information = initiate(conformance, max_pdu).encode()
    answer(server, Aarq(SN, user_information=information).encode())
    assert server.is_open
    return server


def reply(server: Association, apdu: Any) -> Any:
    """Ask a server whose application echoes, and return its answer."""
    for event in server.receive(apdu if isinstance(apdu, bytes) else apdu.encode(), T0):
        if isinstance(event, ReadRequest | WriteRequest):
            server.send(echo(event), T0)
    octets = only(server)
    return decode(octets) if octets else None


# --- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_way_to_open_read_write_and_part(mechanism: Mechanism, ciphered: bool) -> None:
    """HLS passes 3 and 4 are a READ of method 8 of the association."""
    found = talk(ciphered=ciphered, client_mechanism=mechanism, server_mechanism=mechanism)
    assert found.say(ReadRequest((NAME,))) == [ReadResponse((VALUE,))]
    written = found.say(WriteRequest((NAME,), (integer(1),)))
    assert written == [WriteResponse((DataAccessResult.SUCCESS,))]
    assert found.say(ReleaseRequest()) == [Released()]
    if not ciphered and mechanism == Mechanism.HLS_GMAC:
        assert found.to_server[1].startswith(bytes.fromhex("050104FA580009"))
        assert found.to_client[1].startswith(bytes.fromhex("0C010009"))
    if ciphered:
        assert [apdu[0] for apdu in found.to_server[-3:]] == [37, 38, 0x62]
        assert [apdu[0] for apdu in found.to_client[-3:]] == [44, 45, 0x63]


def test_what_is_agreed_upon() -> None:
    """The VAA name is 0xFA00; of what both can do, that which short names have."""
    server = make_server(short_names=True)
    aare = decode(answer(server, Aarq(SN, user_information=initiate().encode()).encode()))
    assert isinstance(aare, Aare)
    assert aare.context == SN
    response = InitiateResponse.decode(aare.user_information)
    assert response.vaa_name == 0xFA00
    assert response.conformance == GRANTED
    assert not GRANTED & (Conformance.GET | Conformance.SET | Conformance.ACTION)


@pytest.mark.parametrize("by_short_names", [False, True])
def test_a_client_proposes_what_its_context_has(by_short_names: bool) -> None:
    """READ and WRITE in one, GET, SET and ACTION in the other."""
    client = make_client(context=SN if by_short_names else ApplicationContext.LN)
    client.send(OpenRequest(), T0)
    aarq = decode(only(client))
    assert isinstance(aarq, Aarq)
    proposed = InitiateRequest.decode(aarq.user_information).conformance
    assert proposed == usable(SUPPORTED, by_short_names=by_short_names)
    assert bool(proposed & Conformance.READ) is by_short_names
    assert bool(proposed & Conformance.GET) is not by_short_names


@pytest.mark.parametrize(
    ("short_names", "context"), [(False, SN), (True, SN_CIPHERED), (True, LN_CIPHERED)]
)
def test_a_context_that_is_not_offered_is_refused(short_names: bool, context: Any) -> None:
    """Short names where there are none, and ciphering where there is none."""
    server = make_server(short_names=short_names)
    events = server.receive(Aarq(context, user_information=initiate().encode()).encode(), T0)
    (refused,) = events
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic == UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED


def test_logical_names_stay_beside_short_ones() -> None:
    """The same policy serves both, one after the other."""
    server = make_server(short_names=True)
    for context in (ApplicationContext.LN, SN, ApplicationContext.LN):
        answer(server, Aarq(context, user_information=initiate().encode()).encode())
        found = reply(server, READ_ONE)
        by_name = context == SN
        assert isinstance(found, ReadResponseApdu if by_name else ExceptionResponse)


def test_a_false_proof_is_refused_in_the_words_of_short_names() -> None:
    """Other-reason in place of pass 4, and no association."""
    server = make_server(short_names=True, mechanism=Mechanism.HLS_GMAC)
    client = make_client(context=SN, mechanism=Mechanism.HLS_GMAC)
    client.send(OpenRequest(), T0)
    client.receive(answer(server, only(client)), T0)
    proof = bytearray(only(client))
    proof[-1] ^= 1
    pass_4 = answer(server, bytes(proof))
    assert pass_4 == bytes.fromhex("0C0101FA")
    (refused,) = client.receive(pass_4, T0)
    assert isinstance(refused, OpenRefused)
    assert not server.is_open


def test_nothing_is_read_before_the_proof() -> None:
    """A READ of anything else while challenged is not allowed."""
    server = make_server(short_names=True, mechanism=Mechanism.HLS_GMAC)
    client = make_client(context=SN, mechanism=Mechanism.HLS_GMAC)
    client.send(OpenRequest(), T0)
    answer(server, only(client))
    assert reply(server, READ_ONE) == ConfirmedServiceError(5, 2, 1)


# --- READ and WRITE ------------------------------------------------------------------------------


def test_several_variables_are_one_event_in_their_order() -> None:
    """Each result in its place, refusals among them."""
    access = SelectiveAccess(2, integer(1))
    asked = ReadRequest((NAME, ShortName(8, access), ShortName(0xFFFF)))
    results = (VALUE, DataAccessResult.READ_WRITE_DENIED, integer(3))
    found = talk(lambda request: ReadResponse(results))
    assert found.say(asked) == [ReadResponse(results)]
    assert found.asked == [asked]


def test_an_unconfirmed_write_is_executed_and_not_answered() -> None:
    """Nor is one that was not agreed upon, or that cannot be read."""
    found = talk()
    request = WriteRequest((NAME,), (integer(1),), confirmed=False)
    assert found.say(request) == []
    assert found.asked == [request]
    assert found.to_client[1:] == []
    assert found.say(ReadRequest((NAME,))) == [ReadResponse((VALUE,))]
    server = opened_server(SUPPORTED & ~Conformance.UNCONFIRMED_WRITE)
    assert reply(server, WriteRequestApdu((NAME,), (VALUE,), confirmed=False)) is None
    assert reply(server, bytes.fromhex("160102")) is None


NEEDED = [
    (Conformance.READ, READ_ONE, 5),
    (Conformance.WRITE, WriteRequestApdu((NAME,), (VALUE,)), 6),
    (Conformance.MULTIPLE_REFERENCES, ReadRequestApdu((NAME, NAME)), 5),
    (
        Conformance.PARAMETERIZED_ACCESS,
        ReadRequestApdu((ShortName(8, SelectiveAccess(1, VALUE)),)),
        5,
    ),
    (Conformance.BLOCK_TRANSFER_GET, ReadRequestApdu((BlockNumberAccess(1),)), 5),
    (
        Conformance.BLOCK_TRANSFER_SET,
        WriteRequestApdu((WriteDataBlockAccess(False, 1),), (VALUE,)),
        6,
    ),
]


@pytest.mark.parametrize(("bit", "request_", "service"), NEEDED, ids=lambda one: str(one)[:24])
def test_what_was_not_agreed_upon_is_unsupported(
    bit: Conformance, request_: Any, service: int
) -> None:
    """A ConfirmedServiceError names the service; with the bit there is an answer."""
    unsupported = ConfirmedServiceError(service, 3, 2)
    assert reply(opened_server(SUPPORTED & ~bit), request_) == unsupported
    assert reply(opened_server(), request_) != unsupported


WRONG = {
    "logical names": (GetRequestNormal(InvokeId(), CLOCK).encode(), (5, 3, 2)),
    "an unknown tag": (b"\x07", (5, 3, 2)),
    "undecodable READ": (bytes.fromhex("0501"), (5, 3, 0)),
    "undecodable WRITE": (bytes.fromhex("0601"), (6, 3, 0)),
    "ciphered": (bytes.fromhex("2506300000000101"), (5, 0, 6)),
    "too long": (b"\x05" + bytes(1024), (5, 3, 1)),
    "too many variables": (ReadRequestApdu((NAME,) * (MAX_MEMBERS + 1)).encode(), (5, 3, 1)),
}


@pytest.mark.parametrize(("apdu", "error"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_answered_and_changes_nothing(
    apdu: bytes, error: tuple[int, int, int]
) -> None:
    """By service, kind of error, and error; the next request is served."""
    server = opened_server()
    assert reply(server, apdu) == ConfirmedServiceError(*error)
    assert reply(server, READ_ONE) == ReadResponseApdu((VALUE,))


def test_without_an_association_there_is_no_context() -> None:
    """Where short names are served; elsewhere it is an exception, as ever."""
    assert reply(make_server(short_names=True), READ_ONE) == ConfirmedServiceError(5, 2, 1)
    exception = ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE
    )
    assert reply(make_server(), READ_ONE) == exception


def test_a_plain_request_in_a_ciphered_association_is_refused() -> None:
    """Deciphering-error, and the association stands."""
    found = talk(ciphered=True)
    assert reply(found.server, READ_ONE) == ConfirmedServiceError(5, 0, 6)
    assert found.say(ReadRequest((NAME,))) == [ReadResponse((VALUE,))]


def test_a_replayed_request_is_refused() -> None:
    """Its counter is not new."""
    found = talk(ciphered=True)
    found.say(ReadRequest((NAME,)))
    assert reply(found.server, found.to_server[-1]) == ConfirmedServiceError(5, 0, 6)


@pytest.mark.parametrize(
    "exception",
    [
        (StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE),
        (StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED),
        (StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG),
        (StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR),
        (StateError.SERVICE_UNKNOWN, ServiceError.OTHER_REASON),
    ],
)
def test_an_error_of_short_names_is_the_exception_that_it_stands_for(
    exception: tuple[StateError, ServiceError],
) -> None:
    """The client hears what the server's application raised, and may ask again."""
    found = talk(lambda request: ExceptionRaised(*exception))
    for _ in range(2):
        assert found.say(ReadRequest((NAME,))) == [ExceptionRaised(*exception)]
    assert found.to_client[-1][0] == 14


def test_services_of_the_other_naming_are_not_sent() -> None:
    """Neither way round, and nothing goes out."""
    found = talk()
    with pytest.raises(LocalProtocolError, match="logical names"):
        found.client.send(GetRequest(CLOCK), T0)
    client, server = make_client(), make_server()
    client.send(OpenRequest(), T0)
    client.receive(answer(server, only(client)), T0)
    with pytest.raises(LocalProtocolError, match="short names"):
        client.send(ReadRequest((NAME,)), T0)
    assert (only(client), only(found.client)) == (b"", b"")


@pytest.mark.parametrize(
    "reply_",
    [
        WriteResponseApdu((DataAccessResult.SUCCESS,)),
        ReadResponseApdu((VALUE, VALUE)),
        ReadResponseApdu((ReadBlockNumber(1),)),
        ReadResponseApdu((ReadBlock(False, 2, b"x"),)),
        ReadResponseApdu((ReadBlock(True, 1, b"\x09\x05x"),)),
    ],
    ids=["of a WRITE", "too many", "of a block never sent", "not the first", "no value"],
)
def test_an_answer_to_something_else_ends_the_association(reply_: Any) -> None:
    """On the client: the server does what it may not."""
    found = talk()
    found.client.send(ReadRequest((NAME,)), T0)
    only(found.client)
    with pytest.raises(RemoteProtocolError):
        found.client.receive(reply_.encode(), T0)
    assert not found.client.is_open


@pytest.mark.parametrize(
    "response",
    [WriteResponse((DataAccessResult.SUCCESS,)), ReadResponse(()), ReadResponse((VALUE, VALUE))],
)
def test_the_application_owes_one_result_a_variable(response: Any) -> None:
    """Of the service that was asked; until then the response is owed."""
    server = opened_server()
    server.receive(READ_ONE.encode(), T0)
    with pytest.raises(LocalProtocolError):
        server.send(response, T0)
    server.send(ReadResponse((VALUE,)), T0)
    assert decode(only(server)) == ReadResponseApdu((VALUE,))


# --- InformationReport ---------------------------------------------------------------------------

REPORT = InformationReport((NAME,), (VALUE,), "20261122001500+0100")


@pytest.mark.parametrize("ciphered", [False, True])
def test_a_server_reports_unasked(ciphered: bool) -> None:
    """In the midst of a request as well, which is answered all the same."""
    found = talk(ciphered=ciphered)
    found.client.send(ReadRequest((NAME,)), T0)
    asked = only(found.client)
    found.server.send(REPORT, T0)
    report = only(found.server)
    assert report[0] == (56 if ciphered else 24)
    assert found.client.receive(report, T0) == [REPORT]
    found.server.receive(asked, T0)
    found.server.send(ReadResponse((VALUE,)), T0)
    assert found.client.receive(only(found.server), T0) == [ReadResponse((VALUE,))]


def test_a_report_has_to_be_agreed_upon() -> None:
    """By its conformance bit."""
    found = talk(client_conformance=SUPPORTED & ~Conformance.INFORMATION_REPORT)
    with pytest.raises(LocalProtocolError, match="agreed"):
        found.server.send(REPORT, T0)


# --- blocks --------------------------------------------------------------------------------------

LENGTHS = (0, 1, 40, 50, 60, 127, 128, 255, 256, 4000)


@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_values_of_any_length_come_and_go(length: int, ciphered: bool) -> None:
    """In APDUs of at most 64 octets each way, and the blocks are numbered from 1."""
    value = octet_string(bytes(number % 251 for number in range(length)))
    limits = {"client_max_pdu_receive": 64, "server_max_pdu_receive": 64}
    found = talk(lambda request: echo_of(request, value), ciphered=ciphered, **limits)
    del found.to_server[:], found.to_client[:]
    assert found.say(ReadRequest((NAME,))) == [ReadResponse((value,))]
    written = found.say(WriteRequest((NAME,), (value,)))
    assert written == [WriteResponse((DataAccessResult.SUCCESS,))]
    parameter = ReadRequest((ShortName(8, SelectiveAccess(0, value)),))
    assert found.say(parameter) == [ReadResponse((value,))]
    assert found.asked[1:] == [WriteRequest((NAME,), (value,)), parameter]
    assert max(map(len, found.to_server + found.to_client)) <= 64


def echo_of(request: Asked, value: Data) -> AssociationEvent:
    """Answer a READ with a value."""
    return ReadResponse((value,)) if isinstance(request, ReadRequest) else echo(request)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.binary(max_size=200).map(octet_string)
        | st.sampled_from([one for one in DataAccessResult if one]),
        min_size=2,
        max_size=6,
    )
)
def test_lists_of_any_length_come_in_blocks(results: list[Any]) -> None:
    """Values and refusals, each in its place."""
    found = talk(lambda request: ReadResponse(tuple(results)), client_max_pdu_receive=64)
    asked = ReadRequest((NAME,) * len(results))
    assert found.say(asked) == [ReadResponse(tuple(results))]


def test_a_value_in_blocks_is_the_value_alone() -> None:
    """As gurux-dlms and pydlms-client read it; of several variables it is the list, as jDLMS."""
    server = opened_server(max_pdu=64)
    value = octet_string(bytes(100))
    for count in (1, 2):
        octets = b""
        server.receive(ReadRequestApdu((NAME,) * count).encode(), T0)
        server.send(ReadResponse((value,) * count), T0)
        while True:
            response = decode(only(server))
            assert isinstance(response, ReadResponseApdu)
            (block,) = response.results
            assert isinstance(block, ReadBlock)
            octets += block.raw_data
            if block.last:
                break
            server.receive(ReadRequestApdu((BlockNumberAccess(block.block_number),)).encode(), T0)
        listed = ReadResponseApdu((value, value)).encode()[1:]
        assert octets == (encode(value) if count == 1 else listed)


def test_a_client_takes_a_list_of_one_result_in_blocks_as_well() -> None:
    """As a server that follows jDLMS has it."""
    found = talk()
    for result in (VALUE, DataAccessResult.READ_WRITE_DENIED):
        found.client.send(ReadRequest((NAME,)), T0)
        only(found.client)
        octets = ReadResponseApdu((result,)).encode()[1:]
        block = ReadResponseApdu((ReadBlock(True, 1, octets),))
        assert found.client.receive(block.encode(), T0) == [ReadResponse((result,))]


def test_without_blocks_a_value_that_is_too_long_is_aborted() -> None:
    """The results beside it come through."""
    server = opened_server(SUPPORTED & ~Conformance.BLOCK_TRANSFER_GET, 64)
    server.receive(ReadRequestApdu((NAME, NAME)).encode(), T0)
    denied = DataAccessResult.READ_WRITE_DENIED
    server.send(ReadResponse((octet_string(bytes(100)), denied)), T0)
    aborted = DataAccessResult.LONG_GET_ABORTED
    assert decode(only(server)) == ReadResponseApdu((aborted, denied))


def test_results_that_do_not_fit_at_all_are_an_error() -> None:
    """Of a WRITE, which has no blocks for its results, and of a READ without them."""
    server = opened_server(max_pdu=12)
    names = (NAME,) * 20
    denied = (DataAccessResult.READ_WRITE_DENIED,) * 20
    server.receive(WriteRequestApdu(names, (VALUE,) * 20).encode(), T0)
    server.send(WriteResponse(denied), T0)
    assert decode(only(server)) == ConfirmedServiceError(6, 3, 1)
    server = opened_server(SUPPORTED & ~Conformance.BLOCK_TRANSFER_GET, 12)
    server.receive(ReadRequestApdu(names).encode(), T0)
    server.send(ReadResponse(denied), T0)
    assert decode(only(server)) == ConfirmedServiceError(5, 3, 1)


def read_block(number: int, octets: bytes = b"\x01\x02", *, last: bool = False) -> Any:
    """Return a block of a READ request."""
    return ReadRequestApdu((ReadDataBlockAccess(last, number, octets),))


def write_block(number: int, octets: bytes = b"\x01\x02", *, last: bool = False) -> Any:
    """Return a block of a WRITE request."""
    return WriteRequestApdu((WriteDataBlockAccess(last, number),), (octet_string(octets),))


def refused(reason: DataAccessResult) -> tuple[Any, Any]:
    """Return how a block of either service is refused."""
    return ReadResponseApdu((reason,)), WriteResponseApdu((reason,))


def test_blocks_of_a_request_are_confirmed_by_their_numbers() -> None:
    """And the last one by the answer to the whole."""
    server = opened_server()
    whole = READ_ONE.encode()[1:]
    assert reply(server, read_block(1, whole[:2])) == ReadResponseApdu((ReadBlockNumber(1),))
    assert reply(server, read_block(2, whole[2:], last=True)) == ReadResponseApdu((VALUE,))
    whole = WriteRequestApdu((NAME,), (VALUE,)).encode()[1:]
    assert reply(server, write_block(1, whole[:3])) == WriteResponseApdu((WriteBlockNumber(1),))
    done = WriteResponseApdu((DataAccessResult.SUCCESS,))
    assert reply(server, write_block(2, whole[3:], last=True)) == done


UNAVAILABLE = DataAccessResult.DATA_BLOCK_UNAVAILABLE
BROKEN = {
    "not the next READ block": ([read_block(1), read_block(3)], 0, 19),
    "not the next WRITE block": ([write_block(1), write_block(3)], 1, 19),
    "no READ in progress": ([read_block(2)], 0, 16),
    "no WRITE in progress": ([write_block(2)], 1, 18),
    "the other service's block": ([write_block(1), read_block(2)], 0, 16),
    "no request in the end": ([read_block(1, b"\x09", last=True)], 0, 250),
    "no WRITE in the end": ([write_block(1, b"\x09", last=True)], 1, 250),
    "blocks in blocks": ([read_block(1, read_block(1).encode()[1:], last=True)], 0, 14),
    "blocks that get too long": ([write_block(n, bytes(900)) for n in range(1, 74)], 1, 17),
    "a block without an octet-string": (
        [WriteRequestApdu((WriteDataBlockAccess(True, 1),), (integer(1),))],
        1,
        14,
    ),
    "a block beside a variable": ([ReadRequestApdu((BlockNumberAccess(1), NAME))], 0, 14),
    "a READ block in a WRITE": (
        [WriteRequestApdu((ReadDataBlockAccess(True, 1, b""),), (VALUE,))],
        1,
        14,
    ),
    "no answer in progress": ([ReadRequestApdu((BlockNumberAccess(1),))], 0, 16),
}


@pytest.mark.parametrize(("requests", "service", "reason"), BROKEN.values(), ids=BROKEN)
def test_blocks_that_cannot_be_had_are_refused(
    requests: list[Any], service: int, reason: int
) -> None:
    """By a result of their service; the transfer is over, and the next request is served."""
    server = opened_server()
    replies = [reply(server, request) for request in requests]
    assert replies[-1] == refused(DataAccessResult(reason))[service]
    assert reply(server, READ_ONE) == ReadResponseApdu((VALUE,))


def test_an_answer_in_blocks_ends_with_a_wrong_number_or_another_request() -> None:
    """Data-block-number-invalid, and then there is none in progress."""
    server = opened_server(max_pdu=64)
    for between, expected in ((ReadRequestApdu((BlockNumberAccess(7),)), 19), (READ_ONE, None)):
        server.receive(READ_ONE.encode(), T0)
        server.send(ReadResponse((octet_string(bytes(100)),)), T0)
        only(server)
        found = reply(server, between)
        if expected is not None:
            assert found == ReadResponseApdu((DataAccessResult(expected),))
        following = reply(server, ReadRequestApdu((BlockNumberAccess(1),)))
        none_in_progress = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        assert following == ReadResponseApdu((none_in_progress,))


def test_a_request_that_does_not_fit_needs_blocks_to_be_agreed_upon() -> None:
    """Else it is not sent; an unconfirmed one never goes in blocks."""
    found = talk(
        server_max_pdu_receive=64,
        client_conformance=SUPPORTED & ~Conformance.BLOCK_TRANSFER_SET,
    )
    long = WriteRequest((NAME,), (octet_string(bytes(100)),))
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        found.client.send(long, T0)
    found = talk(server_max_pdu_receive=64)
    with pytest.raises(LocalProtocolError, match="longer than the server takes"):
        found.client.send(WriteRequest(long.variables, long.values, confirmed=False), T0)
    assert found.say(long) == [WriteResponse((DataAccessResult.SUCCESS,))]


def test_the_password_shows_nowhere() -> None:
    """A refusal says nothing of it."""
    server = make_server(short_names=True, mechanism=Mechanism.LLS)
    client = make_client(context=SN, mechanism=Mechanism.LLS, secret=b"87654321")
    client.send(OpenRequest(), T0)
    (refusal,) = client.receive(answer(server, only(client)), T0)
    assert isinstance(refusal, OpenRefused)
    assert PASSWORD.decode() not in repr(refusal)

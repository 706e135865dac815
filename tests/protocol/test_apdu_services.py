"""GET, SET, ACTION, exceptions and ciphered envelopes as octets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obis.code import ObisCode
from protocol.apdu import (
    DECODERS,
    AccessKind,
    AccessRequestApdu,
    AccessResponseApdu,
    AccessResult,
    AccessSpecification,
    ActionRequestFirstPblock,
    ActionRequestListFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionRequestWithList,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    ActionResponseWithList,
    Apdu,
    ApduTag,
    Ciphered,
    ExceptionResponse,
    GeneralBlock,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseDatablock,
    GetResponseNormal,
    GetResponseWithList,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestListFirstDatablock,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
    decode,
)
from protocol.axdr import integer, null, octet_string
from protocol.codes import ActionResult, DataAccessResult, ServiceError, StateError
from protocol.errors import (
    DecodeError,
    EncodeError,
    RemoteProtocolError,
    SecurityError,
    ServiceNotSupported,
)
from protocol.events import AttributeRef, InvokeId, LongInvokeId, MethodRef, SelectiveAccess
from protocol.security import Protection
from tests.strategies import data, obis_codes

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "xdlms.json").read_text("utf-8")
)

CLOCK = AttributeRef(8, ObisCode(0, 0, 1, 0, 0, 255), 2)
invokes = st.builds(InvokeId, st.integers(0, 15), st.booleans(), st.booleans())
attributes = st.builds(AttributeRef, st.integers(0, 0xFFFF), obis_codes(), st.integers(0, 255))
methods = st.builds(MethodRef, st.integers(0, 0xFFFF), obis_codes(), st.integers(0, 255))
accesses = st.none() | st.builds(SelectiveAccess, st.integers(0, 255), data())
numbers = st.integers(0, 0xFFFFFFFF)
raw = st.binary(max_size=300)
data_results = st.sampled_from(DataAccessResult)
action_results = st.sampled_from(ActionResult)
bools = st.booleans()

long_invokes = st.builds(
    LongInvokeId, st.integers(0, 0xFFFFFF), bools, bools, confirmed=bools, high_priority=bools
)
specifications = st.one_of(
    st.builds(AccessSpecification, st.sampled_from((AccessKind.GET, AccessKind.SET)), attributes),
    st.builds(AccessSpecification, st.just(AccessKind.ACTION), methods),
    st.builds(
        AccessSpecification,
        st.sampled_from((AccessKind.GET_WITH_SELECTION, AccessKind.SET_WITH_SELECTION)),
        attributes,
        st.builds(SelectiveAccess, st.integers(0, 255), data()),
    ),
)
access_results = st.one_of(
    st.builds(AccessResult, st.sampled_from((AccessKind.GET, AccessKind.SET)), data_results),
    st.builds(AccessResult, st.just(AccessKind.ACTION), action_results),
)


def members(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Up to three of a list."""
    return st.lists(each, max_size=3).map(tuple)


def lists_of(
    make: Callable[[Any, Any, Any], Apdu],
    invoke: st.SearchStrategy[Any],
    each: st.SearchStrategy[Any],
    value: st.SearchStrategy[Any],
) -> st.SearchStrategy[Apdu]:
    """An APDU of two lists of the same length, made of an invoke id and the two."""
    pairs = st.lists(st.tuples(each, value), max_size=3)
    return st.builds(
        lambda head, found: make(
            head, tuple(one for one, _ in found), tuple(other for _, other in found)
        ),
        invoke,
        pairs,
    )


EVERY_APDU = st.one_of(
    st.builds(GetRequestNormal, invokes, attributes, accesses),
    st.builds(GetRequestNext, invokes, numbers),
    st.builds(GetResponseNormal, invokes, data() | data_results),
    st.builds(GetResponseDatablock, invokes, bools, numbers, raw | data_results),
    st.builds(SetRequestNormal, invokes, attributes, accesses, data()),
    st.builds(SetRequestFirstDatablock, invokes, attributes, accesses, bools, numbers, raw),
    st.builds(SetRequestDatablock, invokes, bools, numbers, raw),
    st.builds(SetResponseNormal, invokes, data_results),
    st.builds(SetResponseDatablock, invokes, numbers),
    st.builds(SetResponseLastDatablock, invokes, data_results, numbers),
    st.builds(ActionRequestNormal, invokes, methods, st.none() | data()),
    st.builds(ActionRequestNextPblock, invokes, numbers),
    st.builds(ActionRequestFirstPblock, invokes, methods, bools, numbers, raw),
    st.builds(ActionRequestPblock, invokes, bools, numbers, raw),
    st.builds(ActionResponseNormal, invokes, action_results, st.none() | data() | data_results),
    st.builds(ActionResponsePblock, invokes, bools, numbers, raw),
    st.builds(ActionResponseNextPblock, invokes, numbers),
    st.builds(GetRequestWithList, invokes, members(st.tuples(attributes, accesses))),
    st.builds(GetResponseWithList, invokes, members(data() | data_results)),
    lists_of(SetRequestWithList, invokes, st.tuples(attributes, accesses), data()),
    st.builds(
        SetRequestListFirstDatablock,
        invokes,
        members(st.tuples(attributes, accesses)),
        bools,
        numbers,
        raw,
    ),
    st.builds(SetResponseWithList, invokes, members(data_results)),
    st.builds(SetResponseLastDatablockWithList, invokes, members(data_results), numbers),
    lists_of(ActionRequestWithList, invokes, methods, data()),
    st.builds(ActionRequestListFirstPblock, invokes, members(methods), bools, numbers, raw),
    st.builds(
        ActionResponseWithList,
        invokes,
        members(st.tuples(action_results, st.none() | data() | data_results)),
    ),
    lists_of(
        lambda invoke, asked, values: AccessRequestApdu(invoke, b"", asked, values),
        long_invokes,
        specifications,
        data(),
    ),
    lists_of(
        lambda invoke, results, values: AccessResponseApdu(
            invoke, b"twelve octet", None, values, results
        ),
        long_invokes,
        access_results,
        data(),
    ),
    st.builds(
        GeneralBlock,
        bools,
        bools,
        st.integers(0, 63),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
        raw,
    ),
    st.builds(
        ExceptionResponse, st.sampled_from(StateError), st.sampled_from(list(ServiceError)[:5])
    ),
    st.builds(
        ExceptionResponse,
        st.sampled_from(StateError),
        st.just(ServiceError.INVOCATION_COUNTER_ERROR),
        numbers,
    ),
    st.builds(
        Ciphered,
        st.sampled_from([200, 201, 203, 204, 205, 207, 33, 40]),
        st.sampled_from([Protection(0x10), Protection(0x20), Protection(0x30)]),
        numbers,
        raw,
    ),
    st.builds(
        Ciphered,
        st.just(219),
        st.sampled_from([Protection(0x10), Protection(0x20), Protection(0x30)]),
        numbers,
        raw,
        st.sampled_from([b"", b"8 octets"]),
    ),
)


def by_name(case: dict[str, str]) -> str:
    """Name a vector in the report."""
    return case["name"]


@settings(max_examples=300)
@given(EVERY_APDU)
def test_every_apdu_reads_as_it_was_written(apdu: Apdu) -> None:
    """The registry finds the decoder by the first octet."""
    octets = apdu.encode()
    assert repr(decode(octets)) == repr(apdu)  # repr, because a float may be NaN
    assert decode(octets).encode() == octets


@settings(max_examples=100)
@given(EVERY_APDU, st.data())
def test_no_apdu_survives_a_cut_or_an_addition(apdu: Apdu, draw: st.DataObject) -> None:
    """Lengths are strict in both directions, but for what is optional at the end."""
    octets = apdu.encode()
    cut = draw.draw(st.integers(0, len(octets) - 1))
    optional_end = isinstance(apdu, ActionResponseNormal | ExceptionResponse) and cut > 2
    if not optional_end:
        with pytest.raises(RemoteProtocolError):
            decode(octets[:cut])
    with pytest.raises(RemoteProtocolError):
        decode(octets + b"\x00")


@pytest.mark.parametrize("case", VECTORS["round_trip"], ids=by_name)
def test_published_apdus(case: dict[str, str]) -> None:
    """They are written as they were read."""
    apdu = bytes.fromhex(case["apdu"])
    assert decode(apdu).encode() == apdu


def test_a_published_get_in_full() -> None:
    """0xC1 is invoke id 1, confirmed, high priority."""
    apdu = decode(bytes.fromhex("C001C1000100002B0100FF0200"))
    reference = AttributeRef(1, ObisCode.parse("0-0:43.1.0*255"), 2)
    assert apdu == GetRequestNormal(InvokeId(1, True, True), reference)


@pytest.mark.parametrize(
    ("octet", "invoke"),
    [
        (0x00, InvokeId(0, False, False)),
        (0x4F, InvokeId(15, True, False)),
        (0x81, InvokeId(1, False, True)),
        (0xC1, InvokeId(1, True, True)),
    ],
)
def test_invoke_id_and_priority(octet: int, invoke: InvokeId) -> None:
    """Number in the low bits, service class and priority in bits 6 and 7."""
    assert decode(bytes((0xC5, 1, octet, 0))) == SetResponseNormal(invoke, DataAccessResult.SUCCESS)


def test_a_published_get_with_a_list() -> None:
    """Descriptors with their selection, the number of them first."""
    octets = bytes.fromhex(VECTORS["with_list"][0]["apdu"])
    apdu = decode(octets)
    assert isinstance(apdu, GetRequestWithList)
    assert [reference.class_id for reference, _ in apdu.attributes] == [1, 8]
    assert apdu.encode() == octets


@pytest.mark.parametrize(
    "apdu",
    [
        pytest.param("C003C1 02 00080000010000FF0200", id="a GET with one attribute of two"),
        pytest.param("C003C1 84FFFFFFFF 00080000010000FF0200", id="a GET with 4294967295"),
        pytest.param("C403C1 84FFFFFFFF 0000", id="as many results"),
        pytest.param("C104C1 01 00080000010000FF0200 02 0000", id="a SET with two values for one"),
        pytest.param("C104C1 01 00080000010000FF0200 00", id="a SET with no value for one"),
        pytest.param("C505C1 02 00", id="one SET result of two"),
        pytest.param("C303C1 01 00080000010000FF01 02 0000", id="two parameters for one"),
        pytest.param("C703C1 02 0000", id="one ACTION result of two"),
        pytest.param("D9 40000001 01 00 00 00", id="an ACCESS with a date-time of one octet"),
        pytest.param("D9 40000001 00 01 01 00080000010000FF02 00", id="an ACCESS without a value"),
        pytest.param("D9 40000001 00 01 06 00080000010000FF02 01 00", id="an ACCESS of kind 6"),
        pytest.param("DA 40000001 00 00 01 00 00", id="an ACCESS response without a result"),
        pytest.param("DA 40000001 00 00 01 00 01 04 00", id="a result of a kind with selection"),
        pytest.param("E0 81 0001 0000 02 C4", id="a general block cut short"),
        pytest.param("E0 81 0001 0000 00 C4", id="octets behind a general block"),
    ],
)
def test_lists_and_blocks_that_do_not_add_up(apdu: str) -> None:
    """Counts are compared with the octets that are left, and with each other."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(apdu))


def test_an_access_request_and_its_answer_in_full() -> None:
    """Octets that pydlms-client and gurux-dlms write and read: a GET and an ACTION, confirmed."""
    name = ObisCode(0, 0, 1, 0, 0, 255)
    invoke = LongInvokeId(1, confirmed=True)
    request = AccessRequestApdu(
        invoke,
        b"",
        (
            AccessSpecification(AccessKind.GET, AttributeRef(8, name, 2)),
            AccessSpecification(AccessKind.ACTION, MethodRef(8, name, 1)),
        ),
        (null(), integer(0)),
    )
    octets = "D9 40000001 00 02 01 00080000010000FF02 03 00080000010000FF01 02 00 0F00"
    assert request.encode() == bytes.fromhex(octets)
    answer = AccessResponseApdu(
        invoke,
        b"",
        None,
        (null(), null()),
        (
            AccessResult(AccessKind.GET, DataAccessResult.OBJECT_UNDEFINED),
            AccessResult(AccessKind.ACTION, ActionResult.SUCCESS),
        ),
    )
    assert answer.encode() == bytes.fromhex("DA 40000001 00 00 02 00 00 02 01 04 03 00")


@pytest.mark.parametrize(
    "specification",
    [
        AccessSpecification(AccessKind.GET, MethodRef(8, ObisCode(0, 0, 1, 0, 0, 255), 1)),
        AccessSpecification(AccessKind.ACTION, CLOCK),
        AccessSpecification(AccessKind.GET_WITH_SELECTION, CLOCK),
        AccessSpecification(AccessKind.SET, CLOCK, SelectiveAccess(1, null())),
    ],
    ids=["a GET of a method", "an ACTION on an attribute", "no selection", "a selection too many"],
)
def test_specifications_that_are_none(specification: AccessSpecification) -> None:
    """Kind, reference and selection have to fit together."""
    with pytest.raises(EncodeError):
        specification.encode()


def test_a_window_or_number_that_does_not_fit() -> None:
    """A window has 6 bits, a number 16."""
    with pytest.raises(EncodeError):
        GeneralBlock(False, False, 64, 1, 0).encode()
    with pytest.raises(EncodeError):
        GeneralBlock(False, False, 1, 0x10000, 0).encode()


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(DECODERS)))
def test_unknown_tags_are_not_supported(tag: int) -> None:
    """Short names, dedicated ciphering, general block transfer and the rest."""
    with pytest.raises(ServiceNotSupported):
        decode(bytes((tag, 0, 0)))


@pytest.mark.parametrize(
    "apdu",
    [
        "",
        "C0",
        "C000C1",
        "C004C1",
        "C001C1",
        "C001C100080000010000FF0202",
        "C001C100080000010000FF020001",
        "C001C100080000010000FF0201",
        "C401C102",
        "C401C10105",
        "C402C10000000001020000",
        "C101C100080000010000FF0200",
        "C501C105",
        "C701C105",
        "D80301",
        "D80107",
        "D8010600",
        "0E0106",
        "0E7F0600",
        "DB0411223344050000000000",
        "C8",
        "C80430000000",
        "C805300000000100",
    ],
)
def test_malformed_apdus_are_refused(apdu: str) -> None:
    """Choices that are none, codes that are none, cut short, too long."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(apdu))


@pytest.mark.parametrize("control", [0x00, 0x01, 0x33, 0xB0, 0x40, 0x80, 0xFF])
def test_security_controls_not_in_use(control: int) -> None:
    """They are a matter of security, not of form."""
    with pytest.raises(SecurityError):
        decode(bytes((200, 5, control)) + bytes(4))


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_lengths_at_the_boundaries_of_their_encoding(length: int) -> None:
    """One octet up to 127, then as many as it takes."""
    block = SetRequestDatablock(InvokeId(), False, 1, bytes(length))
    assert decode(block.encode()) == block
    ciphered = Ciphered(ApduTag.GLO_SET_REQUEST, Protection.ENCRYPTED, 1, bytes(length))
    assert decode(ciphered.encode()) == ciphered


def test_an_action_response_may_end_after_its_result() -> None:
    """Some meters leave out that there are no return parameters."""
    assert decode(bytes.fromhex("C701C100")) == ActionResponseNormal(
        InvokeId(1), ActionResult.SUCCESS
    )


def test_an_invocation_counter_error_may_lack_its_counter() -> None:
    """Meters of older editions send only the code."""
    assert decode(bytes.fromhex("D80106")) == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR
    )


@pytest.mark.parametrize(
    "apdu",
    [
        GetRequestNormal(InvokeId(16), CLOCK),
        GetRequestNormal(InvokeId(), AttributeRef(0x10000, CLOCK.logical_name, 2)),
        GetRequestNormal(InvokeId(), AttributeRef(8, CLOCK.logical_name, 256)),
        GetRequestNormal(InvokeId(), CLOCK, SelectiveAccess(-1, octet_string(b""))),
        GetRequestNext(InvokeId(), 1 << 32),
        ExceptionResponse(
            StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR, -1
        ),
    ],
)
def test_what_does_not_fit_is_not_written(apdu: Apdu) -> None:
    """A number too large is a mistake of ours, and says so."""
    with pytest.raises(EncodeError):
        apdu.encode()

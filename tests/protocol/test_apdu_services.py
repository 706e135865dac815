"""GET, SET, ACTION, exceptions and ciphered envelopes as octets."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obis.code import ObisCode
from protocol.apdu import (
    DECODERS,
    ActionRequestFirstPblock,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponsePblock,
    Apdu,
    ApduTag,
    Ciphered,
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
    SetResponseNormal,
    decode,
)
from protocol.axdr import octet_string
from protocol.codes import ActionResult, DataAccessResult, ServiceError, StateError
from protocol.errors import (
    DecodeError,
    EncodeError,
    RemoteProtocolError,
    SecurityError,
    ServiceNotSupported,
)
from protocol.events import AttributeRef, InvokeId, MethodRef, SelectiveAccess
from protocol.security import Protection
from tests.strategies import data, obis_codes

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "xdlms.json").read_text("utf-8")
)

invokes = st.builds(InvokeId, st.integers(0, 15), st.booleans(), st.booleans())
attributes = st.builds(AttributeRef, st.integers(0, 0xFFFF), obis_codes(), st.integers(0, 255))
methods = st.builds(MethodRef, st.integers(0, 0xFFFF), obis_codes(), st.integers(0, 255))
accesses = st.none() | st.builds(SelectiveAccess, st.integers(0, 255), data())
numbers = st.integers(0, 0xFFFFFFFF)
raw = st.binary(max_size=300)
data_results = st.sampled_from(DataAccessResult)
action_results = st.sampled_from(ActionResult)
bools = st.booleans()

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
CLOCK = AttributeRef(8, ObisCode(0, 0, 1, 0, 0, 255), 2)


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


@pytest.mark.parametrize(
    "apdu",
    [
        VECTORS["with_list"][0]["apdu"],
        "C403C1",
        "C104C1",
        "C105C1",
        "C504C1",
        "C505C1",
        "C303C1",
        "C305C1",
        "C703C1",
    ],
)
def test_lists_are_recognised_and_not_supported(apdu: str) -> None:
    """They get the answer for what is not served, not that for nonsense."""
    with pytest.raises(ServiceNotSupported):
        decode(bytes.fromhex(apdu))


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


@pytest.mark.parametrize("control", [0x00, 0x31, 0x70, 0xB0, 0x40, 0x80, 0xFF])
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

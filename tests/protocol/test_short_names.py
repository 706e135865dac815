"""READ, WRITE, UnconfirmedWrite and InformationReport as octets, and where methods lie."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import (
    Aare,
    Aarq,
    ApduTag,
    BlockNumberAccess,
    InformationReportApdu,
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
from protocol.axdr import Data, integer, null, octet_string
from protocol.codes import ApplicationContext, Conformance, DataAccessResult
from protocol.cosem import CLASSES
from protocol.cosem import short_names as names
from protocol.cosem_time import CosemDateTime
from protocol.errors import DecodeError, EncodeError, RemoteProtocolError
from protocol.events import InformationReport, SelectiveAccess, ShortName
from tests.strategies import cosem_date_times, data

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "short_names.json").read_text("utf-8")
)

addresses = st.integers(0, 0xFFFF)
plain_names = st.builds(ShortName, addresses)
short_names = plain_names | st.builds(
    ShortName, addresses, st.builds(SelectiveAccess, st.integers(0, 255), data(4))
)
numbers = st.integers(0, 0xFFFF)
raw = st.binary(max_size=300)
variables = st.one_of(
    short_names,
    st.builds(BlockNumberAccess, numbers),
    st.builds(ReadDataBlockAccess, st.booleans(), numbers, raw),
    st.builds(WriteDataBlockAccess, st.booleans(), numbers),
)
errors = st.sampled_from([one for one in DataAccessResult if one])
read_results = st.one_of(
    data(4),
    errors,
    st.builds(ReadBlock, st.booleans(), numbers, raw),
    st.builds(ReadBlockNumber, numbers),
)
write_results = st.sampled_from(DataAccessResult) | st.builds(WriteBlockNumber, numbers)
times = st.text(st.characters(min_codepoint=48, max_codepoint=57), max_size=20)


def several(each: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[Any]:
    """Up to three of them."""
    return st.lists(each, min_size=least, max_size=3).map(tuple)


writes = st.builds(
    lambda pairs, confirmed: WriteRequestApdu(
        tuple(one for one, _ in pairs), tuple(value for _, value in pairs), confirmed
    ),
    several(st.tuples(variables, data(4))),
    st.booleans(),
)
reports = st.builds(
    lambda pairs, time: InformationReportApdu(
        InformationReport(tuple(one for one, _ in pairs), tuple(value for _, value in pairs), time)
    ),
    several(st.tuples(plain_names, data(4))),
    times,
)
EVERY_APDU = st.one_of(
    st.builds(ReadRequestApdu, several(variables)),
    st.builds(ReadResponseApdu, several(read_results)),
    writes,
    st.builds(WriteResponseApdu, several(write_results)),
    reports,
)


@settings(max_examples=300, deadline=None)
@given(EVERY_APDU)
def test_every_apdu_reads_as_it_was_written(apdu: Any) -> None:
    """Through the decoder that the first octet finds."""
    assert decode(apdu.encode()) == apdu


@settings(max_examples=150, deadline=None)
@given(EVERY_APDU, st.data())
def test_an_apdu_that_is_cut_short_or_goes_on_is_refused(apdu: Any, draw: st.DataObject) -> None:
    """By a named error, whatever is missing."""
    octets = apdu.encode()
    cut = draw.draw(st.integers(1, len(octets) - 1)) if len(octets) > 1 else 1
    for broken in (octets[:cut], octets + b"\0"):
        if broken != octets:
            with pytest.raises(RemoteProtocolError):
                decode(broken)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([5, 6, 12, 13, 22, 24]), st.binary(max_size=60))
def test_any_octets_are_an_apdu_or_an_error(tag: int, octets: bytes) -> None:
    """Never anything else."""
    with suppress(RemoteProtocolError):
        decode(bytes((tag,)) + octets)


@pytest.mark.parametrize(
    "vector", VECTORS["requests"] + VECTORS["responses"], ids=lambda v: v["name"]
)
def test_published_apdus_read_and_write_back(vector: dict[str, str]) -> None:
    """Octet by octet."""
    octets = bytes.fromhex(vector["apdu"])
    apdu: Any = decode(octets)
    assert apdu.encode() == octets


def test_the_published_question_where_the_clock_is() -> None:
    """Attribute 2 of the association, access selector 2; the answer is a list of one object."""
    request = decode(bytes.fromhex(VECTORS["requests"][0]["apdu"]))
    assert isinstance(request, ReadRequestApdu)
    (variable,) = request.variables
    assert isinstance(variable, ShortName)
    assert variable.address == names.CURRENT_ASSOCIATION + names.attribute_offset(2)
    assert variable.access is not None
    assert variable.access.selector == 2
    response = decode(bytes.fromhex(VECTORS["responses"][0]["apdu"]))
    assert isinstance(response, ReadResponseApdu)
    (listed,) = response.results
    assert isinstance(listed, Data)
    assert [member.value for member in listed.value[0].value][:3] == [0x2A40, 8, 0]


def test_the_logical_device_name_lies_where_a_captured_meter_has_it() -> None:
    """At 0xFD08; "LGZ" and seven zeros are what a Landis+Gyr meter answers there."""
    request = decode(bytes.fromhex(VECTORS["requests"][2]["apdu"]))
    assert isinstance(request, ReadRequestApdu)
    assert request.variables[0] == ShortName(names.LOGICAL_DEVICE_NAME + names.attribute_offset(2))
    response = decode(bytes.fromhex(VECTORS["responses"][2]["apdu"]))
    assert isinstance(response, ReadResponseApdu)
    assert response.results[0] == octet_string(b"LGZ51282380\0\0\0\0\0")


@pytest.mark.parametrize("vector", VECTORS["aarq"], ids=lambda v: v["name"])
def test_published_requests_for_an_association(vector: dict[str, Any]) -> None:
    """The conformance block's tag may have one octet."""
    aarq = Aarq.decode(bytes.fromhex(vector["apdu"]))
    assert aarq.context == ApplicationContext.SN
    initiate = InitiateRequest.decode(aarq.user_information)
    assert initiate.conformance == Conformance(int(vector["conformance"], 16))
    assert initiate.max_pdu == vector["max_pdu"]


@pytest.mark.parametrize("vector", VECTORS["aare"], ids=lambda v: v["name"])
def test_published_answers_have_the_association_for_a_vaa_name(vector: dict[str, Any]) -> None:
    """0xFA00, where logical names have 7."""
    aare = Aare.decode(bytes.fromhex(vector["apdu"]))
    assert aare.context == ApplicationContext.SN
    initiate = InitiateResponse.decode(aare.user_information)
    assert initiate.conformance == Conformance(int(vector["conformance"], 16))
    assert (initiate.max_pdu, initiate.vaa_name) == (vector["max_pdu"], 0xFA00)


MALFORMED = {
    "detailed access, which is not of COSEM": "0501030000",
    "no such choice": "0501010000",
    "more variables than octets": "05FF02FD08",
    "a count that no APDU can have": "0584FFFFFFFF02FD08",
    "no such choice of a result": "0C010400",
    "no such result": "0C0101FF",
    "two variables, one value": "060202FD0802FD10010F00",
    "one variable, two values": "060102FD08020F000F00",
    "a report with parameters": "18000104FD0800000100",
    "a report with half a time": "1801020A0B0000",
    "a report with a time that is too long": "180121" + "30" * 33 + "0000",
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
def test_malformed_apdus_are_refused(octets: str) -> None:
    """Before anything is made of what they announce."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(octets))


def test_boundary_lengths_of_a_block() -> None:
    """Lengths of one, two and three octets."""
    for length in (0, 1, 127, 128, 255, 256, 65535, 65536):
        apdu = ReadResponseApdu((ReadBlock(True, 1, bytes(length)),))
        assert decode(apdu.encode()) == apdu


@pytest.mark.parametrize("address", [-1, 0x10000])
def test_a_short_name_has_16_bits(address: int) -> None:
    """What does not fit is refused when it is encoded."""
    with pytest.raises(EncodeError):
        ReadRequestApdu((ShortName(address),)).encode()


# --- the time of a report ------------------------------------------------------------------------

NOW = bytes.fromhex("07EA0B1607000F00FFFFC400")  # 2026-11-22 00:15:00, an hour east of Greenwich


@pytest.mark.parametrize(
    "time",
    [b"\x01\x13" + b"20261122001500+0100", b"\x01\x0c" + NOW, b"\x0c" + NOW],
    ids=["GeneralizedTime", "pydlms-client", "gurux-dlms"],
)
def test_the_time_of_a_report_is_read_in_every_form_that_is_met(time: bytes) -> None:
    """And comes out as text."""
    apdu = decode(bytes((ApduTag.INFORMATION_REPORT_REQUEST,)) + time + b"\0\0")
    assert apdu == InformationReportApdu(InformationReport((), (), "20261122001500+0100"))


@given(cosem_date_times())
def test_any_cosem_time_of_a_report_is_text_or_none(moment: CosemDateTime) -> None:
    """Wildcards leave nothing that text could say."""
    octets = b"\x18\x0c" + moment.to_bytes() + b"\0\0"
    apdu = decode(octets)
    assert isinstance(apdu, InformationReportApdu)
    assert apdu.notification.time == "" or len(apdu.notification.time) in (14, 19)


@pytest.mark.parametrize(
    "report",
    [
        InformationReport((ShortName(8),), (), ""),
        InformationReport((), (), "ö"),
        InformationReport((), (), "1" * 33),
    ],
)
def test_a_report_that_cannot_be_said_is_refused(report: InformationReport) -> None:
    """Not one value a variable, or a time that is none."""
    with pytest.raises(EncodeError):
        InformationReportApdu(report).encode()


def test_an_unconfirmed_write_differs_in_its_tag_only() -> None:
    """22 in the place of 6."""
    variables_, values = (ShortName(0x2A48),), (integer(1),)
    confirmed = WriteRequestApdu(variables_, values).encode()
    unconfirmed = WriteRequestApdu(variables_, values, confirmed=False).encode()
    assert (confirmed[0], unconfirmed[0]) == (6, 22)
    assert confirmed[1:] == unconfirmed[1:]
    assert null() not in values


# --- where methods lie ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_id", "version", "offset"),
    [
        (3, 0, 0x28),
        (7, 1, 0x58),
        (8, 0, 0x60),
        (12, 2, 0x20),
        (64, 0, 0x28),
        (64, 1, 0x30),
        (70, 0, 0x20),
        (111, 0, 0x98),
        (112, 0, 0x58),
        (115, 0, 0x30),
    ],
)
def test_method_1_lies_at_the_offset_of_its_class(class_id: int, version: int, offset: int) -> None:
    """Pinned, as jDLMS and pydlms-client have them; behind the attributes where they have none."""
    declared = CLASSES.get((class_id, version))
    if declared is None:
        pytest.skip("not declared here")
    assert names.first_method(declared) == offset
    assert names.method_offset(declared, 2) == offset + 8


@pytest.mark.parametrize("declared", CLASSES.values(), ids=lambda one: f"{one.name} {one.version}")
def test_no_method_lies_on_an_attribute(declared: Any) -> None:
    """But for class 12 from version 3 on, where the methods 1 and 2 are no more."""
    attributes = {names.attribute_offset(one.index) for one in declared.attributes}
    first = 3 if declared.class_id == 12 else 1
    methods = {
        names.method_offset(declared, one.index) for one in declared.methods if one.index >= first
    }
    assert not attributes & methods
    assert max(attributes | methods) < names.extent(declared) <= 0x100


def test_hls_pass_3_is_method_8_of_the_association() -> None:
    """0xFA58, as pydlms-client and gurux-dlms have it."""
    assert names.REPLY_TO_HLS_NAME == 0xFA58

"""AARQ, AARE, RLRQ, RLRE and the negotiation inside them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import replace
from protocol.apdu import (
    Aare,
    Aarq,
    ConfirmedServiceError,
    InitiateRequest,
    InitiateResponse,
    Rlre,
    Rlrq,
    decode,
)
from protocol.apdu.ber import MAX_FIELDS
from protocol.codes import (
    AssociationResult,
    Conformance,
    InitiateError,
    ProviderDiagnostic,
    UserDiagnostic,
)
from protocol.errors import DecodeError

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "acse.json").read_text("utf-8")
)
NO_SECURITY = bytes.fromhex(VECTORS["aarq"][0]["apdu"])
CONTEXT = bytes.fromhex("A109060760857405080101")


def by_name(case: dict[str, Any]) -> str:
    """Name a vector in the report."""
    return str(case["name"])


def tlv(tag: int, content: bytes) -> bytes:
    """Return a short BER field."""
    return bytes((tag, len(content))) + content


def value_of(case: dict[str, Any]) -> bytes | None:
    """Return the authentication value that a vector expects."""
    return None if case["value"] is None else bytes.fromhex(case["value"])


@pytest.mark.parametrize("case", VECTORS["aarq"], ids=by_name)
def test_published_aarqs(case: dict[str, Any]) -> None:
    """They read as published, and are written as published."""
    apdu = bytes.fromhex(case["apdu"])
    aarq = Aarq.decode(apdu)
    assert aarq.context == case["context"]
    assert aarq.calling_ap_title == bytes.fromhex(case["title"])
    assert aarq.mechanism == case["mechanism"]
    assert aarq.authentication_value == value_of(case)
    assert aarq.encode() == apdu


@pytest.mark.parametrize("case", VECTORS["aare"], ids=by_name)
def test_published_aares(case: dict[str, Any]) -> None:
    """They read as published, and are written as published."""
    apdu = bytes.fromhex(case["apdu"])
    aare = Aare.decode(apdu)
    assert aare.result == AssociationResult(case["result"])
    assert aare.diagnostic == UserDiagnostic(case["diagnostic"])
    assert aare.mechanism == case["mechanism"]
    assert aare.authentication_value == value_of(case)
    assert aare.encode() == apdu


@pytest.mark.parametrize("case", VECTORS["release"], ids=by_name)
def test_published_releases(case: dict[str, Any]) -> None:
    """They read as published, and are written as published."""
    apdu = bytes.fromhex(case["apdu"])
    release = decode(apdu)
    assert isinstance(release, Rlrq | Rlre)
    assert release.reason == case["reason"]
    assert release.user_information == bytes.fromhex(case["user_information"])
    assert release.encode() == apdu


@pytest.mark.parametrize("case", VECTORS["initiate_response"], ids=by_name)
def test_published_initiate_responses(case: dict[str, Any]) -> None:
    """With and without quality of service."""
    apdu = bytes.fromhex(case["apdu"])
    response = InitiateResponse.decode(apdu)
    assert (response.max_pdu, response.vaa_name) == (case["max_pdu"], 7)
    assert response.encode() == apdu


def test_the_published_initiate_refusal() -> None:
    """The wrong DLMS version is the initiate error 1."""
    case = next(case for case in VECTORS["aare"] if case["name"] == "wrong DLMS version")
    information = Aare.decode(bytes.fromhex(case["apdu"])).user_information
    error = ConfirmedServiceError.decode(information)
    assert error.initiate_error == InitiateError.DLMS_VERSION_TOO_LOW
    assert error == ConfirmedServiceError.initiate(InitiateError.DLMS_VERSION_TOO_LOW)
    assert error.encode() == information


def test_the_order_of_fields_does_not_matter() -> None:
    """Some clients put the user-information before the title."""
    aarq = Aarq(3, b"12345678", 5, b"challenge", b"information")
    body = aarq.encode()[2:]
    fields = []
    while body:
        length = 2 + body[1]
        fields.append(body[:length])
        body = body[length:]
    assert Aarq.decode(tlv(0x60, b"".join(reversed(fields)))) == aarq


@pytest.mark.parametrize(
    "field",
    [
        bytes.fromhex("80020284"),
        bytes.fromhex("A2090607608574050801 01".replace(" ", "")),
        bytes.fromhex("BD0404020000"),
    ],
    ids=["protocol version", "called title of another form", "implementation"],
)
def test_fields_without_use_are_read_over(field: bytes) -> None:
    """Whatever a client adds by the book does no harm."""
    assert Aarq.decode(tlv(0x60, field + CONTEXT)) == Aarq(1)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("80020700", {"protocol_version": False}),
        ("A20A04081122334455667788", {"called_ap_title": bytes.fromhex("1122334455667788")}),
        ("A903020101", {"user_id": 1}),
        ("A70A04081122334455667788", {"calling_ae_qualifier": bytes.fromhex("1122334455667788")}),
    ],
    ids=["protocol version", "called title", "user", "certificate"],
)
def test_fields_with_a_use(field: str, changes: dict[str, Any]) -> None:
    """What they say is kept, and written as it was read."""
    aarq = replace(Aarq(1), **changes)
    assert Aarq.decode(tlv(0x60, bytes.fromhex(field) + CONTEXT)) == aarq
    assert bytes.fromhex(field) in aarq.encode()
    assert Aarq.decode(aarq.encode()) == aarq


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (CONTEXT + tlv(0x80, b""), "protocol version"),
        (CONTEXT + tlv(0x80, b"\x08\x80"), "protocol version"),
        (CONTEXT + tlv(0xA9, tlv(0x02, bytes(5))), "invocation-identifier"),
        (CONTEXT + tlv(0xA7, tlv(0x06, b"x")), "calling-AE-qualifier"),
        (b"", "without an application context name"),
        (tlv(0xBE, tlv(0x04, b"x")), "without an application context name"),
        (CONTEXT + CONTEXT, "comes twice"),
        (CONTEXT[:-1], "cut short"),
        (CONTEXT + b"\xbe", "goes on"),
        (CONTEXT + b"\xbe\x05\x04\x01x", "cut short"),
        (CONTEXT + b"\xbe\x80", "may not start"),
        (CONTEXT + b"\xbe\x85\x00\x00\x00\x00\x00", "may not start"),
        (CONTEXT + b"\xbe\x84\xff\xff\xff\xff", "cut short"),
        (CONTEXT + b"\x1f\x01\x00", "several octets"),
        (CONTEXT + tlv(0xBE, tlv(0x05, b"x")), "user-information"),
        (CONTEXT + tlv(0xBE, b""), "user-information"),
        (CONTEXT + tlv(0xA6, tlv(0x04, b"a") + tlv(0x04, b"b")), "calling-AP-title"),
        (CONTEXT + tlv(0xAC, tlv(0x83, b"a")), "neither charstring nor bitstring"),
        (CONTEXT + tlv(0xAC, b""), "neither charstring nor bitstring"),
        (tlv(0xA1, tlv(0x04, b"x")), "application-context-name"),
        (CONTEXT + b"".join(tlv(0x90 + n, b"") for n in range(15)) * 3, "more than"),
    ],
)
def test_malformed_aarqs_are_refused(body: bytes, match: str) -> None:
    """By a named error that says what is wrong."""
    with pytest.raises(DecodeError, match=match):
        Aarq.decode(tlv(0x60, body))


def test_the_number_of_fields_is_bounded() -> None:
    """A stranger's octets do not become a list without end."""
    with pytest.raises(DecodeError, match=f"more than {MAX_FIELDS} fields"):
        Aarq.decode(b"\x60\x82\x02\x00" + b"\x9e\x00" * 256)


def test_octets_after_an_aarq_are_refused() -> None:
    """An APDU is one field."""
    with pytest.raises(DecodeError, match="not one field"):
        Aarq.decode(NO_SECURITY + b"\x00\x00")


@pytest.mark.parametrize(
    "name", ["60857405080105", "608574050802", "2A8648", "", "6085740508010100"]
)
def test_contexts_of_another_family_are_none(name: str) -> None:
    """They are no malformed AARQ: they are refused by their own diagnostic."""
    content = tlv(0x06, bytes.fromhex(name))
    expected = 5 if name == "60857405080105" else None
    assert Aarq.decode(tlv(0x60, tlv(0xA1, content))).context == expected


def test_a_mechanism_of_another_family_is_no_mechanism_we_know() -> None:
    """It is refused as unrecognised, not as malformed."""
    aarq = Aarq.decode(tlv(0x60, CONTEXT + tlv(0x8B, bytes.fromhex("2A8648"))))
    assert aarq.mechanism == 255


def test_secrets_do_not_show() -> None:
    """An LLS password, or a plain dedicated key, is not for the log."""
    shown = repr(Aarq(1, b"", 1, b"password", b"information"))
    assert "password" not in shown
    assert "information=" not in shown
    assert "dedicated" not in repr(InitiateRequest(Conformance.GET, 0, dedicated_key=bytes(16)))


@given(
    st.integers(0, 255),
    st.binary(max_size=200),
    st.none() | st.integers(0, 255),
    st.none() | st.binary(max_size=200),
    st.binary(max_size=200),
)
def test_an_aarq_reads_as_it_was_written(
    context: int, title: bytes, mechanism: int | None, value: bytes | None, information: bytes
) -> None:
    """Lengths above 127 included."""
    aarq = Aarq(context, title, mechanism, value, information)
    assert Aarq.decode(aarq.encode()) == aarq


@given(
    st.integers(0, 255),
    st.sampled_from(AssociationResult),
    st.sampled_from([*UserDiagnostic, *ProviderDiagnostic]),
    st.binary(max_size=200),
    st.none() | st.integers(0, 255),
    st.none() | st.binary(max_size=200),
    st.binary(max_size=200),
)
def test_an_aare_reads_as_it_was_written(
    context: int,
    result: AssociationResult,
    diagnostic: UserDiagnostic | ProviderDiagnostic,
    title: bytes,
    mechanism: int | None,
    value: bytes | None,
    information: bytes,
) -> None:
    """Whose diagnostic it is included."""
    aare = Aare(context, result, diagnostic, title, mechanism, value, information)
    decoded = Aare.decode(aare.encode())
    assert decoded == aare
    assert type(decoded.diagnostic) is type(diagnostic)


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ("A109060760857405080101", "without context, result or diagnostic"),
        ("A109060760857405080101A203020107A305A103020100", "has no 7"),
        ("A109060760857405080101A203020100A305A10302017F", "has no 127"),
        ("A109060760857405080101A203020100A305A403020100", "by 0xA4"),
        ("A109060760857405080101A203020100A300", "not one choice"),
        ("A109060760857405080101A20402020000A305A103020100", "integer of 1 octet"),
    ],
)
def test_malformed_aares_are_refused(body: str, match: str) -> None:
    """By a named error that says what is wrong."""
    with pytest.raises(DecodeError, match=match):
        Aare.decode(tlv(0x61, bytes.fromhex(body)))


@given(
    st.integers(0, 0xFFFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.binary(max_size=32),
    st.booleans(),
    st.none() | st.integers(0, 255),
)
def test_an_initiate_request_reads_as_it_was_written(
    bits: int, max_pdu: int, version: int, key: bytes, allowed: bool, quality: int | None
) -> None:
    """Bits of the conformance block that have no name are dropped."""
    known = 0
    for bit in Conformance:
        known |= bit
    conformance = Conformance(bits & known)
    request = InitiateRequest(conformance, max_pdu, version, key, allowed, quality)
    assert InitiateRequest.decode(request.encode()) == request
    octets = request.encode()  # ends in 3 octets of conformance and 2 of the APDU size
    unnamed = octets[:-5] + bits.to_bytes(3, "big") + octets[-2:]
    assert InitiateRequest.decode(unnamed) == request


@pytest.mark.parametrize(
    "apdu",
    [
        "",
        "01",
        "08000000065F1F0400007E1F04B0",
        "01000000065F1F0400007E1F04",
        "01000000065F1F0400007E1F04B000",
        "01000000065F1F0300007E1F04B0",
        "01000000065E1F0400007E1F04B0",
        "01020000065F1F0400007E1F04B0",
        "0101FF1122",
    ],
)
def test_malformed_initiate_requests_are_refused(apdu: str) -> None:
    """Another tag, cut short, too long, another block, a usage flag that is none."""
    with pytest.raises(DecodeError):
        InitiateRequest.decode(bytes.fromhex(apdu))


@pytest.mark.parametrize("cut", range(len(NO_SECURITY)))
def test_an_aarq_cut_anywhere_is_refused(cut: int) -> None:
    """No prefix of an APDU is an APDU."""
    with pytest.raises(DecodeError):
        decode(NO_SECURITY[:cut])

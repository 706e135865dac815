"""Certificates, requests for them, security policies, and what is remembered against replay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.apdu import (
    AgreedKey,
    GeneralCiphering,
    GeneralHeader,
    GeneralSigning,
    IdentifiedKey,
    WrappedKey,
    decode,
)
from protocol.errors import DecodeError, ReplayError, SecurityError
from protocol.security import (
    Certificate,
    CertificateType,
    Demands,
    KeySet,
    KeyUse,
    Protection,
    ReplayBook,
    SecurityMaterial,
    SecuritySuite,
    SignatureMemory,
    demands,
    weakens,
)
from protocol.security.certificates import read_request, request_certificate, verify
from protocol.timing import Instant
from tests.protocol.association_tools import CLIENT_TITLE, T0
from tests.protocol.security_tools import (
    EXPIRED,
    SUITE_1,
    SUITE_2,
    authority,
    broken_certificates,
    certificate,
    client_certificate,
    private_key,
)

SIGNS = CertificateType.DIGITAL_SIGNATURE
BOTH = Protection.AUTHENTICATED_ENCRYPTED
NAME = CLIENT_TITLE.hex().upper()


@pytest.mark.parametrize("octets", broken_certificates())
def test_a_broken_certificate_is_told_by_one_error(octets: bytes) -> None:
    """At once, not when it is looked at; the library has a dozen errors of its own for it."""
    with pytest.raises(DecodeError):
        Certificate.decode(octets)


@given(st.data())
def test_a_damaged_certificate_is_refused_or_readable_throughout(data: st.DataObject) -> None:
    """Wherever an octet is another one; nor is there a word on standard error."""
    octets = bytearray(certificate(SUITE_1, NAME, "client signs", extra="2.5.29.99").octets)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Certificate.decode(bytes(octets))
    except DecodeError:
        return
    assert found.issuer
    assert found.subject
    assert isinstance(found.issuer_name + found.subject_name, str)
    assert found.is_valid_at(Instant(T0)) in (True, False)
    assert found.issued_by(authority(SUITE_1)) in (True, False)


def test_nobody_issues_certificates_who_may_not() -> None:
    """Who has a certificate of the authority's is not one by that."""
    shop = "meter shop"
    forged = certificate(SUITE_1, NAME, "forger signs", shop)
    customer = certificate(SUITE_1, shop, shop)
    assert customer.issued_by(authority(SUITE_1))
    assert not customer.may_certify
    assert not forged.issued_by(customer)
    allowed = certificate(SUITE_1, shop, shop, certifies=True)
    assert allowed.may_certify
    assert forged.issued_by(allowed)


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2])
def test_what_a_certificate_says(suite: SecuritySuite) -> None:
    """Whose it is, its key, what for, by whom."""
    found = client_certificate(suite)
    assert found.title == CLIENT_TITLE
    assert found.key == private_key(suite, "client signs").public
    assert found.usage == {SIGNS}
    assert (found.issuer_name, found.subject_name) == ("CA", NAME)
    assert found.issuer == authority(suite).subject
    assert authority(suite).title == b""
    assert found.issued_by(authority(suite))
    assert not authority(suite).issued_by(found)


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2])
def test_a_certificate_to_trust(suite: SecuritySuite) -> None:
    """For signatures, of this title and suite, by an authority that we know, and valid."""
    found = client_certificate(suite)
    known = (authority(suite),)
    assert verify(found.octets, known, SIGNS, CLIENT_TITLE, suite, T0) == found


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"title": b"another!"}, "another system title"),
        ({"title": b""}, "another system title"),
        ({"purpose": CertificateType.KEY_AGREEMENT}, "not for key_agreement"),
        ({"suite": SUITE_2}, "suite 2"),
        ({"authorities": ()}, "not known"),
        ({"authorities": (certificate(SUITE_1, "other", "other", "other"),)}, "not known"),
        ({"authorities": (certificate(SUITE_1, "CA", "mallory", "mallory"),)}, "not known"),
        ({"now": Instant(0)}, "not valid now"),
        ({"now": Instant(1_900_000_000_000)}, "not valid now"),
        ({"octets": certificate(SUITE_1, NAME, "client signs", until=EXPIRED).octets}, "not valid"),
        (
            {"octets": certificate(SUITE_1, NAME, "x", signs=False, agrees=True).octets},
            "digital_signature",
        ),
    ],
)
def test_certificates_not_to_trust(changes: dict[str, object], match: str) -> None:
    """Each for its own reason."""
    told: dict[str, object] = {
        "octets": client_certificate(SUITE_1).octets,
        "authorities": (authority(SUITE_1),),
        "purpose": SIGNS,
        "title": CLIENT_TITLE,
        "suite": SUITE_1,
        "now": T0,
    }
    with pytest.raises(SecurityError, match=match):
        verify(**(told | changes))  # type: ignore[arg-type] # each of its own type


@pytest.mark.parametrize("name", ["Meter 7", "4D4D4D0000BC614", "4D4D4D0000BC614G", "4D" * 9])
def test_a_common_name_that_is_no_system_title(name: str) -> None:
    """Such a certificate belongs to nobody here."""
    assert certificate(SUITE_1, name, "x").title == b""


@given(st.binary(max_size=600))
def test_octets_that_are_no_certificate(octets: bytes) -> None:
    """Whatever comes, the error is one of ours."""
    with pytest.raises(DecodeError):
        Certificate.decode(octets)
    with pytest.raises(DecodeError):
        read_request(octets)


def test_a_certificate_with_an_octet_changed() -> None:
    """It cannot be read, or is not to be trusted, wherever the octet is."""
    octets = client_certificate(SUITE_1).octets
    for index in range(len(octets)):
        garbled = bytearray(octets)
        garbled[index] ^= 1
        with pytest.raises((DecodeError, SecurityError)):
            verify(bytes(garbled), (authority(SUITE_1),), SIGNS, CLIENT_TITLE, SUITE_1, T0)


def test_certificates_have_an_end() -> None:
    """Longer ones are not even looked at."""
    with pytest.raises(DecodeError, match="4097"):
        Certificate.decode(bytes(4097))
    with pytest.raises(DecodeError, match="4097"):
        read_request(bytes(4097))


@pytest.mark.parametrize("suite", [SUITE_1, SUITE_2])
def test_requests_for_certificates(suite: SecuritySuite) -> None:
    """Title and key, signed by the key, and the same each time; a garbled one is not taken."""
    key = private_key(suite, "client signs")
    request = request_certificate(key, CLIENT_TITLE)
    assert request == request_certificate(key, CLIENT_TITLE)
    assert read_request(request) == (CLIENT_TITLE, key.public)
    garbled = bytearray(request)
    garbled[-1] ^= 1
    with pytest.raises((DecodeError, SecurityError)):
        read_request(bytes(garbled))


def test_a_certificate_for_another_key_than_ours() -> None:
    """It is refused when the settings are made."""
    with pytest.raises(ValueError, match="another key"):
        SecurityMaterial(
            signing_key=private_key(SUITE_1, "x"), certificate=client_certificate(SUITE_1)
        )
    with pytest.raises(ValueError, match="master_key"):
        SecurityMaterial(master_key=bytes(17))


# --- policies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "version", "expected"),
    [
        (0, 0, Demands()),
        (1, 0, Demands(Protection.AUTHENTICATED, Protection.AUTHENTICATED)),
        (2, 0, Demands(Protection.ENCRYPTED, Protection.ENCRYPTED)),
        (3, 0, Demands(BOTH, BOTH)),
        (0, 1, Demands()),
        (0x04, 1, Demands(Protection.AUTHENTICATED)),
        (0x08, 1, Demands(Protection.ENCRYPTED)),
        (0x10, 1, Demands(request_signed=True)),
        (0x20, 1, Demands(response=Protection.AUTHENTICATED)),
        (0x40, 1, Demands(response=Protection.ENCRYPTED)),
        (0x80, 1, Demands(response_signed=True)),
        (0xFC, 1, Demands(BOTH, BOTH, True, True)),
    ],
)
def test_what_policies_demand(policy: int, version: int, expected: Demands) -> None:
    """Number by number, and bit by bit."""
    assert demands(policy, version) == expected


@pytest.mark.parametrize(
    ("policy", "version"), [(4, 0), (-1, 0), (1, 1), (2, 1), (0x105, 1), (-4, 1), (0, 2)]
)
def test_policies_that_there_are_not(policy: int, version: int) -> None:
    """The two versions number differently, and unused bits are no policy."""
    with pytest.raises(ValueError, match="has no"):
        demands(policy, version)


@pytest.mark.parametrize(
    ("old", "new", "version", "does"),
    [
        (1, 3, 0, False),
        (1, 2, 0, True),
        (3, 3, 0, False),
        (3, 0, 0, True),
        (0x0C, 0x6C, 1, False),
        (0x6C, 0x0C, 1, True),
        (0x10, 0xEC, 1, True),
        (0x80, 0x7C, 1, True),
    ],
)
def test_policies_that_weaken(old: int, new: int, version: int, does: bool) -> None:
    """Whatever the old one demands the new one has to."""
    assert weakens(old, new, version) is does


# --- what is remembered -------------------------------------------------------------------------


def test_a_book_keeps_keys_apart() -> None:
    """Title by title and key by key; what is read out can be put back."""
    book = ReplayBook()
    book.guard(b"A", KeyUse.UNICAST).accept(5)
    book.guard(b"A", KeyUse.BROADCAST).accept(3)
    book.guard(b"B", KeyUse.UNICAST).accept(0)
    with pytest.raises(ReplayError) as caught:
        book.guard(b"A", KeyUse.UNICAST).accept(5)
    assert caught.value.expected == 6
    again = ReplayBook(book.lasts)
    assert again.guard(b"A", KeyUse.BROADCAST).last == 3
    assert again.guard(b"C", KeyUse.UNICAST).last == -1


def test_signatures_are_remembered_by_their_first_half() -> None:
    """r and n - s is as true as r and s; only so many are remembered."""
    memory = SignatureMemory(limit=2)
    memory.accept(b"apdu", b"rrssss"[:4])
    with pytest.raises(SecurityError, match="before"):
        memory.accept(b"apdu", b"rrxx")
    memory.accept(b"apdu", b"RRss")
    memory.accept(b"other", b"rrss")
    memory.accept(b"apdu", b"rrss")


@pytest.mark.parametrize(
    ("suite", "block", "authentication"),
    [(SUITE_1, 32, 16), (SUITE_2, 16, 32), (SUITE_2, 32, 24), (SUITE_1, 16, 32)],
)
def test_keys_have_the_length_of_their_suite(
    suite: SecuritySuite, block: int, authentication: int
) -> None:
    """16 octets, in suite 2 32; its authentication key may have 16."""
    with pytest.raises(ValueError, match="octets long"):
        KeySet(bytes(block), bytes(authentication), suite)
    KeySet(bytes(32), bytes(16), SUITE_2)


# --- the envelopes' octets ----------------------------------------------------------------------

HEADERS = st.builds(
    GeneralHeader,
    st.binary(max_size=255),
    st.sampled_from([b"", b"originat"]),
    st.sampled_from([b"", b"recipien"]),
    st.sampled_from([b"", bytes(12)]),
    st.binary(max_size=255),
)
KEY_INFOS = st.one_of(
    st.none(),
    st.builds(IdentifiedKey, st.integers(0, 1)),
    st.builds(WrappedKey, st.binary(max_size=40)),
    st.builds(AgreedKey, st.binary(max_size=1), st.binary(max_size=192)),
)
CIPHERED = st.builds(
    GeneralCiphering,
    HEADERS,
    KEY_INFOS,
    st.sampled_from([Protection.AUTHENTICATED, Protection.ENCRYPTED, BOTH]),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=300),
    st.sampled_from(SecuritySuite),
    st.booleans(),
)
SIGNED = st.builds(
    GeneralSigning,
    HEADERS,
    st.binary(max_size=300),
    st.sampled_from([bytes(64), bytes(96)]),
)


@given(st.one_of(CIPHERED, SIGNED), st.data())
def test_general_apdus_read_as_they_are_written(
    apdu: GeneralCiphering | GeneralSigning, data: st.DataObject
) -> None:
    """And cut short anywhere, or with an octet more, they are refused."""
    octets = apdu.encode()
    assert decode(octets) == apdu
    with pytest.raises((DecodeError, SecurityError)):
        decode(octets[: data.draw(st.integers(1, len(octets) - 1))])
    with pytest.raises(DecodeError):
        decode(octets + b"\0")


@pytest.mark.parametrize(
    "apdu",
    [
        "DD",
        "DD0000000000",
        "DD000000000002",
        "DD0007414243444546470000000000",
        "DD00000001000000",
        "DD0000000000010002" + "053100000001",
        "DD00000000000103" + "053100000001",
        "DD0000000000010101" + "00" + "053100000001",
        "DD00000000000102" + "0101" + "81C1" + "00" * 193 + "053100000001",
        "DD0000000000" + "00" + "0431000000",
        "DD82010000" + "00" * 256 + "00000000" + "00" + "053100000001",
        "DF",
        "DF000000000000",
        "DF00000000000100",
        "DF0000000000010000",
        "DF00000000000100" + "3F" + "00" * 63,
    ],
)
def test_malformed_general_apdus(apdu: str) -> None:
    """Titles, dates, keys and signatures of a wrong length; choices that are none; cut short."""
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(apdu))

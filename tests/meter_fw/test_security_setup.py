"""Security setup: a stranger to the master key changes nothing, and what changes stays changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meter_fw.keyring import MAX_STORED, Keyring
from meter_fw.line_state import CERTIFICATES
from obis import catalogue
from obis.values import replace
from prepay.keys import lab_keys
from protocol.axdr import (
    Data,
    array,
    enum,
    octet_string,
    structure,
)
from protocol.codes import ActionResult, Mechanism
from protocol.security import (
    CertificateEntity,
    CertificateType,
    KeyId,
    PrivateKey,
    SecuritySuite,
    agreed_key,
    offer_key,
    read_offer,
    wrap_key,
)
from protocol.security.certificates import read_request
from tests.meter_fw.rig import MANAGER, READER, Rig

CLIENT_TITLE = b"OPPHEAD1"
CALLER = replace(MANAGER, system_title=CLIENT_TITLE, mechanism=Mechanism.HLS_GMAC)
NEW = bytes(range(0xA0, 0xB0))
DONE, OTHER = ActionResult.SUCCESS, ActionResult.OTHER_REASON


def rig(suite: int = 0) -> Rig:
    """A meter with the lab's keys of a suite."""
    return Rig(keys=lab_keys(suite))


def call(meter: Rig, method: int, parameter: Data) -> Any:
    """Call a method of the security setup; its result, and what it gives back."""
    response = meter.call(catalogue.SECURITY_SETUP, 64, method, parameter, caller=CALLER)
    return response.result, response.value


def ring(meter: Rig) -> Keyring:
    """The keys in use."""
    return Keyring(meter.factory, meter.kernel.state)


def transfer(meter: Rig, *keys: tuple[int, bytes], master: bytes | None = None) -> ActionResult:
    """Transfer keys, wrapped with the meter's master key or another."""
    wrapping = meter.keys.master_key if master is None else master
    entries = [structure(enum(name), octet_string(wrap_key(wrapping, key))) for name, key in keys]
    result: ActionResult = call(meter, 2, array(*entries))[0]
    return result


# --- symmetric keys ------------------------------------------------------------------------------


@pytest.mark.parametrize("key_id", list(KeyId))
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_transferred_key_is_in_use_and_outlives_a_power_cut(suite: int, key_id: KeyId) -> None:
    """Each of the four, in each suite; the other three stay."""
    meter = rig(suite)
    before = {name: ring(meter).symmetric(name) for name in KeyId}
    new = bytes(range(0xA0, 0xA0 + len(before[key_id])))
    assert transfer(meter, (key_id, new)) is DONE
    meter.boot()
    assert {name: ring(meter).symmetric(name) for name in KeyId} == {**before, key_id: new}


def test_all_keys_of_one_transfer_are_taken_or_none() -> None:
    """The second is wrapped with another key, so the first is not taken either."""
    meter = rig()
    good = octet_string(wrap_key(meter.keys.master_key, NEW))
    false = octet_string(wrap_key(bytes(16), NEW))
    entries = array(structure(enum(2), good), structure(enum(0), false))
    assert call(meter, 2, entries)[0] is OTHER
    assert ring(meter).symmetric(KeyId.AUTHENTICATION) == meter.keys.authentication_key


# what is wrong, the keys
REFUSED = [
    ("no key", []),
    ("a key that there is not", [(4, NEW)]),
    ("a key twice", [(0, NEW), (0, NEW)]),
    ("a key of suite 2 in suite 0", [(0, NEW * 2)]),
]


@pytest.mark.parametrize(("wrong", "keys"), REFUSED)
def test_a_transfer_with_something_wrong_changes_nothing(
    wrong: str, keys: list[tuple[int, bytes]]
) -> None:
    """Whatever is wrong with it."""
    meter = rig()
    before = meter.kernel.state
    assert transfer(meter, *keys) is OTHER, wrong
    assert meter.kernel.state == before


@pytest.mark.parametrize("octets", [b"", bytes(23), bytes(24), bytes(25), bytes(40)])
def test_what_was_never_wrapped_is_no_key(octets: bytes) -> None:
    """Of any length; zeros have the right one and the wrong check."""
    meter = rig()
    entries = array(structure(enum(0), octet_string(octets)))
    assert call(meter, 2, entries)[0] is OTHER


def test_a_new_unicast_key_begins_with_new_counters_of_the_client_only() -> None:
    """Ours go on rising, so that a key which comes back meets no nonce again."""
    meter = rig()
    state = replace(meter.kernel.state.counters, received=500)
    reserved = state.reserved
    meter.kernel._counting._unicast.accept(500)
    assert transfer(meter, (0, NEW)) is DONE
    assert meter.kernel.state.counters.received == -1
    assert meter.kernel.state.counters.reserved >= reserved


def test_the_same_key_again_changes_nothing() -> None:
    """Least of all the counters: with them a recorded APDU would be new again."""
    meter = rig()
    meter.kernel._counting._unicast.accept(500)
    assert transfer(meter, (0, meter.keys.block_cipher_key)) is DONE
    assert meter.kernel.state.counters.received == 500


def test_nobody_but_management_calls_a_method() -> None:
    """The reader may look."""
    meter = rig()
    entries = array(structure(enum(0), octet_string(wrap_key(meter.keys.master_key, NEW))))
    result = meter.act(catalogue.SECURITY_SETUP, 64, 2, entries, caller=READER)
    assert result is ActionResult.READ_WRITE_DENIED


@pytest.mark.parametrize("suite", [1, 2])
def test_a_key_that_is_agreed_on_is_the_same_on_both_sides(suite: int) -> None:
    """Each side signs its ephemeral key; no key travels."""
    meter = rig(suite)
    signer = PrivateKey(SecuritySuite(suite), meter.keys.client.signing_key)
    ephemeral = PrivateKey.from_entropy(SecuritySuite(suite), lambda n: bytes(range(n)))
    offered = offer_key(signer, ephemeral.public, KeyId.GLOBAL_UNICAST_ENCRYPTION)
    result, value = call(meter, 3, array(structure(enum(0), octet_string(offered))))
    assert result is DONE
    answered = value.value[0].value[1].value
    signs = ring(meter).own(CertificateType.DIGITAL_SIGNATURE)
    assert signs is not None
    theirs = read_offer(signs.public, answered, KeyId.GLOBAL_UNICAST_ENCRYPTION)
    agreed = agreed_key(
        ephemeral,
        theirs,
        KeyId.GLOBAL_UNICAST_ENCRYPTION,
        CLIENT_TITLE,
        meter.factory.system_title,
    )
    assert ring(meter).symmetric(KeyId.GLOBAL_UNICAST_ENCRYPTION) == agreed


def test_an_ephemeral_key_signed_by_a_stranger_is_refused() -> None:
    """Or anyone in between could agree with either side."""
    meter = rig(1)
    stranger = PrivateKey(SecuritySuite.SUITE_1, b"\x77" * 32)
    offered = offer_key(stranger, stranger.public, KeyId.GLOBAL_UNICAST_ENCRYPTION)
    before = meter.kernel.state
    assert call(meter, 3, array(structure(enum(0), octet_string(offered))))[0] is OTHER
    assert meter.kernel.state == before


# --- the policy ----------------------------------------------------------------------------------

# suite, protection from the beginning, policy asked for, result
POLICIES = [
    (0, 0, 3, DONE),
    (0, 0, 0, DONE),
    (0, 1, 3, DONE),
    (0, 3, 1, OTHER),
    (0, 3, 0, OTHER),
    (0, 1, 2, OTHER),
    (0, 0, 4, OTHER),
    (0, 0, 255, OTHER),
    (1, 0, 0x04, DONE),
    (1, 3, 0xFC, DONE),
    (1, 3, 0x6C, DONE),
    (1, 3, 0x0C, OTHER),
    (1, 0, 0x03, OTHER),
]


@pytest.mark.parametrize(("suite", "protection", "wanted", "expected"), POLICIES)
def test_a_policy_is_only_strengthened(
    suite: int, protection: int, wanted: int, expected: ActionResult
) -> None:
    """And it is there after a power cut."""
    meter = Rig(keys=replace(lab_keys(suite), protection=protection))
    before = meter.get(catalogue.SECURITY_SETUP, 64)
    assert call(meter, 1, enum(wanted))[0] is expected
    meter.boot()
    after = meter.get(catalogue.SECURITY_SETUP, 64)
    assert after == (enum(wanted) if expected is DONE else before)


# --- key pairs and certificates ------------------------------------------------------------------


class Authority:
    """Somebody who issues certificates, on P-256.

    Args:
        name: its common name.
        scalar: of its private key.
    """

    def __init__(self, name: str = "Lab CA", scalar: int = 99) -> None:
        self.key = ec.derive_private_key(scalar, ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self.issue(self.name, self.key.public_key(), authority=True)

    def issue(
        self,
        subject: x509.Name,
        key: Any,
        *,
        authority: bool = False,
        signs: bool = True,
        serial: int = 7,
        year: int = 2026,
        padding: int = 0,
    ) -> bytes:
        """Return a certificate in DER."""
        begin = datetime(year, 1, 1, tzinfo=UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=400))
            .add_extension(
                x509.KeyUsage(
                    digital_signature=signs and not authority,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=not signs and not authority,
                    key_cert_sign=authority,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        if padding:
            builder = builder.add_extension(
                x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(padding)),
                critical=False,
            )
        issued = builder.sign(self.key, hashes.SHA256())
        return issued.public_bytes(serialization.Encoding.DER)

    def issue_for(self, title: bytes, key: PrivateKey, **how: Any) -> bytes:
        """Return a certificate that binds a key to a system title."""
        name = x509.NameAttribute(x509.NameOID.COMMON_NAME, title.hex().upper())
        return self.issue(x509.Name([name]), key.public.key, **how)


CA = Authority()
CLIENT_KEY = PrivateKey(SecuritySuite.SUITE_1, b"\x55" * 32)


def take(meter: Rig, certificate: bytes) -> ActionResult:
    """Import a certificate."""
    result: ActionResult = call(meter, 6, octet_string(certificate))[0]
    return result


def trusting() -> Rig:
    """A meter of suite 1 that knows our authority."""
    meter = rig(1)
    assert take(meter, CA.certificate) is DONE
    return meter


def test_a_certificate_of_the_client_replaces_the_key_of_the_factory() -> None:
    """For its title alone, and after a power cut as well."""
    meter = trusting()
    assert take(meter, CA.issue_for(CLIENT_TITLE, CLIENT_KEY)) is DONE
    meter.boot()
    signs = CertificateType.DIGITAL_SIGNATURE
    assert ring(meter).client(signs, CLIENT_TITLE) == CLIENT_KEY.public
    made = PrivateKey(SecuritySuite.SUITE_1, meter.keys.client.signing_key).public
    assert ring(meter).client(signs, b"OPPHEAD2") == made


def test_the_meter_asks_for_a_certificate_of_the_pair_it_has_generated() -> None:
    """Request, certificate, import: the way it goes at commissioning."""
    meter = trusting()
    assert call(meter, 4, enum(CertificateType.DIGITAL_SIGNATURE))[0] is DONE
    result, value = call(meter, 5, enum(CertificateType.DIGITAL_SIGNATURE))
    assert result is DONE
    title, key = read_request(value.value)
    ours = ring(meter).own(CertificateType.DIGITAL_SIGNATURE)
    assert title == meter.factory.system_title
    assert ours is not None
    assert key == ours.public
    assert take(meter, CA.issue_for(title, ours)) is DONE


# what is wrong, the certificate
FALSE = [
    ("no certificate", b"\x30\x03\x02\x01\x00"),
    ("nothing", b""),
    ("by nobody known", Authority("Lab CA", 98).issue_for(CLIENT_TITLE, CLIENT_KEY)),
    ("a second authority by itself", Authority("Other CA", 97).certificate),
    ("expired", CA.issue_for(CLIENT_TITLE, CLIENT_KEY, year=2024)),
    ("not valid yet", CA.issue_for(CLIENT_TITLE, CLIENT_KEY, year=2027)),
    ("in the meter's name", CA.issue_for(b"OPP\0\0\0\0\1", CLIENT_KEY)),
    ("too long", CA.issue_for(CLIENT_TITLE, CLIENT_KEY, padding=MAX_STORED)),
]


@pytest.mark.parametrize(("wrong", "certificate"), FALSE)
def test_a_certificate_that_cannot_be_trusted_is_not_taken(wrong: str, certificate: bytes) -> None:
    """And nothing else changes."""
    meter = trusting()
    before = meter.kernel.state
    assert take(meter, certificate) is OTHER, wrong
    assert meter.kernel.state == before


def test_without_an_authority_only_an_authority_is_taken() -> None:
    """The first is taken on the word of the management client, if it vouches for itself."""
    meter = rig(1)
    assert take(meter, CA.issue_for(CLIENT_TITLE, CLIENT_KEY)) is OTHER
    other = Authority("Other CA", 97)
    crossed = other.issue(CA.name, CA.key.public_key(), authority=True)
    assert take(meter, crossed) is OTHER
    assert take(meter, CA.certificate) is DONE


def test_a_certificate_cannot_be_judged_without_a_clock() -> None:
    """It may have expired; the meter says so, and takes it later."""
    meter = trusting()
    state = meter.kernel.state
    meter.kernel._state = replace(state, clock=replace(state.clock, known=False))
    certificate = CA.issue_for(CLIENT_TITLE, CLIENT_KEY)
    assert take(meter, certificate) is ActionResult.TEMPORARY_FAILURE


def test_the_certificates_are_listed_exported_and_removed() -> None:
    """By entity and by serial number."""
    meter = trusting()
    signing = CA.issue_for(CLIENT_TITLE, CLIENT_KEY, serial=0x80)
    agreeing = CA.issue_for(CLIENT_TITLE, CLIENT_KEY, signs=False, serial=9)
    for certificate in (signing, agreeing, signing):  # the same again is not kept twice
        assert take(meter, certificate) is DONE
    listed = meter.get(catalogue.SECURITY_SETUP, 64, 6)
    assert isinstance(listed, Data)
    assert [[field.value for field in one.value[:3]] for one in listed.value] == [
        [CertificateEntity.CERTIFICATION_AUTHORITY, CertificateType.OTHER, b"\x07"],
        [CertificateEntity.CLIENT, CertificateType.DIGITAL_SIGNATURE, b"\x00\x80"],
        [CertificateEntity.CLIENT, CertificateType.KEY_AGREEMENT, b"\x09"],
    ]
    issuer = listed.value[1].value[3]
    by_serial = structure(enum(1), structure(octet_string(b"\x00\x80"), issuer))
    by_entity = structure(enum(0), structure(enum(1), enum(1), octet_string(CLIENT_TITLE)))
    assert call(meter, 7, by_serial) == (DONE, octet_string(signing))
    assert call(meter, 7, by_entity) == (DONE, octet_string(agreeing))
    assert call(meter, 8, by_serial)[0] is DONE
    assert call(meter, 7, by_serial)[0] is ActionResult.OBJECT_UNAVAILABLE
    assert call(meter, 7, by_entity) == (DONE, octet_string(agreeing))


def test_the_room_for_certificates_has_an_end() -> None:
    """And what is removed makes room again."""
    meter = trusting()
    for serial in range(1, CERTIFICATES):
        assert take(meter, CA.issue_for(CLIENT_TITLE, CLIENT_KEY, serial=serial)) is DONE
    further = CA.issue_for(CLIENT_TITLE, CLIENT_KEY, serial=100)
    assert take(meter, further) is OTHER
    listed = meter.get(catalogue.SECURITY_SETUP, 64, 6)
    assert isinstance(listed, Data)
    issuer = listed.value[1].value[3]
    first = structure(enum(1), structure(octet_string(b"\x01"), issuer))
    assert call(meter, 8, first)[0] is DONE
    assert take(meter, further) is DONE


def test_no_state_shows_a_key() -> None:
    """Neither what was transferred nor what was generated."""
    meter = rig(1)
    assert transfer(meter, (0, NEW), (3, NEW)) is DONE
    assert call(meter, 4, enum(0))[0] is DONE
    state = meter.kernel.state
    shown = repr(state) + repr(ring(meter)) + repr(ring(meter).material())
    for secret in (state.unicast_key, state.master_key, state.signing_key):
        assert secret.length
        assert repr(secret.value)[2:-1] not in shown
        assert secret.value.hex() not in shown

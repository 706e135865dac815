"""ECDSA, ECDH, the KDF and key wrap: published vectors, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.apdu import AgreedKey, GeneralCiphering, GeneralHeader
from protocol.errors import SecurityError
from protocol.security import (
    Algorithm,
    KeyId,
    KeySet,
    PrivateKey,
    Protection,
    PublicKey,
    Scheme,
    SecuritySuite,
    agreed_key,
    answer_offer,
    content_key,
    derive_key,
    offer_key,
    protect,
    read_offer,
    read_one_pass,
    sign_one_pass,
    unwrap_key,
    wrap_key,
)
from protocol.security.agreement import algorithm_for
from tests.protocol.security_tools import SUITE_0, SUITE_1, SUITE_2, entropy, private_key

V: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "agreement.json").read_text("utf-8")
)
CURVES = (SUITE_1, SUITE_2)


def octets(*path: str) -> bytes:
    """Return the octets of a vector."""
    found: Any = V
    for name in path:
        found = found[name]
    return bytes.fromhex(found)


CLIENT, SERVER = octets("client_title"), octets("server_title")
TRANSACTION = octets("transaction_id")
CLIENT_SIGNS = PrivateKey(SUITE_1, octets("client_signing_private"))
SERVER_SIGNS = PublicKey(SUITE_1, octets("server_signing_public"))
CLIENT_AGREES = PrivateKey(SUITE_1, octets("client_agreement_private"))
SERVER_AGREES = PrivateKey(SUITE_1, octets("server_agreement_private"))


# --- published vectors -----------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["client_signing", "client_agreement", "server_agreement"])
def test_the_published_key_pairs(whose: str) -> None:
    """A private key gives the public key beside it."""
    assert PrivateKey(SUITE_1, octets(f"{whose}_private")).public.point == octets(f"{whose}_public")


def test_the_published_static_unified_model() -> None:
    """Both static keys and the transaction-id give the content key, on either side."""
    key = content_key(
        Scheme.STATIC_UNIFIED, CLIENT_AGREES, SERVER_AGREES.public, CLIENT, SERVER, TRANSACTION
    )
    assert key == octets("static_unified", "key")
    other = (SERVER_AGREES, CLIENT_AGREES.public)
    assert content_key(Scheme.STATIC_UNIFIED, *other, CLIENT, SERVER, TRANSACTION) == key


def test_the_published_one_pass_diffie_hellman() -> None:
    """The client's APDU: its ephemeral key and our static one give secret and content key."""
    ephemeral = PrivateKey(SUITE_1, octets("one_pass", "client_ephemeral_private"))
    assert ephemeral.public.point == octets("one_pass", "client_ephemeral_public")
    assert SERVER_AGREES.agree(ephemeral.public) == octets("one_pass", "client_secret")
    for ours, theirs in ((ephemeral, SERVER_AGREES.public), (SERVER_AGREES, ephemeral.public)):
        key = content_key(Scheme.ONE_PASS, ours, theirs, CLIENT, SERVER, TRANSACTION)
        assert key == octets("one_pass", "client_key")


def test_the_published_one_pass_diffie_hellman_the_other_way() -> None:
    """The server's APDU: the parties change places in the KDF."""
    theirs = PublicKey(SUITE_1, octets("one_pass", "server_ephemeral_public"))
    assert CLIENT_AGREES.agree(theirs) == octets("one_pass", "server_secret")
    key = content_key(Scheme.ONE_PASS, CLIENT_AGREES, theirs, SERVER, CLIENT, b"")
    assert key == octets("one_pass", "server_key")


@pytest.mark.parametrize(
    ("signer", "side"), [(CLIENT_SIGNS.public, "client"), (SERVER_SIGNS, "server")]
)
def test_the_published_signatures_of_ephemeral_keys(signer: PublicKey, side: str) -> None:
    """One-pass Diffie-Hellman signs X || Y and nothing else."""
    point = octets("one_pass", f"{side}_ephemeral_public")
    signed = point + octets("one_pass", f"{side}_signature")
    assert read_one_pass(signer, signed).point == point


def test_the_published_signature_of_key_agreement() -> None:
    """key_agreement signs key-id || X || Y, here of the global unicast key."""
    offered = octets("ephemeral_unified", "client_public")
    offered += octets("ephemeral_unified", "client_signature")
    unicast = KeyId.GLOBAL_UNICAST_ENCRYPTION
    theirs = read_offer(CLIENT_SIGNS.public, offered, unicast)
    ours = PrivateKey(SUITE_1, octets("ephemeral_unified", "server_private"))
    assert ours.public.point == octets("ephemeral_unified", "server_public")
    assert ours.agree(theirs) == octets("ephemeral_unified", "secret")
    with pytest.raises(SecurityError, match="false"):
        read_offer(CLIENT_SIGNS.public, offered, KeyId.AUTHENTICATION)


def test_the_published_apdu() -> None:
    """The ACCESS request in general-ciphering reads, writes and deciphers as printed."""
    apdu = octets("one_pass", "apdu")
    ciphered = GeneralCiphering.decode(apdu)
    assert ciphered.encode() == apdu
    assert ciphered.header == GeneralHeader(TRANSACTION, CLIENT, SERVER)
    assert isinstance(ciphered.key_info, AgreedKey)
    assert ciphered.key_info.parameters == bytes((Scheme.ONE_PASS,))
    assert (ciphered.suite, ciphered.counter) == (SUITE_1, 0)
    theirs = read_one_pass(CLIENT_SIGNS.public, ciphered.key_info.data)
    key = content_key(Scheme.ONE_PASS, SERVER_AGREES, theirs, CLIENT, SERVER, b"")
    keys = KeySet(key, octets("authentication_key"), SUITE_1)
    deciphered = protect(keys, CLIENT, 0, Protection.ENCRYPTED, ciphered.octets[:-12])
    assert deciphered == octets("plain")


def test_the_published_ciphertext_of_the_static_unified_model() -> None:
    """Its content key enciphers the same request to the printed octets."""
    keys = KeySet(octets("static_unified", "key"), octets("authentication_key"), SUITE_1)
    made = protect(keys, CLIENT, 0, Protection.ENCRYPTED, octets("plain"))
    assert made == octets("static_unified", "ciphertext")[:-12]


RFC_6979 = [
    (
        SUITE_1,
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
    ),
    (
        SUITE_2,
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8"
        "96D5724E4C70A825F872C9EA60D2EDF5",
        "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C"
        "81A648152E44ACF96E36DD1E80FABE46"
        "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94F"
        "A329C145786E679E7B82C71A38628AC8",
    ),
]


@pytest.mark.parametrize(("suite", "key", "signature"), RFC_6979, ids=["P-256", "P-384"])
def test_signatures_of_rfc_6979(suite: SecuritySuite, key: str, signature: str) -> None:
    """A.2.5 and A.2.6, message "sample", with the hash of the suite."""
    private = PrivateKey(suite, bytes.fromhex(key))
    assert private.sign(b"sample").hex().upper() == signature
    private.public.verify(b"sample", bytes.fromhex(signature))


CAVP = [
    (
        SUITE_1,
        "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
        "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
        "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
        "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b",
    ),
    (
        SUITE_2,
        "a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272"
        "734466b400091adbf2d68c58e0c50066"
        "ac68f19f2e1cb879aed43a9969b91a0839c4c38a49749b661efedf243451915e"
        "d0905a32b060992b468c64766fc8437a",
        "3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774"
        "ad463b205da88cf699ab4d43c9cf98a1",
        "5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457"
        "e5621e766c40a2e3d4d6a04b25e533f1",
    ),
]


@pytest.mark.parametrize(("suite", "theirs", "ours", "secret"), CAVP, ids=["P-256", "P-384"])
def test_secrets_of_the_nist(suite: SecuritySuite, theirs: str, ours: str, secret: str) -> None:
    """The first of the ECC CDH primitive test of CAVP, for either curve."""
    private = PrivateKey(suite, bytes.fromhex(ours))
    assert private.agree(PublicKey(suite, bytes.fromhex(theirs))).hex() == secret


RFC_3394 = [
    (bytes(range(16)), "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5", 16),
    (
        bytes(range(32)),
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        32,
    ),
]


@pytest.mark.parametrize(("wrapping", "wrapped", "length"), RFC_3394, ids=["128", "256"])
def test_wrapped_keys_of_rfc_3394(wrapping: bytes, wrapped: str, length: int) -> None:
    """4.1 and 4.6."""
    key = (bytes.fromhex("00112233445566778899AABBCCDDEEFF") + bytes(range(16)))[:length]
    assert wrap_key(wrapping, key).hex().upper() == wrapped
    assert unwrap_key(wrapping, bytes.fromhex(wrapped)) == key


def test_a_ciphertext_of_aes_256() -> None:
    """Suite 2's cipher is AES-256: test case 14 of the GCM specification."""
    keys = KeySet(bytes(32), bytes(32), SUITE_2)
    made = protect(keys, bytes(8), 0, Protection.ENCRYPTED, bytes(16))
    assert made.hex() == "cea7403d4d606b6e074ec5d3baf39d18"


# --- the rest --------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", CURVES)
def test_a_private_key_is_made_of_entropy_alone(suite: SecuritySuite) -> None:
    """The same octets make the same key, others another; zeros and ones are good for one too."""
    made = [PrivateKey.from_entropy(suite, entropy(seed)) for seed in ("a", "a", "b")]
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert (
        PrivateKey.from_entropy(suite, bytes).scalar == bytes(suite.coordinate_length - 1) + b"\1"
    )
    PrivateKey.from_entropy(suite, lambda length: b"\xff" * length)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(CURVES), st.binary(max_size=64), st.data())
def test_a_signature_is_of_one_key_and_one_message(
    suite: SecuritySuite, message: bytes, data: st.DataObject
) -> None:
    """It verifies; with a bit flipped anywhere, or under another key, it does not."""
    key = private_key(suite, "client signs")
    signature = key.sign(message)
    key.public.verify(message, signature)
    garbled = bytearray(signature)
    bit = data.draw(st.integers(0, 8 * len(signature) - 1))
    garbled[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SecurityError):
        key.public.verify(message, bytes(garbled))
    with pytest.raises(SecurityError, match="false"):
        key.public.verify(message + b"x", signature)
    with pytest.raises(SecurityError, match="false"):
        private_key(suite, "server signs").public.verify(message, signature)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 96])
def test_a_signature_has_one_length(length: int) -> None:
    """64 octets in suite 1."""
    with pytest.raises(SecurityError, match="octets"):
        private_key(SUITE_1, "client signs").public.verify(b"", bytes(length))


@pytest.mark.parametrize(
    ("suite", "point"),
    [
        (SUITE_0, bytes(64)),
        (SUITE_1, bytes(64)),
        (SUITE_1, bytes(63)),
        (SUITE_1, bytes(96)),
        (SUITE_2, bytes(96)),
        (SUITE_2, b"\xff" * 96),
        (SUITE_1, b""),
    ],
)
def test_what_is_no_public_key(suite: SecuritySuite, point: bytes) -> None:
    """Another length, no point of the curve, no curve."""
    with pytest.raises(ValueError, match=r"public key|no curve"):
        PublicKey(suite, point)


@pytest.mark.parametrize(
    ("suite", "scalar"),
    [(SUITE_0, bytes(32)), (SUITE_1, bytes(32)), (SUITE_1, b"\xff" * 32), (SUITE_2, b"\1" * 32)],
)
def test_what_is_no_private_key(suite: SecuritySuite, scalar: bytes) -> None:
    """Nought, at or above the order of the curve, another length, no curve."""
    with pytest.raises(ValueError, match=r"private key|no curve"):
        PrivateKey(suite, scalar)


def test_private_keys_never_show() -> None:
    """Neither alone nor in what holds them."""
    key = private_key(SUITE_1, "client signs")
    assert key.scalar.hex() not in repr(key).lower()
    assert repr(key.scalar)[2:-1] not in repr(key)


@pytest.mark.parametrize("suite", CURVES)
@pytest.mark.parametrize("key_id", KeyId)
def test_both_sides_of_key_agreement_get_the_same_key(suite: SecuritySuite, key_id: KeyId) -> None:
    """The client offers, the server answers, and what each derives is one key of the suite."""
    signers = private_key(suite, "client signs"), private_key(suite, "server signs")
    ephemeral = PrivateKey.from_entropy(suite, entropy("client"))
    offered = offer_key(signers[0], ephemeral.public, key_id)
    answer, servers = answer_offer(
        offered, key_id, signers[1], signers[0].public, (CLIENT, SERVER), entropy("server")
    )
    theirs = read_offer(signers[1].public, answer, key_id)
    assert agreed_key(ephemeral, theirs, key_id, CLIENT, SERVER) == servers
    assert len(servers) == suite.key_length


@pytest.mark.parametrize("suite", CURVES)
def test_what_a_key_is_for_goes_into_it(suite: SecuritySuite) -> None:
    """A master key is another key than an encryption key from the same secret."""
    made = {derive_key(suite, bytes(32), CLIENT, SERVER, use) for use in Algorithm}
    assert len(made) == len(Algorithm)
    assert algorithm_for(suite, KeyId.MASTER) not in {
        algorithm_for(suite, key_id) for key_id in KeyId if key_id is not KeyId.MASTER
    }


def test_gurux_net_signs_one_octet_more() -> None:
    """01 || X || Y is taken as well; 02 || X || Y is not."""
    signer, ephemeral = private_key(SUITE_1, "client signs"), private_key(SUITE_1, "x").public
    signed = ephemeral.point + signer.sign(b"\1" + ephemeral.point)
    assert read_one_pass(signer.public, signed) == ephemeral
    assert read_one_pass(signer.public, sign_one_pass(signer, ephemeral)) == ephemeral
    with pytest.raises(SecurityError, match="false"):
        read_one_pass(signer.public, ephemeral.point + signer.sign(b"\2" + ephemeral.point))


def test_a_signed_key_off_the_curve() -> None:
    """A true signature does not make a point of it."""
    signer = private_key(SUITE_1, "client signs")
    with pytest.raises(SecurityError, match="no point"):
        read_one_pass(signer.public, bytes(64) + signer.sign(bytes(64)))


def test_keys_of_two_curves_agree_on_nothing() -> None:
    """That is an error of the other side's, not a crash."""
    with pytest.raises(SecurityError, match="another curve"):
        private_key(SUITE_1, "x").agree(private_key(SUITE_2, "x").public)


def test_suite_0_agrees_on_nothing() -> None:
    """It has neither curve nor hash."""
    with pytest.raises(ValueError, match="suite 0"):
        derive_key(SUITE_0, bytes(32), CLIENT, SERVER, Algorithm.AES_GCM_128)
    with pytest.raises(ValueError, match="suite 0"):
        PrivateKey.from_entropy(SUITE_0, entropy("x"))


@pytest.mark.parametrize("length", [0, 16, 23, 25, 32, 48])
def test_what_is_no_wrapped_key(length: int) -> None:
    """24 or 40 octets, and wrapped with our key."""
    with pytest.raises(SecurityError, match="wrapped key"):
        unwrap_key(bytes(16), bytes(length))
    with pytest.raises(SecurityError, match="not wrapped"):
        unwrap_key(bytes(16), bytes(24))
    with pytest.raises(ValueError, match="not wrapped"):
        wrap_key(bytes(16), bytes(15))

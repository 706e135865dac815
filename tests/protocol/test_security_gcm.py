"""AES-GCM with 12-octet tags, and HLS by GMAC."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import SecurityError
from protocol.security import (
    KeySet,
    Protection,
    SecuritySuite,
    decode_control,
    encode_control,
    gmac_reply,
    password_matches,
    protect,
    unprotect,
    verify_gmac_reply,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "security.json").read_text("utf-8")
)
KEYS = KeySet(
    bytes.fromhex(VECTORS["block_cipher_key"]), bytes.fromhex(VECTORS["authentication_key"])
)
TITLE = bytes.fromhex(VECTORS["system_title"])
COUNTER = int(VECTORS["counter"], 16)
EVERY_PROTECTION = (
    Protection.AUTHENTICATED,
    Protection.ENCRYPTED,
    Protection.AUTHENTICATED_ENCRYPTED,
)
TAGGED = (Protection.AUTHENTICATED, Protection.AUTHENTICATED_ENCRYPTED)


def by_name(case: dict[str, str]) -> str:
    """Name a vector in the report."""
    return case["name"]


@pytest.mark.parametrize("case", VECTORS["ciphered"], ids=by_name)
def test_the_published_examples(case: dict[str, str]) -> None:
    """Protecting gives the published octets, and unprotecting them the plain APDU."""
    protection = decode_control(int(case["control"], 16)).protection
    plain, protected = bytes.fromhex(case["plain"]), bytes.fromhex(case["protected"])
    assert protect(KEYS, TITLE, COUNTER, protection, plain) == protected
    assert unprotect(KEYS, TITLE, COUNTER, protection, protected) == plain


@given(
    st.binary(max_size=300),
    st.binary(min_size=8, max_size=8),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(EVERY_PROTECTION),
)
def test_unprotect_undoes_protect(
    plain: bytes, title: bytes, counter: int, protection: Protection
) -> None:
    """Whatever the title, counter and protection."""
    protected = protect(KEYS, title, counter, protection, plain)
    assert unprotect(KEYS, title, counter, protection, protected) == plain


@pytest.mark.parametrize("protection", TAGGED)
def test_each_single_flipped_bit_is_found(protection: Protection) -> None:
    """A tag vouches for each bit of the octets and of itself."""
    protected = protect(KEYS, TITLE, COUNTER, protection, b"plain")
    for bit in range(8 * len(protected)):
        garbled = bytearray(protected)
        garbled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SecurityError, match="tag is false"):
            unprotect(KEYS, TITLE, COUNTER, protection, bytes(garbled))


@pytest.mark.parametrize("protection", TAGGED)
@pytest.mark.parametrize(
    ("keys", "title", "counter"),
    [
        (KeySet(bytes(16), KEYS.authentication_key), TITLE, COUNTER),
        (KeySet(KEYS.block_cipher_key, bytes(16)), TITLE, COUNTER),
        (KEYS, b"another!", COUNTER),
        (KEYS, TITLE, COUNTER + 1),
    ],
    ids=["block cipher key", "authentication key", "title", "counter"],
)
def test_a_tag_is_bound_to_keys_title_and_counter(
    protection: Protection, keys: KeySet, title: bytes, counter: int
) -> None:
    """Octets made under others do not pass."""
    protected = protect(KEYS, TITLE, COUNTER, protection, b"plain")
    with pytest.raises(SecurityError):
        unprotect(keys, title, counter, protection, protected)


@pytest.mark.parametrize("length", [0, 1, 11])
def test_octets_shorter_than_a_tag_are_refused(length: int) -> None:
    """There is no tag of less than 12 octets."""
    with pytest.raises(SecurityError, match="shorter"):
        unprotect(KEYS, TITLE, COUNTER, Protection.AUTHENTICATED, bytes(length))


@pytest.mark.parametrize("length", [0, 7, 9])
def test_a_title_has_eight_octets(length: int) -> None:
    """Any other length would move the counter in the nonce."""
    with pytest.raises(SecurityError, match="system title"):
        protect(KEYS, bytes(length), COUNTER, Protection.ENCRYPTED, b"")


@pytest.mark.parametrize(
    ("octet", "match"),
    [
        (0x00, "neither"),
        (0x01, "neither"),
        (0x33, "suite 3"),
        (0x3F, "suite 15"),
        (0xB0, "compression"),
        (0xF1, "compression"),
        (0x40, "neither"),
        (0x80, "compression"),
    ],
)
def test_security_controls_not_in_use_are_refused(octet: int, match: str) -> None:
    """Suites that there are not, compression, and no protection at all."""
    with pytest.raises(SecurityError, match=match):
        decode_control(octet)


@pytest.mark.parametrize("broadcast", [False, True])
@pytest.mark.parametrize("suite", SecuritySuite)
@pytest.mark.parametrize("protection", EVERY_PROTECTION)
def test_security_controls_in_use(
    protection: Protection, suite: SecuritySuite, broadcast: bool
) -> None:
    """0x10, 0x20 and 0x30, the suite in the low bits and 0x40 for broadcast read as written."""
    octet = encode_control(protection, suite, broadcast=broadcast)
    assert octet == protection + suite + (0x40 if broadcast else 0)
    assert decode_control(octet) == (protection, suite, broadcast)


@pytest.mark.parametrize(
    ("has", "required", "does"),
    [
        (0x30, 0x30, True),
        (0x30, 0x10, True),
        (0x30, 0x20, True),
        (0x10, 0x10, True),
        (0x10, 0x20, False),
        (0x10, 0x30, False),
        (0x20, 0x10, False),
        (0x20, 0x30, False),
        (0x00, 0x10, False),
    ],
)
def test_what_meets_a_required_protection(has: int, required: int, does: bool) -> None:
    """Each bit that is required has to be there; more does not hurt."""
    assert Protection(has).meets(Protection(required)) is does


@pytest.mark.parametrize("case", VECTORS["gmac"], ids=by_name)
def test_the_published_gmac(case: dict[str, str]) -> None:
    """The answer to a challenge is the published one, and verifies."""
    title, counter = bytes.fromhex(case["system_title"]), int(case["counter"], 16)
    challenge, reply = bytes.fromhex(case["challenge"]), bytes.fromhex(case["reply"])
    assert gmac_reply(KEYS, title, counter, challenge) == reply
    assert verify_gmac_reply(KEYS, title, challenge, reply) == counter


def test_each_single_flipped_bit_of_an_hls_answer_is_found() -> None:
    """Security control, counter and tag alike."""
    reply = gmac_reply(KEYS, TITLE, 7, b"challenge")
    for bit in range(8 * len(reply)):
        garbled = bytearray(reply)
        garbled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SecurityError):
            verify_gmac_reply(KEYS, TITLE, b"challenge", bytes(garbled))


@pytest.mark.parametrize("reply", [b"", bytes(16), bytes(17), bytes(18)])
def test_an_hls_answer_of_another_form_is_refused(reply: bytes) -> None:
    """It has 17 octets and begins with 0x10."""
    with pytest.raises(SecurityError, match="form"):
        verify_gmac_reply(KEYS, TITLE, b"challenge", reply)


def test_an_hls_answer_is_bound_to_who_gives_it() -> None:
    """Our own answer, sent back to us, is false."""
    reply = gmac_reply(KEYS, TITLE, 7, b"challenge")
    with pytest.raises(SecurityError, match="false"):
        verify_gmac_reply(KEYS, b"somebody", b"challenge", reply)


@pytest.mark.parametrize(
    ("offered", "does"),
    [(b"12345678", True), (b"12345679", False), (b"", False), (b"1234567", False)],
)
def test_passwords(offered: bytes, does: bool) -> None:
    """Only the whole password is the password."""
    assert password_matches(offered, b"12345678") is does


def test_keys_never_show() -> None:
    """Neither in ``repr`` nor in the message about a wrong length."""
    assert repr(KEYS) == "KeySet()"
    with pytest.raises(ValueError, match=r"^authentication_key is not 16 octets long$"):
        KeySet(bytes(16), b"too short")

"""The lab token: made by the vending half, checked by the meter's."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prepay.money import MAX_AMOUNT
from prepay.tokens.lab import TOKEN_LENGTH, LabToken, TokenFalse, TokenMalformed, decode, tag
from prepay.tokens.vend import vend_lab

KEY = bytes(range(16))
METER = b"OPP0000000000001"
ID = bytes(range(0x40, 0x50))
TOKEN = vend_lab(KEY, METER, ID, 2500)


def test_a_token_says_its_id_and_amount_to_its_meter() -> None:
    """25.00 for one meter."""
    assert decode(KEY, METER, TOKEN) == LabToken(ID, 2500)


def test_the_layout_octet_by_octet() -> None:
    """Put together here by hand: version, id, amount, and the tag over label, name and fields."""
    body = b"\x01" + ID + b"\x00\x00\x09\xc4"
    message = b"OpenPrepay lab token 1" + b"\x10" + METER + body
    expected = body + hmac.new(KEY, message, hashlib.sha256).digest()[:16]
    assert expected == TOKEN
    assert len(TOKEN) == TOKEN_LENGTH == 37


@given(
    st.binary(min_size=16, max_size=32),
    st.binary(min_size=1, max_size=255),
    st.binary(min_size=16, max_size=16),
    st.integers(1, MAX_AMOUNT),
)
def test_vending_and_decoding_are_inverses(
    key: bytes, meter: bytes, id_: bytes, amount: int
) -> None:
    """For any key, name, id and amount."""
    assert decode(key, meter, vend_lab(key, meter, id_, amount)) == LabToken(id_, amount)


def test_each_flipped_bit_makes_a_token_false() -> None:
    """All 296 of them; the version's make it no token at all."""
    for bit in range(len(TOKEN) * 8):
        garbled = bytearray(TOKEN)
        garbled[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(TokenMalformed if bit < 8 else TokenFalse):
            decode(KEY, METER, bytes(garbled))


@pytest.mark.parametrize(
    ("key", "meter"),
    [
        (KEY, b"OPP0000000000002"),
        (KEY, METER[:-1]),
        (KEY, METER + b"\x01"),
        (bytes(16), METER),
        (KEY + b"\x01", METER),
    ],
)
def test_a_token_of_another_meter_or_key_is_false(key: bytes, meter: bytes) -> None:
    """Also where one name begins with the other."""
    with pytest.raises(TokenFalse):
        decode(key, meter, TOKEN)


@pytest.mark.parametrize("length", [0, 1, 20, 36, 38, 127, 128, 65536])
def test_another_length_is_malformed(length: int) -> None:
    """Looked at before anything else."""
    with pytest.raises(TokenMalformed, match=f"not {length}"):
        decode(KEY, METER, (TOKEN * 2000)[:length])


@pytest.mark.parametrize("amount", [0, -1, -(2**31)])
def test_a_true_token_of_no_amount_is_malformed(amount: int) -> None:
    """Somebody with the key made it, but it is no top-up."""
    body = b"\x01" + ID + amount.to_bytes(4, "big", signed=True)
    with pytest.raises(TokenMalformed, match="above 0"):
        decode(KEY, METER, body + tag(KEY, METER, body))


@given(st.binary(max_size=80))
def test_random_octets_are_never_a_token(octets: bytes) -> None:
    """Refused by one of two names."""
    with pytest.raises((TokenMalformed, TokenFalse)):
        decode(KEY, METER, octets)


@pytest.mark.parametrize(
    ("key", "meter", "id_", "amount"),
    [
        (KEY[:15], METER, ID, 1),
        (KEY, b"", ID, 1),
        (KEY, b"x" * 256, ID, 1),
        (KEY, METER, ID[:15], 1),
        (KEY, METER, ID + b"x", 1),
        (KEY, METER, ID, 0),
        (KEY, METER, ID, -1),
        (KEY, METER, ID, MAX_AMOUNT + 1),
    ],
)
def test_nothing_but_a_top_up_is_vended(key: bytes, meter: bytes, id_: bytes, amount: int) -> None:
    """A key of 16 octets at least, a name, an id of 16, an amount of a double-long."""
    with pytest.raises(ValueError, match=r"has|carries"):
        vend_lab(key, meter, id_, amount)


def test_errors_show_no_key() -> None:
    """They end up in logs."""
    with pytest.raises(TokenFalse) as refused:
        decode(b"secret secret secret", METER, TOKEN)
    assert "secret" not in repr(refused.value)

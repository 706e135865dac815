"""Key files: what they may say, what is missing in them, and that no key is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obis.values import field_names
from prepay.keys import (
    LAB_KEYS,
    KeyFileError,
    KeyPairs,
    MeterKeys,
    format_keys,
    is_public,
    is_published,
    lab_keys,
    parse_keys,
)

FULL = f"""
suite = 1
mechanism = "hls-ecdsa"
protection = "authenticated"

[management]
block_cipher_key = "0F0E0D0C0B0A09080706050403020100"
authentication_key = "dfdedddcdbdad9d8d7d6d5d4d3d2d1d0"
broadcast_key = "{"0A" * 16}"
master_key = "{"0B" * 16}"
secret = "{"0C" * 20}"

[meter]
signing_key = "{"01" * 32}"
agreement_key = "{"02" * 32}"

[client]
signing_key = "{"03" * 32}"
agreement_key = "{"04" * 32}"

[reader]
password = "a secret"

[tokens]
key = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"
"""


def test_a_full_file_names_every_key() -> None:
    """Hexadecimal in either case; the password is text."""
    assert parse_keys(FULL) == MeterKeys(
        block_cipher_key=bytes(range(15, -1, -1)),
        authentication_key=bytes(range(0xDF, 0xCF, -1)),
        password=b"a secret",
        token_key=bytes(range(0xA0, 0xB0)),
        broadcast_key=b"\x0a" * 16,
        master_key=b"\x0b" * 16,
        secret=b"\x0c" * 20,
        meter=KeyPairs(b"\x01" * 32, b"\x02" * 32),
        client=KeyPairs(b"\x03" * 32, b"\x04" * 32),
        suite=1,
        mechanism=7,
        protection=1,
    )


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_suite_alone_brings_the_labs_keys_of_its_lengths(suite: int) -> None:
    """Suite 2 has AES-256 and P-384."""
    keys = parse_keys(f"suite = {suite}")
    assert keys == lab_keys(suite)
    assert len(keys.block_cipher_key) == (32 if suite == 2 else 16)
    assert len(keys.client.signing_key) == (48 if suite == 2 else 32)


def test_the_example_of_the_documentation_is_the_labs() -> None:
    """Whoever copies it changes nothing."""
    import prepay.keys

    example = (prepay.keys.__doc__ or "").split(":\n\n", 1)[1].split("\n\nWhat a file")[0]
    assert parse_keys(example) == LAB_KEYS


@pytest.mark.parametrize("text", ["# nothing\n", "[management]\n", "[reader]\n[tokens]\n"])
def test_what_a_file_leaves_out_is_the_labs(text: str) -> None:
    """Tables without entries, and a remark that says so."""
    assert parse_keys(text) == LAB_KEYS


def test_whether_keys_are_published_is_known_key_by_key() -> None:
    """One that everybody knows is enough."""
    own = "".join(f'{name} = "{"5A" * 16}"\n' for name in ("block_cipher_key", "master_key"))
    assert is_published(LAB_KEYS)
    assert is_published(parse_keys(f"[management]\n{own}"))
    own += f'authentication_key = "{"A5" * 16}"\n'
    assert not is_published(parse_keys(f"[management]\n{own}"))


@pytest.mark.parametrize(
    ("table", "entry", "value", "field"),
    [
        ("management", "block_cipher_key", "11" * 16, "block_cipher_key"),
        ("management", "authentication_key", "22" * 16, "authentication_key"),
        ("reader", "password", "33", "password"),
        ("tokens", "key", "44" * 16, "token_key"),
    ],
)
def test_each_entry_may_stand_alone(table: str, entry: str, value: str, field: str) -> None:
    """It changes its own key and no other."""
    keys = parse_keys(f'[{table}]\n{entry} = "{value}"')
    names = field_names(MeterKeys)
    changed = {name for name in names if getattr(keys, name) != getattr(LAB_KEYS, name)}
    assert changed == {field}


LENGTHS = [
    ("management", "block_cipher_key", 16, 16),
    ("management", "authentication_key", 16, 16),
    ("reader", "password", 1, 64),
    ("tokens", "key", 16, 64),
    ("management", "broadcast_key", 16, 16),
    ("management", "master_key", 16, 16),
    ("management", "secret", 16, 64),
    ("meter", "signing_key", 32, 32),
    ("client", "agreement_key", 32, 32),
]


@pytest.mark.parametrize(("table", "entry", "least", "most"), LENGTHS)
def test_a_key_has_a_length_within_its_bounds(
    table: str, entry: str, least: int, most: int
) -> None:
    """The bounds are in, one octet beyond them is out; the message says what is and should be."""
    for length in (least, most):
        parse_keys(_line(table, entry, length))
    bounds = str(least) if least == most else f"{least} to {most}"
    for length in (least - 1, most + 1):
        with pytest.raises(KeyFileError) as refused:
            parse_keys(_line(table, entry, length))
        expected = f"[{table}] {entry} has to be {bounds} octets long, it is {length}"
        assert str(refused.value) == expected


def _line(table: str, entry: str, length: int) -> str:
    return f'[{table}]\n{entry} = "{"p" * length if entry == "password" else "5A" * length}"'


#: The base point of P-256 (FIPS 186), which is as good a public key as any.
POINT = (
    "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
    "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
)
#: The same of P-384.
LARGER_POINT = (
    "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7"
    "3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F"
)


@pytest.mark.parametrize(("suite", "point"), [(1, POINT), (2, LARGER_POINT)])
def test_of_the_meters_own_pairs_a_file_may_have_the_public_keys(suite: int, point: str) -> None:
    """What is written is read again; a meter is not content with it."""
    entries = f"signing_public_key = '{point}'\nagreement_public_key = '{point}'"
    keys = parse_keys(f"suite = {suite}\n[meter]\n{entries}")
    assert keys.meter == KeyPairs(bytes.fromhex(point), bytes.fromhex(point))
    assert is_public(keys.meter.signing_key)
    assert not is_public(keys.client.signing_key)
    written = format_keys(keys)
    assert parse_keys(written) == keys
    assert 'signing_public_key = "' in written
    with pytest.raises(KeyFileError, match="a meter needs its private key"):
        parse_keys(written, of_meter=True)
    assert parse_keys(format_keys(lab_keys(suite)), of_meter=True) == lab_keys(suite)


def test_each_single_bit_of_a_public_key_counts() -> None:
    """One more or less, and it is no point of the curve."""
    for bit in range(512):
        changed = int(POINT, 16) ^ 1 << bit
        with pytest.raises(KeyFileError, match="is no public key"):
            parse_keys(f"suite = 1\n[meter]\nsigning_public_key = '{changed:0128x}'")


# file, message
WRONG = [
    ("", "it is empty: prepay-sim keys prints a key file"),
    (" \n", "it is empty"),
    ("[tokens", "not a TOML file: "),
    ("[tokens]\nkey = 00", "not a TOML file: "),
    ("[tokens]\n[tokens]", "not a TOML file: "),
    ("[token]\nkey = '00'", "[token] is not known; use client, management, meter, reader, tokens"),
    ("key = '00'", "[key] is not known; use client, management, meter, reader, tokens"),
    ("suite = 3", "suite has to be one of 0, 1, 2"),
    ("suite = true", "suite has to be one of 0, 1, 2"),
    ("suite = '1'", "suite has to be one of 0, 1, 2"),
    ("suite = [1]", "suite has to be one of 0, 1, 2"),
    ("mechanism = 'lls'", "mechanism has to be one of hls, hls-md5, hls-sha1, hls-gmac"),
    ("protection = 'both'", "protection has to be one of none, authenticated, encrypted"),
    ("mechanism = 5", "mechanism has to be one of hls, hls-md5, hls-sha1, hls-gmac"),
    ("mechanism = 'hls-ecdsa'", "mechanism hls-ecdsa needs suite 1 or 2"),
    (
        f"suite = 1\n[meter]\nsigning_key = '{'00' * 32}'",
        "[meter] signing_key is no private key of the curve of suite 1",
    ),
    (
        f"suite = 2\n[client]\nagreement_key = '{'FF' * 48}'",
        "[client] agreement_key is no private key of the curve of suite 2",
    ),
    (
        "suite = 2\n[management]\nmaster_key = '00'",
        "[management] master_key has to be 32 octets long, it is 1",
    ),
    (
        f"suite = 1\n[meter]\nsigning_public_key = '{'01' * 64}'",
        "[meter] signing_public_key is no public key of the curve of suite 1",
    ),
    (
        f"suite = 2\n[meter]\nagreement_public_key = '{'FF' * 96}'",
        "[meter] agreement_public_key is no public key of the curve of suite 2",
    ),
    (
        f"suite = 2\n[meter]\nsigning_public_key = '{POINT}'",
        "[meter] signing_public_key has to be 96 octets long, it is 64",
    ),
    (
        f"suite = 1\n[meter]\nsigning_key = '{'01' * 32}'\nsigning_public_key = '{POINT}'",
        "[meter] signing_public_key: there is the private key already",
    ),
    (
        f"suite = 1\n[client]\nsigning_public_key = '{POINT}'",
        "[client] signing_public_key is not known",
    ),
    ("reader = 'secret'", "reader has to be a table: [reader]"),
    ("[[reader]]\npassword = 'x'", "reader has to be a table: [reader]"),
    (
        "[management]\nkey = '00'",
        "[management] key is not known; use authentication_key, block_cipher_key, broadcast_key",
    ),
    ("[reader]\nkey = '00'", "[reader] key is not known; use password"),
    ("[tokens]\nkey = 12345678", "[tokens] key has to be a string"),
    ("[tokens]\nkey = ['00']", "[tokens] key has to be a string"),
    ("[tokens]\nkey = true", "[tokens] key has to be a string"),
    ("[tokens]\nkey = 2026-11-23", "[tokens] key has to be a string"),
    ("[reader.password]\nx = '1'", "[reader] password has to be a string"),
    ("[tokens]\nkey = 'no hex'", "[tokens] key has to be hexadecimal"),
    ("[tokens]\nkey = '123'", "[tokens] key has to be hexadecimal"),
    ("[management]\nblock_cipher_key = 'é'", "[management] block_cipher_key has to be hexadecimal"),
    ("[reader]\npassword = 'café'", "[reader] password has to be ASCII"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_file_is_refused_with_the_name_of_the_entry(text: str, message: str) -> None:
    """So that its author finds the line."""
    with pytest.raises(KeyFileError) as refused:
        parse_keys(text)
    assert str(refused.value).startswith(message)


SECRET = "5EC2E7" * 6  # 18 octets: too long for an AES key, too short for nothing else


@pytest.mark.parametrize(
    "text",
    [
        f"[management]\nblock_cipher_key = '{SECRET}'",
        f"[tokens]\nkey = '{SECRET}zz'",
        f"[tokens]\nkeys = '{SECRET}'",
        f"[tokens]\n{SECRET} = 'key'",
        f"[{SECRET}]\nkey = '00'",
        f"[reader]\npassword = '{SECRET * 3}'",
        f"[reader]\npassword = 'é{SECRET}'",
        f"token = '{SECRET}'",
        f"[tokens]\nkey = '{SECRET}",
        f"[tokens]\nkey = {SECRET}",
    ],
)
def test_a_message_shows_no_key(text: str) -> None:
    """It ends up on screens and in logs; what it was caused by does, too."""
    with pytest.raises(KeyFileError) as refused:
        parse_keys(text)
    assert SECRET not in str(refused.value)


def test_the_keys_show_nothing_of_themselves() -> None:
    """Not in repr, and so in no traceback that prints them."""
    shown = f"{LAB_KEYS!r} {LAB_KEYS}"
    each = "MeterKeys(meter=KeyPairs(), client=KeyPairs(), suite=0, mechanism=5, protection=3)"
    assert shown == f"{each} {each}"


@given(st.text(max_size=60))
def test_any_text_is_a_key_file_or_refused(text: str) -> None:
    """By a named error."""
    try:
        keys = parse_keys(text)
    except KeyFileError:
        return
    assert 16 <= len(keys.token_key) <= 64
    assert len(keys.block_cipher_key) == len(keys.authentication_key) == 16
    assert 1 <= len(keys.password) <= 64

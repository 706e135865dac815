"""The secrets that a meter and its head-end share, and the lab's own that are secret to nobody.

A key file is TOML, every key as hexadecimal:

    suite = 0                   # security suite: 0, 1 or 2
    mechanism = "hls-gmac"      # how client 1 proves who it is; see MECHANISMS
    protection = "authenticated-encrypted"  # the least of its APDUs; see PROTECTIONS

    [management]                # client 1; 16 octets, 32 in suite 2
    block_cipher_key = "000102030405060708090A0B0C0D0E0F"
    authentication_key = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
    broadcast_key = "404142434445464748494A4B4C4D4E4F"
    master_key = "606162636465666768696A6B6C6D6E6F"             # wraps the keys of a key transfer
    secret = "808182838485868788898A8B8C8D8E8F"                 # of HLS mechanisms 2, 3, 4 and 6

    [reader]                    # client 2, low-level security
    password = "12345678"

    [meter]                     # suites 1 and 2: private keys, 32 octets, 48 in suite 2
    signing_key = "1112131415161718191A1B1C1D1E1F202122232425262728292A2B2C2D2E2F30"
    agreement_key = "3132333435363738393A3B3C3D3E3F404142434445464748494A4B4C4D4E4F50"

    [client]                    # the head-end's, for the same
    signing_key = "5152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F70"
    agreement_key = "7172737475767778797A7B7C7D7E7F808182838485868788898A8B8C8D8E8F90"

    [tokens]                    # the lab token's message authentication
    key = "202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F"

What a file leaves out keeps the lab default of its suite. A meter that has made itself a pair shows
its private key to nobody: the head-end's file then has X || Y, the public one, in its place, as
``signing_public_key`` or ``agreement_public_key`` of ``[meter]``, 64 octets, 96 in suite 2.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from obis.values import hiding, replace

#: The names of the authentication mechanisms that ``mechanism`` may have, and their numbers.
MECHANISMS: Final[Mapping[str, int]] = {
    "hls": 2,
    "hls-md5": 3,
    "hls-sha1": 4,
    "hls-gmac": 5,
    "hls-sha256": 6,
    "hls-ecdsa": 7,
}
#: The names that ``protection`` may have, and the security policy of class 64 version 0.
PROTECTIONS: Final[Mapping[str, int]] = {
    "none": 0,
    "authenticated": 1,
    "encrypted": 2,
    "authenticated-encrypted": 3,
}
SUITES: Final = (0, 1, 2)


class KeyFileError(ValueError):
    """A key file that cannot be used; the message names the entry, never a key."""


class KeyPairs(Struct, frozen=True):
    """One side's private keys on the curve of its suite: P-256, or P-384 in suite 2.

    Of a meter that made them itself they are the public ones (``is_public``).

    Args:
        signing_key: for ECDSA; 32 octets, 48 in suite 2; public X || Y, twice as many.
        agreement_key: for ECDH; the same.
    """

    signing_key: bytes
    agreement_key: bytes

    __repr__ = hiding("signing_key", "agreement_key")


class MeterKeys(Struct, frozen=True):
    """One meter's secrets.

    Args:
        block_cipher_key: global unicast encryption key, 16 octets, 32 in suite 2.
        authentication_key: the same length.
        password: low-level password of the reader, 1 to 64 octets.
        token_key: key of the lab token's HMAC, 16 to 64 octets.
        broadcast_key: global broadcast encryption key, as long as the others.
        master_key: key encrypting key, as long as the others.
        secret: of HLS mechanisms 2, 3, 4 and 6; 16 to 64 octets.
        meter: the meter's own keys, which a head-end may know the public half of only.
        client: the management client's private keys. A real meter has its certificates instead;
            here both sides are given the same file, and the meter takes the public half.
        suite: security suite, 0 to 2.
        mechanism: how the management client proves who it is, 2 to 7.
        protection: what its APDUs have to be from the beginning, 0 to 3.
    """

    block_cipher_key: bytes
    authentication_key: bytes
    password: bytes
    token_key: bytes
    broadcast_key: bytes
    master_key: bytes
    secret: bytes
    meter: KeyPairs
    client: KeyPairs
    suite: int = 0
    mechanism: int = MECHANISMS["hls-gmac"]
    protection: int = PROTECTIONS["authenticated-encrypted"]

    __repr__ = hiding(
        "block_cipher_key",
        "authentication_key",
        "password",
        "token_key",
        "broadcast_key",
        "master_key",
        "secret",
    )


def symmetric_length(suite: int) -> int:
    """Return how many octets the symmetric keys of a suite have."""
    return 32 if suite == 2 else 16


def private_length(suite: int) -> int:
    """Return how many octets the private keys of a suite have; suite 0 has none and counts as 1."""
    return 48 if suite == 2 else 32


def is_public(key: bytes) -> bool:
    """Return whether a key of a pair is the public one, X || Y."""
    return len(key) in (64, 96)


def lab_keys(suite: int) -> MeterKeys:
    """Return the documented defaults, published here and so unsafe for anything but a lab."""
    length, private = symmetric_length(suite), private_length(suite)
    return MeterKeys(
        block_cipher_key=_count(0x00, length),
        authentication_key=_count(0xD0, length),
        password=b"12345678",
        token_key=_count(0x20, 32),
        broadcast_key=_count(0x40, length),
        master_key=_count(0x60, length),
        secret=_count(0x80, 16),
        meter=KeyPairs(_count(0x11, private), _count(0x31, private)),
        client=KeyPairs(_count(0x51, private), _count(0x71, private)),
        suite=suite,
    )


def is_published(keys: MeterKeys) -> bool:
    """Return whether one of the keys that reach client 1 is the lab's, known to everybody."""
    lab = lab_keys(keys.suite)
    names = ("block_cipher_key", "authentication_key", "master_key")
    return any(getattr(keys, name) == getattr(lab, name) for name in names)


def _count(first: int, length: int) -> bytes:
    return bytes(range(first, first + length))


#: The lab's keys of suite 0.
LAB_KEYS: Final = lab_keys(0)

_SYMMETRIC, _PRIVATE, _PUBLIC = "symmetric", "private", "public"
#: What stands for a private key of the meter's that nobody else has.
_PUBLIC_ENTRIES: Final = {
    "signing_public_key": "signing_key",
    "agreement_public_key": "agreement_key",
}
#: What a file may hold: the lengths of each entry, least and most, or by the suite.
_ENTRIES: Final[Mapping[str, Mapping[str, tuple[int, int] | str]]] = {
    "management": {
        "block_cipher_key": _SYMMETRIC,
        "authentication_key": _SYMMETRIC,
        "broadcast_key": _SYMMETRIC,
        "master_key": _SYMMETRIC,
        "secret": (16, 64),
    },
    "reader": {"password": (1, 64)},
    "tokens": {"key": (16, 64)},
    "meter": {
        "signing_key": _PRIVATE,
        "agreement_key": _PRIVATE,
        **dict.fromkeys(_PUBLIC_ENTRIES, _PUBLIC),
    },
    "client": {"signing_key": _PRIVATE, "agreement_key": _PRIVATE},
}
_LONGEST_NAME: Final = max(len(name) for table in _ENTRIES.values() for name in table)
_SETTINGS: Final = ("suite", "mechanism", "protection")
#: The orders of the curves P-256 and P-384 (FIPS 186): a private key is below, and not 0.
_ORDERS: Final = {
    32: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    48: int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}
#: p and b of the same curves, y^2 = x^3 - 3x + b: what makes X || Y a point of one.
_CURVES: Final = {
    32: (
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    48: (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        int(
            "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE814112"
            "0314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
            16,
        ),
    ),
}


def parse_keys(text: str, *, of_meter: bool = False) -> MeterKeys:
    """Return the keys that a key file names, lab defaults for those it leaves out.

    Args:
        text: the file's content.
        of_meter: the meter itself reads it, so its own keys have to be the private ones.

    Raises:
        KeyFileError: empty, not TOML, an unknown table or entry, or a key of the wrong form or
            length.
    """
    if not text.strip():  # as when what should have written it failed
        raise KeyFileError("it is empty: prepay-sim keys prints a key file")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number too long, a list too deep
        raise KeyFileError(f"not a TOML file: {error}") from error
    suite = _setting(document, "suite", 0, SUITES)
    mechanism = _setting(document, "mechanism", "hls-gmac", tuple(MECHANISMS))
    protection = _setting(document, "protection", "authenticated-encrypted", tuple(PROTECTIONS))
    found: dict[str, dict[str, Any]] = {
        table: {
            name: _key(table, name, value, suite) for name, value in _table(table, entries).items()
        }
        for table, entries in document.items()
        if table not in _SETTINGS
    }
    pairs = _own_pairs(found.get("meter", {}), of_meter=of_meter)
    if MECHANISMS[mechanism] == MECHANISMS["hls-ecdsa"] and suite == 0:
        raise KeyFileError("mechanism hls-ecdsa needs suite 1 or 2")
    lab = lab_keys(suite)
    tokens = found.get("tokens", {})
    return replace(
        lab,
        **found.get("management", {}),
        **found.get("reader", {}),
        token_key=tokens.get("key", lab.token_key),
        meter=replace(lab.meter, **pairs),
        client=replace(lab.client, **found.get("client", {})),
        mechanism=MECHANISMS[mechanism],
        protection=PROTECTIONS[protection],
    )


def _setting(document: Mapping[str, Any], name: str, default: Any, known: tuple[Any, ...]) -> Any:
    value = document.get(name, default)
    # true is 1 for Python, not for a reader
    if isinstance(value, bool) or value not in known:
        raise KeyFileError(f"{name} has to be one of {', '.join(map(str, known))}")
    return value


def _table(table: str, entries: Any) -> Mapping[str, Any]:
    if table not in _ENTRIES:
        raise KeyFileError(f"[{_shown(table)}] is not known; use {', '.join(sorted(_ENTRIES))}")
    if not isinstance(entries, dict):
        raise KeyFileError(f"{table} has to be a table: [{table}]")
    return entries


def _own_pairs(entries: Mapping[str, bytes], *, of_meter: bool) -> Mapping[str, bytes]:
    """Return the meter's entries by the names of the fields; a public key stands in its place."""
    found = {_PUBLIC_ENTRIES.get(name, name): key for name, key in entries.items()}
    public = next((name for name in entries if name in _PUBLIC_ENTRIES), "")
    if public and of_meter:
        raise KeyFileError(
            f"[meter] {public}: a meter needs its private key, and this is a head-end's file"
        )
    if len(found) < len(entries):
        raise KeyFileError(f"[meter] {public}: there is the private key already")
    return found


def _shown(name: str) -> str:
    """Return a name for a message; one that is as long as a key may be a key in the wrong place."""
    return name if len(name) <= _LONGEST_NAME else "a name of that length"


def _key(table: str, name: str, value: Any, suite: int) -> bytes:
    where = f"[{table}] {_shown(name)}"
    if name not in _ENTRIES[table]:
        raise KeyFileError(f"{where} is not known; use {', '.join(sorted(_ENTRIES[table]))}")
    if not isinstance(value, str):
        raise KeyFileError(f"{where} has to be a string")
    try:
        key = value.encode("ascii") if name == "password" else bytes.fromhex(value)
    except ValueError as error:
        form = "ASCII" if name == "password" else "hexadecimal"
        raise KeyFileError(f"{where} has to be {form}") from error
    least, most = _lengths(_ENTRIES[table][name], suite)
    if not least <= len(key) <= most:
        length = str(least) if least == most else f"{least} to {most}"
        raise KeyFileError(f"{where} has to be {length} octets long, it is {len(key)}")
    if _ENTRIES[table][name] == _PRIVATE and not 0 < int.from_bytes(key) < _ORDERS[len(key)]:
        raise KeyFileError(f"{where} is no private key of the curve of suite {suite}")
    if _ENTRIES[table][name] == _PUBLIC and not _on_curve(key):
        raise KeyFileError(f"{where} is no public key of the curve of suite {suite}")
    return key


def _on_curve(point: bytes) -> bool:
    """Return whether X || Y is a point of its curve."""
    p, b = _CURVES[len(point) // 2]
    x, y = (int.from_bytes(half) for half in (point[: len(point) // 2], point[len(point) // 2 :]))
    return x < p and y < p and (y * y - (x**3 - 3 * x + b)) % p == 0


def _lengths(declared: tuple[int, int] | str, suite: int) -> tuple[int, int]:
    if isinstance(declared, tuple):
        return declared
    if declared == _SYMMETRIC:
        length = symmetric_length(suite)
    else:
        length = private_length(suite) * (2 if declared == _PUBLIC else 1)
    return length, length


def format_keys(keys: MeterKeys) -> str:
    """Return the key file that ``parse_keys`` reads these keys from."""
    mechanisms = {number: name for name, number in MECHANISMS.items()}
    protections = {number: name for name, number in PROTECTIONS.items()}
    values: dict[str, dict[str, bytes]] = {
        "management": {name: getattr(keys, name) for name in _ENTRIES["management"]},
        "reader": {"password": keys.password},
        "tokens": {"key": keys.token_key},
    }
    if keys.suite:
        for side in ("meter", "client"):
            pairs: KeyPairs = getattr(keys, side)
            values[side] = {}
            for public, name in _PUBLIC_ENTRIES.items():
                key = getattr(pairs, name)
                values[side][public if is_public(key) else name] = key
    lines = [
        f"suite = {keys.suite}",
        f'mechanism = "{mechanisms[keys.mechanism]}"',
        f'protection = "{protections[keys.protection]}"',
    ]
    for table, entries in values.items():
        lines += ["", f"[{table}]"]
        lines += [f"{name} = {_quoted(table, value)}" for name, value in entries.items()]
    return "\n".join(lines) + "\n"


def _quoted(table: str, value: bytes) -> str:
    if table != "reader":
        return f'"{value.hex().upper()}"'
    # A password is ASCII, but may have what TOML wants escaped.
    return '"' + "".join(_escaped(character) for character in value.decode("ascii")) + '"'


def _escaped(character: str) -> str:
    if character in '\\"' or not character.isprintable():
        return f"\\u{ord(character):04X}"
    return character

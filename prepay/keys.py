"""The secrets that a meter and its head-end share, and the lab's own that are secret to nobody.

A key file is TOML, every key as hexadecimal:

    [management]                # client 1, HLS-GMAC, suite 0
    block_cipher_key = "000102030405060708090A0B0C0D0E0F"
    authentication_key = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"

    [reader]                    # client 2, low-level security
    password = "12345678"

    [tokens]                    # the lab token's message authentication
    key = "202122232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F"

What a file leaves out keeps the lab default.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class KeyFileError(ValueError):
    """A key file that cannot be used; the message names the entry, never a key."""


@dataclass(frozen=True, slots=True)
class MeterKeys:
    """One meter's secrets.

    Args:
        block_cipher_key: global unicast encryption key, 16 octets.
        authentication_key: 16 octets.
        password: low-level password of the reader, 1 to 64 octets.
        token_key: key of the lab token's HMAC, 16 to 64 octets.
    """

    block_cipher_key: bytes = field(repr=False)
    authentication_key: bytes = field(repr=False)
    password: bytes = field(repr=False)
    token_key: bytes = field(repr=False)


#: Documented defaults, published here and so unsafe for anything but a lab.
LAB_KEYS = MeterKeys(
    block_cipher_key=bytes.fromhex("000102030405060708090A0B0C0D0E0F"),
    authentication_key=bytes.fromhex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"),
    password=b"12345678",
    token_key=bytes(range(0x20, 0x40)),
)

_ENTRIES = {
    "management": {"block_cipher_key": (16, 16), "authentication_key": (16, 16)},
    "reader": {"password": (1, 64)},
    "tokens": {"key": (16, 64)},
}


def parse_keys(text: str) -> MeterKeys:
    """Return the keys that a key file names, lab defaults for those it leaves out.

    Args:
        text: the file's content.

    Raises:
        KeyFileError: not TOML, an unknown table or entry, or a key of the wrong form or length.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number too long, a list too deep
        raise KeyFileError(f"not a TOML file: {error}") from error
    found = {
        (table, name): _key(table, name, value)
        for table, entries in document.items()
        for name, value in _table(table, entries).items()
    }
    return MeterKeys(
        block_cipher_key=found.get(("management", "block_cipher_key"), LAB_KEYS.block_cipher_key),
        authentication_key=found.get(
            ("management", "authentication_key"), LAB_KEYS.authentication_key
        ),
        password=found.get(("reader", "password"), LAB_KEYS.password),
        token_key=found.get(("tokens", "key"), LAB_KEYS.token_key),
    )


def _table(table: str, entries: Any) -> Mapping[str, Any]:
    if table not in _ENTRIES:
        raise KeyFileError(f"[{table}] is not known; use {', '.join(sorted(_ENTRIES))}")
    if not isinstance(entries, dict):
        raise KeyFileError(f"{table} has to be a table: [{table}]")
    return entries


def _key(table: str, name: str, value: Any) -> bytes:
    where = f"[{table}] {name}"
    if name not in _ENTRIES[table]:
        raise KeyFileError(f"{where} is not known; use {', '.join(sorted(_ENTRIES[table]))}")
    if not isinstance(value, str):
        raise KeyFileError(f"{where} has to be a string")
    try:
        key = value.encode("ascii") if name == "password" else bytes.fromhex(value)
    except ValueError as error:
        form = "ASCII" if name == "password" else "hexadecimal"
        raise KeyFileError(f"{where} has to be {form}") from error
    least, most = _ENTRIES[table][name]
    if not least <= len(key) <= most:
        length = str(least) if least == most else f"{least} to {most}"
        raise KeyFileError(f"{where} has to be {length} octets long, it is {len(key)}")
    return key

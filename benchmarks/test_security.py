"""Suite 0: one APDU of 200 octets, authenticated and encrypted."""

from typing import Any

import pytest

from benchmarks.comparing import Compare
from benchmarks.peers.timing import clock
from protocol.apdu import ApduTag, Ciphered
from protocol.security import Protection, protect, unprotect
from tests.protocol.association_tools import BOTH, CLIENT_TITLE, KEYS

pytestmark = pytest.mark.benchmark(group="suite 0", timer=clock)

COUNTER = 0x01234567
PLAIN = bytes.fromhex("C401C100") + bytes(range(196))
PROTECTED = protect(KEYS, CLIENT_TITLE, COUNTER, BOTH, PLAIN)
#: Tag, length, security control octet and counter, as gurux-dlms writes and wants them.
ENVELOPE = Ciphered(ApduTag.GLO_GET_REQUEST, BOTH, COUNTER, PROTECTED, b"").encode()
CASE: dict[str, Any] = {
    "block_key": KEYS.block_cipher_key.hex(),
    "authentication_key": KEYS.authentication_key.hex(),
    "title": CLIENT_TITLE.hex(),
    "counter": COUNTER,
    "plain": PLAIN.hex(),
    "protected": PROTECTED.hex(),
    "head": ENVELOPE[: -len(PROTECTED)].hex(),
}


def test_protect(compare: Compare) -> None:
    """Seal; the nonce is the same each time, which only a benchmark may do."""
    compare(
        "suite 0: protect 200 octets",
        lambda: protect(KEYS, CLIENT_TITLE, COUNTER, Protection.AUTHENTICATED_ENCRYPTED, PLAIN),
        "protect",
        CASE,
    )


def test_unprotect(compare: Compare) -> None:
    """Verify and open."""
    assert unprotect(KEYS, CLIENT_TITLE, COUNTER, BOTH, PROTECTED) == PLAIN
    compare(
        "suite 0: unprotect 200 octets",
        lambda: unprotect(KEYS, CLIENT_TITLE, COUNTER, BOTH, PROTECTED),
        "unprotect",
        CASE,
    )

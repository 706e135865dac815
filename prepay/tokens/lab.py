"""The lab token: a plain top-up token of our own for class 115, and how a meter reads it.

It stands in until the tokens of the field come (STS). Its key is symmetric: who can check a token
can make one, so it fits a laboratory, not a street. The amount is in the clear, the tag makes it
true, and names the meter, so that no other takes it. That a token counts once is the business of
the meter's transaction log: the id is the transaction's.

| octets | field |
|---|---|
| 1 | version, 0x01 |
| 16 | id |
| 4 | amount in minor units, signed, most significant octet first; above 0 |
| 16 | tag: the first 16 octets of HMAC-SHA-256 over label, meter and the fields before |
"""

import hashlib
import hmac

import msgspec
from construct import Bytes, Const, Int32sb, Struct

from prepay.tokens.errors import TokenError, TokenFalse, TokenMalformed

__all__ = ["LabToken", "TokenError", "TokenFalse", "TokenMalformed", "decode"]

#: Octets of the parts.
ID_LENGTH = 16
TAG_LENGTH = 16
MIN_KEY_LENGTH = 16

BODY = Struct("version" / Const(b"\x01"), "id" / Bytes(ID_LENGTH), "amount" / Int32sb)
#: Octets of a whole token.
TOKEN_LENGTH = BODY.sizeof() + TAG_LENGTH

# Keeps these tags apart from every other use that somebody may make of the same key.
_LABEL = b"OpenPrepay lab token 1"


class LabToken(msgspec.Struct, frozen=True):
    """What a true token says.

    Args:
        id: 16 octets, the transaction it is.
        amount: minor units, above 0.
    """

    id: bytes
    amount: int


def tag(key: bytes, meter: bytes, body: bytes) -> bytes:
    """Return the tag of a token's body for one meter.

    Args:
        key: at least 16 octets.
        meter: the logical device name, at most 255 octets.
        body: the octets before the tag.

    Raises:
        ValueError: the key is too short, or the name empty or too long.
    """
    if len(key) < MIN_KEY_LENGTH:
        raise ValueError(f"a token key has at least {MIN_KEY_LENGTH} octets")
    if not 1 <= len(meter) <= 255:
        raise ValueError("a logical device name has 1 to 255 octets")
    # The length before the name: no name and body can be cut elsewhere and read the same.
    message = _LABEL + bytes([len(meter)]) + meter + body
    return hmac.new(key, message, hashlib.sha256).digest()[:TAG_LENGTH]


def decode(key: bytes, meter: bytes, token: bytes) -> LabToken:
    """Check a token and return what it says.

    Args:
        key: the meter's token key, at least 16 octets.
        meter: the meter's logical device name.
        token: 37 octets.

    Raises:
        TokenMalformed: not the length or the version, or an amount that is not above 0.
        TokenFalse: the tag is not this meter's for these fields.
        ValueError: key or name are none.
    """
    if len(token) != TOKEN_LENGTH:
        raise TokenMalformed(f"a lab token has {TOKEN_LENGTH} octets, not {len(token)}")
    if token[:1] != BODY.version.subcon.value:
        raise TokenMalformed(f"a lab token starts with 01, not {token[:1].hex()}")
    body, claimed = token[:-TAG_LENGTH], token[-TAG_LENGTH:]
    if not hmac.compare_digest(tag(key, meter, body), claimed):
        raise TokenFalse("the token is not one for this meter")
    fields = BODY.parse(body)
    if fields.amount <= 0:
        raise TokenMalformed(f"a token tops up by an amount above 0, not {fields.amount}")
    return LabToken(fields.id, fields.amount)

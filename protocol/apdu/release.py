"""RLRQ and RLRE: the release of an association, asked for and confirmed."""

from typing import ClassVar, Self

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import acse, ber
from protocol.apdu.tags import ApduTag
from protocol.errors import DecodeError

_REASON = 0x80


class _Release(Struct, frozen=True):
    """An RLRQ or RLRE.

    Args:
        reason: a ``ReleaseReason`` number, None when it was not sent.
        user_information: in a ciphered association a ciphered InitiateRequest or
            InitiateResponse, which proves who sent this; empty when it was not sent.
    """

    tag: ClassVar[ApduTag]
    reason: int | None = 0
    user_information: bytes = b""

    __repr__ = hiding("user_information")

    def encode(self) -> bytes:
        """Return the APDU."""
        reason = b"" if self.reason is None else ber.encode_field(_REASON, bytes((self.reason,)))
        information = acse.encode_user_information(self.user_information)
        return ber.encode_field(self.tag, reason + information)

    @classmethod
    def decode(cls, apdu: bytes) -> Self:
        """Read the APDU.

        Raises:
            DecodeError: a field is cut short or malformed.
        """
        fields = dict(ber.decode_fields(ber.decode_field(apdu, cls.tag, cls.tag.name)))
        reason = fields.get(_REASON)
        if reason is not None and len(reason) != 1:
            raise DecodeError("a release reason is one octet")
        information = fields.get(acse.USER_INFORMATION)
        return cls(
            None if reason is None else reason[0],
            b"" if information is None else acse.decode_user_information(information),
        )


class Rlrq(_Release, frozen=True):
    """An A-release request."""

    tag = ApduTag.RLRQ


class Rlre(_Release, frozen=True):
    """An A-release response."""

    tag = ApduTag.RLRE

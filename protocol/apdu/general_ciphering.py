"""general-ciphering: an envelope that says under which key it is.

    221, header, key-info, length, content

    key-info                 absent      00
                             identified  01 00 key-id
                             wrapped     01 01 kek-id, length, wrapped key
                             agreed      01 02 length, key-parameters, length, key-ciphered-data
    content                  security control octet, invocation counter (4), protected octets

Layout by the example of the Green Book that ``tests/vectors/agreement.json`` has, and as
``dlms-cosem`` and ``pydlms-client`` agree on it.
"""

from msgspec import Struct

from obis.values import hiding
from protocol.apdu import fields
from protocol.apdu.ciphered import decode_content, encode_content
from protocol.apdu.fields import Reader
from protocol.apdu.general_header import GeneralHeader
from protocol.apdu.tags import ApduTag
from protocol.errors import DecodeError
from protocol.security.control import Protection, encode_control
from protocol.security.suite import SecuritySuite

_IDENTIFIED, _WRAPPED, _AGREED = range(3)
#: The longest key-ciphered-data is a public key of suite 2 and its signature.
MAX_KEY_DATA = 192


class IdentifiedKey(Struct, frozen=True):
    """A key that both sides have: 0 the global unicast key, 1 the global broadcast key."""

    key_id: int = 0

    def encode(self) -> bytes:
        """Return the key-info."""
        return bytes((1, _IDENTIFIED, self.key_id))


class WrappedKey(Struct, frozen=True):
    """A key that comes along, wrapped; ``kek_id`` 0 is the master key."""

    wrapped: bytes
    kek_id: int = 0

    __repr__ = hiding("wrapped")

    def encode(self) -> bytes:
        """Return the key-info."""
        return bytes((1, _WRAPPED, self.kek_id)) + fields.octet_string(self.wrapped)


class AgreedKey(Struct, frozen=True):
    """A key that is agreed on: the scheme's number, and what the other side needs for it."""

    parameters: bytes
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the key-info."""
        head = bytes((1, _AGREED)) + fields.octet_string(self.parameters)
        return head + fields.octet_string(self.data)


KeyInfo = IdentifiedKey | WrappedKey | AgreedKey


class GeneralCiphering(Struct, frozen=True):
    """A ciphered APDU and all that it says about itself.

    Args:
        header: who, to whom, when.
        key_info: which key; None is the global unicast key or, if the security control octet
            says so, the global broadcast key.
        protection: what protects it.
        counter: the invocation counter.
        octets: the protected octets, the authentication tag last where there is one.
        suite: whose cipher it is.
        broadcast: under the broadcast key rather than the unicast key.
    """

    header: GeneralHeader
    key_info: KeyInfo | None
    protection: Protection
    counter: int
    octets: bytes
    suite: SecuritySuite = SecuritySuite.SUITE_0
    broadcast: bool = False

    __repr__ = hiding("octets")

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the counter does not fit four octets.
        """
        key_info = b"\x00" if self.key_info is None else self.key_info.encode()
        control = encode_control(self.protection, self.suite, broadcast=self.broadcast)
        content = encode_content(control, self.counter, self.octets)
        head = bytes((ApduTag.GENERAL_CIPHERING,)) + self.header.encode()
        return head + key_info + fields.octet_string(content)

    @classmethod
    def decode(cls, apdu: bytes) -> "GeneralCiphering":
        """Read the outside of the APDU.

        Raises:
            DecodeError: cut short, malformed or too long.
            SecurityError: a security control octet that is not in use here.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.GENERAL_CIPHERING)
        header = GeneralHeader.read(reader)
        key_info = _read_key_info(reader) if reader.choice(0, 1) else None
        content = reader.octet_string()
        reader.end()
        (protection, suite, broadcast), counter, octets = decode_content(content)
        return cls(header, key_info, protection, counter, octets, suite, broadcast)


def _read_key_info(reader: Reader) -> KeyInfo:
    choice = reader.choice(_IDENTIFIED, _WRAPPED, _AGREED)
    if choice == _IDENTIFIED:
        return IdentifiedKey(reader.choice(0, 1))
    if choice == _WRAPPED:
        kek_id = reader.choice(0)
        return WrappedKey(_key_data(reader), kek_id)
    return AgreedKey(_key_data(reader), _key_data(reader))


def _key_data(reader: Reader) -> bytes:
    octets = reader.octet_string()
    if len(octets) > MAX_KEY_DATA:
        raise DecodeError(f"key data of {len(octets)} octets")
    return octets

"""The symmetric keys of one security relationship."""

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocol.security.control import Protection, encode_control
from protocol.security.suite import SecuritySuite


@dataclass(frozen=True)
class KeySet:
    """A key of the cipher and the authentication key beside it; neither shows in ``repr``.

    Args:
        block_cipher_key: the encryption key, 16 octets, 32 in suite 2: global unicast, global
            broadcast, dedicated, wrapped or agreed.
        authentication_key: the authentication key, 16 octets, in suite 2 also 32. It is no key
            of the cipher: it is part of the additional authenticated data.
        suite: whose cipher it is.
        broadcast: the encryption key is the broadcast key, which the security control octet
            tells.

    Raises:
        ValueError: a key of another length. The message names the key, not its octets.
    """

    block_cipher_key: bytes = field(repr=False)
    authentication_key: bytes = field(repr=False)
    suite: SecuritySuite = field(default=SecuritySuite.SUITE_0, repr=False)
    broadcast: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        length = self.suite.key_length
        if len(self.block_cipher_key) != length:
            raise ValueError(f"block_cipher_key is not {length} octets long")
        if len(self.authentication_key) not in (16, length):
            raise ValueError(f"authentication_key is not {length} octets long")

    def under(self, block_cipher_key: bytes, *, broadcast: bool = False) -> "KeySet":
        """Return another encryption key with the same authentication key.

        Raises:
            ValueError: it has the wrong length.
        """
        return KeySet(block_cipher_key, self.authentication_key, self.suite, broadcast)

    @cached_property
    def cipher(self) -> AESGCM:
        """AES-GCM under the block cipher key; its key schedule is worth keeping."""
        return AESGCM(self.block_cipher_key)

    @cached_property
    def associated(self) -> dict[Protection, bytes]:
        """SC || AK by protection: how the authenticated data of every APDU begins."""
        return {
            protection: bytes((encode_control(protection, self.suite, broadcast=self.broadcast),))
            + self.authentication_key
            for protection in (Protection.AUTHENTICATED, Protection.AUTHENTICATED_ENCRYPTED)
        }

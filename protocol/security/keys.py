"""The keys of one security relationship."""

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_LENGTH = 16


@dataclass(frozen=True)
class KeySet:
    """The global unicast keys of security suite 0; neither shows in ``repr``.

    Args:
        block_cipher_key: the global unicast encryption key, 16 octets.
        authentication_key: the authentication key, 16 octets. It is no key of the cipher: it is
            part of the additional authenticated data.

    Raises:
        ValueError: a key that is not 16 octets long. The message names the key, not its octets.
    """

    block_cipher_key: bytes = field(repr=False)
    authentication_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("block_cipher_key", "authentication_key"):
            if len(getattr(self, name)) != KEY_LENGTH:
                raise ValueError(f"{name} is not {KEY_LENGTH} octets long")

    @cached_property
    def cipher(self) -> AESGCM:
        """AES-GCM under the block cipher key; its key schedule is worth keeping."""
        return AESGCM(self.block_cipher_key)

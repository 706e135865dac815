"""general-ciphering's keys: which one an APDU is under, made for sending and found on receiving.

| kind | sending | receiving |
|---|---|---|
| identified, or nothing said | the global unicast or broadcast key | the same |
| wrapped | a new key by our entropy, wrapped with the master key | unwrapped |
| one-pass Diffie-Hellman | a new key pair, signed by us, with their agreement key | their signed key with our agreement key |
| static unified | our agreement key with theirs, and the transaction-id | the same |

A key that a kind needs and that we do not have is an error of its own on sending; on receiving
it is as every other ciphering that is not in use.
"""  # noqa: E501 - the rows of a table do not wrap

from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from protocol.apdu.general_ciphering import (
    AgreedKey,
    GeneralCiphering,
    IdentifiedKey,
    KeyInfo,
    WrappedKey,
)
from protocol.association.entropy import Entropy
from protocol.association.envelope import KeyKind
from protocol.errors import LocalProtocolError, ProtocolError, SecurityError
from protocol.security import (
    KeySet,
    KeyUse,
    PrivateKey,
    PublicKey,
    Scheme,
    SecurityMaterial,
    content_key,
    read_one_pass,
    sign_one_pass,
    unwrap_key,
    wrap_key,
)

_Key = TypeVar("_Key", bytes, PrivateKey, PublicKey)

_UNICAST, _BROADCAST = 0, 1


class ContentKey(Struct, frozen=True):
    """The key of an APDU.

    Args:
        keys: the key, with the authentication key beside it.
        use: whose counters are counted with it.
        kind: how it was found.
    """

    keys: KeySet
    use: KeyUse
    kind: KeyKind


@dataclass(slots=True)
class KeyExchange:
    """Makes and finds content keys.

    Args:
        keys: the global unicast keys.
        material: all the other keys.
        entropy: for new keys.
        own_title: our system title.
    """

    keys: KeySet
    material: SecurityMaterial
    entropy: Entropy
    own_title: bytes

    def make(
        self, kind: KeyKind, broadcast: bool, recipient: bytes, transaction_id: bytes
    ) -> tuple[KeySet, KeyInfo | None]:
        """Return the key for an APDU of ours, and what is said of it.

        Args:
            kind: which key.
            broadcast: with an identified key, the broadcast key.
            recipient: whom the APDU is for.
            transaction_id: that of the APDU.

        Raises:
            LocalProtocolError: there is no such key here.
        """
        if kind in (KeyKind.UNSTATED, KeyKind.IDENTIFIED):
            keys = self.broadcast_keys(LocalProtocolError) if broadcast else self.keys
            if kind is KeyKind.UNSTATED:
                return keys, None
            return keys, IdentifiedKey(_BROADCAST if broadcast else _UNICAST)
        material, missing = self.material, LocalProtocolError
        if kind is KeyKind.WRAPPED:
            master = _need(material.master_key or None, "a master key", missing)
            key = self.entropy(self.keys.suite.key_length)
            return self.keys.under(key), WrappedKey(wrap_key(master, key))
        theirs = _need(material.peer_agreement_key, "their agreement key", missing)
        titles = (self.own_title, recipient)
        if kind is KeyKind.ONE_PASS:
            signer = _need(material.signing_key, "a signing key", missing)
            ephemeral = PrivateKey.from_entropy(self.keys.suite, self.entropy)
            key = content_key(Scheme.ONE_PASS, ephemeral, theirs, *titles, transaction_id)
            data = sign_one_pass(signer, ephemeral.public)
            return self.keys.under(key), AgreedKey(bytes((Scheme.ONE_PASS,)), data)
        ours = _need(material.agreement_key, "an agreement key", missing)
        key = content_key(Scheme.STATIC_UNIFIED, ours, theirs, *titles, transaction_id)
        return self.keys.under(key), AgreedKey(bytes((Scheme.STATIC_UNIFIED,)))

    def find(self, ciphered: GeneralCiphering, originator: bytes) -> ContentKey:
        """Return the key of an APDU of the other side's.

        Args:
            ciphered: the APDU.
            originator: who sent it.

        Raises:
            SecurityError: there is no such key here, or what is said of it is false.
        """
        info = ciphered.key_info
        if info is None or isinstance(info, IdentifiedKey):
            broadcast = ciphered.broadcast if info is None else info.key_id == _BROADCAST
            keys = self.broadcast_keys(SecurityError) if broadcast else self.keys
            use = KeyUse.BROADCAST if broadcast else KeyUse.UNICAST
            if keys.broadcast != ciphered.broadcast:
                raise SecurityError("the key-info and the security control differ on the key")
            kind = KeyKind.UNSTATED if info is None else KeyKind.IDENTIFIED
            return ContentKey(keys, use, kind)
        if ciphered.broadcast:
            raise SecurityError("a broadcast key that is not identified")
        if isinstance(info, WrappedKey):
            master = _need(self.material.master_key or None, "a master key", SecurityError)
            return self._exchanged(unwrap_key(master, info.wrapped), KeyKind.WRAPPED)
        return self._agreed(info, ciphered, originator)

    def broadcast_keys(self, missing: type[ProtocolError]) -> KeySet:
        """Return the global broadcast key.

        Raises:
            ProtocolError: ``missing``: there is none here.
        """
        key = _need(self.material.broadcast_key or None, "a broadcast key", missing)
        return self.keys.under(key, broadcast=True)

    def _agreed(self, info: AgreedKey, ciphered: GeneralCiphering, originator: bytes) -> ContentKey:
        try:
            (number,) = info.parameters
            scheme = Scheme(number)
        except ValueError:
            raise SecurityError("an agreed key by a scheme that there is not") from None
        material, header = self.material, ciphered.header
        ours = _need(material.agreement_key, "an agreement key", SecurityError)
        if scheme is Scheme.ONE_PASS:
            signer = _need(material.peer_signing_key, "their signing key", SecurityError)
            theirs, kind = read_one_pass(signer, info.data), KeyKind.ONE_PASS
        else:
            if info.data:
                raise SecurityError("the static unified model with key data")
            theirs = _need(material.peer_agreement_key, "their agreement key", SecurityError)
            kind = KeyKind.STATIC_UNIFIED
        recipient = header.recipient or self.own_title
        key = content_key(scheme, ours, theirs, originator, recipient, header.transaction_id)
        return self._exchanged(key, kind)

    def _exchanged(self, key: bytes, kind: KeyKind) -> ContentKey:
        try:
            return ContentKey(self.keys.under(key), KeyUse.EXCHANGED, kind)
        except ValueError:
            raise SecurityError("a key of another length than the suite's") from None


def _need(key: _Key | None, what: str, missing: type[ProtocolError]) -> _Key:
    if key is None:
        raise missing(f"this needs {what}, and there is none here")
    return key

"""What a key file has beside the global keys, and what it tells of keys, signatures and proofs.

A key file of the lab has both sides' private keys, so all that either side could find out is found
out here: content keys that were wrapped or agreed on, whose signature it is, and whether an answer
to a challenge is the right one.
"""

from collections.abc import Iterator, Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from obis.values import hiding
from protocol.codes import Mechanism
from protocol.errors import SecurityError
from protocol.security import (
    KeySet,
    PrivateKey,
    PublicKey,
    aes_reply,
    md5_reply,
    sha1_reply,
    sha256_reply,
    signed_octets,
    unwrap_key,
    verify_gmac_reply,
)
from protocol.security.agreement import Scheme, content_key, read_one_pass

if TYPE_CHECKING:
    from protocol.explain.conversation import Conversation

#: Who is asking and who answers.
CLIENT, SERVER = "client", "server"
SIDES: Final = (CLIENT, SERVER)


class Pair(Struct, frozen=True):
    """The keys of one side, public where nobody else has the private one; ``repr`` has neither."""

    signing: PrivateKey | PublicKey
    agreement: PrivateKey | PublicKey

    __repr__ = hiding("signing", "agreement")

    @property
    def signs(self) -> PublicKey:
        """The public key for signatures."""
        return _half(self.signing)

    @property
    def agrees(self) -> PublicKey:
        """The public key for key agreement."""
        return _half(self.agreement)


def _half(key: PrivateKey | PublicKey) -> PublicKey:
    return key.public if isinstance(key, PrivateKey) else key


class Vault(Struct, frozen=True):
    """The further secrets of a key file.

    Args:
        master_key: what keys are wrapped with.
        secret: of HLS 2, 3, 4 and 6.
        pairs: keys by side; none in suite 0.
    """

    master_key: bytes = b""
    secret: bytes = b""
    pairs: Mapping[str, Pair] = field(default_factory=dict)

    __repr__ = hiding("master_key", "secret")


class Judgement(Struct, frozen=True):
    """What is to be said of octets that somebody vouches with.

    Args:
        meaning: for people; empty where nothing can be said.
        fault: why they are false; empty when they are not, or it cannot be known.
    """

    meaning: str = ""
    fault: str = ""


def _false(talk: "Conversation", what: str) -> Judgement:
    """Return the judgement of what no key fits: a fault only if these are said to be the keys."""
    if not talk.certain:
        return Judgement("not verified: by other keys than those that were tried")
    return Judgement("false", f"{what}: other keys, other system titles, or changed octets")


def _other(side: str) -> str:
    return SERVER if side == CLIENT else CLIENT


def _sides(talk: "Conversation", title: bytes) -> tuple[str, ...]:
    """Return the sides that a system title may be of: one, where it has been heard."""
    known = tuple(side for side in SIDES if title and talk.heard.get(side) == title)
    return known if len(known) == 1 else SIDES


# --- content keys --------------------------------------------------------------------------------


def content_keys(
    talk: "Conversation", head: Mapping[str, Any], info: Mapping[str, Any]
) -> tuple[KeySet, ...]:
    """Return the keys that general-ciphering may be under, by its header and key-info.

    Raises:
        SecurityError: there can be none, and why.
    """
    if talk.keys is None or talk.vault is None:
        raise SecurityError("no keys")
    data = info["key-ciphered-data"]
    if "kek-id" in info:
        if not talk.vault.master_key:
            raise SecurityError("no master key")
        found = [unwrap_key(talk.vault.master_key, data)]
    else:
        parameters = info["key-parameters"]
        scheme = int.from_bytes(parameters) if len(parameters) == 1 else 0
        if scheme not in list(Scheme):
            raise SecurityError("agreed on by a scheme that is not known")
        found = list(_agreed(talk, talk.vault, Scheme(scheme), head, data))
        if not found:
            raise SecurityError("agreed on with keys that are not among those given")
    fitting = [key for key in found if len(key) == len(talk.keys.block_cipher_key)]
    return tuple(talk.keys.under(key) for key in dict.fromkeys(fitting))


def _agreed(
    talk: "Conversation", vault: Vault, scheme: Scheme, head: Mapping[str, Any], data: bytes
) -> Iterator[bytes]:
    """Yield the keys that the header's two parties may have agreed on."""
    originator, transaction = head["originator-system-title"], head["transaction-id"]
    said = head["recipient-system-title"]
    for side in _sides(talk, originator):
        pairs = vault.pairs.get(side), vault.pairs.get(_other(side))
        if pairs[0] is None or pairs[1] is None:
            continue
        theirs, ours = pairs[0].agrees, pairs[1].agreement
        if scheme is Scheme.ONE_PASS:
            try:
                theirs = read_one_pass(pairs[0].signs, data)
            except SecurityError:
                continue
        elif not isinstance(ours, PrivateKey):  # either side's private key gives the same secret
            theirs, ours = pairs[1].agrees, pairs[0].agreement
        if not isinstance(ours, PrivateKey):
            continue
        for recipient in [said] if said else talk.senders(_other(side)):
            yield content_key(scheme, ours, theirs, originator, recipient, transaction)


# --- signatures ----------------------------------------------------------------------------------


def signature(talk: "Conversation", title: bytes, signed: bytes, octets: bytes) -> Judgement:
    """Judge the signature of general-signing.

    Args:
        talk: with the keys.
        title: the originator's.
        signed: what it is over.
        octets: the signature.
    """
    keys = _public(talk, _sides(talk, title))
    for side, key in keys.items():
        if _verifies(key, signed, octets):
            return Judgement(f"right, of the {side}'s key")
    return _false(talk, "the signature is false") if keys else Judgement()


def _public(talk: "Conversation", sides: tuple[str, ...]) -> dict[str, PublicKey]:
    pairs = talk.vault.pairs if talk.vault else {}
    return {side: pairs[side].signs for side in sides if side in pairs}


def _verifies(key: PublicKey, signed: bytes, octets: bytes) -> bool:
    try:
        key.verify(signed, octets)
    except SecurityError:
        return False
    return True


# --- answers to challenges -----------------------------------------------------------------------


def proof(talk: "Conversation", side: str, octets: bytes) -> Judgement:
    """Judge f(StoC) of the client or f(CtoS) of the server; nothing without both challenges."""
    answered, own = talk.challenges.get(_other(side)), talk.challenges.get(side)
    if answered is None or own is None or talk.vault is None or talk.mechanism is None:
        return Judgement()
    name = "f(StoC)" if side == CLIENT else "f(CtoS)"
    titles = talk.senders(side) or [b""]
    others = talk.senders(_other(side)) or [b""]
    checks = (
        _proves(talk, talk.vault, side, octets, (title, other, answered, own))
        for title in titles
        for other in others
    )
    verdicts = [verdict for verdict in checks if verdict is not None]
    if not verdicts:
        return Judgement()
    if any(verdicts):
        return Judgement(f"{name} is right")
    found = _false(talk, f"{name} is false")
    return Judgement(f"{name} {found.meaning}", found.fault)


def _proves(
    talk: "Conversation",
    vault: Vault,
    side: str,
    octets: bytes,
    about: tuple[bytes, bytes, bytes, bytes],
) -> bool | None:
    """Return whether an answer is right; None where the keys for that are missing."""
    title, other, answered, own = about
    secret = vault.secret
    match talk.mechanism:
        case Mechanism.HLS:
            return compare_digest(aes_reply(answered, secret), octets)
        case Mechanism.HLS_MD5:
            return compare_digest(md5_reply(answered, secret), octets)
        case Mechanism.HLS_SHA1:
            return compare_digest(sha1_reply(answered, secret), octets)
        case Mechanism.HLS_SHA256:
            return compare_digest(sha256_reply(secret, title, other, answered, own), octets)
        case Mechanism.HLS_GMAC:
            return None if talk.keys is None else _by_gmac(talk.keys, title, answered, octets)
        case Mechanism.HLS_ECDSA:
            keys = _public(talk, (side,))
            signed = signed_octets(title, other, answered, own)
            return _verifies(keys[side], signed, octets) if keys else None
    return None


def _by_gmac(keys: KeySet, title: bytes, answered: bytes, octets: bytes) -> bool:
    try:
        verify_gmac_reply(keys, title, answered, octets)
    except SecurityError:
        return False
    return True

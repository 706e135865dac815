"""Ciphered and signed APDUs as nodes: what is on the outside, and with keys what is inside.

Service-specific (glo-, ded-) and general (general-glo, general-ded, general-ciphering) ones have
the same content: security control octet, invocation counter, protected octets, authentication tag.
"""

from itertools import product
from typing import Any, Final

from msgspec import Struct

from obis.values import replace
from protocol.apdu.tags import ApduTag
from protocol.errors import SecurityError
from protocol.explain import names
from protocol.explain.conversation import Conversation
from protocol.explain.readers import (
    Reader,
    Table,
    choice,
    fields,
    made,
    moment,
    number,
    octets,
    optional,
    title,
)
from protocol.explain.vault import CLIENT, SERVER, content_keys, signature
from protocol.explain.walker import Walker
from protocol.security import TAG_LENGTH, KeySet, Protection, decode_control, unprotect

_AUTHENTICATED, _ENCRYPTED, _BROADCAST, _COMPRESSED, _SUITE = 0x10, 0x20, 0x40, 0x80, 0x0F
_ENVELOPES: Final = ("GLO_", "DED_")

#: The plain APDU's tag by that of its service-specific ciphered form, global or dedicated.
PLAIN: Final[dict[int, ApduTag]] = {
    tag: ApduTag[tag.name[len(_ENVELOPES[0]) :]]
    for tag in ApduTag
    if tag.name.startswith(_ENVELOPES)
}
_BY_CLIENT: Final = frozenset(
    tag for tag in ApduTag if tag.name.endswith("_REQUEST") or tag in (ApduTag.AARQ, ApduTag.RLRQ)
) - {ApduTag.INFORMATION_REPORT_REQUEST}
_TITLES: Final = (8,)


class Envelope(Struct, frozen=True):
    """What is known of a ciphered APDU before its content.

    Args:
        reader: explains the APDU inside.
        plain: the tag that the APDU inside has to have, None for any.
        dedicated: ciphered under the dedicated key.
        sender: the originator's system title, empty where the envelope has none.
        header: what else is authenticated, by most implementations.
        reachable: whether the keys here can be those; the reason, where they cannot.
        keys: those that it may be under, where these are no global or dedicated ones.
    """

    reader: Reader
    plain: int | None = None
    dedicated: bool = False
    sender: bytes = b""
    header: bytes = b""
    reachable: str = ""
    keys: tuple[KeySet, ...] = ()


def service_specific(walker: Walker, tag: int, reader: Reader) -> None:
    """Explain a glo- or ded- APDU behind its tag."""
    length = walker.length()
    name = names.word(ApduTag(tag).name)
    dedicated = name.startswith("ded")
    with walker.group(name, f"{length} octets"), walker.region(length):
        content(walker, Envelope(reader, PLAIN[tag], dedicated))


def general(walker: Walker, tag: int, reader: Reader) -> None:
    """Explain a general-glo- or general-ded-ciphering APDU behind its tag."""
    with walker.group(names.word(ApduTag(tag).name)):
        sender = title(walker, "system-title")
        length = walker.length()
        with walker.group("ciphered-service", f"{length} octets"), walker.region(length):
            dedicated = tag == ApduTag.GENERAL_DED_CIPHERING
            content(walker, Envelope(reader, None, dedicated, sender))


_KEY_IDS: Final = {0: "global unicast encryption key", 1: "global broadcast encryption key"}
_KEK_IDS: Final = {0: "master key"}
_SCHEMES: Final = {1: "one-pass C(1e, 1s)", 2: "static unified C(0e, 2s)"}


def _named(known: dict[int, str]) -> Reader:
    def read(walker: Walker, name: str) -> int:
        value = walker.number()
        walker.leaf(name, f"{value} {known.get(value, '')}".rstrip(), value)
        return value

    return read


def _scheme(walker: Walker, name: str) -> bytes:
    value = walker.take(walker.length())
    known = _SCHEMES.get(value[0], "") if len(value) == 1 else ""
    walker.leaf(name, known or f"{len(value)} octets", value)
    return value


_KEY_INFO: Final = optional(choice({
    0: ("identified-key", fields((("key-id", _named(_KEY_IDS)),))),
    1: ("wrapped-key", fields((("kek-id", _named(_KEK_IDS)), ("key-ciphered-data", octets)))),
    2: ("agreed-key", fields((("key-parameters", _scheme), ("key-ciphered-data", octets)))),
}))  # fmt: skip # a table
_HEAD: Final[Table] = (
    ("transaction-id", octets),
    ("originator-system-title", title),
    ("recipient-system-title", title),
    ("date-time", moment),
    ("other-information", octets),
)


def general_ciphering(walker: Walker, _tag: int, reader: Reader) -> None:
    """Explain a general-ciphering APDU behind its tag."""
    with walker.group("general-ciphering"):
        start = walker.offset
        head = fields(_HEAD)(walker, "")
        header = walker.octets[start : walker.offset]
        info = _KEY_INFO(walker, "key-info")
        keys, why = _content_keys(walker, head, info or {})
        length = walker.length()
        with walker.group("ciphered-service", f"{length} octets"), walker.region(length):
            sender = head["originator-system-title"]
            content(walker, Envelope(reader, None, False, sender, header, why, keys))


def _content_keys(
    walker: Walker, head: dict[str, Any], info: dict[str, Any]
) -> tuple[tuple[KeySet, ...], str]:
    """Return the keys that were wrapped or agreed on, or why there are none."""
    if "key-ciphered-data" not in info:
        return (), ""
    try:
        return content_keys(walker.talk, head, info), ""
    except SecurityError as error:
        if walker.talk.certain and walker.talk.vault is not None:
            walker.wrong(walker.newest(), str(error))
        return (), str(error)


def general_signing(walker: Walker, _tag: int, reader: Reader) -> None:
    """Explain a general-signing APDU behind its tag."""
    with walker.group("general-signing"):
        start = walker.offset
        head = fields(_HEAD)(walker, "")
        signed = walker.octets[start : walker.offset]
        length = walker.length()
        signed += walker.peek(length)
        with walker.group("content", f"{length} octets"), walker.region(length):
            reader(walker, "content")
        made_with = walker.take(walker.length())
        verdict = signature(walker.talk, head["originator-system-title"], signed, made_with)
        shown = ", ".join(filter(None, (f"{len(made_with)} octets", verdict.meaning)))
        node = walker.leaf("signature", shown, made_with)
        if verdict.fault:
            walker.wrong(node, verdict.fault)


def content(walker: Walker, envelope: Envelope) -> None:
    """Explain security control octet, counter and protected octets to the end of the region."""
    control = walker.number()
    node = walker.leaf("security-control", _control_words(control), control)
    if not control & (_AUTHENTICATED | _ENCRYPTED):
        walker.wrong(node, "neither authenticated nor encrypted")
    counter = number(4)(walker, "invocation-counter")
    tag_length = TAG_LENGTH if control & _AUTHENTICATED else 0
    start, body = walker.offset, walker.left - tag_length
    protected = walker.peek(walker.left)
    verdict = _open(walker.talk, envelope, control, counter, protected)
    if control & _ENCRYPTED:
        octets = walker.take(max(body, 0))
        node = walker.leaf("ciphertext", f"{len(octets)} octets", octets)
        if verdict.plain is not None:
            walker_of = envelope.reader
            made(walker, node, verdict.how, verdict.plain, lambda w: walker_of(w, "apdu"))
        if verdict.note:
            node.meaning += f", {verdict.note}"
        if verdict.fault and not tag_length:
            walker.wrong(node, verdict.fault)
    else:
        with walker.region(max(body, 0)):
            envelope.reader(walker, "apdu")
    if tag_length and walker.offset <= start + max(body, 0):
        octets = walker.take(tag_length)
        node = walker.leaf("authentication-tag", verdict.tag or "not checked", octets)
        if verdict.fault:
            walker.wrong(node, verdict.fault)


class _Verdict(Struct, frozen=True):
    """What the keys make of protected octets.

    Args:
        plain: what they are deciphered, None where they are not.
        how: how they were deciphered.
        tag: what is to be said of the tag.
        note: why they are not deciphered.
        fault: what is wrong with them.
    """

    plain: bytes | None = None
    how: str = ""
    tag: str = ""
    note: str = ""
    fault: str = ""


def _open(
    talk: Conversation, envelope: Envelope, control: int, counter: int, protected: bytes
) -> _Verdict:
    if envelope.reachable:
        return _Verdict(note=f"not deciphered: {envelope.reachable}")
    given = talk.dedicated if envelope.dedicated else talk.keys
    if control & _BROADCAST and not envelope.dedicated:
        given = talk.broadcast
    candidates = envelope.keys or (() if given is None else (given,))
    if not candidates:
        missing = "no dedicated key has been deciphered" if envelope.dedicated else "no keys"
        return _Verdict(note=f"not deciphered: {missing}")
    try:
        read = decode_control(control)
        keys = [replace(one, suite=read.suite, broadcast=read.broadcast) for one in candidates]
    except SecurityError as error:
        return _Verdict(note=f"not deciphered: {error}")
    except ValueError:
        return _Verdict(note="not deciphered: the keys are not of that security suite's length")
    side = CLIENT if envelope.plain in _BY_CLIENT else SERVER
    titles = [envelope.sender] if envelope.sender else talk.senders(side)
    titles = [one for one in titles if len(one) in _TITLES]
    if not titles:
        return _Verdict(note="not deciphered: the sender's system title is not known")
    return _try(keys, titles, counter, read.protection, protected, envelope, certain=talk.certain)


def _try(
    candidates: list[KeySet],
    titles: list[bytes],
    counter: int,
    protection: Protection,
    protected: bytes,
    envelope: Envelope,
    *,
    certain: bool,
) -> _Verdict:
    headers = dict.fromkeys((envelope.header, b""))
    for keys, sender, header in product(candidates, titles, headers):
        try:
            plain = unprotect(keys, sender, counter, protection, protected, header)
        except SecurityError:
            continue
        if protection is Protection.ENCRYPTED and not _fits(plain, envelope):
            continue
        by = f"with system title {sender.hex().upper()}"
        return _Verdict(plain, f"deciphered {by}", f"right, {by}")
    false = "the authentication tag is false: other keys, another system title, or changed octets"
    if protection is Protection.ENCRYPTED:
        false = "deciphers to no APDU: another key or another system title"
    if not certain:
        return _Verdict(note="not deciphered: the keys that were tried are not the right ones")
    if Protection.ENCRYPTED in protection and len(protected) >= TAG_LENGTH:
        for keys, sender in product(candidates, titles):
            body = protected[:-TAG_LENGTH]
            plain = unprotect(keys, sender, counter, Protection.ENCRYPTED, body)
            if _fits(plain, envelope):
                how = "deciphered although the authentication tag is false"
                return _Verdict(plain, how, "false", fault=false)
    return _Verdict(note="not deciphered", tag="false", fault=false)


def _fits(plain: bytes, envelope: Envelope) -> bool:
    """Whether deciphered octets begin as an APDU; without a tag nothing else can tell."""
    if envelope.plain is not None:
        return plain[:1] == bytes((envelope.plain,))
    return bool(plain) and plain[0] in ApduTag.__members__.values()


def _control_words(control: int) -> str:
    words = [
        word
        for bit, word in ((_AUTHENTICATED, "authenticated"), (_ENCRYPTED, "encrypted"))
        if control & bit
    ] or ["unprotected"]
    words.append(f"suite {control & _SUITE}")
    words.append("broadcast key" if control & _BROADCAST else "unicast key")
    if control & _COMPRESSED:
        words.append("compressed")
    return ", ".join(words)


#: Who explains which general envelope.
ENVELOPES: Final = {
    ApduTag.GENERAL_GLO_CIPHERING: general,
    ApduTag.GENERAL_DED_CIPHERING: general,
    ApduTag.GENERAL_CIPHERING: general_ciphering,
    ApduTag.GENERAL_SIGNING: general_signing,
}

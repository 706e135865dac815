"""Any APDU as nodes, by its first octet."""

from typing import Final

from protocol.apdu.tags import ApduTag
from protocol.explain import acse, ciphered, initiate, names, services, short_names
from protocol.explain.readers import Reader, made, number
from protocol.explain.walker import Fault, Walker

_SERVICES: Final[dict[int, Reader]] = {
    **initiate.SERVICES,
    **services.SERVICES,
    **short_names.SERVICES,
}
_ACSE_NAMES: Final = {tag: ApduTag(tag).name for tag in acse.APDUS}
_LAST, _STREAMING, _WINDOW = 0x80, 0x40, 0x3F


def apdu(walker: Walker, _name: str) -> None:
    """Explain one APDU."""
    tag = walker.number()
    if tag in acse.APDUS:
        if tag == ApduTag.AARQ:
            walker.talk.opens()
        length = walker.length()
        with walker.group(_ACSE_NAMES[tag], f"{length} octets"), walker.region(length):
            acse.fields_of(walker, acse.APDUS[tag], apdu)
    elif tag in _SERVICES:
        with walker.group(names.word(ApduTag(tag).name)):
            _SERVICES[tag](walker, "type")
    elif tag in ciphered.PLAIN:
        ciphered.service_specific(walker, tag, apdu)
    elif tag in ciphered.ENVELOPES:
        ciphered.ENVELOPES[ApduTag(tag)](walker, tag, apdu)
    elif tag == ApduTag.GENERAL_BLOCK_TRANSFER:
        _general_block(walker)
    else:
        raise Fault(f"no APDU has the tag {tag}", walker.offset - 1)


def _general_block(walker: Walker) -> None:
    """Explain a block of general block transfer; the last one shows the whole."""
    with walker.group("general-block-transfer"):
        control = walker.number()
        last, streaming = bool(control & _LAST), bool(control & _STREAMING)
        words = f"{'last block' if last else 'more follow'}, {'' if streaming else 'not '}streaming"
        walker.leaf("block-control", f"{words}, window {control & _WINDOW}", control)
        block = number(2)(walker, "block-number")
        number(2)(walker, "block-number-ack")
        octets = walker.take(walker.length())
        node = walker.leaf("block-data", f"{len(octets)} octets", octets)
    walker.talk.general_block(block, octets)
    blocks = walker.talk.general_whole(block) if last else []
    if blocks:
        how = f"put together from {len(blocks)} block{'s' * (len(blocks) > 1)}"
        made(walker, node, how, b"".join(blocks), lambda inner: apdu(inner, "apdu"))

"""HDLC frames and wrapper headers as nodes, several in a row, and the LLC header between."""

from typing import Final

from protocol.explain.apdu import apdu
from protocol.explain.nodes import Node
from protocol.explain.readers import made, number
from protocol.explain.walker import Fault, Walker
from protocol.hdlc.address import MAX_ADDRESS_OCTETS, HdlcAddress, decode_address
from protocol.hdlc.frame import (
    FLAG,
    FORMAT_TYPE,
    FORMAT_TYPE_MASK,
    MAX_LENGTH,
    SEGMENTED,
    Control,
    FrameKind,
    frame_check,
)
from protocol.hdlc.rejection import RejectReason
from protocol.wrapper import VERSION

_FLAG: Final = bytes((FLAG,))
_CHECK_OCTETS: Final = 2
_LSAPS: Final = {0xE6: "a client", 0xE7: "a server"}
_PARAMETERS: Final = {
    0x05: "max-information-transmit",
    0x06: "max-information-receive",
    0x07: "window-transmit",
    0x08: "window-receive",
}
_NUMBERED: Final = (FrameKind.RR, FrameKind.RNR)


def hdlc(walker: Walker, _name: str) -> None:
    """Explain HDLC frames to the end; what is none is passed over to the next flag."""
    while walker.left:
        if walker.peek() != _FLAG:
            _to_next_flag(walker)
            walker.fail("a flag (7E) is due here")
            continue
        _flags(walker)
        while walker.left and walker.peek() != _FLAG:  # one flag may close and open
            with walker.group("HDLC frame") as node:
                _frame(walker, node)


def _flags(walker: Walker) -> None:
    while walker.peek() == _FLAG:
        walker.take()
        walker.leaf("flag")


def _to_next_flag(walker: Walker) -> None:
    found = walker.octets.find(_FLAG, walker.offset, walker.end)
    walker.offset = walker.end if found < 0 else found


def _frame(walker: Walker, node: Node) -> None:
    """Explain what follows a flag, the flag behind it too."""
    begin = walker.offset
    head = int.from_bytes(walker.peek(2), "big")
    length = head & MAX_LENGTH
    end = begin + length
    good = walker.left >= 2 and head & FORMAT_TYPE_MASK == FORMAT_TYPE and length > 2
    if not good or walker.octets[end : end + 1] != _FLAG or end >= walker.end:
        found = walker.octets.find(_FLAG, begin, walker.end)
        end = walker.end if found < 0 else found
    with walker.region(end - begin):
        walker.take(2)
        if not good:
            raise Fault("not frame format type 3")
        segmented = bool(head & SEGMENTED)
        more = ", segmented" if segmented else ""
        walker.leaf("frame-format", f"type 3, {length} octets{more}", head)
        _header(walker, node, begin, segmented=segmented)
        if end - begin != length:
            raise Fault(f"{length} octets are announced, the frame has {end - begin}")
    if walker.left:
        walker.take()
        walker.leaf("flag")
    elif not node.faults():
        walker.wrong(node, "no flag behind the frame")


def _header(walker: Walker, node: Node, begin: int, *, segmented: bool) -> None:
    destination = _address(walker, "destination-address")
    source = _address(walker, "source-address")
    octet = walker.number()
    control = Control.from_int(octet)
    field = walker.leaf("control", _control_words(control), octet)
    if control.kind is FrameKind.UNKNOWN:
        walker.wrong(field, "not a control field of this profile")
    node.meaning = control.kind.name
    if walker.left > _CHECK_OCTETS:
        _check(walker, "HCS", begin)
        size = max(0, walker.left - _CHECK_OCTETS)
        with walker.region(size):
            key = destination.to_bytes() + source.to_bytes()
            _information(walker, control, key, segmented=segmented)
    _check(walker, "FCS", begin)


def _address(walker: Walker, name: str) -> HdlcAddress:
    found = decode_address(walker.peek(MAX_ADDRESS_OCTETS), 0)
    if found is None:
        raise Fault("cut short within an address")
    address, size = found
    walker.take(size)
    more = f", physical {address.lower}" if address.octets > 1 else ""
    walker.leaf(name, f"{address.upper}{more}", address.upper)
    return address


def _control_words(control: Control) -> str:
    words = [f"{control.kind.name} {control.kind.value}"]
    if control.kind is FrameKind.I:
        words.append(f"N(S) {control.send}")
    if control.kind is FrameKind.I or control.kind in _NUMBERED:
        words.append(f"N(R) {control.receive}")
    words.append("poll/final" if control.poll else "no poll/final")
    return ", ".join(words)


def _check(walker: Walker, name: str, begin: int) -> None:
    """Explain a check sequence over all octets from ``begin`` on."""
    expected = int(frame_check(walker.octets[begin : walker.offset])).to_bytes(2, "little")
    octets = walker.take(_CHECK_OCTETS)
    node = walker.leaf(name, "right" if octets == expected else "wrong", octets)
    if octets != expected:
        walker.wrong(node, f"{name} should be {expected.hex(' ').upper()}")


def _information(walker: Walker, control: Control, key: bytes, *, segmented: bool) -> None:
    if control.kind in (FrameKind.I, FrameKind.UI):
        _payload(walker, control, key, segmented=segmented)
    elif control.kind in (FrameKind.SNRM, FrameKind.UA):
        walker.talk.segments.clear()
        _parameters(walker)
    elif control.kind is FrameKind.FRMR:
        _rejection(walker)
    else:
        walker.take(walker.left)
        walker.leaf("information", "octets that this frame has no use for")


def _payload(walker: Walker, control: Control, key: bytes, *, segmented: bool) -> None:
    """Explain what an information frame carries: an APDU, or a segment of one."""
    segments = walker.talk.segments
    if not segmented and key not in segments:
        llc(walker, "")
        return
    octets = walker.take(walker.left)
    kept = segments.setdefault(key, [])
    if control.kind is FrameKind.I and kept and kept[-1] == (control.send, octets):
        walker.leaf("segment", f"{len(octets)} octets, repeated", octets)
        return
    kept.append((control.send, octets))
    node = walker.leaf("segment", f"{len(kept)}, {len(octets)} octets", octets)
    if not segmented:
        del segments[key]
        how = f"put together from {len(kept)} segments"
        whole = b"".join(octets for _, octets in kept)
        made(walker, node, how, whole, lambda inner: llc(inner, ""))


def llc(walker: Walker, _name: str) -> None:
    """Explain an LLC header and the APDU behind it."""
    if walker.peek() != b"\xe6":
        raise Fault("no LLC header (E6 E6 00 or E6 E7 00)")
    with walker.group("LLC header") as node:
        walker.take()
        walker.leaf("destination-LSAP", "E6", 0xE6)
        source = walker.number()
        field = walker.leaf("source-LSAP", f"{source:02X}", source)
        sender = _LSAPS.get(source)
        if sender is None:
            walker.wrong(field, "the source LSAP is E6 of a client or E7 of a server")
        node.meaning = f"from {sender}" if sender else ""
        quality = walker.number()
        walker.leaf("LLC-quality", f"{quality}", quality)
    apdu(walker, "apdu")


def _parameters(walker: Walker) -> None:
    """Explain the parameters of SNRM and UA."""
    for name, due in (("format-identifier", 0x81), ("group-identifier", 0x80)):
        octet = walker.number()
        node = walker.leaf(name, f"{octet:02X}", octet)
        if octet != due:
            walker.wrong(node, f"should be {due:02X}")
    length = number()(walker, "group-length")
    with walker.region(length):
        while walker.left:
            identifier = walker.number()
            value = int.from_bytes(walker.take(walker.number()), "big")
            name = _PARAMETERS.get(identifier, f"parameter {identifier:02X}")
            walker.leaf(name, str(value), value)


def _rejection(walker: Walker) -> None:
    """Explain the information field of a FRMR."""
    octet = walker.number()
    walker.leaf("rejected-control", _control_words(Control.from_int(octet)), octet)
    octet = walker.number()
    walker.leaf("state-variables", f"V(R) {octet >> 5}, V(S) {octet >> 1 & 7}", octet)
    reasons = walker.number()
    words = [
        reason.name.lower().replace("_", " ")
        for reason in RejectReason
        if reasons & reason and reason.name
    ]
    walker.leaf("reasons", ", ".join(words) or "none", reasons)


# --- the wrapper ---------------------------------------------------------------------------------


def wrapper(walker: Walker, _name: str) -> None:
    """Explain wrapper headers and what is behind them to the end."""
    while walker.left:
        with walker.group("wrapper") as node:
            version = number(2)(walker, "version")
            if version != VERSION:
                raise Fault(f"a wrapper of version {version}: nothing more can be found")
            source = number(2)(walker, "source-wPort")
            destination = number(2)(walker, "destination-wPort")
            length = number(2)(walker, "length")
            node.meaning = f"{source} to {destination}"
            with walker.region(length):
                apdu(walker, "apdu")


def is_wrapper(octets: bytes) -> bool:
    """Whether octets begin as a wrapper header does; no APDU begins so."""
    return octets[:2] == VERSION.to_bytes(2, "big")

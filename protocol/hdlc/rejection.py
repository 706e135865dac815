"""The frame reject: when a secondary sends it, and what it says.

A FRMR's information field is three octets: the rejected control field, our V(S) and V(R), and the
reasons. Layout as gurux-dlms and pydlms-client agree on it.
"""

from enum import IntFlag

from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.transfer import Transfer


class RejectReason(IntFlag):
    """Why a frame with a good check sequence cannot be taken."""

    W_CONTROL_FIELD = 0x01
    X_INFORMATION_NOT_ALLOWED = 0x02
    Y_INFORMATION_TOO_LONG = 0x04
    Z_INVALID_RECEIVE_NUMBER = 0x08


_NO_REASON = RejectReason(0)


def reject_reason(frame: Frame, transfer: Transfer) -> RejectReason:
    """Return why ``frame`` has to be rejected in NRM; no flag is set when it is in order."""
    kind = frame.control.kind
    if kind is FrameKind.UNKNOWN:
        return RejectReason.W_CONTROL_FIELD
    if kind is FrameKind.I and len(frame.information) > transfer.agreed.receive:
        return RejectReason.Y_INFORMATION_TOO_LONG
    if kind in (FrameKind.RR, FrameKind.RNR) and frame.information:
        return RejectReason.W_CONTROL_FIELD | RejectReason.X_INFORMATION_NOT_ALLOWED
    if kind in (FrameKind.I, FrameKind.RR, FrameKind.RNR) and not transfer.can_acknowledge(
        frame.control.receive
    ):
        return RejectReason.Z_INVALID_RECEIVE_NUMBER
    return _NO_REASON


def reject_information(rejected: Control, transfer: Transfer, reason: RejectReason) -> bytes:
    """Return the information field of the FRMR that rejects a command."""
    numbers = transfer.receive_number << 5 | transfer.send_number << 1
    return bytes((rejected.to_int(), numbers, reason))

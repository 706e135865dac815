"""Class 70, Disconnect control, versions 0 and 1.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them. Version 1 is that of mode 7,
and otherwise the same: so ``gurux-dlms`` alone, ``pydlms-client`` and ``DlmsSPODES-project`` know
version 0 only.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import BOOLEAN, ENUM


class ControlState(IntEnum):
    """Where the internal state stands; the relay itself may lag behind or be stuck."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


_ATTRIBUTES: Final = (
    Attribute(2, "output_state", BOOLEAN),
    Attribute(3, "control_state", ENUM),
    Attribute(4, "control_mode", ENUM, Access.READ_WRITE),
)
_METHODS: Final = (
    Method(1, "remote_disconnect"),
    Method(2, "remote_reconnect"),
)

DISCONNECT_CONTROL: Final = InterfaceClass(
    class_id=70,
    version=0,
    name="Disconnect control",
    attributes=_ATTRIBUTES,
    methods=_METHODS,
)
DISCONNECT_CONTROL_1: Final = InterfaceClass(
    class_id=70,
    version=1,
    name="Disconnect control",
    attributes=_ATTRIBUTES,
    methods=_METHODS,
)

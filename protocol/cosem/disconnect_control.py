"""Class 70, Disconnect control, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
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


DISCONNECT_CONTROL: Final = InterfaceClass(
    class_id=70,
    version=0,
    name="Disconnect control",
    attributes=(
        Attribute(2, "output_state", BOOLEAN),
        Attribute(3, "control_state", ENUM),
        Attribute(4, "control_mode", ENUM, Access.READ_WRITE),
    ),
    methods=(
        Method(1, "remote_disconnect"),
        Method(2, "remote_reconnect"),
    ),
)

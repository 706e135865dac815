"""Classes 25 and 74, version 0: the M-Bus ports of a meter, as a slave and as a master.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import ENUM, UNSIGNED


class AddressState(IntEnum):
    """Whether a slave has been given an address since it was powered up."""

    NOT_ASSIGNED = 0
    ASSIGNED = 1


_RW: Final = Access.READ_WRITE

MBUS_SLAVE_PORT_SETUP: Final = InterfaceClass(
    class_id=25,
    version=0,
    name="M-Bus slave port setup",
    attributes=(
        Attribute(2, "default_baud", ENUM, _RW),
        Attribute(3, "avail_baud", ENUM, _RW),
        Attribute(4, "addr_state", ENUM),
        Attribute(5, "bus_address", UNSIGNED, _RW),
    ),
)
MBUS_MASTER_PORT_SETUP: Final = InterfaceClass(
    class_id=74,
    version=0,
    name="M-Bus master port setup",
    attributes=(Attribute(2, "comm_speed", ENUM, _RW),),
)

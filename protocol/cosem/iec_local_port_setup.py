"""Class 19, IEC local port setup, versions 0 and 1: a port that speaks IEC 62056-21.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them. They differ in
what ``default_mode`` may be: of version 0 ``gurux-dlms`` alone says that it has the same
attributes, and ``pydlms-client`` knows version 1 only.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import ENUM, OCTET_STRING


class DefaultMode(IntEnum):
    """What a port speaks when a connection begins."""

    IEC_62056_21 = 0  # one of the modes A to E
    HDLC = 1  # IEC 62056-46, at once
    NOT_SPECIFIED = 2  # from version 1 on


class CommunicationSpeed(IntEnum):
    """Baud rates, as this class and others count them."""

    BAUD_300 = 0
    BAUD_600 = 1
    BAUD_1200 = 2
    BAUD_2400 = 3
    BAUD_4800 = 4
    BAUD_9600 = 5
    BAUD_19200 = 6
    BAUD_38400 = 7
    BAUD_57600 = 8
    BAUD_115200 = 9


class ResponseTime(IntEnum):
    """The least time between a request and its answer."""

    MILLISECONDS_20 = 0
    MILLISECONDS_200 = 1


_RW: Final = Access.READ_WRITE
_ATTRIBUTES: Final = (
    Attribute(2, "default_mode", ENUM, _RW),
    Attribute(3, "default_baud", ENUM, _RW),
    Attribute(4, "prop_baud", ENUM, _RW),
    Attribute(5, "response_time", ENUM, _RW),
    Attribute(6, "device_addr", OCTET_STRING, _RW),
    Attribute(7, "pass_p1", OCTET_STRING, Access.WRITE),
    Attribute(8, "pass_p2", OCTET_STRING, Access.WRITE),
    Attribute(9, "pass_w5", OCTET_STRING, Access.WRITE),
)

IEC_LOCAL_PORT_SETUP_0: Final = InterfaceClass(
    class_id=19, version=0, name="IEC local port setup", attributes=_ATTRIBUTES
)
IEC_LOCAL_PORT_SETUP: Final = InterfaceClass(
    class_id=19, version=1, name="IEC local port setup", attributes=_ATTRIBUTES
)

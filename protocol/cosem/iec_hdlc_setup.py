"""Class 23, IEC HDLC setup, versions 0 and 1.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them; the public
``DlmsSPODES-project`` has version 1 so as well. Of version 0, whose information lengths have one
octet, ``gurux-dlms`` speaks alone.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import ENUM, LONG_UNSIGNED, UNSIGNED, Type

_RW: Final = Access.READ_WRITE


def _attributes(length: Type) -> tuple[Attribute, ...]:
    return (
        Attribute(2, "comm_speed", ENUM, _RW),  # iec_local_port_setup.CommunicationSpeed
        Attribute(3, "window_size_transmit", UNSIGNED, _RW),
        Attribute(4, "window_size_receive", UNSIGNED, _RW),
        Attribute(5, "max_info_field_length_transmit", length, _RW),
        Attribute(6, "max_info_field_length_receive", length, _RW),
        Attribute(7, "inter_octet_time_out", LONG_UNSIGNED, _RW),  # ms
        Attribute(8, "inactivity_time_out", LONG_UNSIGNED, _RW),  # s; 0: none
        Attribute(9, "device_address", LONG_UNSIGNED, _RW),  # the lower, physical part
    )


IEC_HDLC_SETUP_0: Final = InterfaceClass(
    class_id=23, version=0, name="IEC HDLC setup", attributes=_attributes(UNSIGNED)
)
IEC_HDLC_SETUP: Final = InterfaceClass(
    class_id=23, version=1, name="IEC HDLC setup", attributes=_attributes(LONG_UNSIGNED)
)

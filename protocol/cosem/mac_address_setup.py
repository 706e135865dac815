"""Class 43, MAC address setup, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import OCTET_STRING

MAC_ADDRESS_SETUP: Final = InterfaceClass(
    class_id=43,
    version=0,
    name="MAC address setup",
    attributes=(Attribute(2, "mac_address", OCTET_STRING, Access.READ_WRITE),),
)

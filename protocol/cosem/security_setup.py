"""Class 64, Security setup, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import ENUM, OCTET_STRING, ArrayOf, structure_of


class SecurityPolicy(IntEnum):
    """What every APDU has to be, of version 0."""

    NOTHING = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2
    AUTHENTICATED_AND_ENCRYPTED = 3


class KeyId(IntEnum):
    """Which key is transferred."""

    GLOBAL_UNICAST_ENCRYPTION = 0
    GLOBAL_BROADCAST_ENCRYPTION = 1
    AUTHENTICATION = 2
    MASTER = 3


#: A key, wrapped with the master key.
KEY_DATA: Final = structure_of(key_id=ENUM, key_wrapped=OCTET_STRING)

SECURITY_SETUP: Final = InterfaceClass(
    class_id=64,
    version=0,
    name="Security setup",
    attributes=(
        Attribute(2, "security_policy", ENUM),  # changed by security_activate alone
        Attribute(3, "security_suite", ENUM),
        Attribute(4, "client_system_title", OCTET_STRING, Access.READ_WRITE),
        Attribute(5, "server_system_title", OCTET_STRING),
    ),
    methods=(
        Method(1, "security_activate", ENUM),
        Method(2, "key_transfer", ArrayOf(KEY_DATA)),
    ),
)

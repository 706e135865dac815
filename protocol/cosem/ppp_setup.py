"""Class 44, PPP setup, version 0.

Names as ``gurux-dlms`` and ``pydlms-client`` agree on them. The types of an option's head and of a
name with a password are the first's alone; what an option carries, and any other authentication,
is left open.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import (
    ANY,
    LOGICAL_NAME,
    NULL,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    structure_of,
)


class LcpOptionType(IntEnum):
    """Options of the link, as ``gurux-dlms`` has them."""

    MAXIMUM_RECEIVE_UNIT = 1
    ASYNC_CONTROL_CHARACTER_MAP = 2
    AUTHENTICATION_PROTOCOL = 3
    MAGIC_NUMBER = 5
    PROTOCOL_FIELD_COMPRESSION = 7
    ADDRESS_AND_CONTROL_COMPRESSION = 8
    FCS_ALTERNATIVES = 9
    CALLBACK = 13


class IpcpOptionType(IntEnum):
    """Options of IP, as ``gurux-dlms`` has them."""

    IP_COMPRESSION_PROTOCOL = 2
    PREFERRED_LOCAL_IP = 3
    PREFERRED_PEER_IP = 20
    GRANT_ACCESS_ONLY = 21
    USE_STATIC_IP = 22


PPP_OPTION: Final = structure_of(option_type=UNSIGNED, option_length=UNSIGNED, option_data=ANY)
#: A name and a password; None without authentication.
PPP_AUTHENTICATION: Final = ChoiceOf(
    (NULL, structure_of(user_name=OCTET_STRING, password=OCTET_STRING), ANY)
)

_RW: Final = Access.READ_WRITE

PPP_SETUP: Final = InterfaceClass(
    class_id=44,
    version=0,
    name="PPP setup",
    attributes=(
        Attribute(2, "PHY_reference", LOGICAL_NAME, _RW),
        Attribute(3, "LCP_options", ArrayOf(PPP_OPTION), _RW),
        Attribute(4, "IPCP_options", ArrayOf(PPP_OPTION), _RW),
        Attribute(5, "PPP_authentication", PPP_AUTHENTICATION, Access.WRITE),
    ),
)

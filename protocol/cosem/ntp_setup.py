"""Class 100, NTP setup, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them, and the public
``DlmsSPODES-project`` has them too; ``gurux-dlms`` deletes a key by an integer, where the other two
have the double-long-unsigned that its key_id is.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    BOOLEAN,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    LONG_UNSIGNED,
    OCTET_STRING,
    ArrayOf,
    structure_of,
)


class NtpAuthenticationMethod(IntEnum):
    """How the server shows that it is the right one."""

    NO_SECURITY = 0
    SHARED_SECRETS = 1
    AUTO_KEY_IFF = 2


AUTHENTICATION_KEY: Final = structure_of(key_id=DOUBLE_LONG_UNSIGNED, key=OCTET_STRING)

_RW: Final = Access.READ_WRITE

NTP_SETUP: Final = InterfaceClass(
    class_id=100,
    version=0,
    name="NTP setup",
    attributes=(
        Attribute(2, "activated", BOOLEAN, _RW),
        Attribute(3, "server_address", OCTET_STRING, _RW),
        Attribute(4, "server_port", LONG_UNSIGNED, _RW),
        Attribute(5, "authentication_method", ENUM, _RW),
        Attribute(6, "authentication_keys", ArrayOf(AUTHENTICATION_KEY), Access.WRITE),
        Attribute(7, "client_key", OCTET_STRING, Access.WRITE),
    ),
    methods=(
        Method(1, "synchronize"),
        Method(2, "add_authentication_key", AUTHENTICATION_KEY),
        Method(3, "delete_authentication_key", DOUBLE_LONG_UNSIGNED),
    ),
)

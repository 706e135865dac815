"""Class 72, M-Bus client, versions 0 and 1: a gas, water or heat meter on our M-Bus.

Names of version 1 as ``gurux-dlms`` and ``pydlms-client`` agree on them, as do jDLMS's tables and
EnergyICT's, which have version 0 as well: it ends at ``alarm``. Of version 2 we have found no two
implementations that agree.

Types as ``pydlms-client`` has them, and ``gurux-dlms`` but for two: it has no type for the last two
attributes, and writes the first part of a capture definition as unsigned. ``slave_install`` takes
the primary address, an unsigned to the former, an integer to the latter: both are read.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    structure_of,
)


class EncryptionKeyStatus(IntEnum):
    """How far the key of an M-Bus device has come."""

    NO_ENCRYPTION_KEY = 0
    ENCRYPTION_KEY_SET = 1
    ENCRYPTION_KEY_TRANSFERRED = 2
    ENCRYPTION_KEY_SET_AND_TRANSFERRED = 3
    ENCRYPTION_KEY_IN_USE = 4


#: A value that is captured, by its M-Bus data and value information blocks.
CAPTURE_DEFINITION: Final = structure_of(
    data_information_block=OCTET_STRING,
    value_information_block=OCTET_STRING,
)
DATA_SEND: Final = structure_of(
    data_information_block=OCTET_STRING,
    value_information_block=OCTET_STRING,
    data=ANY,
)

_RW: Final = Access.READ_WRITE
_ATTRIBUTES: Final = (
    Attribute(2, "mbus_port_reference", LOGICAL_NAME, _RW),
    Attribute(3, "capture_definition", ArrayOf(CAPTURE_DEFINITION), _RW),
    Attribute(4, "capture_period", DOUBLE_LONG_UNSIGNED, _RW),  # s
    Attribute(5, "primary_address", UNSIGNED, _RW),
    Attribute(6, "identification_number", DOUBLE_LONG_UNSIGNED, _RW),
    Attribute(7, "manufacturer_id", LONG_UNSIGNED, _RW),
    Attribute(8, "version", UNSIGNED, _RW),
    Attribute(9, "device_type", UNSIGNED, _RW),
    Attribute(10, "access_number", UNSIGNED),
    Attribute(11, "status", UNSIGNED),
    Attribute(12, "alarm", UNSIGNED),
)
_METHODS: Final = (
    Method(1, "slave_install", ChoiceOf((UNSIGNED, INTEGER))),
    Method(2, "slave_deinstall"),
    Method(3, "capture"),
    Method(4, "reset_alarm"),
    Method(5, "synchronize_clock"),
    Method(6, "data_send", ArrayOf(DATA_SEND)),
    Method(7, "set_encryption_key", OCTET_STRING),
    Method(8, "transfer_key", OCTET_STRING),  # encrypted with the device's default key
)

MBUS_CLIENT_0: Final = InterfaceClass(
    class_id=72, version=0, name="M-Bus client", attributes=_ATTRIBUTES, methods=_METHODS
)
MBUS_CLIENT: Final = InterfaceClass(
    class_id=72,
    version=1,
    name="M-Bus client",
    attributes=(
        *_ATTRIBUTES,
        Attribute(13, "configuration", LONG_UNSIGNED),
        Attribute(14, "encryption_key_status", ENUM),
    ),
    methods=_METHODS,
)

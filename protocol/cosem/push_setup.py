"""Class 40, Push setup, versions 0, 1 and 2.

Names and types as ``gurux-dlms`` has them for each version; ``pydlms-client`` has the names of
version 2, and types that agree but for the push object list, which it reads as of version 0.

| version | adds |
|---|---|
| 0 | attributes 1 to 7, method push |
| 1 | attributes 8 to 10, and a restriction to each object of the list |
| 2 | attributes 11 to 13, method reset, columns to each object, a growing repetition delay |
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    DATE_TIME,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    Type,
    structure_of,
)


class TransportService(IntEnum):
    """By what a push travels; 200 and above are the maker's own."""

    TCP = 0
    UDP = 1
    FTP = 2
    SMTP = 3
    SMS = 4
    HDLC = 5
    M_BUS = 6
    ZIGBEE = 7


class MessageType(IntEnum):
    """How a push is written."""

    A_XDR = 0
    XML = 1


class PushOperationMethod(IntEnum):
    """When a push is tried again."""

    UNCONFIRMED_FAILURE = 0  # the layer below says that it failed
    UNCONFIRMED_MISSING = 1  # the layer below does not confirm it
    CONFIRMED = 2  # the client does not confirm it


class RestrictionType(IntEnum):
    """Which part of a buffer is pushed."""

    NONE = 0
    BY_DATE = 1
    BY_ENTRY = 2


_OBJECT: Final = {
    "class_id": LONG_UNSIGNED,
    "logical_name": LOGICAL_NAME,
    "attribute_index": INTEGER,
    "data_index": LONG_UNSIGNED,
}
_COLUMN: Final = structure_of(**_OBJECT)
_RESTRICTION: Final = structure_of(restriction_type=ENUM, restriction_value=ANY)
#: One object of the push object list, by version.
PUSH_OBJECTS: Final = (
    structure_of(**_OBJECT),
    structure_of(**_OBJECT, restriction=_RESTRICTION),
    structure_of(**_OBJECT, restriction=_RESTRICTION, columns=ArrayOf(_COLUMN)),
)
#: From when to when pushing is allowed; what is wild does not count.
WINDOW: Final = structure_of(start_time=DATE_TIME, end_time=DATE_TIME)
SEND_DESTINATION: Final = structure_of(
    transport_service=ENUM, destination=OCTET_STRING, message_type=ENUM
)
#: Seconds; the delay after the n-th try is min * (exponent / 100) ** (n - 1), at most max.
REPETITION_DELAY: Final = structure_of(min=LONG_UNSIGNED, exponent=LONG_UNSIGNED, max=LONG_UNSIGNED)
CONFIRMATION: Final = structure_of(start_date=DATE_TIME, interval=DOUBLE_LONG_UNSIGNED)


def _first(version: int, repetition_delay: Type) -> tuple[Attribute, ...]:
    return (
        Attribute(2, "push_object_list", ArrayOf(PUSH_OBJECTS[version]), Access.READ_WRITE),
        Attribute(3, "send_destination_and_method", SEND_DESTINATION, Access.READ_WRITE),
        Attribute(4, "communication_window", ArrayOf(WINDOW), Access.READ_WRITE),
        Attribute(5, "randomisation_start_interval", LONG_UNSIGNED, Access.READ_WRITE),
        Attribute(6, "number_of_retries", UNSIGNED, Access.READ_WRITE),
        Attribute(7, "repetition_delay", repetition_delay, Access.READ_WRITE),
    )


_SECOND: Final = (
    Attribute(8, "port_reference", LOGICAL_NAME, Access.READ_WRITE),
    Attribute(9, "push_client_SAP", INTEGER, Access.READ_WRITE),
    Attribute(10, "push_protection_parameters", ArrayOf(ANY), Access.READ_WRITE),
)
_PUSH: Final = Method(1, "push")

PUSH_SETUP_0: Final = InterfaceClass(40, 0, "Push setup", _first(0, LONG_UNSIGNED), (_PUSH,))
PUSH_SETUP_1: Final = InterfaceClass(
    40, 1, "Push setup", (*_first(1, LONG_UNSIGNED), *_SECOND), (_PUSH,)
)
PUSH_SETUP: Final = InterfaceClass(
    class_id=40,
    version=2,
    name="Push setup",
    attributes=(
        *_first(2, REPETITION_DELAY),
        *_SECOND,
        Attribute(11, "push_operation_method", ENUM, Access.READ_WRITE),
        Attribute(12, "confirmation_parameters", CONFIRMATION, Access.READ_WRITE),
        Attribute(13, "last_confirmation_date_time", DATE_TIME),
    ),
    methods=(_PUSH, Method(2, "reset")),
)

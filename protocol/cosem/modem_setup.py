"""Classes 27, Modem configuration, version 1, 28, Auto answer, and 29, Auto connect, version 2.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them but for the members of
structures, which the second leaves open: those of the initialization string are as the first and
the public ``DlmsSPODES-project`` have them, those of auto answer as the first has them alone (its
Python and its .NET: one house).
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    DATE_TIME,
    ENUM,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    structure_of,
)


class AutoAnswerStatus(IntEnum):
    """Whether calls are answered now."""

    INACTIVE = 0
    ACTIVE = 1
    LOCKED = 2


class CallType(IntEnum):
    """What an allowed caller's call does."""

    NORMAL = 0
    WAKE_UP = 1


class AutoConnectMode(IntEnum):
    """When a connection is made; 200 to 255 are the maker's."""

    NO_AUTO_CONNECT = 0
    ANYTIME = 1
    IN_CALLING_WINDOW = 2
    REGULARLY_IN_CALLING_WINDOW = 3
    SMS_SENDING_PLMN = 4
    SMS_SENDING_PSTN = 5
    EMAIL_SENDING = 6
    PERMANENTLY_CONNECTED = 101
    CONNECTED_IN_CALLING_WINDOW = 102
    CONNECTED_ON_INVOCATION = 103
    DISCONNECTED_UNTIL_INVOCATION = 104


#: A command to the modem, what it is to answer, and how long to wait then, in ms.
INITIALIZATION_STRING: Final = structure_of(
    request=OCTET_STRING,
    response=OCTET_STRING,
    delay_after_response=LONG_UNSIGNED,
)
#: From when to when; wildcards make it come again.
WINDOW: Final = structure_of(start_time=DATE_TIME, end_time=DATE_TIME)
NUMBER_OF_RINGS: Final = structure_of(in_window=UNSIGNED, out_of_window=UNSIGNED)
ALLOWED_CALLER: Final = structure_of(caller_id=OCTET_STRING, call_type=ENUM)

_RW: Final = Access.READ_WRITE

MODEM_CONFIGURATION: Final = InterfaceClass(
    class_id=27,
    version=1,
    name="Modem configuration",
    attributes=(
        Attribute(2, "comm_speed", ENUM, _RW),  # iec_local_port_setup.CommunicationSpeed
        Attribute(3, "initialization_string", ArrayOf(INITIALIZATION_STRING), _RW),
        Attribute(4, "modem_profile", ArrayOf(OCTET_STRING), _RW),
    ),
)
AUTO_ANSWER: Final = InterfaceClass(
    class_id=28,
    version=2,
    name="Auto answer",
    attributes=(
        Attribute(2, "mode", ENUM, _RW),
        Attribute(3, "listening_window", ArrayOf(WINDOW), _RW),
        Attribute(4, "status", ENUM),
        Attribute(5, "number_of_calls", UNSIGNED, _RW),
        Attribute(6, "number_of_rings", NUMBER_OF_RINGS, _RW),
        Attribute(7, "list_of_allowed_callers", ArrayOf(ALLOWED_CALLER), _RW),
    ),
)
AUTO_CONNECT: Final = InterfaceClass(
    class_id=29,
    version=2,
    name="Auto connect",
    attributes=(
        Attribute(2, "mode", ENUM, _RW),
        Attribute(3, "repetitions", UNSIGNED, _RW),
        Attribute(4, "repetition_delay", LONG_UNSIGNED, _RW),  # s
        Attribute(5, "calling_window", ArrayOf(WINDOW), _RW),
        Attribute(6, "destination_list", ArrayOf(OCTET_STRING), _RW),
    ),
    methods=(Method(1, "connect"),),
)

"""Classes 45, GPRS modem setup, version 0, and 47, GSM diagnostic, versions 0 and 1.

Names as ``gurux-dlms`` and ``pydlms-client`` agree on them. The members of the structures, which
the second leaves open, are as the first and the public ``DlmsSPODES-project`` have them. The cell
information of version 2 of class 47 we have from nobody.
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Tag
from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import (
    DATE_TIME,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    VISIBLE_STRING,
    ArrayOf,
    ChoiceOf,
    Simple,
    StructureOf,
    Type,
    structure_of,
)


class GsmStatus(IntEnum):
    """Where a modem stands in its network."""

    NOT_REGISTERED = 0
    REGISTERED_HOME_NETWORK = 1
    SEARCHING = 2
    REGISTRATION_DENIED = 3
    UNKNOWN = 4
    REGISTERED_ROAMING = 5


class CircuitSwitchedAttachment(IntEnum):
    """What goes on in the circuit switched domain."""

    INACTIVE = 0
    INCOMING_CALL = 1
    ACTIVE = 2


class PacketSwitchedStatus(IntEnum):
    """What goes on in the packet switched domain; LTE and CDMA from version 1 on."""

    INACTIVE = 0
    GPRS = 1
    EDGE = 2
    UMTS = 3
    HSDPA = 4
    LTE = 5
    CDMA = 6


QOS_ELEMENT: Final = structure_of(
    precedence=UNSIGNED,
    delay=UNSIGNED,
    reliability=UNSIGNED,
    peak_throughput=UNSIGNED,
    mean_throughput=UNSIGNED,
)
#: Where the modem is; signal quality and bit error rate as AT+CSQ counts them, 99 unknown.
CELL_INFO_0: Final = structure_of(
    cell_id=LONG_UNSIGNED,
    location_id=LONG_UNSIGNED,
    signal_quality=UNSIGNED,
    ber=UNSIGNED,
)
CELL_INFO: Final = structure_of(
    cell_id=DOUBLE_LONG_UNSIGNED,
    location_id=LONG_UNSIGNED,
    signal_quality=UNSIGNED,
    ber=UNSIGNED,
    mcc=LONG_UNSIGNED,
    mnc=LONG_UNSIGNED,
    channel_number=DOUBLE_LONG_UNSIGNED,
)

GPRS_MODEM_SETUP: Final = InterfaceClass(
    class_id=45,
    version=0,
    name="GPRS modem setup",
    attributes=(
        Attribute(2, "APN", OCTET_STRING, Access.READ_WRITE),
        Attribute(3, "PIN_code", LONG_UNSIGNED, Access.WRITE),
        Attribute(
            4,
            "quality_of_service",
            structure_of(default=QOS_ELEMENT, requested=QOS_ELEMENT),
            Access.READ_WRITE,
        ),
    ),
)


def _diagnostic(version: int, cell_info: StructureOf, cell_id: Type) -> InterfaceClass:
    adjacent = structure_of(cell_id=cell_id, signal_quality=UNSIGNED)
    return InterfaceClass(
        class_id=47,
        version=version,
        name="GSM diagnostic",
        attributes=(
            Attribute(2, "operator", VISIBLE_STRING),
            Attribute(3, "status", ENUM),
            Attribute(4, "cs_attachment", ENUM),
            Attribute(5, "ps_status", ENUM),
            Attribute(6, "cell_info", cell_info),
            Attribute(7, "adjacent_cells", ArrayOf(adjacent)),
            # date-time to gurux-dlms and DlmsSPODES, though moments are octet-strings elsewhere
            Attribute(8, "capture_time", ChoiceOf((Simple(Tag.DATE_TIME), DATE_TIME))),
        ),
    )


GSM_DIAGNOSTIC_0: Final = _diagnostic(0, CELL_INFO_0, LONG_UNSIGNED)
GSM_DIAGNOSTIC: Final = _diagnostic(1, CELL_INFO, DOUBLE_LONG_UNSIGNED)

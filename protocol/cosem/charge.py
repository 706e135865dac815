"""Class 113, Charge, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them (types: the former alone).
Of ``last_collection_time`` the former says date-time where it has octet-string for every other
moment: both are read, octet-string is written. Neither says what ``update_unit_charge`` takes.
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Tag
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    DATE_TIME,
    DOUBLE_LONG,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    Simple,
    bits,
    structure_of,
)


class ChargeType(IntEnum):
    """What a charge is levied on."""

    CONSUMPTION = 0
    TIME = 1
    PAYMENT_EVENT = 2


class ChargeConfigurationBit(IntEnum):
    """The bits of ``charge_configuration``; bit 0 is the first, 0x80 on the wire."""

    PERCENTAGE_BASED = 0
    CONTINUOUS = 1


#: The price of one tariff, by its index.
CHARGE_TABLE_ELEMENT: Final = structure_of(index=OCTET_STRING, charge_per_unit=LONG)
#: A price list: charge_per_unit * 10^price_scale for 10^commodity_scale of the commodity.
UNIT_CHARGE: Final = structure_of(
    charge_per_unit_scaling=structure_of(commodity_scale=INTEGER, price_scale=INTEGER),
    commodity_reference=structure_of(
        class_id=LONG_UNSIGNED,
        logical_name=LOGICAL_NAME,
        attribute_index=INTEGER,
    ),
    charge_table=ArrayOf(CHARGE_TABLE_ELEMENT),
)

_RW: Final = Access.READ_WRITE
_MOMENT: Final = ChoiceOf((DATE_TIME, Simple(Tag.DATE_TIME)))

CHARGE: Final = InterfaceClass(
    class_id=113,
    version=0,
    name="Charge",
    attributes=(
        Attribute(2, "total_amount_paid", DOUBLE_LONG),
        Attribute(3, "charge_type", ENUM, _RW),
        Attribute(4, "priority", UNSIGNED, _RW),
        Attribute(5, "unit_charge_active", UNIT_CHARGE),
        Attribute(6, "unit_charge_passive", UNIT_CHARGE, _RW),
        Attribute(7, "unit_charge_activation_time", DATE_TIME, _RW),
        Attribute(8, "period", DOUBLE_LONG_UNSIGNED, _RW),  # s
        Attribute(9, "charge_configuration", bits(2), _RW),
        Attribute(10, "last_collection_time", _MOMENT),
        Attribute(11, "last_collection_amount", DOUBLE_LONG),
        Attribute(12, "total_amount_remaining", DOUBLE_LONG),
        Attribute(13, "proportion", LONG_UNSIGNED, _RW),  # 1/10000
    ),
    methods=(
        Method(1, "update_unit_charge", ANY),
        Method(2, "activate_passive_unit_charge"),
        Method(3, "collect"),
        Method(4, "update_total_amount_remaining", DOUBLE_LONG),
        Method(5, "set_total_amount_remaining", DOUBLE_LONG),
    ),
)

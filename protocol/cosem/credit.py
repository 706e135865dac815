"""Class 112, Credit, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them (types: the former alone).
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    DATE_TIME,
    DOUBLE_LONG,
    ENUM,
    INTEGER,
    UNSIGNED,
    ChoiceOf,
    bits,
)


class CreditType(IntEnum):
    """Where a credit's money comes from."""

    TOKEN = 0
    RESERVED = 1
    EMERGENCY = 2
    TIME_BASED = 3
    CONSUMPTION_BASED = 4


class CreditConfigurationBit(IntEnum):
    """The bits of ``credit_configuration``; bit 0 is the first, 0x80 on the wire."""

    VISUAL_INDICATION = 0
    NEEDS_CONFIRMATION = 1
    MUST_BE_PAID_BACK = 2
    RESETTABLE = 3
    MAY_RECEIVE_TOKENS = 4


class CreditStatus(IntEnum):
    """The state of a credit."""

    ENABLED = 0
    SELECTABLE = 1
    SELECTED = 2
    IN_USE = 3
    EXHAUSTED = 4


_RW: Final = Access.READ_WRITE

CREDIT: Final = InterfaceClass(
    class_id=112,
    version=0,
    name="Credit",
    attributes=(
        Attribute(2, "current_credit_amount", DOUBLE_LONG),
        Attribute(3, "credit_type", ENUM, _RW),
        Attribute(4, "priority", UNSIGNED, _RW),  # 1 is the highest
        Attribute(5, "warning_threshold", DOUBLE_LONG, _RW),
        Attribute(6, "limit", DOUBLE_LONG, _RW),
        Attribute(7, "credit_configuration", bits(5), _RW),
        Attribute(8, "credit_status", ENUM),
        Attribute(9, "preset_credit_amount", DOUBLE_LONG, _RW),
        Attribute(10, "credit_available_threshold", DOUBLE_LONG, _RW),
        Attribute(11, "period", DATE_TIME, _RW),
    ),
    methods=(
        Method(1, "update_amount", DOUBLE_LONG),  # signed, onto the amount
        Method(2, "set_amount_to_value", DOUBLE_LONG),
        Method(3, "invoke_credit", ChoiceOf((INTEGER, UNSIGNED))),  # 0; gurux sends unsigned
    ),
)

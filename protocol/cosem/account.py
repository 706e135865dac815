"""Class 111, Account, version 0.

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
    LOGICAL_NAME,
    LONG_UNSIGNED,
    UNSIGNED,
    UTF8_STRING,
    ArrayOf,
    bits,
    structure_of,
)

#: What ``next_credit_available_threshold`` is when there is no next credit.
NO_THRESHOLD: Final = -(1 << 31)


class PaymentMode(IntEnum):
    """How is paid."""

    CREDIT = 1
    PREPAYMENT = 2


class AccountStatus(IntEnum):
    """Where the account stands in its life."""

    NEW = 1
    ACTIVE = 2
    CLOSED = 3


class CreditStatusBit(IntEnum):
    """The bits of ``current_credit_status``; bit 0 is the first, 0x80 on the wire."""

    IN_CREDIT = 0
    LOW_CREDIT = 1
    NEXT_CREDIT_ENABLED = 2
    NEXT_CREDIT_SELECTABLE = 3
    NEXT_CREDIT_SELECTED = 4
    SELECTABLE_CREDIT_IN_USE = 5
    OUT_OF_CREDIT = 6


class CurrencyUnit(IntEnum):
    """What the amounts of an account count."""

    TIME = 0
    CONSUMPTION = 1
    MONETARY = 2


#: Which charge is taken from which credit, and when: bit 0 while disconnected, 1 while the load
#: is limited, 2 in friendly credit periods.
CREDIT_CHARGE_CONFIGURATION: Final = structure_of(
    credit_reference=LOGICAL_NAME,
    charge_reference=LOGICAL_NAME,
    collection_configuration=bits(3),
)
#: How much of a token, in percent, goes to which credit.
TOKEN_GATEWAY_CONFIGURATION: Final = structure_of(
    credit_reference=LOGICAL_NAME,
    token_proportion=UNSIGNED,
)
#: What the amounts are in: amount * 10^scale of it.
CURRENCY: Final = structure_of(name=UTF8_STRING, scale=INTEGER, unit=ENUM)

#: How is paid, and where the account stands.
MODE_AND_STATUS: Final = structure_of(mode=ENUM, status=ENUM)

_RW: Final = Access.READ_WRITE

ACCOUNT: Final = InterfaceClass(
    class_id=111,
    version=0,
    name="Account",
    attributes=(
        Attribute(2, "account_mode_and_status", MODE_AND_STATUS, _RW),
        Attribute(3, "current_credit_in_use", UNSIGNED),
        Attribute(4, "current_credit_status", bits(8)),
        Attribute(5, "available_credit", DOUBLE_LONG),
        Attribute(6, "amount_to_clear", DOUBLE_LONG),
        Attribute(7, "clearance_threshold", DOUBLE_LONG, _RW),
        Attribute(8, "aggregated_debt", DOUBLE_LONG),
        Attribute(9, "credit_reference_list", ArrayOf(LOGICAL_NAME), _RW),
        Attribute(10, "charge_reference_list", ArrayOf(LOGICAL_NAME), _RW),
        Attribute(11, "credit_charge_configuration", ArrayOf(CREDIT_CHARGE_CONFIGURATION), _RW),
        Attribute(12, "token_gateway_configuration", ArrayOf(TOKEN_GATEWAY_CONFIGURATION), _RW),
        Attribute(13, "account_activation_time", DATE_TIME, _RW),
        Attribute(14, "account_closure_time", DATE_TIME, _RW),
        Attribute(15, "currency", CURRENCY, _RW),
        Attribute(16, "low_credit_threshold", DOUBLE_LONG, _RW),
        Attribute(17, "next_credit_available_threshold", DOUBLE_LONG),
        Attribute(18, "max_provision", LONG_UNSIGNED, _RW),
        Attribute(19, "max_provision_period", DOUBLE_LONG, _RW),  # s
    ),
    methods=(
        Method(1, "activate_account"),
        Method(2, "close_account"),
        Method(3, "reset_account"),
    ),
)

"""Class 124, Communication port protection, version 0.

Names and types as ``gurux-dlms`` and the public ``DlmsSPODES`` agree on them (its later editions
have the class); the names are in EnergyICT's attribute tables as well. ``pydlms-client`` does not
know the class.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    UNSIGNED,
)


class ProtectionMode(IntEnum):
    """Whether a port is locked at all."""

    LOCKED = 0
    LOCKED_ON_FAILED_ATTEMPTS = 1
    UNLOCKED = 2


class ProtectionStatus(IntEnum):
    """Whether it is locked now."""

    UNLOCKED = 0
    TEMPORARILY_LOCKED = 1
    LOCKED = 2


_RW: Final = Access.READ_WRITE

COMMUNICATION_PORT_PROTECTION: Final = InterfaceClass(
    class_id=124,
    version=0,
    name="Communication port protection",
    attributes=(
        Attribute(2, "protection_mode", ENUM, _RW),
        Attribute(3, "allowed_failed_attempts", LONG_UNSIGNED, _RW),
        Attribute(4, "initial_lockout_time", DOUBLE_LONG_UNSIGNED, _RW),  # s
        Attribute(5, "steepness_factor", UNSIGNED, _RW),  # the next lock-out is so much longer
        Attribute(6, "max_lockout_time", DOUBLE_LONG_UNSIGNED, _RW),  # s
        Attribute(7, "port_reference", LOGICAL_NAME, _RW),
        Attribute(8, "protection_status", ENUM),
        Attribute(9, "failed_attempts", DOUBLE_LONG_UNSIGNED),
        Attribute(10, "cumulative_failed_attempts", DOUBLE_LONG_UNSIGNED),
    ),
    methods=(Method(1, "reset"),),
)

"""Class 71, Limiter, version 0: what happens when a value stays above a threshold.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them, and the public
``DlmsSPODES-project`` has them too. Other public tables that we met name thresholds for active,
reactive and apparent power: those are inventions.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.register_monitor import VALUE_DEFINITION
from protocol.cosem.script_table import SCRIPT_REFERENCE
from protocol.cosem.types import (
    ANY,
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG_UNSIGNED,
    LONG_UNSIGNED,
    ArrayOf,
    structure_of,
)

#: When the emergency threshold applies, to the meters that have its id in their list.
EMERGENCY_PROFILE: Final = structure_of(
    emergency_profile_id=LONG_UNSIGNED,
    emergency_activation_time=DATE_TIME,
    emergency_duration=DOUBLE_LONG_UNSIGNED,  # s
)
LIMITER_ACTION: Final = structure_of(
    action_over_threshold=SCRIPT_REFERENCE,
    action_under_threshold=SCRIPT_REFERENCE,
)

_RW: Final = Access.READ_WRITE

LIMITER: Final = InterfaceClass(
    class_id=71,
    version=0,
    name="Limiter",
    attributes=(
        Attribute(2, "monitored_value", VALUE_DEFINITION, _RW),
        # the three of the type of the value that is watched
        Attribute(3, "threshold_active", ANY),
        Attribute(4, "threshold_normal", ANY, _RW),
        Attribute(5, "threshold_emergency", ANY, _RW),
        Attribute(6, "min_over_threshold_duration", DOUBLE_LONG_UNSIGNED, _RW),  # s
        Attribute(7, "min_under_threshold_duration", DOUBLE_LONG_UNSIGNED, _RW),  # s
        Attribute(8, "emergency_profile", EMERGENCY_PROFILE, _RW),
        Attribute(9, "emergency_profile_group_id_list", ArrayOf(LONG_UNSIGNED), _RW),
        Attribute(10, "emergency_profile_active", BOOLEAN),
        Attribute(11, "actions", LIMITER_ACTION, _RW),
    ),
)

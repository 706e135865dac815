"""Class 8, Clock. Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.

Mind the sign of ``time_zone``: minutes to add to local standard time to get UTC, so Brussels has
-60 (``protocol.cosem_time`` has the same of the deviation).
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import BOOLEAN, DATE_TIME, ENUM, INTEGER, LONG, UNSIGNED, structure_of


class ClockBase(IntEnum):
    """What drives a clock."""

    NOT_DEFINED = 0
    INTERNAL_CRYSTAL = 1
    MAINS_FREQUENCY_50_HZ = 2
    MAINS_FREQUENCY_60_HZ = 3
    GPS = 4
    RADIO_CONTROLLED = 5


#: A time to be taken over later, and within which interval that may happen.
PRESET_TIME: Final = structure_of(
    preset_time=DATE_TIME,
    validity_interval_start=DATE_TIME,
    validity_interval_end=DATE_TIME,
)

CLOCK: Final = InterfaceClass(
    class_id=8,
    version=0,
    name="Clock",
    attributes=(
        Attribute(2, "time", DATE_TIME, Access.READ_WRITE),
        Attribute(3, "time_zone", LONG, Access.READ_WRITE),
        Attribute(4, "status", UNSIGNED),
        Attribute(5, "daylight_savings_begin", DATE_TIME, Access.READ_WRITE),
        Attribute(6, "daylight_savings_end", DATE_TIME, Access.READ_WRITE),
        Attribute(7, "daylight_savings_deviation", INTEGER, Access.READ_WRITE),
        Attribute(8, "daylight_savings_enabled", BOOLEAN, Access.READ_WRITE),
        Attribute(9, "clock_base", ENUM),
    ),
    methods=(
        Method(1, "adjust_to_quarter"),
        Method(2, "adjust_to_measuring_period"),
        Method(3, "adjust_to_minute"),
        Method(4, "adjust_to_preset_time"),
        Method(5, "preset_adjusting_time", PRESET_TIME),
        Method(6, "shift_time", LONG),  # s, -900..900
    ),
)

"""Class 20, Activity calendar, version 0: which tariff is in force when.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    DATE_TIME,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    TIME,
    UNSIGNED,
    ArrayOf,
    structure_of,
)

SEASON: Final = structure_of(
    season_profile_name=OCTET_STRING,
    season_start=DATE_TIME,
    week_name=OCTET_STRING,
)
#: A week: the day_id of each of its days.
WEEK_PROFILE: Final = structure_of(
    week_profile_name=OCTET_STRING,
    monday=UNSIGNED,
    tuesday=UNSIGNED,
    wednesday=UNSIGNED,
    thursday=UNSIGNED,
    friday=UNSIGNED,
    saturday=UNSIGNED,
    sunday=UNSIGNED,
)
DAY_PROFILE_ACTION: Final = structure_of(
    start_time=TIME,
    script_logical_name=LOGICAL_NAME,
    script_selector=LONG_UNSIGNED,
)
#: A kind of day: the scripts that run in its course.
DAY_PROFILE: Final = structure_of(day_id=UNSIGNED, day_schedule=ArrayOf(DAY_PROFILE_ACTION))

_RW: Final = Access.READ_WRITE

ACTIVITY_CALENDAR: Final = InterfaceClass(
    class_id=20,
    version=0,
    name="Activity calendar",
    attributes=(
        Attribute(2, "calendar_name_active", OCTET_STRING),
        Attribute(3, "season_profile_active", ArrayOf(SEASON)),
        Attribute(4, "week_profile_table_active", ArrayOf(WEEK_PROFILE)),
        Attribute(5, "day_profile_table_active", ArrayOf(DAY_PROFILE)),
        Attribute(6, "calendar_name_passive", OCTET_STRING, _RW),
        Attribute(7, "season_profile_passive", ArrayOf(SEASON), _RW),
        Attribute(8, "week_profile_table_passive", ArrayOf(WEEK_PROFILE), _RW),
        Attribute(9, "day_profile_table_passive", ArrayOf(DAY_PROFILE), _RW),
        Attribute(10, "activate_passive_calendar_time", DATE_TIME, _RW),
    ),
    methods=(Method(1, "activate_passive_calendar"),),
)

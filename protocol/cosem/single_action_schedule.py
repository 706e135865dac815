"""Class 22, Single action schedule, version 0.

Names and types as ``pydlms-client`` and the public ``DlmsSPODES-project`` agree on them;
``gurux-dlms`` too, but that it says array of the structure ``executed_script``, which it writes and
reads as a structure.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.script_table import SCRIPT_REFERENCE
from protocol.cosem.types import DATE, ENUM, TIME, ArrayOf, structure_of


class ScheduleType(IntEnum):
    """How many execution times there are, and whether their dates may have wildcards.

    The meanings are those of ``gurux-dlms``; the other two name the numbers only.
    """

    ONE_TIME_WILDCARD_DATE = 1
    SAME_TIMES_FIXED_DATES = 2
    SAME_TIMES_WILDCARD_DATES = 3
    ANY_TIMES_FIXED_DATES = 4
    ANY_TIMES_WILDCARD_DATES = 5


EXECUTION_TIME: Final = structure_of(time=TIME, date=DATE)

SINGLE_ACTION_SCHEDULE: Final = InterfaceClass(
    class_id=22,
    version=0,
    name="Single action schedule",
    attributes=(
        Attribute(2, "executed_script", SCRIPT_REFERENCE, Access.READ_WRITE),
        Attribute(3, "type", ENUM, Access.READ_WRITE),
        Attribute(4, "execution_time", ArrayOf(EXECUTION_TIME), Access.READ_WRITE),
    ),
)

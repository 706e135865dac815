"""Class 11, Special days table, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import DATE, LONG_UNSIGNED, UNSIGNED, ArrayOf, structure_of

#: A day that is not like its weekday; a date with wildcards comes back every year.
SPEC_DAY_ENTRY: Final = structure_of(index=LONG_UNSIGNED, specialday_date=DATE, day_id=UNSIGNED)

SPECIAL_DAYS_TABLE: Final = InterfaceClass(
    class_id=11,
    version=0,
    name="Special days table",
    attributes=(Attribute(2, "entries", ArrayOf(SPEC_DAY_ENTRY), Access.READ_WRITE),),
    methods=(
        Method(1, "insert", SPEC_DAY_ENTRY),
        Method(2, "delete", LONG_UNSIGNED),  # by index
    ),
)

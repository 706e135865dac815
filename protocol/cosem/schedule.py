"""Class 10, Schedule, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them but for the parameters
of ``enable_disable`` and ``delete``, which the second leaves open: the first and the public
``DlmsSPODES-project`` agree on these.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    BIT_STRING,
    BOOLEAN,
    DATE,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    TIME,
    ArrayOf,
    structure_of,
)

#: A script, when it runs, and on which days; a validity window of 0xFFFF is always open.
SCHEDULE_TABLE_ENTRY: Final = structure_of(
    index=LONG_UNSIGNED,
    enable=BOOLEAN,
    script_logical_name=LOGICAL_NAME,
    script_selector=LONG_UNSIGNED,
    switch_time=TIME,
    validity_window=LONG_UNSIGNED,  # minutes
    exec_weekdays=BIT_STRING,  # 7, bit 0 is Monday; who writes whole octets adds an eighth, 0
    exec_specdays=BIT_STRING,  # a bit for each day_id of the special days table
    begin_date=DATE,
    end_date=DATE,
)
#: Disables the entries of range A, then enables those of range B, both by their indices.
ENABLE_DISABLE: Final = structure_of(
    first_index_a=LONG_UNSIGNED,
    last_index_a=LONG_UNSIGNED,
    first_index_b=LONG_UNSIGNED,
    last_index_b=LONG_UNSIGNED,
)
INDEX_RANGE: Final = structure_of(first_index=LONG_UNSIGNED, last_index=LONG_UNSIGNED)

SCHEDULE: Final = InterfaceClass(
    class_id=10,
    version=0,
    name="Schedule",
    attributes=(Attribute(2, "entries", ArrayOf(SCHEDULE_TABLE_ENTRY), Access.READ_WRITE),),
    methods=(
        Method(1, "enable_disable", ENABLE_DISABLE),
        Method(2, "insert", SCHEDULE_TABLE_ENTRY),
        Method(3, "delete", INDEX_RANGE),
    ),
)

"""Class 7, Profile generic, version 1.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them. The methods 3 and 4 of older
versions are gone: they are reserved.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    DOUBLE_LONG_UNSIGNED,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    ArrayOf,
    structure_of,
)


class SortMethod(IntEnum):
    """In which order the entries stand."""

    FIFO = 1
    LIFO = 2
    LARGEST = 3
    SMALLEST = 4
    NEAREST_TO_ZERO = 5
    FARTHEST_FROM_ZERO = 6


#: A column: the attribute that is captured; data index 0 is all of it, from 1 a part of it.
CAPTURE_OBJECT: Final = structure_of(
    class_id=LONG_UNSIGNED,
    logical_name=LOGICAL_NAME,
    attribute_index=INTEGER,
    data_index=LONG_UNSIGNED,
)

#: Parameters of access selector 1, by range of the values of one column.
RANGE_DESCRIPTOR: Final = structure_of(
    restricting_object=CAPTURE_OBJECT,
    from_value=ANY,
    to_value=ANY,
    selected_values=ArrayOf(CAPTURE_OBJECT),  # empty: all columns
)

#: Parameters of access selector 2, by entry and column, both counted from 1.
ENTRY_DESCRIPTOR: Final = structure_of(
    from_entry=DOUBLE_LONG_UNSIGNED,
    to_entry=DOUBLE_LONG_UNSIGNED,  # 0: the last
    from_selected_value=LONG_UNSIGNED,
    to_selected_value=LONG_UNSIGNED,  # 0: the last
)

PROFILE_GENERIC: Final = InterfaceClass(
    class_id=7,
    version=1,
    name="Profile generic",
    attributes=(
        Attribute(2, "buffer", ArrayOf(ANY)),
        Attribute(3, "capture_objects", ArrayOf(CAPTURE_OBJECT), Access.READ_WRITE),
        Attribute(4, "capture_period", DOUBLE_LONG_UNSIGNED, Access.READ_WRITE),  # s
        Attribute(5, "sort_method", ENUM, Access.READ_WRITE),
        Attribute(6, "sort_object", CAPTURE_OBJECT, Access.READ_WRITE),
        Attribute(7, "entries_in_use", DOUBLE_LONG_UNSIGNED),
        Attribute(8, "profile_entries", DOUBLE_LONG_UNSIGNED, Access.READ_WRITE),
    ),
    methods=(
        Method(1, "reset"),
        Method(2, "capture"),
    ),
)

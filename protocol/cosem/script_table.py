"""Class 9, Script table, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from enum import IntEnum
from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    ANY,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    ArrayOf,
    structure_of,
)


class ServiceId(IntEnum):
    """What an action does to its object."""

    WRITE_ATTRIBUTE = 1
    EXECUTE_METHOD = 2


#: One step of a script: the index of an attribute to write or of a method to execute.
ACTION_SPECIFICATION: Final = structure_of(
    service_id=ENUM,
    class_id=LONG_UNSIGNED,
    logical_name=LOGICAL_NAME,
    index=INTEGER,
    parameter=ANY,
)
SCRIPT: Final = structure_of(
    script_identifier=LONG_UNSIGNED,
    actions=ArrayOf(ACTION_SPECIFICATION),
)
#: Which script of which table; other classes call it an action item.
SCRIPT_REFERENCE: Final = structure_of(
    script_logical_name=LOGICAL_NAME,
    script_selector=LONG_UNSIGNED,
)

SCRIPT_TABLE: Final = InterfaceClass(
    class_id=9,
    version=0,
    name="Script table",
    attributes=(Attribute(2, "scripts", ArrayOf(SCRIPT), Access.READ_WRITE),),
    methods=(Method(1, "execute", LONG_UNSIGNED),),
)

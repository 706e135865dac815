"""Class 6, Register activation, version 0: which registers count under which tariff.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import (
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    structure_of,
)

#: A register that masks may name, by its place in the list.
OBJECT_DEFINITION: Final = structure_of(class_id=LONG_UNSIGNED, logical_name=LOGICAL_NAME)
#: The registers, by their places from 1, that count while this mask is the active one.
REGISTER_ACTIVATION_MASK: Final = structure_of(
    mask_name=OCTET_STRING,
    index_list=ArrayOf(UNSIGNED),
)

REGISTER_ACTIVATION: Final = InterfaceClass(
    class_id=6,
    version=0,
    name="Register activation",
    attributes=(
        Attribute(2, "register_assignment", ArrayOf(OBJECT_DEFINITION), Access.READ_WRITE),
        Attribute(3, "mask_list", ArrayOf(REGISTER_ACTIVATION_MASK), Access.READ_WRITE),
        Attribute(4, "active_mask", OCTET_STRING, Access.READ_WRITE),
    ),
    methods=(
        Method(1, "add_register", OBJECT_DEFINITION),
        Method(2, "add_mask", REGISTER_ACTIVATION_MASK),
        Method(3, "delete_mask", OCTET_STRING),
    ),
)

"""Class 17, SAP assignment, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.types import LONG_UNSIGNED, OCTET_STRING, ArrayOf, structure_of

#: Where a logical device is to be found, and its name; method 1 with an empty name forgets it.
SAP_ASSIGNMENT_ELEMENT: Final = structure_of(sap=LONG_UNSIGNED, logical_device_name=OCTET_STRING)

SAP_ASSIGNMENT: Final = InterfaceClass(
    class_id=17,
    version=0,
    name="SAP assignment",
    attributes=(
        Attribute(2, "sap_assignment_list", ArrayOf(SAP_ASSIGNMENT_ELEMENT), Access.READ_WRITE),
    ),
    methods=(Method(1, "connect_logical_device", SAP_ASSIGNMENT_ELEMENT),),
)

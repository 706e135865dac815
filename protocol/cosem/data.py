"""Class 1, Data. Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them."""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import ANY

DATA: Final = InterfaceClass(
    class_id=1,
    version=0,
    name="Data",
    attributes=(Attribute(2, "value", ANY, Access.READ_WRITE),),
)

"""Class 3, Register. Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them."""

from typing import Final

from protocol.cosem.interface import Attribute, InterfaceClass, Method
from protocol.cosem.types import ANY, ENUM, INTEGER, structure_of

#: What a value counts: value * 10^scaler units (``obis.units``).
SCALER_UNIT: Final = structure_of(scaler=INTEGER, unit=ENUM)

REGISTER: Final = InterfaceClass(
    class_id=3,
    version=0,
    name="Register",
    attributes=(
        Attribute(2, "value", ANY),
        Attribute(3, "scaler_unit", SCALER_UNIT),
    ),
    methods=(Method(1, "reset"),),
)

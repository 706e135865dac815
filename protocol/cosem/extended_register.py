"""Class 4, Extended register.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Attribute, InterfaceClass, Method
from protocol.cosem.register import SCALER_UNIT
from protocol.cosem.types import ANY, DATE_TIME

EXTENDED_REGISTER: Final = InterfaceClass(
    class_id=4,
    version=0,
    name="Extended register",
    attributes=(
        Attribute(2, "value", ANY),
        Attribute(3, "scaler_unit", SCALER_UNIT),
        Attribute(4, "status", ANY),
        Attribute(5, "capture_time", DATE_TIME),
    ),
    methods=(Method(1, "reset"),),
)

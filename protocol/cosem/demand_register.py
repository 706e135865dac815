"""Class 5, Demand register, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.register import SCALER_UNIT
from protocol.cosem.types import ANY, DATE_TIME, DOUBLE_LONG_UNSIGNED, LONG_UNSIGNED

DEMAND_REGISTER: Final = InterfaceClass(
    class_id=5,
    version=0,
    name="Demand register",
    attributes=(
        Attribute(2, "current_average_value", ANY),
        Attribute(3, "last_average_value", ANY),
        Attribute(4, "scaler_unit", SCALER_UNIT),
        Attribute(5, "status", ANY),
        Attribute(6, "capture_time", DATE_TIME),
        Attribute(7, "start_time_current", DATE_TIME),
        Attribute(8, "period", DOUBLE_LONG_UNSIGNED, Access.READ_WRITE),  # s
        Attribute(9, "number_of_periods", LONG_UNSIGNED, Access.READ_WRITE),
    ),
    methods=(
        Method(1, "reset"),
        Method(2, "next_period"),
    ),
)

"""Class 41, TCP-UDP setup, version 0.

Names and types as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.types import LOGICAL_NAME, LONG_UNSIGNED, UNSIGNED

TCP_UDP_SETUP: Final = InterfaceClass(
    class_id=41,
    version=0,
    name="TCP-UDP setup",
    attributes=(
        Attribute(2, "TCP-UDP_port", LONG_UNSIGNED, Access.READ_WRITE),
        Attribute(3, "IP_reference", LOGICAL_NAME, Access.READ_WRITE),
        Attribute(4, "MSS", LONG_UNSIGNED, Access.READ_WRITE),
        Attribute(5, "nb_of_sim_conn", UNSIGNED, Access.READ_WRITE),
        Attribute(6, "inactivity_time_out", LONG_UNSIGNED, Access.READ_WRITE),
    ),
)

"""Class 21, Register monitor, version 0: scripts that run when a value crosses a threshold.

Names as ``gurux-dlms`` and ``pydlms-client`` agree on them. On the types the second and the public
``DlmsSPODES-project`` agree; the first writes ``actions`` as a structure, and says of the structure
``monitored_value`` that it is an array, though it reads and writes it as what it is.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass
from protocol.cosem.script_table import SCRIPT_REFERENCE
from protocol.cosem.types import (
    ANY,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    ArrayOf,
    structure_of,
)

#: An attribute that is watched.
VALUE_DEFINITION: Final = structure_of(
    class_id=LONG_UNSIGNED,
    logical_name=LOGICAL_NAME,
    attribute_index=INTEGER,
)
#: What runs when one threshold is crossed, upwards and downwards.
ACTION_SET: Final = structure_of(action_up=SCRIPT_REFERENCE, action_down=SCRIPT_REFERENCE)

REGISTER_MONITOR: Final = InterfaceClass(
    class_id=21,
    version=0,
    name="Register monitor",
    attributes=(
        # of the type of the value that is watched
        Attribute(2, "thresholds", ArrayOf(ANY), Access.READ_WRITE),
        Attribute(3, "monitored_value", VALUE_DEFINITION, Access.READ_WRITE),
        Attribute(4, "actions", ArrayOf(ACTION_SET), Access.READ_WRITE),  # one a threshold
    ),
)

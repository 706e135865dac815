"""Class 68, Arbitrator, version 0: which of several actors may have an action executed.

Names and types as ``pydlms-client`` and the public ``DlmsSPODES-project`` agree on them, and
Gurux.DLMS.Net with both; the ``gurux-dlms`` of Python does not know the class. The parameter of
``request_action`` is open to the first.
"""

from typing import Final

from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.script_table import SCRIPT_REFERENCE
from protocol.cosem.types import BIT_STRING, LONG_UNSIGNED, UNSIGNED, ArrayOf, structure_of

#: Who asks, by his place in the tables, and for which of the actions, a bit each.
REQUEST_ACTION: Final = structure_of(request_actor=UNSIGNED, request_action_list=BIT_STRING)

ARBITRATOR: Final = InterfaceClass(
    class_id=68,
    version=0,
    name="Arbitrator",
    attributes=(
        Attribute(2, "actions", ArrayOf(SCRIPT_REFERENCE), Access.READ_WRITE),
        # a row for each actor, with a bit or a weight for each action
        Attribute(3, "permissions_table", ArrayOf(BIT_STRING), Access.READ_WRITE),
        Attribute(4, "weightings_table", ArrayOf(ArrayOf(LONG_UNSIGNED)), Access.READ_WRITE),
        Attribute(5, "most_recent_requests_table", ArrayOf(BIT_STRING)),
        Attribute(6, "last_outcome", UNSIGNED),  # the action, counted from 1
    ),
    methods=(
        Method(1, "request_action", REQUEST_ACTION),
        Method(2, "reset"),
    ),
)

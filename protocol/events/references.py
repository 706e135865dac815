"""What the services refer to: attributes, methods, selections, invoke ids."""

from msgspec import Struct

from obis.code import ObisCode
from protocol.axdr import Data


class AttributeRef(Struct, frozen=True):
    """A COSEM attribute descriptor: class id, logical name, attribute index (1-based)."""

    class_id: int
    logical_name: ObisCode
    index: int


class MethodRef(Struct, frozen=True):
    """A COSEM method descriptor: class id, logical name, method index (1-based)."""

    class_id: int
    logical_name: ObisCode
    index: int


class SelectiveAccess(Struct, frozen=True):
    """An access selector (1 by range, 2 by entry, ...) and its parameters."""

    selector: int
    parameters: Data


class InvokeId(Struct, frozen=True):
    """Invoke-id-and-priority: a number 0..15, whether a reply is wanted, whether it is urgent."""

    number: int = 1
    confirmed: bool = True
    high_priority: bool = True


class LongInvokeId(Struct, frozen=True):
    """Long-invoke-id-and-priority, of ACCESS and DataNotification.

    Args:
        number: 0..0xFFFFFF.
        self_descriptive: the answer repeats the access specification.
        break_on_error: the list ends with the first request that fails.
        confirmed: whether an answer is wanted.
        high_priority: whether it is urgent.
    """

    number: int = 1
    self_descriptive: bool = False
    break_on_error: bool = False
    confirmed: bool = True
    high_priority: bool = False

"""What a server says unasked, and what confirms it."""

from dataclasses import dataclass, field

from protocol.axdr import Data
from protocol.events.references import AttributeRef, LongInvokeId


@dataclass(frozen=True, slots=True)
class EventNotification:
    """One attribute, sent by the server when something happened.

    Args:
        attribute: what is reported.
        value: its value.
        time: COSEM date-time of 12 octets, empty for none.
    """

    attribute: AttributeRef
    value: Data
    time: bytes = b""


@dataclass(frozen=True, slots=True)
class DataNotification:
    """What a server pushes.

    Args:
        body: usually a structure of the values of a push object list.
        invoke: its number and priority; ``confirmed`` asks for a DataNotificationConfirm.
        date_time: COSEM date-time of 12 octets, empty for none.
    """

    body: Data
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


@dataclass(frozen=True, slots=True)
class DataNotificationConfirm:
    """The client has the DataNotification of that number."""

    invoke: LongInvokeId
    date_time: bytes = b""

"""What a server says unasked, and what confirms it."""

from msgspec import Struct, field

from protocol.axdr import Data
from protocol.events.references import AttributeRef, LongInvokeId


class EventNotification(Struct, frozen=True):
    """One attribute, sent by the server when something happened.

    Args:
        attribute: what is reported.
        value: its value.
        time: COSEM date-time of 12 octets, empty for none.
    """

    attribute: AttributeRef
    value: Data
    time: bytes = b""


class DataNotification(Struct, frozen=True):
    """What a server pushes.

    Args:
        body: usually a structure of the values of a push object list.
        invoke: its number and priority; ``confirmed`` asks for a DataNotificationConfirm.
        date_time: COSEM date-time of 12 octets, empty for none.
    """

    body: Data
    invoke: LongInvokeId = field(default_factory=LongInvokeId)
    date_time: bytes = b""


class DataNotificationConfirm(Struct, frozen=True):
    """The client has the DataNotification of that number."""

    invoke: LongInvokeId
    date_time: bytes = b""

"""What a server says unasked: when it may, and in which envelope.

A DataNotification has no ciphered tag of its own, so it goes by general-glo-ciphering, as pushes
of real meters do; an EventNotification has glo-event-notification, an InformationReport, which
short names have in its place, glo-information-report. All are protected as the policy asks of the
client's requests. One that is longer than the client takes goes in general blocks that nobody
acknowledges, where those were agreed upon.
"""

from typing import NamedTuple

from protocol.apdu import (
    DataNotificationApdu,
    EventNotificationApdu,
    InformationReportApdu,
    NotificationApdu,
)
from protocol.association.channel import Envelope
from protocol.association.settings import ServerPolicy
from protocol.codes import Conformance
from protocol.errors import LocalProtocolError
from protocol.events import DataNotification, InformationReport, Notification, Opened


class Outgoing(NamedTuple):
    """A notification on its way out.

    Args:
        apdu: plain.
        envelope: how it is ciphered, if it is.
        block: the largest general block in octets that it goes in; 0 where it goes whole.
    """

    apdu: bytes
    envelope: Envelope | None
    block: int = 0


def notification(policy: ServerPolicy, opened: Opened | None, said: Notification) -> Outgoing:
    """Return how a notification goes out.

    Args:
        policy: the server's.
        opened: what was agreed upon; None while there is no association.
        said: the notification.

    Raises:
        LocalProtocolError: there is no association, it has no such service, or the client takes
            neither an APDU of that length nor general blocks.
        EncodeError: a value does not fit its type.
    """
    apdu: NotificationApdu
    if isinstance(said, DataNotification):
        service, apdu = Conformance.DATA_NOTIFICATION, DataNotificationApdu(said)
    elif isinstance(said, InformationReport):
        service, apdu = Conformance.INFORMATION_REPORT, InformationReportApdu(said)
    else:
        service, apdu = Conformance.EVENT_NOTIFICATION, EventNotificationApdu(said)
    if opened is None or service not in opened.conformance:
        raise LocalProtocolError(f"no {type(said).__name__} was agreed upon")
    octets = apdu.encode()
    envelope = None
    if policy.is_ciphered:
        envelope = Envelope(policy.protection, is_general=isinstance(said, DataNotification))
    length = envelope.length(len(octets)) if envelope else len(octets)
    if not opened.max_pdu or length <= opened.max_pdu:
        return Outgoing(octets, envelope)
    if Conformance.GENERAL_BLOCK_TRANSFER not in opened.conformance:
        raise LocalProtocolError(f"{length} octets; the client takes {opened.max_pdu}")
    return Outgoing(octets, envelope, opened.max_pdu)

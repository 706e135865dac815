"""Notifications: what a server says unasked, and the client's word that it has it.

| APDU | after the tag |
|---|---|
| DataNotification, 15 | long-invoke-id-and-priority (4), date-time as octet-string, body |
| DataNotificationConfirm, 16 | long-invoke-id-and-priority (4), date-time as octet-string |
| EventNotification, 194 | optional time as octet-string, attribute descriptor, value |

The date-time is empty or has 12 octets, as ``pydlms-client`` and ``gurux-dlms`` agree. Two other
forms of it are read, and never written: ``09 0C`` and 12 octets, with the tag of its type, as
``pydlms-client`` has seen from Kaifa meters; and ``01`` and 12 octets, a flag in the place of the
length, as ``dlms-cosem`` writes it.

The confirmation stands in no public implementation at hand. Its layout here is that of the
notification without its body.
"""

from typing import Final

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.information_report import InformationReportApdu
from protocol.apdu.tags import ApduTag
from protocol.axdr import Tag
from protocol.errors import DecodeError, EncodeError
from protocol.events import DataNotification, DataNotificationConfirm, EventNotification

_DATE_TIME: Final = 12
_PRESENT: Final = 1


class DataNotificationApdu(Struct, frozen=True):
    """A DataNotification on its way."""

    notification: DataNotification

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the number, the time or the body does not fit.
        """
        said = self.notification
        head = bytes((ApduTag.DATA_NOTIFICATION,)) + fields.long_invoke_id(said.invoke)
        return head + _date_time(said.date_time) + axdr.encode(said.body)

    @classmethod
    def decode(cls, apdu: bytes) -> "DataNotificationApdu":
        """Read a DataNotification.

        Raises:
            DecodeError: cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.DATA_NOTIFICATION)
        invoke, date_time = reader.long_invoke(), _read_date_time(reader)
        notification = DataNotification(reader.data(), invoke, date_time)
        reader.end()
        return cls(notification)


class DataNotificationConfirmApdu(Struct, frozen=True):
    """A DataNotificationConfirm on its way."""

    confirm: DataNotificationConfirm

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the number or the time does not fit.
        """
        head = bytes((ApduTag.DATA_NOTIFICATION_CONFIRM,))
        said = self.confirm
        return head + fields.long_invoke_id(said.invoke) + _date_time(said.date_time)

    @classmethod
    def decode(cls, apdu: bytes) -> "DataNotificationConfirmApdu":
        """Read a DataNotificationConfirm; one that ends after the number will do.

        Raises:
            DecodeError: cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.DATA_NOTIFICATION_CONFIRM)
        invoke = reader.long_invoke()
        date_time = b"" if reader.at_end() else _read_date_time(reader)
        reader.end()
        return cls(DataNotificationConfirm(invoke, date_time))


class EventNotificationApdu(Struct, frozen=True):
    """An EventNotification on its way."""

    notification: EventNotification

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: the time, the reference or the value does not fit.
        """
        said = self.notification
        time = bytes((_PRESENT,)) + _date_time(said.time) if said.time else b"\x00"
        head = bytes((ApduTag.EVENT_NOTIFICATION,)) + time
        return head + fields.descriptor(said.attribute) + axdr.encode(said.value)

    @classmethod
    def decode(cls, apdu: bytes) -> "EventNotificationApdu":
        """Read an EventNotification.

        Raises:
            DecodeError: cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.EVENT_NOTIFICATION)
        time = _checked(reader.octet_string()) if reader.choice(0, _PRESENT) else b""
        attribute = reader.attribute()
        notification = EventNotification(attribute, reader.data(), time)
        reader.end()
        return cls(notification)


NotificationApdu = DataNotificationApdu | EventNotificationApdu | InformationReportApdu


def _date_time(octets: bytes) -> bytes:
    if len(octets) not in (0, _DATE_TIME):
        raise EncodeError(f"a date-time has {_DATE_TIME} octets or none, not {len(octets)}")
    return fields.octet_string(octets)


def _read_date_time(reader: Reader) -> bytes:
    length = reader.number()
    if length == Tag.OCTET_STRING:
        length = reader.number()
    return reader.take(_DATE_TIME if length == _PRESENT else _check_length(length))


def _checked(octets: bytes) -> bytes:
    _check_length(len(octets))
    return octets


def _check_length(length: int) -> int:
    if length not in (0, _DATE_TIME):
        raise DecodeError(f"a date-time has {_DATE_TIME} octets or none, not {length}")
    return length

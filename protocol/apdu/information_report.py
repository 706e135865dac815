"""InformationReport: what a server reports by short names without being asked.

The time is an optional ASN.1 GeneralizedTime: a usage flag, and text with its length before it.
What is met instead is a COSEM date-time of 12 octets, after the flag (``pydlms-client``) or without
one (``gurux-dlms``). Both are read, and become text; written is what ASN.1 says.
"""

from msgspec import Struct

from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.tags import ApduTag
from protocol.apdu.variables import encode_variables, read_variables
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import DecodeError, EncodeError
from protocol.events import InformationReport, ShortName

_REPORT = bytes((ApduTag.INFORMATION_REPORT_REQUEST,))
_COSEM_LENGTH = 12
_LONGEST_TIME = 32


class InformationReportApdu(Struct, frozen=True):
    """An InformationReport on its way; its variables are names without parameters."""

    notification: InformationReport

    def encode(self) -> bytes:
        """Return the APDU.

        Raises:
            EncodeError: a value does not fit its type, or the time is no ASCII.
        """
        said = self.notification
        if not said.time.isascii() or len(said.time) > _LONGEST_TIME:
            raise EncodeError(f"no GeneralizedTime: {said.time!r}")
        if len(said.values) != len(said.variables):
            raise EncodeError("not one value a variable")
        time = b"\x01" + fields.octet_string(said.time.encode()) if said.time else b"\x00"
        return _REPORT + time + encode_variables(said.variables) + fields.data_list(said.values)

    @classmethod
    def decode(cls, apdu: bytes) -> "InformationReportApdu":
        """Read the APDU.

        Raises:
            DecodeError: another tag, cut short, malformed or too long.
        """
        reader = Reader(apdu)
        reader.choice(ApduTag.INFORMATION_REPORT_REQUEST)
        time = _read_time(reader)
        names = []
        for variable in read_variables(reader):
            if not isinstance(variable, ShortName) or variable.access is not None:
                raise DecodeError("a report has names of variables only")
            names.append(variable)
        values = reader.data_list(len(names))
        reader.end()
        return cls(InformationReport(tuple(names), values, time))


def _read_time(reader: Reader) -> str:
    form = reader.choice(0, 1, _COSEM_LENGTH)
    if form == 0:
        return ""
    octets = reader.take(_COSEM_LENGTH) if form == _COSEM_LENGTH else reader.octet_string()
    if len(octets) > _LONGEST_TIME:
        raise DecodeError(f"a GeneralizedTime of {len(octets)} octets")
    if octets.isascii() and octets.decode().isprintable():
        return octets.decode()
    if len(octets) != _COSEM_LENGTH:
        raise DecodeError("no GeneralizedTime")
    return _generalized(CosemDateTime.from_bytes(octets))


def _generalized(moment: CosemDateTime) -> str:
    """Return a COSEM date-time as text, empty where it has wildcards."""
    try:
        local = moment.to_datetime()
    except WildcardError:
        return ""
    return local.strftime(f"{local.year:04}%m%d%H%M%S%z")

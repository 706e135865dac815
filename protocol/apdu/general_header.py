"""What general-ciphering and general-signing begin with: who says it to whom, and when."""

from msgspec import Struct

from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.errors import DecodeError

#: Transaction-id and other-information are short; nobody sends more than this.
MAX_FIELD = 255
_TITLE_LENGTHS = (0, 8)
_DATE_TIME_LENGTHS = (0, 12)


class GeneralHeader(Struct, frozen=True):
    """Five octet-strings, each with its length before it; each may be empty.

    Args:
        transaction_id: what belongs together: a response repeats that of its request.
        originator: the system title of who protects the APDU.
        recipient: the system title of whom it is for; empty for nobody in particular.
        date_time: a COSEM date-time of 12 octets, empty for none.
        other_information: for those who agree on something.
    """

    transaction_id: bytes = b""
    originator: bytes = b""
    recipient: bytes = b""
    date_time: bytes = b""
    other_information: bytes = b""

    def encode(self) -> bytes:
        """Return the five fields."""
        return b"".join(
            fields.octet_string(octets)
            for octets in (
                self.transaction_id,
                self.originator,
                self.recipient,
                self.date_time,
                self.other_information,
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> "GeneralHeader":
        """Read the five fields.

        Raises:
            DecodeError: cut short, or a field of a length that it cannot have.
        """
        header = cls(*(reader.octet_string() for _ in range(5)))
        for title in (header.originator, header.recipient):
            if len(title) not in _TITLE_LENGTHS:
                raise DecodeError(f"a system title of {len(title)} octets")
        if len(header.date_time) not in _DATE_TIME_LENGTHS:
            raise DecodeError(f"a date-time of {len(header.date_time)} octets")
        if max(len(header.transaction_id), len(header.other_information)) > MAX_FIELD:
            raise DecodeError(f"a transaction-id or other-information above {MAX_FIELD} octets")
        return header

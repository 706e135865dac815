"""The meter's state: what clients bring over the lines, in octets, and what the lines count.

Keys and secrets, certificates, calendar tables, what is pushed and to whom; invocation counters,
attempts to get in, pushes. The rules of prepayment look at none of it but the calendar. How each
cell lies in flash stands in ``meter_fw/line_cells.py``.
"""

from typing import ClassVar, Final, Self

from msgspec import Struct

from obis.values import hiding

#: The longest address of a push, in octets.
MAX_DESTINATION: Final = 64
#: Objects and windows of a push setup, and the octets of each as they are kept: class, logical
#: name and attribute; two date-times.
MAX_PUSHED: Final = 16
PUSHED_OBJECT: Final = 9
MAX_PUSH_WINDOWS: Final = 4
PUSH_WINDOW: Final = 24
#: The client SAP of the pre-established association that pushes are ciphered in.
PUSH_CLIENT: Final = 102
#: Octets of the longest symmetric key, and of the longest private key.
MAX_KEY: Final = 48
#: The fields of ``MeterState`` that hold a ``Key``.
KEY_FIELDS: Final = (
    "unicast_key",
    "broadcast_key",
    "authentication_key",
    "master_key",
    "signing_key",
    "agreement_key",
)
#: Octets of the longest secret of an association.
MAX_SECRET: Final = 64
#: Octets of one cell of what is longer than a cell, and cells that one certificate may have.
PART: Final = 240
PARTS: Final = 4
#: Certificates that are kept.
CERTIFICATES: Final = 8


class Counters(Struct, frozen=True):
    """Invocation counters of the global unicast key."""

    reserved: int = 1  # ours below this one may have been used; some clients do not take 0
    received: int = -1  # the last accepted from the management client


class Received(Struct, frozen=True):
    """Invocation counters accepted under keys other than the global unicast key, -1 for none."""

    broadcast: int = -1


class _Hidden(Struct, frozen=True):
    """What nobody may see; without octets that count, what the factory gave holds.

    Octets behind ``length`` are zero.
    """

    octets: bytes
    length: int = 0

    MOST: ClassVar[int]

    __repr__ = hiding("octets")

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Return ``octets``, at most ``MOST`` of them, as they are kept."""
        return cls(octets.ljust(cls.MOST, b"\0"), len(octets))

    @property
    def value(self) -> bytes:
        """The secret itself; nothing where there is none."""
        return self.octets[: self.length]


class Key(_Hidden, frozen=True):
    """A symmetric or private key that came over the line."""

    octets: bytes = bytes(MAX_KEY)

    MOST: ClassVar[int] = MAX_KEY


class Secret(_Hidden, frozen=True):
    """The secret of an association that came over the line."""

    octets: bytes = bytes(MAX_SECRET)

    MOST: ClassVar[int] = MAX_SECRET


class Policy(Struct, frozen=True):
    """Security setup: what ``security_activate`` has made of the policy, -1 for nothing yet."""

    value: int = -1


class PortProtection(Struct, frozen=True):
    """One port: how attempts to get in that fail lock it, and how many have.

    Args:
        port: its place in the ring.
        mode: 0 locked, 1 locked on failed attempts, 2 unlocked.
        allowed: failed attempts in a row before the port is locked for a time.
        initial: how long the first time, in s.
        steepness: by how much longer each further time.
        longest: the longest time, in s.
        failed: attempts since the last good one.
        cumulative: attempts since manufacture.
        until: until when the port is locked, by the board's clock in ms.
    """

    port: int = 0
    mode: int = 1
    allowed: int = 10
    initial: int = 30
    steepness: int = 2
    longest: int = 900
    failed: int = 0
    cumulative: int = 0
    until: int = -1

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.port

    @property
    def number(self) -> int:
        """Its place in the order."""
        return self.port


class CertificatePart(Struct, frozen=True):
    """Octets of a certificate, which is longer than a cell.

    Args:
        certificate: the place of the certificate, from 0.
        part: which of its parts, from 0.
        length: how many of the octets count.
        octets: ``PART`` octets.
    """

    certificate: int = 0
    part: int = 0
    length: int = 0
    octets: bytes = bytes(PART)

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.certificate * PARTS + self.part

    @property
    def number(self) -> int:
        """Its place in the order."""
        return self.slot


class PushSetup(Struct, frozen=True):
    """Where the meter pushes to and how often it tries; as made until a head-end says otherwise."""

    service: int = 0  # TransportService
    length: int = 0  # octets of the destination that count; 0: the one it was made with
    destination: bytes = bytes(MAX_DESTINATION)
    randomisation: int = 0  # s
    retries: int = 3
    delay: int = 60  # s, after the first try
    exponent: int = 100  # in hundredths
    longest: int = 3600  # s
    client: int = PUSH_CLIENT
    method: int = 0  # PushOperationMethod


class PushList(Struct, frozen=True):
    """What the meter pushes and when it may, in the octets of the attributes."""

    listed: int = -1  # objects that count; -1: those it was made with
    objects: bytes = bytes(PUSHED_OBJECT * MAX_PUSHED)
    windows: int = 0  # windows that count; 0: at any time
    spans: bytes = bytes(PUSH_WINDOW * MAX_PUSH_WINDOWS)


class Pushed(Struct, frozen=True):
    """What became of the last push."""

    outcome: int = 0  # meter_fw.push.Outcome
    cause: int = 0  # meter_fw.push.Cause
    tries: int = 0
    time: int = -1
    confirmed: int = -1  # when the last confirmation came
    number: int = 0  # of the last push, its long invoke id
    dropped: int = 0  # pushes that did not fit into the queue, since manufacture


class CalendarState(Struct, frozen=True):
    """Which calendar tables a head-end has written, and for which dates they are complete.

    Args:
        entries: octets of the packed schedule; -1: the factory's holds.
        special_days: octets of the packed special days table; -1: the factory's holds.
        bounded: a head-end has said for which dates they are complete; else the factory's hold.
        since: from when on, in ms; -1 for always.
        until: until when; -1 for ever.
    """

    entries: int = -1
    special_days: int = -1
    bounded: bool = False
    since: int = -1
    until: int = -1


class TablePart(Struct, frozen=True):
    """Octets of a packed calendar table, which is longer than a cell.

    Args:
        number: which part, from 0.
        length: how many of the octets count.
        octets: ``PART`` octets.
    """

    number: int = 0
    length: int = 0
    octets: bytes = bytes(PART)

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number

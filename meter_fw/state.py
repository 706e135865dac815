"""The meter's state: frozen dataclasses, each a cell (or a ring of cells) in flash.

The kernel keeps one ``MeterState``; rules return a new one; what differs is committed. Moments are
milliseconds since 1970 by the meter's own clock, so that a corrected clock does not rewrite
history. How each cell lies in flash stands in ``meter_fw/cells.py``.
"""

from dataclasses import dataclass, field
from typing import Final

from meter_fw.relay import Cause
from prepay.transactions import ID_LENGTH, Kind, Outcome
from protocol.cosem.disconnect_control import ControlState

#: Daily readings that are kept: two months, so that a head-end may come late.
DAYS_KEPT: Final = 62
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
#: The longest token that is kept for reading back.
MAX_TOKEN: Final = 64
#: Octets of the longest symmetric key, and of the longest private key.
MAX_KEY: Final = 48
#: Octets of the longest secret of an association.
MAX_SECRET: Final = 64
#: Octets of a certificate in one cell, and cells that one certificate may have.
PART: Final = 240
PARTS: Final = 4
#: Certificates that are kept.
CERTIFICATES: Final = 8


@dataclass(frozen=True, slots=True)
class Relay:
    """Disconnect control: where it stands and why."""

    control: ControlState = ControlState.CONNECTED
    causes: Cause = Cause.NONE


@dataclass(frozen=True, slots=True)
class Clock:
    """The meter's clock, as an offset on the board's time."""

    offset: int = 0  # ms
    known: bool = True


@dataclass(frozen=True, slots=True)
class Energy:
    """The import register, and how much of it the tariff has been applied to."""

    imported: int = 0  # Wh
    remainder: int = 0  # of the tariff, below one minor unit
    last_day: int = -1  # ordinal of the local day whose start was last captured


@dataclass(frozen=True, slots=True)
class Account:
    """Prepayment itself."""

    active: bool = False
    closed: bool = False
    emergency_selected: bool = False
    low_announced: bool = False
    activated_at: int = -1
    closed_at: int = -1


@dataclass(frozen=True, slots=True)
class Totals:
    """Local mode: the ledger's totals in minor units; the balance is their sum."""

    started: int = 0  # start credit
    paid: int = 0  # tokens
    adjusted: int = 0  # signed
    charged: int = 0  # consumption
    settled: int = 0  # paid out at deactivation

    @property
    def balance(self) -> int:
        """What the customer has, in minor units."""
        return self.started + self.paid + self.adjusted - self.charged - self.settled


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Central mode: what the head-end last said of the balance."""

    sequence: int = 0  # 0: never
    balance: int = 0  # minor units
    emergency: int = 0  # minor units
    as_of: bytes = b"\xff" * 12  # COSEM date-time


@dataclass(frozen=True, slots=True)
class Armed:
    """Central mode: the head-end's leave to cut once the balance of one snapshot is used up."""

    armed: bool = False
    sequence: int = 0
    expiry: int = -1
    expiry_stamp: bytes = b"\xff" * 12  # as it was given


@dataclass(frozen=True, slots=True)
class Counters:
    """Invocation counters of the global unicast key."""

    reserved: int = 1  # ours below this one may have been used; some clients do not take 0
    received: int = -1  # the last accepted from the management client


@dataclass(frozen=True, slots=True)
class Gateway:
    """Token gateway: the last token and what became of it."""

    token: bytes = bytes(MAX_TOKEN)
    length: int = 0  # octets of it that count
    time: int = -1
    status: int = 0
    outcome: Outcome = Outcome.DONE


@dataclass(frozen=True, slots=True)
class History:
    """Where the rings stand."""

    ordered: int = 0  # transactions since manufacture
    captured: int = 0  # days since manufacture
    forgotten: bytes = bytes(ID_LENGTH)  # the greatest id forgotten


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered transaction."""

    number: int = 0  # its place in the order of arrival
    slot: int = 0  # its place in the ring: that of the one it drove out
    id: bytes = bytes(ID_LENGTH)
    kind: Kind = Kind.ACTIVATE
    outcome: Outcome = Outcome.DONE
    amount: int = 0
    balance: int = 0  # after it
    time: int = -1
    content: int = 0  # CRC-32 of the order, to tell a repetition from a reuse


@dataclass(frozen=True, slots=True)
class Day:
    """The register at the start of a local day."""

    number: int = 0
    time: int = -1
    imported: int = 0  # Wh

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % DAYS_KEPT


@dataclass(frozen=True, slots=True)
class Received:
    """Invocation counters accepted under keys other than the global unicast key, -1 for none."""

    broadcast: int = -1


@dataclass(frozen=True, slots=True)
class Key:
    """A symmetric key that came over the line, or no such key: then that of the factory holds.

    Octets behind ``length`` are zero.
    """

    octets: bytes = field(default=bytes(MAX_KEY), repr=False)
    length: int = 0

    @classmethod
    def of(cls, octets: bytes) -> "Key":
        """Return ``octets``, at most ``MAX_KEY`` of them, as a key."""
        return cls(octets.ljust(MAX_KEY, b"\0"), len(octets))

    @property
    def value(self) -> bytes:
        """The key itself; nothing where there is none."""
        return self.octets[: self.length]


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret of an association that came over the line, or none: then the factory's holds.

    Octets behind ``length`` are zero.
    """

    octets: bytes = field(default=bytes(MAX_SECRET), repr=False)
    length: int = 0

    @classmethod
    def of(cls, octets: bytes) -> "Secret":
        """Return ``octets``, at most ``MAX_SECRET`` of them, as a secret."""
        return cls(octets.ljust(MAX_SECRET, b"\0"), len(octets))

    @property
    def value(self) -> bytes:
        """The secret itself; nothing where there is none."""
        return self.octets[: self.length]


@dataclass(frozen=True, slots=True)
class Policy:
    """Security setup: what ``security_activate`` has made of the policy, -1 for nothing yet."""

    value: int = -1


@dataclass(frozen=True, slots=True)
class PortProtection:
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


@dataclass(frozen=True, slots=True)
class CertificatePart:
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


@dataclass(frozen=True, slots=True)
class PushSetup:
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


@dataclass(frozen=True, slots=True)
class PushList:
    """What the meter pushes and when it may, in the octets of the attributes."""

    listed: int = -1  # objects that count; -1: those it was made with
    objects: bytes = bytes(PUSHED_OBJECT * MAX_PUSHED)
    windows: int = 0  # windows that count; 0: at any time
    spans: bytes = bytes(PUSH_WINDOW * MAX_PUSH_WINDOWS)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of the last push."""

    outcome: int = 0  # meter_fw.push.Outcome
    cause: int = 0  # meter_fw.push.Cause
    tries: int = 0
    time: int = -1
    confirmed: int = -1  # when the last confirmation came
    number: int = 0  # of the last push, its long invoke id
    dropped: int = 0  # pushes that did not fit into the queue, since manufacture


@dataclass(frozen=True, slots=True)
class MeterState:
    """All that survives a power cut."""

    relay: Relay = field(default_factory=Relay)
    clock: Clock = field(default_factory=Clock)
    energy: Energy = field(default_factory=Energy)
    account: Account = field(default_factory=Account)
    totals: Totals = field(default_factory=Totals)
    snapshot: Snapshot = field(default_factory=Snapshot)
    armed: Armed = field(default_factory=Armed)
    counters: Counters = field(default_factory=Counters)
    gateway: Gateway = field(default_factory=Gateway)
    history: History = field(default_factory=History)
    received: Received = field(default_factory=Received)
    unicast_key: Key = field(default_factory=Key)
    broadcast_key: Key = field(default_factory=Key)
    authentication_key: Key = field(default_factory=Key)
    master_key: Key = field(default_factory=Key)
    signing_key: Key = field(default_factory=Key)
    agreement_key: Key = field(default_factory=Key)
    policy: Policy = field(default_factory=Policy)
    password: Secret = field(default_factory=Secret)
    hls_secret: Secret = field(default_factory=Secret)
    push_setup: PushSetup = field(default_factory=PushSetup)
    push_list: PushList = field(default_factory=PushList)
    pushed: Pushed = field(default_factory=Pushed)
    transactions: tuple[Entry, ...] = ()
    days: tuple[Day, ...] = ()
    certificates: tuple[CertificatePart, ...] = ()
    protections: tuple[PortProtection, ...] = ()

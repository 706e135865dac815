"""The meter's state: values, each a cell (or a ring of cells) in flash.

The kernel keeps one ``MeterState``; rules return a new one; what differs is committed. Moments are
milliseconds since 1970 by the meter's own clock, so that a corrected clock does not rewrite
history. How each cell lies in flash stands in ``meter_fw/cells.py``.
"""

from dataclasses import dataclass, field
from itertools import compress
from operator import is_not
from typing import Final

from msgspec import Struct

from meter_fw.money_state import (
    AccountTerms,
    CarriedOut,
    ChargeTerms,
    Plan,
    Regime,
    Registers,
    Settled,
    TokenRecord,
    TokenShares,
)
from meter_fw.relay import Cause
from obis.values import hiding
from prepay.holdings import Advance, ChargeState, Provision
from prepay.purse import Totals as Totals
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
#: Events that the standard event log and the log of the disconnect control keep.
EVENTS_KEPT: Final = 100
RELAY_EVENTS_KEPT: Final = 50
#: Characters of a message to the customer: eight lines of the display.
MAX_MESSAGE: Final = 128
#: Groups of emergency profiles that a meter may belong to.
MAX_GROUPS: Final = 8


class Relay(Struct, frozen=True):
    """Disconnect control: where it stands and why."""

    control: ControlState = ControlState.CONNECTED
    causes: Cause = Cause.NONE


class Clock(Struct, frozen=True):
    """The meter's clock, as an offset on the board's time."""

    offset: int = 0  # ms
    known: bool = True


class Energy(Struct, frozen=True):
    """The import register, and how much of it the tariff has been applied to."""

    imported: int = 0  # Wh
    remainder: int = 0  # of the tariff, below one minor unit
    last_day: int = -1  # ordinal of the local day whose start was last captured


class Account(Struct, frozen=True):
    """Prepayment itself."""

    active: bool = False
    closed: bool = False
    emergency_selected: bool = False
    low_announced: bool = False
    activated_at: int = -1
    closed_at: int = -1


class Snapshot(Struct, frozen=True):
    """Central mode: what the head-end last said of the balance."""

    sequence: int = 0  # 0: never
    balance: int = 0  # minor units
    emergency: int = 0  # minor units
    as_of: bytes = b"\xff" * 12  # COSEM date-time


class Armed(Struct, frozen=True):
    """Central mode: the head-end's leave to cut once the balance of one snapshot is used up."""

    armed: bool = False
    sequence: int = 0
    expiry: int = -1
    expiry_stamp: bytes = b"\xff" * 12  # as it was given


class Counters(Struct, frozen=True):
    """Invocation counters of the global unicast key."""

    reserved: int = 1  # ours below this one may have been used; some clients do not take 0
    received: int = -1  # the last accepted from the management client


class Gateway(Struct, frozen=True):
    """Token gateway: the last token and what became of it."""

    token: bytes = bytes(MAX_TOKEN)
    length: int = 0  # octets of it that count
    time: int = -1
    status: int = 0
    outcome: Outcome = Outcome.DONE


class History(Struct, frozen=True):
    """Where the rings stand."""

    ordered: int = 0  # transactions since manufacture
    captured: int = 0  # days since manufacture
    forgotten: bytes = bytes(ID_LENGTH)  # the greatest id forgotten


class Entry(Struct, frozen=True):
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


class Day(Struct, frozen=True):
    """The register at the start of a local day."""

    number: int = 0
    time: int = -1
    imported: int = 0  # Wh

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % DAYS_KEPT


class Received(Struct, frozen=True):
    """Invocation counters accepted under keys other than the global unicast key, -1 for none."""

    broadcast: int = -1


class Key(Struct, frozen=True):
    """A symmetric key that came over the line, or no such key: then that of the factory holds.

    Octets behind ``length`` are zero.
    """

    octets: bytes = bytes(MAX_KEY)
    length: int = 0

    __repr__ = hiding("octets")

    @classmethod
    def of(cls, octets: bytes) -> "Key":
        """Return ``octets``, at most ``MAX_KEY`` of them, as a key."""
        return cls(octets.ljust(MAX_KEY, b"\0"), len(octets))

    @property
    def value(self) -> bytes:
        """The key itself; nothing where there is none."""
        return self.octets[: self.length]


class Secret(Struct, frozen=True):
    """The secret of an association that came over the line, or none: then the factory's holds.

    Octets behind ``length`` are zero.
    """

    octets: bytes = bytes(MAX_SECRET)
    length: int = 0

    __repr__ = hiding("octets")

    @classmethod
    def of(cls, octets: bytes) -> "Secret":
        """Return ``octets``, at most ``MAX_SECRET`` of them, as a secret."""
        return cls(octets.ljust(MAX_SECRET, b"\0"), len(octets))

    @property
    def value(self) -> bytes:
        """The secret itself; nothing where there is none."""
        return self.octets[: self.length]


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


class SchedulePart(Struct, frozen=True):
    """Octets of the packed schedule, which is longer than a cell.

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


class SpecialDaysPart(Struct, frozen=True):
    """Octets of the packed special days table: as those of the schedule."""

    number: int = 0
    length: int = 0
    octets: bytes = bytes(PART)

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number


class Customer(Struct, frozen=True):
    """What is due to the customer beyond what credit buys."""

    protected: bool = False  # minimum supply in place of a cut
    never_cut: bool = False  # a landlord's house, a medical need
    since: int = -1  # when the customer was placed under protection


class Limits(Struct, frozen=True):
    """The limiter's settings; -1 is as made, and 0 no threshold.

    Args:
        normal: W that a head-end allows.
        emergency: W while the emergency profile is active.
        over: s above the threshold before the relay opens.
        under: s before it closes again.
        profile: id of the emergency profile.
        activation: when that begins, as it was given.
        duration: s that it lasts.
        groups: the ids that this meter obeys, two octets each.
        grouped: how many of them count.
    """

    normal: int = 0
    emergency: int = 0
    over: int = -1
    under: int = -1
    profile: int = 0
    activation: bytes = b"\xff" * 9 + b"\x80\x00\xff"
    duration: int = 0
    groups: bytes = bytes(2 * MAX_GROUPS)
    grouped: int = 0


class Message(Struct, frozen=True):
    """What the display tells the customer.

    Args:
        octets: the text in ASCII, zeros behind it.
        length: of the text; 0 is no message.
        since: when it was written, by the board's clock.
    """

    octets: bytes = bytes(MAX_MESSAGE)
    length: int = 0
    since: int = -1


class Condition(Struct, frozen=True):
    """What the rules have made of supply, kept so that a change is seen, and told, once.

    Args:
        limited: minimum supply has begun, and nothing has ended it.
        tripped: since when the limiter holds the relay open, by the board's time; -1: it does not.
        used_up: the credit is used up.
        emergency: credit_status of the emergency credit, 0 without prepayment.
        recurrent: the months of protection have run, and that has been told.
        ending: that the calendar is about to end has been told.
        mismatch: the contact does not follow the coil.
        opened: the cover is open.
    """

    limited: bool = False
    tripped: int = -1
    used_up: bool = False
    emergency: int = 0
    recurrent: bool = False
    ending: bool = False
    mismatch: bool = False
    opened: bool = False


class LoggedEvent(Struct, frozen=True):
    """Something that happened: one row of an event log."""

    number: int = 0  # since manufacture
    time: int = -1
    known: bool = True  # whether the clock knew the time then
    code: int = 0
    value: int = 0  # what belongs to it

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % EVENTS_KEPT


class RelayEvent(Struct, frozen=True):
    """Something that happened to the relay, and where that left it."""

    number: int = 0  # since manufacture
    time: int = -1
    known: bool = True
    code: int = 0
    control: ControlState = ControlState.CONNECTED
    causes: Cause = Cause.NONE

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % RELAY_EVENTS_KEPT


@dataclass(frozen=True)  # without slots: so ``but`` can copy all cells at once
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
    customer: Customer = field(default_factory=Customer)
    limits: Limits = field(default_factory=Limits)
    condition: Condition = field(default_factory=Condition)
    message: Message = field(default_factory=Message)
    transactions: tuple[Entry, ...] = ()
    days: tuple[Day, ...] = ()
    certificates: tuple[CertificatePart, ...] = ()
    protections: tuple[PortProtection, ...] = ()
    calendar: CalendarState = field(default_factory=CalendarState)
    schedule: tuple[SchedulePart, ...] = ()
    special_days: tuple[SpecialDaysPart, ...] = ()
    events: tuple[LoggedEvent, ...] = ()
    relay_events: tuple[RelayEvent, ...] = ()
    provision: Provision = field(default_factory=Provision)
    registers: Registers = field(default_factory=Registers)
    regime: Regime = field(default_factory=Regime)
    plan: Plan = field(default_factory=Plan)
    settled: Settled = field(default_factory=Settled)
    terms: AccountTerms = field(default_factory=AccountTerms)
    shares: TokenShares = field(default_factory=TokenShares)
    advance: Advance = field(default_factory=Advance)
    charges: tuple[ChargeState, ...] = ()
    charge_terms: tuple[ChargeTerms, ...] = ()
    tokens: tuple[TokenRecord, ...] = ()
    carried_out: tuple[CarriedOut, ...] = ()

    def touched(self, before: "MeterState") -> list[str]:
        """Return the fields that are not the very same objects as in another state.

        Of all states the fields stand in one order, so this is a comparison of two rows without
        a step of Python for each.
        """
        differ = map(is_not, self.__dict__.values(), before.__dict__.values())
        return list(compress(self.__dict__, differ))

    def but(self, **cells: object) -> "MeterState":
        """Return the same with other cells.

        It is what ``dataclasses.replace`` does, at a tenth of its price: each tick needs it, and
        ``replace`` gives every field to a constructor that sets it anew.

        Raises:
            TypeError: there is no cell of that name.
        """
        other = object.__new__(MeterState)
        held = other.__dict__
        held.update(self.__dict__)
        held.update(cells)
        if len(held) != len(self.__dict__):
            raise TypeError(f"no such cell: {sorted(cells.keys() - self.__dict__.keys())}")
        return other

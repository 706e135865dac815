"""The meter's state: values, each a cell (or a ring of cells) in flash.

The kernel keeps one ``MeterState``; rules return a new one; what differs is committed. Moments are
milliseconds since 1970 by the meter's own clock, so that a corrected clock does not rewrite
history. How each cell lies in flash stands in ``meter_fw/cells.py``. Values of the lines stand in
``meter_fw/line_state.py``, those of an account in local mode in ``meter_fw/money_state.py``.
"""

from dataclasses import dataclass, field
from itertools import compress
from operator import is_not
from typing import Final

from msgspec import Struct

from meter_fw.line_state import (
    CalendarState,
    CertificatePart,
    Counters,
    Key,
    Policy,
    PortProtection,
    Pushed,
    PushList,
    PushSetup,
    Received,
    Secret,
    TablePart,
)
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
from prepay.holdings import Advance, ChargeState, Provision
from prepay.purse import Totals as Totals
from prepay.transactions import ID_LENGTH, Kind, Outcome
from protocol.cosem.disconnect_control import ControlState

#: Daily readings that are kept: two months, so that a head-end may come late.
DAYS_KEPT: Final = 62
#: The longest token that is kept for reading back.
MAX_TOKEN: Final = 64
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
    schedule: tuple[TablePart, ...] = ()
    special_days: tuple[TablePart, ...] = ()
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

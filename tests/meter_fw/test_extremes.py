"""Extreme values from a client with every right: no tick fails for them, now or later.

A rule that fails, fails at every tick, and after a restart again: the house would have a meter that
neither counts nor listens. And no way round between modes makes money twice.
"""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from meter_fw.calendar_tables import with_entries, with_special_days
from meter_fw.cells import RINGS, SINGLES
from meter_fw.line_state import CERTIFICATES, PARTS, CertificatePart, PortProtection
from meter_fw.money_state import (
    CARRIED_OUT_KEPT,
    TOKENS_KEPT,
    CarriedOut,
    ChargeTerms,
    TokenRecord,
)
from meter_fw.nvram.layout import CELL_OVERHEAD
from meter_fw.state import (
    DAYS_KEPT,
    EVENTS_KEPT,
    RELAY_EVENTS_KEPT,
    Day,
    Entry,
    LoggedEvent,
    MeterState,
    RelayEvent,
)
from meter_fw.view import LAST_YEAR
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.account_rules import MAX_CHARGES
from prepay.cut import BalanceMode
from prepay.holdings import ChargeState
from prepay.schedule import (
    MAX_DAY_IDS,
    MAX_ENTRIES,
    MAX_SPECIAL_DAYS,
    DatePattern,
    Schedule,
    ScheduleEntry,
    SpecialDay,
    Tables,
)
from prepay.transactions import REMEMBERED, Kind
from protocol import axdr
from protocol.axdr import Data, Tag
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from tests.meter_fw.accounts import DONE, FEE, charge, opened, opening, settlement
from tests.meter_fw.rig import Rig

TYPE_UNMATCHED = DataAccessResult.TYPE_UNMATCHED


def last_moment(year: int, deviation: int | None) -> CosemDateTime:
    """Return the last minute of a year, as a client may write it."""
    local = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    return replace(CosemDateTime.from_datetime(local), deviation=deviation)


def orders(rig: Rig, moment: CosemDateTime) -> dict[Kind, object]:
    """Return one order of each kind that carries a moment for the meter's clock to reach."""
    return {
        Kind.CUSTOMER: vendor.Customer(True, False, moment),
        Kind.ACTIVATE: replace(opening(rig, 100, sequence=1), at=moment),
        Kind.DEACTIVATE: moment,
        Kind.ARM: vendor.Arm(0, moment),
    }


def everything_answers(rig: Rig) -> None:
    """Tick, read what came of it, restart, and read again."""
    for _ in range(2):
        for code in (catalogue.PLAN, catalogue.CUSTOMER, catalogue.ARMED_CUT):
            assert isinstance(rig.get(code, 1), Data)
        assert isinstance(rig.get(catalogue.LIMITER, 71, 8), Data)
        rig.boot()


@pytest.mark.parametrize("deviation", [None, 0, 720, -720])
@pytest.mark.parametrize("kind", [Kind.CUSTOMER, Kind.ACTIVATE, Kind.DEACTIVATE, Kind.ARM])
def test_a_moment_after_which_there_is_no_calendar_is_refused(
    kind: Kind, deviation: int | None
) -> None:
    """Six months from then, or that moment in another zone, no meter could work out."""
    rig = Rig("be-wal")
    asked = orders(rig, last_moment(9999, deviation))[kind]
    assert rig.order(1, kind, asked) is TYPE_UNMATCHED
    everything_answers(rig)


@pytest.mark.parametrize("deviation", [None, 720])
@pytest.mark.parametrize("kind", [Kind.CUSTOMER, Kind.ACTIVATE, Kind.DEACTIVATE, Kind.ARM])
def test_the_last_moment_that_is_taken_can_be_told(kind: Kind, deviation: int | None) -> None:
    """Whatever comes of the order itself."""
    rig = Rig("be-wal")
    asked = orders(rig, last_moment(LAST_YEAR, deviation))[kind]
    assert rig.order(1, kind, asked) is not TYPE_UNMATCHED
    everything_answers(rig)


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("deviation", [None, 720, -720])
@pytest.mark.parametrize("code", [catalogue.CALENDAR_FROM, catalogue.CALENDAR_UNTIL], ids=str)
def test_a_bound_of_the_calendar_at_the_ends_of_time_ends_no_tick(
    code: ObisCode, year: int, deviation: int | None
) -> None:
    """The first years are before all windows, the last ones are refused."""
    rig = Rig()
    octets = axdr.octet_string(last_moment(year, deviation).to_bytes())
    assert rig.set(code, 1, octets) is (DONE if year == 1 else TYPE_UNMATCHED)
    rig.boot()
    assert isinstance(rig.get(code, 1), Data)


# --- prices that wait ----------------------------------------------------------------------------


def fee(amount: int) -> Data:
    """Return a unit charge of a fixed fee, in cents."""
    wire = axdr.structure
    scale = wire(axdr.integer(0), axdr.integer(-2))
    nothing = wire(axdr.long_unsigned(0), axdr.octet_string(bytes(6)), axdr.integer(0))
    price = wire(axdr.octet_string(b""), Data(Tag.LONG, amount))
    return wire(scale, nothing, axdr.array(price))


def waiting(amount: int) -> Rig:
    """Return a meter whose fee is 0, and ``amount`` from tomorrow on."""
    rig, name = opened(balance=5_000), catalogue.CHARGES[FEE]
    assert rig.set(name, 113, fee(0), 6) is DONE
    assert rig.act(name, 113, 2, axdr.integer(0)) is ActionResult.SUCCESS
    assert rig.set(name, 113, fee(amount), 6) is DONE
    tomorrow = axdr.octet_string(rig.stamp("2026-11-24T12:00").to_bytes())
    assert rig.set(name, 113, tomorrow, 7) is DONE
    return rig


def test_a_share_that_the_waiting_price_contradicts_is_refused_at_once() -> None:
    """A charge takes an amount or a share: at the moment of activation nobody could be told."""
    rig, name = waiting(500), catalogue.CHARGES[FEE]
    refused = rig.set(name, 113, axdr.long_unsigned(100), 13)
    assert refused is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    rig.until("2026-11-24T12:00")
    assert charge(rig, FEE, 13) == 0
    assert rig.kernel.view.rules.charges[FEE].amount == 500
    rig.boot()


def test_a_share_beside_a_waiting_price_of_nothing_is_taken() -> None:
    """Then there is no contradiction when its moment comes."""
    rig, name = waiting(0), catalogue.CHARGES[FEE]
    assert rig.set(name, 113, axdr.long_unsigned(100), 13) is DONE
    rig.until("2026-11-24T12:00")
    assert charge(rig, FEE, 13) == 100
    rig.boot()


# --- the same money twice ------------------------------------------------------------------------


@pytest.mark.parametrize("left", [5_000, -1_000])
def test_what_was_handed_over_and_settled_there_opens_no_account_here(left: int) -> None:
    """Local, central, closed, and local again: the new account has what is brought to it."""
    rig = opened(balance=max(left, 0), anchor="2026-11-01")
    rig.use(max(0, rig.balance - left) * 20)  # a cent is 20 Wh
    held = rig.balance
    assert held
    central = vendor.ModeChange(BalanceMode.CENTRAL, 1, 0, 0, rig.stamp())
    assert rig.order(2, Kind.MODE, central) is DONE
    assert rig.order(3, Kind.DEACTIVATE) is DONE
    assert settlement(rig).balance == held
    assert rig.kernel.state.totals.balance == 0
    local = vendor.ModeChange(BalanceMode.LOCAL, 2, 0, 0, rig.stamp())
    assert rig.order(4, Kind.MODE, local) is DONE
    assert rig.order(5, Kind.ACTIVATE, opening(rig, 4_000)) is DONE
    assert rig.balance == 4_000 - 3_000  # the standing charge of the first period


# --- tables that are full ------------------------------------------------------------------------

_JERUSALEM = ZoneInfo("Asia/Jerusalem")
_NEVER = DatePattern(None, 2, 30)


def crowded(pattern: DatePattern, *, opens: bool | None) -> Schedule:
    """Return full tables: entries on all days and day_ids, each at a minute of its own."""
    entries = tuple(
        ScheduleEntry(
            1 + place,
            place % 2 == 0 if opens is None else opens,
            time(place // 60 % 24, place % 60) if opens is not None else time(12),
            "1" * 7,
            "1" * MAX_DAY_IDS,
            pattern,
            pattern,
        )
        for place in range(MAX_ENTRIES)
    )
    days = tuple(
        SpecialDay(place, DatePattern(None, 1 + place % 12, None), place % MAX_DAY_IDS)
        for place in range(MAX_SPECIAL_DAYS)
    )
    return Schedule(_JERUSALEM, Tables(entries, days))


@pytest.mark.parametrize(
    ("pattern", "opens", "open_then"),
    [
        (_NEVER, True, False),
        (DatePattern(), True, True),
        (DatePattern(), False, False),
        (DatePattern(), None, True),
    ],
    ids=["never runs", "only opens", "only closes", "both at one second"],
)
@pytest.mark.timeout(20)
def test_full_tables_without_an_edge_are_searched_in_time(
    pattern: DatePattern, opens: bool | None, open_then: bool
) -> None:
    """A tick waits for the answer, and the port for the tick: it took a minute."""
    schedule = crowded(pattern, opens=opens)
    moment = datetime(2026, 11, 23, 12, tzinfo=_JERUSALEM)
    assert schedule.covers(moment) is open_then
    edge = schedule.next_edge(moment)
    assert edge is not None
    assert edge.year == 2027


def test_the_flash_of_a_meter_holds_everything_at_its_fullest() -> None:
    """Else the first full log would refuse a family's token for want of room."""
    full = {
        "transactions": (Entry(), REMEMBERED),
        "days": (Day(), DAYS_KEPT),
        "certificates": (CertificatePart(), CERTIFICATES * PARTS),
        "protections": (PortProtection(), 8),
        "events": (LoggedEvent(), EVENTS_KEPT),
        "relay_events": (RelayEvent(), RELAY_EVENTS_KEPT),
        "charges": (ChargeState(), MAX_CHARGES),
        "charge_terms": (ChargeTerms(), MAX_CHARGES),
        "tokens": (TokenRecord(), TOKENS_KEPT),
        "carried_out": (CarriedOut(), CARRIED_OUT_KEPT),
    }
    assert full.keys() | {"schedule", "special_days"} == RINGS.keys()
    octets = sum(
        count * (CELL_OVERHEAD + len(RINGS[name].encode(item)))
        for name, (item, count) in full.items()
    )
    made = MeterState()
    octets += sum(
        CELL_OVERHEAD + len(cell.encode(getattr(made, name))) for name, cell in SINGLES.items()
    )
    longest = ScheduleEntry(
        1,
        True,
        time(12, 0, 1),
        day_ids="1" * MAX_DAY_IDS,
        begin=DatePattern(2026, 1, 1),
        end=DatePattern(2027, 1, 1),
        validity=5,
    )
    octets += tables_octets(longest)
    assert octets < 64 * 1024 * 3 // 4 - 64  # what a block of a meter gives to a checkpoint


def tables_octets(entry: ScheduleEntry) -> int:
    """Return the octets of cells of both calendar tables, full of the longest rows."""
    entries = [replace(entry, index=1 + place) for place in range(MAX_ENTRIES)]
    day = DatePattern(2026, 1, 1)
    days = [SpecialDay(place, day, 0) for place in range(MAX_SPECIAL_DAYS)]
    state = with_special_days(with_entries(MeterState(), entries), days)
    rings = [(RINGS["schedule"], state.schedule), (RINGS["special_days"], state.special_days)]
    return sum(CELL_OVERHEAD + len(cell.encode(one)) for cell, ring in rings for one in ring)

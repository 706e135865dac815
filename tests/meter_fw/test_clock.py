"""The meter's clock (class 8): set, adjusted, shifted, unknown, and daylight saving told ahead."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meter_fw.board import Sign
from meter_fw.clock import _dst_edges
from obis import catalogue
from prepay.friendly import DatedWindow
from prepay.transactions import Kind
from protocol.axdr import Data, integer, long_, octet_string
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import ClockStatus, CosemDate, CosemDateTime, CosemTime
from sim.flash import MemoryFlash
from tests.meter_fw.rig import PUBLIC, Rig, instant

DONE = DataAccessResult.SUCCESS
TYPE = DataAccessResult.TYPE_UNMATCHED
SCOPE = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
BRUSSELS, JERUSALEM = ZoneInfo("Europe/Brussels"), ZoneInfo("Asia/Jerusalem")


def stamp(
    local: str, deviation: int | None = None, status: ClockStatus | None = None
) -> CosemDateTime:
    """Return a COSEM date-time; without deviation it is the meter's local time."""
    moment = datetime.fromisoformat(local)
    return CosemDateTime(
        CosemDate.from_date(moment.date()), CosemTime.from_time(moment.time()), deviation, status
    )


def put(rig: Rig, moment: CosemDateTime) -> DataAccessResult:
    """SET the clock."""
    return rig.set(catalogue.CLOCK, 8, octet_string(moment.to_bytes()))


def shown(rig: Rig) -> str:
    """Return the meter's time as it stands, with its offset."""
    return rig.kernel.view.local.isoformat()


def read(rig: Rig, index: int) -> object:
    """Return an attribute of the clock, plain."""
    found = rig.get(catalogue.CLOCK, 8, index)
    assert isinstance(found, Data)
    return found.value


# --- set ---------------------------------------------------------------------------------------

SETTINGS = [
    ("be-wal", stamp("2026-11-23T10:00", -60), "2026-11-23T10:00:00+01:00"),
    ("be-wal", stamp("2026-11-23T10:00", 0), "2026-11-23T11:00:00+01:00"),
    ("be-wal", stamp("2026-11-23T10:00", 300), "2026-11-23T16:00:00+01:00"),
    ("be-wal", stamp("2026-11-23T10:00"), "2026-11-23T10:00:00+01:00"),
    ("be-wal", stamp("2026-07-01T10:00"), "2026-07-01T10:00:00+02:00"),
    ("il", stamp("2026-11-23T10:00"), "2026-11-23T10:00:00+02:00"),
    ("il", stamp("2026-11-23T10:00", -60), "2026-11-23T11:00:00+02:00"),
    # the hour that comes twice: the status bit says which; without a status it is the first
    ("be-wal", stamp("2026-10-25T02:30"), "2026-10-25T02:30:00+02:00"),
    ("be-wal", stamp("2026-10-25T02:30", None, ClockStatus.DST), "2026-10-25T02:30:00+02:00"),
    ("be-wal", stamp("2026-10-25T02:30", None, ClockStatus.OK), "2026-10-25T02:30:00+01:00"),
    ("be-wal", stamp("2026-10-25T02:30", -60), "2026-10-25T02:30:00+01:00"),
    # the hour that never comes is the hour after
    ("be-wal", stamp("2026-03-29T02:30"), "2026-03-29T03:30:00+02:00"),
    ("be-wal", stamp("2000-01-01T00:00"), "2000-01-01T00:00:00+01:00"),
    ("be-wal", stamp("2099-12-31T23:59:59.990"), "2099-12-31T23:59:59.990000+01:00"),
]


@pytest.mark.parametrize(("profile", "moment", "expected"), SETTINGS)
def test_the_clock_is_set_with_and_without_a_deviation(
    profile: str, moment: CosemDateTime, expected: str
) -> None:
    """With one it is a moment of the world; without, the meter's own local time."""
    rig = Rig(profile)
    assert put(rig, moment) is DONE
    assert shown(rig) == expected


def test_hundredths_and_seconds_may_be_left_out() -> None:
    """Many clients do; they count as 0."""
    rig = Rig()
    date, time = CosemDate(2026, 11, 23), CosemTime(10, 15)
    assert put(rig, CosemDateTime(date, time)) is DONE
    assert shown(rig) == "2026-11-23T10:15:00+01:00"


@pytest.mark.parametrize("field", ["year", "month", "day", "hour", "minute"])
def test_a_wildcard_is_no_time_to_set(field: str) -> None:
    """There is no single moment that it means."""
    octets = bytearray(stamp("2026-11-23T10:15").to_bytes())
    place = {"year": 0, "month": 2, "day": 3, "hour": 5, "minute": 6}[field]
    octets[place : place + (2 if field == "year" else 1)] = (
        b"\xff\xff" if field == "year" else b"\xff"
    )
    rig = Rig()
    before = rig.kernel.state
    assert rig.set(catalogue.CLOCK, 8, octet_string(bytes(octets))) is TYPE
    assert rig.kernel.state is before


@pytest.mark.parametrize(
    "local", ["1999-12-31T23:59:59", "2100-01-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59"]
)
@pytest.mark.parametrize("deviation", [None, -840, 0, 840])
def test_a_year_outside_2000_to_2099_is_out_of_scope(local: str, deviation: int | None) -> None:
    """It is a mistake, whatever the deviation."""
    rig = Rig()
    before = rig.kernel.state
    assert put(rig, stamp(local, deviation)) is SCOPE
    assert rig.kernel.state is before


@pytest.mark.parametrize("octets", [b"", bytes(11), bytes(13), b"\x07\xea\x0d\x01" + bytes(8)])
def test_octets_that_are_no_date_time_are_type_unmatched(octets: bytes) -> None:
    """Not 12 of them, or a thirteenth month."""
    assert Rig().set(catalogue.CLOCK, 8, octet_string(octets)) is TYPE


def near_misses() -> st.SearchStrategy[bytes]:
    """Date-times with up to three octets replaced: most of them nearly right."""
    base = stamp("2026-11-23T10:15", -60, ClockStatus.OK).to_bytes()
    replaced = st.dictionaries(st.integers(0, 11), st.integers(0, 255), max_size=3)
    return replaced.map(lambda change: bytes(change.get(i, o) for i, o in enumerate(base)))


ONE = Rig()  # the same meter for all examples: whatever its clock says, it has to take the next


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=12, max_size=12) | near_misses())
@example(b"\xff" * 12)
@example(bytes(12))
@example(bytes.fromhex("0000 01 01 FF 00000000 0000 00"))  # the year 0
@example(bytes.fromhex("FFFE 01 01 FF 00000000 8000 FF"))  # the year 65534
@example(bytes.fromhex("07EA 02 1E FF 00000000 0000 00"))  # 30 February
@example(bytes.fromhex("07EA FE FE FF 00000000 0000 00"))
def test_any_12_octets_are_set_or_refused(octets: bytes) -> None:
    """Never an exception; what is set can be read back, and the meter goes on."""
    result = ONE.set(catalogue.CLOCK, 8, octet_string(octets))
    assert result in (DONE, TYPE, SCOPE)
    found = ONE.get(catalogue.CLOCK, 8)
    assert isinstance(found, Data)
    if result is DONE:
        given_, told = (CosemDateTime.from_bytes(o) for o in (octets, found.value))
        assert told.to_datetime() == given_.to_datetime(BRUSSELS).astimezone(UTC)
    assert ONE.last.wake_at > ONE.now


# --- adjusted and shifted ----------------------------------------------------------------------

# method, parameter, time before, time after
MOVES = [
    (1, integer(0), "12:07:29", "12:00:00"),
    (1, integer(0), "12:07:30", "12:15:00"),
    (2, integer(0), "12:52:30", "13:00:00"),
    (3, integer(0), "12:07:29", "12:07:00"),
    (3, integer(0), "12:07:30", "12:08:00"),
    (3, integer(0), "23:59:30", "00:00:00"),
    (6, long_(900), "12:07:29", "12:22:29"),
    (6, long_(-900), "12:07:29", "11:52:29"),
    (6, long_(0), "12:07:29", "12:07:29"),
]


@pytest.mark.parametrize(("index", "parameter", "before", "after"), MOVES)
def test_the_clock_moves_to_the_nearest_edge_or_by_seconds(
    index: int, parameter: Data, before: str, after: str
) -> None:
    """Half-way goes forward."""
    rig = Rig(start=f"2026-11-24T{before}")
    assert rig.act(catalogue.CLOCK, 8, index, parameter) is ActionResult.SUCCESS
    assert shown(rig)[11:19] == after


@pytest.mark.parametrize("seconds", [-32768, -901, 901, 32767])
def test_the_clock_is_not_shifted_by_more_than_a_quarter_of_an_hour(seconds: int) -> None:
    """Whoever wants more sets it."""
    rig = Rig()
    before = rig.kernel.state
    result = rig.act(catalogue.CLOCK, 8, 6, long_(seconds))
    assert result is ActionResult.SCOPE_OF_ACCESS_VIOLATED
    assert rig.kernel.state is before


# --- unknown -----------------------------------------------------------------------------------


def lost() -> Rig:
    """Return a meter whose flash held garbage: it does not know the time."""
    flash = MemoryFlash(2, 32 * 1024)
    flash.fill(bytes(range(256)) * 256)
    return Rig("il", "2026-11-26T12:00", flash=flash)


def status(rig: Rig) -> ClockStatus:
    """Return the clock status, which the stamps have to share."""
    plain = read(rig, 4)
    told = read(rig, 2)
    assert isinstance(plain, int)
    assert isinstance(told, bytes)
    assert told[11] == plain
    return ClockStatus(plain)


def test_an_unknown_clock_says_so_everywhere_until_it_is_set() -> None:
    """In its status, in every stamp, on the display; it is known again once it is set."""
    rig = lost()
    assert status(rig) is ClockStatus.INVALID
    assert Sign.CLOCK_UNKNOWN in rig.last.lcd.signs
    rig.boot()
    assert status(rig) is ClockStatus.INVALID
    assert put(rig, stamp("2026-07-01T12:00")) is DONE
    assert status(rig) is ClockStatus.DST
    assert Sign.CLOCK_UNKNOWN not in rig.last.lcd.signs


@pytest.mark.parametrize(
    ("index", "parameter"),
    [(1, integer(0)), (2, integer(0)), (3, integer(0)), (6, long_(60))],
)
def test_moving_an_unknown_clock_does_not_make_it_known(index: int, parameter: Data) -> None:
    """A minute more than nobody knows what: a household would be cut in a window for it."""
    rig = lost()
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.use(100_000)
    assert rig.act(catalogue.CLOCK, 8, index, parameter) is ActionResult.SUCCESS
    assert status(rig) is ClockStatus.INVALID
    assert rig.relay == "connected"
    assert put(rig, rig.stamp()) is DONE
    assert rig.relay == "ready_for_reconnection"


def test_no_day_is_captured_while_the_clock_is_unknown() -> None:
    """Nobody knows which day it would be."""
    rig = lost()
    rig.until("2026-11-28T12:00", 1000)
    assert not rig.kernel.state.days
    put(rig, rig.stamp())
    rig.until("2026-11-29T12:00")
    assert len(rig.kernel.state.days) == 1


# --- set across an edge ------------------------------------------------------------------------


def debtor(start: str) -> Rig:
    """Return an Israeli meter whose overdraft is used up as far as windows allow."""
    rig = Rig("il", start)
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.use(100_000)
    return rig


def test_a_clock_set_forward_past_the_end_of_a_window_cuts_at_once() -> None:
    """And one set forward to a moment before it does not."""
    rig = debtor("2026-11-28T12:00")
    assert put(rig, stamp("2026-11-28T17:29:59")) is DONE
    assert rig.relay == "connected"
    assert put(rig, stamp("2026-11-28T17:30")) is DONE
    assert rig.relay == "ready_for_reconnection"


def test_a_clock_set_back_into_a_window_brings_nothing_back() -> None:
    """A window blocks the cut; only money, or the end of prepayment, ends one."""
    rig = debtor("2026-11-28T17:30")
    assert rig.relay == "ready_for_reconnection"
    assert put(rig, stamp("2026-11-28T17:00")) is DONE
    assert rig.kernel.view.friendly
    assert rig.relay == "ready_for_reconnection"


def test_a_clock_set_into_a_window_protects_from_then_on() -> None:
    """Until it ends by the new time."""
    rig = Rig("il", "2026-11-26T12:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    put(rig, stamp("2026-11-28T17:29"))
    rig.use(100_000)
    assert rig.relay == "connected"
    assert rig.last.wake_at - rig.now == 60_000
    rig.now = rig.last.wake_at
    rig.tick()
    assert rig.relay == "ready_for_reconnection"


def test_an_edge_between_two_quarter_hours_is_kept_to_the_second() -> None:
    """The meter asks to be woken for it; sunset knows no quarter-hours."""
    start, end = (datetime(2026, 11, 26, 14, m, s, tzinfo=JERUSALEM) for m, s in ((7, 1), (22, 59)))
    rig = Rig("il", "2026-11-26T12:00", dated=(DatedWindow(start, end),))
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    rig.until("2026-11-26T14:07:01", 80_000)
    assert Sign.FRIENDLY in rig.last.lcd.signs
    rig.use(20_000)
    rig.until("2026-11-26T14:22:58")
    assert rig.relay == "connected"
    assert rig.last.wake_at == instant(end)
    rig.until("2026-11-26T14:22:59")
    assert rig.relay == "ready_for_reconnection"


def test_an_arm_expires_by_the_meters_own_clock() -> None:
    """Set forward past its expiry it lets no cut begin; set back it does again."""
    rig = Rig("be-wal", "2026-11-24T07:00")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(1, -300))
    rig.order(2, Kind.ARM, vendor.Arm(1, rig.stamp("2026-11-24T12:00")))
    put(rig, stamp("2026-11-24T12:00"))
    assert rig.relay == "connected"
    put(rig, stamp("2026-11-24T11:59:59"))
    assert rig.relay == "ready_for_reconnection"


def test_a_date_set_by_mistake_costs_no_day_once_it_is_put_right() -> None:
    """Set to 2090 for an hour, the meter goes on capturing days in 2026."""
    rig = Rig("be-wal", "2026-11-23T12:00")
    put(rig, stamp("2090-01-01T12:00"))
    put(rig, stamp("2026-11-23T12:00"))
    rig.until("2026-11-25T12:00", 1000)
    days = [str(rig.kernel.view.at(day.time).date()) for day in rig.kernel.state.days]
    assert days == ["2090-01-01", "2026-11-24", "2026-11-25"]


def test_a_day_that_begins_again_replaces_its_first_reading() -> None:
    """The reading that was taken under a wrong date would be priced by the head-end."""
    rig = Rig("be-wal", "2026-11-23T12:00")
    put(rig, stamp("2026-11-25T12:00"))
    assert [day.imported for day in rig.kernel.state.days] == [0]
    put(rig, stamp("2026-11-23T12:00"))
    rig.until("2026-11-24T12:00", 1000)
    rig.until("2026-11-25T12:00", 1000)
    days = [
        (str(rig.kernel.view.at(day.time).date()), day.imported) for day in rig.kernel.state.days
    ]
    assert days == [("2026-11-24", 1000), ("2026-11-25", 2000)]
    rig.boot()
    assert [day.imported for day in rig.kernel.state.days] == [1000, 2000]


# --- daylight saving ---------------------------------------------------------------------------


def jumps(zone: ZoneInfo, year: int) -> dict[bool, datetime]:
    """Return when the tz database lets daylight saving begin (True) and end, as UTC.

    Found by its own way: by halving the span between two days that differ.
    """
    found = {}
    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        early, late = day, day + timedelta(days=1)
        if early.astimezone(zone).utcoffset() != late.astimezone(zone).utcoffset():
            while late - early > timedelta(seconds=1):
                middle = early + (late - early) // 2
                same = middle.astimezone(zone).utcoffset() == early.astimezone(zone).utcoffset()
                early, late = (middle, late) if same else (early, middle)
            found[bool(late.astimezone(zone).dst())] = late
        day += timedelta(days=1)
    return found


@pytest.mark.parametrize("year", [2000, 2004, 2010, 2012, 2013, 2024, 2026, 2027, 2037, 2038, 2099])
@pytest.mark.parametrize(("profile", "zone"), [("be-wal", BRUSSELS), ("il", JERUSALEM)])
def test_daylight_saving_begins_and_ends_as_the_tz_database_has_it(
    profile: str, zone: ZoneInfo, year: int
) -> None:
    """Each edge is told in the local time that ends with it, without deviation or status."""
    rig = Rig(profile)
    assert put(rig, stamp(f"{year}-06-01T12:00")) is DONE
    expected = jumps(zone, year)
    assert set(expected) == {True, False}
    for index, begins in ((5, True), (6, False)):
        told = CosemDateTime.from_bytes(bytes(read(rig, index)))  # type: ignore[call-overload]  # an octet-string, or the test fails
        before = (expected[begins] - timedelta(hours=1)).astimezone(zone).utcoffset()
        assert before is not None
        local = (expected[begins] + before).replace(tzinfo=None, microsecond=0)
        assert told == CosemDateTime(
            CosemDate.from_date(local.date()), CosemTime.from_time(local.time())
        )


# year: begin and end in Brussels, then in Jerusalem; from public calendars
PINNED = {
    2024: ("03-31T02:00", "10-27T03:00", "03-29T02:00", "10-27T02:00"),
    2025: ("03-30T02:00", "10-26T03:00", "03-28T02:00", "10-26T02:00"),
    2026: ("03-29T02:00", "10-25T03:00", "03-27T02:00", "10-25T02:00"),
    2027: ("03-28T02:00", "10-31T03:00", "03-26T02:00", "10-31T02:00"),
}


@pytest.mark.parametrize("year", PINNED)
def test_daylight_saving_begins_and_ends_on_the_known_days(year: int) -> None:
    """So that the tz database's answer is not only compared with itself."""
    edges = [_dst_edges(zone, year) for zone in (BRUSSELS, JERUSALEM)]
    told = [CosemDateTime.from_bytes(edge).to_datetime() for pair in edges for edge in pair]
    assert [f"{moment:%m-%dT%H:%M}" for moment in told] == list(PINNED[year])


def test_a_zone_without_daylight_saving_has_no_edges() -> None:
    """Begin and end are not specified."""
    begin, end = _dst_edges(ZoneInfo("Asia/Kolkata"), 2026)
    assert begin == end == CosemDateTime().to_bytes()


@pytest.mark.parametrize(
    ("local", "deviation", "bits"),
    [
        ("2026-03-29T01:59:59", -60, 0x00),
        ("2026-03-29T03:00:00", -120, 0x80),
        ("2026-10-25T02:59:59", -120, 0x80),
        ("2026-10-25T03:00:00", -60, 0x00),
    ],
)
def test_the_time_tells_its_deviation_and_whether_daylight_saving_is_in_force(
    local: str, deviation: int, bits: int
) -> None:
    """To the second at both edges; the zone itself stays as it is."""
    rig = Rig(start=local)
    told = CosemDateTime.from_bytes(bytes(read(rig, 2)))  # type: ignore[call-overload]  # an octet-string, or the test fails
    assert (told.deviation, told.status) == (deviation, bits)
    assert (read(rig, 3), read(rig, 4)) == (-60, bits)


def test_the_repeated_hour_runs_through_both_times() -> None:
    """The meter counts UTC; an hour is an hour."""
    rig = Rig(start="2026-10-25T02:30")
    rig.now = instant(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    rig.tick()
    assert shown(rig) == "2026-10-25T02:30:00+01:00"


def test_anybody_may_ask_the_time() -> None:
    """Clients begin with it."""
    assert isinstance(Rig().get(catalogue.CLOCK, 8, caller=PUBLIC), Data)

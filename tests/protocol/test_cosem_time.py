"""COSEM dates and times: wildcards, special values, and the sign of the deviation."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cosem_time import (
    DAY_LAST,
    MONTH_DST_BEGIN,
    ClockStatus,
    CosemDate,
    CosemDateTime,
    CosemTime,
    WildcardError,
)
from protocol.errors import DecodeError, EncodeError
from tests.strategies import cosem_date_times, cosem_dates, cosem_times, moments

BRUSSELS = ZoneInfo("Europe/Brussels")
WINTER = bytes.fromhex("07EA 01 17 05 06 1E 0F 32 FFC4 00".replace(" ", ""))
SUMMER = bytes.fromhex("07EA 07 17 04 06 1E 0F 32 FF88 80".replace(" ", ""))


def test_winter_in_brussels_is_pinned() -> None:
    """Local time + deviation = UTC: the deviation is -60."""
    moment = datetime(2026, 1, 23, 6, 30, 15, 500_000, BRUSSELS)
    value = CosemDateTime.from_datetime(moment)
    assert value.to_bytes() == WINTER
    assert value.deviation == -60
    assert CosemDateTime.from_bytes(WINTER).to_datetime() == moment
    assert str(value) == "2026-01-23 06:30:15.50+01:00"


def test_summer_in_brussels_is_pinned() -> None:
    """The deviation is -120, and the status says that daylight saving is in force."""
    moment = datetime(2026, 7, 23, 6, 30, 15, 500_000, BRUSSELS)
    value = CosemDateTime.from_datetime(moment)
    assert value.to_bytes() == SUMMER
    assert value.status == ClockStatus.DST
    assert value.to_datetime().astimezone(UTC) == datetime(2026, 7, 23, 4, 30, 15, 500_000, UTC)


def test_a_status_keeps_its_bits_beside_daylight_saving() -> None:
    """An invalid clock in summer is both."""
    moment = datetime(2026, 7, 23, tzinfo=BRUSSELS)
    value = CosemDateTime.from_datetime(moment, ClockStatus.INVALID)
    assert value.status == ClockStatus.INVALID | ClockStatus.DST
    assert value.to_bytes()[-1] == 0x81


def test_everything_unspecified_is_pinned() -> None:
    """Each field has its own way of not being specified."""
    octets = bytes.fromhex("FFFF FF FF FF FF FF FF FF 8000 FF".replace(" ", ""))
    assert CosemDateTime().to_bytes() == octets
    assert CosemDateTime.from_bytes(octets) == CosemDateTime()
    assert CosemDateTime.from_bytes(octets).status is None
    assert str(CosemDateTime()) == "****-**-** **:**:**"


def test_the_last_sunday_of_october_is_pinned() -> None:
    """How a clock says when daylight saving ends, every year."""
    value = CosemDate(None, 10, DAY_LAST, 7)
    assert value.to_bytes().hex() == "ffff0afe07"
    assert CosemDate.from_bytes(value.to_bytes()) == value
    assert str(value) == "****-10-last"
    assert str(CosemDate(None, MONTH_DST_BEGIN, 1)) == "****-dst-begin-01"


@given(cosem_date_times())
def test_date_times_go_there_and_back(value: CosemDateTime) -> None:
    """With all wildcards, special values and status bits."""
    assert CosemDateTime.from_bytes(value.to_bytes()) == value
    assert len(value.to_bytes()) == 12
    assert str(value)


@given(cosem_dates(), cosem_times())
def test_dates_and_times_go_there_and_back(day: CosemDate, moment: CosemTime) -> None:
    """On their own they have 5 and 4 octets."""
    assert CosemDate.from_bytes(day.to_bytes()) == day
    assert CosemTime.from_bytes(moment.to_bytes()) == moment
    assert (len(day.to_bytes()), len(moment.to_bytes())) == (5, 4)


@given(moments())
def test_moments_go_there_and_back(moment: datetime) -> None:
    """To the hundredth, with their offset from UTC."""
    back = CosemDateTime.from_bytes(CosemDateTime.from_datetime(moment).to_bytes()).to_datetime()
    assert back == moment
    assert back.utcoffset() == moment.utcoffset()


@given(st.dates(), st.times())
def test_days_and_times_of_day_go_there_and_back(day: date, moment: time) -> None:
    """A day keeps its weekday; a time is cut to hundredths."""
    assert CosemDate.from_date(day).to_date() == day
    assert CosemDate.from_date(day).weekday == day.isoweekday()
    cut = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    assert CosemTime.from_time(moment).to_time() == cut


@given(st.binary(min_size=12, max_size=12))
def test_any_12_octets_are_a_date_time_or_a_decode_error(octets: bytes) -> None:
    """And whichever are one come out as the same octets."""
    try:
        value = CosemDateTime.from_bytes(octets)
    except DecodeError:
        return
    assert value.to_bytes() == octets


ALLOWED = {
    2: {*range(1, 13), 0xFD, 0xFE, 0xFF},
    3: {*range(1, 32), 0xFD, 0xFE, 0xFF},
    4: {*range(1, 8), 0xFF},
    5: {*range(24), 0xFF},
    6: {*range(60), 0xFF},
    7: {*range(60), 0xFF},
    8: {*range(100), 0xFF},
    11: {*range(256)},
}


@pytest.mark.parametrize("position", ALLOWED)
def test_each_octet_takes_its_values_and_no_others(position: int) -> None:
    """All 256 values of each field of one octet."""
    for octet in range(256):
        octets = WINTER[:position] + bytes((octet,)) + WINTER[position + 1 :]
        if octet in ALLOWED[position]:
            assert CosemDateTime.from_bytes(octets).to_bytes() == octets
        else:
            with pytest.raises(DecodeError, match="out of range"):
                CosemDateTime.from_bytes(octets)


@pytest.mark.parametrize(
    ("minutes", "fits"), [(-841, False), (-840, True), (840, True), (841, False)]
)
def test_a_deviation_is_at_most_14_hours(minutes: int, fits: bool) -> None:
    """Of either sign; 0x8000 is not a number of minutes."""
    octets = WINTER[:9] + minutes.to_bytes(2, "big", signed=True) + WINTER[11:]
    if fits:
        assert CosemDateTime.from_bytes(octets).deviation == minutes
    else:
        with pytest.raises(DecodeError, match="deviation"):
            CosemDateTime.from_bytes(octets)


@pytest.mark.parametrize("size", [0, 4, 5, 11, 13])
def test_a_wrong_number_of_octets_is_a_decode_error(size: int) -> None:
    """A date-time has 12 octets, a date 5, a time 4."""
    with pytest.raises(DecodeError, match="12 octets"):
        CosemDateTime.from_bytes(bytes(size))
    with pytest.raises(DecodeError, match="5 octets"):
        CosemDate.from_bytes(bytes(size + 6))
    with pytest.raises(DecodeError, match="4 octets"):
        CosemTime.from_bytes(bytes(size + 5))


@pytest.mark.parametrize(
    "value",
    [
        CosemDateTime(CosemDate(None, 1, 1), CosemTime(0, 0)),
        CosemDateTime(CosemDate(2026, None, 1), CosemTime(0, 0)),
        CosemDateTime(CosemDate(2026, 1, None), CosemTime(0, 0)),
        CosemDateTime(CosemDate(2026, 1, 1), CosemTime(None, 0)),
        CosemDateTime(CosemDate(2026, 1, 1), CosemTime(0, None)),
        CosemDateTime(CosemDate(2026, 10, DAY_LAST), CosemTime(0, 0)),
        CosemDateTime(CosemDate(2026, MONTH_DST_BEGIN, 1), CosemTime(0, 0)),
        CosemDateTime(CosemDate(2026, 2, 29), CosemTime(0, 0)),
        CosemDateTime(CosemDate(0, 1, 1), CosemTime(0, 0)),
    ],
    ids=str,
)
def test_what_is_no_single_moment_is_refused(value: CosemDateTime) -> None:
    """Wildcards, special values, and days that the calendar has not."""
    with pytest.raises(WildcardError):
        value.to_datetime()


def test_seconds_that_are_not_specified_count_as_zero() -> None:
    """Many clocks have no hundredths, and some no seconds."""
    value = CosemDateTime(CosemDate(2026, 1, 1), CosemTime(6, 30), -60)
    assert value.to_datetime() == datetime(2026, 1, 1, 5, 30, tzinfo=UTC)


def test_without_deviation_a_moment_is_naive_or_of_a_given_zone() -> None:
    """The zone is the profile's; the DST bit tells the two 02:30 of an October night apart."""
    night = CosemDate(2026, 10, 25), CosemTime(2, 30)
    naive = CosemDateTime(*night).to_datetime()
    assert naive.tzinfo is None
    first = CosemDateTime(*night, None, ClockStatus.DST).to_datetime(BRUSSELS)
    second = CosemDateTime(*night, None, ClockStatus.OK).to_datetime(BRUSSELS)
    assert first.utcoffset() == timedelta(hours=2)
    assert second.utcoffset() == timedelta(hours=1)


def test_the_deviation_wins_over_a_given_zone() -> None:
    """What the meter says of itself is better than what is assumed."""
    value = CosemDateTime(CosemDate(2026, 1, 1), CosemTime(6, 30), 0)
    assert value.to_datetime(BRUSSELS).utcoffset() == timedelta(0)


def test_a_moment_without_zone_or_of_odd_seconds_is_an_encode_error() -> None:
    """A naive time would be somebody's guess; an offset counts whole minutes."""
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    odd = datetime(2026, 1, 1, tzinfo=timezone(timedelta(seconds=1050)))
    for moment in (naive, odd):
        with pytest.raises(EncodeError):
            CosemDateTime.from_datetime(moment)


def test_fields_out_of_range_are_an_encode_error() -> None:
    """Each constructor checks."""
    with pytest.raises(EncodeError, match="month 13"):
        CosemDate(2026, 13, 1)
    with pytest.raises(EncodeError, match="year 65535"):
        CosemDate(0xFFFF, 1, 1)
    with pytest.raises(EncodeError, match="hour 24"):
        CosemTime(24, 0)
    with pytest.raises(EncodeError, match="deviation"):
        CosemDateTime(deviation=-0x8000)

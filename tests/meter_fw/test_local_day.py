"""The local day of a moment, as the calendar of its zone has it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.local_day import LocalDay

#: The profiles' zones; one whose clocks change at midnight, forwards and back; one that once did
#: it at a minute past.
ZONES = ["Europe/Brussels", "Asia/Jerusalem", "America/Asuncion", "America/St_Johns", "UTC"]


def by_the_zone(seconds: int, zone: str) -> int:
    """Return it without remembering anything."""
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).toordinal()


@given(
    st.sampled_from(ZONES),
    st.integers(-86_400, 4_000_000_000),
    st.lists(st.integers(-200_000, 200_000), max_size=20),
)
def test_a_day_is_the_zones_in_whatever_order_it_is_asked(
    zone: str, start: int, steps: list[int]
) -> None:
    """Forwards, backwards and again."""
    day = LocalDay(ZoneInfo(zone))
    for step in [0, *steps]:
        start += step
        assert day.of(start) == by_the_zone(start, zone)


@pytest.mark.parametrize("zone", ZONES)
def test_each_edge_of_two_years_of_days_is_met_to_the_second(zone: str) -> None:
    """Days of 23 and 25 hours too, and a midnight that does not exist or comes twice."""
    day = LocalDay(ZoneInfo(zone))
    start = 1_230_000_000  # at the end of 2008
    for quarter in range(start, start + 2 * 366 * 86_400, 900):
        quarter -= quarter % 900
        for seconds in (quarter - 1, quarter, quarter + 60):
            if day.of(seconds) != by_the_zone(seconds, zone):
                pytest.fail(f"{zone}, {seconds}")

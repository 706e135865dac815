"""What an adversary found: options that ended the simulator with a traceback."""

import sys
from datetime import datetime
from pathlib import Path
from selectors import DefaultSelector

import pytest

from prepay.keys import LAB_KEYS
from prepay.profile import load_profile
from protocol.timing import Instant
from sim.making import OptionError, make_factory
from sim.meter import Options, run_meter
from sim.ports import open_port
from sim.ports.base import PortError


def test_a_speed_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """It is not below 0 and not above the greatest, so a range lets it pass."""
    with pytest.raises(OptionError, match="above 0"):
        run_meter(Options(speed=float("nan"), state=tmp_path / "state"), sys.stdout)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("host", ["é" + "." * 300, "é" * 64], ids=["dots", "long label"])
def test_a_host_that_no_name_can_be_is_no_port(host: str) -> None:
    """IDNA refuses it before anybody is asked."""
    with DefaultSelector() as selector, pytest.raises(PortError, match="no name"):
        open_port(f"tcp:{host}:0", selector)


@pytest.mark.parametrize("moment", ["2025-10-02T12:00", "2026-09-21T12:00", "2033-10-03T12:00"])
def test_a_meter_knows_the_holidays_of_ten_years_from_the_year_before(moment: str) -> None:
    """Days of Atonement: of the year before, of the same year, and seven years later."""
    profile = load_profile("il")
    start = Instant(1_795_269_600_000)  # 2026-11-21
    calendar = make_factory(profile, "OPP1", LAB_KEYS, start).calendar
    at = datetime.fromisoformat(moment).replace(tzinfo=profile.zone)
    assert calendar.covers(at)
    assert calendar.complete(at)
    assert not calendar.complete(at.replace(year=2019))  # its clock may be set anywhere
    assert not calendar.complete(at.replace(year=2054))

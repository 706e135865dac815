"""Writes ``household.csv``: a week of the built-in synthetic household with seed 1.

Run it as ``python -m sim.data.make_household > sim/data/household.csv``.
"""

import csv
import sys
from datetime import UTC, datetime, timedelta
from typing import TextIO

from sim.load import DAY_QUARTERS, QUARTER, Household

#: The household's seed, and a Monday; UTC has no clock change in the middle.
SEED = 1
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def write(out: TextIO) -> None:
    """Write the header and the 672 quarter-hours of a week, Monday first."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["time", "watt_hours"])
    household = Household(SEED, UTC)
    first = int(MONDAY.timestamp()) * 1000 // QUARTER
    for step in range(7 * DAY_QUARTERS):
        local = MONDAY + timedelta(minutes=15 * step)
        rows.writerow([f"{local:%a %H:%M}", household.quarter(first + step)])


if __name__ == "__main__":
    write(sys.stdout)

"""What is fixed when a meter is made and commissioned, and given to the firmware at each boot.

On a real meter this is the write-protected part of its memory. What the meter itself changes
lives in the journal instead.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

from meter_fw.local_day import LocalDay
from meter_fw.relay import MODES
from meter_fw.terms import InForce
from prepay.friendly import CalendarKind
from prepay.keys import MeterKeys
from prepay.profile import Profile
from prepay.schedule import Schedule, Tables, weekly_entries

#: The firmware's own version, as 1-0:0.2.0 shows it.
FIRMWARE_VERSION = "openprepay 0.1"
#: Octets that a logical device name may have.
MAX_NAME = 16


@dataclass(frozen=True, slots=True)
class Factory:
    """One meter's fixed data.

    Args:
        profile: the rules and the device that it follows.
        name: logical device name, 1 to 16 ASCII characters, the maker's three letters first.
        serial: serial number, ASCII.
        system_title: 8 octets, unique to the meter: no two may share it under one key.
        keys: its secrets.
        windows: the friendly windows, filled in at commissioning for years around; None for the
            weekly ones of the profile, and where that needs more, for tables complete at no time.
        physical: HDLC physical (lower) address.
        shared_line: other meters hang on the same HDLC line.
        push_to: where the meter pushes to until a head-end says otherwise, as in
            "udp:192.0.2.7:4059" or "tcp:192.0.2.7:4059"; empty for nowhere.

    Raises:
        ValueError: a name, a system title or a control mode that no meter has.
    """

    profile: Profile
    name: str
    serial: str
    system_title: bytes
    keys: MeterKeys
    windows: Schedule | None = None
    physical: int = 1
    shared_line: bool = False
    push_to: str = ""
    calendar: Schedule = field(init=False, compare=False)
    in_force: InForce = field(init=False, compare=False, repr=False)
    local_day: LocalDay = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.name.isascii() and 1 <= len(self.name) <= MAX_NAME):
            raise ValueError(f"a logical device name has 1 to {MAX_NAME} ASCII characters")
        if len(self.system_title) != 8:
            raise ValueError("a system title has 8 octets")
        if self.profile.relay_control_mode not in MODES:
            raise ValueError(f"no control mode {self.profile.relay_control_mode} on this relay")
        object.__setattr__(self, "calendar", self.windows or _weekly(self.profile))
        object.__setattr__(self, "in_force", InForce(self.profile.account))
        object.__setattr__(self, "local_day", LocalDay(self.profile.zone))

    @property
    def zone(self) -> ZoneInfo:
        """Where the wall clock hangs."""
        return self.profile.zone


@cache
def _weekly(profile: Profile) -> Schedule:
    """Return what a profile's own file says of windows; meters of one profile share it."""
    more = profile.sabbath or profile.holidays is not CalendarKind.NONE
    until = datetime(1970, 1, 1, tzinfo=UTC) if more else None
    entries = tuple(weekly_entries(profile.weekly))
    return Schedule(profile.zone, Tables(entries, complete_until=until))

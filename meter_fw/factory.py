"""What is fixed when a meter is made and commissioned, and given to the firmware at each boot.

On a real meter this is the write-protected part of its memory. What the meter itself changes
lives in the journal instead.
"""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from meter_fw.relay import MODES
from prepay.friendly import DatedWindow, FriendlyCalendar
from prepay.keys import MeterKeys
from prepay.profile import Profile

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
        dated: dated friendly windows in order, filled in at commissioning for years around.
        physical: HDLC physical (lower) address.
        shared_line: other meters hang on the same HDLC line.
        calendar_until: until when the dated windows are complete; None when none are needed.
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
    dated: tuple[DatedWindow, ...] = ()
    physical: int = 1
    shared_line: bool = False
    calendar_until: datetime | None = None
    push_to: str = ""
    calendar: FriendlyCalendar = field(init=False)

    def __post_init__(self) -> None:
        if not (self.name.isascii() and 1 <= len(self.name) <= MAX_NAME):
            raise ValueError(f"a logical device name has 1 to {MAX_NAME} ASCII characters")
        if len(self.system_title) != 8:
            raise ValueError("a system title has 8 octets")
        if self.profile.relay_control_mode not in MODES:
            raise ValueError(f"no control mode {self.profile.relay_control_mode} on this relay")
        calendar = self.profile.calendar(self.dated, self.calendar_until)
        object.__setattr__(self, "calendar", calendar)

    @property
    def zone(self) -> ZoneInfo:
        """Where the wall clock hangs."""
        return self.profile.zone

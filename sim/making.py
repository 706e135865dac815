"""What every simulated meter is made with: name, serial number, flash, and the day it begins.

A meter alone, one on a bus and one that is only explained are made alike, so that each is found
again under its name.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from shlex import quote
from zoneinfo import ZoneInfo

from meter_fw.factory import MAX_NAME, Factory
from prepay.calendars import commissioned
from prepay.keys import MeterKeys
from prepay.profile import Profile
from protocol.timing import Instant
from sim.load import YEARS

#: The flash of every simulated meter: two erase blocks, used in turn.
FLASH_BLOCKS = 2
FLASH_BLOCK_SIZE = 65536
#: The profile and the seed of a meter that is given none.
DEFAULT_PROFILE = "be-wal"
DEFAULT_SEED = 1
#: What a meter says whose keys everybody knows.
OPEN_SECRET = (
    "  keys: the lab's, known to everybody; --keys FILE replaces them (prepay-sim keys --new)"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OptionError(ValueError):
    """The value of an option does not fit."""


def keys_option(path: Path | None) -> str:
    """Return what a call of the head-end has to say of a meter's key file; empty without one."""
    return "" if path is None else f" --keys {quote(str(path))}"


def make_factory(profile: Profile, name: str, keys: MeterKeys, start: Instant) -> Factory:
    """Return what a new meter is made with: serial number and system title follow its name.

    Args:
        profile: its profile.
        name: its logical device name.
        keys: its secrets.
        start: when it is commissioned; its calendar is that of these years.

    Raises:
        OptionError: the name does not fit.
    """
    if not (1 <= len(name) <= MAX_NAME and name.isascii() and name.isprintable()):
        raise OptionError(f"a meter's name has 1 to {MAX_NAME} ASCII characters: {name!a}")
    made = (_EPOCH + timedelta(milliseconds=start)).astimezone(profile.zone).date()
    digest = blake2b(name.encode(), digest_size=5).digest()
    return Factory(
        profile=profile,
        name=name,
        serial=f"{int.from_bytes(digest, 'big'):013}",
        system_title=b"OPP" + digest,
        keys=keys,
        windows=commissioned(profile, made),
    )


def derive_name(profile: str, seed: int) -> str:
    """Return a logical device name: OPP and 13 digits that follow from profile and seed."""
    digest = blake2b(f"{profile} {seed}".encode(), digest_size=8).digest()
    return f"OPP{int.from_bytes(digest, 'big') % 10**13:013}"


def first_moment(start: datetime | None, zone: ZoneInfo) -> Instant:
    """Return when a world begins: as told, in ``zone`` unless it says another, or now.

    Raises:
        OptionError: no meter lives then.
    """
    if start is None:
        return Instant((datetime.now(UTC) - _EPOCH) // timedelta(milliseconds=1))
    if start.year not in YEARS:
        raise OptionError(f"no meter lives in the year {start.year}")
    local = start if start.tzinfo else start.replace(tzinfo=zone)
    return Instant((local - _EPOCH) // timedelta(milliseconds=1))

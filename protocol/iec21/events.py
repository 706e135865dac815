"""What the two halves of IEC 62056-21 tell their owners."""

from msgspec import Struct

from protocol.iec21.datasets import DataSet
from protocol.iec21.messages import Identification


class BaudSwitch(Struct, frozen=True):
    """From now on the line runs at another rate. Where there is none it is only noted."""

    baud: int


class Octets(Struct, frozen=True):
    """Octets that are not of this protocol any more: HDLC, after mode E."""

    octets: bytes


# --- the device's ------------------------------------------------------------------------------


class DataWanted(Struct, frozen=True):
    """A reader wants data: the owner gives them with ``TariffDevice.give``.

    Args:
        address: of the register; None is the whole readout.
    """

    address: str | None = None


class PasswordTried(Struct, frozen=True):
    """A reader has given a password in the programming mode; ``good`` if it was the right one."""

    good: bool


class SessionEnded(Struct, frozen=True):
    """HDLC is over: the device waits for a request again."""


# --- the reader's ------------------------------------------------------------------------------


class Identified(Struct, frozen=True):
    """A device has answered."""

    identification: Identification


class Readout(Struct, frozen=True):
    """A whole readout, checked. The session is over."""

    identification: Identification
    sets: tuple[DataSet, ...]


class Unlocked(Struct, frozen=True):
    """The device took the password; commands may be sent."""


class Answered(Struct, frozen=True):
    """The answer to a command; without data sets it was only acknowledged."""

    sets: tuple[DataSet, ...] = ()


class Refused(Struct, frozen=True):
    """The device refused.

    Args:
        reason: for a human.
        over: with a break: the session is over. Otherwise it goes on.
    """

    reason: str
    over: bool


class HdlcBegun(Struct, frozen=True):
    """Both sides speak HDLC from now on; ``octets`` came already."""

    octets: bytes


class Failed(Struct, frozen=True):
    """Nobody answered, or nothing that could be understood. The session is over."""

    reason: str


DeviceEvent = BaudSwitch | Octets | DataWanted | PasswordTried | SessionEnded
ReaderEvent = BaudSwitch | Identified | Readout | Unlocked | Answered | Refused | HdlcBegun | Failed

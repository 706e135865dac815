"""What the two halves of IEC 62056-21 tell their owners."""

from dataclasses import dataclass

from protocol.iec21.datasets import DataSet
from protocol.iec21.messages import Identification


@dataclass(frozen=True, slots=True)
class BaudSwitch:
    """From now on the line runs at another rate. Where there is none it is only noted."""

    baud: int


@dataclass(frozen=True, slots=True)
class Octets:
    """Octets that are not of this protocol any more: HDLC, after mode E."""

    octets: bytes


# --- the device's ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataWanted:
    """A reader wants data: the owner gives them with ``TariffDevice.give``.

    Args:
        address: of the register; None is the whole readout.
    """

    address: str | None = None


@dataclass(frozen=True, slots=True)
class PasswordTried:
    """A reader has given a password in the programming mode; ``good`` if it was the right one."""

    good: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """HDLC is over: the device waits for a request again."""


# --- the reader's ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identified:
    """A device has answered."""

    identification: Identification


@dataclass(frozen=True, slots=True)
class Readout:
    """A whole readout, checked. The session is over."""

    identification: Identification
    sets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The device took the password; commands may be sent."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a command; without data sets it was only acknowledged."""

    sets: tuple[DataSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The device refused.

    Args:
        reason: for a human.
        over: with a break: the session is over. Otherwise it goes on.
    """

    reason: str
    over: bool


@dataclass(frozen=True, slots=True)
class HdlcBegun:
    """Both sides speak HDLC from now on; ``octets`` came already."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody answered, or nothing that could be understood. The session is over."""

    reason: str


DeviceEvent = BaudSwitch | Octets | DataWanted | PasswordTried | SessionEnded
ReaderEvent = BaudSwitch | Identified | Readout | Unlocked | Answered | Refused | HdlcBegun | Failed

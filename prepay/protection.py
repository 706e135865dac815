"""Protected customers: minimum supply in place of a cut, its six months, and the winter.

A protected customer who has used everything up is not cut: the limiter holds the household to a
few hundred watts instead, which runs a refrigerator and a lamp and no oven. Two clocks belong to
it, and both run in local dates:

- so many months after the customer was placed under protection, the meter says *recurrent
  defaulter*, once. It does nothing else: what follows is for people;
- in winter no operator ends minimum supply. It ends by payment at any time.
"""

from calendar import monthrange
from datetime import date

from msgspec import Struct

_LEAP = 2000  # a year in which every day of the calendar exists


class Winter(Struct, frozen=True):
    """The days of a year on which minimum supply is not withdrawn, both ends included.

    Args:
        first: month and day, e.g. (11, 1).
        last: month and day; before ``first`` it is one of the next year.

    Raises:
        ValueError: no such day.
    """

    first: tuple[int, int]
    last: tuple[int, int]

    def __post_init__(self) -> None:
        for month, day in (self.first, self.last):
            date(_LEAP, month, day)  # refuses what is no day

    @classmethod
    def parse(cls, first: str, last: str) -> "Winter":
        """Return a winter of texts such as "11-01" and "03-15".

        Raises:
            ValueError: they are none.
        """
        return cls(_month_and_day(first), _month_and_day(last))

    def covers(self, day: date) -> bool:
        """Say whether a local date lies in it."""
        here = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last


class ProtectionRules(Struct, frozen=True):
    """What a profile says of protected customers.

    Args:
        threshold: W that minimum supply allows.
        over: s above it after which the limiter opens the relay.
        rest: s after which it closes the relay again.
        months: after so many a customer is a recurrent defaulter.
        winter: when minimum supply is not withdrawn.

    Raises:
        ValueError: a figure that no limiter can work with.
    """

    threshold: int
    over: int
    rest: int
    months: int
    winter: Winter

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1 << 31:
            raise ValueError("threshold_w: some power has to be left")
        if not (0 <= self.over <= 86_400 and 0 < self.rest <= 86_400):
            raise ValueError("over, rest: at most a day, and a rest is not nothing")
        if not 0 < self.months <= 120:
            raise ValueError("months: 1 to 120")


def recurrent_on(since: date, months: int) -> date:
    """Return the local date on which a customer is a recurrent defaulter.

    It is the same day of a later month, or that month's last where it has no such day.

    Args:
        since: when the customer was placed under protection.
        months: of the profile.
    """
    year, month = divmod(since.year * 12 + since.month - 1 + months, 12)
    return date(year, month + 1, min(since.day, monthrange(year, month + 1)[1]))


def _month_and_day(text: str) -> tuple[int, int]:
    month, dash, day = text.partition("-")
    if not (dash and len(text) == 5 and text.isascii() and (month + day).isdigit()):
        raise ValueError(f"{text[:20]!a} is no month and day such as 11-01")
    return int(month), int(day)

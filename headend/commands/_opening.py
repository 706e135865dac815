"""What activate is told of an account that is not new: balance, debts, anchor, moment."""

from contextlib import suppress
from datetime import date, datetime

from headend.commands._amounts import amount_of
from headend.errors import UsageError
from headend.line import Line
from headend.plans.openings import Opening
from headend.times import iso
from prepay.profile import Profile
from protocol.cosem_time import WildcardError


def written(text: str | None) -> datetime | None:
    """Return a moment as it is written, before any meter's clock is known.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no moment such as 2026-12-31T08:00") from None


def moment(line: Line, text: str | None) -> datetime | None:
    """Return a planned moment, by the meter's wall clock unless it says its offset.

    A meter carries out at once what is overdue, so a date that was mistyped would end an account.

    Raises:
        UsageError: it is none, or it is over.
    """
    found = written(text)
    if text is None or found is None:
        return None
    planned = found.replace(tzinfo=line.profile.zone) if found.tzinfo is None else found
    with suppress(WildcardError):  # a clock that was never set says nothing of what is over
        now = line.device.clock().to_datetime(line.profile.zone)
        if planned.timestamp() < now.timestamp():  # of two times of one zone as well
            raise UsageError(
                f"{text[:40]} is over, by the meter's clock it is {iso(now)}: "
                "leave out --at to do it now"
            )
    return planned


def check_form(
    profile: Profile | None,
    *,
    balance: str | None,
    debts: tuple[str, ...],
    anchor: str | None,
    at: str | None,
) -> None:
    """Refuse what no meter could be told, or none of its profile, before it is called for it.

    Args:
        profile: of the meter; None where the meter is to say.
        balance, debts, anchor, at: as ``opening``.

    Raises:
        UsageError: an amount, a date or a moment that is none, or a debt without its amount, or
            that the profile has not.
    """
    if balance is not None:
        _amount(profile, balance)
    if profile is not None:
        _debts(profile, debts)
    for each in debts:
        _amount(profile, _named(each)[1])
    _day(anchor)
    written(at)


def opening(
    line: Line,
    *,
    balance: str | None,
    debts: tuple[str, ...],
    anchor: str | None,
    at: str | None,
) -> Opening:
    """Return what the options of activate say.

    Raises:
        UsageError: an amount, a date or a moment that is none, or a debt that the profile has not.
    """
    brought = 0 if balance is None else _amount(line.profile, balance)
    return Opening(brought, _debts(line.profile, debts), _day(anchor), moment(line, at))


def _debts(profile: Profile, texts: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return slot and amount of each debt, as a profile has them."""
    pairs = tuple(_debt(profile, each) for each in texts)
    if len({slot for slot, _ in pairs}) != len(pairs):
        raise UsageError("a debt is there twice")
    return pairs


def _debt(profile: Profile, text: str) -> tuple[int, int]:
    name, amount = _named(text)
    rules = profile.account
    known = [charge.name for charge in rules.charges if charge.is_debt]
    if name not in known:
        names = ", ".join(known) or "none"
        raise UsageError(f"{text[:40]!r} is no debt such as NAME=25.00; of this profile: {names}")
    owed = _amount(profile, amount)
    if owed < 0:
        raise UsageError(f"{text[:40]!r}: a debt is not below 0")
    return rules.slot_of(name), owed


def _named(text: str) -> tuple[str, str]:
    name, equals, amount = text.partition("=")
    if not equals:
        raise UsageError(f"{text[:40]!r} is no debt such as NAME=25.00")
    return name, amount


def _amount(profile: Profile | None, text: str) -> int:
    currency = None if profile is None else profile.currency
    return amount_of(text, currency, signed=True, zero=True)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no date such as 2026-12-31") from None

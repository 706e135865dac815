"""Show or set the limiter: how much power a supply may take."""

from typing import Any, Final

import click

from headend.cli import with_context
from headend.commands._settings import get, number, put
from headend.context import Context
from headend.device import Device
from headend.errors import UsageError
from headend.reach import reached
from headend.report import Report
from obis import catalogue
from protocol.axdr import Data
from protocol.events import AttributeRef

PRIORITY = 20

_CLASS: Final = 71
_ACTIVE, _NORMAL, _EMERGENCY, _OVER, _UNDER, _IN_EMERGENCY = 3, 4, 5, 6, 7, 10
_WATTS: Final = click.IntRange(0, 0xFFFF_FFFF)


@click.command("limiter")
@click.option("--normal", type=_WATTS, metavar="W", help="Threshold, in W; 0 is none.")
@click.option("--emergency", type=_WATTS, metavar="W", help="Threshold in an emergency; 0: none.")
@click.option("--over", type=_WATTS, metavar="S", help="Seconds above it before the relay opens.")
@click.option("--under", type=_WATTS, metavar="S", help="Seconds before the relay closes again.")
@with_context
def command(
    context: Context,
    normal: int | None,
    emergency: int | None,
    over: int | None,
    under: int | None,
) -> Report:
    """Show the limiter, or set what is given of it.

    A threshold of 0 limits nothing. Minimum supply, which is a customer's due in place of a cut,
    is not set here: see prepay protect.

    Example: prepay --port serial:./meter0 limiter

    Example: prepay --port serial:./meter0 limiter --normal 5000 --over 300
    """
    return limiter(context, {_NORMAL: normal, _EMERGENCY: emergency, _OVER: over, _UNDER: under})


def limiter(context: Context, wanted: dict[int, int | None] | None = None) -> Report:
    """Show the limiter of the meter at the context's port, after setting what is wanted.

    Durations are written before thresholds, so that none is in force with those of before; what
    is so already is not written.

    Args:
        context: the run of the command.
        wanted: values by the number of their attribute in class 71, W or s; None stays.

    Raises:
        UsageError: a value that the meter's type does not hold.
        Refused: the meter has no limiter, or does not take it.
        NoAnswer: some of it may have been written; the same command again completes it.
    """
    asked = {index: value for index, value in (wanted or {}).items() if value is not None}
    if not asked.keys() <= {_NORMAL, _EMERGENCY, _OVER, _UNDER}:
        raise UsageError("of the limiter thresholds and durations are set")
    with reached(context) as device:
        for index in sorted(asked, key=lambda each: each in (_NORMAL, _EMERGENCY)):
            held = number(device, _ref(index))  # a threshold has the type of what is watched
            put(device, _ref(index), Data(held.tag, asked[index]), held=held)
        return _report(device, changed=bool(asked))


def _ref(index: int) -> AttributeRef:
    return AttributeRef(_CLASS, catalogue.LIMITER, index)


def _report(device: Device, *, changed: bool) -> Report:
    rows = (
        ("threshold_active", _ACTIVE),
        ("threshold_normal", _NORMAL),
        ("threshold_emergency", _EMERGENCY),
        ("over", _OVER),
        ("under", _UNDER),
    )
    data: dict[str, Any] = {name: number(device, _ref(index)).value for name, index in rows}
    data["emergency_profile_active"] = bool(get(device, _ref(_IN_EMERGENCY)).value)
    lines = (
        ("written and read back; " if changed else "") + f"in force: {_watts(data, 'active')}",
        f"normally {_watts(data, 'normal')}, in an emergency {_watts(data, 'emergency')}"
        + (", which is now" if data["emergency_profile_active"] else ""),
        f"the relay opens after {data['over']} s above it, and closes again after "
        f"{data['under']} s",
    )
    return Report(data, lines)


def _watts(data: dict[str, Any], which: str) -> str:
    found = data[f"threshold_{which}"]
    return f"{found} W" if found else "no threshold"

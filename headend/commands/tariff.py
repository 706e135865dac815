"""Show what charges cost, or change the prices of one, now or at a moment."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

import click
from msgspec import Struct

from headend.cli import with_context
from headend.commands._opening import moment, written
from headend.commands._settings import get, put
from headend.context import Context
from headend.device import Device
from headend.errors import Refused, UsageError
from headend.line import Line, open_line
from headend.reading.objects import refusal
from headend.report import Report
from headend.times import meter_iso
from obis import catalogue
from obis.code import ObisCode
from prepay.charge import ChargeType
from protocol.axdr import integer, octet_string
from protocol.cosem.charge import UNIT_CHARGE
from protocol.cosem.types import TypeMismatch
from protocol.cosem_time import CosemDateTime
from protocol.errors import ActionRefused, ProtocolError
from protocol.events import AttributeRef, MethodRef

PRIORITY = 20

_CHARGE: Final = 113
_ACTIVE, _PASSIVE, _TIME = 5, 6, 7
_TAKE_OVER: Final = 2
#: A price on the wire is 16 bits, and a power of ten beside it.
_LEAST, _MOST = -(1 << 15), (1 << 15) - 1
_FINEST: Final = 9
#: For who wants another price where the head-end has the profile's.
_DO: Final = "prices are set at a meter that keeps its balance itself: prepay mode local"


@click.command("tariff", context_settings={"ignore_unknown_options": True})  # "-0.10" is a price
@click.argument("charge", required=False)
@click.argument("prices", nargs=-1)
@click.option(
    "--at", metavar="TIME", help="Let them take over then, by the meter's clock: 2027-01-01T00:00."
)
@with_context
def command(
    context: Context, charge: str | None, prices: tuple[str, ...], at: str | None
) -> Report:
    """Show what the charges of a meter cost, or change the PRICES of one CHARGE.

    A price is per kWh, per period or per payment, in the currency of the account; a charge by
    rates takes as many as it has. Without --at they take over at once: energy that was used until
    then is charged for at the old price. A change that is planned is replaced by the next one.

    Example: prepay --port serial:./meter0 tariff

    Example: prepay --port serial:./meter0 tariff energy 0.2841 --at 2027-01-01T00:00

    Next: prepay tariff shows what waits.
    """
    return tariff(context, charge, prices, at)


class _Prices(Struct, frozen=True):
    """The price list of a charge, as class 113 carries it."""

    commodity_scale: int
    scale: int
    reference: tuple[int, bytes, int]
    table: tuple[tuple[bytes, int], ...]

    @property
    def plain(self) -> list[Decimal]:
        """The prices as people write them."""
        return [Decimal(price).scaleb(self.scale) for _, price in self.table]

    def of(self, prices: list[Decimal]) -> "_Prices":
        """Return the list with other prices, at the coarsest scale that has all their digits.

        Raises:
            UsageError: another number of prices, or one that does not fit 16 bits.
        """
        if len(prices) != len(self.table):
            raise UsageError(f"{len(prices)} prices for a charge that has {len(self.table)}")
        digits = [int(price.normalize().as_tuple().exponent) for price in prices if price]
        scale = min(digits, default=0)
        values = [int(price.scaleb(-scale)) for price in prices]
        if scale < -_FINEST or not all(_LEAST <= value <= _MOST for value in values):
            raise UsageError("prices take 16 bits together with their scale: fewer digits")
        names = [name for name, _ in self.table]
        table = tuple(zip(names, values, strict=True))
        return _Prices(self.commodity_scale, scale, self.reference, table)

    @property
    def data(self) -> Any:
        """As the attribute carries it."""
        scaling = (self.commodity_scale, self.scale)
        return UNIT_CHARGE.to_data((scaling, self.reference, list(self.table)))


def tariff(
    context: Context, charge: str | None = None, prices: tuple[str, ...] = (), at: str | None = None
) -> Report:
    """Show the prices of the meter at the context's port, or change those of one charge.

    Whatever waits is taken back first, then the passive list is written, and its activation last:
    a command that breaks off leaves the prices in force, and the same one again completes it.

    Args:
        context: the run of the command.
        charge: its name in the profile, or its number; None shows all.
        prices: decimal, as many as the charge has.
        at: when they take over, ISO 8601; None is now.

    Raises:
        UsageError: no such charge, no prices, no moment, or one that is over.
        Refused: the head-end prices for this meter, or the meter does not take them.
        NoAnswer: some of it may have been written; the same command again completes it.
    """
    wanted = [_price(text) for text in prices]
    if bool(charge) is not bool(wanted) or (at is not None and not wanted):
        raise UsageError("a CHARGE and its PRICES, or neither to see them all")
    written(at)  # what is no moment, before the meter is called for it
    with open_line(context) as line:
        known = _charges(line.device)
        if charge is not None:
            if not known:
                raise Refused(
                    "the head-end prices for this meter, by its profile: there is no tariff to "
                    f"change at the meter. {_DO}, then the same again"
                )
            name = _find(line, charge, known)
            _change(line, name, wanted, at)
        return _report(line, known)


def _price(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or len(text) > 24 or abs(found) > 1_000_000_000:
        raise UsageError(f"{text[:40]!r} is no price such as 0.2841")
    return found


def _charges(device: Device) -> list[ObisCode]:
    """Return the charges that the meter collects, by its account."""
    found = device.get(catalogue.ACCOUNT, 111, 10)
    try:
        return [ObisCode.from_bytes(each.value) for each in found.value]
    except (TypeError, ValueError) as error:
        raise Refused("the meter's list of charges is none") from error


def _find(line: Line, text: str, known: list[ObisCode]) -> ObisCode:
    names = [_name(line, code) for code in known]
    numbers = [str(number) for number in range(len(known))]
    at = next((each.index(text) for each in (names, numbers) if text in each), None)
    if at is None:
        raise UsageError(f"{text[:40]!r} is no charge of this meter: {', '.join(names)}")
    return known[at]


def _name(line: Line, code: ObisCode) -> str:
    slot = catalogue.CHARGES.index(code) if code in catalogue.CHARGES else -1
    charges = line.profile.account.charges
    return charges[slot].name if 0 <= slot < len(charges) else str(code)


def _list(device: Device, code: ObisCode, index: int) -> _Prices:
    try:
        (commodity, scale), reference, table = UNIT_CHARGE.from_data(
            get(device, AttributeRef(_CHARGE, code, index))
        )
    except TypeMismatch as error:
        raise Refused(f"{code} holds no price list: {error}") from error
    return _Prices(commodity, scale, reference, tuple(table))


def _change(line: Line, code: ObisCode, wanted: list[Decimal], at: str | None) -> None:
    device = line.device
    active, passive = _list(device, code, _ACTIVE), _list(device, code, _PASSIVE)
    asked = active.of(wanted)
    never = octet_string(CosemDateTime().to_bytes())
    begins = never if at is None else octet_string(_stamp(line, at))
    time = AttributeRef(_CHARGE, code, _TIME)
    waits = get(device, time)
    if at is not None and passive == asked and waits == begins:
        return  # it has been said already, and may have come true since
    moment(line, at)  # over: a price would take over as soon as it is written
    put(device, time, never, held=waits)
    put(device, AttributeRef(_CHARGE, code, _PASSIVE), asked.data)
    if at is not None:
        put(device, time, begins)
    elif active.plain != asked.plain:
        method = MethodRef(_CHARGE, code, _TAKE_OVER)
        try:
            device.session.action(method, integer(0))
        except ActionRefused as error:
            raise refusal(device, method, error, "execute") from error
        if _list(device, code, _ACTIVE).plain != asked.plain:
            raise Refused("the meter goes on with the prices of before")


def _stamp(line: Line, text: str) -> bytes:
    found = written(text)
    assert found is not None  # it was given
    zone = line.profile.zone
    local = found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)
    return CosemDateTime.from_datetime(local).to_bytes()


def _report(line: Line, known: list[ObisCode]) -> Report:
    shown = [] if known else [_by_the_profile(line)]
    for code in known:
        active, passive = (_list(line.device, code, index) for index in (_ACTIVE, _PASSIVE))
        stamp = get(line.device, AttributeRef(_CHARGE, code, _TIME)).value
        waits = active.plain != passive.plain
        shown.append(
            {
                "charge": _name(line, code),
                "unit": _unit(line, code),
                "prices": [f"{price.normalize():f}" for price in active.plain],
                "next": [f"{price.normalize():f}" for price in passive.plain] if waits else None,
                "from": _moment(line, stamp) if waits else None,
            }
        )
    data = {
        "meter": line.meter.name,
        "currency": line.profile.currency.code,
        "priced_by": "meter" if known else "head-end",
        "charges": shown,
    }
    rows = [
        (
            str(each["charge"]),
            " ".join(each["prices"] or ()),
            str(each["unit"]),
            " ".join(each["next"] or ()),
            str(each["from"] or ""),
        )
        for each in shown
    ]
    heading = [f"{line.meter.name}, in {line.profile.currency.code}"]
    if not known:
        heading += [f"priced by the head-end, as the profile {line.profile.name} says", _DO]
    return Report(data, heading, ("charge", "prices", "unit", "next", "from"), rows)


def _by_the_profile(line: Line) -> dict[str, Any]:
    """Return what the head-end prices energy by."""
    return {
        "charge": line.profile.charges[0].name,
        "unit": _unit(line, catalogue.CHARGES[0]),
        "prices": [f"{line.profile.tariff.price_per_kwh.normalize():f}"],
        "next": None,
        "from": None,
    }


def _unit(line: Line, code: ObisCode) -> str:
    """Return what a price of a charge is for; empty where the profile does not know the charge."""
    slot = catalogue.CHARGES.index(code) if code in catalogue.CHARGES else -1
    charges = line.profile.account.charges
    if not 0 <= slot < len(charges):
        return ""
    of, money = charges[slot], line.profile.currency.code
    if of.type is ChargeType.CONSUMPTION:
        return f"{money}/kWh"
    if of.type is ChargeType.TIME:
        return f"{money} per {of.period_days} days"
    return f"{money} per payment"


def _moment(line: Line, octets: Any) -> str | None:
    try:
        return meter_iso(CosemDateTime.from_bytes(octets), line.profile.zone)
    except (ProtocolError, TypeError):
        return None

"""Show balance, credit, relay and clock as the meter has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from headend.cli import with_context
from headend.commands._due import customer, debt_words, debts, words
from headend.context import Context
from headend.device import Device
from headend.errors import Refused, UsageError
from headend.reach import mechanism_of, reached
from headend.reading.objects import profile_of
from headend.report import Report
from headend.times import iso, meter_iso
from prepay.credit import EMERGENCY_CREDIT, TOKEN_CREDIT
from prepay.cut import BalanceMode
from prepay.money import format_amount
from prepay.profile import Profile
from prepay.transactions import Kind
from protocol.codes import Mechanism
from protocol.cosem_time import CosemDateTime, WildcardError

if TYPE_CHECKING:  # with it comes the database, which only the management client needs
    from headend.line import Line

_CREDITS = {TOKEN_CREDIT: "token_credit", EMERGENCY_CREDIT: "emergency_credit"}


@click.command("status")
@with_context
def command(context: Context) -> Report:
    """Show balance, credit, debts, relay and clock as the meter has them.

    Also what is due to the customer, what is planned, and the next edge of the friendly windows,
    as the profile has them; no edge where the meter's own calendar says something else.

    After deactivation the balance is what is left of it once it has been settled: nothing. The
    reader client (--client 2) sees what the meter shows, and settles nothing that is open.

    Example: prepay --port serial:./meter0 status --json
    """
    return status(context)


class _Meter(Struct, frozen=True):
    """A meter of ours, as any of its clients sees it.

    Args:
        device: on the line.
        name: logical device name.
        serial: serial number.
        profile: its rules.
        settled: what was settled when prepayment ended, in minor units; None while it has not, or
            where nobody here knows.
    """

    device: Device
    name: str
    serial: str
    profile: Profile
    settled: int | None = None

    def decimal(self, amount: int) -> str:
        return format_amount(amount, self.profile.currency)


def status(context: Context) -> Report:
    """Return the status of the meter at the context's port.

    Raises:
        UsageError: the client is one that sees no balance.
        NoAnswer, Refused, OutcomeUnknown: see there.
    """
    with _seen(context) as meter:
        data = _read(meter)
    return Report(data, _lines(data), panel=f"{data['meter']}  {data['profile']}")


@contextmanager
def _seen(context: Context) -> Iterator[_Meter]:
    """Reach the meter as its management, or else as a reader, without the database."""
    context.set_out()
    mechanism = mechanism_of(context)
    if mechanism is Mechanism.NONE:
        raise UsageError("status needs the management client: leave out --client and --mechanism")
    if mechanism >= Mechanism.HLS:
        from headend.line import open_line

        with open_line(context) as line:
            known = line.meter
            yield _Meter(line.device, known.name, known.serial, line.profile, _settled(line))
        return
    with reached(context) as device:
        profile = profile_of(device)
        if profile is None:
            raise Refused(f"{device.name()} has no profile that this head-end knows")
        yield _Meter(device, device.name(), device.serial(), profile)


def _settled(line: "Line") -> int | None:
    """Return what was settled when prepayment ended, None unless its end was our last word."""
    from headend.store import ledger, transactions
    from headend.store.transactions import Order
    from prepay.ledger import Reason

    with line.context.store.read() as db:
        done = [t for t in transactions.of_meter(db, line.meter.id) if t.succeeded]
        turns = [t for t in done if t.kind in (Order.ACTIVATE, Order.DEACTIVATE)]
        if not turns or turns[-1].kind is not Order.DEACTIVATE:
            return None
        return ledger.under(db, line.meter.id, turns[-1].id, Reason.SETTLEMENT)


def _read(meter: _Meter) -> dict[str, Any]:
    device, profile = meter.device, meter.profile
    snapshot, armed = device.snapshot(), device.armed()
    clock = device.clock()
    prepayment, in_use = device.prepayment(), device.credit_in_use()
    mode = device.mode()
    if mode is BalanceMode.CENTRAL:
        balance, emergency, updated = snapshot.balance, snapshot.emergency, snapshot.as_of
    else:
        balance, emergency, updated = device.local_balance(), device.emergency_credit(), clock
    friendly = device.friendly()
    settled = None if prepayment else meter.settled
    if settled is not None:  # the meter keeps its last figures, but nobody can use them any more
        balance, emergency = 0, 0
    return {
        "meter": meter.name,
        "serial": meter.serial,
        "profile": profile.name,
        "mode": mode.name.lower(),
        "prepayment": prepayment,
        "balance": meter.decimal(balance),
        "settled": None if settled is None else meter.decimal(settled),
        "emergency_credit": meter.decimal(emergency),
        "overdraft": meter.decimal(-profile.credit.limit),
        "debts": debts(device, profile),
        "currency": profile.currency.code,
        "credit_in_use": None if in_use is None else _CREDITS.get(in_use, f"credit {in_use}"),
        "low_credit": device.low_credit(),
        "relay": device.relay(),
        "relay_causes": device.relay_causes(),
        "contact": "closed" if device.contact_closed() else "open",
        **customer(device, profile),
        "plan": _plan(meter),
        "updated": meter_iso(updated, profile.zone),
        "friendly": friendly,
        "window_changes": _next_edge(profile, clock, friendly),
        "armed": armed.armed,
        "armed_until": meter_iso(armed.expiry, profile.zone) if armed.armed else None,
        "sequence": snapshot.sequence,
        "energy_wh": device.energy(),
        "clock": meter_iso(clock, profile.zone),
    }


def _plan(meter: _Meter) -> dict[str, Any] | None:
    """Return what waits for its moment; None where nothing does."""
    found = meter.device.plan()
    if not found.kind:
        return None
    kind = Kind(found.kind).name.lower() if found.kind in set(Kind) else f"order {found.kind}"
    return {
        "kind": kind,
        "transaction": found.id.hex(),
        "at": meter_iso(found.at, meter.profile.zone),
    }


def _next_edge(profile: Profile, clock: CosemDateTime, friendly: bool) -> str | None:
    """Return when a window of the profile begins or ends next.

    None where none ever does, where the clock is not set, and where the meter's flag is not what
    the profile says: its calendar is another then, or its window void.
    """
    from prepay.calendars import CalendarError, commissioned
    from prepay.friendly import FriendlyError

    try:
        moment = clock.to_datetime(profile.zone)
        windows = commissioned(profile, moment.date())
        if windows.covers(moment) is not friendly:
            return None
        edge = windows.next_edge(moment)
    except (WildcardError, CalendarError, FriendlyError):
        return None
    return None if edge is None else iso(edge.astimezone(profile.zone))


def _ended(data: dict[str, Any]) -> str:
    if data["settled"] is not None:
        return f"settled at deactivation: {data['currency']} {data['settled']}"
    left = data["balance"].strip("-0.") and not data["prepayment"]
    return "as it was when prepayment ended" if left else ""


def _relay(data: dict[str, Any]) -> str:
    causes = ", ".join(data["relay_causes"])
    by_hand = {"operator", "tamper"} & set(data["relay_causes"])
    held = f" ({causes}{': prepay connect' if by_hand else ''})" if causes else ""
    return f"{data['relay'].replace('_', ' ')}{held}"


def _sticks(data: dict[str, Any]) -> bool:
    """Say whether energy can flow though the relay was told to open."""
    return bool(data["contact"] == "closed" and data["relay"] != "connected")


def _window(data: dict[str, Any]) -> str:
    now, edge = "yes" if data["friendly"] else "no", data["window_changes"]
    return f"{now}, until {edge}" if edge else now


def _planned(data: dict[str, Any]) -> str:
    plan = data["plan"]
    if plan is None:
        return ""
    if plan["kind"] == Kind.DISCONNECT.name.lower():  # its moment is the last, not the first
        return f"disconnect after friendly hours, until {plan['at']} at the latest"
    return f"{plan['kind']} at {plan['at']}"


def _lines(data: dict[str, Any]) -> list[str]:
    money = data["currency"]
    armed = f"until {data['armed_until']}" if data["armed"] else "no"
    rows = [
        ("prepayment", "active" if data["prepayment"] else "not active"),
        ("mode", data["mode"]),
        ("balance", f"{money} {data['balance']}" + ("  LOW" if data["low_credit"] else "")),
        ("", _ended(data)),
        ("emergency", f"{money} {data['emergency_credit']}"),
        ("overdraft", f"{money} {data['overdraft']}"),
        ("in use", (data["credit_in_use"] or "none").replace("_", " ")),
        ("debts", debt_words(data["debts"], money)),
        ("relay", _relay(data)),
        ("", "but its contact is closed" if _sticks(data) else ""),
        ("customer", words(data)),
        ("friendly", _window(data)),
        ("cut armed", armed if data["mode"] == "central" else ""),  # the meter's own affair else
        ("planned", _planned(data)),
        ("", "prepay cancel withdraws it" if data["plan"] else ""),
        ("updated", data["updated"] or "never"),
        ("clock", data["clock"] or "not set"),
        ("energy", f"{data['energy_wh']} Wh"),
    ]
    return [f"{name:<12}{value}" for name, value in rows if value]

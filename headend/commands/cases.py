"""List what somebody has to look after at the meters; show or close one."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.report import Report, facts

#: No meter is asked.
OFFLINE = True
DURABLE = False
NAMED = True


@click.group("cases", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what somebody has to look after at the meters; show or close one.

    What meters say unasked (prepay listen --store, or prepay serve --listen) opens cases: one of
    a kind at a meter at a time, counted when another event tells of it, and closed when the meter
    says that it is over, or by hand. An event opens one once, however often pushes show it.

    Example: prepay cases list
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@click.option("--kind", metavar="KIND", help="Only of this kind, such as low-credit.")
@click.option("--closed", is_flag=True, help="Those that are closed as well.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@with_context
def list_command(context: Context, kind: str | None, closed: bool, limit: int) -> Report:
    """List the open cases, newest first; with --meter NAME those of one meter.

    Example: prepay cases list --kind tamper
    """
    return listed(context, kind, limit, closed=closed)


def listed(context: Context, kind: str | None, limit: int, *, closed: bool = False) -> Report:
    """Return cases.

    Raises:
        UsageError: no such kind, or no such meter.
    """
    from headend.listener.alarms import KINDS
    from headend.store import cases
    from headend.times import utc

    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind {kind[:40]!r}: write one of {', '.join(KINDS)}")
    meter_id = None if context.registered is None else context.registered.id
    with context.store.read() as db:
        found = cases.newest(db, limit, meter_id=meter_id, kind=kind, closed=closed)
    told = [_told(each) for each in found]
    rows = [
        (
            str(each.number), each.meter, each.kind, str(each.state), utc(each.opened),
            str(each.details.get("times", 1)), str(each.details.get("told", "")),
            KINDS.get(each.kind, ""),
        )
        for each in found
    ]  # fmt: skip # a table: one row a case
    if not rows:
        return Report({"cases": told}, ("nothing is to be looked after",))
    columns = ("case", "meter", "kind", "state", "opened", "times", "told", "what")
    return Report({"cases": told}, (), columns, rows)


@command.command("show")
@click.argument("number", metavar="CASE", type=click.IntRange(1, 2**31 - 1))
@with_context
def show(context: Context, number: int) -> Report:
    """Show all that is known of a case.

    Example: prepay cases show 17
    """
    return shown(context, number)


def shown(context: Context, number: int) -> Report:
    """Return one case.

    Raises:
        UsageError: there is none of that number.
    """
    told = _told(_found(context, number))
    return Report(told, facts({name: value for name, value in told.items() if value}))


@command.command("close")
@click.argument("number", metavar="CASE", type=click.IntRange(1, 2**31 - 1))
@click.option("--reason", metavar="TEXT", help="What was found or done; kept, and audited.")
@with_context
def close(context: Context, number: int, reason: str | None) -> Report:
    """Close a case that somebody has looked after; what happens from now on opens a new one.

    Example: prepay cases close 17 --reason "seal replaced, photo in the file"
    """
    return closed_by_hand(context, number, reason)


def closed_by_hand(context: Context, number: int, reason: str | None = None) -> Report:
    """Close a case.

    Args:
        context: the run of the command.
        number: of the case.
        reason: what was found or done.

    Raises:
        UsageError: there is none of that number, or the reason is not one line.
        Refused: it is closed.
    """
    from headend.clock import wall_clock
    from headend.commands._corrections import reason_of
    from headend.store import audit, cases, meters

    why = "" if reason is None else reason_of(reason)
    there = _found(context, number)
    with context.store.begin() as db:
        if there.meter_id is not None:
            meters.hold(db, there.meter_id)
        now = wall_clock()()
        if not cases.close(db, number, context.caller, now, why):
            raise Refused(f"case {number} is closed already")
        details = {"case": number, "kind": there.kind, **({"reason": why} if why else {})}
        audit.append(db, now, context.caller, "cases.close", there.meter, details)
    return Report({"case": number, "state": "closed"}, (f"case {number} is closed",))


def _found(context: Context, number: int) -> Any:
    from headend.store import cases

    with context.store.read() as db:
        found = cases.get(db, number)
    if found is None:
        raise UsageError(f"no case {number}: prepay cases list --closed")
    return found


def _told(case: Any) -> dict[str, Any]:
    from headend.listener.alarms import KINDS
    from headend.times import utc

    last = case.details.get("last")
    return {
        "case": case.number,
        "meter": case.meter,
        "kind": case.kind,
        "what": KINDS.get(case.kind, ""),
        "state": str(case.state),
        "told": case.details.get("told", ""),
        "times": case.details.get("times", 1),
        "opened": utc(case.opened),
        "last": None if last is None else utc(last),
        "closed": None if case.closed is None else utc(case.closed),
        "closed_by": case.closed_by,
        "reason": case.details.get("reason"),
        "notification": case.notification,
    }

"""Show the audit log, and whether anybody has changed it."""

from typing import Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.engine.queueing import moment
from headend.errors import ExitCode, UsageError
from headend.report import Report, plural
from headend.store import audit
from headend.times import utc

#: No meter is asked.
OFFLINE = True
NAMED = False
KEYS = False

_COLUMNS = ("moment", "caller", "action", "subject", "details")


@click.group("audit", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show who did what, and check that nobody has changed what is written.

    Each row is sealed together with the row before it, in the database transaction of what it
    tells of: keys imported, exported and rotated, commands queued, withdrawn and ended, campaigns,
    changes of the registry, and orders to meters that were given directly: planned, and done,
    settled, refused or unknown.

    Example: prepay audit list --subject OPP0000000000017

    Next: prepay audit check
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@command.command("list")
@click.option("--action", default="", help="Only what begins so: keys., command, meters.set ...")
@click.option(
    "--subject",
    default="",
    help="Only of this meter and its commands, or of this command or campaign.",
)
@click.option("--caller", default="", help="Only by this user.")
@click.option("--since", metavar="TIME", help="Not older than this moment (ISO 8601).")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True,
    help="The newest so many.",
)  # fmt: skip # as the others
@with_context
def list_(
    context: Context, action: str, subject: str, caller: str, since: str | None, limit: int
) -> Report:
    """Show the newest rows, the newest last.

    Example: prepay audit list --action keys.
    """
    begun = moment(since, context.now())
    with context.store.read() as db:
        found = audit.newest(db, limit, action=action, subject=subject, caller=caller, since=begun)
    data = [_told(each) for each in found]
    if not found:
        return Report({"audit": data}, ("nothing is written there",))
    rows = [tuple(_text(each[name]) for name in _COLUMNS) for each in data]
    return Report({"audit": data}, (), _COLUMNS, rows)


@command.command("check")
@click.option("--anchor", "anchors", multiple=True, metavar="NUMBER:DIGEST",
              help="What an earlier check has printed, and was kept elsewhere; as often as "
              "there are such.")  # fmt: skip # one option
@with_context
def check(context: Context, anchors: tuple[str, ...]) -> Report:
    """Check every row: exit code 1, and the first one that does not fit, when there is one.

    Shown is any row that was changed, put in or taken out between others, and, by the anchor that
    the database keeps beside the log, rows taken from its end. Who may write to every table can
    make chain and anchor anew: to show that too, keep the anchor that this prints where he cannot
    write, and give it back with --anchor. What was never logged cannot be shown at all.

    Example: prepay audit check

    Example: prepay audit check --anchor 17:3f0c...
    """
    kept = []
    for text in anchors:
        anchor = audit.Anchor.parse(text)
        if anchor is None:
            raise UsageError(f"--anchor: NUMBER:DIGEST as a check prints it, not {text[:80]!a}")
        kept.append(anchor)
    with context.store.read() as db:
        verdict = audit.check(db, kept)
    return _judged(verdict)


def _judged(verdict: audit.Verdict) -> Report:
    anchor = str(verdict.anchor)
    data: dict[str, Any] = {
        "intact": verdict.row is None,
        "rows": verdict.anchor.number,
        "anchor": anchor,
        "row": verdict.row,
        "fault": verdict.fault or None,
    }
    whole = plural(verdict.anchor.number, "row")
    if verdict.row is None:
        return Report(data, (f"{whole}, all in order", f"anchor {anchor}"))
    lines = (f"row {verdict.row}: {verdict.fault}", f"{whole} before it in order")
    return Report(data, lines, exit_code=ExitCode.REFUSED)


def _told(entry: audit.Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "moment": utc(entry.moment),
        "caller": entry.caller,
        "action": entry.action,
        "subject": entry.subject,
        "details": dict(entry.details),
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        told = ((name, each) for name, each in value.items() if each not in (None, {}))
        return ", ".join(f"{name} {_text(each)}" for name, each in told)
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return str(value)

"""List lines and concentrators, and say how many meters of each are spoken to at a time."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.report import Report

#: No meter is asked.
OFFLINE = True
DURABLE = False


_NONE = (
    "no line: prepay meters set NAME --line LINE makes one, as meters discover --add --line LINE, "
    "or the column line of a file that meters import reads"
)


@click.group("lines", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List lines and concentrators, and say how many meters of each are spoken to at a time.

    Meters that share a bus, a modem or a concentrator share its permits: a worker speaks to no
    more of them at a time. A line that a meter names for the first time has one.

    Example: prepay lines

    Example: prepay lines set K7 --permits 8
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
@with_context
def list_command(context: Context) -> Report:
    """List them; the same as without "list".

    Example: prepay lines list
    """
    return list_lines(context)


def list_lines(context: Context) -> Report:
    """Return every line."""
    from headend.store import registry

    with context.store.read() as db:
        known = registry.lines(db)
    told = [{"line": each.name, "permits": each.permits, "meters": each.meters} for each in known]
    rows = [(each.name, str(each.permits), str(each.meters)) for each in known]
    if not rows:
        return Report({"lines": told}, (_NONE,))
    return Report({"lines": told}, (), ("line", "permits", "meters"), rows)


@command.command("set")
@click.argument("name", metavar="LINE")
@click.option("--permits", type=int, required=True, help="How many of its meters at a time.")
@with_context
def change(context: Context, name: str, permits: int) -> Report:
    """Say how many meters of a line may be spoken to at a time; a new line is made.

    Example: prepay lines set K7 --permits 8
    """
    return set_line(context, name, permits)


def set_line(context: Context, name: str, permits: int) -> Report:
    """Note the permits of a line.

    Raises:
        UsageError: no name that a line can have, or no number of permits.
    """
    from headend.registry.entries import FieldError, check_text
    from headend.registry.importing import check_permits
    from headend.store import audit, registry

    try:
        check_text("line", name, empty=False)
        check_permits(permits)
    except FieldError as error:
        raise UsageError(str(error)) from error
    with context.store.begin() as db:
        registry.set_line(db, name, permits)
        details = {"permits": permits}
        audit.append(db, context.now(), context.caller, "lines.set", name, details)
    return Report({"line": name, "permits": permits}, (f"{name}: permits {permits}",))


@command.command("remove")
@click.argument("name", metavar="LINE")
@with_context
def remove(context: Context, name: str) -> Report:
    """Take a line off that no meter is on.

    Example: prepay lines remove K7
    """
    from headend.store import audit, registry

    with context.store.begin() as db:
        known = {each.name: each for each in registry.lines(db)}
        if name not in known:
            raise UsageError(f"no line {name[:64]!r}: prepay lines lists them")
        if known[name].meters:
            count = known[name].meters
            raise Refused(f"{name} stays, for its meters ({count}): prepay meters --query line=...")
        registry.remove_line(db, name)
        audit.append(db, context.now(), context.caller, "lines.remove", name, {})
    return Report({"line": name, "removed": True}, (f"{name} is taken off",))

"""``prepay meters discover``."""

from typing import TYPE_CHECKING, Any

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report

if TYPE_CHECKING:  # with it comes the database, which the help needs not
    from headend.registry.discovery import Found


def join(group: click.Group) -> None:
    """Put the command into the group."""
    group.add_command(discover)


@click.command("discover")
@click.option(
    "--addresses", metavar="FROM-TO", help="HDLC physical addresses to ask on the line: 1-16."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 60),
    default=1.5,
    show_default=True,
    help="How long to wait for an address that is silent.",
)
@click.option("--add", is_flag=True, help="Register those that are found.")
@click.option("--line", metavar="LINE", help="With --add: the line they are on.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="With --add: a tag for each.")
@with_context
def discover(
    context: Context,
    addresses: str | None,
    seconds: float,
    add: bool,
    line: str | None,
    tags: tuple[str, ...],
) -> Report:
    """Find meters on a line by their addresses, or on a range of ports.

    Each address is asked in turn, as the public client, for its name, and for its serial number
    where it shows that to everybody: our meters tell it once they are met. One that is silent
    costs --seconds.

    Example: prepay meters discover --port serial:./bus --addresses 1-16 --add --line bus1

    Example: prepay meters discover --port tcp:10.0.0.17:4059-4080

    Exit code 3: nobody answers.
    """
    return find_meters(
        context, context.chosen.port, addresses, seconds, add=add, line=line, tags=tags
    )


def find_meters(
    context: Context,
    port: str | None,
    physical: str | None = None,
    seconds: float = 1.5,
    *,
    add: bool = False,
    line: str | None = None,
    tags: tuple[str, ...] = (),
) -> Report:
    """Ask addresses who is there.

    Args:
        context: the run of the command.
        port: port spec, with a range of ports perhaps.
        physical: range of HDLC physical addresses; None asks the one of the settings, if any.
        seconds: how long the silence of an address may last.
        add: register those that are found.
        line, tags: what they get then.

    Raises:
        UsageError: a range or a field that is none.
        NoAnswer: the port cannot be opened, or nobody answers.
    """
    from headend.console.progress import progress
    from headend.errors import NoAnswer
    from headend.registry.discovery import Found, chosen_fields, discover, known_as, register
    from headend.registry.discovery import addresses as to_ask
    from headend.store import audit, registry

    if not port:
        raise UsageError("where? Give --port, such as serial:./bus or tcp:HOST:4059-4080")
    if (line is not None or tags) and not add:
        raise UsageError("--line and --tag are for those that are registered: with --add")
    if physical is None and context.chosen.physical is not None:
        physical = str(context.chosen.physical)
    asked = to_ask(port, physical)
    fields = chosen_fields(context, line, tags)
    found: list[Found] = []
    with progress("asking", len(asked), shown=not context.chosen.json) as step:
        for address, answer in discover(context, asked, seconds):
            found += [] if answer is None else [answer]
            step(str(address))
    if not found:
        raise NoAnswer(f"nobody answers at {len(asked)} addresses, from {asked[0]} on")
    with context.store.begin() as db:
        if add:
            found = register(db, found, fields, context.now())
            details = {"port": port, "meters": sum(bool(each.name) for each in found)}
            audit.append(db, context.now(), context.caller, "meters.discover", "", details)
        notes = [
            each.note or ("new" if known is None else known_as(known, each) or known.life)
            for each in found
            for known in (registry.by_name(db, each.name) if each.name else None,)
        ]
    told: list[dict[str, Any]] = [
        {
            "port": each.address.port,
            "physical": each.address.physical,
            "meter": each.name or None,
            "serial": each.serial or None,
            "result": note,
        }
        for each, note in zip(found, notes, strict=True)
    ]
    rows = [
        (str(each.address), each.name, each.serial, note)
        for each, note in zip(found, notes, strict=True)
    ]
    said = f"{len(found)} of {len(asked)} addresses answer"
    data = {"asked": len(asked), "found": told}
    lines = (said, *_next(found, notes, add=add))
    return Report(data, lines, ("address", "meter", "serial", "result"), rows)


def _next(found: "list[Found]", notes: list[str], *, add: bool) -> tuple[str, ...]:
    """Return what to do about those that were found; empty where there is nothing to do."""
    if not add:
        return ("the new ones are registered with --add",) if "new" in notes else ()
    unmet = [
        e.name for e, note in zip(found, notes, strict=True) if note in ("added", "registered")
    ]
    if not unmet:
        return ()
    return (
        f"next: prepay --meter {unmet[0]} status makes its acquaintance",
        f"(one with keys of its own: prepay keys import {unmet[0]} FILE first)",
    )

"""List the meters this head-end knows; register, change, import, export and find them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import asdict

from headend.cli import with_context
from headend.commands import _meter_files, _meter_tags, _meters_found
from headend.commands._selection import chosen, selection_options
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report, facts
from obis.values import field_names, replace

if TYPE_CHECKING:  # with it comes the database, which the help needs not
    from headend.store.meters import Meter
    from headend.store.registry import Entry

#: No meter is asked ...
OFFLINE = True
#: ... except by one; the others of these write down how a meter is reached.
REACHING = ("add", "set", "discover")
DURABLE = False

_LIVES = ("registered", "commissioned", "in-service", "out-of-service", "retired")


@click.group("meters", invoke_without_command=True)
@selection_options
@click.pass_context
def command(ctx: click.Context, /, **chosen: Any) -> None:
    """List the meters this head-end knows; register, change, import, export and find them.

    A registered meter is spoken to by its name: prepay --meter NAME status. Its life goes from
    registered over commissioned (it has answered), in-service and out-of-service to retired.

    Example: prepay meters --query life=in-service,name=OPP*

    Example: prepay meters import meters.csv --dry-run

    Next: prepay meters add --help, or prepay meters discover --help.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command, **chosen)
    elif any(chosen.values()):
        raise UsageError("--tag, --file and --query choose for the list: write them last")


@command.command("list")
@selection_options
@with_context
def list_command(context: Context, /, **chosen: Any) -> Report:
    """List them; the same as without "list".

    Example: prepay meters list --tag pilot
    """
    return list_meters(context, **chosen)


def list_meters(
    context: Context,
    tags: tuple[str, ...] = (),
    listed: str | None = None,
    query: str | None = None,
) -> Report:
    """Return every meter of the database, or those that are chosen.

    Raises:
        UsageError: a choice that cannot be understood.
    """
    from headend.store import meters, registry

    with context.store.read() as db:
        known = meters.every(db)
        entries = {each.id: each for each in registry.every(db)}
        if tags or listed is not None or query is not None:
            meant = set(chosen(db, tags, listed, query))
            known = [m for m in known if m.id in meant]
    rows = [
        (
            m.name, m.profile, of.life, "yes" if m.prepayment else "no", of.line or "",
            " ".join(of.tags), _where(of) or m.port,
        )
        for m in known
        for of in (entries[m.id],)
    ]  # fmt: skip # one row a meter
    none = "no such meter"
    if not entries:
        none = (
            "no meter yet: prepay --port SPEC status makes the acquaintance of one, prepay meters "
            "discover --port SPEC --add finds those of a line, prepay meters import reads a file"
        )
    return Report(
        {"meters": [_whole(m, entries[m.id]) for m in known]},
        () if rows else (none,),
        ("meter", "profile", "life", "prepayment", "line", "tags", "port") if rows else (),
        rows,
    )


#: What the registry calls otherwise than people do.
_NAMES: Final = {"transport": "port"}


def _where(entry: "Entry") -> str:
    physical = entry.access.get("physical")
    more = "" if physical is None else f", physical {physical}"
    return f"{entry.transport}{more}" if entry.transport else ""


def _whole(meter: "Meter", entry: "Entry") -> dict[str, Any]:
    """Return a meter for machines: ``port`` is how it is reached by name, ``met_at`` where it was.

    A meter that was only met has no port of its own: there both are the same.
    """
    told = {k: v for k, v in asdict(meter).items() if k not in ("id", "port")} | _more(entry)
    return told | {"port": entry.transport or meter.port or None, "met_at": meter.port or None}


def _more(entry: "Entry") -> dict[str, Any]:
    told = {name: getattr(entry, name) for name in ("ean", "line", "life")}
    more = {"port": entry.transport, "tags": list(entry.tags), "access": dict(entry.access)}
    return told | more


@command.command("show")
@click.argument("name", metavar="METER")
@with_context
def show(context: Context, name: str) -> Report:
    """Show what the registry has of one meter.

    Example: prepay meters show OPP0000000000017
    """
    return show_meter(context, name)


def show_meter(context: Context, name: str) -> Report:
    """Return what the registry has of a meter, by its name or EAN.

    Raises:
        UsageError: there is none.
    """
    from headend.registry.finding import find
    from headend.registry.life import STEPS, Life
    from headend.store import meters

    with context.store.read() as db:
        entry = find(db, name)
        meter = meters.by_id(db, entry.id)
    shown = {
        "serial number": entry.serial,
        "EAN": entry.ean or "",
        "profile": entry.profile,
        "balance kept by": {"central": "the head-end", "local": "the meter"}.get(meter.mode, ""),
        "prepayment": "active" if entry.prepayment else "not active",
        "port": _where(entry),
        "last met at": meter.port,
        "options": " ".join(
            f"--{key.replace('_', '-')}" + ("" if value is True else f" {value}")
            for key, value in sorted(entry.access.items())
            if value is not False
        ),
        "line": entry.line or "",
        "tags": " ".join(entry.tags),
        "life": entry.life,
        "may become": ", ".join(STEPS[Life(entry.life)]),
    }
    lines = facts({what: value for what, value in shown.items() if value})
    return Report(_whole(meter, entry), lines, panel=entry.name)


def _fields(function: Any) -> Any:
    """Add the options of what the registry has of a meter, beside how it is reached."""
    for option in (
        click.option("--line", metavar="LINE", help="Line or concentrator it shares with others."),
        click.option("--profile", metavar="NAME", help="Its profile; else it says so itself."),
        click.option("--ean", metavar="EAN", help="EAN-18 of its point of delivery."),
        click.option("--serial", metavar="TEXT", help="Serial number; else it says so itself."),
    ):
        function = option(function)
    return function


@command.command("add")
@click.argument("name")
@_fields
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="A tag; any number of them.")
@with_context
def add(context: Context, /, name: str, tags: tuple[str, ...], **fields: str | None) -> Report:
    """Register a meter by its logical device name.

    The options by which it would be reached are remembered: --port, --physical, --mechanism and
    the like. A meter that was met at a port is in the list already; it is registered by this too.

    Example: prepay meters add OPP0000000000017 --port serial:./bus --physical 2 --tag depot

    Next: prepay --meter OPP0000000000017 status.
    """
    return add_meter(context, name, {**fields, "tags": list(tags) or None})


def add_meter(context: Context, name: str, fields: Mapping[str, Any]) -> Report:
    """Register a meter, reached as the context's settings say.

    Args:
        context: the run of the command.
        name: logical device name.
        fields: more of ``headend.registry.entries``; None is not said.

    Raises:
        UsageError: a field says what it may not, or the meter is registered already.
    """
    from headend.registry.life import Life
    from headend.store import audit, registry

    with context.store.begin() as db:
        known = registry.id_of(db, name)
        before = None if known is None else registry.hold(db, [known])[0]
        if before is not None and before.life != Life.MET:
            raise UsageError(f"{name} is {before.life} already: prepay meters set changes it")
        made = _made(context, {"name": name, "life": "registered", **fields}, before)
        _check_ean(db, made)
        if before is None:
            registry.add(db, [made], context.now())
        else:
            registry.put(db, before.id, made)
        audit.append(db, context.now(), context.caller, "meters.add", name, _more(made))
    reached = f" at {_where(made)}" if made.transport else "; without a port: meters set --port"
    return Report(
        {"meter": made.name, "serial": made.serial, "profile": made.profile, **_more(made)},
        (f"{made.name} is registered{reached}",),
    )


def _made(context: Context, fields: Mapping[str, Any], before: "Entry | None") -> "Entry":
    """Return the entry that fields and the settings of how to reach a meter make.

    Raises:
        UsageError: one of them says what it may not.
    """
    from headend.registry.entries import FieldError, entry
    from headend.registry.meters import access_of

    said = {key: value for key, value in fields.items() if value is not None}
    said |= access_of(context.chosen)
    if "port" in context.chosen.given:
        said["port"] = context.chosen.port
    try:
        return entry(said, before)
    except FieldError as error:
        raise UsageError(str(error)) from error


def _check_ean(db: Any, made: "Entry") -> None:
    from headend.store import registry

    other = None if made.ean is None else registry.by_ean(db, made.ean)
    if other is not None and other.name != made.name:
        raise UsageError(f"EAN {made.ean} is that of {other.name}")


@command.command("set")
@click.argument("name", metavar="METER")
@_fields
@click.option("--life", type=click.Choice(_LIVES), help="How far its life has come.")
@click.option(
    "--unset", metavar="OPTION", multiple=True, help="Forget one of the options by which it is "
    "reached: --unset physical.",
)  # fmt: skip # one line more says no more
@click.option("--force", is_flag=True, help="Retire it although something is open with it.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, hidden=True)
@with_context
def change(
    context: Context,
    /,
    name: str,
    unset: tuple[str, ...],
    force: bool,
    tags: tuple[str, ...],
    **fields: str | None,
) -> Report:
    """Change what the registry has of a meter; "" empties a field.

    Example: prepay meters set OPP0000000000017 --port tcp:10.0.0.17:4059 --unset physical

    Example: prepay meters set OPP0000000000017 --life out-of-service
    """
    if tags:
        raise UsageError(
            f"tags are given and taken: prepay meters tag {tags[0]} {name}, "
            f"prepay meters untag {tags[0]} {name}"
        )
    return set_meter(context, name, fields, unset=unset, insist=force)


def set_meter(
    context: Context,
    name: str,
    fields: Mapping[str, Any],
    *,
    unset: tuple[str, ...] = (),
    insist: bool = False,
) -> Report:
    """Change what the registry has of a meter, and how it is reached as the settings say.

    Args:
        context: the run of the command.
        name: its name or EAN.
        fields: of ``headend.registry.entries``; None is not said.
        unset: of its access, what to forget.
        insist: retire it whatever is open.

    Raises:
        UsageError: a field says what it may not, or there is no such meter.
        Refused: its life does not take that step.
    """
    from headend.registry.life import Life
    from headend.registry.meters import ACCESS, change_life, held
    from headend.store import audit, registry

    gone = {each.lstrip("-").replace("-", "_") for each in unset}
    if gone - ACCESS:
        raise UsageError(f"--unset takes {', '.join(sorted(ACCESS))}")
    with context.store.begin() as db:
        before = held(db, name)
        kept = {key: value for key, value in before.access.items() if key not in gone}
        made = _made(context, fields, replace(before, access=kept))
        _check_ean(db, made)
        change_life(db, before, Life(made.life), insist=insist)
        changed = [k for k in field_names(before) if getattr(before, k) != getattr(made, k)]
        if changed:
            registry.put(db, before.id, made)
            details = {_NAMES.get(key, key): getattr(made, key) for key in changed}
            audit.append(db, context.now(), context.caller, "meters.set", made.name, details)
    now = [_worded(_NAMES.get(key, key), getattr(made, key)) for key in changed]
    changed = [_NAMES.get(key, key) for key in changed]
    data = {"meter": made.name, "serial": made.serial, "profile": made.profile, **_more(made)}
    return Report(
        {**data, "changed": changed}, (f"{made.name}: {', '.join(now) or 'nothing changed'}",)
    )


def _worded(name: str, value: Any) -> str:
    """Return what a field is now."""
    if isinstance(value, Mapping):
        return f"{name} changed"
    if isinstance(value, tuple):
        value = " ".join(value)
    return f"{name} is {value or 'none'} now"


@command.command("remove")
@click.argument("name", metavar="METER")
@with_context
def remove(context: Context, name: str) -> Report:
    """Take a meter off that nothing was ever done with; any other is retired.

    Example: prepay meters remove OPP0000000000017
    """
    from headend.registry import meters as registry
    from headend.store import audit

    with context.store.begin() as db:
        entry = registry.held(db, name)
        registry.remove(db, entry)
        audit.append(db, context.now(), context.caller, "meters.remove", entry.name, {})
    return Report({"meter": entry.name, "removed": True}, (f"{entry.name} is taken off",))


_meter_files.join(command)
_meters_found.join(command)
_meter_tags.join(command)

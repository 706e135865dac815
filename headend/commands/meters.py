"""List the meters this head-end knows; register, change, import, export and find them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from headend.cli import with_context
from headend.commands import _meter_files, _meters_found
from headend.commands._selection import names_in, selection_options
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report

if TYPE_CHECKING:  # with it comes the database, which the help needs not
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
        with_context(list_meters)(**chosen)
    elif any(chosen.values()):
        raise UsageError("--tag, --file and --query choose for the list: write them last")


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
            meant = set(_chosen(db, tags, listed, query))
            known = [m for m in known if m.id in meant]
    rows = [
        (m.name, m.profile, m.mode, "yes" if m.prepayment else "no", str(m.sequence), port)
        for m in known
        for port in (m.port or _where(entries[m.id]),)
    ]
    told = [{k: v for k, v in asdict(m).items() if k != "id"} | _more(entries[m.id]) for m in known]
    none = "no such meter"
    if not entries:
        none = "no meter yet: prepay --port SPEC status makes its acquaintance"
    return Report(
        {"meters": told},
        () if rows else (none,),
        ("meter", "profile", "mode", "prepayment", "sequence", "port") if rows else (),
        rows,
    )


def _chosen(db: Any, tags: tuple[str, ...], listed: str | None, query: str | None) -> list[int]:
    from headend.registry import Selection, select

    return select(db, Selection.parse(tags, names_in(listed), query))


def _where(entry: "Entry") -> str:
    physical = entry.access.get("physical")
    more = "" if physical is None else f", physical {physical}"
    return f"{entry.transport}{more}" if entry.transport else ""


def _more(entry: "Entry") -> dict[str, Any]:
    told = {name: getattr(entry, name) for name in ("ean", "transport", "line", "life")}
    return told | {"tags": list(entry.tags), "access": dict(entry.access)}


@command.command("show")
@click.argument("name")
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
    from headend.life import STEPS, Life
    from headend.registry import find
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
        "life": f"{entry.life}; next: {', '.join(STEPS[Life(entry.life)])}",
    }
    width = max(map(len, shown))
    lines = [f"{what:{width}}  {value}" for what, value in shown.items() if value]
    data = {k: v for k, v in asdict(meter).items() if k != "id"} | _more(entry)
    return Report(data, lines, panel=entry.name)


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
        fields: more of ``headend.entries``; None is not said.

    Raises:
        UsageError: a field says what it may not, or the meter is registered already.
    """
    from headend.life import Life
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
    from headend.entries import FieldError, entry
    from headend.registry import access_of

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
@click.argument("name")
@_fields
@click.option("--life", type=click.Choice(_LIVES), help="How far its life has come.")
@click.option(
    "--unset", metavar="OPTION", multiple=True, help="Forget one of the options by which it is "
    "reached: --unset physical.",
)  # fmt: skip # one line more says no more
@click.option("--force", is_flag=True, help="Retire it although something is open with it.")
@with_context
def change(
    context: Context, /, name: str, unset: tuple[str, ...], force: bool, **fields: str | None
) -> Report:
    """Change what the registry has of a meter; "" empties a field.

    Example: prepay meters set OPP0000000000017 --port tcp:10.0.0.17:4059 --unset physical

    Example: prepay meters set OPP0000000000017 --life out-of-service
    """
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
        fields: of ``headend.entries``; None is not said.
        unset: of its access, what to forget.
        insist: retire it whatever is open.

    Raises:
        UsageError: a field says what it may not, or there is no such meter.
        Refused: its life does not take that step.
    """
    from headend.life import Life
    from headend.registry import ACCESS, change_life, held
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
        changed = [k for k in before.__dataclass_fields__ if getattr(before, k) != getattr(made, k)]
        if changed:
            registry.put(db, before.id, made)
            details = {key: getattr(made, key) for key in changed}
            audit.append(db, context.now(), context.caller, "meters.set", made.name, details)
    said = ", ".join(changed) or "nothing"
    data = {"meter": made.name, "serial": made.serial, "profile": made.profile, **_more(made)}
    return Report({**data, "changed": changed}, (f"{made.name}: {said} changed",))


@command.command("remove")
@click.argument("name")
@with_context
def remove(context: Context, name: str) -> Report:
    """Take a meter off that nothing was ever done with; any other is retired.

    Example: prepay meters remove OPP0000000000017
    """
    from headend import registry
    from headend.store import audit

    with context.store.begin() as db:
        entry = registry.held(db, name)
        registry.remove(db, entry)
        audit.append(db, context.now(), context.caller, "meters.remove", entry.name, {})
    return Report({"meter": entry.name, "removed": True}, (f"{entry.name} is taken off",))


@command.command("tag")
@click.argument("tag")
@click.argument("names", nargs=-1)
@selection_options
@with_context
def tag(context: Context, /, tag: str, names: tuple[str, ...], **chosen: Any) -> Report:
    """Give a tag to meters: to those named, or those of a file or query.

    Example: prepay meters tag winter-2026 OPP0000000000017 OPP0000000000018

    Example: prepay meters tag winter-2026 --query line=K7
    """
    return _tagged(context, tag, names, chosen, give=True)


@command.command("untag")
@click.argument("tag")
@click.argument("names", nargs=-1)
@selection_options
@with_context
def untag(context: Context, /, tag: str, names: tuple[str, ...], **chosen: Any) -> Report:
    """Take a tag from meters: from those named, or those of a file or query.

    Example: prepay meters untag winter-2026 --query "name=*"
    """
    return _tagged(context, tag, names, chosen, give=False)


def _tagged(
    context: Context, tag: str, names: tuple[str, ...], chosen: Mapping[str, Any], *, give: bool
) -> Report:
    from headend.entries import FieldError, check_tag
    from headend.registry import find
    from headend.store import registry

    try:
        check_tag(tag)
    except FieldError as error:
        raise UsageError(str(error)) from error
    with context.store.begin() as db:
        ids = [find(db, name).id for name in names]
        if not names or any(chosen.values()):
            ids += _chosen(db, **chosen)
        ids = list(dict.fromkeys(ids))
        (registry.tag if give else registry.untag)(db, ids, [tag])
    done = "tagged" if give else "untagged"
    count = "1 meter" if len(ids) == 1 else f"{len(ids)} meters"
    return Report({"tag": tag, done: len(ids)}, (f"{count} {done} {tag}",))


_meter_files.join(command)
_meters_found.join(command)

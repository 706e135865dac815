"""``prepay meters tag`` and ``untag``."""

from collections.abc import Mapping
from typing import Any

import click

from headend.cli import with_context
from headend.commands._selection import chosen as selected
from headend.commands._selection import selection_options
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report


def join(group: click.Group) -> None:
    """Put the two commands into the group."""
    group.add_command(tag)
    group.add_command(untag)


@click.command("tag")
@click.argument("tag", metavar="TAG")
@click.argument("names", metavar="[METER]...", nargs=-1)
@selection_options
@with_context
def tag(context: Context, /, tag: str, names: tuple[str, ...], **chosen: Any) -> Report:
    """Give a tag to meters: to those named, or those of a file or query.

    Example: prepay meters tag winter-2026 OPP0000000000017 OPP0000000000018

    Example: prepay meters tag winter-2026 --query line=K7
    """
    return _tagged(context, tag, names, chosen, give=True)


@click.command("untag")
@click.argument("tag", metavar="TAG")
@click.argument("names", metavar="[METER]...", nargs=-1)
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
    from headend.registry.entries import FieldError, check_tag
    from headend.registry.finding import find
    from headend.store import registry

    try:
        check_tag(tag)
    except FieldError as error:
        raise UsageError(str(error)) from error
    with context.store.begin() as db:
        ids = [find(db, name).id for name in names]
        if not names or any(chosen.values()):
            ids += selected(db, **chosen)
        ids = list(dict.fromkeys(ids))
        (registry.tag if give else registry.untag)(db, ids, [tag])
    done = "tagged" if give else "untagged"
    count = "1 meter" if len(ids) == 1 else f"{len(ids)} meters"
    return Report({"tag": tag, done: len(ids)}, (f"{count} {done} {tag}",))

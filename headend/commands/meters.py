"""List the meters this head-end has met."""

from dataclasses import asdict

import click

from headend.cli import with_context
from headend.context import Context
from headend.report import Report

#: No meter is asked.
OFFLINE = True


@click.command("meters")
@with_context
def command(context: Context) -> Report:
    """List the meters this head-end has met.

    Example: prepay meters
    """
    return list_meters(context)


def list_meters(context: Context) -> Report:
    """Return every meter of the database."""
    from headend.store import meters

    with context.store.begin() as db:
        known = meters.every(db)
    rows = [
        (m.name, m.profile, m.mode, "yes" if m.prepayment else "no", str(m.sequence), m.port)
        for m in known
    ]
    return Report(
        {"meters": [{k: v for k, v in asdict(m).items() if k != "id"} for m in known]},
        () if rows else ("no meter yet: prepay --port SPEC status makes its acquaintance",),
        ("meter", "profile", "mode", "prepayment", "sequence", "port") if rows else (),
        rows,
    )

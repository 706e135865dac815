"""Carry out what is queued in a PostgreSQL database, beside other workers."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import UsageError
from headend.observe.options import Watching, watched
from headend.report import Report

#: No meter is asked by this process's own line.
OFFLINE = True
#: It talks for ever.
DURABLE = False
KEYS = True


@click.command("worker")
@click.option(
    "--sessions", type=click.IntRange(1, 256), default=8, show_default=True,
    help="How many meters this worker speaks to at a time.",
)  # fmt: skip # as the others
@watched
@with_context
def command(
    context: Context, sessions: int, log_level: str, log_format: str, http: str | None
) -> Report:
    """Carry out what is queued, beside as many other workers as you like, on any machine.

    A meter is spoken to by one of them at a time, and a line by as many as it has permits. What a
    worker leaves that died is taken over by the others.

    Example: prepay worker --db postgresql://prepay@db.example/prepay

    Next: prepay commands list
    """
    from headend.engine.service import serve  # the engine takes a second to import

    if context.store.url.get_backend_name() != "postgresql":
        raise UsageError(
            "workers share a PostgreSQL database: give --db postgresql://..., or use prepay serve"
        )
    return serve(context, sessions, Watching(log_level, log_format, http))

"""Carry out what is queued, until told to stop."""

import click

from headend.cli import with_context
from headend.context import Context
from headend.observe.options import Watching, watched
from headend.report import Report

#: No meter is asked by this process's own line.
OFFLINE = True
#: It talks for ever.
DURABLE = False
KEYS = True


@click.command("serve")
@click.option(
    "--sessions",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="How many meters are spoken to at a time.",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="SPEC",
    help="Hear what meters say unasked at tcp:HOST:PORT or udp:HOST:PORT; as often as there are.",
)
@click.option(
    "--believe-clear", is_flag=True,
    help="With --listen: what is said in clear is believed to be the meter's whose name is in it.",
)  # fmt: skip # as the others
@watched
@with_context
def command(
    context: Context,
    sessions: int,
    listen: tuple[str, ...],
    believe_clear: bool,
    log_level: str,
    log_format: str,
    http: str | None,
) -> Report:
    """Carry out what `prepay ... --queue` has written down, until told to stop (Ctrl-C).

    Killed at any moment, the next one goes on where it stood, and nothing is paid twice. A second
    one on the same file is safe and says so; it shares the work, but hardly makes it faster: for
    more workers, on any machine, take PostgreSQL and prepay worker.

    With --listen what meters say unasked is kept, confirmed and made cases of, as prepay listen
    --store does.

    Example: prepay serve

    Example: prepay serve --listen tcp:0.0.0.0:4061 --listen udp:0.0.0.0:4061

    Next: prepay --meter NAME topup 25.00 --queue --wait
    """
    from headend.engine.service import serve  # the engine takes a second to import

    watching = Watching(log_level, log_format, http)
    return serve(context, sessions, watching, listen, believe_clear=believe_clear)

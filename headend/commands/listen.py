"""Print what meters say unasked, and confirm what wants to be confirmed."""

import json

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import NoAnswer, UsageError
from headend.listener.ears import Keeper
from headend.listener.listening import Listener
from headend.listener.overhearing import LineListener
from headend.listener.receiving import identity_of
from headend.listener.sayings import said, text
from headend.report import Report
from headend.times import utc
from headend.transports import LinkKind
from protocol.timing import later

#: It talks for ever.
DURABLE = False
#: Where a meter may speak on its line without a sign-on.
_LINES = ("serial", "hdlc+tcp")


@click.command("listen")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N notifications.")
@click.option(
    "--seconds", type=click.FloatRange(0, 86_400 * 366), metavar="S", help="End after S seconds."
)
@click.option("--store", is_flag=True, help="Keep what is heard in the database; open cases.")
@click.option(
    "--believe-clear",
    is_flag=True,
    help="With --store: what is said in clear is believed to be the meter's whose name is in it.",
)
@with_context
def command(
    context: Context, count: int | None, seconds: float | None, store: bool, believe_clear: bool
) -> Report:
    """Print what meters say unasked, and confirm what wants to be confirmed.

    The port is where to listen: tcp:HOST:PORT or udp:HOST:PORT, which meters call; or the line of
    one meter, serial:PATH or hdlc+tcp:HOST:PORT, on which it says things in UI frames. Ciphered
    notifications are read with the keys of --keys. Without --count and --seconds it goes on until
    it is interrupted.

    With --store each is kept once, under the keys that the vault has of its meter, and confirmed
    after it is kept; what came before is refused, after a restart too, and alarms open cases. What
    is in clear, or of nobody known, is kept apart.

    Example: prepay --port udp:0.0.0.0:4061 listen --json

    Example: prepay --port tcp:0.0.0.0:4061 listen --store

    Next: prepay notifications, prepay cases

    Exit code 3: nothing was heard in the seconds given, or less than N notifications.
    """
    if believe_clear and not store:
        raise UsageError("--believe-clear goes with --store")
    keeper: Keeper | None = None
    if store:
        from headend.listener.reception import Reception  # with it comes the database

        keeper = Reception(context, in_clear=believe_clear)
    return listen(context, count, seconds, keeper)


def listen(
    context: Context, count: int | None, seconds: float | None, keeper: Keeper | None = None
) -> Report:
    """Print notifications as they come.

    Args:
        context: where to listen, and the keys.
        count: to end after so many that can be read; None is never.
        seconds: to end after; None is never.
        keeper: takes them before they are confirmed; None remembers counters only.

    Raises:
        PortUnusable: it cannot be listened there.
        NoAnswer: not enough came in time.
    """
    as_json = context.settings.json
    until = None if seconds is None else later(context.now(), int(seconds * 1000))
    read = 0
    with _listener(context, keeper) as listener:
        click.echo(f'{{"listening": "{listener.place}"}}' if as_json else f"at {listener.place}")
        for heard in listener.hear(until):
            found = said(heard, utc(context.now()))
            as_text = json.dumps(found, ensure_ascii=False, allow_nan=False)
            click.echo(as_text if as_json else text(heard, found))
            read += heard.notification is not None
            if read == count:
                break
    if not read or (count is not None and read < count):
        wanted = f"{read} of {count} notifications" if count else "nothing"
        raise NoAnswer(f"heard {wanted} in {seconds:g} seconds")
    return Report({"heard": read}, (f"{read} heard",))


def _listener(context: Context, keeper: Keeper | None) -> Listener | LineListener:
    spec, identity = context.port, identity_of(context)
    if spec.link is LinkKind.HDLC and spec.scheme in _LINES:
        return LineListener(spec, identity, context.now, context.transports, keeper)
    return Listener(spec, identity, context.now, keeper)

"""``prepay-sim``: the command line. What a command needs is imported when it runs."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from sim.keyfile import keys

_METER_EPILOG = """\b
Examples:
  prepay-sim meter --profile be-wal --port pty:./meter0
  prepay-sim meter --port tcp:127.0.0.1:4059 --port hdlc+tcp:127.0.0.1:4060
  prepay-sim meter --port pty:./meter0 --speed 60 --start 2026-11-23T05:30 --state ./state
  prepay-sim meter --port tcp:127.0.0.1:0 --json --events json
  prepay-sim meter --port udp:127.0.0.1:4059 --push-to udp:127.0.0.1:4061
  prepay-sim meter --port optical:./head0 --port optical+tcp:127.0.0.1:4062

Without --keys the meter has the lab's keys, which are published and so protect nothing: public
client 16 without security, reader client 2 with the password 12345678, management client 1 with
HLS-GMAC. Logical devices 1 (management) and 2 (metering), HDLC physical address 1.

\b
Keys, in a terminal that shows the face:
  space  presses "display": the next page
  s      presses "select": takes emergency credit where it is offered
  + -    twice or half the speed
  q      ends the meter

From elsewhere SIGUSR1 presses "display" and SIGUSR2 "select"; --control has them too.

SIGINT and SIGTERM end the meter; its directory (--state) survives that, and kill -9. All times
shown are of the meter's own clock, which a head-end may set. Lines that nobody reads never hold the
meter up: it keeps a thousand of them, then drops the next and says how many.

Exit codes: 0 ended, 1 cannot run (a port that is taken; --load, --keys or --state that cannot be
read or holds what it should not), 2 wrong usage (an option or its value).
"""

_GROUP_EPILOG = """\b
Examples:
  prepay-sim demo
  prepay-sim meter --port pty:./meter0 --speed 60
  prepay-sim profiles
  prepay-sim keys --suite 1 --new > meter.keys

Exit codes: 0 ended, 1 cannot run, 2 wrong usage. Each command has its own --help.
"""


class _Moment(click.DateTime):
    """A time as ``--start`` takes it."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, or say how one is written."""
        try:
            found: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            name = "it" if param is None else param.opts[0]
            reason = f"{value!r} is no time: write {name} as 2026-11-23T05:30"
            raise click.UsageError(reason, ctx) from None
        return found


class _Program(click.Group):
    """The commands; whatever goes wrong with their usage is told in one line."""

    def main(  # type: ignore[override] # click overloads it on standalone_mode; here it is True
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and turn an error into one line and an exit code."""
        extra.pop("standalone_mode", None)
        try:
            code = super().main(args, prog_name or "prepay-sim", standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()  # the whole help, in its lines
            sys.exit(2)
        except click.ClickException as error:
            _fail(" ".join(error.format_message().split()), error.exit_code)
        except click.exceptions.Abort:
            _fail("interrupted", 130)
        except OSError as error:
            _unwritten()
            what = error.filename or "the output cannot be written"
            _fail(f"{what}: {error.strerror or error}", 1)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=_Program,
    epilog=_GROUP_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="openprepay", prog_name="prepay-sim")
def main() -> None:
    """Simulated prepaid meters, and the world around them."""


main.add_command(keys)


#: Options that one meter and several on a line have alike.
_PROFILE = click.option(
    "--profile", metavar="NAME", help="Country or product; be-wal if none is given."
)
_SPEED = click.option(
    "--speed",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds of the meter's time in one second.",
)
_KEYS = click.option(
    "--keys",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="TOML file of the keys.",
)


@main.command(epilog=_METER_EPILOG)
@_PROFILE
@click.option(
    "--port",
    "ports",
    metavar="SPEC",
    multiple=True,
    required=True,
    help="pty:LINK, tcp:HOST:PORT (wrapper), udp:HOST:PORT (the same in datagrams) or"
    " hdlc+tcp:HOST:PORT; optical:PATH or optical+tcp:HOST:PORT for the local port (IEC 62056-21);"
    " port 0 takes a free one."
    " May be given more than once.",
)
@_SPEED
@click.option(
    "--state",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Where the meter's memory is kept; a second start goes on from there. Without it all is"
    " forgotten at the end.",
)
@click.option(
    "--load",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE.csv",
    help="Quarter-hours (time,watt_hours) that the household takes; else a made household.",
)
@click.option(
    "--start",
    type=_Moment(),
    metavar="YYYY-MM-DDTHH:MM",
    help="First moment of the world, in the meter's time zone; else where the state ends, or now.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Of household, name, serial number and challenges: a run that can be repeated, and"
    " nothing for real secrets. Without it the household is the first, all else is chance.",
)
@_KEYS
@click.option(
    "--name", help="Logical device name, at most 16 characters; else by the seed, or by chance."
)
@click.option(
    "--face/--no-face",
    default=None,
    help="Draw the meter's face and take keys; without an answer, on a terminal.",
)
@click.option(
    "--push-to",
    metavar="SPEC",
    default="",
    help="Whom the meter tells of a move of its relay, low credit, activation and closing, until"
    " a head-end sets its push setup: tcp:HOST:PORT, udp:HOST:PORT, or hdlc for whoever listens at"
    " its HDLC ports (see prepay listen).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
@click.option(
    "--events",
    type=click.Choice(["none", "text", "json"]),
    help="A line for each change of the display; text, unless --json or a face is asked for.",
)
@click.option(
    "--control",
    is_flag=True,
    help="Take orders on standard input: speed N, until TIME, press display, press select,"
    " token DIGITS, cover open, cover close, contact stuck, contact free, stop."
    " The end of the input stops the meter.",
)
def meter(face: bool | None, as_json: bool, events: str | None, **given: Any) -> None:
    """Run one meter until it is stopped."""
    from sim.meter import Options, Show, run_meter

    if face is None:
        face = sys.stdout.isatty() and not as_json and events is None
    if face:
        show = Show.FACE
    elif events is not None:
        show = Show(events)
    else:
        show = Show.NOTHING if as_json else Show.TEXT
    options = Options(show=show, json_ready=as_json, **given)
    _run(partial(run_meter, options, sys.stdout), options.keys)


_BUS_EPILOG = """\b
Examples:
  prepay-sim bus --meters 3 --port pty:./bus
  prepay-sim bus --meters 2 --port hdlc+tcp:127.0.0.1:4060 --speed 60
  prepay --port serial:./bus --physical 2 status

Every meter hears every octet on the line, as on RS-485, and answers to its physical address, from
1 on; so clients need server addresses of two or four octets. Nobody answers an address that
several meters have: of one octet, or the all-station address.

The meters are new and forget all at the end. Clients, keys, times and exit codes are those of
prepay-sim meter.
"""


@main.command(epilog=_BUS_EPILOG)
@click.option(
    "--meters", type=int, metavar="N", default=2, show_default=True, help="How many, 1 to 125."
)
@_PROFILE
@click.option(
    "--port",
    "ports",
    metavar="SPEC",
    multiple=True,
    required=True,
    help="pty:LINK or hdlc+tcp:HOST:PORT; port 0 takes a free one. May be given more than once:"
    " all the meters are on each.",
)
@_SPEED
@click.option(
    "--start",
    type=_Moment(),
    metavar="YYYY-MM-DDTHH:MM",
    help="First moment of the world, in the meters' time zone; else now.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Of households, names, serial numbers and challenges, each meter's its own.",
)
@_KEYS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready.")
def bus(as_json: bool, **given: Any) -> None:
    """Run several meters on one line until they are stopped."""
    from sim.bus import BusOptions, run_bus

    options = BusOptions(json_ready=as_json, **given)
    _run(partial(run_bus, options, sys.stdout), options.keys)


def _run(run: Callable[[], None], keys: Path | None) -> None:
    from meter_fw.nvram import JournalError
    from prepay.keys import KeyFileError
    from prepay.money import AmountError
    from prepay.profile import ProfileError
    from sim.flash import FlashError
    from sim.load import LoadError
    from sim.making import OptionError
    from sim.ports.base import PortError, PortSpecError
    from sim.statedir import StateError

    try:
        run()
    except (PortSpecError, ProfileError, OptionError, AmountError) as error:
        _fail(str(error), 2)
    except KeyFileError as error:
        _fail(f"{keys}: {error}", 1)
    except UnicodeDecodeError:
        _fail(f"{keys}: not a text file", 1)
    except BrokenPipeError:
        _unwritten()
        sys.exit(1)
    except (PortError, LoadError, StateError, FlashError, JournalError) as error:
        _fail(str(error), 1)
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(f"{error.filename}: {reason}" if error.filename else reason, 1)


def _unwritten() -> None:
    """Let what is buffered go nowhere at exit, without a word: nobody takes it any more."""
    with suppress(OSError, ValueError):  # a stream of a test is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(reason: str, code: int) -> NoReturn:
    click.echo(f"prepay-sim: {reason}", err=True)
    sys.exit(code)


@main.command(epilog="Example: prepay-sim profiles --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def profiles(as_json: bool) -> None:
    """List the countries and products that a meter can be of.

    Each with its name for --profile, who keeps the balance (central: the head-end, local: the
    meter), and its title.
    """
    from prepay.profile import load_profile, profile_names

    found = [
        {"name": name, "mode": profile.mode.name.lower(), "title": profile.title}
        for name, profile in ((name, load_profile(name)) for name in profile_names())
    ]
    if as_json:
        click.echo(json.dumps({"profiles": found}, ensure_ascii=False))
        return
    for row in found:
        click.echo(f"{row['name']:<8} {row['mode']:<8} {row['title']}")


_EXPLAIN_EPILOG = """\b
Examples:
  prepay-sim explain --profile il --at 2027-04-22T18:30 --balance -60
  prepay-sim explain --state ./meter0
  prepay-sim explain --state ./meter0 --at 2027-01-04T08:00 --json

Exit codes: 0 told, 1 the state cannot be read, 2 wrong usage.
"""


@main.command(epilog=_EXPLAIN_EPILOG)
@_PROFILE
@click.option(
    "--at",
    type=_Moment(),
    metavar="YYYY-MM-DDTHH:MM",
    help="The moment, by the meter's clock; else the state's last one, or now.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Ask the meter that was kept there; nothing in it is changed.",
)
@click.option(
    "--balance",
    metavar="AMOUNT",
    help="Of a new meter, in units of its currency; else its start credit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(as_json: bool, **given: Any) -> None:
    """Say why supply is on or off at a moment, and what would change it next.

    The words come from the same rules that the meter lives by: balance and credits, friendly
    windows, protection, and whoever else holds the relay open.
    """
    from sim.explain import Question, ask

    def say() -> None:
        answer = ask(Question(**given))
        if as_json:
            click.echo(json.dumps(answer.data(), ensure_ascii=False))
        else:
            click.echo("\n".join(answer.lines()))

    _run(say, None)


_DEMO_EPILOG = """\b
Examples:
  prepay-sim demo
  prepay-sim demo --only be-wal

Exit codes: 0 every moment came, 1 one did not, 2 wrong usage.
"""


@main.command(epilog=_DEMO_EPILOG)
@click.option("--only", type=click.Choice(["be-wal", "il"]), help="Show one of the two meters.")
def demo(only: str | None) -> None:
    """Show the main job with two meters, in under a minute.

    A Walloon household, whose balance the head-end keeps, from its start credit through three
    mornings, low credit, friendly hours and the cut to a top-up and the settlement; then an Israeli
    one, whose meter keeps the balance itself, over a Sabbath on overdraft. Each step is checked on
    the meter's face or with the head-end.

    Meters and head-end run as processes of their own, in a folder that is removed again.
    """
    from sim.demo import run_demo
    from sim.stage import DemoError

    try:
        run_demo(only)
    except DemoError as error:
        _fail(str(error), 1)

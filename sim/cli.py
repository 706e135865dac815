"""``prepay-sim``: the command line. What a command needs is imported when it runs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from sim.meter import Options

_METER_EPILOG = """\b
Examples:
  prepay-sim meter --profile be-wal --port pty:./meter0
  prepay-sim meter --port tcp:127.0.0.1:4059 --port hdlc+tcp:127.0.0.1:4060
  prepay-sim meter --port pty:./meter0 --speed 60 --start 2026-11-23T05:30 --state ./state
  prepay-sim meter --port tcp:127.0.0.1:0 --json --events json

Without --keys the meter has the lab's keys, which are published and so protect nothing: public
client 16 without security, reader client 2 with the password 12345678, management client 1 with
HLS-GMAC. Logical device 1, HDLC physical address 1.

The buttons: SIGUSR1 presses "display", SIGUSR2 presses "select"; --control has them too.
SIGINT and SIGTERM end the meter; its directory (--state) survives that, and kill -9.
"""


_TIME_FORMS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="openprepay", prog_name="prepay-sim")
def main() -> None:
    """Simulated prepaid meters, and the world around them."""


@main.command(epilog=_METER_EPILOG)
@click.option("--profile", metavar="NAME", help="Country or product; be-wal if none is given.")
@click.option(
    "--port",
    "ports",
    metavar="SPEC",
    multiple=True,
    required=True,
    help="pty:LINK, tcp:HOST:PORT (wrapper) or hdlc+tcp:HOST:PORT; port 0 takes a free one."
    " May be given more than once.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds of the meter's time in one second.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the meter's memory is kept; a second start goes on from there. Without it all is"
    " forgotten at the end.",
)
@click.option(
    "--load",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Quarter-hours (time,watt_hours) that the household takes; else a made household.",
)
@click.option(
    "--start",
    type=click.DateTime(_TIME_FORMS),
    metavar="YYYY-MM-DDTHH:MM",
    help="First moment, in the meter's local time; else where the state ends, or now.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Of household, name, serial number and challenges: a run that can be repeated, and"
    " nothing for real secrets. Without it the household is the first, all else is chance.",
)
@click.option(
    "--keys", type=click.Path(path_type=Path), metavar="FILE", help="TOML file of the meter's keys."
)
@click.option(
    "--name", help="Logical device name, at most 16 characters; else by the seed, or by chance."
)
@click.option(
    "--face/--no-face",
    default=None,
    help="Draw the meter's face; without an answer, on a terminal.",
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
    help="Take orders on standard input: speed N, until TIME, press display, press select, stop."
    " The end of the input stops the meter.",
)
def meter(face: bool | None, as_json: bool, events: str | None, **given: Any) -> None:
    """Run one meter until it is stopped."""
    from sim.meter import Options, Show

    if face is None:
        face = sys.stdout.isatty() and not as_json and events is None
    if face:
        show = Show.FACE
    elif events is not None:
        show = Show(events)
    else:
        show = Show.NOTHING if as_json else Show.TEXT
    _run(Options(show=show, json_ready=as_json, **given))


def _run(options: "Options") -> None:
    from meter_fw.nvram import JournalError
    from prepay.keys import KeyFileError
    from prepay.profile import ProfileError
    from sim.flash import FlashError
    from sim.load import LoadError
    from sim.meter import OptionError, run_meter
    from sim.ports.base import PortError, PortSpecError
    from sim.statedir import StateError

    try:
        run_meter(options, click.echo)
    except (PortSpecError, ProfileError, OptionError) as error:
        _fail(str(error), 2)
    except KeyFileError as error:
        _fail(f"{options.keys}: {error}", 1)
    except UnicodeDecodeError:
        _fail(f"{options.keys}: not a text file", 1)
    except BrokenPipeError:
        # nobody reads any more: let what is buffered go nowhere at exit, without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (PortError, LoadError, StateError, FlashError, JournalError) as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fail(reason: str, code: int) -> NoReturn:
    click.echo(f"prepay-sim: {reason}", err=True)
    sys.exit(code)


@main.command()
def profiles() -> None:
    """List the countries and products that a meter can be of."""
    from prepay.profile import load_profile, profile_names

    for name in profile_names():
        profile = load_profile(name)
        click.echo(f"{name:<8} {profile.mode.name.lower():<8} {profile.title}")


@main.command()
@click.option("--only", type=click.Choice(["be-wal", "il"]), help="Show one of the two meters.")
def demo(only: str | None) -> None:
    """Show the main job with two meters, in under a minute.

    Everything runs as processes of its own, in a folder that is removed again. A moment that does
    not come ends the demo with exit code 1.
    """
    from sim.demo import run_demo
    from sim.stage import DemoError

    try:
        run_demo(only)
    except DemoError as error:
        _fail(str(error), 1)

"""``prepay``: the command line over ``headend.commands``, one file a command.

The options about meter, port, database and keys may stand before the command or after it, and
after a command of a group. A command's module is imported when it is run; the list of them in
``prepay --help`` is their first lines.
"""

import atexit
import gc
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper
from importlib import import_module
from typing import Any, Concatenate, NoReturn, ParamSpec

import click
from click.core import ParameterSource

from headend import commands
from headend.context import ENVELOPES, MECHANISMS, PROTECTIONS, Context, Settings, default_database
from headend.errors import ExitCode, HeadendError, Interrupted, NoAnswer, OutcomeUnknown, Refused
from headend.report import Report, give_up, show, show_aside, show_error
from obis.values import field_names, replace

_P = ParamSpec("_P")
#: What is asked of a command that is queued; see ``headend.engine.ordering``.
QUEUEING = frozenset(
    {"queue", "wait", "not_before", "not_after", "priority", "idempotency_key", "dry_run"}
)

#: What is said of an order to a meter that its giver has interrupted.
_MAY_BE_SENT = (
    "interrupted; it may have been sent: prepay transactions shows it if so, and prepay settle "
    "finds out what became of it"
)

#: What octets that are no UTF-8 become on the command line and in the environment.
_HALVES = re.compile("[\ud800-\udfff]")
#: So many objects are made before the first look for garbage. Nearly all that a command makes is
#: what it imports, and stays: to look through that time and again takes a tenth of its start.
_SELDOM = 50_000


class Invocation:
    """What is known while the command line is being parsed; tests put their own edge in.

    Args:
        edge: keyword arguments of ``Context``: clock, entropy, transports, patience.
    """

    def __init__(self, **edge: Any) -> None:
        self.values: dict[str, Any] = {}
        self.typed: set[str] = set()  # of the values, those that stand on the command line itself
        self._edge = edge

    @property
    def direct(self) -> bool:
        """Whether the meter is given by its port: whoever does so may have to start it."""
        return bool(self.values.get("port")) and (
            "meter" not in self.values or "port" in self.typed
        )

    def context(self) -> Context:
        """Return the context of the command about to run."""
        known = set(field_names(Settings))
        chosen = {name: v for name, v in self.values.items() if name in known}
        if {"meter", "port"} <= chosen.keys() and not {"meter", "port"} <= self.typed:
            # One of them is the environment's: it gives way, the port even to a name from there.
            del chosen["meter" if "port" in self.typed else "port"]
        settings = Settings(**chosen, given=frozenset(self.typed & known))
        edge = dict(self._edge)
        if settings.trace:
            edge.setdefault("trace", show_aside)
        return Context(settings, **edge)


def with_context(
    function: Callable[Concatenate[Context, _P], Report],
) -> Callable[_P, None]:
    """Make a click callback of a function that takes a context and returns a report."""

    def callback(*args: _P.args, **kwargs: _P.kwargs) -> None:
        invocation = click.get_current_context().ensure_object(Invocation)
        context = invocation.context()
        context.command = click.get_current_context().info_name or ""
        asked: dict[str, Any] = {}
        try:
            _check_text(invocation.values, kwargs)
            asked |= {name: v for name, v in invocation.values.items() if name in QUEUEING}
            for name in _own(asked, kwargs):
                kwargs[name] = asked.pop(name)
            if asked:
                report = _ordered(context, kwargs, asked)
            else:
                report = function(context, *args, **kwargs)
            _tell(report, as_json=context.chosen.json)
            if report.exit_code:
                click.get_current_context().exit(report.exit_code)
        except KeyboardInterrupt:
            if asked or "identity" not in kwargs:
                raise
            raise Interrupted(_MAY_BE_SENT) from None
        except _protocol_error() as error:  # which is looked for only when something was raised
            raise Refused(str(error)) from error
        finally:
            context.close()

    return update_wrapper(callback, function)


def _check_text(*values: Mapping[str, Any]) -> None:
    """Refuse octets that are no text in what is no path; a path may have any.

    Raises:
        click.BadParameter: they are no UTF-8.
    """
    scope = click.get_current_context()
    for parameter in scope.command.params:
        found = [each[parameter.name] for each in values if parameter.name in each]
        if not all(_is_text(each) or _is_path(parameter, each) for each in found):
            raise click.BadParameter("its octets are no UTF-8", scope, parameter)


def _is_path(parameter: click.Parameter, value: Any) -> bool:
    metavar = parameter.metavar or ""
    if "|" in metavar:  # a file, or a name
        return "FILE" in metavar and os.path.exists(value)
    return parameter.name in ("db", "file") or "FILE" in metavar


def _is_text(value: Any) -> bool:
    """Say whether all text in a value can be written as UTF-8: what could not be read cannot."""
    if isinstance(value, tuple | list):
        return all(map(_is_text, value))
    return not isinstance(value, str) or value.isascii() or not _HALVES.search(value)


def _own(asked: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """Return which of the options that were given before a command are its own, and not given."""
    return [name for name in asked if name in parameters and parameters[name] in (None, False)]


def _protocol_error() -> type[Exception]:
    from protocol.errors import ProtocolError

    return ProtocolError


def _ordered(context: Context, parameters: dict[str, Any], asked: dict[str, Any]) -> Report:
    """Queue the command under way instead of carrying it out."""
    words: list[str] = []
    scope = click.get_current_context()
    while scope.parent is not None:
        words.insert(0, scope.info_name or "")
        scope = scope.parent
    from headend.console.calling import Call
    from headend.engine.arguments import METER

    if parameters.get(METER) is not None:  # the same as --meter
        context.chosen = replace(context.chosen, meter=parameters[METER])
        parameters = {**parameters, METER: None}
    call = Call(context, " ".join(words), parameters, asked)
    report = call.report()  # of a worker on this machine, which has imported what it takes
    if report is not None:
        return report
    from headend.engine.ordering import ordered  # with it comes the database

    return ordered(context, " ".join(words), parameters, call.asked, call.drawn)


def _tell(report: Report, *, as_json: bool) -> None:
    """Show a report; what was ordered counts although nobody can read of it.

    Raises:
        OutcomeUnknown: an order was carried out, and that cannot be written.
        BrokenPipeError, OSError: it cannot be written.
    """
    try:
        show(report, as_json=as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        transaction = report.data.get("transaction")
        if not isinstance(transaction, str):
            raise
        give_up(sys.stdout)
        reason = f"done, but it cannot be written: {error.strerror}; see prepay transactions"
        raise OutcomeUnknown(reason, transaction) from error


class _ReaderGone(Exception):
    """Whoever read our output has seen enough. No OSError: click ends those with exit code 1."""


class Commands(click.Group):
    """The commands that have a file in ``headend.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, sorted."""
        return sorted(module.name.replace("_", "-") for module in _modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one of them."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        offline = getattr(module, "OFFLINE", False)
        keys = getattr(module, "KEYS", not offline)
        named = getattr(module, "NAMED", not offline)
        later = getattr(module, "DURABLE", not offline)
        _with_common(command, offline=offline, keys=keys, named=named, durable=later)
        if isinstance(command, click.Group):
            from headend.console.helping import short

            for name, each in command.commands.items():
                asks = name in getattr(module, "REACHING", ())
                away = offline and not asks
                later = getattr(module, "DURABLE", not away)
                known = keys or asks, named
                _with_common(each, offline=away, keys=known[0], named=known[1], durable=later)
                each.short_help = each.short_help or short(each.help or "")
        if ctx.resilient_parsing:  # a shell asks
            from headend.console.completing import prepare

            each_of = command.commands.values() if isinstance(command, click.Group) else ()
            for each in (command, *each_of):
                prepare(each, QUEUEING)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them by the first line of each file, which costs no import."""
        rows = [(name, _first_line(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        with formatter.section("Database, unless --db says otherwise"):
            formatter.write_dl([(str(default_database()), "")])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGone from error

    def main(  # type: ignore[override] # click overloads it on standalone_mode; here it is True
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        obj: Invocation | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run, and turn every error into one line and an exit code."""
        words = list(sys.argv[1:] if args is None else args)
        invocation = obj or Invocation()
        if obj is None:  # a process of its own
            gc.set_threshold(_SELDOM)
            # Nor for garbage at its end, which takes a fifth of its time: the system takes it all.
            atexit.register(gc.freeze)
        extra.pop("standalone_mode", None)
        try:
            code = super().main(
                words, prog_name or "prepay", standalone_mode=False, obj=invocation, **extra
            )
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()  # the whole help, in its lines
            sys.exit(ExitCode.USAGE)
        except (HeadendError, click.ClickException, click.exceptions.Abort) as error:
            as_json = invocation.values.get("json", "--json" in words)
            sys.exit(_report_error(error, as_json=as_json, direct=invocation.direct))
        except _ReaderGone:
            give_up(sys.stdout)
            sys.exit(ExitCode.DONE)
        except OSError as error:
            give_up(sys.stdout)
            what = error.filename or "the output cannot be written"
            reason = f"{what}: {error.strerror or error}"
            show_error(reason, ExitCode.REFUSED, as_json=invocation.values.get("json", False))
            sys.exit(ExitCode.REFUSED)
        sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _with_common(
    command: click.Command, *, offline: bool, keys: bool, named: bool, durable: bool
) -> None:
    """Give a command the options that every command has, once; a durable one may be queued."""
    if any(parameter.callback is _remember for parameter in command.params):
        return
    common = common_options(on_command=True, offline=offline, keys=keys, named=named)
    command.params.extend(o for o in common if durable or o.name not in QUEUEING)
    more = "" if offline else ": --client, --mechanism, --trace and others"
    command.epilog = f"More options{more}: prepay --help."


def _report_error(error: Exception, *, as_json: bool, direct: bool) -> int:
    more: Mapping[str, str] = {}
    if isinstance(error, HeadendError):
        message, code, more = str(error), int(error.exit_code), error.details
        if direct and isinstance(error, NoAnswer) and error.hint:
            message = f"{message}; {error.hint}"
    elif isinstance(error, click.NoSuchOption):
        from headend.console.helping import listed

        message, code = listed(error).format_message(), int(ExitCode.USAGE)
    elif isinstance(error, click.ClickException):
        message, code = error.format_message(), int(ExitCode.USAGE)
    else:
        message, code = "interrupted", int(ExitCode.INTERRUPTED)
    show_error(message, code, as_json=as_json, **more)
    return code


def _modules() -> list[pkgutil.ModuleInfo]:
    return [m for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")]


def _first_line(name: str) -> str:
    source = pkgutil.get_data(commands.__name__, f"{name.replace('-', '_')}.py") or b""
    return source.decode("utf-8").split("\n", 1)[0].strip('" ')


def _names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of meters for the shell's tab key, which makes no database."""
    from headend.console.completing import meters  # click's part for shells

    return meters(ctx, parameter, incomplete)


def _files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
    """Let the shell offer its files."""
    from headend.console.completing import files

    return files(ctx, parameter, incomplete)


def common_options(
    *, on_command: bool, offline: bool = False, keys: bool = True, named: bool = True
) -> list[click.Option]:
    """Return the options that every command has.

    Args:
        on_command: for after the command's name: nothing from the environment, which was looked
            at before it, and the rarer ones stay out of its help.
        offline: for a command that asks no meter: what is about one stays out of its help.
        keys: for a command that uses a key file.
        named: for a command about a meter that is given by name.
    """

    def option(
        name: str, text: str, *, rare: bool = False, meter: bool = False, **more: Any
    ) -> click.Option:
        environment = more.pop("envvar", None)
        return click.Option(
            [name],
            help=text,
            callback=_remember,
            expose_value=False,
            envvar=None if on_command else environment,
            show_envvar=not on_command,
            hidden=on_command and (rare or (offline and meter)),
            **more,
        )

    client = click.IntRange(1, 127)
    return [
        option("--meter", "The meter, by its name or EAN in the registry, which knows its port: "
               "see prepay meters.", metavar="NAME", envvar="PREPAY_METER", rare=not named,
               shell_complete=_names),
        option("--port", "Where the meter is: serial:PATH[?baud=9600], tcp:HOST:PORT (wrapper), "
               "udp:HOST:PORT (the same in datagrams), hdlc+tcp:HOST:PORT, or through a local "
               "port optical:PATH and optical+tcp:HOST:PORT.", metavar="SPEC",
               envvar="PREPAY_PORT", meter=True),
        option("--db", "The database, as an SQLAlchemy URL or the path of an SQLite file; "
               "default: a file in your data directory.", metavar="URL", envvar="PREPAY_DB",
               shell_complete=_files),
        option("--keys", "Key file (TOML); default: the vault's for a meter by name (prepay "
               "keys), else the lab's published ones, unsafe for anything else.", metavar="FILE",
               envvar="PREPAY_KEYS", rare=not keys, shell_complete=_files),
        option("--json", "Print one JSON object; errors too, on stderr.", is_flag=True),
        option("--trace", "Print the octets on the line to stderr, passwords included.",
               is_flag=True, rare=True),
        option("--capture", "Append what goes over the line to a capture (pcapng) that Wireshark "
               "and prepay trace read; passwords included.", metavar="FILE",
               envvar="PREPAY_CAPTURE", rare=True, shell_complete=_files),
        option("--client", "Client address; default 1, 2 or 16 by the mechanism.",
               type=client, rare=True),
        option("--logical", "Logical device; default 1.", type=click.IntRange(0, 0x3FFF),
               rare=True),
        option("--physical", "HDLC physical address; default 1, none in an address of 1 octet.",
               type=click.IntRange(0, 0x3FFF), rare=True),
        option("--address-size", "Octets of the HDLC server address; default: as few as will do.",
               type=click.Choice(["1", "2", "4"]), rare=True),
        option("--mechanism", "How to authenticate; default: as the key file says (gmac), or what "
               "the client address has on our meters.", type=click.Choice(MECHANISMS), rare=True),
        option("--envelope", "How services are ciphered, and under which key; default glo.",
               type=click.Choice(ENVELOPES), rare=True),
        option("--protection", "What the ciphering does; default authenticated-encrypted.",
               type=click.Choice(PROTECTIONS), rare=True),
        option("--sign", "Sign services as well (suites 1 and 2).", is_flag=True, rare=True),
        option("--password", "Low-level password; default: the key file's.", rare=True),
        option("--short-names", "Speak by short names: READ and WRITE in place of GET, SET and "
               "ACTION.", is_flag=True, rare=True),
        option("--queue", "Write the command down for a worker (prepay serve) and return at "
               "once; it is carried out once, whatever dies. Needs --meter.", is_flag=True),
        option("--wait", "With --queue: until it is done, or for so long; at the end of the line, "
               "or as --wait=60.", is_flag=False, flag_value="inf", metavar="[SECONDS]",
               type=click.FloatRange(0), rare=True),
        option("--not-before", "With --queue: not sent before this moment (ISO 8601, or +2h).",
               metavar="TIME", rare=True),
        option("--not-after", "With --queue: not sent after this moment; default a day after "
               "--not-before, or from now.",
               metavar="TIME", rare=True),
        option("--priority", "With --queue: 0 goes first, 1000 last; default by the command.",
               type=click.IntRange(0, 1000), rare=True),
        option("--idempotency-key", "With --queue: the same key again finds the same command.",
               metavar="KEY", rare=True),
        option("--dry-run", "Say what would be sent, or queued; nothing is.", is_flag=True,
               rare=True),
    ]  # fmt: skip # a table: one row an option


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value is not None and value is not False and parameter.name is not None:
        value = int(value) if parameter.name == "address_size" else value
        invocation = ctx.ensure_object(Invocation)
        invocation.values[parameter.name] = value
        if ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
            invocation.typed.add(parameter.name)
    return value


main: Commands = click.version_option(package_name="openprepay", prog_name="prepay")(
    Commands(
        "prepay",
        params=list[click.Parameter](common_options(on_command=False)),
        help="Top up, read and command prepaid DLMS/COSEM meters.\n\n"
        "Example: prepay --port serial:./meter0 topup 25.00\n\n"
        "Example: prepay --meter NAME topup 25.00 --queue --wait\n\n"
        "Exit codes: 0 done, 1 refused by the meter or the rules, 2 wrong usage, 3 no answer, "
        "4 outcome unknown and recorded (see prepay settle), 130 interrupted.",
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
    )
)

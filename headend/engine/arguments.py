"""A command's parameters as JSON and back, judged by the command's own declarations.

A command that can be queued is any whose callback takes a context (``cli.with_context``) and
whose module does not say ``DURABLE = False``. Its row holds the parameters by name; what comes
out of a row, or from a file or a network, goes through the same types as the command line.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from functools import cache
from importlib import import_module
from pathlib import PurePath
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec import Struct

from headend import commands
from headend.context import Context
from headend.errors import UsageError
from headend.report import Report
from obis.values import replace

if TYPE_CHECKING:  # with it comes the database
    from headend.store.entry import Entry

#: Of readings, and of whatever says nothing else; the smallest goes first.
USUAL_PRIORITY: Final = 50
#: Of those that a module need not say: what a customer waits for goes before what nobody does.
PRIORITIES: Final[Mapping[str, int]] = {
    "cancel": 5,
    "topup": 10,
    "activate": 10,
    "connect": 10,
    "deactivate": 10,
    "disconnect": 20,
    "mode": 20,
    "morning": 30,
}
#: The parameter that holds a transaction id.
IDENTITY: Final = "identity"
#: The parameter by which a command that takes --meter as well can name its meter.
METER: Final = "meter_name"
#: More than any command takes; a file of values belongs into a file.
_LONGEST: Final = 65_536


class Durable(Struct, frozen=True):
    """A command that can be queued.

    Args:
        name: as in ``prepay NAME``.
        declared: its click command.
        run: the function under ``with_context``.
        priority: unless its caller says another.
        repeatable: whether it may run again when nobody knows whether it did.
    """

    name: str
    declared: click.Command
    run: Callable[..., Report]
    priority: int
    repeatable: bool

    @property
    def moves(self) -> bool:
        """Whether it acts under a transaction id."""
        return any(parameter.name == IDENTITY for parameter in self.declared.params)


def durable(name: str) -> Durable:
    """Return the command of a name; one of a group has two words.

    Raises:
        UsageError: there is none, or it cannot be queued.
    """
    first, _, second = name.partition(" ")
    module = _module(first)
    declared = getattr(module, "command", None)
    asks = not getattr(module, "OFFLINE", False)
    if second:
        declared = declared.commands.get(second) if isinstance(declared, click.Group) else None
        asks = asks or second in getattr(module, "REACHING", ())
    run = getattr(getattr(declared, "callback", None), "__wrapped__", None)
    if declared is None or run is None or not getattr(module, "DURABLE", asks):
        raise UsageError(f"prepay {name} asks no meter, or talks for ever: it cannot be queued")
    priority = getattr(module, "PRIORITY", PRIORITIES.get(name, USUAL_PRIORITY))
    return Durable(name, declared, run, priority, getattr(module, "REPEATABLE", True))


def _module(name: str) -> ModuleType:
    found = name.replace("-", "_")
    if found not in _known():
        raise UsageError(f"{name[:40]!r} is no command: prepay --help has them")
    return import_module(f"{commands.__name__}.{found}")


@cache
def _known() -> frozenset[str]:
    """Return the names of the commands' files; a worker would look for them twice an attempt.

    Raises:
        OSError: they cannot be listed, as where no file can be opened any more.
    """
    found = [m.name for m in iter_modules(commands.__path__) if not m.name.startswith("_")]
    if not found:
        raise OSError("the commands cannot be listed: too many open files?")
    return frozenset(found)


def freeze(of: Durable, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters, as click made them, in the types that JSON has.

    Raises:
        UsageError: one of them is of no such type.
    """
    frozen = {
        name: _plain(of, name, value)
        for name, value in parameters.items()
        if value is not None and name != IDENTITY
    }
    if sum(len(str(value)) for value in frozen.values()) > _LONGEST:
        raise UsageError(f"prepay {of.name}: more than {_LONGEST} characters cannot be queued")
    return frozen


def _plain(of: Durable, name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(of, name, each) for each in value]
    if isinstance(value, PurePath):
        # Another process on another machine carries it out: its files are not ours.
        raise UsageError(f"prepay {of.name}: a file ({name}) cannot be queued")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def thaw(of: Durable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters for the command's function, as click makes them of a command line.

    Raises:
        UsageError: one is unknown or missing, or its value is none.
    """
    known = {p.name: p for p in of.declared.params if p.expose_value and p.name != IDENTITY}
    options: list[str] = []
    positional: list[str] = []
    for name, value in arguments.items():
        if name not in known:
            raise UsageError(f"prepay {of.name} has no parameter {name[:40]!r}")
        parameter = known[name]
        if isinstance(parameter, click.Option):
            options += _option_words(of, parameter, value)
    for parameter in known.values():  # in the order in which they are declared
        if isinstance(parameter, click.Argument) and parameter.name in arguments:
            positional += _words(of, parameter, arguments[parameter.name])
    try:
        scope = of.declared.make_context(of.name, [*options, "--", *positional])
    except click.ClickException as error:
        raise UsageError(f"prepay {of.name}: {error.format_message()}") from error
    return dict(scope.params)


class _SetOut(Exception):
    """A command that is rehearsed would go to its meter now."""


def rehearse(
    of: Durable, parameters: Mapping[str, Any], context: Context, entry: "Entry | None" = None
) -> None:
    """Let a command judge its parameters: it runs to where it would go to its meter, no further.

    What the meter's profile says of them is judged as well where the registry knows it, and else
    by the meter.

    Args:
        of: the command.
        parameters: as click makes them.
        context: of whoever gives the command.
        entry: the meter, in place of the one that the context has.

    Raises:
        HeadendError, ProtocolError: whatever the command, given directly, would end with.
    """

    def stop() -> None:
        raise _SetOut

    tried = copy(context)
    tried.set_out = tried.permit = stop
    if entry is not None:
        tried.chosen = replace(context.chosen, meter=entry.name)
        tried.__dict__["registered"] = entry
    try:
        with suppress(_SetOut):
            of.run(tried, **parameters)
    finally:
        if "store" in tried.__dict__:  # what was opened for it is closed with the context
            context.__dict__.setdefault("store", tried.__dict__["store"])


def _option_words(of: Durable, option: click.Option, value: Any) -> list[str]:
    """Return an option and its value as they would stand on a command line."""
    name = max(option.opts, key=len)
    if option.is_flag and isinstance(value, bool):
        return [name] if value else sorted(option.secondary_opts, key=len)[-1:]
    if option.multiple:
        if not isinstance(value, list):
            raise _no_value(of, option, value)
        return [word for each in value for word in _one_option(of, option, name, each)]
    return _one_option(of, option, name, value)


def _one_option(of: Durable, option: click.Option, name: str, value: Any) -> list[str]:
    words = _words(of, option, value)
    if isinstance(option.flag_value, str) and words[0].startswith("-"):
        raise _no_value(of, option, value)  # its value may be left out, so click takes this for one
    # Behind an equals sign nothing is taken for another option, however it begins.
    return [f"{name}={words[0]}"] if len(words) == 1 else [name, *words]


def _words(of: Durable, parameter: click.Parameter, value: Any) -> list[str]:
    if parameter.nargs == 1:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise _no_value(of, parameter, value)
        return [str(value)]
    if not isinstance(value, list) or not all(isinstance(e, int | float | str) for e in value):
        raise _no_value(of, parameter, value)
    if any(str(each).startswith("-") for each in value) and isinstance(parameter, click.Option):
        raise _no_value(of, parameter, value)
    return [str(each) for each in value]


def _no_value(of: Durable, parameter: click.Parameter, value: Any) -> UsageError:
    return UsageError(f"prepay {of.name}: {parameter.name}: {str(value)[:40]!r} is no value")

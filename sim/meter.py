"""One meter on this machine: from options to a running loop.

Everything that ``prepay-sim meter`` does beyond reading its options is here.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from selectors import BaseSelector, DefaultSelector
from typing import TextIO

from msgspec import Struct

from meter_fw import credits, disconnect
from meter_fw.board import Button, Flash, Outputs
from meter_fw.kernel import Kernel
from meter_fw.nvram import Finding
from meter_fw.push import Cause, Outcome
from obis.values import replace
from prepay.keys import LAB_KEYS, MeterKeys, is_published, parse_keys
from prepay.profile import Profile, load_profile
from protocol.timing import Instant
from sim.board import SoftwareBoard
from sim.control import Control
from sim.face import Case, event_line
from sim.flash import FileFlash, MemoryFlash
from sim.keyboard import Fingers, keyboard
from sim.load import Consumption, Household, Load, read_load
from sim.making import (
    DEFAULT_PROFILE,
    DEFAULT_SEED,
    FLASH_BLOCK_SIZE,
    FLASH_BLOCKS,
    OPEN_SECRET,
    OptionError,
    derive_name,
    first_moment,
    keys_option,
    make_factory,
)
from sim.outlet import Outlet
from sim.ports import open_port
from sim.ports.base import Port
from sim.ports.bell import Bell
from sim.ports.calls import Calls, resolve
from sim.realtime import MAX_SPEED, RealTime, line_clock, on_signals
from sim.screen import Blind, Lines, Screen, Terminal, json_line
from sim.statedir import BoardRecord, NamePlate, StateDir, StateError
from sim.world import Site, World

#: What whoever starts a meter has to know of its memory.
_WARNINGS = {
    Finding.LOST: "the meter's memory cannot be read: it begins anew, with its clock unknown",
    Finding.ROLLED_BACK: "the meter's memory is damaged: it goes on from an older state",
}


class Show(Enum):
    """How the meter's display is shown."""

    FACE = "face"
    TEXT = "text"
    JSON = "json"
    NOTHING = "none"


class Options(Struct, frozen=True):
    """What a meter is asked for; None is "as it was, or the default".

    Args:
        ports: specs, at least one for a meter that shall be reached.
        profile: name of its profile.
        name: logical device name.
        seed: of household, name and serial number; with one given, of its challenges too.
        speed: seconds of the meter's time in one of ours.
        start: the first moment of the world; without a zone it is in the meter's.
        state: directory of what survives; None keeps all in memory.
        load: CSV file of quarter-hours; None is the built-in household.
        keys: TOML file of keys; None are the lab's.
        show: how the display is shown.
        json_ready: print the ready line as JSON.
        control: take orders on standard input.
        push_to: where it pushes to, ``tcp:HOST:PORT`` or ``udp:HOST:PORT``; empty for nowhere.
    """

    ports: Sequence[str] = ()
    profile: str | None = None
    name: str | None = None
    seed: int | None = None
    speed: float = 1.0
    start: datetime | None = None
    state: Path | None = None
    load: Path | None = None
    keys: Path | None = None
    show: Show = Show.TEXT
    json_ready: bool = False
    control: bool = False
    push_to: str = ""


class Assembly(Struct, frozen=True):
    """A meter put together, before its first tick."""

    plate: NamePlate
    profile: Profile
    kernel: Kernel
    site: Site
    world: World
    keys: MeterKeys

    def offset(self) -> int:
        """Return by how many ms the meter's clock is ahead of the world's, since it was set."""
        return self.kernel.state.clock.offset

    def clock(self) -> datetime:
        """Return the meter's own clock as local time, to the second."""
        return self.kernel.view.at(self.world.now + self.offset()).replace(microsecond=0)


def run_meter(options: Options, out: TextIO) -> None:
    """Run one meter until a signal stops it.

    Args:
        options: what was asked for.
        out: standard output; a reader who does not take its lines does not hold the meter up.

    Raises:
        PortSpecError, ProfileError, OptionError: no such port, profile, name or time can be.
        PortError, LoadError, KeyFileError, StateError, FlashError, JournalError, OSError:
            something that the options name cannot be used.
    """
    if not 0 < options.speed <= MAX_SPEED:  # "not a number" is neither
        raise OptionError(f"a speed is above 0 and at most {MAX_SPEED}")
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        made = assemble(options, selector, stack)
        if made.kernel.finding in _WARNINGS:
            print(f"prepay-sim: {_WARNINGS[made.kernel.finding]}", file=sys.stderr)
        world, board = made.world, made.site.board
        outlet = Outlet(out, partial(_dropped, options.show))
        loop = RealTime(world, selector, options.speed)
        presses = {
            signal.SIGUSR1: lambda: board.press(Button.DISPLAY),
            signal.SIGUSR2: lambda: board.press(Button.SELECT),
        }
        stack.enter_context(on_signals(loop, selector, presses))
        first = world.add(made.site)
        for line in _ready(options, made):
            outlet.say(line)
        screen = _screen(options, made, loop, selector, outlet, stack)
        stack.callback(screen.close)
        screen.ticked(made.site, first)
        world.after.append(screen.ticked)
        world.after.append(PushTeller(options.show, made, outlet, screen).ticked)
        loop.each_turn += [outlet.turn, screen.turn]
        if options.control:
            answer = partial(_answer, options.show, made, outlet, screen)
            control = Control(loop, board, made.profile.zone, made.offset, answer)
            _listen(control, selector)
        loop.run()


def _listen(control: Control, selector: BaseSelector) -> None:
    try:
        control.listen(0, selector)
    except OSError as error:
        raise OptionError("--control needs a pipe or a terminal as standard input") from error


def assemble(options: Options, selector: BaseSelector, stack: ExitStack) -> Assembly:
    """Put a meter together by its options.

    Args:
        options: what was asked for.
        selector: where its ports are watched.
        stack: gives back, at its end, what was opened.

    Raises:
        Exception: as ``run_meter``.
    """
    state = _state_dir(options, stack)
    if state:
        state.check()
    plate = _name_plate(options, state)
    profile = load_profile(plate.profile)
    record = state.board() if state else None
    start = _start(options, profile, record)
    load: Load = Household(plate.seed, profile.zone)
    if options.load:
        load = read_load(options.load, profile.zone)
    keys = parse_keys(options.keys.read_text("utf-8"), of_meter=True) if options.keys else LAB_KEYS
    factory = make_factory(profile, plate.name, keys, start)
    factory = replace(factory, push_to=resolve(options.push_to))
    bell = Bell(selector)
    ports = _open_ports(options.ports, bell, stack)
    board = SoftwareBoard(_flash(state, stack), Consumption(load), start)
    if record:
        board.contact, board.remainder = record.contact, record.remainder
    world = World(start, plate.seed, line_clock)
    entropy = os.urandom if options.seed is None else world.entropy(plate.name)
    kernel = Kernel(board.flash, factory, entropy, start)
    if state:
        _keep(world, state, plate)
    calls = Calls(bell)
    stack.callback(calls.close)
    site = Site(plate.name, kernel, board, ports, calls, bell)
    return Assembly(plate, profile, kernel, site, world, keys)


def _answer(
    show: Show,
    made: Assembly,
    outlet: Outlet,
    screen: Screen,
    order: str,
    refusal: str,
) -> None:
    """Say what became of an order, in the form of the event lines and after those before it."""
    screen.flush()
    clock = made.clock()
    if show is Show.JSON:
        more = {"refused": refusal} if refusal else {}
        outlet.say(json.dumps({"time": clock.isoformat(), "order": order, **more}))
    else:
        outlet.say(f"[{clock:%Y-%m-%d %H:%M:%S}] {order}: {refusal or 'done'}")


class PushTeller:
    """Tells what became of each push, in the form of the event lines and after those before it."""

    def __init__(self, show: Show, made: Assembly, outlet: Outlet, screen: Screen) -> None:
        self._show = show
        self._made = made
        self._outlet = outlet
        self._screen = screen
        self._told = made.kernel.state.pushed

    def ticked(self, _site: Site, _outputs: Outputs) -> None:
        """Say what is new since the last time."""
        pushed = self._made.kernel.state.pushed
        if (pushed.time, pushed.tries) == (self._told.time, self._told.tries):
            return
        self._told = pushed
        if self._show not in (Show.TEXT, Show.JSON):
            return
        self._screen.flush()
        clock = self._made.clock()
        cause, outcome = (
            name.lower().replace("_", " ")
            for name in (Cause(pushed.cause).name, Outcome(pushed.outcome).name)
        )
        if self._show is Show.JSON:
            said = {"push": cause, "outcome": outcome, "try": pushed.tries}
            self._outlet.say(json.dumps({"time": clock.isoformat(), **said}))
        else:
            self._outlet.say(
                f"[{clock:%Y-%m-%d %H:%M:%S}] push ({cause}): {outcome}, try {pushed.tries}"
            )


def _dropped(show: Show, count: int) -> str:
    """Return the line that tells a reader what he has missed."""
    if show is Show.JSON:
        return json.dumps({"dropped": count})
    return f"dropped: {count} lines that nobody read in time"


def _state_dir(options: Options, stack: ExitStack) -> StateDir | None:
    if options.state is None:
        return None
    state = StateDir(options.state)
    stack.callback(state.close)
    return state


def _name_plate(options: Options, state: StateDir | None) -> NamePlate:
    """Return the name plate: the one that is there, or a new one by the options."""
    engraved = state.plate() if state else None
    if engraved is None:
        profile = options.profile or DEFAULT_PROFILE
        # Without a seed it is another meter each time: a head-end would remember this one's past.
        given = int.from_bytes(os.urandom(8), "big") if options.seed is None else options.seed
        name = derive_name(profile, given) if options.name is None else options.name
        return NamePlate(name, profile, DEFAULT_SEED if options.seed is None else options.seed)
    for what in ("name", "profile", "seed"):
        asked, there = getattr(options, what), getattr(engraved, what)
        if asked is not None and asked != there:
            raise StateError(f"{options.state} holds a meter with {what} {there}, not {asked}")
    return engraved


def _start(options: Options, profile: Profile, record: BoardRecord | None) -> Instant:
    if options.start is None and record is not None:
        return record.now
    return first_moment(options.start, profile.zone)


def _flash(state: StateDir | None, stack: ExitStack) -> Flash:
    if state is None:
        return MemoryFlash(FLASH_BLOCKS, FLASH_BLOCK_SIZE)
    return stack.enter_context(FileFlash(state.flash, FLASH_BLOCKS, FLASH_BLOCK_SIZE))


def _open_ports(specs: Sequence[str], selector: BaseSelector, stack: ExitStack) -> list[Port]:
    ports: list[Port] = []
    for spec in specs:
        port = open_port(spec, selector)
        stack.callback(port.close)
        ports.append(port)
    return ports


def _keep(world: World, state: StateDir, plate: NamePlate) -> None:
    """Keep the board's record: before each tick, and once more when the relay has moved."""
    if state.plate() is None:
        state.engrave(plate)

    def before(site: Site, now: Instant) -> None:
        state.record(BoardRecord(now, site.board.contact, site.board.remainder))

    def after(site: Site, _outputs: Outputs) -> None:
        before(site, site.board.now)

    world.before.append(before)
    world.after.append(after)


def _ready(options: Options, made: Assembly) -> list[str]:
    """Return the lines that say that the meter can be reached."""
    clock = made.clock()
    specs = [port.client_spec for port in made.site.ports]
    name, profile = made.plate.name, made.plate.profile
    if options.json_ready:
        ready = {
            "meter": name,
            "profile": profile,
            "ports": [{"spec": spec} for spec in specs],
            "clock": clock.isoformat(),
            "speed": options.speed,
        }
        return [json.dumps(ready)]
    lines = [
        f"meter {name}, profile {profile}, {clock:%Y-%m-%d %H:%M:%S},"
        f" {options.speed:g} times real time",
        *(f"  prepay --port {spec}{keys_option(options.keys)} status" for spec in specs),
    ]
    if is_published(made.keys):
        lines.append(OPEN_SECRET)
    return lines


def _screen(
    options: Options,
    made: Assembly,
    loop: RealTime,
    selector: BaseSelector,
    outlet: Outlet,
    stack: ExitStack,
) -> Screen:
    plate, profile = made.plate, made.profile
    case = Case(plate.name, plate.profile, profile.currency.code)
    if options.show is Show.NOTHING:
        return Blind()
    if options.show is Show.FACE:
        keys = Fingers(loop, made.site.board, partial(_offered, made.kernel))
        ours = not options.control and stack.enter_context(keyboard(selector, keys.press))
        legend = keys.footer if ours else str
        return Terminal(case, made.clock, lambda: f"{legend()}  {loop.speed:g}x".strip())
    render = json_line if options.show is Show.JSON else event_line
    return Lines(case, made.clock, made.kernel.display, outlet, render)


def _offered(kernel: Kernel) -> bool:
    """Whether the button "select" would do anything now."""
    view = kernel.view
    return any(
        rule(view) is not view.state for rule in (credits.press_select, disconnect.press_select)
    )

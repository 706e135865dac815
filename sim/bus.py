"""Several meters on one line: from options to a running loop, as ``prepay-sim bus`` has it.

They are new meters with their memory in RAM, alike but for name, household and physical address.
"""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from selectors import DefaultSelector
from typing import TextIO

from msgspec import Struct

from meter_fw.kernel import Kernel
from obis.values import replace
from prepay.keys import LAB_KEYS, MeterKeys, is_published, parse_keys
from prepay.profile import Profile, load_profile
from sim.board import SoftwareBoard
from sim.flash import MemoryFlash
from sim.load import Consumption, Household
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
from sim.ports import open_port
from sim.ports.base import Port, PortSpecError
from sim.ports.bus import Bus
from sim.realtime import MAX_SPEED, RealTime, line_clock, on_signals
from sim.world import Site, World

#: Physical addresses that an HDLC address of two octets has room for, reserved ones left out.
MAX_METERS = 125
#: The ports that can be a line with several meters.
_SCHEMES = ("pty", "hdlc+tcp")


class BusOptions(Struct, frozen=True):
    """What a bus is asked for; None is the default.

    Args:
        ports: specs of lines on which all the meters hang.
        meters: how many, at the physical addresses from 1 on.
        profile: name of their profile.
        seed: of households, names and serial numbers; with one given, of their challenges too.
        speed: seconds of the meters' time in one of ours.
        start: the first moment of the world; without a zone it is in the meters'.
        keys: TOML file of keys; None are the lab's.
        json_ready: print the ready line as JSON.
    """

    ports: Sequence[str]
    meters: int
    profile: str | None = None
    seed: int | None = None
    speed: float = 1.0
    start: datetime | None = None
    keys: Path | None = None
    json_ready: bool = False


def run_bus(options: BusOptions, out: TextIO) -> None:
    """Run the meters until a signal stops them.

    Raises:
        PortSpecError, ProfileError, OptionError: no such port, profile, number or time can be.
        PortError, KeyFileError, OSError: something that the options name cannot be used.
    """
    if not 1 <= options.meters <= MAX_METERS:
        raise OptionError(f"a bus has 1 to {MAX_METERS} meters")
    if not 0 < options.speed <= MAX_SPEED:  # "not a number" is neither
        raise OptionError(f"a speed is above 0 and at most {MAX_SPEED}")
    keys = parse_keys(options.keys.read_text("utf-8"), of_meter=True) if options.keys else LAB_KEYS
    profile_name = options.profile or DEFAULT_PROFILE
    profile = load_profile(profile_name)
    start = first_moment(options.start, profile.zone)
    with ExitStack() as stack:
        selector = stack.enter_context(DefaultSelector())
        buses = []
        for spec in options.ports:
            if spec.partition(":")[0] not in _SCHEMES:
                forms = ", ".join(f"{scheme}:" for scheme in _SCHEMES)
                raise PortSpecError(f"{spec!r} is no line for several meters; those are {forms}")
            port = open_port(spec, selector)
            stack.callback(port.close)
            buses.append(Bus(port))
        seed = DEFAULT_SEED if options.seed is None else options.seed
        world = World(start, seed, line_clock)
        loop = RealTime(world, selector, options.speed)
        stack.enter_context(on_signals(loop, selector, {}))
        for site in make_sites(options, profile, keys, world, buses):
            world.add(site)
        lines = _ready(options, profile_name, world, buses, is_published(keys))
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
        loop.run()


def make_sites(
    options: BusOptions, profile: Profile, keys: MeterKeys, world: World, buses: Sequence[Bus]
) -> list[Site]:
    """Return the meters, each with its end of every bus; the first has physical address 1."""
    sites = []
    chance = int.from_bytes(os.urandom(8), "big") if options.seed is None else options.seed
    for physical in range(1, options.meters + 1):
        name = derive_name(options.profile or DEFAULT_PROFILE, chance + physical - 1)
        made = make_factory(profile, name, keys, world.now)
        factory = replace(made, physical=physical, shared_line=True)
        seed = (DEFAULT_SEED if options.seed is None else options.seed) + physical - 1
        flash = MemoryFlash(FLASH_BLOCKS, FLASH_BLOCK_SIZE)
        load = Consumption(Household(seed, profile.zone))
        board = SoftwareBoard(flash, load, world.now)
        entropy = os.urandom if options.seed is None else world.entropy(name)
        ports: list[Port] = [bus.station() for bus in buses]
        sites.append(Site(name, Kernel(board.flash, factory, entropy, world.now), board, ports))
    return sites


def _ready(
    options: BusOptions, profile: str, world: World, buses: Sequence[Bus], published: bool
) -> list[str]:
    """Return the lines that say that the meters can be reached."""
    specs = [bus.client_spec for bus in buses]
    meters = list(enumerate((site.name for site in world.sites), 1))
    if options.json_ready:
        ready = {
            "profile": profile,
            "ports": [{"spec": spec} for spec in specs],
            "meters": [{"meter": name, "physical": physical} for physical, name in meters],
            "speed": options.speed,
        }
        return [json.dumps(ready)]
    lines = [f"{len(meters)} meters, profile {profile}, {options.speed:g} times real time"]
    keys = keys_option(options.keys)
    for spec in specs:
        lines += [
            f"  prepay --port {spec}{keys} --physical {physical} status    # {name}"
            for physical, name in meters
        ]
    if published:
        lines.append(OPEN_SECRET)
    return lines

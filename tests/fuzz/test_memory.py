"""One meter that lives through hostile octets in every state, port after port: it does not grow."""

import gc
import tracemalloc
from collections.abc import Iterator
from random import Random
from typing import Final

import pytest

from meter_fw.board import PortKind
from protocol.hdlc import HdlcParameters
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.reassembly import LLC_COMMAND
from protocol.security import CounterLease
from protocol.wrapper import build_header
from tests.fuzz.bench import KINDS, Bench
from tests.fuzz.campaign import PATIENCE, PROFILES, scaled, scene
from tests.fuzz.hostile import Input
from tests.fuzz.states import STATES, Standing

pytestmark = pytest.mark.timeout(scaled(300))  # a soak is fifty times as long

KIB: Final = 1024
#: What the meter may keep of octets while a port is open: a few frames, a value in blocks, answers.
MOST_KEPT: Final = 80 * KIB
#: What one input may take for a moment, decoded values, answers and the test's own included.
MOST_AT_ONCE: Final = 512 * KIB
#: What may be left of a whole campaign: caches of the interpreter, not of the meter.
MOST_GROWN: Final = 12 * KIB
#: Ports in each state; the first third of the campaign fills the caches.
PORTS: Final = 8


def kept(bench: Bench) -> int:
    """Return how many octets the lines of the meter hold in buffers of any kind."""
    shared = {id(bench.kernel), id(bench.factory), id(bench.kernel._objects), id(bench.dice)}
    todo: list[object] = list(bench.kernel._ports.lines.values())
    seen, octets = set(shared), 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray | memoryview):
            octets += len(one)
        else:
            todo += gc.get_referents(one)
    return octets


def campaign(profile: str, kind: PortKind, seed: int) -> Iterator[tuple[Standing, Input]]:
    """Yield a living meter in each state in turn, and the input for it."""
    random = Random(f"{profile} {kind} {seed}")
    bench = scene(STATES[0], profile).standing.bench.copy()
    bench.lease = CounterLease(bench.kernel.state.counters.received + 100)
    for state in STATES:
        if state.kind is kind:
            standing = state.reach(bench)
            hostile = scene(state, profile).hostile
            yield standing, hostile.draw(random, bench.lease)
            bench.wait(PATIENCE[kind])
            bench.hang_up()


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_meter_does_not_grow(kind: PortKind, profile: str) -> None:
    """Neither at once, by one input, nor in the course of many."""
    rounds = scaled(PORTS)
    list(campaign(profile, kind, -1))
    gc.collect()
    tracemalloc.start()
    try:
        settled = 0
        for seed in range(rounds):
            if seed == max(rounds // 3, 1):
                gc.collect()
                settled = tracemalloc.get_traced_memory()[0]
            _live_through(campaign(profile, kind, seed))
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - settled
    finally:
        tracemalloc.stop()
    assert grown <= MOST_GROWN


def test_the_most_that_a_stranger_can_make_a_line_keep() -> None:
    """Eight HDLC connections, each in the middle of an APDU without an end: 64 KiB of each."""
    bench = scene(STATES[0], "il").standing.bench.copy()
    port = bench.open(PortKind.HDLC)
    server = HdlcAddress(1, bench.factory.physical, 4)
    piece = LLC_COMMAND + bytes(500)
    wish = HdlcParameters(512, 512).to_information()
    for sap in range(1, 12):
        client = HdlcAddress(sap)
        bench.feed(port, Frame(server, client, Control(FrameKind.SNRM), wish).to_bytes())
        for number in range(130):
            control = Control(FrameKind.I, send=number % 8)
            bench.feed(port, Frame(server, client, control, piece, True).to_bytes())
    assert 8 * 60 * KIB <= kept(bench) <= 8 * (64 + 1) * KIB


def test_the_most_that_a_stranger_can_make_a_stream_keep() -> None:
    """The longest frame that a wrapper header can announce, and never its last octet."""
    bench = scene(STATES[0], "il").standing.bench.copy()
    port = bench.open(PortKind.WRAPPER)
    bench.feed(port, build_header(16, 1, 0xFFFF) + bytes(0xFFFE))
    assert 0xFFFE <= kept(bench) <= (64 + 1) * KIB


def _live_through(inputs: Iterator[tuple[Standing, Input]]) -> None:
    """Give a meter one input in each state, and keep nothing of it."""
    for standing, given in inputs:
        at_once = _strike(standing, given)
        assert at_once <= MOST_AT_ONCE, (given.how, at_once)
        octets = kept(standing.bench)
        assert octets <= MOST_KEPT, (given.how, octets)


def _strike(standing: Standing, given: Input) -> int:
    """Give the input to the meter and return how much memory that took at most."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for octets in given.octets:
        if standing.port in standing.bench.tick(rx={standing.port: octets}).close:
            break
    return tracemalloc.get_traced_memory()[1] - before

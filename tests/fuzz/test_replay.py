"""A recording of the management client's whole conversation, played to the meter again."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from meter_fw.board import PortId, PortKind
from obis import catalogue
from protocol.axdr import Data
from protocol.events import AttributeRef, GetRequest, GetResponse
from tests.fuzz.bench import KINDS, MANAGER, PUBLIC, Bench, Dialogue, NextClient
from tests.fuzz.recording import Recording, record
from tests.fuzz.states import Standing

PROFILES = ("be-wal", "il")
COUNTER = GetRequest(AttributeRef(1, catalogue.INVOCATION_COUNTER, 2))


def last_counter(bench: Bench, kind: PortKind) -> int:
    """Return what 0-0:43.1.0 tells a public client."""
    answer = Dialogue(bench, kind, PUBLIC).open().ask(COUNTER)
    assert isinstance(answer, GetResponse)
    assert isinstance(answer.result, Data)
    return int(answer.result.value)


def play(bench: Bench, port: PortId, runs: Iterable[bytes]) -> None:
    """Say on one port what was recorded, whatever the meter answers."""
    for octets in runs:
        if port in bench.tick(rx={port: octets}).close:
            return


@pytest.fixture(params=PROFILES)
def bench(request: pytest.FixtureRequest) -> Bench:
    """A meter with a balance."""
    bench = Bench(request.param)
    bench.activate()
    return bench


def check_nothing_happened(bench: Bench, kind: PortKind, recording: Recording) -> None:
    """Play the recording in every way on new ports, and look at what has to have stayed."""
    before, counter, paid = bench.durable, last_counter(bench, kind), bench.balance
    moves = len(bench.coils)
    play(bench, bench.open(kind), recording.octets)
    play(bench, bench.open(kind), (b"".join(recording.octets),))
    play(bench, bench.open(kind), reversed(recording.octets))
    for first, second in pairwise(recording.octets):
        play(bench, bench.open(kind), (first, second))
        bench.hang_up()
    assert bench.durable == before
    assert (bench.balance, len(bench.coils)) == (paid, moves)
    assert last_counter(bench, kind) == counter
    bench.check_ledger()
    assert NextClient(bench, kind).is_served(bench)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recorded_conversation_did_something(bench: Bench, kind: PortKind) -> None:
    """Paid, cut, reconnected: what the tests below say about replays is about something."""
    before, paid, moves = bench.durable, bench.balance, len(bench.coils)
    record(bench, kind, 20)
    assert bench.balance == paid + 2_500
    assert bench.durable["transactions"] != before["transactions"]
    assert len(bench.coils) >= moves + 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_on_a_fresh_port_changes_nothing(bench: Bench, kind: PortKind) -> None:
    """Neither balance nor relay nor log; 0-0:43.1.0 still tells the last counter of the client."""
    recording = record(bench, kind, 20)
    used = bench.lease.next() - 1
    assert last_counter(bench, kind) == used
    check_nothing_happened(bench, kind, recording)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_after_a_reboot_changes_nothing(bench: Bench, kind: PortKind) -> None:
    """The counters accepted are in flash: a meter that lost power believes no old octets either.

    The farewell at the end changes nothing that has to be durable, so its counter alone may be
    lost with the power; what it asked is lost with its association.
    """
    recording = record(bench, kind, 20)
    used = bench.lease.next() - 1
    state = bench.durable
    bench.boot()
    assert bench.durable == state
    assert used - 1 <= last_counter(bench, kind) <= used
    check_nothing_happened(bench, kind, recording)


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_into_an_open_association_changes_nothing(bench: Bench, kind: PortKind) -> None:
    """Requests recorded in one association are refused in the next, true tags and all."""
    recording = record(bench, kind, 20)
    dialogue = Dialogue(bench, kind, MANAGER).open()
    before, counter = bench.durable, last_counter(bench, kind)
    for apdu in recording.apdus:
        dialogue.say(COUNTER)
        standing = Standing(bench, dialogue, dialogue.pending())
        copy = bench.copy()
        copy.feed(dialogue.port, standing.envelope(apdu))
        assert copy.durable == before
        assert copy.kernel.state.counters.received == counter
        dialogue.association.reset()
        dialogue = Dialogue(bench, kind, MANAGER).open()
        counter = last_counter(bench, kind)
        bench.tick(closed=frozenset(bench.kernel._ports.lines) - {dialogue.port})

"""One hostile input against a meter in one state, and what has to hold afterwards."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import settings

from meter_fw.board import Outputs, PortKind
from obis.code import ObisCode
from protocol import axdr
from protocol.apdu import (
    ActionRequestFirstPblock,
    ActionRequestNormal,
    ActionRequestPblock,
    SetRequestDatablock,
    SetRequestFirstDatablock,
    SetRequestNormal,
    decode,
)
from protocol.axdr import Data
from protocol.errors import DecodeError, SecurityError, ServiceNotSupported
from protocol.events import AttributeRef, GetRequest, GetResponse, MethodRef
from tests.fuzz.bench import KINDS, MANAGER, Bench, Dialogue, NextClient
from tests.fuzz.hostile import Corpus, Hostile, Input
from tests.fuzz.recording import OBJECT_LIST, record, record_others
from tests.fuzz.states import Standing, State

PROFILES: Final = ("be-wal", "il")
#: What one run of octets may bring out of the meter; a run has a few requests at most.
MOST_ANSWERED: Final = 64 * 1024
#: How long a client waits before it begins anew, ms: longer than the meter waits for octets.
PATIENCE: Final = {PortKind.HDLC: 1_000, PortKind.WRAPPER: 11_000}
_WRITABLE: Final = (2, 3)

#: How many inputs each state has met, for the report at the end of the run.
REACHED: Final[Counter[str]] = Counter()
#: Of these, how many orders of the management client they turned out to be.
OBEYED: Final[Counter[str]] = Counter()


def scaled(examples: int) -> int:
    """Return ``examples`` for the hypothesis profile in force; its default is 100 of them."""
    return examples * settings().max_examples // 100


@dataclass(frozen=True, slots=True)
class Rights:
    """What the management client may write and call, as the meter itself says."""

    attributes: frozenset[AttributeRef]
    methods: frozenset[MethodRef]

    @classmethod
    def read(cls, bench: Bench) -> "Rights":
        """Read them from the object list."""
        dialogue = Dialogue(bench, PortKind.WRAPPER, MANAGER).open()
        answer = dialogue.ask(GetRequest(OBJECT_LIST))
        assert isinstance(answer, GetResponse)
        assert isinstance(answer.result, Data)
        attributes, methods = set(), set()
        for row in answer.result.value:
            class_id, _, name, rights = (part.value for part in row.value)
            code = ObisCode.from_bytes(name)
            for index, mode, *_ in (item.value for item in rights[0].value):
                if mode.value in _WRITABLE:
                    attributes.add(AttributeRef(class_id, code, index.value))
            for index, mode in (item.value for item in rights[1].value):
                if mode.value:
                    methods.add(MethodRef(class_id, code, index.value))
        return cls(frozenset(attributes), frozenset(methods))


@dataclass(frozen=True)
class Scene:
    """A meter with a past, in one state, ready to be copied for each input."""

    state: State
    standing: Standing
    hostile: Hostile
    rights: Rights
    next_client: NextClient
    before: Mapping[str, Any]


@cache
def _past(profile: str) -> tuple[Bench, Rights, Mapping[PortKind, Corpus]]:
    """Return a meter that has been talked to on each kind of port, and what was said."""
    bench = Bench(profile)
    bench.activate()
    corpora = {
        kind: Corpus(kind, (record(bench, kind, 20 + place), *record_others(bench, kind)))
        for place, kind in enumerate(KINDS)
    }
    rights = Rights.read(bench)
    bench.hang_up()
    return bench, rights, corpora


@cache
def scene(state: State, profile: str) -> Scene:
    """Return a meter of ``profile`` in ``state``."""
    past, rights, corpora = _past(profile)
    bench = past.copy()
    standing = state.reach(bench)
    keyed = state.name.startswith("management")
    hostile = Hostile(corpora[state.kind], standing, keyed)
    next_client = NextClient(past, state.kind)
    return Scene(state, standing, hostile, rights, next_client, bench.durable)


def is_order(scene: Scene, given: Input) -> bool:
    """Say whether an input holds something that the management client may ask, in due form."""
    standing = scene.standing
    if standing.order and standing.order in b"".join(given.octets):
        return True
    return any(_is_order(plain, standing, scene.rights) for plain in given.sealed)


def _is_order(plain: bytes, standing: Standing, rights: Rights) -> bool:
    try:
        match decode(plain):
            case SetRequestNormal(attribute=asked) | SetRequestFirstDatablock(attribute=asked):
                return asked in rights.attributes
            case ActionRequestNormal(method=called) | ActionRequestFirstPblock(method=called):
                return called in rights.methods
            case SetRequestDatablock(raw_data=rest) | ActionRequestPblock(raw_data=rest):
                axdr.decode(standing.begun + rest)
                return True
    except (DecodeError, ServiceNotSupported, SecurityError):
        pass
    return False


def strike(scene: Scene, given: Input) -> Bench:
    """Give an input to a copy of the meter, and check all that has to hold.

    Raises:
        AssertionError: something does not; whatever else the meter raises passes through.
    """
    bench, port = scene.standing.bench.copy(), scene.standing.port
    obeyed = is_order(scene, given)
    keys = bench.kernel.view.factory.keys
    for octets in given.octets:
        outputs = bench.tick(rx={port: octets})
        _check_outputs(outputs, scene)
        if outputs.close:
            break
    bench.wait(PATIENCE[scene.state.kind])
    if not obeyed:
        assert bench.durable == scene.before
        assert not bench.coils
    assert bench.kernel.view.factory.keys == keys
    bench.check_ledger()
    still_open = port in bench.kernel._ports.lines
    assert scene.next_client.is_served(bench, port if still_open else None)
    REACHED[str(scene.state)] += 1
    OBEYED[str(scene.state)] += obeyed
    return bench


def _check_outputs(outputs: Outputs, scene: Scene) -> None:
    port = scene.standing.port
    assert set(outputs.tx) <= {port}
    assert outputs.close <= {port}
    assert len(outputs.tx.get(port, b"")) <= MOST_ANSWERED

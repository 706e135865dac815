"""A worker that has not the master key waits, and loses nothing: another one may have it."""

from collections.abc import Iterator
from typing import Any

import pytest

from headend.context import Context
from headend.engine.states import State
from headend.store.commands import Command
from headend.vault import MasterKey, Masters, Vault
from protocol.timing import later
from tests.headend.engine.rig import Rig, make
from tests.headend.vaulted import MASTERS

OTHER = Masters((MasterKey(bytes(32)),), "another place")
#: A method of the relay.
ACTION = {"code": "0-0:96.3.10", "class_id": 70, "method": 2}


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A meter whose keys are in the vault."""
    made = make()
    Vault(made.bench.store, MASTERS).put(made.name, made.bench.keys, made.bench.now, "tester")
    yield made
    made.bench.close()


def worker(rig: Rig, masters: Masters) -> None:
    """Begin a worker that has these master keys."""

    def context_of(command: Command) -> Context:
        context = rig.context(meter=command.meter)
        del context.__dict__["keys"]
        context._masters = masters
        return context

    rig.context_of = context_of  # type: ignore[method-assign] # the rig's own reads no vault
    rig.start()


@pytest.mark.parametrize(
    ("name", "arguments"), [("topup", {"amount": "25.00"}), ("action", ACTION)], ids=str
)
def test_it_waits_for_another_worker(rig: Rig, name: str, arguments: dict[str, Any]) -> None:
    """Also what is never sent twice: without the keys it was not sent at all."""
    worker(rig, OTHER)
    waits = rig.queue(name, **arguments)
    for _ in range(3):
        rig.work()
        kept = rig.command(waits)
        assert (kept.state, "is not at hand" in str(kept.reason)) == (State.QUEUED, True)
        rig.bench.now = later(rig.bench.now, 10_000)
    worker(rig, MASTERS)
    rig.work()
    assert rig.command(waits).state is State.DONE, rig.command(waits).reason

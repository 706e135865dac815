"""Requests without an answer, by pydlms-client: to our meter alone, and under the broadcast key.

Each is executed if the client may, and never answered: the next answer that the peer gets is that
to the read behind it. Over HDLC they come in UI frames.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from obis.values import replace
from tests.interop.environments import PYDLMS
from tests.interop.secured import Manager, PeerProcess, Secured, key_file, octets, secured_meters

pytestmark = pytest.mark.interop

#: Transport, and whether by short names.
WAYS = [(False, False), (True, False), (False, True), (True, True)]
IDS = ["tcp", "hdlc", "tcp, short names", "hdlc, short names"]
LOGICAL = [pytest.param(*way, id=name) for way, name in zip(WAYS, IDS, strict=True) if not way[1]]
COUNTERS = count(1_000, 100)
TEXTS = count()


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A meter of suite 0."""
    with secured_meters(tmp_path_factory.mktemp("unanswered"), {0: key_file(0)}) as meters:
        yield meters[0]


@pytest.fixture(scope="module")
def peer(interpreters: dict[str, Path]) -> Iterator[PeerProcess]:
    """The peer's process."""
    with PeerProcess(interpreters[PYDLMS.name], "pydlms_unanswered.py") as found:
        yield found


class Asking:
    """The peer as the management client of the meter over one transport."""

    def __init__(self, manager: Manager, hdlc: bool, short_names: bool) -> None:
        self._manager = manager
        self._how = {"hdlc": hdlc, "short_names": short_names}

    def __call__(self, what: str, text: str = "", **keys: str) -> Any:
        """Have something asked; the message and the relay afterwards."""
        return self._manager.done(what, text=text, **self._how, **keys)


@pytest.fixture
def asking(peer: PeerProcess, meter: Secured, hdlc: bool, short_names: bool) -> Asking:
    """The peer, by the parameters of the test."""
    over = replace(meter, tcp=meter.hdlc) if hdlc else meter
    return Asking(Manager(peer, over, COUNTERS), hdlc, short_names)


def new_text() -> str:
    """Return a message that was not there before."""
    return f"message {next(TEXTS)}"


@pytest.mark.parametrize(("hdlc", "short_names"), WAYS, ids=IDS)
def test_an_unconfirmed_write_is_executed_and_not_answered(asking: Asking) -> None:
    """SET, or UnconfirmedWrite by short names; one that is refused is not answered either."""
    text = new_text()
    assert asking("unconfirmed", text)[0] == text


@pytest.mark.parametrize(("hdlc", "short_names"), LOGICAL)
def test_an_unconfirmed_action_and_access_are_executed_and_not_answered(asking: Asking) -> None:
    """The relay is opened by the one; the other closes it and writes."""
    text = new_text()
    assert asking("act_unconfirmed")[1] is False
    assert asking("access_unconfirmed", text) == [text, True]


@pytest.mark.parametrize(("hdlc", "short_names"), WAYS, ids=IDS)
def test_a_broadcast_is_executed_and_not_answered(asking: Asking) -> None:
    """To the all-station address, under the broadcast key; under another it is dropped."""
    text = new_text()
    assert asking("broadcast", text)[0] == text
    other = octets("a broadcast key of nobody's", 16).hex()
    assert asking("broadcast", new_text(), broadcast=other)[0] == text

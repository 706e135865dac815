"""Pushing at the local HDLC port: UI frames, where the meter is alone on its line."""

from typing import Any

import pytest

from meter_fw.board import PortId, PortKind
from meter_fw.push import Cause, Outcome
from meter_fw.push_setup import PUSH_SAP
from obis import catalogue
from obis.values import replace
from prepay.transactions import Kind
from protocol.apdu import ApduTag
from protocol.association import Association
from protocol.axdr import Data, enum, octet_string, structure
from protocol.codes import DataAccessResult
from protocol.events import DataNotification, DataNotificationConfirm, LinkData, Peer
from protocol.hdlc import HdlcListener
from protocol.hdlc.finder import FrameFinder
from protocol.hdlc.frame import Frame, FrameKind
from protocol.security import CounterLease, ReplayGuard
from protocol.timing import later
from tests.meter_fw.client import entropy
from tests.meter_fw.rig import Rig
from tests.meter_fw.test_push import CIPHERED, SETUP, ask, cut, objects, outcome, pushing

LINE = PortId("line")
#: The service HDLC, no address, A-XDR.
HERE = structure(enum(5), octet_string(b""), enum(0))


@pytest.fixture
def rig() -> Rig:
    """A meter with a line of HDLC, made to push there."""
    return at_the_line()


def at_the_line(**changes: Any) -> Rig:
    """Return a meter with a line of HDLC, made to push there."""
    rig = Rig()
    rig.factory = replace(rig.factory, push_to="hdlc", **changes)
    rig.boot()
    rig.tick(opened={LINE: PortKind.HDLC})
    return rig


def frames(octets: bytes, rig: Rig) -> list[Frame]:
    """Return the frames in octets of the line."""
    return FrameFinder(100).receive(octets, rig.now)


class Hearer:
    """Who listens at the line."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.link = HdlcListener()
        self.apdus: list[bytes] = []
        self.association = Association.client(CIPHERED, entropy, CounterLease(1), ReplayGuard())

    def hear(self, octets: bytes) -> list[DataNotification]:
        """Return what octets of the line say."""
        said = []
        for event in self.link.receive(octets, self.rig.now):
            assert isinstance(event, LinkData)
            assert event.peer == Peer(1, PUSH_SAP)  # the meter is who calls
            self.apdus.append(event.apdu)
            said += self.association.receive(event.apdu, self.rig.now)
        return [one for one in said if isinstance(one, DataNotification)]


def test_a_move_of_the_relay_is_said_at_the_line(rig: Rig) -> None:
    """In UI frames, the last of them final; nobody is called, and the port stays open."""
    cut(rig)
    octets = rig.last.tx.get(LINE) or rig.tick().tx[LINE]
    found = frames(octets, rig)
    assert {frame.control.kind for frame in found} == {FrameKind.UI}
    assert [frame.control.poll for frame in found] == [False] * (len(found) - 1) + [True]
    (heard,) = Hearer(rig).hear(octets)
    assert heard.invoke.number == 1
    assert outcome(rig) == (Outcome.SENT, Cause.RELAY, 1)
    assert not rig.last.dial
    assert not rig.last.close


def test_the_next_push_comes_too(rig: Rig) -> None:
    """With the next number."""
    hearer = Hearer(rig)
    numbers = []
    for _ in range(3):
        ask(rig)
        octets = rig.last.tx.get(LINE) or rig.tick().tx[LINE]
        numbers += [one.invoke.number for one in hearer.hear(octets)]
    assert numbers == [1, 2, 3]


def test_a_long_push_goes_in_blocks_that_nobody_acknowledges(rig: Rig) -> None:
    """Each in a frame of its own; together the log of 64 entries that no APDU holds."""
    for identity in range(70):
        rig.order(identity, Kind.DISARM)
    log = (7, catalogue.TRANSACTION_LOG, 2)
    assert rig.set(SETUP, 40, objects(log), 2) is DataAccessResult.SUCCESS
    hearer = Hearer(rig)
    ask(rig)
    octets = rig.last.tx.get(LINE) or rig.tick().tx[LINE]
    (heard,) = hearer.hear(octets)
    assert heard.body.value == (rig.get(catalogue.TRANSACTION_LOG, 7),)
    assert len(hearer.apdus) > 1
    assert {apdu[0] for apdu in hearer.apdus} == {ApduTag.GENERAL_BLOCK_TRANSFER}
    assert max(map(len, hearer.apdus)) <= 1024


def test_a_confirmation_comes_back_in_a_ui_frame(rig: Rig) -> None:
    """Until then the push is not done; without it, it is said again."""
    assert rig.set(SETUP, 40, enum(2), 11) is DataAccessResult.SUCCESS
    hearer = Hearer(rig)
    ask(rig)
    (heard,) = hearer.hear(rig.last.tx.get(LINE) or rig.tick().tx[LINE])
    assert heard.invoke.confirmed
    assert rig.kernel.state.pushed.outcome == Outcome.NONE
    hearer.association.send(DataNotificationConfirm(heard.invoke), rig.now)
    for apdu in iter(hearer.association.outgoing, b""):
        hearer.link.send(LinkData(Peer(1, PUSH_SAP), apdu), rig.now)
    rig.tick(rx={LINE: hearer.link.outgoing()})
    assert outcome(rig) == (Outcome.CONFIRMED, Cause.ASKED, 1)
    ask(rig)
    assert len(hearer.hear(rig.last.tx.get(LINE) or rig.tick().tx[LINE])) == 1
    rig.now = later(rig.now, 10_000)
    rig.tick()
    assert outcome(rig) == (Outcome.NOT_CONFIRMED, Cause.ASKED, 1)
    assert not rig.last.close


def test_without_a_line_nobody_is_reached() -> None:
    """A port of another kind is none."""
    rig = Rig()
    rig.factory = replace(rig.factory, push_to="hdlc")
    rig.boot()
    rig.tick(opened={PortId("tcp"): PortKind.WRAPPER})
    cut(rig)
    assert outcome(rig) == (Outcome.NOT_REACHED, Cause.RELAY, 1)


def test_the_line_can_be_set_and_read_back() -> None:
    """Service HDLC without an address; the port is that of the HDLC setup then."""
    rig = pushing()
    rig.tick(opened={LINE: PortKind.HDLC})
    assert rig.set(SETUP, 40, HERE, 3) is DataAccessResult.SUCCESS
    assert rig.get(SETUP, 40, 3) == HERE
    assert rig.get(SETUP, 40, 8) == octet_string(catalogue.HDLC_SETUP.to_bytes())
    ask(rig)
    assert len(Hearer(rig).hear(rig.last.tx.get(LINE) or rig.tick().tx[LINE])) == 1


@pytest.mark.parametrize(
    ("value", "shared"),
    [(HERE, True), (structure(enum(5), octet_string(b"192.0.2.7:4059"), enum(0)), False)],
)
def test_a_shared_line_and_an_address_are_refused(value: Data, shared: bool) -> None:
    """Where others are on the line, who speaks unasked talks over them."""
    rig = Rig()
    rig.factory = replace(rig.factory, shared_line=shared)
    rig.boot()
    assert rig.set(SETUP, 40, value, 3) is DataAccessResult.OTHER_REASON


def test_a_meter_made_to_push_on_a_shared_line_stays_silent() -> None:
    """It has nobody to push to."""
    rig = at_the_line(shared_line=True)
    cut(rig)
    assert not rig.last.tx
    assert not rig.tick().tx
    assert rig.kernel.state.pushed.outcome == Outcome.NONE

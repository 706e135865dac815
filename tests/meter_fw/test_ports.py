"""Ports: several clients on one, ports that come and go, and what a restart remembers of them."""

import pytest

from meter_fw.board import Inputs, PortId, PortKind
from meter_fw.kernel import Kernel
from meter_fw.policies import MANAGEMENT_SAP, PUBLIC_SAP, READER_SAP
from meter_fw.switchboard import MAX_PORTS
from obis import catalogue
from protocol.axdr import Data
from protocol.codes import (
    DataAccessResult,
)
from protocol.events import (
    AttributeRef,
    ExceptionRaised,
    LinkData,
    LinkDisconnect,
    Opened,
    OpenRequest,
    Released,
    ReleaseRequest,
)
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.timing import later
from protocol.wrapper import build_header
from tests.meter_fw.client import (
    ENERGY,
    KINDS,
    MANAGER,
    NAME,
    PUBLIC,
    READER,
    Client,
    entropy,
    plain_get,
)
from tests.meter_fw.rig import Rig

# --- several clients, and ports that come and go -----------------------------------------------


def test_several_clients_share_a_wrapper_stream_each_with_his_own_association() -> None:
    """Their requests alternate; the rights of one are none of the others'."""
    rig = Rig()
    public = Client(rig)
    reader = Client(rig, READER, READER_SAP, shared=True)
    manager = Client(rig, MANAGER, MANAGEMENT_SAP, shared=True)
    for client in (manager, public, reader):
        assert isinstance(client.open(), Opened)
    for _ in range(2):
        assert public.get(ENERGY) is DataAccessResult.OBJECT_UNDEFINED
        assert isinstance(reader.get(ENERGY), Data)
        assert isinstance(manager.get(ENERGY), Data)
    assert isinstance(manager.say(ReleaseRequest()), Released)
    assert isinstance(reader.get(ENERGY), Data)


def test_several_clients_share_an_hdlc_line() -> None:
    """A disconnection of one leaves the others."""
    rig = Rig()
    public = Client(rig, PUBLIC, PUBLIC_SAP, PortKind.HDLC)
    reader = Client(rig, READER, READER_SAP, PortKind.HDLC, shared=True)
    public.open()
    reader.open()
    public.link.send(LinkDisconnect(public.peer), rig.now)
    public.pump()
    assert isinstance(reader.get(ENERGY), Data)


def test_one_client_on_two_ports_has_one_range_of_counters() -> None:
    """A counter that was used on the one is used on the other."""
    rig = Rig()
    first = Client(rig, MANAGER, MANAGEMENT_SAP, counter=10)
    assert isinstance(first.open(), Opened)
    stale = Client(rig, MANAGER, MANAGEMENT_SAP, port=PortId("other"), counter=10)
    refused = stale.open()
    assert isinstance(refused, ExceptionRaised)
    assert refused.invocation_counter == rig.kernel.state.counters.received + 1


def test_a_client_opens_again_without_releasing() -> None:
    """An AARQ in an open association begins anew."""
    rig = Rig()
    client = Client(rig, READER, READER_SAP)
    client.open()
    again = Client(rig, READER, READER_SAP, shared=True)
    assert isinstance(again.open(), Opened)
    assert isinstance(again.get(ENERGY), Data)


@pytest.mark.parametrize("kind", KINDS)
def test_an_association_ends_with_its_port(kind: PortKind) -> None:
    """On a port of the same name that opens later nobody is let in by it."""
    rig = Rig()
    client = Client(rig, READER, READER_SAP, kind)
    client.open()
    rig.tick(closed=frozenset({client.port}))
    assert not rig.tick(rx={client.port: b"\x7e"}).tx
    again = Client(rig, READER, READER_SAP, kind)
    if kind is PortKind.WRAPPER:
        answer = rig.tick(rx={again.port: build_header(READER_SAP, 1, 13) + plain_get(NAME)}).tx[
            again.port
        ]
        assert answer[8:] == bytes.fromhex("D80101")
    assert isinstance(again.open(), Opened)
    assert isinstance(again.get(ENERGY), Data)


def test_a_silent_hdlc_connection_ends_and_the_client_connects_anew() -> None:
    """After two minutes of the line timer, however fast the meter's own time runs."""
    rig = Rig()
    client = Client(rig, READER, READER_SAP, PortKind.HDLC)
    client.open()
    due = rig.last.line_wake_at
    assert due == later(rig.now, 120_000)
    rig.tick(line_now=due)
    assert rig.last.line_wake_at is None
    again = Client(rig, READER, READER_SAP, PortKind.HDLC, shared=True)
    assert isinstance(again.open(), Opened)


ADDRESS = HdlcAddress(1, 1, 4), HdlcAddress(PUBLIC_SAP)


def frame(kind: FrameKind) -> bytes:
    """Return a frame of the public client's, with the poll bit."""
    return Frame(*ADDRESS, Control(kind, poll=True)).to_bytes()


@pytest.mark.parametrize("kind", [FrameKind.DISC, FrameKind.SNRM])
def test_a_client_who_leaves_before_he_has_heard_the_answer_finds_the_line_again(
    kind: FrameKind,
) -> None:
    """A request and DISC or SNRM in one go: a serial line is not given up for it.

    Nor does the old answer come up in the new connection.
    """
    rig = Rig()
    client = Client(rig, PUBLIC, PUBLIC_SAP, PortKind.HDLC)
    client.association.send(OpenRequest(), rig.now)
    client.link.send(LinkData(client.peer, client.association.outgoing()), rig.now)
    outputs = rig.tick(rx={client.port: client.link.outgoing() + frame(kind)})
    assert not outputs.close
    rig.tick(rx={client.port: frame(FrameKind.SNRM)})
    polled = rig.tick(rx={client.port: frame(FrameKind.RR)}).tx[client.port]
    assert len(polled) == len(frame(FrameKind.RR))  # an RR too: there is nothing to say
    again = Client(rig, PUBLIC, PUBLIC_SAP, PortKind.HDLC, shared=True)
    assert isinstance(again.open(), Opened)


def test_answers_that_nobody_fetches_end_an_association_and_not_the_line() -> None:
    """Requests without a poll, one after the other: what waits is bounded."""
    rig = Rig()
    client = Client(rig, PUBLIC, PUBLIC_SAP, PortKind.HDLC)
    client.open()
    request = b"\xe6\xe6\x00" + plain_get(NAME)
    for sent in range(1, 201):
        control = Control(FrameKind.I, poll=False, send=sent % 8, receive=1)
        octets = Frame(*ADDRESS, control, request).to_bytes()
        assert not rig.tick(rx={client.port: octets}).close
    again = Client(rig, PUBLIC, PUBLIC_SAP, PortKind.HDLC, shared=True)
    assert isinstance(again.open(), Opened)


def test_a_stream_that_cannot_be_followed_is_hung_up() -> None:
    """Not a wrapper header: the port is closed and forgotten; the others live on."""
    rig = Rig()
    other = Client(rig, READER, READER_SAP, port=PortId("other"))
    other.open()
    broken = Client(rig, READER, READER_SAP)
    broken.open()
    assert rig.tick(rx={broken.port: b"GET / HTTP/1.1\r\n\r\n"}).close == {broken.port}
    assert not rig.tick(rx={broken.port: b"\0\1"}).close
    assert isinstance(other.get(ENERGY), Data)
    assert isinstance(Client(rig, READER, READER_SAP).open(), Opened)


def test_half_a_wrapper_frame_is_waited_for_and_then_hung_up() -> None:
    """The meter asks to be woken for it."""
    rig = Rig()
    client = Client(rig, READER, READER_SAP)
    rig.tick(rx={client.port: b"\0\1\0"})
    due = rig.last.line_wake_at
    assert due is not None
    assert rig.tick(line_now=due).close == {client.port}
    assert rig.last.line_wake_at is None


def test_a_port_too_many_is_deaf_and_hung_up() -> None:
    """What came with its opening is not served; where one leaves, the next may come."""
    rig = Rig()
    full = {PortId(str(n)): PortKind.WRAPPER for n in range(MAX_PORTS)}
    assert not rig.tick(opened=full).close
    late = PortId("late")
    request = build_header(READER_SAP, 1, 13) + plain_get(NAME)
    outputs = rig.tick(opened={late: PortKind.WRAPPER}, rx={late: request})
    assert outputs.close == {late}
    assert not outputs.tx
    rig.tick(closed=frozenset({PortId("3")}))
    assert isinstance(Client(rig, READER, READER_SAP, port=late).open(), Opened)


def test_a_port_that_opens_speaks_and_closes_in_one_tick_is_served_and_gone() -> None:
    """Its answer has nowhere to go."""
    rig = Rig()
    port = PortId("hasty")
    request = build_header(PUBLIC_SAP, 1, 13) + plain_get(NAME)
    outputs = rig.tick(
        opened={port: PortKind.WRAPPER}, rx={port: request}, closed=frozenset({port})
    )
    assert not outputs.tx
    assert not rig.tick(rx={port: request}).tx


def test_octets_for_a_port_that_is_not_open_are_dropped() -> None:
    """No line, no answer."""
    assert not Rig().tick(rx={PortId("nowhere"): b"\x7e" * 100}, closed=frozenset("nobody")).tx


# --- what a restart remembers ------------------------------------------------------------------


def test_nobody_opens_with_a_counter_that_was_used_before_a_restart() -> None:
    """The counter of the last opening is in flash before the meter answers anything."""
    rig = Rig()
    first = Client(rig, MANAGER, MANAGEMENT_SAP, counter=10)
    assert isinstance(first.open(), Opened)
    rig.boot()
    assert isinstance(Client(rig, MANAGER, MANAGEMENT_SAP, counter=10).open(), ExceptionRaised)
    expected = rig.get(catalogue.INVOCATION_COUNTER, 1)
    assert isinstance(expected, Data)
    next_one = Client(rig, MANAGER, MANAGEMENT_SAP, counter=expected.value + 1)
    assert isinstance(next_one.open(), Opened)


def test_the_counter_object_tells_the_public_client_where_to_begin() -> None:
    """The last one that was accepted, live, and 0 before the first."""
    rig = Rig()
    public = Client(rig)
    public.open()
    counter = AttributeRef(1, catalogue.INVOCATION_COUNTER, 2)
    assert public.get(counter).value == 0
    manager = Client(rig, MANAGER, MANAGEMENT_SAP, counter=500, port=PortId("other"))
    manager.open()
    before = public.get(counter).value
    assert before >= 500
    manager.get(NAME)
    assert public.get(counter).value == before + 1


def test_opening_without_keys_wears_no_flash() -> None:
    """Anybody may do it as often as he likes, while energy is used."""
    rig = Rig()
    client = Client(rig)
    before = rig.flash.operations  # type: ignore[attr-defined]  # the rig's is of software
    for _ in range(5):
        rig.use(10)
        assert isinstance(client.open(), Opened)
        client.say(ReleaseRequest())
    assert rig.flash.operations == before  # type: ignore[attr-defined]  # of software


def test_a_kernel_answers_nobody_before_it_is_asked() -> None:
    """A port that opens hears nothing: meters do not speak first."""
    rig = Rig()
    kernel = Kernel(rig.flash, rig.factory, entropy, rig.now)
    opened = {PortId(kind.value): kind for kind in KINDS}
    assert not kernel.tick(rig.now, Inputs(opened=opened)).tx

"""The lines: who is let in by which SAP, several clients on a port, and ports that come and go."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from meter_fw.board import Inputs, PortId, PortKind
from meter_fw.kernel import MAX_PORTS, Kernel
from meter_fw.lines import LOGICAL_DEVICE, MANAGEMENT_SAP, MAX_PDU, PUBLIC_SAP, READER_SAP
from obis import catalogue
from prepay.keys import LAB_KEYS
from prepay.transactions import Kind
from protocol import axdr
from protocol.association import Association, ClientSettings
from protocol.axdr import Data, double_long, integer, octet_string
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    Conformance,
    DataAccessResult,
    Mechanism,
    UserDiagnostic,
)
from protocol.cosem import vendor
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    ExceptionRaised,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkData,
    LinkDisconnect,
    MethodRef,
    Opened,
    OpenRefused,
    OpenRequest,
    Peer,
    Released,
    ReleaseRequest,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.hdlc import HdlcClient, HdlcParameters
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.link import Link
from protocol.security import CounterLease, KeySet, ReplayGuard
from protocol.timing import later
from protocol.wrapper import WrapperLink, build_header
from tests.meter_fw import rig as rig_clients
from tests.meter_fw.rig import Rig, number

KEYS = KeySet(LAB_KEYS.block_cipher_key, LAB_KEYS.authentication_key)
TITLE = b"HEAD\0\0\0\1"
PUBLIC = ClientSettings()
READER = ClientSettings(mechanism=Mechanism.LLS, secret=LAB_KEYS.password)
MANAGER = ClientSettings(
    mechanism=Mechanism.HLS_GMAC,
    context=ApplicationContext.LN_CIPHERED,
    keys=KEYS,
    system_title=TITLE,
)
WHO = {PUBLIC_SAP: PUBLIC, READER_SAP: READER, MANAGEMENT_SAP: MANAGER}
KINDS = [PortKind.HDLC, PortKind.WRAPPER]
NAME = AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2)
ENERGY = AttributeRef(3, catalogue.ACTIVE_ENERGY_IMPORT, 2)
DOOR = AttributeRef(1, catalogue.TRANSACTION, 2)
DISCONNECT = MethodRef(70, catalogue.DISCONNECT_CONTROL, 1)


def entropy(length: int) -> bytes:
    """Return octets that are anything but random."""
    return bytes(range(1, length + 1))


@dataclass
class Client:
    """Both halves of a client on one port of a meter, pumped until nobody has more to say.

    Args:
        rig: the meter.
        settings: how he opens.
        sap: his SAP.
        kind: what is spoken on the port.
        port: which one; opened if the meter has not got it yet.
        counter: his first invocation counter.
        shared: whether others speak on this port too.
    """

    rig: Rig
    settings: ClientSettings = PUBLIC
    sap: int = PUBLIC_SAP
    kind: PortKind = PortKind.WRAPPER
    port: PortId = PortId("port")
    counter: int = 1
    shared: bool = False
    heard: list[AssociationEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        hdlc = self.kind is PortKind.HDLC
        self.peer = Peer(self.sap, LOGICAL_DEVICE, 1 if hdlc else 0)
        wrapper = WrapperLink.client(self.peer)
        self.link: Link = HdlcClient(self.peer, 4, HdlcParameters(512, 512)) if hdlc else wrapper
        self.association = Association.client(
            self.settings, entropy, CounterLease(self.counter), ReplayGuard()
        )
        if not self.shared:
            self.rig.tick(opened={self.port: self.kind})
        self.link.send(LinkConnect(self.peer), self.rig.now)
        self._pump()

    def say(self, event: AssociationEvent) -> AssociationEvent:
        """Send an event and return the last thing that came of it."""
        self.association.send(event, self.rig.now)
        self._pump()
        return self.heard[-1]

    def open(self) -> AssociationEvent:
        """Ask for the association."""
        return self.say(OpenRequest())

    def get(self, attribute: AttributeRef, access: SelectiveAccess | None = None) -> Any:
        """GET, and return the value or the refusal."""
        response = self.say(GetRequest(attribute, access))
        assert isinstance(response, GetResponse), response
        return response.result

    def _pump(self) -> None:
        for _ in range(1000):
            while apdu := self.association.outgoing():
                self.link.send(LinkData(self.peer, apdu), self.rig.now)
            octets = self.link.outgoing()
            if not octets:
                return
            answer = self.rig.tick(rx={self.port: octets}).tx.get(self.port, b"")
            for event in self.link.receive(answer, self.rig.now):
                if isinstance(event, LinkData):
                    self.heard += self.association.receive(event.apdu, self.rig.now)
        raise AssertionError("a conversation without an end")


# --- who is let in -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sap", WHO)
def test_each_of_the_three_clients_is_let_in_by_his_sap(kind: PortKind, sap: int) -> None:
    """The association tells him who he is, and what was negotiated."""
    client = Client(Rig(), WHO[sap], sap, kind)
    opened = client.open()
    assert isinstance(opened, Opened)
    assert (opened.mechanism, opened.max_pdu) == (WHO[sap].mechanism, MAX_PDU)
    partners = client.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 3))
    assert [part.value for part in partners.value] == [sap, LOGICAL_DEVICE]
    context = client.get(AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 5))
    assert context.value[0].value == f"{opened.conformance:024b}"
    assert client.get(NAME).value == b"OPP0000000000001"


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_client_negotiates_reading_and_no_more(kind: PortKind) -> None:
    """SET and ACTION are not services of his association."""
    client = Client(Rig(), PUBLIC, PUBLIC_SAP, kind)
    opened = client.open()
    assert isinstance(opened, Opened)
    reading = Conformance.GET | Conformance.BLOCK_TRANSFER_GET | Conformance.SELECTIVE_ACCESS
    assert opened.conformance == reading
    assert client.get(ENERGY) is DataAccessResult.OBJECT_UNDEFINED


REFUSALS = [
    # whose SAP, how he opens, diagnostic
    (READER_SAP, PUBLIC, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
    (
        READER_SAP,
        replace(READER, secret=b"87654321"),
        UserDiagnostic.AUTHENTICATION_FAILURE,
    ),
    (READER_SAP, MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (PUBLIC_SAP, READER, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED),
    (PUBLIC_SAP, MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (MANAGEMENT_SAP, PUBLIC, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (MANAGEMENT_SAP, READER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
    (
        MANAGEMENT_SAP,
        replace(MANAGER, system_title=b"OPP\0\0\0\0\1"),  # the meter's own
        UserDiagnostic.CALLING_AP_TITLE_NOT_RECOGNIZED,
    ),
    (
        MANAGEMENT_SAP,
        replace(MANAGER, keys=KeySet(bytes(16), KEYS.authentication_key)),
        UserDiagnostic.AUTHENTICATION_FAILURE,
    ),
]
#: What nobody at an unknown SAP can get past; the laboratory's password least of all.
UNKNOWN = [
    (PUBLIC, UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED),
    (READER, UserDiagnostic.AUTHENTICATION_FAILURE),
    (MANAGER, UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED),
]


@pytest.mark.parametrize(("sap", "settings", "diagnostic"), REFUSALS)
def test_a_client_who_opens_otherwise_is_told_why_not(
    sap: int, settings: ClientSettings, diagnostic: UserDiagnostic
) -> None:
    """In the AARE; and he may try again on the same line."""
    client = Client(Rig(), settings, sap)
    refused = client.open()
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic is diagnostic
    again = Client(client.rig, WHO[sap], sap, counter=100, shared=True)
    assert isinstance(again.open(), Opened)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sap", [3, 15, 17, 100])
@pytest.mark.parametrize(("settings", "diagnostic"), UNKNOWN)
def test_an_unknown_sap_is_refused_at_the_aarq(
    kind: PortKind, sap: int, settings: ClientSettings, diagnostic: UserDiagnostic
) -> None:
    """As if another password were due: it learns nothing, and the meter holds no role for it."""
    refused = Client(Rig(), settings, sap, kind).open()
    assert isinstance(refused, OpenRefused)
    assert refused.diagnostic is diagnostic


def test_a_wport_of_16_bits_is_just_as_unknown() -> None:
    """Nothing about it is too large for an answer."""
    refused = Client(Rig(), PUBLIC, 0xFFFF).open()
    assert isinstance(refused, OpenRefused)


def test_another_logical_device_does_not_answer() -> None:
    """There is one, at 1."""
    rig = Rig()
    rig.tick(opened={PortId("port"): PortKind.WRAPPER})
    octets = build_header(PUBLIC_SAP, 2, 3) + b"\xc0\x01\x01"
    assert not rig.tick(rx={PortId("port"): octets}).tx


def test_without_an_association_nothing_is_served() -> None:
    """The client hears that the service is not allowed now."""
    rig = Rig()
    rig.tick(opened={PortId("port"): PortKind.WRAPPER})
    request = bytes.fromhex("C001C1000100002A0000FF0200")
    octets = build_header(PUBLIC_SAP, 1, len(request)) + request
    answer = rig.tick(rx={PortId("port"): octets}).tx[PortId("port")]
    assert answer[8:] == bytes.fromhex("D80101")


# --- rights through the line -------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_writes_nothing_and_calls_nothing(kind: PortKind) -> None:
    """He is answered with a denial, and the meter is as it was."""
    rig = Rig("il")
    rig.order(1, Kind.ACTIVATE, rig.snapshot(0, 0))
    client = Client(rig, READER, READER_SAP, kind)
    client.open()
    before = rig.kernel.state
    order = vendor.Order(number(2), Kind.ADJUST, 500).to_data()
    written = client.say(SetRequest(DOOR, order))
    assert isinstance(written, SetResponse)
    assert written.result is DataAccessResult.READ_WRITE_DENIED
    for method, parameter in (
        (DISCONNECT, integer(0)),
        (MethodRef(112, catalogue.TOKEN_CREDIT, 1), double_long(500)),
        (MethodRef(115, catalogue.TOKEN_GATEWAY, 1), octet_string(rig.token(3, 500))),
    ):
        called = client.say(ActionRequest(method, parameter))
        assert isinstance(called, ActionResponse)
        assert called.result is ActionResult.READ_WRITE_DENIED
    assert replace(rig.kernel.state, counters=before.counters) == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_management_client_orders_and_the_effect_is_in_flash_with_the_answer(
    kind: PortKind,
) -> None:
    """Switched off right after the reply, the meter has it."""
    rig = Rig("il")
    client = Client(rig, MANAGER, MANAGEMENT_SAP, kind)
    client.open()
    order = vendor.Order(number(1), Kind.ACTIVATE, rig.snapshot(0, 500)).to_data()
    done = client.say(SetRequest(DOOR, order))
    assert isinstance(done, SetResponse)
    assert done.result is DataAccessResult.SUCCESS
    rig.boot()
    assert rig.balance == 500


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_pdu", [64, 128, 0xFFFF])
def test_a_long_buffer_comes_in_blocks_and_is_the_same(kind: PortKind, max_pdu: int) -> None:
    """However short the APDUs that the client takes."""
    rig = Rig()
    for identity in range(70):
        rig.order(identity, Kind.DISARM)
    client = Client(rig, replace(READER, max_pdu_receive=max_pdu), READER_SAP, kind)
    client.open()
    log = AttributeRef(7, catalogue.TRANSACTION_LOG, 2)
    assert client.get(log) == rig.get(catalogue.TRANSACTION_LOG, 7)
    objects = AttributeRef(15, catalogue.CURRENT_ASSOCIATION, 2)
    assert client.get(objects) == rig.get(
        catalogue.CURRENT_ASSOCIATION, 15, caller=rig_clients.READER
    )
    last = SelectiveAccess(
        2,
        axdr.structure(
            *(axdr.double_long_unsigned(64), axdr.double_long_unsigned(0)),
            *(axdr.long_unsigned(2), axdr.long_unsigned(2)),
        ),
    )
    assert client.get(log, last) == axdr.array(axdr.structure(octet_string(number(69))))


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
    public._pump()
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
        answer = rig.tick(rx={again.port: build_header(READER_SAP, 1, 13) + _get(NAME)}).tx[
            again.port
        ]
        assert answer[8:] == bytes.fromhex("D80101")
    assert isinstance(again.open(), Opened)
    assert isinstance(again.get(ENERGY), Data)


def _get(attribute: AttributeRef) -> bytes:
    class_id = attribute.class_id.to_bytes(2, "big")
    return b"\xc0\x01\xc1" + class_id + attribute.logical_name.to_bytes() + b"\x02\x00"


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
    request = b"\xe6\xe6\x00" + _get(NAME)
    for number in range(200):
        control = Control(FrameKind.I, poll=False, send=(number + 1) % 8, receive=1)
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
    request = build_header(READER_SAP, 1, 13) + _get(NAME)
    outputs = rig.tick(opened={late: PortKind.WRAPPER}, rx={late: request})
    assert outputs.close == {late}
    assert not outputs.tx
    rig.tick(closed=frozenset({PortId("3")}))
    assert isinstance(Client(rig, READER, READER_SAP, port=late).open(), Opened)


def test_a_port_that_opens_speaks_and_closes_in_one_tick_is_served_and_gone() -> None:
    """Its answer has nowhere to go."""
    rig = Rig()
    port = PortId("hasty")
    request = build_header(PUBLIC_SAP, 1, 13) + _get(NAME)
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
    assert rig.flash.operations == before  # type: ignore[attr-defined]


def test_a_kernel_answers_nobody_before_it_is_asked() -> None:
    """A port that opens hears nothing: meters do not speak first."""
    rig = Rig()
    kernel = Kernel(rig.flash, rig.factory, entropy, rig.now)
    opened = {PortId(kind.value): kind for kind in KINDS}
    assert not kernel.tick(rig.now, Inputs(opened=opened)).tx

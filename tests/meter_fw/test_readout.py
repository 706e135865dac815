"""The meter's local port: what it reads out, and what else it does on that port."""

import pytest

from meter_fw.board import Button, PortId, PortKind
from meter_fw.lines import LOGICAL_DEVICE
from meter_fw.policies import READER_SAP
from meter_fw.readout import OpticalLink, data_sets, identification
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.keys import LAB_KEYS
from prepay.transactions import Kind
from protocol.association import Association
from protocol.events import (
    AssociationEvent,
    DisconnectReason,
    GetRequest,
    GetResponse,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    Opened,
    OpenRequest,
    Peer,
)
from protocol.hdlc import HdlcClient, HdlcServer
from protocol.iec21 import Command, DataSet, Identification, Parity
from protocol.iec21.characters import encode
from protocol.iec21.messages import BREAK, DataMessage, Telegram, parse_message
from protocol.security import CounterLease, ReplayGuard
from protocol.timing import Instant
from tests.meter_fw.client import ENERGY, NAME, READER, entropy, plain_get
from tests.meter_fw.rig import NAME as NAME_PLATE
from tests.meter_fw.rig import Rig, factory

PORT = PortId("head")
PEER = Peer(READER_SAP, LOGICAL_DEVICE, 1)
T0 = Instant(1_700_000_000_000)
REQUEST, READOUT, HDLC = b"/?!\r\n", b"\x06050\r\n", b"\x06252\r\n"
SAID = b"/OPP5\\2OpenPrepay\r\n"
PROGRAMMING = b"\x06051\r\n"
P1 = Command("P1", f"({LAB_KEYS.password.decode()})").to_bytes()


class Head:
    """A reading head at a meter's local port."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.bauds: list[int] = []
        rig.tick(opened={PORT: PortKind.OPTICAL})

    def send(self, octets: bytes = b"") -> bytes:
        """Give the meter octets now; return what it sends at once."""
        outputs = self.rig.tick(rx={PORT: octets} if octets else {})
        self.bauds += [outputs.baud[PORT]] if PORT in outputs.baud else []
        return outputs.tx.get(PORT, b"")

    def wait(self, milliseconds: int = 200) -> bytes:
        """Let time pass; return what the meter sends meanwhile."""
        end, sent = self.rig.now + milliseconds, b""
        while (due := self.rig.last.line_wake_at) is not None and due <= end:
            self.rig.now = max(self.rig.now, due)
            sent += self.send()
        self.rig.now = Instant(end)
        return sent + self.send()

    def ask(self, octets: bytes) -> bytes:
        """Give the meter octets, and return its answer."""
        return self.send(octets) + self.wait()


def readout(characters: bytes) -> dict[str, tuple[str, str]]:
    """What a readout says, by address."""
    message = parse_message(characters)
    assert isinstance(message, DataMessage)
    return {each.address: (each.text, each.unit) for each in message.sets}


# --- what is read out --------------------------------------------------------------------------


def test_a_walloon_meter_reads_out_what_its_display_shows() -> None:
    """Identity, clock, energy and relay, and the country's own registers with their units."""
    rig = Rig()
    rig.order(1, Kind.ACTIVATE)
    rig.use(123_456)
    found = {each.address: (each.text, each.unit) for each in data_sets(rig.kernel.view)}
    assert found == {
        "0-0:42.0.0": (NAME_PLATE, ""),
        "0-0:96.1.0": ("00000001", ""),
        "1-0:0.2.0": ("openprepay 0.1", ""),
        "0-0:1.0.0": ("261123120000W", ""),
        "1-0:1.8.0": ("000123.456", "kWh"),
        "1-0:1.7.0": ("00.000", "kW"),
        "0-0:96.3.10": ("1", ""),
        "0-0:94.32.2*1": (rig.kernel.display()[1].value, ""),
        "0-0:94.32.2*2": (rig.kernel.display()[2].value, "EUR"),
        "0-0:94.32.2*3": (rig.kernel.display()[3].value, "EUR"),
    }


def test_an_israeli_meter_reads_out_its_own_balance() -> None:
    """As its profile's pages have it, and each register once."""
    sets = data_sets(Rig("il").kernel.view)
    assert len({each.address for each in sets}) == len(sets)
    balance = next(each for each in sets if each.address == "0-0:19.10.0")
    assert balance.unit == "ILS"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("1-0:1.8.0", True),
        ("1-0:1.8.0*255", True),
        ("1.0.1.8.0.255", True),
        ("1.8.0", True),
        ("94.32.2*2", True),
        ("94.32.2", False),  # three registers
        ("1-0:2.8.0", False),
        ("1.8.0*1", False),
        ("F.F", False),
        ("", False),
        ("999.999.999", False),
        ("x" * 32, False),
    ],
)
def test_a_register_is_found_by_any_form_of_its_code(address: str, found: bool) -> None:
    """And answered under the address that was asked; what is not one register is none."""
    sets = data_sets(Rig().kernel.view, address)
    assert [each.address for each in sets] == ([address] if found else [])


def test_an_unknown_clock_reads_out_no_time() -> None:
    """Rather than a false one."""
    view = Rig().kernel.view
    unknown = view.with_state(replace(view.state, clock=replace(view.state.clock, known=False)))
    (clock,) = data_sets(unknown, "1.0.0")
    assert clock == DataSet.of("1.0.0", "")


def test_names_that_brackets_are_in_do_not_break_the_readout() -> None:
    """What stands for something else on this port is read out as a question mark."""
    view = Rig().kernel.view
    odd = replace(view, factory=replace(view.factory, name="a(b)*c/d!\n"))
    assert data_sets(odd)[0] == DataSet.of("0-0:42.0.0", "a?b??c?d??")


@pytest.mark.parametrize(("name", "maker"), [("ABC123", "ABC"), ("12", "OPP"), ("a(b)", "OPP")])
def test_the_identification_begins_with_the_maker(name: str, maker: str) -> None:
    """Of the logical device name where that begins with one."""
    said = identification(replace(factory(), name=name))
    assert said == Identification(maker, "5", "OpenPrepay", "2")


# --- the port ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parity", Parity)
def test_the_meter_reads_out_at_9600_baud(parity: Parity) -> None:
    """The board is told the rate before the octets that want it."""
    head = Head(Rig())
    assert head.ask(encode(REQUEST, parity)) == encode(SAID, parity)
    octets = head.ask(encode(READOUT, parity))
    assert head.bauds == [9600]
    characters = bytes(each & 0x7F for each in octets)
    assert octets == encode(characters, parity)
    assert readout(characters)["1-0:1.8.0"] == ("000000.000", "kWh")
    head.wait(10_000)
    assert head.bauds == [9600, 300]


def test_registers_want_the_password_and_nothing_is_written() -> None:
    """R1 is answered, W1 refused, and the meter's state is the same."""
    rig = Rig()
    head, before = Head(rig), rig.kernel.state
    head.ask(REQUEST)
    head.ask(PROGRAMMING)
    assert head.ask(P1) == b"\x06"
    assert readout(head.ask(Command("R1", "1.8.0()").to_bytes())) == {
        "1.8.0": ("000000.000", "kWh")
    }
    for name in ("W1", "W2", "E2"):
        answer = head.ask(Command(name, "1.8.0(5)").to_bytes())
        assert parse_message(answer) == DataMessage("(ERR02)")
    assert rig.kernel.state == before
    assert parse_message(head.ask(Command("P1", "(wrong)").to_bytes())) == BREAK
    assert replace(rig.kernel.state, protections=()) == before


def test_the_display_button_sends_a_readout_unasked() -> None:
    """Mode D: at 2400 Bd, where no session is under way."""
    rig = Rig()
    head = Head(rig)
    rig.press(Button.DISPLAY)
    message = parse_message(head.wait(10_000))
    assert isinstance(message, Telegram)
    assert message.identification == Identification("OPP", "3", "OpenPrepay")
    assert message.sets[0].text == NAME_PLATE
    assert head.bauds == [2400, 300]
    head.ask(REQUEST)
    rig.press(Button.DISPLAY)
    assert readout(head.ask(READOUT))


class Reading:
    """The reader's DLMS client behind a head that has gone over to HDLC."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.peer = Peer(READER_SAP, LOGICAL_DEVICE, 1)
        self.link = HdlcClient(self.peer, 2)
        self.association = Association.client(READER, entropy, CounterLease(1), ReplayGuard())
        self.link.send(LinkConnect(self.peer), head.rig.now)
        self.pump()

    def say(self, event: AssociationEvent) -> AssociationEvent:
        """Send an event and return the last thing that came of it."""
        self.association.send(event, self.head.rig.now)
        return self.pump()[-1]

    def pump(self) -> list[AssociationEvent]:
        """Exchange octets until there is nothing more to say."""
        heard: list[AssociationEvent] = []
        for _ in range(100):
            while apdu := self.association.outgoing():
                self.link.send(LinkData(self.peer, apdu), self.head.rig.now)
            octets = self.link.outgoing()
            if not octets:
                return heard
            for event in self.link.receive(self.head.send(octets), self.head.rig.now):
                if isinstance(event, LinkData):
                    heard += self.association.receive(event.apdu, self.head.rig.now)
        raise AssertionError("a conversation without an end")


def over(head: Head) -> Reading:
    """Sign on, go over to HDLC and connect."""
    assert head.ask(REQUEST) == SAID
    assert head.ask(HDLC) == HDLC
    return Reading(head)


def test_all_of_dlms_is_behind_mode_e() -> None:
    """The reader's association; after DISC the port waits for a request again."""
    head = Head(Rig())
    for _ in range(2):
        client = over(head)
        assert isinstance(client.say(OpenRequest()), Opened)
        for ref in (NAME, ENERGY):
            assert isinstance(client.say(GetRequest(ref)), GetResponse)
        client.link.send(LinkDisconnect(client.peer), head.rig.now)
        client.pump()
        head.wait(2_000)
        assert head.bauds[-2:] == [9600, 300]


@pytest.mark.parametrize("silence", [600, 30_000, 130_000])
def test_a_client_that_goes_away_leaves_the_port_to_the_next(silence: int) -> None:
    """In the middle of an association: its session is over when another signs on."""
    rig = Rig()
    head = Head(rig)
    client = over(head)
    assert isinstance(client.say(OpenRequest()), Opened)
    head.wait(silence)
    again = over(head)
    again.link.send(LinkData(again.peer, plain_get(ENERGY)), rig.now)
    heard = again.link.receive(head.send(again.link.outgoing()), rig.now)
    assert [e.apdu[:1] for e in heard if isinstance(e, LinkData)] == [b"\xd8"]  # no association
    assert isinstance(again.say(OpenRequest()), Opened)


def snrm() -> bytes:
    """A connection's first frame."""
    link = HdlcClient(PEER, 2)
    link.send(LinkConnect(PEER), T0)
    return link.outgoing()


def local_port() -> OpticalLink:
    """A local port with no meter behind it."""
    return OpticalLink(factory(), lambda: HdlcServer(1, {LOGICAL_DEVICE}))


def test_a_hasty_client_gets_the_confirmation_first() -> None:
    """Also one that sends SNRM without waiting for it."""
    link = local_port()
    link.receive(REQUEST, T0)
    assert link.receive(HDLC + snrm(), Instant(T0 + 200)) == [LinkConnected(PEER)]
    assert link.outgoing() == SAID
    assert link.receive(b"", Instant(T0 + 400)) == []
    sent = link.outgoing()
    assert sent.startswith(HDLC + b"\x7e")
    assert sent.endswith(b"\x7e")


def test_the_end_of_a_session_ends_its_connections() -> None:
    """When another reader signs on, each is reported."""
    link = local_port()
    link.receive(REQUEST, T0)
    link.receive(HDLC + snrm(), Instant(T0 + 200))
    ended = link.receive(REQUEST, Instant(T0 + 2_000))
    assert ended == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    link.receive(b"", Instant(T0 + 2_200))
    assert link.outgoing().endswith(SAID)


def test_two_heads_have_a_session_each() -> None:
    """One in programming mode does not disturb the other's readout."""
    rig = Rig()
    head = Head(rig)
    head.ask(REQUEST)
    head.ask(PROGRAMMING)
    other = PortId("other")
    rig.tick(opened={other: PortKind.OPTICAL})
    rig.tick(rx={other: REQUEST})
    rig.now = Instant(rig.now + 200)
    assert rig.tick().tx == {other: SAID}
    assert head.ask(P1) == b"\x06"


@pytest.mark.parametrize("profile", ["be-wal", "il"])
def test_what_is_read_out_are_registers_of_the_catalogue(profile: str) -> None:
    """So that the codes mean the same as over DLMS."""
    for each in data_sets(Rig(profile).kernel.view):
        assert catalogue.find(each.address).code == ObisCode.parse(each.address)

"""The cases of the DLMS UA's abstract test suite for the HDLC data link layer, by name.

Names and titles are public: DLMS UA 1001-3, V5.0, as a list of them in a public repository has
them. What each sends and expects is our own reading of HDLC, for the suite itself is not public.

Each case is a conversation: the octets of a client, and what has to come back.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from protocol.events import DisconnectReason, LinkData, LinkDisconnected
from protocol.hdlc import HdlcParameters, HdlcServer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind, frame_check
from tests.protocol.hdlc_tools import (
    CLIENT,
    LLC_COMMAND,
    LLC_RESPONSE,
    PEER,
    SERVER,
    T0,
    at,
    command,
    frames_in,
    only_frame,
)

OFFERED = HdlcParameters(2030, 2030, 7, 7)
SNRM, DISC = command(FrameKind.SNRM), command(FrameKind.DISC)
REQUEST = command(FrameKind.I, LLC_COMMAND + b"get")
UA, DM, FRMR = FrameKind.UA, FrameKind.DM, FrameKind.FRMR
INFORMATION, READY, CONNECT = FrameKind.I, FrameKind.RR, FrameKind.SNRM


@dataclass
class Station:
    """A server whose upper layer answers each APDU with its reverse."""

    server: HdlcServer
    moment: int = 0

    def kinds(self, octets: bytes, *, after: int = 0) -> list[FrameKind]:
        """Give it octets, and name the frames that come back."""
        return [frame.control.kind for frame in self.frames(octets, after=after)]

    def frames(self, octets: bytes, *, after: int = 0) -> list[Frame]:
        """Give it octets some milliseconds later, and return the frames that come back."""
        self.moment += after
        for event in self.server.receive(octets, at(self.moment)):
            if isinstance(event, LinkData):
                self.server.send(LinkData(event.peer, event.apdu[::-1]), at(self.moment))
        return frames_in(self.server.outgoing())


Case = Callable[[Station], None]
CASES: dict[str, Case] = {}


def case(run: Case) -> Case:
    """Enter a case under its name, which is that of the function."""
    CASES[run.__name__.upper()] = run
    return run


def unframed(octets: bytes) -> bytes:
    """Return a frame without its flags."""
    return octets[1:-1]


def reframed(body: bytes) -> bytes:
    """Return octets between flags, behind them a true check sequence."""
    return b"\x7e" + body + frame_check(body).to_bytes(2, "little") + b"\x7e"


def refuses(station: Station, octets: bytes) -> None:
    """Nothing comes back, the station is where it was, and the next good frame is answered."""
    assert station.kinds(octets) == []
    assert station.server.connected == frozenset()
    assert station.kinds(DISC, after=600) == [DM]  # the inter-octet time-out has passed
    assert station.kinds(SNRM) == [UA]


@case
def hdlc_frame_p1(station: Station) -> None:
    """Connection and disconnection: UA to both, DM when there is nothing to disconnect."""
    assert station.kinds(DISC) == [DM]
    assert station.kinds(SNRM) == [UA]
    assert station.kinds(REQUEST) == [INFORMATION]
    assert station.kinds(DISC) == [UA]
    assert station.kinds(DISC) == [DM]


@case
def hdlc_frame_p2(station: Station) -> None:
    """Inter-frame and inter-octet time-out: a pause within a frame is no end, a long one is."""
    half = len(SNRM) // 2
    assert station.kinds(SNRM[:half]) == []
    assert station.kinds(SNRM[half:], after=400) == [UA]
    assert station.kinds(DISC) == [UA]
    assert station.kinds(SNRM[:half]) == []
    assert station.kinds(b"", after=600) == []
    assert station.kinds(SNRM[half:]) == []
    assert station.kinds(SNRM, after=600) == [UA]


@case
def hdlc_frame_p3(station: Station) -> None:
    """Inactivity time-out: the connection stands until it has passed, and is gone then."""
    assert station.kinds(SNRM) == [UA]
    assert station.kinds(REQUEST, after=119_999) == [INFORMATION]
    gone = station.server.receive(b"", at(station.moment + 120_000))
    assert gone == [LinkDisconnected(PEER, DisconnectReason.TIMEOUT)]
    assert station.kinds(DISC, after=120_000) == [DM]


@case
def hdlc_frame_n1(station: Station) -> None:
    """Flags missing: before, behind, on both sides; one flag between two frames is enough."""
    for octets in (SNRM[1:], SNRM[:-1], unframed(SNRM)):
        refuses(station, octets)
        station.kinds(DISC)
    assert station.kinds(DISC[:-1] + SNRM) == [DM, UA]


@case
def hdlc_frame_n2(station: Station) -> None:
    """Too short a frame: fewer octets than addresses, control and check need."""
    for count in range(8):
        body = unframed(SNRM)[:count]
        refuses(station, b"\x7e" + body + b"\x7e")
        station.kinds(DISC)
    refuses(station, reframed(b"\xa0\x05\x03"))


@case
def hdlc_frame_n3(station: Station) -> None:
    """Every format type but 3, with a true check sequence."""
    for kind in range(16):
        if kind != 0xA:
            body = unframed(SNRM)[:-2]
            refuses(station, reframed(bytes((kind << 4 | body[0] & 0x0F,)) + body[1:]))
            station.kinds(DISC)


@case
def hdlc_frame_n4(station: Station) -> None:
    """A length that is not the frame's: shorter, longer, none, the longest."""
    body = unframed(SNRM)[:-2]
    for length in (0, body[1] - 1, body[1] + 1, body[1] + 2, 0x7FF):
        refuses(station, reframed((0xA000 | length).to_bytes(2, "big") + body[2:]))
        station.kinds(DISC)


@case
def hdlc_frame_n5(station: Station) -> None:
    """A control field of no frame: DM in disconnected mode, FRMR in NRM, and SNRM helps."""
    unknown = Frame(SERVER, CLIENT, Control(FrameKind.UNKNOWN, octet=0x19)).to_bytes()
    assert station.kinds(unknown) == [DM]
    assert station.kinds(SNRM) == [UA]
    (frmr,) = station.frames(unknown)
    assert (frmr.control.kind, frmr.information) == (FRMR, b"\x19\x00\x01")
    assert station.kinds(REQUEST) == [FRMR]
    assert station.kinds(SNRM) == [UA]
    assert station.kinds(REQUEST) == [INFORMATION]


@case
def hdlc_frame_n7(station: Station) -> None:
    """A false header check sequence, with a true frame check behind it."""
    body = bytearray(unframed(command(FrameKind.SNRM, OFFERED.to_information()))[:-2])
    hcs = len(body) - len(OFFERED.to_information()) - 2
    for place in (hcs, hcs + 1):
        spoilt = bytearray(body)
        spoilt[place] ^= 0x01
        refuses(station, reframed(bytes(spoilt)))
        station.kinds(DISC)


@case
def hdlc_frame_n8(station: Station) -> None:
    """A false frame check sequence, each bit of it."""
    for bit in range(16):
        spoilt = bytearray(SNRM)
        spoilt[-3 + bit // 8] ^= 1 << bit % 8
        refuses(station, bytes(spoilt))
        station.kinds(DISC)


@case
def hdlc_address_p1(station: Station) -> None:
    """Every form of our address, and clients at both ends of theirs: answered in kind."""
    for server in (HdlcAddress(1), HdlcAddress(1, 17, 2), HdlcAddress(1, 17, 4)):
        for client in (HdlcAddress(1), HdlcAddress(16), HdlcAddress(0x7E)):
            octets = Frame(server, client, Control(FrameKind.SNRM)).to_bytes()
            ua = only_frame(b"".join(frame.to_bytes() for frame in station.frames(octets)))
            assert (ua.control.kind, ua.source, ua.destination) == (UA, server, client)
            disc = Frame(server, client, Control(FrameKind.DISC)).to_bytes()
            assert station.kinds(disc) == [UA]


@case
def hdlc_address_n1(station: Station) -> None:
    """A source address of two octets, or four: no client has one."""
    for octets in (2, 4):
        refuses(station, Frame(SERVER, HdlcAddress(16, 1, octets), Control(CONNECT)).to_bytes())
        station.kinds(DISC)


@case
def hdlc_address_n4(station: Station) -> None:
    """Unknown destinations: another device, logical or physical, all of them and none."""
    for upper, lower in ((2, 17), (1, 18), (0x7F, 0x7F), (1, 0x7F), (0, 17), (1, 0), (1, 0x7E)):
        refuses(station, Frame(HdlcAddress(upper, lower, 2), CLIENT, Control(CONNECT)).to_bytes())
        station.kinds(DISC)


@case
def hdlc_address_n6(station: Station) -> None:
    """A destination of one octet where two or four are expected: on a line with others."""
    station.server = HdlcServer(17, {1}, OFFERED, shared=True)
    refuses(station, Frame(HdlcAddress(1), CLIENT, Control(CONNECT)).to_bytes())


@case
def hdlc_address_n7(station: Station) -> None:
    """A destination of three octets, or five."""
    for address in ("022023", "0202022023"):
        body = bytes.fromhex(address) + b"\x21\x93"
        length = 2 + len(body) + 2
        refuses(station, reframed(bytes((0xA0, length)) + body))
        station.kinds(DISC)


@case
def hdlc_ndm2nrm_p1(station: Station) -> None:
    """Maximum information field length: the lesser of both, each way, and what it means is kept."""
    for length in (1, 64, 127, 128, 129, 255, 256, 2030):
        proposed = HdlcParameters(length, length)
        (ua,) = station.frames(command(FrameKind.SNRM, proposed.to_information()))
        agreed = HdlcParameters.from_information(ua.information)
        assert (agreed.transmit, agreed.receive) == (length, length)
        pdu = LLC_COMMAND + bytes(length)
        parts = [pdu[at : at + length] for at in range(0, len(pdu), length)]
        for number, part in enumerate(parts):
            more = number < len(parts) - 1
            octets = command(INFORMATION, part, send=number % 8, more=more)
            answer = station.frames(octets)[-1]
        assert answer.control.kind is INFORMATION
        assert len(answer.information) == length
    (ua,) = station.frames(SNRM)
    assert HdlcParameters.from_information(ua.information) == HdlcParameters()


@case
def hdlc_ndm2nrm_p2(station: Station) -> None:
    """Window size: 1 to 7 each way, and as many frames come in a row."""
    for window in range(1, 8):
        proposed = HdlcParameters(16, 16, 8 - window, window)
        (ua,) = station.frames(command(FrameKind.SNRM, proposed.to_information()))
        agreed = HdlcParameters.from_information(ua.information)
        assert (agreed.window_transmit, agreed.window_receive) == (window, 8 - window)
        station.server.send(LinkData(PEER, bytes(200)), T0)
        row = station.frames(command(READY))
        assert [frame.control.poll for frame in row] == [False] * (window - 1) + [True]


@case
def hdlc_info_p1(station: Station) -> None:
    """Exchange of I frames: numbers go round, and every answer acknowledges its request."""
    assert station.kinds(SNRM) == [UA]
    for number in range(20):
        octets = command(INFORMATION, LLC_COMMAND + b"get", send=number % 8, receive=number % 8)
        (answer,) = station.frames(octets)
        assert answer.control == Control(INFORMATION, send=number % 8, receive=(number + 1) % 8)
        assert answer.information == LLC_RESPONSE + b"teg"


@case
def hdlc_info_n1(station: Station) -> None:
    """Too long an information field: FRMR says so, and SNRM helps."""
    assert station.kinds(SNRM) == [UA]
    (frmr,) = station.frames(command(INFORMATION, LLC_COMMAND + bytes(126)))
    assert (frmr.control.kind, frmr.information[2]) == (FRMR, 0x04)
    assert station.kinds(SNRM + REQUEST) == [UA, INFORMATION]


@case
def hdlc_info_n2(station: Station) -> None:
    """A false N(R) acknowledges what was never sent: FRMR says so, and SNRM helps."""
    for number in range(1, 8):
        assert station.kinds(SNRM) == [UA]
        (frmr,) = station.frames(command(INFORMATION, LLC_COMMAND + b"get", receive=number))
        assert (frmr.control.kind, frmr.information[2]) == (FRMR, 0x08)
    assert station.kinds(SNRM + REQUEST) == [UA, INFORMATION]


@case
def hdlc_info_n3(station: Station) -> None:
    """A false N(S): the frame is not taken, RR says which is due, and the right one is taken."""
    assert station.kinds(SNRM) == [UA]
    for number in range(1, 8):
        (ready,) = station.frames(command(INFORMATION, LLC_COMMAND + b"get", send=number))
        assert ready.control == Control(READY)
    assert station.kinds(REQUEST) == [INFORMATION]


@case
def hdlc_ndmop_n1(station: Station) -> None:
    """An I frame in disconnected mode: DM, before a connection and after it."""
    assert station.kinds(REQUEST) == [DM]
    assert station.kinds(SNRM + DISC) == [UA, UA]
    assert station.kinds(REQUEST) == [DM]
    assert station.server.connected == frozenset()


#: Of the suite; the numbers that it leaves out are its own.
NAMES = (
    *(
        f"HDLC_FRAME_{number}"
        for number in ("P1", "P2", "P3", "N1", "N2", "N3", "N4", "N5", "N7", "N8")
    ),
    *(f"HDLC_ADDRESS_{number}" for number in ("P1", "N1", "N4", "N6", "N7")),
    *("HDLC_NDM2NRM_P1", "HDLC_NDM2NRM_P2"),
    *(f"HDLC_INFO_{number}" for number in ("P1", "N1", "N2", "N3")),
    "HDLC_NDMOP_N1",
)


@pytest.mark.parametrize("name", NAMES)
def test_the_case_passes(name: str) -> None:
    """See the case of that name."""
    CASES[name](Station(HdlcServer(17, {1}, OFFERED)))


def test_there_is_no_case_that_the_suite_has_not() -> None:
    """Every function above is run."""
    assert set(CASES) == set(NAMES)

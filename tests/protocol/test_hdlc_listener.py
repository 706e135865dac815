"""Listening on a line: every UI frame of a station is heard, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkData,
    LinkDisconnected,
    Peer,
)
from protocol.hdlc import HdlcListener, HdlcServer
from protocol.hdlc.address import HdlcAddress
from protocol.hdlc.frame import Control, Frame, FrameKind
from protocol.hdlc.listener import MAX_PEERS
from tests.protocol.hdlc_tools import LLC_COMMAND, LLC_RESPONSE, T0, at, frames_in

CLIENT = HdlcAddress(102)
SERVER = HdlcAddress(1, 17, 2)
UI = Control(FrameKind.UI, poll=False)


def ui(pdu: bytes, server: HdlcAddress = SERVER, client: HdlcAddress = CLIENT) -> bytes:
    """Return a UI frame of a station."""
    return Frame(client, server, UI, pdu).to_bytes()


@pytest.mark.parametrize("server", [HdlcAddress(1), SERVER, HdlcAddress(1, 17, 4)])
def test_a_station_is_heard_whatever_its_address(server: HdlcAddress) -> None:
    """It is the one who speaks, so it stands in the client's place, as a wrapper has it."""
    heard = HdlcListener().receive(ui(LLC_RESPONSE + b"\x0fpush", server), T0)
    assert heard == [LinkData(Peer(1, 102, server.lower), b"\x0fpush", unnumbered=True)]


def test_what_a_server_pushes_in_segments_is_put_together() -> None:
    """By the server's own half, in fields of 128 octets."""
    server = HdlcServer(17, {1})
    server.send(LinkData(Peer(102, 1, 17), bytes(range(1, 200)) * 3, unnumbered=True), T0)
    octets = server.outgoing()
    assert len(frames_in(octets)) == 5
    (heard,) = HdlcListener().receive(octets, T0)
    assert heard == LinkData(Peer(1, 102, 17), bytes(range(1, 200)) * 3, unnumbered=True)


@pytest.mark.parametrize(
    "octets",
    [
        Frame(CLIENT, SERVER, Control(FrameKind.I), LLC_RESPONSE + b"\xc4").to_bytes(),
        Frame(CLIENT, SERVER, Control(FrameKind.UA)).to_bytes(),
        ui(b""),
        ui(LLC_COMMAND + b"\x0fpush"),
        ui(LLC_RESPONSE + b"\x0fpush", client=HdlcAddress(1, 17, 2)),
        ui(LLC_RESPONSE + b"\x0fpush")[:-2] + b"\x00\x7e",
    ],
    ids=["an answer", "UA", "nothing", "a client's", "between stations", "garbled"],
)
def test_nothing_else_is_heard(octets: bytes) -> None:
    """What passes between others is theirs, and a garbled frame is none."""
    assert HdlcListener().receive(octets, T0) == []


def test_an_answer_goes_back_in_ui_frames() -> None:
    """To the address in the form it had, from the client address that was meant."""
    listener = HdlcListener()
    listener.receive(ui(LLC_RESPONSE + b"\x0fpush"), T0)
    listener.send(LinkData(Peer(1, 102, 17), b"\x10" + bytes(200)), T0)
    first, second = frames_in(listener.outgoing())
    assert (first.destination, first.source, first.control) == (SERVER, CLIENT, UI)
    assert first.information + second.information == LLC_COMMAND + b"\x10" + bytes(200)
    assert (first.segmented, second.segmented) == (True, False)
    assert listener.outgoing() == b""


@pytest.mark.parametrize(
    "event", [LinkData(Peer(2, 102, 17), b"\x10"), LinkConnect(Peer(1, 102, 17))]
)
def test_only_who_was_heard_is_answered(event: LinkData | LinkConnect) -> None:
    """And there is no connection to ask for."""
    listener = HdlcListener()
    listener.receive(ui(LLC_RESPONSE + b"\x0fpush"), T0)
    with pytest.raises(LocalProtocolError):
        listener.send(event, T0)


def test_the_memory_of_stations_is_bounded() -> None:
    """The one that was silent the longest goes."""
    listener = HdlcListener()
    for physical in range(1, MAX_PEERS + 1):
        listener.receive(ui(LLC_RESPONSE + b"\x0f", HdlcAddress(1, physical, 2)), T0)
    listener.receive(ui(LLC_RESPONSE + b"\x0f", HdlcAddress(1, 1, 2)), T0)
    gone, new = listener.receive(ui(LLC_RESPONSE + b"\x0f", HdlcAddress(1, 99, 2)), T0)
    assert gone == LinkDisconnected(Peer(1, 102, 2), DisconnectReason.CROWDED_OUT)
    assert new == LinkData(Peer(1, 102, 99), b"\x0f", unnumbered=True)
    with pytest.raises(LocalProtocolError):
        listener.send(LinkData(Peer(1, 102, 2), b"\x10"), T0)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_octets_disturb_it(pieces: list[bytes]) -> None:
    """After any garbage, and the silence that ends it, a push is heard."""
    listener = HdlcListener()
    for piece in pieces:
        listener.receive(piece, T0)
    listener.receive(b"", at(10_000))
    heard = listener.receive(ui(LLC_RESPONSE + b"\x0fpush"), at(10_000))
    assert heard[-1] == LinkData(Peer(1, 102, 17), b"\x0fpush", unnumbered=True)

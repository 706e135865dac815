"""The wrapper in UDP datagrams: one whole APDU each, and whatever is not that is dropped."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import DecodeError, LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnected,
    Peer,
)
from protocol.timing import Instant, later
from protocol.udp import MAX_DATAGRAM, DatagramLink, datagrams, split
from protocol.wrapper import HEADER_OCTETS, build_header

T0 = Instant(1_700_000_000_000)
PEER = Peer(16, 1)
OTHER = Peer(1, 2)
LONGEST = MAX_DATAGRAM - HEADER_OCTETS


def request(apdu: bytes, peer: Peer = PEER) -> bytes:
    """Return a client's datagram."""
    return build_header(peer.client, peer.server, len(apdu)) + apdu


def server(**settings: int) -> DatagramLink:
    """Return the server's half with two logical devices, which endures silence."""
    return DatagramLink.server({1, 2}, idle_timeout=None, **settings)


def client() -> DatagramLink:
    """Return the client's half, reported as connected."""
    link = DatagramLink.client(PEER)
    link.send(LinkConnect(PEER), T0)
    assert link.receive(b"", T0) == [LinkConnected(PEER)]
    return link


def test_a_datagram_is_one_apdu_each_way() -> None:
    """The answer swaps the wPorts, as on a stream."""
    ours, theirs = client(), server()
    ours.send(LinkData(PEER, b"question"), T0)
    assert theirs.receive(ours.outgoing(), T0) == [LinkConnected(PEER), LinkData(PEER, b"question")]
    theirs.send(LinkData(PEER, b"answer"), T0)
    assert ours.receive(theirs.outgoing(), T0) == [LinkData(PEER, b"answer")]
    assert (ours.outgoing(), theirs.outgoing()) == (b"", b"")


def test_several_apdus_are_several_datagrams() -> None:
    """Each call of ``outgoing`` gives one."""
    link = server()
    link.receive(request(b"x"), T0)
    for answer in (b"1", b"22", b"333"):
        link.send(LinkData(PEER, answer), T0)
    out = list(iter(link.outgoing, b""))
    assert [datagram[HEADER_OCTETS:] for datagram in out] == [b"1", b"22", b"333"]


WRONG = {
    "nothing": b"",
    "half a header": request(b"x")[:7],
    "a header alone": build_header(16, 1, 0),
    "another version": b"\x00\x02" + request(b"x")[2:],
    "a length too short": build_header(16, 1, 1) + b"xy",
    "a length too long": build_header(16, 1, 3) + b"xy",
    "two APDUs": request(b"x") + request(b"y"),
    "another logical device": request(b"x", Peer(16, 3)),
    "too long": request(bytes(1001)),
    "an HDLC frame": bytes.fromhex("7EA0070321930F017E"),
}


@pytest.mark.parametrize("datagram", WRONG.values(), ids=WRONG)
def test_a_wrong_datagram_is_dropped_without_a_word(datagram: bytes) -> None:
    """Its address may be forged; the next one is heard as if nothing had been."""
    link = server(max_apdu=1000)
    assert link.receive(datagram, T0) == []
    assert link.outgoing() == b""
    assert not link.broken
    assert link.receive(request(b"x"), T0) == [LinkConnected(PEER), LinkData(PEER, b"x")]


@given(st.binary(max_size=40))
def test_no_datagram_raises_or_breaks_the_link(datagram: bytes) -> None:
    """And what is heard is what the header says."""
    link = server()
    found = split(datagram)
    for event in link.receive(datagram, T0):
        if isinstance(event, LinkData):
            assert found is not None
            assert event.apdu == found[1] == datagram[HEADER_OCTETS:]
    assert not link.broken
    assert link.outgoing() == b""


@given(st.integers(0, 65_535), st.integers(0, 65_535), st.binary(max_size=300))
def test_every_apdu_reads_as_it_was_written(source: int, destination: int, apdu: bytes) -> None:
    """Header and APDU."""
    found = split(build_header(source, destination, len(apdu)) + apdu)
    assert found is not None
    header, inside = found
    assert (header.source, header.destination, inside) == (source, destination, apdu)


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_datagrams_one_behind_the_other_come_apart_again(apdus: list[bytes]) -> None:
    """So a firmware's port may hold several."""
    each = [request(apdu) for apdu in apdus]
    assert list(datagrams(b"".join(each))) == each


@pytest.mark.parametrize("octets", [b"\x00", b"\x00\x02" + bytes(6), request(b"x") + b"\x00"])
def test_what_are_no_datagrams_says_so(octets: bytes) -> None:
    """Our own firmware does not do that."""
    with pytest.raises(DecodeError):
        list(datagrams(octets))


@pytest.mark.parametrize("length", [1, 255, 256, LONGEST])
def test_apdus_of_boundary_lengths(length: int) -> None:
    """Up to what a datagram over IPv4 holds."""
    ours, theirs = client(), server()
    ours.send(LinkData(PEER, bytes(length)), T0)
    assert theirs.receive(ours.outgoing(), T0)[-1] == LinkData(PEER, bytes(length))


def test_an_apdu_that_no_datagram_holds_is_not_sent() -> None:
    """One octet more."""
    with pytest.raises(LocalProtocolError):
        client().send(LinkData(PEER, bytes(LONGEST + 1)), T0)


def test_many_associations_side_by_side() -> None:
    """Clients and logical devices are told apart by their wPorts."""
    link = server()
    assert link.receive(request(b"a"), T0)[-1] == LinkData(PEER, b"a")
    assert link.receive(request(b"b", OTHER), T0)[-1] == LinkData(OTHER, b"b")
    link.send(LinkData(OTHER, b"to b"), T0)
    link.send(LinkData(PEER, b"to a"), T0)
    assert link.outgoing() == build_header(2, 1, 4) + b"to b"
    assert link.outgoing() == build_header(1, 16, 4) + b"to a"


def test_the_peer_that_was_silent_longest_goes() -> None:
    """As on a stream."""
    link = server(max_peers=2)
    for number in (1, 2, 1):
        link.receive(request(b"x", Peer(number, 1)), T0)
    assert link.receive(request(b"x", Peer(3, 1)), T0)[0] == LinkDisconnected(
        Peer(2, 1), DisconnectReason.CROWDED_OUT
    )


def test_silence_ends_the_link_and_every_datagram_puts_it_off() -> None:
    """The address is then forgotten by whoever owns the port."""
    link = DatagramLink.server({1}, idle_timeout=1000)
    link.receive(request(b"x"), T0)
    assert link.wake_at() == later(T0, 1000)
    link.receive(b"of no use", later(T0, 900))
    assert link.wake_at() == later(T0, 1900)
    gone = LinkDisconnected(PEER, DisconnectReason.TIMEOUT)
    assert link.receive(b"", later(T0, 1900)) == [gone]
    assert link.broken


def test_a_logical_device_may_begin() -> None:
    """A push needs no question before it; but only in the name of a device that is there."""
    link = server()
    link.send(LinkConnect(Peer(102, 1)), T0)
    link.send(LinkData(Peer(102, 1), b"news"), T0)
    assert link.outgoing() == build_header(1, 102, 4) + b"news"
    with pytest.raises(LocalProtocolError):
        link.send(LinkConnect(Peer(102, 3)), T0)


def test_memory_stays_bounded() -> None:
    """Whatever comes, nothing is kept of it."""
    link = server(max_apdu=1000)
    tracemalloc.start()
    try:
        for number in range(2000):
            link.receive(request(bytes(1000), Peer(number, 1)), T0)
            link.receive(bytes(60_000), T0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000

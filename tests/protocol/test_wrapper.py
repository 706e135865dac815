"""The TCP wrapper: eight octets in front of each APDU."""

import tracemalloc

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.events import (
    DisconnectReason,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    Peer,
)
from protocol.timing import Instant, later
from protocol.wrapper import (
    ALL_STATION,
    MAX_APDU,
    OUTGOING_LIMIT,
    SLOWEST_FRAME,
    WrapperLink,
    build_header,
)

T0 = Instant(1_700_000_000_000)
PEER = Peer(16, 1)
OTHER = Peer(1, 1)
BROKEN = DisconnectReason.STREAM_BROKEN
#: The AARQ over the wrapper that public clients send and that traces on GitHub show.
AARQ = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400001E5DFFFF")
PUBLISHED = bytes.fromhex("000100100001001F") + AARQ


def at(milliseconds: int) -> Instant:
    """Return an instant after the start of the test."""
    return Instant(T0 + milliseconds)


def request(apdu: bytes, peer: Peer = PEER) -> bytes:
    """Return a client's frame."""
    return build_header(peer.client, peer.server, len(apdu)) + apdu


def server(**settings: int) -> WrapperLink:
    """Return the server's half with logical device 1, which endures silence between frames."""
    return WrapperLink.server({1}, idle_timeout=None, **settings)


def connected_client() -> WrapperLink:
    """Return the client's half, reported as connected."""
    link = WrapperLink.client(PEER)
    link.send(LinkConnect(PEER), T0)
    assert link.receive(b"", T0) == [LinkConnected(PEER)]
    return link


def test_a_published_frame_is_written_and_read() -> None:
    """Version 1, source wPort 16, destination wPort 1, 31 octets."""
    client = connected_client()
    client.send(LinkData(PEER, AARQ), T0)
    assert client.outgoing() == PUBLISHED
    assert client.outgoing() == b""
    assert server().receive(PUBLISHED, T0) == [LinkConnected(PEER), LinkData(PEER, AARQ)]


def test_an_answer_swaps_the_ports() -> None:
    """From the logical device to the client."""
    link, client = server(), connected_client()
    link.receive(PUBLISHED, T0)
    link.send(LinkData(PEER, b"answer"), T0)
    octets = link.outgoing()
    assert octets == bytes.fromhex("0001000100100006") + b"answer"
    assert client.receive(octets, T0) == [LinkData(PEER, b"answer")]


def test_a_connection_is_reported_at_once() -> None:
    """By the wake-up that it asks for, without an octet on the stream."""
    link = WrapperLink.client(PEER)
    link.send(LinkConnect(PEER), at(7))
    assert link.wake_at() == at(7)
    assert link.receive(b"", at(7)) == [LinkConnected(PEER)]
    assert link.wake_at() is None
    assert link.outgoing() == b""


def test_several_clients_share_a_stream() -> None:
    """Each is met once, and answered by its own wPort."""
    link = server()
    octets = request(b"a") + request(b"b", OTHER) + request(b"c")
    assert link.receive(octets, T0) == [
        LinkConnected(PEER),
        LinkData(PEER, b"a"),
        LinkConnected(OTHER),
        LinkData(OTHER, b"b"),
        LinkData(PEER, b"c"),
    ]
    link.send(LinkData(OTHER, b"x"), T0)
    assert link.outgoing() == build_header(1, 1, 1) + b"x"


def test_what_is_for_all_is_heard_by_each_device_that_knows_the_client() -> None:
    """As data that nobody answers; a stranger is not met by it, and an empty one is nothing."""
    link = WrapperLink.server({1, 2, 3}, idle_timeout=None)
    known = [Peer(16, 2), Peer(16, 1)]
    link.receive(b"".join(request(b"a", peer) for peer in known), T0)
    assert link.receive(request(b"all", Peer(16, ALL_STATION)), T0) == [
        LinkData(peer, b"all", unnumbered=True) for peer in sorted(known, key=lambda p: p.server)
    ]
    stranger = request(b"all", Peer(1, ALL_STATION)) + request(b"", Peer(16, ALL_STATION))
    assert link.receive(stranger, T0) == []
    assert link.receive(request(b"b"), T0) == [LinkData(PEER, b"b")]


def test_a_device_may_have_the_number_that_is_for_all() -> None:
    """Then it is that device's, and is met and answered as any other."""
    link = WrapperLink.server({1, ALL_STATION}, idle_timeout=None)
    peer = Peer(16, ALL_STATION)
    assert link.receive(request(b"a", peer), T0) == [LinkConnected(peer), LinkData(peer, b"a")]


@pytest.mark.parametrize("length", [1, 2, 127, 128, 255, 256, 65534, 65535])
def test_apdus_of_boundary_lengths(length: int) -> None:
    """The sixteen bits of length are written and read."""
    client, link = connected_client(), server()
    apdu = bytes(index % 256 for index in range(length))
    client.send(LinkData(PEER, apdu), T0)
    assert link.receive(client.outgoing(), T0)[-1] == LinkData(PEER, apdu)


@given(
    apdus=st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    sizes=st.lists(st.integers(1, 30), max_size=20),
)
def test_a_stream_may_come_in_any_pieces(apdus: list[bytes], sizes: list[int]) -> None:
    """Cuts fall anywhere, also within a header."""
    link = server()
    stream = b"".join(request(apdu) for apdu in apdus)
    events = []
    for size in [*sizes, len(stream)]:
        events += link.receive(stream[:size], T0)
        stream = stream[size:]
    assert [seen.apdu for seen in events if isinstance(seen, LinkData)] == apdus
    assert link.wake_at() is None


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(bytes.fromhex("0002001000010001AA"), id="another version"),
        pytest.param(bytes.fromhex("0101001000010001AA"), id="another version, high octet"),
        pytest.param(b"\x7e", id="an HDLC flag: refused with the first octet"),
        pytest.param(b"\x00\x00", id="half a header of another version"),
        pytest.param(bytes.fromhex("00010010000103E9"), id="an APDU beyond the bound"),
        pytest.param(request(b"ok") + b"GET / HTTP/1.1\r\n", id="garbage after a good frame"),
    ],
)
def test_a_stream_that_cannot_be_followed_is_given_up(octets: bytes) -> None:
    """It is said once; from then on nothing is heard, and nothing can be said."""
    link = server(max_apdu=1000)
    events = link.receive(octets, T0)
    peer = PEER if octets.startswith(request(b"ok")) else Peer(0, 0)
    assert events[-1] == LinkDisconnected(peer, BROKEN)
    assert link.broken
    assert link.wake_at() is None
    assert link.receive(PUBLISHED, T0) == []
    with pytest.raises(LocalProtocolError):
        link.send(LinkData(PEER, b"x"), T0)


def test_every_peer_hears_of_a_broken_stream() -> None:
    """In the order in which they were met."""
    link = server()
    link.receive(request(b"a") + request(b"b", OTHER), T0)
    assert link.receive(b"\xff", T0) == [
        LinkDisconnected(PEER, BROKEN),
        LinkDisconnected(OTHER, BROKEN),
    ]
    client = connected_client()
    assert client.receive(b"\xff", T0) == [LinkDisconnected(PEER, BROKEN)]


@pytest.mark.parametrize("begun", [1, 7, 8, 38])
def test_a_begun_frame_times_out(begun: int) -> None:
    """Half a header, a header, half an APDU: silence within a frame ends the stream."""
    link = server(frame_timeout=1000)
    assert link.receive(PUBLISHED[:begun], T0) == []
    assert link.wake_at() == at(1000)
    assert link.receive(b"", at(999)) == []
    assert link.receive(b"", at(1000)) == [LinkDisconnected(Peer(0, 0), DisconnectReason.TIMEOUT)]
    assert link.broken


def test_silence_between_frames_is_fine() -> None:
    """And octets within a frame restart the time-out."""
    link = server(frame_timeout=1000)
    link.receive(PUBLISHED, T0)
    assert link.wake_at() is None
    link.receive(PUBLISHED[:20], at(5000))
    link.receive(PUBLISHED[20:30], at(5999))
    assert link.wake_at() == at(6999)
    assert link.receive(PUBLISHED[30:], at(6998)) == [LinkData(PEER, AARQ)]


@pytest.mark.parametrize("peer", [Peer(16, 2), Peer(16, 0), Peer(16, 16)])
def test_frames_for_other_logical_devices_get_no_answer(peer: Peer) -> None:
    """The stream goes on."""
    assert server().receive(request(b"x", peer) + request(b"y"), T0) == [
        LinkConnected(PEER),
        LinkData(PEER, b"y"),
    ]


def test_a_client_hears_its_server_only() -> None:
    """Frames of other wPorts, either end, are dropped."""
    client = connected_client()
    foreign = build_header(2, 16, 1) + b"x" + build_header(1, 17, 1) + b"x"
    assert client.receive(foreign, T0) == []
    assert client.receive(build_header(1, 16, 1) + b"y", T0) == [LinkData(PEER, b"y")]


def test_an_empty_frame_says_nothing() -> None:
    """A header with length 0 is legal and without meaning."""
    assert server().receive(build_header(16, 1, 0), T0) == []


def test_the_number_of_peers_is_bounded() -> None:
    """One too many drives out the one that was last heard before the others."""
    link = server(max_peers=2)
    first, second, third = (Peer(client, 1) for client in (1, 2, 3))
    for peer in (first, second, first):
        link.receive(request(b"x", peer), T0)
    assert link.receive(request(b"x", third), T0) == [
        LinkDisconnected(second, DisconnectReason.CROWDED_OUT),
        LinkConnected(third),
        LinkData(third, b"x"),
    ]
    assert link.receive(request(b"y", first), T0) == [LinkData(first, b"y")]
    with pytest.raises(LocalProtocolError):
        link.send(LinkData(second, b"too late"), T0)


def test_a_client_can_disconnect_and_connect_again() -> None:
    """The events come, the stream stays."""
    client = connected_client()
    client.send(LinkDisconnect(PEER), at(1))
    client.send(LinkConnect(PEER), at(1))
    assert client.receive(b"", at(1)) == [
        LinkDisconnected(PEER, DisconnectReason.LOCAL),
        LinkConnected(PEER),
    ]


def test_what_cannot_be_sent() -> None:
    """To a stranger, nothing, too much; and a logical device that is not there calls nobody."""
    link = server(max_apdu=1000)
    link.receive(PUBLISHED, T0)
    for wrong in (
        LinkConnect(Peer(16, 2)),
        LinkConnected(PEER),
        LinkData(OTHER, b"x"),
        LinkDisconnect(OTHER),
        LinkData(PEER, b""),
        LinkData(PEER, bytes(1001)),
    ):
        with pytest.raises(LocalProtocolError):
            link.send(wrong, T0)
    client = WrapperLink.client(PEER)
    with pytest.raises(LocalProtocolError):
        client.send(LinkData(OTHER, b"x"), T0)
    with pytest.raises(LocalProtocolError):
        client.send(LinkConnect(OTHER), T0)


@pytest.mark.parametrize("max_apdu", [0, -1, MAX_APDU + 1])
def test_a_bound_that_the_header_cannot_state_is_refused(max_apdu: int) -> None:
    """1 to 65535 octets."""
    with pytest.raises(LocalProtocolError):
        server(max_apdu=max_apdu)


@pytest.mark.parametrize("peer", [Peer(-1, 1), Peer(65536, 1), Peer(1, 65536)])
def test_a_port_that_the_header_cannot_state_is_refused(peer: Peer) -> None:
    """When the link is made, not when it speaks."""
    with pytest.raises(LocalProtocolError):
        WrapperLink.client(peer)


def test_octets_that_nobody_fetches_are_bounded() -> None:
    """Refused, not kept."""
    link = connected_client()
    apdu = bytes(MAX_APDU)
    for _ in range(OUTGOING_LIMIT // (MAX_APDU + 8)):
        link.send(LinkData(PEER, apdu), T0)
    with pytest.raises(LocalProtocolError):
        link.send(LinkData(PEER, apdu), T0)
    assert len(link.outgoing()) <= OUTGOING_LIMIT


def test_memory_stays_bounded() -> None:
    """A megabyte of frames for nobody, and an APDU that never ends."""
    link = server(max_apdu=1000)
    foreign = build_header(16, 9, 1000) + bytes(1000)
    link.receive(foreign, T0)
    tracemalloc.start()
    try:
        for _ in range(1000):
            link.receive(foreign, T0)
        link.receive(build_header(16, 1, 1000) + bytes(999), T0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000


@settings(max_examples=1000, deadline=None)
@given(
    met=st.booleans(),
    begun=st.integers(0, 20),
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.builds(
                lambda source, destination, apdu: (
                    build_header(source, destination, len(apdu)) + apdu
                ),
                st.integers(0, 65535),
                st.sampled_from([0, 1, 2]),
                st.binary(max_size=20),
            ),
        ),
        max_size=5,
    ),
)
def test_no_octets_raise_in_any_state(met: bool, begun: int, pieces: list[bytes]) -> None:
    """Arbitrary octets, with and without a peer, within and between frames."""
    link = server()
    if met:
        link.receive(PUBLISHED, T0)
    link.receive(PUBLISHED[:begun], T0)
    for piece in pieces:
        for happened in link.receive(piece, T0):
            event(type(happened).__name__)
    event(f"met {met}, in a frame {link.wake_at() is not None}, broken {link.broken}")
    link.receive(b"", at(100_000))
    assert link.wake_at() is None


def test_a_stream_on_which_nothing_is_said_is_hung_up() -> None:
    """Silent callers must not hold the meter's ports for ever; each frame starts the time anew."""
    link = WrapperLink.server({1}, idle_timeout=1_000)
    assert link.receive(b"", T0) == []
    assert link.wake_at() == later(T0, 1_000)
    assert link.receive(build_header(16, 1, 1) + b"x", later(T0, 900))
    assert not link.receive(b"", later(T0, 1_800))
    assert not link.broken
    (gone,) = link.receive(b"", later(T0, 1_900))
    assert link.broken
    assert gone == LinkDisconnected(Peer(16, 1), DisconnectReason.TIMEOUT)


def test_a_frame_that_comes_octet_by_octet_ends_the_stream_in_time() -> None:
    """Each octet is in time, the frame never is: a stranger must not hold a port for a week."""
    link = WrapperLink.server({1}, frame_timeout=10_000)
    now = Instant(0)
    for octet in build_header(16, 1, 1000) + bytes(1000):
        if link.broken:
            break
        link.receive(bytes((octet,)), now)
        now = later(now, 9_000)
    assert link.broken
    assert now <= SLOWEST_FRAME * 10_000 + 2 * 9_000


def test_frames_one_after_the_other_have_each_the_whole_time() -> None:
    """However long the stream lasts, and wherever its pieces are cut."""
    link = WrapperLink.server({1}, frame_timeout=10_000)
    stream = (build_header(16, 1, 20) + bytes(20)) * 40
    now, heard = Instant(0), 0
    for start in range(0, len(stream), 5):
        events = link.receive(stream[start : start + 5], now)
        heard += sum(isinstance(event, LinkData) for event in events)
        now = later(now, 9_000)
    assert not link.broken
    assert heard == 40

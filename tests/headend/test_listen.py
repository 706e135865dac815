"""Listening: what is heard is told, what cannot be read harms nobody, and confirmations go back."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from headend.cli import main
from headend.clock import system_clock
from headend.errors import PortUnusable
from headend.listener.ears import METERS, Ear, Heard, Identity, Memory, Sender
from headend.listener.listening import CONNECTIONS, Listener
from headend.transports import LinkKind, PortSpec
from obis import catalogue
from prepay.keys import LAB_KEYS
from protocol.apdu import DataNotificationConfirmApdu, decode
from protocol.association import Association, ServerPolicy
from protocol.axdr import octet_string, unsigned, visible_string
from protocol.codes import ApplicationContext
from protocol.events import (
    AttributeRef,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    LongInvokeId,
    Notification,
    Peer,
)
from protocol.security import CounterLease, KeySet, ReplayGuard
from protocol.timing import Instant
from protocol.wrapper import build_header

T0 = Instant(1_700_000_000_000)
KEYS = KeySet(LAB_KEYS.block_cipher_key, LAB_KEYS.authentication_key)
OTHERS = KeySet(bytes(16), bytes(16))
METER = b"OPP\0\0\0\0\1"
UNCONFIRMED = DataNotification(unsigned(5), LongInvokeId(7, confirmed=False))
CONFIRMED = DataNotification(unsigned(5), LongInvokeId(8))
EVENT = EventNotification(AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3), unsigned(0))
KINDS = [LinkKind.WRAPPER, LinkKind.DATAGRAMS]


def meter(keys: KeySet | None = KEYS, title: bytes = METER) -> Association:
    """Return a meter's end; None for keys is in clear."""
    if keys is None:
        policy = ServerPolicy(pre_established=True)
    else:
        policy = ServerPolicy(
            pre_established=True,
            context=ApplicationContext.LN_CIPHERED,
            keys=keys,
            system_title=title,
        )
    return Association.server(policy, bytes, CounterLease(1), ReplayGuard())


def said(source: Association, *notifications: Notification) -> list[bytes]:
    """Return notifications as the meter's logical device 1 sends them to client SAP 102."""
    for each in notifications:
        source.send(each, T0)
    return [build_header(1, 102, len(apdu)) + apdu for apdu in iter(source.outgoing, b"")]


def ear(kind: LinkKind = LinkKind.WRAPPER, memory: Memory | None = None) -> Ear:
    """Return an ear with the lab's keys."""
    identity = Identity(lambda: KEYS, lambda: b"HEADEND1", CounterLease(1), bytes)
    return Ear(kind, "192.0.2.1:4059", identity, memory or Memory())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("notification", [UNCONFIRMED, EVENT], ids=["data", "event"])
def test_a_notification_in_clear_is_heard(kind: LinkKind, notification: Notification) -> None:
    """With who said it, and that nothing vouches for it."""
    listening = ear(kind)
    (octets,) = said(meter(None), notification)
    (heard,) = listening.receive(octets, T0)
    assert heard.notification == notification
    assert (heard.peer.client, heard.peer.server, heard.title) == (102, 1, b"")
    assert listening.link.outgoing() == b""


@pytest.mark.parametrize("keys", [None, KEYS], ids=["in clear", "ciphered"])
def test_what_wants_a_confirmation_gets_it(keys: KeySet | None) -> None:
    """In the envelope of the notification; the meter hears its number."""
    listening, source = ear(), meter(keys)
    (octets,) = said(source, CONFIRMED)
    (heard,) = listening.receive(octets, T0)
    assert (heard.notification, heard.confirmed) == (CONFIRMED, True)
    answer = listening.link.outgoing()
    assert answer[:6] == bytes.fromhex("000100660001")
    assert source.receive(answer[8:], T0) == [DataNotificationConfirm(CONFIRMED.invoke)]
    if keys is None:
        expected = DataNotificationConfirmApdu(DataNotificationConfirm(CONFIRMED.invoke))
        assert decode(answer[8:]) == expected


def test_a_ciphered_notification_is_heard_once() -> None:
    """Said again, by whomever and on whatever connection, it is none."""
    memory = Memory()
    (octets,) = said(meter(), UNCONFIRMED)
    (first,) = ear(memory=memory).receive(octets, T0)
    assert (first.notification, first.title) == (UNCONFIRMED, METER)
    (again,) = ear(memory=memory).receive(octets, T0)
    assert again.notification is None
    assert "counter" in again.why


def test_two_meters_have_counters_of_their_own() -> None:
    """Behind one address, as behind a concentrator."""
    listening = ear()
    octets = said(meter(), UNCONFIRMED) + said(meter(title=b"OPP\0\0\0\0\2"), UNCONFIRMED)
    heard = listening.receive(b"".join(octets), T0)
    assert [each.title for each in heard] == [METER, b"OPP\0\0\0\0\2"]


def test_a_long_notification_comes_in_blocks() -> None:
    """And is told once it is whole."""
    listening = ear(LinkKind.DATAGRAMS)
    long = DataNotification(octet_string(bytes(5000)), LongInvokeId(9))
    pieces = said(meter(), long)
    assert len(pieces) > 4
    heard = [each for piece in pieces for each in listening.receive(piece, T0)]
    assert [each.notification for each in heard] == [long]


def test_an_address_that_was_silent_for_long_is_heard_again() -> None:
    """Datagrams have no connection that could have ended meanwhile."""
    listening, source = ear(LinkKind.DATAGRAMS), meter()
    for days in range(3):
        (octets,) = said(source, UNCONFIRMED)
        (heard,) = listening.receive(octets, Instant(T0 + days * 86_400_000))
        assert heard.notification == UNCONFIRMED


WRONG = {
    "other keys": said(meter(OTHERS), UNCONFIRMED)[0],
    "a request": build_header(1, 102, 13) + bytes.fromhex("C001C100080000010000FF0200"),
    "an unknown tag": build_header(1, 102, 1) + b"\xff",
    "half a notification": build_header(1, 102, 3) + b"\x0f\0\0",
    "an event without its title": build_header(1, 102, 24)
    + bytes.fromhex("CA16 30 00000001")
    + bytes(17),
    "a block that is none": build_header(1, 102, 3) + b"\xe0\x80\x00",
}


@pytest.mark.parametrize("octets", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_is_told_and_harms_nobody(kind: LinkKind, octets: bytes) -> None:
    """The next one is heard."""
    listening = ear(kind)
    (heard,) = listening.receive(octets, T0)
    assert heard.notification is None
    assert heard.why
    (good,) = listening.receive(said(meter(), UNCONFIRMED)[0], T0)
    assert good.notification == UNCONFIRMED


@given(st.binary(max_size=60), st.sampled_from([0x0F, 0xC2, 0xCA, 0xDB, 0xE0, 0xDD, 0x18, 0x61]))
def test_no_octets_raise(octets: bytes, tag: int) -> None:
    """Whatever a stranger sends."""
    apdu = bytes((tag,)) + octets
    ear(LinkKind.DATAGRAMS).receive(build_header(1, 102, len(apdu)) + apdu, T0)


def test_the_memory_of_meters_is_bounded_and_strangers_get_no_place_in_it() -> None:
    """Only who has proved to be genuine is remembered, and of those the last."""
    memory = Memory()
    listening = ear(memory=memory)
    listening.receive(said(meter(OTHERS, b"STRANGER"), UNCONFIRMED)[0], T0)
    assert memory.lasts == {}
    sender = Sender(METER, KEYS)
    for number in range(METERS + 5):
        title = number.to_bytes(8, "big")
        memory.keep([Heard("", Peer(1, 1), title, UNCONFIRMED, sender=sender, counter=1)], T0)
    assert len(memory.lasts) == METERS


# --- on real sockets -----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_the_command_prints_confirms_and_ends(scheme: str, tmp_path: Path) -> None:
    """One JSON object a line; exit code 0 after as many as were asked for."""
    result, confirmation = listened(
        scheme, tmp_path, said(meter(), CONFIRMED), "--count", "1", "--seconds", "20"
    )
    assert result.exit_code == 0, result.output
    start, heard, end = (json.loads(line) for line in result.stdout.splitlines())
    assert start["listening"].startswith(f"{scheme}:127.0.0.1:")
    assert (heard["service"], heard["number"], heard["body"]) == ("data-notification", 8, 5)
    assert heard["confirmed"] is True
    assert heard["system_title"] == METER.hex().upper()
    assert end == {"heard": 1}
    assert confirmation


def test_text_of_a_stranger_does_not_move_the_cursor(tmp_path: Path) -> None:
    """Control characters are shown as question marks."""
    rude = DataNotification(visible_string("\x1b[2J"), LongInvokeId(1, confirmed=False))
    result, _ = listened(
        "udp", tmp_path, said(meter(None), rude), "--count", "1", "--seconds", "20", as_json=False
    )
    assert "visible-string:?[2J" in result.stdout
    assert "in clear" in result.stdout


def test_silence_ends_with_its_own_exit_code(tmp_path: Path) -> None:
    """3, and a line that says so."""
    result, _ = listened("udp", tmp_path, [], "--seconds", "0.1")
    assert result.exit_code == 3
    assert "heard nothing in 0.1 seconds" in result.output


@pytest.mark.parametrize(
    "port", ["serial:./meter0", "hdlc+tcp:127.0.0.1:0", "tcp:nowhere.invalid:1"]
)
def test_where_nobody_can_listen_is_wrong_usage(port: str) -> None:
    """Told in one line."""
    with pytest.raises(PortUnusable):
        Listener(
            PortSpec.parse(port),
            Identity(lambda: KEYS, lambda: b"", CounterLease(1), bytes),
            system_clock(),
        )


def listened(
    scheme: str, directory: Path, octets: list[bytes], *words: str, as_json: bool = True
) -> tuple[Any, bytes]:
    """Run the command, say something to it, and return its result and what it answered."""
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    answers: list[bytes] = []
    speaker = threading.Thread(target=_speak, args=(kind, number, octets, answers))
    speaker.start()
    options = ["--json"] if as_json else []
    options += ["--port", f"{scheme}:127.0.0.1:{number}", "--db", str(directory / "db.sqlite")]
    result = CliRunner().invoke(main, [*options, "listen", *words])
    speaker.join()
    return result, b"".join(answers)


def _speak(kind: int, number: int, octets: list[bytes], answers: list[bytes]) -> None:
    """Say the octets, again and again until somebody listens."""
    if not octets:
        return
    for _ in range(200):
        with socket.socket(socket.AF_INET, kind) as mouth:
            # the end of a connection shows; that nothing comes by datagram, time alone tells
            mouth.settimeout(10.0 if kind == socket.SOCK_STREAM else 1.0)
            try:
                mouth.connect(("127.0.0.1", number))
                for each in octets:
                    mouth.send(each)
                answers.append(mouth.recv(200))
                return
            except TimeoutError:
                return
            except OSError:
                threading.Event().wait(0.1)


def test_who_connects_and_says_nothing_does_not_keep_meters_out() -> None:
    """A further connection takes the place of the one that has been silent the longest."""
    identity = Identity(lambda: KEYS, lambda: b"LISTENER", CounterLease(1), bytes)
    with ExitStack() as stack:
        spec = PortSpec.parse("tcp:127.0.0.1:0")
        listener = stack.enter_context(Listener(spec, identity, system_clock()))
        place = ("127.0.0.1", int(listener.place.rpartition(":")[2]))
        silent = [stack.enter_context(socket.create_connection(place)) for _ in range(CONNECTIONS)]
        speaker = stack.enter_context(socket.create_connection(place))
        association = meter()
        association.send(UNCONFIRMED, T0)
        apdu = association.outgoing()
        speaker.sendall(build_header(1, 102, len(apdu)) + apdu)
        heard = next(listener.hear(Instant(system_clock()() + 5_000)))
        assert heard.notification == UNCONFIRMED
        assert silent[0].recv(1) == b""


def test_without_descriptors_one_is_given_back_and_nobody_spins() -> None:
    """It is said once, the silent one gives way, and the meter that waits is heard later."""
    identity = Identity(lambda: KEYS, lambda: b"LISTENER", CounterLease(1), bytes)
    now = system_clock()
    with ExitStack() as stack:
        listener = stack.enter_context(
            Listener(PortSpec.parse("tcp:127.0.0.1:0"), identity, system_clock())
        )
        place = ("127.0.0.1", int(listener.place.rpartition(":")[2]))
        silent = stack.enter_context(socket.create_connection(place))
        assert list(listener.hear(Instant(now() + 50))) == []
        speaker = stack.enter_context(socket.create_connection(place))
        association = meter()
        association.send(UNCONFIRMED, T0)
        apdu = association.outgoing()
        speaker.sendall(build_header(1, 102, len(apdu)) + apdu)
        used = time.process_time()
        with no_descriptors():
            (said,) = listener.hear(Instant(now() + 900))
        assert time.process_time() - used < 0.2  # else it spins all the time
        assert "no file descriptor" in said.why
        assert silent.recv(1) == b""
        heard = next(listener.hear(Instant(now() + 5_000)))
        assert heard.notification == UNCONFIRMED


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Have this process get no further descriptor, whatever it closes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

"""``--capture``: what goes over a line, in a file that tshark and ``prepay trace`` read."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headend.cli import Invocation, main
from headend.clock import system_clock
from headend.commands.activate import activate
from headend.commands.topup import top_up
from headend.errors import UsageError
from headend.observe import pcapng
from headend.observe.capture import About, CapturedTransport, CaptureFile, capture_file
from headend.observe.pcapng import RAW_IP, USER0, Packet
from headend.observe.sessions import Session, Sessions
from headend.store import meters
from headend.transports import LinkKind, PortSpec, Transport, TransportClosed
from headend.transports.tcp import TcpTransport
from prepay.keys import LAB_KEYS
from protocol.timing import Instant, later
from tests.headend.bench import Bench

TSHARK = shutil.which("tshark")
NOW = Instant(1_795_000_000_000)
BLOCK = pcapng.packet(b"~", 1, sent=True, comment="")


@pytest.fixture(autouse=True)
def _each_its_own() -> None:
    capture_file.cache_clear()


def packets(path: Path) -> list[Packet]:
    """Return what stands in a file."""
    with path.open("rb") as file:
        return list(pcapng.read(file))


def sessions(path: Path) -> list[Session]:
    """Return who said what in a file."""
    found = Sessions()
    found.take(packets(path))
    return found.found()


def tshark(path: Path, *words: str) -> list[str]:
    """Return what tshark prints; skipped where there is none."""
    if TSHARK is None:
        pytest.skip("tshark is not installed")
    done = subprocess.run(
        [TSHARK, "-n", "-r", str(path), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@contextmanager
def connected(host: str) -> Iterator[tuple[TcpTransport, socket.socket]]:
    """Give a transport and the other end of its connection."""
    with socket.create_server((host, 0), family=_family(host)) as server:
        ours = socket.create_connection(server.getsockname()[:2])
        theirs, _ = server.accept()
        with theirs, ours:
            yield TcpTransport(ours, system_clock()), theirs


def soon() -> Instant:
    """Return a deadline that nothing here waits for."""
    return later(system_clock()(), 5_000)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class Line:
    """A serial line's transport: what it is given comes back."""

    def __init__(self) -> None:
        self.octets = b""

    def read(self, deadline: Instant) -> bytes:
        """Return what was written."""
        octets, self.octets = self.octets, b""
        return octets

    def write(self, octets: bytes) -> None:
        """Keep."""
        self.octets += octets

    def close(self) -> None:
        """Nothing to do."""


def around(transport: Transport, path: Path, spec: str, warned: list[str]) -> CapturedTransport:
    """Return a transport that is captured."""
    about = About("00000000000000aa", "M1", spec, "topup", "c0ffee")
    file = CaptureFile(str(path))
    port = PortSpec.parse(spec)
    return CapturedTransport(transport, port, file, about, lambda: NOW, warned.append)


def test_a_connection_is_captured_between_its_real_ends(tmp_path: Path) -> None:
    """Addresses and ports are the socket's, with a handshake before and a farewell behind."""
    path = tmp_path / "a.pcapng"
    with connected("127.0.0.1") as (transport, theirs):
        ours, meter = transport.ends()
        line = around(transport, path, "tcp:meter:4059", [])
        line.write(b"ask")
        theirs.sendall(b"answer")
        assert line.read(soon()) == b"answer"
        line.close()
        line.close()
    found = packets(path)
    assert [each.sent for each in found] == [
        True, False, True, True, False, True, False, True,
    ]  # fmt: skip # SYN, SYN ACK, ACK; ask, answer; FIN, FIN, ACK
    assert {each.link for each in found} == {RAW_IP}
    assert {each.nanoseconds for each in found} == {NOW * 1_000_000}
    assert {each.interface for each in found} == {"tcp:meter:4059"}
    (session,) = sessions(path)
    assert session.about == About("00000000000000aa", "M1", "tcp:meter:4059", "topup", "c0ffee")
    assert [(each.by_client, each.octets) for each in session.said] == [
        (True, b"ask"), (False, b"answer"),
    ]  # fmt: skip # who said what
    asked = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "frame.comment"]
    told = tshark(path, "-Y", "tcp.len==3", "-T", "fields", *(w for f in asked for w in ("-e", f)))
    here, there = (f"{host}\t{port}" for host, port in (ours, meter))
    assert told == [f"{here}\t{there}\t{session.about.words()}"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tshark_finds_nothing_wrong(tmp_path: Path, host: str) -> None:
    """Checksums, sequence numbers and lengths are right, and the stream is what was said."""
    path = tmp_path / "a.pcapng"
    try:
        with connected(host) as (transport, theirs):
            line = around(transport, path, "tcp:meter:4059", [])
            for octets in (b"a", b"\0" * 4095, b"odd", b"even"):
                line.write(octets)
                theirs.sendall(octets[::-1])
                line.read(soon())
            line.close()
    except OSError:
        pytest.skip("no such version of IP here")
    strict = [f"-o{p}.check_checksum:TRUE" for p in (["ip", "tcp"] if "." in host else ["tcp"])]
    wrong = "tcp.analysis.flags or tcp.checksum.status==0 or ip.checksum.status==0 or _ws.malformed"
    assert tshark(path, *strict, "-Y", wrong) == []
    good = tshark(path, *strict, "-Y", "tcp.checksum.status==1")
    assert len(good) == len(packets(path)) >= 3 + 8 + 3
    raw = tshark(path, "-q", "-z", "follow,tcp,raw,0")
    said = [word for word in raw if word and not word.startswith(("=", "Follow", "Filter", "Node"))]
    ours = "".join(word for word in said if not word.startswith("\t"))
    assert bytes.fromhex(ours) == b"a" + b"\0" * 4095 + b"oddeven"


def test_a_serial_line_is_captured_as_it_is(tmp_path: Path) -> None:
    """Octets of link type USER0, each with its direction; tshark can be told what they are."""
    path = tmp_path / "a.pcapng"
    line = around(Line(), path, "serial:/dev/ttyUSB0", [])
    line.write(b"~one~")
    assert line.read(NOW) == b"~one~"
    line.close()
    assert [(each.link, each.sent, each.octets) for each in packets(path)] == [
        (USER0, True, b"~one~"), (USER0, False, b"~one~"),
    ]  # fmt: skip # both ways
    told = tshark(path, "-T", "fields", "-e", "frame.packet_flags_direction", "-e", "user_dlt")
    assert [word.split()[0] for word in told] == ["0x00000002", "0x00000001"]


@pytest.mark.parametrize("kind", LinkKind)
def test_a_whole_command_is_captured(tmp_path: Path, kind: LinkKind) -> None:
    """The octets captured are those that passed: decoding finds no fault in them."""
    bench = Bench("be-wal", kind)
    path = tmp_path / "a.pcapng"
    activate(bench.context(capture=str(path)))
    top_up(bench.context(capture=str(path)), "15.00")
    found = sessions(path)
    assert len(found) == 3  # asked publicly for its name first
    done = prepay("--json", "trace", str(path))
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["sessions"]
    assert [len(each["messages"]) > 3 for each in told] == [True] * 3
    assert {each["place"] for each in told} == {bench.context().place}
    if kind is LinkKind.DATAGRAMS:
        assert tshark(path, "-o", "udp.check_checksum:TRUE", "-Y", "udp.checksum.status!=1") == []
    bench.close()


def prepay(*words: str, **environment: str) -> Result:
    """Run a command line."""
    clean = {"PREPAY_KEYS": "", "PREPAY_CAPTURE": "", "PREPAY_METER": "", "PREPAY_DB": ""}
    return CliRunner().invoke(main, words, obj=Invocation(), env=clean | environment)


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """Whoever finds that another has written since begins a section; all is read in the end."""
    path = tmp_path / "a.pcapng"
    one, other = CaptureFile(str(path)), CaptureFile(str(path))
    one.append(USER0, "one", BLOCK)
    one.append(USER0, "one", BLOCK)
    other.append(RAW_IP, "other", BLOCK)
    one.append(USER0, "one", BLOCK)
    found = packets(path)
    assert [each.interface for each in found] == ["one", "one", "other", "one"]
    assert [each.link for each in found] == [USER0, USER0, RAW_IP, USER0]
    assert path.read_bytes().count(pcapng.section()) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_threads_and_sessions_share_a_file(tmp_path: Path) -> None:
    """Nothing is torn, and nothing is missing."""
    path = tmp_path / "a.pcapng"

    def write(name: str) -> None:
        file = CaptureFile(str(path), 20_000)
        for _ in range(100):
            file.append(USER0, name, BLOCK)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 100 < len(packets(path)) + len(packets(path.with_name("a.pcapng.1"))) <= 400


def test_a_large_file_is_put_aside(tmp_path: Path) -> None:
    """One before it stays; what is older goes."""
    path = tmp_path / "a.pcapng"
    file = CaptureFile(str(path), 1000)
    sizes = set()
    for _ in range(100):
        file.append(USER0, "line", BLOCK)
        sizes.add(path.stat().st_size)
    assert max(sizes) < 1000 + 2 * len(BLOCK)
    assert len(packets(path)) < 30
    assert len(packets(path.with_name("a.pcapng.1"))) > 10


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    """What is there and is no capture stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("important", encoding="utf-8")
    with pytest.raises(UsageError, match="another file"):
        CaptureFile(str(path))
    assert path.read_text(encoding="utf-8") == "important"
    with pytest.raises(UsageError, match="No such file"):
        CaptureFile(str(tmp_path / "none" / "a"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        CaptureFile(str(tmp_path / "pipe"))


def test_a_file_that_cannot_be_written_stops_no_session(tmp_path: Path) -> None:
    """It is said once, and the line goes on."""
    path, warned = tmp_path / "a.pcapng", list[str]()
    line = around(Line(), path, "serial:/dev/ttyUSB0", warned)
    path.unlink()
    path.mkdir()
    for _ in range(2):
        line.write(b"~")
        assert line.read(NOW) == b"~"
    assert warned == ["--capture cannot be written any more: Is a directory"]


def test_a_port_is_given_back_where_the_file_is_unfit(tmp_path: Path) -> None:
    """And nothing is said to the meter."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    closed: list[bool] = []
    context = bench.context(capture=str(tmp_path))
    given = context.transports

    def opened(spec: PortSpec, now: object) -> Transport:
        transport = given(spec, bench.clock)
        close = transport.close

        def watched() -> None:
            closed.append(True)
            close()

        transport.close = watched  # type: ignore[method-assign] # to see it
        return transport

    context.__dict__["transports"] = opened
    with pytest.raises(UsageError, match="Is a directory"):
        activate(context)
    assert closed == [True]
    bench.close()


def test_a_line_that_breaks_is_captured_up_to_there(tmp_path: Path) -> None:
    """The error is the transport's own."""
    path = tmp_path / "a.pcapng"
    with connected("127.0.0.1") as (transport, theirs):
        line = around(transport, path, "hdlc+tcp:meter:4059", [])
        line.write(b"~")
        theirs.close()
        with pytest.raises(TransportClosed):
            line.read(soon())
        line.close()
    assert [each.octets for each in sessions(path)[0].said] == [b"~"]


# --- prepay trace --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Return a capture of a top-up, its database, and the meter's name."""
    folder = tmp_path_factory.mktemp("captured")
    bench = Bench("be-wal", LinkKind.WRAPPER)
    path = folder / "a.pcapng"
    activate(bench.context())
    top_up(bench.context(capture=str(path)), "15.00")
    with bench.store.begin() as db:
        (meter,) = meters.every(db)
    database = folder / "h.db"
    database.write_bytes(bench.save().database)
    bench.close()
    return path, database, meter.name


def test_a_session_is_explained_octet_by_octet(captured: tuple[Path, Path, str]) -> None:
    """Link, APDU, what was ciphered, and the names of what it is about."""
    path, _, name = captured
    done = prepay("trace", str(path))
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("session ")
    assert "wrapper" in lines[2]
    for said in ("get-request", "deciphered", "authentication-tag: right", "logical device name"):
        assert any(said in line for line in lines), said
    assert name in done.stdout


def test_the_last_session_with_a_meter_is_found(captured: tuple[Path, Path, str]) -> None:
    """In the file that captures go into, by the meter's name; one met by port by its place."""
    path, database, name = captured
    told = prepay("--json", "trace", name, PREPAY_CAPTURE=str(path), PREPAY_DB=str(database))
    assert told.exit_code == 0, told.stderr
    (session,) = json.loads(told.stdout)["sessions"]
    octets = [bytes.fromhex(each["octets"]) for each in session["messages"]]
    assert octets == [each.octets for each in sessions(path)[-1].said]
    assert all(not each["faults"] for each in session["messages"])
    moments = [each["nanoseconds"] for each in session["messages"]]
    assert moments == sorted(moments)


def test_wrong_keys_are_a_fault(captured: tuple[Path, Path, str], tmp_path: Path) -> None:
    """With keys that somebody said are the right ones; exit code 1."""
    path, _, _ = captured
    keys = tmp_path / "keys.toml"
    text = "\n".join(
        f'{name} = "{"00" * 16}"'
        for name in ("block_cipher_key", "authentication_key", "master_key")
        if getattr(LAB_KEYS, name)
    )
    keys.write_text(text, encoding="utf-8")
    done = prepay("trace", str(path), "--keys", str(keys))
    assert done.exit_code in (1, 2)
    assert "15.00" not in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nobody"], "no meter"),
        (["--capture", "none.pcapng", "{name}"], "no session with"),
        (["{name}"], "PREPAY_CAPTURE"),
        (["{database}"], "no capture"),
        (["{folder}"], "directory"),
    ],
)
def test_what_cannot_be_traced_is_said(
    captured: tuple[Path, Path, str], words: list[str], why: str
) -> None:
    """In one line, with exit code 2."""
    path, database, name = captured
    known = {"name": name, "database": str(database), "folder": str(path.parent)}
    made = [word.format(**known) for word in words]
    done = prepay("trace", *made, PREPAY_DB=str(database))
    assert done.exit_code == 2
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1

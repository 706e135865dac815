"""Writing down what goes over a line, as ``--capture FILE`` asks.

The file is pcapng, which Wireshark and tshark open. What goes over TCP or UDP becomes IP packets
between the real ends; the octets of a serial line are packets of link type USER0, for which
Wireshark can be told the dissector (Preferences, Protocols, DLT_USER).
Beside each packet stands which session it is of, of which meter, and the correlation id.

Several processes may write one file: each packet is appended under a lock, and whoever finds that
another has written since begins a section of his own. At 64 MiB the file is put aside as
``FILE.1`` in the place of the one before. It holds passwords and whatever else is said in clear,
so it is its owner's alone.
"""

import fcntl
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable
from urllib.parse import quote, unquote

from msgspec import Struct

from headend.clock import Clock
from headend.errors import UsageError
from headend.observe import pcapng
from headend.observe.packets import NOWHERE, TCP, UDP, Dialogue, End
from headend.transports import PortSpec, Transport

if TYPE_CHECKING:
    from headend.context import Context
    from protocol.timing import Instant

#: Octets after which a file is put aside.
LARGEST: Final = 64 << 20
#: Schemes whose octets go over the Internet's protocols, and over which.
_CARRIED: Final = {"tcp": TCP, "hdlc+tcp": TCP, "optical+tcp": TCP, "udp": UDP}
_BEGINNING = pcapng.SECTION.to_bytes(4, "big")
#: What stands in a comment as it is, beside letters and digits.
_PLAIN: Final = ":/.+@-_,?&"


@runtime_checkable
class Ended(Protocol):
    """A transport that knows its two ends."""

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return our address and port, and the meter's."""
        ...


class CaptureFile:
    """A file that packets are appended to.

    Args:
        path: of a new file, or of a capture.

    Raises:
        UsageError: it cannot be written, or is something else.
    """

    def __init__(self, path: str, largest: int = LARGEST) -> None:
        self._path = Path(path)
        self._largest = largest
        self._link = -1  # of the last section here
        self._end = (0, -1)  # inode and size, as the last packet left them
        self._name = ""
        try:
            with _opened(self._path) as file:
                if file.size and file.beginning() != _BEGINNING:
                    raise UsageError(f"--capture {path}: there is another file of that name")
        except OSError as error:
            raise UsageError(f"--capture {path}: {error.strerror}") from error

    def append(self, link: int, name: str, block: bytes) -> None:
        """Append a packet's block.

        Args:
            link: its link type.
            name: of the interface.
            block: see ``pcapng.packet``.

        Raises:
            OSError: it cannot be written.
        """
        with _opened(self._path) as file:
            if file.size > self._largest:
                os.replace(self._path, f"{self._path}.1")
                self._begun_anew(link, name, block)
                return
            self._write(file, link, name, block)

    def _begun_anew(self, link: int, name: str, block: bytes) -> None:
        with _opened(self._path) as file:
            self._write(file, link, name, block)

    def _write(self, file: "_File", link: int, name: str, block: bytes) -> None:
        mine = (file.inode, file.size) == self._end and (self._link, self._name) == (link, name)
        head = b"" if mine else pcapng.section() + pcapng.interface(link, name)
        try:
            file.write(head + block)
        except OSError:
            file.shorten()  # what follows half a block could not be read any more
            raise
        self._end = file.inode, file.size + len(head) + len(block)
        self._link, self._name = link, name


class _File:
    """An open file of which this process has the lock."""

    def __init__(self, number: int) -> None:
        self._number = number
        state = os.fstat(number)
        if not S_ISREG(state.st_mode):
            raise OSError(0, "it is no regular file")
        self.inode, self.size = state.st_ino, state.st_size

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._number)

    def beginning(self) -> bytes:
        """Return the first four octets."""
        return os.pread(self._number, 4, 0)

    def write(self, octets: bytes) -> None:
        """Append all of ``octets``."""
        while octets:
            octets = octets[os.write(self._number, octets) :]

    def shorten(self) -> None:
        """Take back what was appended."""
        os.ftruncate(self._number, self.size)


def _opened(path: Path) -> _File:
    """Open a file and wait for its lock; one that is put aside meanwhile is opened anew."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        number = os.open(path, flags, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            if _inode(path) == os.fstat(number).st_ino:
                return _File(number)
        except BaseException:  # Ctrl-C while waiting included: the file is given back
            os.close(number)
            raise
        os.close(number)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return -1


class About(Struct, frozen=True):
    """What is noted beside each packet of a session; see ``words`` and ``read``."""

    session: str
    meter: str = ""
    place: str = ""
    command: str = ""
    correlation: str = ""

    def words(self) -> str:
        """Return it as a comment."""
        told = {name: getattr(self, name) for name in self.__struct_fields__}
        return " ".join(f"{name}={quote(value, _PLAIN)}" for name, value in told.items() if value)

    @classmethod
    def read(cls, comment: str) -> "About | None":
        """Return what a comment of ours says; None for another's."""
        pairs = dict(word.partition("=")[::2] for word in comment.split(" "))
        known = {name: unquote(pairs[name]) for name in cls.__struct_fields__ if name in pairs}
        return cls(**known) if known.get("session") else None


class CapturedTransport:
    """A transport around another, that writes down what passes.

    Args:
        transport: the one that does the work.
        spec: its port.
        file: takes the packets.
        about: the session.
        now: the clock.
        warn: told once, when the file cannot be written any more; the line goes on.
    """

    def __init__(
        self,
        transport: Transport,
        spec: PortSpec,
        file: CaptureFile,
        about: About,
        now: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._file: CaptureFile | None = file
        self._comment = about.words()
        self._name = str(spec)
        self._now = now
        self._warn = warn
        self._dialogue: Dialogue | None = None
        self._closed = False
        if spec.scheme in _CARRIED:
            known = transport.ends() if isinstance(transport, Ended) else NOWHERE
            client, server = (End(*end) for end in known)
            self._dialogue = Dialogue(client, server, _CARRIED[spec.scheme])
            self._note_all(self._dialogue.opening())

    def read(self, deadline: "Instant") -> bytes:
        """Return what has come."""
        octets = self._transport.read(deadline)
        if octets:
            self._said(octets, by_us=False)
        return octets

    def write(self, octets: bytes) -> None:
        """Send."""
        self._said(octets, by_us=True)
        self._transport.write(octets)

    def close(self) -> None:
        """Give the port back."""
        self._transport.close()
        if self._dialogue is not None and not self._closed:
            self._note_all(self._dialogue.closing())
        self._closed = True

    def _said(self, octets: bytes, *, by_us: bool) -> None:
        if self._dialogue is None:
            self._note(octets, sent=by_us)
        else:
            for packet in self._dialogue.said(octets, by_client=by_us):
                self._note(packet, sent=by_us)

    def _note_all(self, packets: list[tuple[bool, bytes]]) -> None:
        for sent, packet in packets:
            self._note(packet, sent=sent)

    def _note(self, octets: bytes, *, sent: bool) -> None:
        if self._file is None:
            return
        link = pcapng.USER0 if self._dialogue is None else pcapng.RAW_IP
        block = pcapng.packet(octets, self._now(), sent=sent, comment=self._comment)
        try:
            self._file.append(link, self._name, block)
        except OSError as error:
            self._file = None
            self._warn(f"--capture cannot be written any more: {error.strerror}")


@lru_cache(maxsize=4)
def capture_file(path: str) -> CaptureFile:
    """Return the file of a path, one for the whole process.

    Raises:
        UsageError: as ``CaptureFile``.
    """
    return CaptureFile(path)


def captured(context: "Context", transport: Transport) -> Transport:
    """Return a transport whose octets go into the file of ``--capture``.

    Raises:
        UsageError: it cannot be written.
    """
    from headend.report import show_aside

    entry = context.registered
    about = About(
        session=context.entropy(8).hex(),
        meter="" if entry is None else entry.name,
        place=context.place,
        command=context.command,
        correlation=context.correlation,
    )
    assert context.settings.capture is not None  # who asks has it
    try:
        file = capture_file(context.settings.capture)
    except UsageError:
        transport.close()
        raise
    return CapturedTransport(transport, context.port, file, about, context.now, show_aside)

"""One non-blocking stream of octets with bounded buffers, shared by the ports that have a file."""

import contextlib
import os
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from sim.ports.base import Ready

#: Octets read in one turn: what a meter's UART could never bring faster.
READ_LIMIT = 4096
#: Octets that wait for a peer that does not read, before it is dropped.
WRITE_LIMIT = 65536


class Stream:
    """A non-blocking descriptor in a selector.

    The descriptor stays its owner's: the stream reads and writes it, the owner closes it.

    Args:
        fd: in non-blocking mode.
        selector: where to wait for it; its events call this stream.
        keep_on_overflow: forget what waits for a peer that does not read instead of ending the
            stream; right for a serial line, which never knows who listens.
    """

    def __init__(self, fd: int, selector: BaseSelector, *, keep_on_overflow: bool = False) -> None:
        self.ended = False
        self._fd = fd
        self._selector = selector
        self._keep_on_overflow = keep_on_overflow
        self._received = bytearray()
        self._waiting = bytearray()
        self._finishing = False
        self._watched = EVENT_READ
        callback: Ready = self._on_ready
        selector.register(fd, EVENT_READ, callback)

    def take(self) -> bytes:
        """Return, once, the octets received."""
        data = bytes(self._received)
        self._received.clear()
        return data

    def write(self, data: bytes) -> None:
        """Send now what the descriptor takes and keep the rest, up to the limit."""
        if self.ended or self._finishing:
            return
        self._waiting += data
        self._flush()
        if len(self._waiting) > WRITE_LIMIT:
            if self._keep_on_overflow:
                self._waiting.clear()
                self._watch()
            else:
                self.end()

    def finish(self) -> None:
        """End the stream as soon as everything is out."""
        self._finishing = True
        if not self._waiting:
            self.end()

    def end(self) -> None:
        """Stop watching the descriptor; the owner may close it."""
        if not self.ended:
            self.ended = True
            self._waiting.clear()
            self._selector.unregister(self._fd)

    def _on_ready(self, mask: int) -> None:
        if mask & EVENT_WRITE and not self.ended:
            self._flush()
        if mask & EVENT_READ and not self.ended:
            self._read()

    def _read(self) -> None:
        room = READ_LIMIT - len(self._received)
        if room <= 0:
            return  # not collected yet: the rest waits in the operating system
        try:
            data = os.read(self._fd, room)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # reset by the peer: an end like any other
        if data:
            self._received += data
        else:
            self.end()

    def _flush(self) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while self._waiting:
                    del self._waiting[: os.write(self._fd, self._waiting)]
        except OSError:
            self.end()
            return
        if self._finishing and not self._waiting:
            self.end()
        else:
            self._watch()

    def _watch(self) -> None:
        wanted = EVENT_READ | EVENT_WRITE if self._waiting else EVENT_READ
        if wanted != self._watched:
            self._watched = wanted
            self._selector.modify(self._fd, wanted, self._selector.get_key(self._fd).data)

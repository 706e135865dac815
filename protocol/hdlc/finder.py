"""Finding frames in a stream of octets that may be anything.

The rule: a candidate begins at a flag; if it proves not to be a frame, the search goes on at the
next flag *behind the candidate's first one*, not behind its claimed end. So a good frame is found
whatever came before it, and the closing flag of one frame can open the next.

A candidate that stops growing is refuted by time: octets of one frame follow each other within
the inter-octet time-out. What a false length had swallowed is searched again then.
"""

import re

from protocol.errors import DecodeError
from protocol.hdlc.frame import Frame, Incomplete, decode_frame
from protocol.timing import Instant, later

#: A flag with a format field of type 3 behind it, or with nothing behind it yet.
_CANDIDATE = re.compile(rb"\x7E(?:[\xA0-\xAF]|\Z)")


class FrameFinder:
    """Octets in, good frames out. It never holds more than one frame's worth of octets.

    Args:
        inter_octet_timeout: milliseconds of silence after which a begun frame is given up.
    """

    def __init__(self, inter_octet_timeout: int) -> None:
        self._timeout = inter_octet_timeout
        self._buffer = bytearray()
        self._needed = 0
        self._deadline: Instant | None = None

    @property
    def in_frame(self) -> bool:
        """Whether a frame seems to be under way: more than a lone flag is waiting."""
        return len(self._buffer) > 1

    def receive(self, data: bytes, now: Instant) -> list[Frame]:
        """Take octets (none: only look at the clock) and return the frames that they complete."""
        frames: list[Frame] = []
        if self._deadline is not None and now >= self._deadline:
            self._give_up(frames)
        if data:
            self._buffer += data
            self._search(frames)
            self._deadline = later(now, self._timeout) if self.in_frame else None
        return frames

    def wake_at(self) -> Instant | None:
        """When the frame under way has to be given up."""
        return self._deadline

    def clear(self) -> None:
        """Forget what is under way."""
        self._buffer.clear()
        self._needed = 0
        self._deadline = None

    def _give_up(self, frames: list[Frame]) -> None:
        """After silence no candidate in the buffer can be completed any more."""
        while self.in_frame:
            self._drop_to_candidate(1)
            self._search(frames)
        self._deadline = None

    def _search(self, frames: list[Frame]) -> None:
        if len(self._buffer) < self._needed:
            return
        start = self._next_candidate(0)
        while start < len(self._buffer):
            try:
                found = decode_frame(self._buffer, start)
            except DecodeError:
                start = self._next_candidate(start + 1)
                continue
            if isinstance(found, Incomplete):
                self._needed = found.needed
                break
            frame, closing_flag = found
            frames.append(frame)
            start = self._next_candidate(closing_flag)
        else:
            self._needed = 0
        del self._buffer[:start]

    def _next_candidate(self, start: int) -> int:
        candidate = _CANDIDATE.search(self._buffer, start)
        return candidate.start() if candidate else len(self._buffer)

    def _drop_to_candidate(self, start: int) -> None:
        del self._buffer[: self._next_candidate(start)]
        self._needed = 0

"""What a service says of itself: lines of JSON for machines, or words for people, on stderr.

A line has what is bound to its thread: ``correlation``, ``command``, ``meter`` and ``attempt`` of
the command under way. Keys and octets never stand in one: a value of a name that tells of a
secret is blotted out, octets become their number, and what ``--trace`` asks for is logged apart.
"""

import sys
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Final, TextIO

import structlog

from headend.report import give_up

#: What ``--log-level`` takes.
LEVELS: Final = ("debug", "info", "warning", "error")
#: What ``--log-format`` takes; "auto" is console on a terminal and json elsewhere.
FORMATS: Final = ("auto", "json", "console")
_NUMBERS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
#: Words in the name of a value that is never shown, and names that have one and are no secret.
_SECRET: Final = frozenset({"key", "keys", "password", "secret", "master", "token"})
_ALLOWED: Final = frozenset({"idempotency_key"})

Event = MutableMapping[str, Any]


class _Sink:
    """A stream that takes what it can: a log that nobody reads any more stops no command."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or let it go."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            give_up(self._stream)

    def flush(self) -> None:
        """Flush, or let it go."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            give_up(self._stream)


def set_up(
    level: str, form: str, stream: TextIO | None = None
) -> structlog.typing.FilteringBoundLogger:
    """Return the log of a process.

    Args:
        level: one of ``LEVELS``; what is below it is not even put together.
        form: one of ``FORMATS``.
        stream: where it goes; stderr unless told.
    """
    stream = stream or sys.stderr
    as_json = is_json(form, stream)
    last: Callable[[Any, str, Event], str | bytes]
    if as_json:
        # Its own serializer would give up on what JSON does not have.
        last = structlog.processors.JSONRenderer(default=_plain, ensure_ascii=False)
    else:
        # The default shows the local variables of a traceback, and there may be keys among them.
        last = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.reset_defaults()
    more = [structlog.processors.format_exc_info] if as_json else []
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(_Sink(stream)),  # type: ignore[arg-type] # it writes and flushes
        wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level]),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            blot_out,
            *more,
            last,
        ],
        cache_logger_on_first_use=True,
    )
    return logger.bind()


def is_json(form: str, stream: TextIO | None = None) -> bool:
    """Say whether a log of a format, on a stream, is one of JSON."""
    return form == "json" or (form == "auto" and not (stream or sys.stderr).isatty())


def bind(**facts: str | int) -> None:
    """Let every line of this thread say so, until ``unbind``; what was bound before is gone."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**facts)


def unbind() -> None:
    """Let lines of this thread say nothing more than what they say themselves."""
    structlog.contextvars.clear_contextvars()


def bound(**facts: str | int) -> AbstractContextManager[None]:
    """Let every line of this thread say so within a block."""
    return structlog.contextvars.bound_contextvars(**facts)


def blot_out(_logger: object, _method: str, event: Event) -> Event:
    """Take out what no log may have: values named as secrets, and octets."""
    for name, value in event.items():
        if _tells(name):
            event[name] = "..."
        elif isinstance(value, bytes | bytearray | memoryview):
            event[name] = f"{len(value)} octets"
    return event


def _tells(name: str) -> bool:
    return name not in _ALLOWED and not _SECRET.isdisjoint(name.lower().split("_"))


def _plain(value: object) -> str:
    """Return what stands for a value that JSON does not have: its type, never what is in it."""
    return f"<{type(value).__name__}>"

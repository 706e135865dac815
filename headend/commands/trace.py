"""Explain each octet of a session that was captured."""

import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from headend.cli import with_context
from headend.commands import _explained
from headend.commands.decode import FRAMED, conversation
from headend.context import Context
from headend.errors import ExitCode, UsageError
from headend.observe import pcapng
from headend.observe.sessions import Said, Session, Sessions
from headend.report import Report, show
from headend.times import utc
from obis.values import replace
from protocol.explain import MAX_OCTETS, Conversation, Node, explain, form_of

#: No meter is asked, but its keys help.
OFFLINE = True
KEYS = True


class _Message(Struct, frozen=True):
    """What was said at once, explained."""

    nanoseconds: int
    direction: str
    octets: bytes
    root: Node


@click.command("trace")
@click.argument("what", metavar="METER|FILE")
@click.option(
    "--last",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Only the last N sessions; default: of a meter 1, of a file all.",
)
@click.option(
    "--title",
    "titles",
    multiple=True,
    metavar="HEX",
    help="System title of a sender, where no AARQ or AARE was captured.",
)
@with_context
def command(context: Context, what: str, last: int | None, titles: tuple[str, ...]) -> Report:
    """Explain every octet that was captured: frames, APDUs, what was ciphered, what is wrong.

    FILE is a capture: what --capture has written, or another's pcap or pcapng of TCP, UDP or a
    serial line (USER0). METER takes the last session with it out of the file that --capture or
    PREPAY_CAPTURE names. What is ciphered is deciphered with --keys FILE, else with what the
    vault has of METER or --meter NAME, else with the lab's keys. Secrets are shown.
    Exit code 1 when something is malformed, or its authentication is false.

    Example: prepay --capture day.pcapng --port serial:./meter0 topup 25.00

    Example: prepay trace day.pcapng --last 1
    """
    if os.path.exists(what):
        sessions = _read([what], Sessions(last=last))
    else:
        sessions = _of_meter(context, what, last or 1)
    explained = [(each, _explained_all(each, conversation(context, titles))) for each in sessions]
    if context.chosen.json or not sys.stdout.isatty():
        show(_report(explained), as_json=context.chosen.json)
    else:
        _show_in_colour(explained)
    faulty = any(each.root.faults() for _, messages in explained for each in messages)
    raise click.exceptions.Exit(ExitCode.REFUSED if faulty else ExitCode.DONE)


def _of_meter(context: Context, name: str, last: int) -> list[Session]:
    """Return the last sessions with a meter, out of the file that captures go into.

    Raises:
        UsageError: there is no such meter, file or session.
    """
    context.chosen = replace(context.chosen, meter=name)
    entry = context.registered
    assert entry is not None  # it was given by name
    path = context.chosen.capture
    if path is None:
        raise UsageError(
            f"where was {name} captured? Give --capture FILE or PREPAY_CAPTURE, as the command "
            "or the service had it"
        )
    files = [each for each in (f"{path}.1", path) if os.path.exists(each)]
    found = _read(files, Sessions(entry.name, entry.port, last))
    if not found:
        raise UsageError(f"{path}: no session with {entry.name} was captured")
    return found


def _read(paths: list[str], sessions: Sessions) -> list[Session]:
    """Return the sessions of captures.

    Raises:
        UsageError: one cannot be read, or is no capture.
    """
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                sessions.take(pcapng.read(file))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    found = sessions.found()
    if sum(session.octets for session in found) > MAX_OCTETS:
        raise UsageError(f"more than {MAX_OCTETS} octets: give --last")
    return found


def _explained_all(session: Session, talk: Conversation) -> list[_Message]:
    """Explain what was said, what one side said in a row together where it is framed."""
    found = []
    for direction, several in groupby(session.said, lambda each: ">" if each.by_client else "<"):
        for time, octets in _joined(list(several)):
            talk.direction = direction
            found.append(_Message(time, direction, octets, explain(octets, talk)))
    return found


def _joined(said: list[Said]) -> Iterator[tuple[int, bytes]]:
    if form_of(said[0].octets) in FRAMED:
        yield said[0].nanoseconds, b"".join(each.octets for each in said)
    else:
        for each in said:
            yield each.nanoseconds, each.octets


# --- showing -----------------------------------------------------------------------------------

_Explained = list[tuple[Session, list[_Message]]]


def _report(explained: _Explained) -> Report:
    lines: list[str] = []
    for session, messages in explained:
        lines += ["", _title(session)] if lines else [_title(session)]
        begun = session.said[0].nanoseconds
        for index, message in enumerate(messages, 1):
            lines += ["", _heading(index, message, begun)]
            lines += [row.text for row in _explained.rows(message.root)]
    if not explained:
        lines.append("nothing was said")
    return Report({"sessions": [_session_json(*each) for each in explained]}, lines)


def _session_json(session: Session, messages: list[_Message]) -> dict[str, Any]:
    about = session.about
    return {
        "session": about.session,
        "meter": about.meter or None,
        "place": about.place or None,
        "command": about.command or None,
        "correlation": about.correlation or None,
        "begun": utc(session.said[0].nanoseconds // 1_000_000),
        "messages": [
            {"nanoseconds": each.nanoseconds}
            | _explained.message_json(each.direction, each.root, each.octets)
            for each in messages
        ],
    }


def _title(session: Session) -> str:
    about = session.about
    parts = [f"session {about.session}", utc(session.said[0].nanoseconds // 1_000_000)]
    parts += [each for each in (about.meter, about.place, about.command) if each]
    if about.correlation:
        parts.append(f"correlation {about.correlation}")
    return ", ".join(parts)


def _heading(index: int, message: _Message, begun: int) -> str:
    head = _explained.heading(index, message.direction, message.root.name, len(message.octets))
    return f"{head}, at {(message.nanoseconds - begun) / 1e9:.3f} s"


def _show_in_colour(explained: _Explained) -> None:
    from rich.console import Console  # 50 ms that only people have to pay
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for session, messages in explained:
        console.print(Text(_title(session), style="bold"))
        for index, message in enumerate(messages, 1):
            heading = _heading(index, message, session.said[0].nanoseconds)
            console.print(Text(heading, style="bold underline"))
            for row in _explained.rows(message.root):
                console.print(_explained.coloured(row))

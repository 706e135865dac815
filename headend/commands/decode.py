"""Explain frames and APDUs octet by octet."""

import sys
from itertools import groupby
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from headend.cli import with_context
from headend.commands import _explained
from headend.commands._hex import Line, lines_of
from headend.context import Context
from headend.errors import ExitCode, UsageError
from headend.report import Report, show
from headend.security import half_of, key_set
from protocol.explain import FORMS, MAX_OCTETS, Conversation, Node, explain, form_of
from protocol.explain.vault import CLIENT, SERVER, Pair, Vault
from protocol.security import TITLE_LENGTH, SecuritySuite

if TYPE_CHECKING:
    from prepay.keys import MeterKeys

#: No meter is asked, but its keys help.
OFFLINE = True
KEYS = True

#: Forms whose octets come in pieces that do not matter.
FRAMED = ("hdlc", "wrapper", "iec21")
_STDIN = "-"
#: Letters that are read: each octet may have a few around it.
_MOST_TEXT = 8 * MAX_OCTETS


class Message(Struct, frozen=True):
    """Octets that are explained at once.

    Args:
        direction: ``>`` sent, ``<`` received, empty where nobody says.
        octets: of one line, or of several that go together.
    """

    direction: str
    octets: bytes


@click.command("decode")
@click.argument("octets", nargs=-1, required=True, metavar="HEX...")
@click.option("--title", "titles", multiple=True, metavar="HEX",
              help="System title of a sender, for deciphering; as often as there are such. Those "
              "in an AARQ, AARE or general ciphering are found without.")  # fmt: skip # one option
@click.option("--as", "form", type=click.Choice(list(FORMS)), help="What it is, where the "
              "beginning does not say it.")  # fmt: skip # one option
@with_context
def command(
    context: Context, octets: tuple[str, ...], titles: tuple[str, ...], form: str | None
) -> Report:
    """Explain any frame or APDU octet by octet: what each is, what it means, what is wrong.

    HEX is hexadecimal in any usual notation; "-" reads it from standard input, also hexdumps and
    whole traces, one message a line, with > and < or TX: and RX: before them as --trace prints.
    HDLC, wrapper, IEC 62056-21, ACSE and every xDLMS APDU; with --keys FILE (else with the lab's
    published keys) what is ciphered is deciphered and explained, under wrapped and agreed keys
    too, signatures are verified, and so are the answers to the challenges of HLS where AARQ and
    AARE are among the messages. Secrets in the octets are shown.
    Exit code 1 when something is malformed, or its authentication is false.

    Example: prepay decode C001C1000100002A0000FF0200

    Example: prepay --trace --port serial:./meter0 read 1.8.0 2>&1 | prepay decode -
    """
    text = sys.stdin.read(_MOST_TEXT + 1) if octets == (_STDIN,) else " ".join(octets)
    if len(text) > _MOST_TEXT:
        raise UsageError(f"too many octets at once: at most {MAX_OCTETS}")
    talk = conversation(context, titles)
    messages = split(lines_of(text), form)
    explained = [(message, _explain(message, talk, form)) for message in messages]
    report = _report(explained)
    if context.chosen.json or not sys.stdout.isatty():
        show(report, as_json=context.chosen.json)
    else:
        _show_in_colour(explained)
    faulty = any(root.faults() for _, root in explained)
    raise click.exceptions.Exit(ExitCode.REFUSED if faulty else ExitCode.DONE)


def conversation(context: Context, titles: tuple[str, ...]) -> Conversation:
    """Return the keys and titles that the user gave.

    Raises:
        UsageError: a title is none, or the key file cannot be used.
    """
    known = []
    for text in titles:
        try:
            title = bytes.fromhex(text)
        except ValueError:
            title = b""
        if len(title) != TITLE_LENGTH:
            raise UsageError(f"--title: {TITLE_LENGTH} octets in hexadecimal, not {text!a}")
        known.append(title)
    ours = context.keys
    certain = context.chosen.keys is not None or context.held is not None
    keys = key_set(ours)
    broadcast = keys.under(ours.broadcast_key, broadcast=True)
    return Conversation(keys, certain, tuple(known), broadcast=broadcast, vault=_vault(ours))


def _vault(keys: "MeterKeys") -> Vault:
    """Return everything else that the key file has, of both sides."""
    suite = SecuritySuite(keys.suite)
    sides = {CLIENT: keys.client, SERVER: keys.meter} if suite else {}
    pairs = {
        side: Pair(half_of(suite, pair.signing_key), half_of(suite, pair.agreement_key))
        for side, pair in sides.items()
    }
    return Vault(keys.master_key, keys.secret, pairs)


def split(lines: list[Line], form: str | None = None) -> list[Message]:
    """Return the messages that lines are.

    Lines of one direction in a row are pieces of one message where they are framed: ports give
    octets as they come. Without directions a line is a message if any is one by itself; otherwise
    all of them are one that was broken into lines.

    Raises:
        UsageError: there are no octets, or too many at once.
    """
    if not lines:
        raise UsageError("no octets: write them in hexadecimal")
    if sum(len(line.octets) for line in lines) > MAX_OCTETS:
        raise UsageError(f"too many octets at once: at most {MAX_OCTETS}")
    if any(line.direction for line in lines):
        found: list[Message] = []
        for direction, several in groupby(lines, key=lambda line: line.direction):
            found += _joined([Message(direction, line.octets) for line in several], form)
        return found
    paragraphs: list[list[Message]] = []
    for line in lines:
        if line.after_gap or not paragraphs:
            paragraphs.append([])
        message = Message("", line.octets)
        if line.continues and paragraphs[-1]:
            message = _join([paragraphs[-1].pop(), message])
        paragraphs[-1].append(message)
    return [message for each in paragraphs for message in _one_or_many(each, form)]


def _joined(messages: list[Message], form: str | None) -> list[Message]:
    if len(messages) > 1 and (form or form_of(messages[0].octets)) in FRAMED:
        return [_join(messages)]
    return messages


def _join(messages: list[Message]) -> Message:
    return Message(messages[0].direction, b"".join(message.octets for message in messages))


def _one_or_many(messages: list[Message], form: str | None) -> list[Message]:
    whole = _join(messages)
    if len(messages) == 1 or not explain(whole.octets, form=form).faults():
        return [whole]
    alone = [message for message in messages if not explain(message.octets, form=form).faults()]
    return messages if alone else [whole]


def _explain(message: Message, talk: Conversation, form: str | None) -> Node:
    talk.direction = message.direction
    return explain(message.octets, talk, form)


def _report(explained: list[tuple[Message, Node]]) -> Report:
    data = [
        _explained.message_json(message.direction, root, message.octets)
        for message, root in explained
    ]
    lines: list[str] = []
    for index, (_, root) in enumerate(explained, 1):
        lines += _heading(explained, index)
        lines += [row.text for row in _explained.rows(root)]
    return Report({"messages": data}, lines)


def _heading(explained: list[tuple[Message, Node]], index: int) -> list[str]:
    """Return the lines above a message; one alone needs none."""
    if len(explained) == 1:
        return []
    message, root = explained[index - 1]
    head = _explained.heading(index, message.direction, root.name, len(message.octets))
    return [head] if index == 1 else ["", head]


def _show_in_colour(explained: list[tuple[Message, Node]]) -> None:
    from rich.console import Console  # 50 ms that only people have to pay
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for index, (_, root) in enumerate(explained, 1):
        for line in _heading(explained, index):
            console.print(Text(line, style="bold underline" if line else ""))
        for row in _explained.rows(root):
            console.print(_explained.coloured(row))

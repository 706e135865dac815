"""Show a message on the meter's display, or take it away."""

from typing import Final

import click

from headend.cli import with_context
from headend.commands._settings import get, put
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.reach import reached
from headend.report import Report
from obis import catalogue
from protocol.axdr import Data, Tag
from protocol.events import AttributeRef

_MESSAGE: Final = AttributeRef(1, catalogue.MESSAGE, 2)
#: What any meter may refuse besides; ours takes 128.
_LONGEST: Final = 1024


@click.command("message")
@click.argument("text", required=False)
@click.option("--clear", is_flag=True, help="Take the message away.")
@with_context
def command(context: Context, text: str | None, clear: bool) -> Report:
    """Show TEXT on the meter's display; without it, say which message is there.

    Our meters take 128 printable ASCII characters, show them in lines of 16 for an hour in turn
    with the page that is chosen, and keep them behind the pages until another message comes.

    Example: prepay --port serial:./meter0 message "Power is off on 3 December from 9 to 12"

    Next: prepay message --clear takes it away.
    """
    if text is not None and clear:
        raise UsageError("a TEXT or --clear, not both")
    return message(context, "" if clear else text)


def message(context: Context, text: str | None = None) -> Report:
    """Write the message of the meter at the context's port, or read it.

    Args:
        context: the run of the command.
        text: for the customer; empty takes it away, None changes nothing.

    Raises:
        UsageError: not printable ASCII in one line, or longer than any meter takes.
        Refused: the meter has no such object, or its display does not take the text.
        NoAnswer: it may have been written; the same again writes it once.
    """
    if text is not None:
        check(text)
    with reached(context) as device:
        held = get(device, _MESSAGE)
        if text is not None:
            wanted = _as(held.tag, text)
            # also where it is so already: the customer may have missed it
            put(device, _MESSAGE, wanted, held=None if text == "" else Data(Tag.NULL, None))
            held = wanted
        shown = _text(held)
    said = f"message: {shown}" if shown else "no message"
    return Report({"message": shown, "written": text is not None}, (said,))


def check(text: str) -> None:
    """Refuse what no display of a meter shows.

    Raises:
        UsageError: not printable ASCII in one line, or too long.
    """
    if not text.isascii() or not (text == "" or text.isprintable()):
        raise UsageError(
            "a display shows one line of printable ASCII characters, without accents: e for é"
        )
    if len(text) > _LONGEST:
        raise UsageError(f"{len(text)} characters are more than {_LONGEST}")


def _as(tag: Tag, text: str) -> Data:
    """Return a text in the type that the meter has it in."""
    return Data(tag, text) if tag is Tag.VISIBLE_STRING else Data(Tag.OCTET_STRING, text.encode())


def _text(found: Data) -> str:
    if isinstance(found.value, bytes):
        return found.value.decode("ascii", "backslashreplace")
    if isinstance(found.value, str):
        return found.value
    raise Refused(f"{catalogue.MESSAGE} holds {found.tag.type_name} and no text")

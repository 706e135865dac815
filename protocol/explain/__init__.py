"""Explaining octets: what each of them means, whoever sent them, right or wrong.

``explain`` takes the octets of one message and gives a tree of nodes (``nodes.Node``) in which
every octet stands once. It never raises for what a stranger may have sent: what cannot be
understood is a node with a fault, and what came before it and behind it is explained all the same.
A ``Conversation`` carries what earlier messages tell about later ones.

The field tables follow the codecs of ``protocol.apdu``; a property test holds that both agree.
"""

from collections.abc import Callable
from typing import Final

from protocol.errors import LocalProtocolError
from protocol.explain import frames, iec21
from protocol.explain.apdu import apdu
from protocol.explain.conversation import Conversation
from protocol.explain.nodes import Inside, Node
from protocol.explain.readers import any_value
from protocol.explain.walker import Walker
from protocol.hdlc.frame import FLAG

#: The most octets that one message may have; a day of a busy line is less.
MAX_OCTETS: Final = 1 << 20

#: What octets can be explained as.
FORMS: Final[dict[str, Callable[[Walker, str], object]]] = {
    "hdlc": frames.hdlc,
    "wrapper": frames.wrapper,
    "llc": frames.llc,
    "apdu": apdu,
    "iec21": iec21.telegrams,
    "data": any_value,
}


def form_of(octets: bytes) -> str:
    """Return what octets seem to be, by how they begin."""
    if octets[:1] == bytes((FLAG,)):
        return "hdlc"
    if frames.is_wrapper(octets):
        return "wrapper"
    if octets[:3] in (b"\xe6\xe6\x00", b"\xe6\xe7\x00"):
        return "llc"
    return "iec21" if iec21.is_telegram(octets) else "apdu"


def explain(octets: bytes, talk: Conversation | None = None, form: str | None = None) -> Node:
    """Explain one message.

    Args:
        octets: frames in a row, one APDU, telegrams in a row, or one A-XDR value.
        talk: the conversation that it belongs to; it learns from the message.
        form: one of ``FORMS``, None for what the octets seem to be.

    Returns:
        A node without octets of its own, named by the form, whose parts are the explanation.

    Raises:
        LocalProtocolError: more than ``MAX_OCTETS``, or there is no such form.
    """
    if len(octets) > MAX_OCTETS:
        raise LocalProtocolError(f"{len(octets)} octets at once: at most {MAX_OCTETS}")
    form = form or form_of(octets)
    if form not in FORMS:
        raise LocalProtocolError(f"no form {form}: {', '.join(FORMS)}")
    walker = Walker(octets, talk or Conversation())
    walker.root.name = form
    with walker.region():
        FORMS[form](walker, "value")
    return walker.root


__all__ = ["FORMS", "MAX_OCTETS", "Conversation", "Inside", "Node", "explain", "form_of"]

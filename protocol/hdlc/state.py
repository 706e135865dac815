"""The states of an HDLC connection, as a table.

Normal response mode is unbalanced. The *primary* (the client) alone may speak unasked: each of
its frames with the poll bit set hands the turn to the *secondary* (the server), whose frame with
the final bit set hands it back. So a connection has two tables, one a role, over the same states:

    DISCONNECTED      normal disconnected mode (NDM): only SNRM means something
    CONNECTING        the primary has sent SNRM and waits for UA
    CONNECTED         normal response mode (NRM): numbered frames flow
    REJECTING         the secondary has sent FRMR: only SNRM and DISC help
    DISCONNECTING     the primary has sent DISC and waits for UA

What moves a connection is a ``Trigger``: a frame from the other side, by kind; a frame that is
right in form but wrong in NRM (``REJECTABLE``); a wish of the layer above; or a time that has run
out. What happens is a ``Step``: the next state, what to answer, and what to report.

Numbered frames (I, RR, RNR) in NRM stay in NRM; their step is ``Answer.TRANSFER``: N(S) and N(R)
decide, see ``transfer.py``. A trigger without a row is ignored: that is how stale answers, and
frames that only the other role may send, fall away. Two rows deserve a word:

* SNRM in NRM: the other side has begun anew, having lost its half. Everything under way is void;
  the layer above learns of it before it learns of the new connection.
* Anything but SNRM in NDM, polled: DM, so that a primary which believes in a connection that
  timed out here finds out at once. An unpolled frame gets no answer in any state: without the
  poll bit a secondary has no right to send.

UI frames belong to no connection and move none: see ``unnumbered.py``.
"""

from enum import Enum, auto

from msgspec import Struct

from protocol.events import DisconnectReason
from protocol.hdlc.frame import FrameKind


class Role(Enum):
    """Which half of the connection."""

    PRIMARY = auto()
    SECONDARY = auto()


class State(Enum):
    """Where a connection stands."""

    DISCONNECTED = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    REJECTING = auto()
    DISCONNECTING = auto()


class Trigger(Enum):
    """What can happen to a connection."""

    SNRM = auto()
    UA = auto()
    DISC = auto()
    DM = auto()
    FRMR = auto()
    NUMBERED = auto()
    REJECTABLE = auto()
    CONNECT = auto()
    DISCONNECT = auto()
    EXPIRED = auto()


class Answer(Enum):
    """What to send."""

    NOTHING = auto()
    SNRM = auto()
    UA = auto()
    DISC = auto()
    DM = auto()
    FRMR = auto()
    TRANSFER = auto()


class Step(Struct, frozen=True):
    """One row's outcome.

    Args:
        state: the next state.
        answer: what goes out.
        ended: the connection that stood, or was asked for, has ended for this reason.
        began: a connection stands now.
    """

    state: State
    answer: Answer = Answer.NOTHING
    ended: DisconnectReason | None = None
    began: bool = False


_TRIGGERS = {
    FrameKind.I: Trigger.NUMBERED,
    FrameKind.RR: Trigger.NUMBERED,
    FrameKind.RNR: Trigger.NUMBERED,
    FrameKind.SNRM: Trigger.SNRM,
    FrameKind.UA: Trigger.UA,
    FrameKind.DISC: Trigger.DISC,
    FrameKind.DM: Trigger.DM,
    FrameKind.FRMR: Trigger.FRMR,
    FrameKind.UNKNOWN: Trigger.REJECTABLE,
}

_SECONDARY: dict[State, dict[Trigger, Step]] = {
    State.DISCONNECTED: {
        Trigger.SNRM: Step(State.CONNECTED, Answer.UA, began=True),
        Trigger.DISC: Step(State.DISCONNECTED, Answer.DM),
        Trigger.NUMBERED: Step(State.DISCONNECTED, Answer.DM),
        Trigger.REJECTABLE: Step(State.DISCONNECTED, Answer.DM),
    },
    State.CONNECTED: {
        Trigger.SNRM: Step(State.CONNECTED, Answer.UA, ended=DisconnectReason.REPLACED, began=True),
        Trigger.DISC: Step(State.DISCONNECTED, Answer.UA, ended=DisconnectReason.REMOTE),
        Trigger.NUMBERED: Step(State.CONNECTED, Answer.TRANSFER),
        Trigger.REJECTABLE: Step(State.REJECTING, Answer.FRMR),
        Trigger.DISCONNECT: Step(State.DISCONNECTED, ended=DisconnectReason.LOCAL),
        Trigger.EXPIRED: Step(State.DISCONNECTED, ended=DisconnectReason.TIMEOUT),
    },
    State.REJECTING: {
        Trigger.SNRM: Step(State.CONNECTED, Answer.UA, ended=DisconnectReason.REPLACED, began=True),
        Trigger.DISC: Step(State.DISCONNECTED, Answer.UA, ended=DisconnectReason.REMOTE),
        Trigger.NUMBERED: Step(State.REJECTING, Answer.FRMR),
        Trigger.REJECTABLE: Step(State.REJECTING, Answer.FRMR),
        Trigger.DISCONNECT: Step(State.DISCONNECTED, ended=DisconnectReason.LOCAL),
        Trigger.EXPIRED: Step(State.DISCONNECTED, ended=DisconnectReason.TIMEOUT),
    },
}

_PRIMARY: dict[State, dict[Trigger, Step]] = {
    State.DISCONNECTED: {
        Trigger.CONNECT: Step(State.CONNECTING, Answer.SNRM),
        Trigger.DISCONNECT: Step(State.DISCONNECTING, Answer.DISC),
    },
    State.CONNECTING: {
        Trigger.UA: Step(State.CONNECTED, began=True),
        Trigger.DM: Step(State.DISCONNECTED, ended=DisconnectReason.REJECTED),
        Trigger.DISCONNECT: Step(State.DISCONNECTING, Answer.DISC),
        Trigger.EXPIRED: Step(State.DISCONNECTED, ended=DisconnectReason.TIMEOUT),
    },
    State.CONNECTED: {
        Trigger.NUMBERED: Step(State.CONNECTED, Answer.TRANSFER),
        Trigger.DM: Step(State.DISCONNECTED, ended=DisconnectReason.REJECTED),
        Trigger.FRMR: Step(State.DISCONNECTED, ended=DisconnectReason.FRAME_REJECTED),
        Trigger.DISCONNECT: Step(State.DISCONNECTING, Answer.DISC),
        Trigger.EXPIRED: Step(State.DISCONNECTED, ended=DisconnectReason.TIMEOUT),
    },
    State.DISCONNECTING: {
        Trigger.UA: Step(State.DISCONNECTED, ended=DisconnectReason.LOCAL),
        Trigger.DM: Step(State.DISCONNECTED, ended=DisconnectReason.LOCAL),
        Trigger.EXPIRED: Step(State.DISCONNECTED, ended=DisconnectReason.LOCAL),
    },
}

TRANSITIONS = {Role.PRIMARY: _PRIMARY, Role.SECONDARY: _SECONDARY}


def trigger_of(kind: FrameKind) -> Trigger | None:
    """Return what a received frame of ``kind`` triggers; None for UI, which moves nothing."""
    return _TRIGGERS.get(kind)


def step(role: Role, state: State, trigger: Trigger) -> Step | None:
    """Return the row for ``trigger``; None when it is to be ignored."""
    return TRANSITIONS[role][state].get(trigger)

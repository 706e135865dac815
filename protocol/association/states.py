"""The states of an association, as one table that client and server share.

An association begins with a question and ends with a farewell, and in between somebody may have
to prove who he is. Both sides see the same steps in the same order; what differs is who takes
them, and that the server takes two of them within one call of ``receive``: it is ASKED and has
answered, it is LEAVING and has parted, before anyone can look. So one table is enough.

    IDLE ---ask---> ASKED ---accept-----------------------> OPEN ---leave---> LEAVING
      ^               |  \\--challenge--> CHALLENGED --prove--^                    |
      |<---refuse-----/                      |                                   |
      |<---fail------------------------------/                                   |
      |<---part------------------------------------------------------------------/

Four things the picture leaves out:

* An AARQ that comes while an association stands, or is about to, opens a new one and forgets the
  old, whether the new one is accepted or not. A client that lost its line cannot know what the
  server still believes; ``gurux-dlms`` and ``pydlms-client`` both just send their AARQ again.
* Leaving is allowed while challenged: a client that cannot prove itself may still be polite.
* A pre-established association is OPEN by PRESUME, as often as it is begun or given up, and has
  neither ASK nor LEAVE: both are refused before the table is asked.
* The link may go at any time. ``drop`` leads from everywhere to IDLE and is no row of the table.

SERVE is no movement but a permission: only in OPEN is it in the table, so asking the table
whether it allows SERVE answers whether a GET, SET or ACTION may pass.
"""

from enum import Enum

from protocol.errors import LocalProtocolError


class State(Enum):
    """Where an association is."""

    IDLE = "no association"
    ASKED = "AARQ sent, AARE awaited"
    CHALLENGED = "accepted, HLS passes 3 and 4 to come"
    OPEN = "associated"
    LEAVING = "RLRQ sent, RLRE awaited"


class Step(Enum):
    """What moves it."""

    ASK = "AARQ"
    REFUSE = "AARE: rejected"
    CHALLENGE = "AARE: accepted, authentication required"
    ACCEPT = "AARE: accepted"
    PROVE = "HLS: both answers are true"
    FAIL = "HLS: an answer is false"
    SERVE = "GET, SET or ACTION"
    LEAVE = "RLRQ"
    PART = "RLRE"
    PRESUME = "pre-established"


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.IDLE: {
        Step.ASK: State.ASKED,
        Step.PRESUME: State.OPEN,
    },
    State.ASKED: {
        Step.REFUSE: State.IDLE,
        Step.CHALLENGE: State.CHALLENGED,
        Step.ACCEPT: State.OPEN,
    },
    State.CHALLENGED: {
        Step.ASK: State.ASKED,
        Step.PROVE: State.OPEN,
        Step.FAIL: State.IDLE,
        Step.LEAVE: State.LEAVING,
    },
    State.OPEN: {
        Step.ASK: State.ASKED,
        Step.SERVE: State.OPEN,
        Step.LEAVE: State.LEAVING,
    },
    State.LEAVING: {
        Step.PART: State.IDLE,
    },
}


class StateMachine:
    """A position in the table."""

    def __init__(self) -> None:
        self.state = State.IDLE

    def allows(self, step: Step) -> bool:
        """Whether the table has ``step`` for the present state."""
        return step in TRANSITIONS[self.state]

    def take(self, step: Step) -> None:
        """Move.

        Raises:
            LocalProtocolError: the table does not have ``step`` for the present state.
        """
        try:
            self.state = TRANSITIONS[self.state][step]
        except KeyError:
            raise LocalProtocolError(
                f"{step.name} ({step.value}) is not possible: {self.state.value}"
            ) from None

    def drop(self) -> None:
        """Forget the association, whatever became of it."""
        self.state = State.IDLE

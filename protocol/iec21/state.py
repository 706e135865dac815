"""The states of a tariff device on its local port, as a table.

The reader speaks and the device answers; by itself the device only ends things. A session begins
with the request message and goes on in one of three ways, as the reader chooses:

    READY         waits for a request message
    IDENTIFIED    has identified itself and waits for the choice: ACK V Z Y
    SENT          has sent its readout (mode C) and waits to be asked to repeat it
    LOCKED        programming mode; waits for the password
    UNLOCKED      programming mode; executes commands
    TRANSPARENT   HDLC has the line (mode E)

What moves a device is a ``Trigger``: a message, by what it asks; one that came garbled; or silence
for as long as the state bears it. What happens is a ``Step``: the next state and what to answer.
A trigger without a row is ignored.

* A request message begins anew in every state. At 300 Bd no device that runs at another rate could
  hear it; where rates are only noted, the next reader need not wait for the time-out of one that
  broke off.
* A choice that is none of the three, a garbled one, and none at all bring the readout at 300 Bd:
  that is how readers which know no choice get theirs.
* A wrong password ends the session with a break, so that each guess costs a new sign-on.
* A break gets no answer. What is refused for itself gets an error message, and the session goes on.
"""

from enum import Enum, auto
from typing import Final

from msgspec import Struct


class State(Enum):
    """Where a device stands."""

    READY = auto()
    IDENTIFIED = auto()
    SENT = auto()
    LOCKED = auto()
    UNLOCKED = auto()
    TRANSPARENT = auto()


class Trigger(Enum):
    """What can happen to a device."""

    REQUEST = auto()
    READOUT = auto()
    PROGRAMMING = auto()
    HDLC = auto()
    OTHER_OPTION = auto()
    PASSWORD = auto()
    WRONG_PASSWORD = auto()
    READ = auto()
    OTHER_COMMAND = auto()
    BREAK = auto()
    ACKNOWLEDGE = auto()
    REPEAT = auto()
    GARBLED = auto()
    TOO_MUCH = auto()  # garbled or to be repeated once too often
    SILENCE = auto()


class Answer(Enum):
    """What to send."""

    NOTHING = auto()
    IDENTIFICATION = auto()
    READOUT = auto()
    FALLBACK = auto()  # the readout at 300 Bd
    CHALLENGE = auto()  # P0
    CONFIRMATION = auto()  # the option, at the new rate
    ACKNOWLEDGE = auto()
    REGISTER = auto()
    REFUSAL = auto()  # an error message
    BREAK = auto()
    REPEAT_REQUEST = auto()  # NAK
    AGAIN = auto()  # what was sent last


class Step(Struct, frozen=True):
    """One row's outcome: the next state, and what goes out."""

    state: State
    answer: Answer = Answer.NOTHING


_READY: Final = Step(State.READY)
_BROKEN: Final = Step(State.READY, Answer.BREAK)
_ANEW: Final = Step(State.IDENTIFIED, Answer.IDENTIFICATION)
_FALLBACK: Final = Step(State.SENT, Answer.FALLBACK)

TRANSITIONS: Final[dict[State, dict[Trigger, Step]]] = {
    State.READY: {Trigger.REQUEST: _ANEW},
    State.IDENTIFIED: {
        Trigger.REQUEST: _ANEW,
        Trigger.READOUT: Step(State.SENT, Answer.READOUT),
        Trigger.PROGRAMMING: Step(State.LOCKED, Answer.CHALLENGE),
        Trigger.HDLC: Step(State.TRANSPARENT, Answer.CONFIRMATION),
        Trigger.OTHER_OPTION: _FALLBACK,
        Trigger.GARBLED: _FALLBACK,
        Trigger.SILENCE: _FALLBACK,
        Trigger.REPEAT: Step(State.IDENTIFIED, Answer.AGAIN),
        Trigger.TOO_MUCH: _READY,
        Trigger.BREAK: _READY,
    },
    State.SENT: {
        Trigger.REQUEST: _ANEW,
        Trigger.REPEAT: Step(State.SENT, Answer.AGAIN),
        Trigger.TOO_MUCH: _READY,
        Trigger.ACKNOWLEDGE: _READY,
        Trigger.BREAK: _READY,
        Trigger.SILENCE: _READY,
    },
    State.LOCKED: {
        Trigger.REQUEST: _ANEW,
        Trigger.PASSWORD: Step(State.UNLOCKED, Answer.ACKNOWLEDGE),
        Trigger.WRONG_PASSWORD: _BROKEN,
        Trigger.READ: Step(State.LOCKED, Answer.REFUSAL),
        Trigger.OTHER_COMMAND: Step(State.LOCKED, Answer.REFUSAL),
        Trigger.REPEAT: Step(State.LOCKED, Answer.AGAIN),
        Trigger.GARBLED: Step(State.LOCKED, Answer.REPEAT_REQUEST),
        Trigger.TOO_MUCH: _BROKEN,
        Trigger.BREAK: _READY,
        Trigger.SILENCE: _READY,
    },
    State.UNLOCKED: {
        Trigger.REQUEST: _ANEW,
        Trigger.PASSWORD: Step(State.UNLOCKED, Answer.ACKNOWLEDGE),
        Trigger.WRONG_PASSWORD: _BROKEN,
        Trigger.READ: Step(State.UNLOCKED, Answer.REGISTER),
        Trigger.OTHER_COMMAND: Step(State.UNLOCKED, Answer.REFUSAL),
        Trigger.REPEAT: Step(State.UNLOCKED, Answer.AGAIN),
        Trigger.GARBLED: Step(State.UNLOCKED, Answer.REPEAT_REQUEST),
        Trigger.TOO_MUCH: _BROKEN,
        Trigger.BREAK: _READY,
        Trigger.SILENCE: _READY,
    },
    State.TRANSPARENT: {
        Trigger.REQUEST: _ANEW,
        Trigger.SILENCE: _READY,
    },
}


def step(state: State, trigger: Trigger) -> Step | None:
    """Return the row for ``trigger``; None when it is to be ignored."""
    return TRANSITIONS[state].get(trigger)

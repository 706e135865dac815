"""Pushing: what has happened since the last tick goes to whom the push setup names.

A push never holds anything up: what happened joins a short queue, and one after the other is
tried, each on a port of its own that the board opens by calling.

    IDLE --due--> CALLING --opened--> SAID --confirmed, or nothing to wait for--> IDLE
      ^             |                  |
      |             |--- failed -------|--> IDLE, due again after the repetition delay,
      |                                      as often as there are retries

At the local HDLC port nobody is called: what is said there is opened and said at once.

The values are those at the moment at which the message goes out. Delays and windows are told by
the board's time and the meter's clock; how long to wait for an answer, by the line timer.
The queue lives in memory: a push that a power cut overtakes is lost, its cause is not.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from meter_fw import server
from meter_fw.board import Dial, PortId, PortKind
from meter_fw.push_setup import allowed, dial, listed
from meter_fw.server import Objects
from meter_fw.state import Condition, MeterState, Pushed, PushSetup
from meter_fw.view import Caller, Role, View
from obis import catalogue
from obis.values import replace
from prepay.credit import CreditStatus
from protocol.axdr import Data, null, structure
from protocol.codes import ActionResult
from protocol.cosem.push_setup import PUSH_SETUP, PushOperationMethod
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    DataNotification,
    GetRequest,
    GetResponse,
    LongInvokeId,
    Request,
    Response,
)
from protocol.timing import Instant, later

#: Causes that wait; further ones are counted and dropped.
QUEUE: Final = 8
#: How long a call, and then a confirmation, may take, in ms of the line timer.
PATIENCE: Final = 10_000
#: A closed communication window is looked at again after so many ms.
LOOK_AGAIN: Final = 60_000
_NUMBERS: Final = 0x1000000


class Cause(IntEnum):
    """Why something is pushed."""

    NONE = 0
    ASKED = 1  # by the method push
    RELAY = 2  # the relay moved
    LOW_CREDIT = 3
    ACTIVATED = 4  # prepayment began
    CLOSED = 5  # prepayment ended
    EMERGENCY = 6  # the emergency credit came into use, or is used up
    USED_UP = 7  # the credit is used up, though a window or the lack of an arm may hold the cut
    MINIMUM_SUPPLY = 8  # began in place of a cut, or ended
    RECURRENT_DEFAULTER = 9
    CALENDAR = 10  # it is about to end
    CONTACT = 11  # the relay's contact does not follow, or does again
    COVER = 12  # the cover was opened


class Outcome(IntEnum):
    """What became of a push."""

    NONE = 0  # there was none yet
    SENT = 1
    CONFIRMED = 2
    NOT_REACHED = 3  # nobody took the call
    NOT_CONFIRMED = 4
    NOT_SAID = 5  # no such association, too long a message, or no invocation counter left


@dataclass(slots=True)
class _Waiting:
    cause: Cause
    due: Instant
    tries: int = 0


def causes(before: MeterState, after: MeterState) -> list[Cause]:
    """Return what has happened between two states that is worth a push."""
    found = []
    if after.relay.control is not before.relay.control:
        found.append(Cause.RELAY)
    if after.account.low_announced and not before.account.low_announced:
        found.append(Cause.LOW_CREDIT)
    if after.account.active != before.account.active:
        found.append(Cause.ACTIVATED if after.account.active else Cause.CLOSED)
    if after.condition is not before.condition:
        found += _conditions(before.condition, after.condition)
    return found


def _conditions(before: Condition, after: Condition) -> list[Cause]:
    in_use, was = (one.emergency == CreditStatus.IN_USE for one in (after, before))
    told = {
        Cause.EMERGENCY: in_use is not was and (in_use or after.used_up),
        Cause.USED_UP: after.used_up and not before.used_up,
        Cause.MINIMUM_SUPPLY: after.limited is not before.limited,
        Cause.RECURRENT_DEFAULTER: after.recurrent and not before.recurrent,
        Cause.CALENDAR: after.ending and not before.ending,
        Cause.CONTACT: after.mismatch is not before.mismatch,
        Cause.COVER: after.opened and not before.opened,
    }
    return [cause for cause, happened in told.items() if happened]


def message(objects: Objects, view: View) -> DataNotification:
    """Return what goes out now: the values of the push object list, as the reader sees them."""
    setup, number = view.state.push_setup, view.state.pushed.number
    reader = replace(view, caller=Caller(Role.READER, setup.client))
    values = [_value(objects, reader, ref) for ref in listed(view)]
    confirmed = setup.method == PushOperationMethod.CONFIRMED
    return DataNotification(
        structure(*values), LongInvokeId(number, confirmed=confirmed), view.stamp(view.clock)
    )


def _value(objects: Objects, reader: View, ref: AttributeRef) -> Data:
    response = server.answer(objects, reader, GetRequest(ref)).response
    result = response.result if isinstance(response, GetResponse) else None
    return result if isinstance(result, Data) else null()


def is_asked(request: Request, response: Response) -> bool:
    """Say whether an exchange was the method push of the push setup, done."""
    return (
        isinstance(request, ActionRequest)
        and isinstance(response, ActionResponse)
        and request.method.class_id == PUSH_SETUP.class_id
        and request.method.logical_name == catalogue.PUSH_SETUP
        and request.method.index == 1
        and response.result is ActionResult.SUCCESS
    )


class Pusher:
    """The queue, and the push that is under way.

    Args:
        entropy: for the delay by which meters do not all push at once.
    """

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._queue: deque[_Waiting] = deque()
        self._port: PortId | None = None
        self._said = False
        self._by_hdlc = False
        self._deadline: Instant | None = None
        self._calls = 0

    @property
    def port(self) -> PortId | None:
        """The port of the push that is under way."""
        return self._port

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        return self._port is None and not self._queue

    @property
    def by_hdlc(self) -> bool:
        """Whether it goes out at the local HDLC port, for which nobody is called."""
        return self._by_hdlc

    @property
    def waits(self) -> bool:
        """Whether a confirmation is waited for."""
        return self._said

    def ask(self, cause: Cause, view: View, now: Instant) -> Pushed:
        """Let something be pushed soon; return the record of pushes after that."""
        pushed = view.state.pushed
        if dial(view) is None:
            return pushed
        if len(self._queue) >= QUEUE:
            return replace(pushed, dropped=pushed.dropped + 1)
        spread = view.state.push_setup.randomisation * 1000
        delay = int.from_bytes(self._entropy(4), "big") % (spread + 1) if spread else 0
        self._queue.append(_Waiting(cause, later(now, delay)))
        return pushed

    def call(self, view: View, now: Instant, line_now: Instant) -> dict[PortId, Dial]:
        """Return whom the board has to call now, if anybody."""
        if self._port is not None or not self._queue or self._queue[0].due > now:
            return {}
        whom = dial(view)
        if whom is None:  # it was set to nowhere meanwhile
            self._queue.clear()
            return {}
        if not allowed(view):
            self._queue[0].due = later(now, LOOK_AGAIN)
            return {}
        self._calls += 1
        self._port = PortId(f"push#{self._calls}")
        self._said, self._by_hdlc = False, whom.kind is PortKind.HDLC
        self._queue[0].tries += 1
        self._deadline = later(line_now, PATIENCE)
        return {self._port: whom}

    def say(self, view: View, line_now: Instant) -> Pushed:
        """Note that the message goes out now, and return the record with its number."""
        self._said = True
        self._deadline = later(line_now, PATIENCE)
        return replace(view.state.pushed, number=(view.state.pushed.number + 1) % _NUMBERS)

    def end(self, outcome: Outcome, view: View, now: Instant) -> Pushed:
        """End the try that is under way; try again later if it failed and may be."""
        self._port, self._deadline, self._said = None, None, False
        waiting = self._queue.popleft()
        setup = view.state.push_setup
        if outcome not in (Outcome.SENT, Outcome.CONFIRMED) and waiting.tries <= setup.retries:
            waiting.due = later(now, _delay(setup, waiting.tries))
            self._queue.appendleft(waiting)
        pushed = view.state.pushed
        confirmed = view.clock if outcome is Outcome.CONFIRMED else pushed.confirmed
        return replace(
            pushed,
            outcome=outcome,
            cause=waiting.cause,
            tries=waiting.tries,
            time=view.clock,
            confirmed=confirmed,
        )

    def failure(self) -> Outcome:
        """Return what it means that the port is gone, or that the time is over."""
        return Outcome.NOT_CONFIRMED if self._said else Outcome.NOT_REACHED

    def overdue(self, line_now: Instant) -> bool:
        """Say whether what was waited for has not come in time."""
        return self._deadline is not None and line_now >= self._deadline

    def wake_at(self) -> Instant | None:
        """When the next push is due, by the board's time."""
        return self._queue[0].due if self._queue and self._port is None else None

    def line_wake_at(self) -> Instant | None:
        """When patience ends, by the line timer."""
        return self._deadline


def _delay(setup: PushSetup, tries: int) -> int:
    """Return the ms between a try that failed and the next: whole seconds of the exact product."""
    growth = tries - 1
    seconds: int = setup.delay * setup.exponent**growth // 100**growth
    return min(seconds, setup.longest) * 1000

"""Pushing: what has happened since the last tick goes to whom the push setup names.

A push never holds anything up: what happened joins a short queue, and one after the other is
tried, each on a port of its own that the board opens by calling.

    IDLE --due--> CALLING --opened--> SAID --confirmed, or nothing to wait for--> IDLE
      ^             |                  |
      |             |--- failed -------|--> IDLE, due again after the repetition delay,
      |                                      as often as there are retries

At the local HDLC port nobody is called: what is said there is opened and said at once.

| of a message | is of the moment |
|---|---|
| values, and with them the clock and the last events | at which it happened, or was asked for |
| number and time | at which it is said for the first time |
| invocation counter | at which it is said, each time |

Of what happens at once, each thing is pushed for itself, in the order of the events, and each push
has the event that it is for as the last of the log: of a day's charges, low credit, used up, cut.

So a push says what it is for, however long nobody takes the call: the cover that was opened, though
it is closed again. What is not confirmed is said again as it was, and known by number and time; its
invocation counter was never used. (gurux-dlms and pydlms-client read the long-invoke-id as the
number of a message; neither repeats one, nor looks for repetitions.)

Delays and windows are told by the board's time and the meter's clock; how long to wait for an
answer, by the line timer. The queue lives in memory: a push that a power cut overtakes is lost,
its cause is not.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from operator import itemgetter
from typing import Final, Protocol

from meter_fw import server
from meter_fw.board import Dial, Inputs, PortId, PortKind
from meter_fw.events import Code
from meter_fw.line_state import Pushed, PushSetup
from meter_fw.lines import Line
from meter_fw.push_setup import allowed, dial, listed
from meter_fw.server import Objects
from meter_fw.state import Condition, LoggedEvent, MeterState
from meter_fw.switchboard import Switchboard
from meter_fw.view import Caller, Role, View
from obis import catalogue
from obis.values import replace
from prepay.credit import CreditStatus
from protocol.axdr import Data, null, structure
from protocol.codes import ActionResult
from protocol.cosem.push_setup import PUSH_SETUP, PushOperationMethod
from protocol.errors import ProtocolError
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
    CLOCK = 13  # it does not know the time
    MEMORY = 14  # it had an error
    LOCKED = 15  # a port, after failed attempts
    KEYS = 16  # were changed


#: The events of the standard log that tell of a cause.
_CODES: Final[Mapping[Cause, tuple[Code, ...]]] = {
    Cause.LOW_CREDIT: (Code.LOW_CREDIT,),
    Cause.ACTIVATED: (Code.OPENED,),
    Cause.CLOSED: (Code.CLOSED,),
    Cause.EMERGENCY: (Code.EMERGENCY_IN_USE, Code.EMERGENCY_USED_UP),
    Cause.USED_UP: (Code.USED_UP,),
    Cause.MINIMUM_SUPPLY: (Code.MINIMUM_SUPPLY, Code.MINIMUM_SUPPLY_ENDED),
    Cause.RECURRENT_DEFAULTER: (Code.RECURRENT_DEFAULTER,),
    Cause.CALENDAR: (Code.CALENDAR_ENDING,),
    Cause.COVER: (Code.COVER_OPENED,),
    Cause.CLOCK: (Code.CLOCK_INVALID,),
    Cause.MEMORY: (Code.MEMORY_ERROR,),
    Cause.LOCKED: (Code.PORT_LOCKED,),
    Cause.KEYS: (Code.KEYS_CHANGED,),
}
#: Those of which nothing but the log tells.
_BY_EVENT: Final = (Cause.CLOCK, Cause.MEMORY, Cause.LOCKED, Cause.KEYS)
#: Beyond every number of an event.
_LAST: Final = 1 << 32


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
    body: Data
    tries: int = 0
    #: what was said of it, and nobody has confirmed
    said: DataNotification | None = None


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
    codes = {row.code for row in _new(before, after)}
    return found + [cause for cause in _BY_EVENT if codes.intersection(_CODES[cause])]


def _new(before: MeterState, after: MeterState) -> list[LoggedEvent]:
    """Return the events of the standard log that came between two states."""
    if after.events is before.events:
        return []
    known = before.events[-1].number if before.events else -1
    return [row for row in after.events if row.number > known]


def happened(before: MeterState, after: MeterState) -> list[tuple[Cause, MeterState]]:
    """Return the same with the state that each is told of, in the order of the events.

    It is ``after``, with the standard log as it was when the event of that cause was its last; what
    has no event there comes last, with the whole log.
    """
    new, found = _new(before, after), []
    for cause in causes(before, after):
        codes = _CODES.get(cause, ())
        last = max((row.number for row in new if row.code in codes), default=None)
        rows = tuple(row for row in after.events if last is None or row.number <= last)
        state = after if last is None else after.but(events=rows)
        found.append((_LAST if last is None else last, cause, state))
    return [(cause, state) for _, cause, state in sorted(found, key=itemgetter(0))]


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


def body(objects: Objects, view: View) -> Data:
    """Return what is to be said: the values of the push object list, as the reader sees them."""
    reader = replace(view, caller=Caller(Role.READER, view.state.push_setup.client))
    return structure(*(_value(objects, reader, ref) for ref in listed(view)))


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


class Keeper(Protocol):
    """What pushing needs of the kernel."""

    @property
    def view(self) -> View:
        """The meter at this moment."""
        ...

    def keep_pushed(self, pushed: Pushed, *, at_once: bool) -> None:
        """Take over the record of pushes; ``at_once`` it is made durable now."""
        ...


class Pusher:
    """The queue, and the push that is under way.

    Args:
        entropy: for the delay by which meters do not all push at once.
        objects: of the logical device that pushes.
        ports: where it is said.
        keeper: keeps the record.
    """

    def __init__(
        self,
        entropy: Callable[[int], bytes],
        objects: Objects,
        ports: Switchboard,
        keeper: Keeper,
    ) -> None:
        self._entropy = entropy
        self._objects = objects
        self._ports = ports
        self._keeper = keeper
        self._queue: deque[_Waiting] = deque()
        self._port: PortId | None = None
        self._said = False
        self._by_hdlc = False  # at the local HDLC port, for which nobody is called
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

    def ask(self, cause: Cause, state: MeterState | None = None) -> None:
        """Let something be pushed soon.

        Args:
            cause: why.
            state: that is told of; the present one unless given.
        """
        view = self._keeper.view
        if dial(view) is None:
            return
        pushed = view.state.pushed
        if len(self._queue) >= QUEUE:
            dropped = replace(pushed, dropped=pushed.dropped + 1)
            self._keeper.keep_pushed(dropped, at_once=False)
            return
        spread = view.state.push_setup.randomisation * 1000
        delay = int.from_bytes(self._entropy(4), "big") % (spread + 1) if spread else 0
        said = body(self._objects, view if state is None else view.with_state(state))
        self._queue.append(_Waiting(cause, later(view.board, delay), said))

    def confirmed(self, number: int) -> None:
        """Hear that a client has the push of that number."""
        if self._said and number == self._keeper.view.state.pushed.number:
            self._end(Outcome.CONFIRMED)

    def go_on(self, inputs: Inputs, line_now: Instant) -> None:
        """Bring the push that is under way further, or begin the next."""
        if self.idle:
            return
        lines = self._ports.lines
        if self._port in inputs.opened and self._port in lines:
            self._say([lines[self._port]], line_now)
        elif self._port in inputs.closed or self._overdue(line_now):
            self._end(Outcome.NOT_CONFIRMED if self._said else Outcome.NOT_REACHED)
        calls = self._call(line_now)
        if not (calls and self._by_hdlc):
            self._ports.call(calls)
        elif here := [line for line in lines.values() if line.is_hdlc]:
            self._say(here, line_now)
        else:
            self._end(Outcome.NOT_REACHED)

    def _overdue(self, line_now: Instant) -> bool:
        return self._deadline is not None and line_now >= self._deadline

    def _call(self, line_now: Instant) -> dict[PortId, Dial]:
        """Return whom the board has to call now, if anybody."""
        view = self._keeper.view
        if self._port is not None or not self._queue or self._queue[0].due > view.board:
            return {}
        whom = dial(view)
        if whom is None:  # it was set to nowhere meanwhile
            self._queue.clear()
            return {}
        if not allowed(view):
            self._queue[0].due = later(view.board, LOOK_AGAIN)
            return {}
        self._calls += 1
        self._port = PortId(f"push#{self._calls}")
        self._said, self._by_hdlc = False, whom.kind is PortKind.HDLC
        self._queue[0].tries += 1
        self._deadline = later(line_now, PATIENCE)
        return {self._port: whom}

    def _say(self, lines: list[Line], line_now: Instant) -> None:
        """Send a message: what was said before, or a new one."""
        self._said = True
        self._deadline = later(line_now, PATIENCE)
        waiting = self._queue[0]
        said = waiting.said = waiting.said or self._message(waiting.body)
        client = self._keeper.view.state.push_setup.client
        try:
            for line in lines:
                line.notify(client, said, line_now)
        except ProtocolError:
            self._end(Outcome.NOT_SAID)
        else:
            if not said.invoke.confirmed:
                self._end(Outcome.SENT)

    def _message(self, values: Data) -> DataNotification:
        """Return a message, numbered durably before it is sent: no two have the same number."""
        view = self._keeper.view
        pushed, setup = view.state.pushed, view.state.push_setup
        number = (pushed.number + 1) % _NUMBERS
        self._keeper.keep_pushed(replace(pushed, number=number), at_once=True)
        confirmed = setup.method == PushOperationMethod.CONFIRMED
        invoke = LongInvokeId(number, confirmed=confirmed)
        return DataNotification(values, invoke, view.stamp(view.clock))

    def _end(self, outcome: Outcome) -> None:
        """End the try that is under way; try again later if it failed and may be."""
        if self._port is not None and not self._by_hdlc:
            self._ports.give_up(self._port)
        view, waiting = self._keeper.view, self._queue.popleft()
        self._port, self._deadline, self._said = None, None, False
        setup, pushed = view.state.push_setup, view.state.pushed
        if outcome not in (Outcome.SENT, Outcome.CONFIRMED) and waiting.tries <= setup.retries:
            waiting.due = later(view.board, _delay(setup, waiting.tries))
            self._queue.appendleft(waiting)
        confirmed = view.clock if outcome is Outcome.CONFIRMED else pushed.confirmed
        ended = replace(
            pushed,
            outcome=outcome,
            cause=waiting.cause,
            tries=waiting.tries,
            time=view.clock,
            confirmed=confirmed,
        )
        self._keeper.keep_pushed(ended, at_once=True)

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

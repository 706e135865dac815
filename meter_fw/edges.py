"""When a rule may decide otherwise although nothing came in: the kernel wakes for the first.

Each rule knows its own moments; here they are asked one after the other. Between two edges a tick
that brings nothing new has nothing to decide, which is why most ticks of a year are cheap.
"""

from typing import Final

from meter_fw import consumer_message, limiter, money
from meter_fw.supply import Windows
from meter_fw.view import View
from protocol.timing import Instant

#: Energy is committed at the edges of this many ms of the meter's clock.
CAPTURE_PERIOD: Final = 15 * 60 * 1000


def next_edge(view: View, windows: Windows, watch: limiter.Watch) -> Instant:
    """Return the first edge after the moment of ``view``, by the board's time.

    Args:
        view: the meter, which the rules have left as it was.
        windows: the friendly ones.
        watch: where the limiter stands.
    """
    clock, state = view.clock, view.state
    edge = clock - clock % CAPTURE_PERIOD + CAPTURE_PERIOD
    window = windows.next_edge(clock, state)
    if window is not None and window < edge:
        edge = window
    brought = money.next_edge(state)
    if brought is not None and clock < brought < edge:
        edge = brought
    armed = state.armed
    if armed.armed and clock < armed.expiry < edge:
        edge = armed.expiry
    due = Instant(edge - state.clock.offset)
    limits = limiter.deadlines(view, watch)
    turn = consumer_message.deadline(view)
    return min(due, *limits, *turn) if limits or turn else due

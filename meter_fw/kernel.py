"""The kernel: inputs and time go in, outputs and the next wake-up come out.

It is the only writer of state. A tick goes: energy, calendar, buttons, rules; then the lines, one
request after the other, each committed before its reply; then display and wake-ups. The rules of
supply are applied to every new state before it is committed, so that a payment and the relay move
that it causes are one record.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from meter_fw import (
    consumer_message,
    credits,
    disconnect,
    display,
    events,
    gateway,
    lifecycle,
    limiter,
    metrology,
    money,
    port_protection,
    push,
    readout,
    server,
    supply,
)
from meter_fw.board import (
    Button,
    Coil,
    Dial,
    Flash,
    Inputs,
    Lcd,
    Outputs,
    Phase,
    PortId,
    PortKind,
)
from meter_fw.catalogue import model
from meter_fw.cells import changes, restore
from meter_fw.contact import Feedback
from meter_fw.factory import Factory
from meter_fw.lines import Line, Security
from meter_fw.nvram import CommitTooLarge, Finding, FlashFailure, Journal, StateTooLarge
from meter_fw.policies import Policies
from meter_fw.port_protection import Port
from meter_fw.push import Pusher
from meter_fw.sap import MANAGEMENT_DEVICE
from meter_fw.short_names import ShortNames
from meter_fw.state import Clock, Counters, MeterState, Pushed, Received
from meter_fw.view import Caller, View
from obis.values import replace
from protocol.cosem.communication_port_protection import ProtectionStatus
from protocol.cosem.disconnect_control import ControlState
from protocol.errors import CountersExhausted, ProtocolError
from protocol.events import Request, Response
from protocol.iec21 import DataSet
from protocol.security import MAX_COUNTER, ReplayGuard, SharedBook
from protocol.timing import Instant, earliest

#: How many ports may be open at once; more are closed as soon as they open. A board bounds its
#: network ports by itself, and knows there who has been silent; this is above what those add up to.
MAX_PORTS: Final = 48
#: Energy is committed at the edges of this many ms of the meter's clock.
CAPTURE_PERIOD: Final = 15 * 60 * 1000
#: Invocation counters are reserved in flash this many at a time.
COUNTER_BLOCK: Final = 1000
#: Cells that may wait for the next commit: energy with its charge, counters received, and events
#: of which nothing else has changed.
VOLATILE: Final = frozenset(
    {
        "energy",
        "registers",
        "totals",
        "charges",
        "counters",
        "received",
        "events",
        "relay_events",
    }
)


class Kernel:
    """One meter.

    Args:
        flash: its memory; mounted here, a new one is formatted.
        factory: what was fixed when it was made.
        entropy: gives that many random octets; used for challenges only.
        now: the board's time at boot.
    """

    def __init__(
        self, flash: Flash, factory: Factory, entropy: Callable[[int], bytes], now: Instant
    ) -> None:
        self._factory = factory
        self._entropy = entropy
        self._model = model(factory)
        self._objects = self._model.devices[MANAGEMENT_DEVICE]
        self._pusher = Pusher(entropy)
        self._dial: dict[PortId, Dial] = {}
        self._given_up: set[PortId] = set()
        self._journal = Journal(flash)
        mounted = self._journal.mount()
        #: what mounting found: new, whole, older than it should be, or lost
        self.finding = mounted.finding
        self._committed = restore(mounted.cells)
        self._state = self._committed
        if mounted.finding is Finding.LOST:  # with the offset the time of day is lost as well
            self._state = replace(self._state, clock=Clock(known=False))
        self._now = now
        self._state = money.mounted(factory, self._state, self._clock(now))
        self._power = 0
        self._page = 0
        self._contact: bool | None = None
        self._exported_power = 0
        self._phases: tuple[Phase, ...] = ()
        self._failing = self._worn = False
        self._feedback = Feedback()
        self._watch = limiter.Watch.of(self._state)
        # what the rules have left as it was, and the moment before which they say the same of it
        self._judged: MeterState | None = None
        self._edge: Instant | None = None
        self._seen: View | None = None
        self._made = View(factory, self._state, 0, entropy=entropy)
        self._coil: Coil | None = None
        self._next_counter = _first_counter(mounted.finding, self._state.counters.reserved, now)
        self._lines: dict[PortId, Line] = {}
        self._guard = ReplayGuard(self._state.counters.received)
        self._broadcast_guard = ReplayGuard(self._state.received.broadcast)
        book = SharedBook(self._guard, self._broadcast_guard)
        policies = Policies(factory, entropy)
        self._security = Security(self, book, lambda: self._state, policies)
        self._windows = supply.Windows(factory)
        self._state = events.powered(self.view, mounted.finding)
        self._steer()

    # --- what may be looked at -----------------------------------------------------------------

    @property
    def state(self) -> MeterState:
        """The present state, energy included that is not committed yet."""
        return self._state

    @property
    def view(self) -> View:
        """The meter at this moment, as its own rules see it.

        Between two ticks it follows from the state alone, so it is the same object as long as
        that is: all else that it shows comes in with a tick, which begins anew.
        """
        seen, state = self._seen, self._state
        if seen is None or seen.state is not state:
            same = seen is not None and _same_moment(seen.state, state)
            seen = seen.with_state(state) if seen is not None and same else self._view(None)
            self._seen = seen
        return seen

    def display(self) -> tuple[Lcd, ...]:
        """Return every page of the display, as it would show at this moment."""
        return display.pages(self.view)

    # --- the tick ------------------------------------------------------------------------------

    def tick(self, now: Instant, inputs: Inputs) -> Outputs:
        """Take what happened until ``now`` and say what the board has to do.

        Args:
            now: the board's true time, not before that of the last tick.
            inputs: what happened since.
        """
        self._seen = None
        line_now = now if inputs.line_now is None else inputs.line_now
        quiet = self._is_quiet(now, inputs)
        before = self._clock(self._now)
        self._now, self._power = max(now, self._now), inputs.power
        self._contact = inputs.contact_closed
        self._exported_power, self._phases = inputs.exported_power, inputs.phases
        if not quiet:
            self._meter(inputs, before)
        if inputs.buttons:
            self._press(inputs.buttons)
        for text in inputs.keyed:
            self._key_in(text)
        self._serve(inputs, line_now)
        if inputs.buttons and Button.DISPLAY in inputs.buttons:
            for line in self._lines.values():
                line.push(self.readout(None), line_now)
        self._push_on(inputs, line_now)
        self._follow()
        return self._outputs()

    def _is_quiet(self, now: Instant, inputs: Inputs) -> bool:
        """Whether the rules have nothing to say, as where only a line has news.

        They have left this very state as it was, nothing that they look at has come in since, and
        no moment has come at which they decide otherwise.
        """
        return (
            self._edge is not None
            and now < self._edge
            and self._state is self._judged
            and not (inputs.pulses or inputs.exported)
            and inputs.power == self._power
            and inputs.contact_closed is self._contact
            and inputs.tamper is self._state.condition.opened
            and not (inputs.failing or self._failing or self._worn)
            and inputs.exported_power == self._exported_power
            and inputs.phases == self._phases
            and self._watch.state in (limiter.State.IDLE, limiter.State.WATCHING)
            and not self._factory.in_force.waits
        )

    def _meter(self, inputs: Inputs, before: int) -> None:
        """Energy until now, the day's start if one began, and what the rules say to that."""
        found = self._state
        self._state = metered = money.consume(self.view, inputs.pulses, inputs.exported)
        self._by_the_clock()
        self._state = metrology.capture_day(self.view)
        self._feel(inputs)
        self._apply()
        due = self._clock(self._now) // CAPTURE_PERIOD != before // CAPTURE_PERIOD
        self._commit(otherwise=metered, all_of_it=due or inputs.failing)
        self._judged = found if self._state is found else None

    def _by_the_clock(self) -> None:
        """Prices that take over, periods that begin, a plan whose moment has come."""
        self._state = money.by_the_clock(self.view)
        self._state = lifecycle.carry_out(self.view)

    def _apply(self) -> None:
        """The rules of supply, and then the limiter's, which may move the relay too."""
        self._edge = None
        self._state = supply.apply(self.view)
        view = self.view
        self._watch = limiter.watch(self._watch, view)
        kept = limiter.keep(view, self._watch)
        if kept is not self._state:
            self._state = kept
            self._state = supply.apply(self.view)

    def _feel(self, inputs: Inputs) -> None:
        """What the board tells beside energy: a cover that is opened, a supply that fails."""
        if inputs.tamper is not self._state.condition.opened:
            self._state = disconnect.cover(self.view, opened=inputs.tamper)
        if inputs.failing and not self._failing:
            self._state = events.note(self.view, events.Code.POWER_DOWN)
        self._failing = inputs.failing

    def _follow(self) -> None:
        """See whether the contact has followed the coil; pulse the coil again where it has not."""
        wanted = self._state.relay.control is ControlState.CONNECTED
        before, now = self._feedback, self._now
        self._feedback = after = before.follow(wanted, self._contact, now)
        if after.since is not None and before.due(now):
            self._steer()
        state = self._state
        mismatch = after.since is not None and (state.condition.mismatch or after.stuck(now))
        if mismatch is not state.condition.mismatch:
            self._state = state.but(condition=replace(state.condition, mismatch=mismatch))
            self._commit(otherwise=state)

    def _press(self, buttons: frozenset[Button]) -> None:
        if Button.DISPLAY in buttons:
            self._page += 1
        if Button.SELECT in buttons:
            before = self._state
            self._state = credits.press_select(self.view)
            self._apply()
            self._state = disconnect.press_select(self.view)
            self._commit(otherwise=before)

    def _key_in(self, text: str) -> None:
        """Take a token that somebody has typed; like one that comes over the line."""
        before = self._state
        self._state = gateway.key_in(self.view, text)
        self._apply()
        self._commit(otherwise=before, all_of_it=True)

    def _serve(self, inputs: Inputs, line_now: Instant) -> None:
        if not (self._lines or inputs.opened):  # as at most of a year's ticks
            return
        for port, kind in inputs.opened.items():
            self.open_port(port, kind)
            self._lines[port].receive(b"", line_now, self)  # from now on silence is counted
        for port, octets in inputs.rx.items():
            if port in self._lines:
                self._lines[port].receive(octets, line_now, self)
        for port in inputs.closed:
            if self._lines.pop(port, None):
                self.counted()
        for line in self._lines.values():
            due = line.wake_at()
            if due is not None and due <= line_now:
                line.receive(b"", line_now, self)

    def open_port(self, port: PortId, kind: PortKind) -> None:
        """Begin to listen on a port; beyond ``MAX_PORTS`` the port is hung up again."""
        line = Line(kind, self._factory, self._security, self._entropy)
        if len(self._lines) >= MAX_PORTS and port != self._pusher.port:
            line.hang_up()
        self._lines[port] = line

    def counted(self) -> None:
        """Make durable which invocation counters the management client has used.

        Called when an association begins and when it ends. A flash that does not take it keeps
        nobody out: what a replayed AARQ meets after a restart is a new challenge.
        """
        self._note_counter()
        if self._state.counters is self._committed.counters and (
            self._state.received is self._committed.received
        ):
            return
        self._commit(otherwise=self._state, all_of_it=True)

    def next(self) -> int:
        """Return an invocation counter of ours, reserved in flash before it is used.

        Raises:
            CountersExhausted: 32 bits are used up, or the flash takes no reservation.
        """
        before, counters = self._state, self._state.counters
        if self._next_counter >= counters.reserved:
            if self._next_counter >= MAX_COUNTER:
                raise CountersExhausted("the global unicast key has no counter left")
            reserved = min(self._next_counter + COUNTER_BLOCK, MAX_COUNTER)
            self._state = replace(self._state, counters=replace(counters, reserved=reserved))
            if not self._commit(otherwise=before, all_of_it=True):
                raise CountersExhausted("the flash takes no reservation of counters")
        counter = self._next_counter
        self._next_counter += 1
        return counter

    def answer(self, caller: Caller, request: Request) -> Response:
        """Execute a request, commit what it changed, and only then give the reply away.

        What the flash does not take has not happened: the answer is hardware-fault.
        """
        self._note_counter()
        view = self._view(caller)
        space = self._model.spaces[caller.logical]
        objects = space.objects if caller.by_short_names else self._model.devices[caller.logical]
        answered = server.answer(objects, view, request)
        if answered.state is not view.state:
            self._state = answered.state
            if self._state.clock is not view.state.clock:
                self._state = money.clock_moved(view, self.view)
            self._by_the_clock()
            self._state = metrology.capture_day(self.view)  # its clock may have been set
            self._apply()
            if not self._commit(otherwise=view.state, all_of_it=True):
                return server.hardware_fault(request)
            self._guard_new_keys(view.state)
        if push.is_asked(request, answered.response):
            self._ask_push(push.Cause.ASKED)
        return answered.response

    def locked(self, port: Port, *, by_key: bool) -> bool:
        """Whether a port is locked, because somebody has guessed there too often.

        That keeps nobody out who proves to have a key: else whoever can reach the port could
        shut the head-end out for good, at the price of one false attempt in a while.
        """
        one = port_protection.protection(self._state, port)
        status = port_protection.status(one, self._now)
        if by_key:
            return status is ProtectionStatus.LOCKED
        return status is not ProtectionStatus.UNLOCKED

    def attempted(self, port: Port, *, good: bool) -> None:
        """Count an attempt to get in at a port, and make that durable.

        While a port is locked nothing is counted: flash would wear by what strangers say, and a
        head-end that comes with its key would open the port to who is guessing there.
        """
        before = self._state
        one = port_protection.protection(before, port)
        locked = port_protection.status(one, self._now) is not ProtectionStatus.UNLOCKED
        if locked or (good and not one.failed):
            return
        counted = port_protection.succeeded(one) if good else port_protection.failed(one, self._now)
        self._state = port_protection.with_protection(before, counted)
        self._commit(otherwise=self._state)  # a worn flash shall not open the door

    def space(self, logical: int) -> ShortNames:
        """Return what lies where in a logical device that is spoken to by short names."""
        return self._model.spaces[logical]

    # --- pushing -------------------------------------------------------------------------------

    def confirmed(self, number: int) -> None:
        """Hear that a client has the push of that number."""
        if self._pusher.waits and number == self._state.pushed.number:
            self._pushed(push.Outcome.CONFIRMED)

    def _ask_push(self, cause: push.Cause) -> None:
        pushed = self._pusher.ask(cause, self.view, self._now)
        if pushed is not self._state.pushed:
            self._state = replace(self._state, pushed=pushed)

    def _push_on(self, inputs: Inputs, line_now: Instant) -> None:
        """Bring the push that is under way further, or begin the next."""
        pusher = self._pusher
        if pusher.idle:
            return
        if pusher.port in inputs.opened and pusher.port in self._lines:
            self._say([self._lines[pusher.port]], line_now)
        elif pusher.port in inputs.closed or pusher.overdue(line_now):
            self._pushed(pusher.failure())
        calls = pusher.call(self.view, self._now, line_now)
        if not (calls and pusher.by_hdlc):
            self._dial = calls
        elif here := [line for line in self._lines.values() if line.is_hdlc]:
            self._say(here, line_now)
        else:
            self._pushed(push.Outcome.NOT_REACHED)

    def _say(self, lines: list[Line], line_now: Instant) -> None:
        """Number the message durably, then send it: no two pushes have the same number."""
        self._record(self._pusher.say(self.view, line_now))
        message = push.message(self._objects, self.view)
        try:
            for line in lines:
                line.notify(self._state.push_setup.client, message, line_now)
        except ProtocolError:
            self._pushed(push.Outcome.NOT_SAID)
        else:
            if not message.invoke.confirmed:
                self._pushed(push.Outcome.SENT)

    def _pushed(self, outcome: push.Outcome) -> None:
        port = None if self._pusher.by_hdlc else self._pusher.port
        if port in self._lines:
            self._lines[port].hang_up()
        elif port is not None:
            self._given_up.add(port)
        self._record(self._pusher.end(outcome, self.view, self._now))

    def _record(self, pushed: Pushed) -> None:
        self._state = replace(self._state, pushed=pushed)
        self._commit(otherwise=self._state)

    def readout(self, address: str | None) -> tuple[DataSet, ...]:
        """Return what the local port reads out: all of it, or one register."""
        return readout.data_sets(self.view, address)

    def _outputs(self) -> Outputs:
        coil, self._coil = self._coil, None
        view = self.view
        show = partial(display.page, view, self._page)
        if not (self._lines or self._dial or self._given_up):  # as at most of a year's ticks
            line_wake_at = self._pusher.line_wake_at()
            return Outputs(show, self._wake_at(view), coil=coil, line_wake_at=line_wake_at)
        tx: dict[PortId, bytes] = {}
        baud: dict[PortId, int] = {}
        close = set()
        line_wake_at = self._pusher.line_wake_at()
        for port, line in self._lines.items():
            if octets := line.outgoing():
                tx[port] = octets
            if rate := line.baud():
                baud[port] = rate
            if line.hung_up:
                close.add(port)
            else:
                line_wake_at = earliest(line_wake_at, line.wake_at())
        for port in close:
            del self._lines[port]
        dial, self._dial = self._dial, {}
        given_up, self._given_up = self._given_up, set()
        return Outputs(
            show=show,
            wake_at=self._wake_at(view),
            tx=tx,
            baud=baud,
            close=frozenset(close | given_up),
            dial=dial,
            coil=coil,
            line_wake_at=line_wake_at,
        )

    # --- time ----------------------------------------------------------------------------------

    def _clock(self, now: Instant) -> int:
        return now + self._state.clock.offset

    def _view(self, caller: Caller | None) -> View:
        clock = self._clock(self._now)
        return self._made.at_moment(
            self._state,
            clock,
            self._windows.cover(clock, self._state),
            self._power,
            caller,
            self._now,
            self._contact,
            self._exported_power,
            self._phases,
        )

    def _wake_at(self, view: View) -> Instant:
        """The next moment at which something may have to be done although nothing came in."""
        edge = self._edge
        if edge is None or self._state is not self._judged:
            self._edge = edge = self._next_edge(view)
        push_at, pulse_at = self._pusher.wake_at(), self._feedback.wake_at()
        if push_at is None and pulse_at is None:  # as at most of a year's ticks
            return edge
        return earliest(edge, push_at, pulse_at) or edge

    def _next_edge(self, view: View) -> Instant:
        """The next moment at which a rule may decide otherwise although nothing came in."""
        clock, state = view.clock, view.state
        edge = clock - clock % CAPTURE_PERIOD + CAPTURE_PERIOD
        window = self._windows.next_edge(clock, state)
        if window is not None and window < edge:
            edge = window
        brought = money.next_edge(state)
        if brought is not None and clock < brought < edge:
            edge = brought
        armed = state.armed
        if armed.armed and clock < armed.expiry < edge:
            edge = armed.expiry
        due = Instant(edge - state.clock.offset)
        limits = limiter.deadlines(view, self._watch)
        turn = consumer_message.deadline(view)
        return min(due, *limits, *turn) if limits or turn else due

    # --- state ---------------------------------------------------------------------------------

    def _commit(self, *, otherwise: MeterState, all_of_it: bool = False) -> bool:
        """Make the state durable; where only ``VOLATILE`` fields differ, that may wait.

        Args:
            otherwise: the state to go on with where the flash does not take this one: worn out,
                it ends neither the metering nor the lines, and what it cannot keep is not done.
            all_of_it: do not wait.

        Returns:
            False: the flash did not take it.
        """
        touched = self._state.touched(self._committed)
        urgent = not VOLATILE.issuperset(touched)
        if not (touched and (urgent or all_of_it)):
            return True
        if urgent:  # energy and its charge are no event
            recorded = events.record(self._committed, self.view)
            if recorded is not self._state:
                self._state, touched = recorded, recorded.touched(self._committed)
        changed = changes(self._committed, self._state, touched)
        try:
            if changed:
                self._journal.commit(changed)
        except (FlashFailure, StateTooLarge, CommitTooLarge):  # the last two: by long tables
            self._state = otherwise
            if not self._worn:  # told while the meter has power: to keep it there is no room
                self._worn = True
                self._state = events.note(self.view, events.Code.MEMORY_ERROR, -1)
            return False
        moved = self._committed.relay.control is not self._state.relay.control
        causes = push.causes(self._committed, self._state) if urgent else ()
        self._committed = self._state
        if moved:
            self._steer()
        for cause in causes:
            self._ask_push(cause)
        return True

    def _steer(self) -> None:
        """Pulse the coil to where the committed state has the relay."""
        closed = self._state.relay.control is ControlState.CONNECTED
        self._coil = Coil.CLOSE if closed else Coil.OPEN

    def _note_counter(self) -> None:
        """Take over the last invocation counter that was accepted from the management client."""
        state = self._state
        counters, received = state.counters, state.received
        last, broadcast = self._guard.last, self._broadcast_guard.last
        if counters.received == last and received.broadcast == broadcast:
            return
        if counters.received != last:
            counters = Counters(counters.reserved, last)
        if received.broadcast != broadcast:
            received = Received(broadcast)
        self._state = state.but(counters=counters, received=received)
        if self._judged is state:  # no rule looks at counters
            self._judged = self._state

    def _guard_new_keys(self, before: MeterState) -> None:
        """Count anew under a key that has just changed; the associations that stand go on."""
        state = self._state
        if state.unicast_key != before.unicast_key:
            self._guard = ReplayGuard(state.counters.received)
        if state.broadcast_key != before.broadcast_key:
            self._broadcast_guard = ReplayGuard(state.received.broadcast)
        if (state.unicast_key, state.broadcast_key) != (before.unicast_key, before.broadcast_key):
            self._security.guard = SharedBook(self._guard, self._broadcast_guard)


def _same_moment(before: MeterState, after: MeterState) -> bool:
    """Say whether clock and calendar are the same, so that a view differs in its state alone."""
    return (
        after.clock is before.clock
        and after.calendar is before.calendar
        and after.schedule is before.schedule
        and after.special_days is before.special_days
    )


def _first_counter(finding: Finding, reserved: int, now: Instant) -> int:
    """Return an invocation counter above all that may have been used, whatever flash has lost.

    A damaged last commit may have been a reservation. Of a state that is lost or older nobody
    knows what came after it: there the seconds since 1970 begin, which no meter's counter, at
    less than one a second, has reached.
    """
    if finding is Finding.INTERRUPTED:
        return min(reserved + COUNTER_BLOCK, MAX_COUNTER)
    if finding in (Finding.ROLLED_BACK, Finding.LOST):
        return max(reserved, now // 1000)
    return reserved

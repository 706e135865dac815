"""The kernel: inputs and time go in, outputs and the next wake-up come out.

It is the only writer of state. A tick goes: energy, calendar, buttons, rules; then the lines, one
request after the other, each committed before its reply; then display and wake-ups. The rules of
supply are applied to every new state before it is committed, so that a payment and the relay move
that it causes are one record.
"""

from collections.abc import Callable
from functools import partial

from meter_fw import (
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
from meter_fw.board import Button, Coil, Flash, Inputs, Lcd, Outputs, Phase
from meter_fw.catalogue import model
from meter_fw.contact import Feedback
from meter_fw.counting import Counting
from meter_fw.edges import CAPTURE_PERIOD, next_edge
from meter_fw.factory import Factory
from meter_fw.line_state import Pushed
from meter_fw.lines import Security
from meter_fw.memory import VOLATILE, Memory
from meter_fw.nvram import Finding
from meter_fw.policies import Policies
from meter_fw.port_protection import Port
from meter_fw.sap import MANAGEMENT_DEVICE
from meter_fw.short_names import ShortNames
from meter_fw.state import Clock, MeterState
from meter_fw.switchboard import Switchboard
from meter_fw.view import Caller, View
from obis.values import replace
from protocol.cosem.disconnect_control import ControlState
from protocol.errors import CountersExhausted
from protocol.events import Request, Response
from protocol.iec21 import DataSet
from protocol.timing import Instant, earliest


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
        self._model = model(factory)
        self._objects = self._model.devices[MANAGEMENT_DEVICE]
        self._memory = Memory(flash)
        self._state = self._memory.state
        if self.finding is Finding.LOST:  # with the offset the time of day is lost as well
            self._state = replace(self._state, clock=Clock(known=False))
        self._now = now
        self._state = money.mounted(factory, self._state, self._clock(now))
        self._power = self._exported_power = 0
        self._contact: bool | None = None
        self._phases: tuple[Phase, ...] = ()
        self._page = 0
        self._failing = self._worn = False
        self._feedback = Feedback()
        self._watch = limiter.Watch.of(self._state)
        # what the rules have left as it was, and the moment before which they say the same of it
        self._judged: MeterState | None = None
        self._edge: Instant | None = None
        self._seen: View | None = None
        self._made = View(factory, self._state, 0, entropy=entropy)
        self._coil: Coil | None = None
        self._counting = Counting(self._state, self.finding, now)
        policies = Policies(factory, entropy)
        self._security = Security(self, self._counting.book(), lambda: self._state, policies)
        self._ports = Switchboard(factory, self._security, entropy)
        self._pusher = push.Pusher(entropy, self._objects, self._ports, self)
        self._windows = supply.Windows(factory)
        self._state = events.powered(self.view, self.finding)
        self._steer()

    # --- what may be looked at -----------------------------------------------------------------

    @property
    def finding(self) -> Finding:
        """What mounting the flash found: a state that is new, whole, older than it was, or lost."""
        return self._memory.finding

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
            same = seen is not None and seen.is_moment_of(state)
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
        self._now, self._contact = max(now, self._now), inputs.contact_closed
        self._power, self._exported_power = inputs.power, inputs.exported_power
        self._phases = inputs.phases
        if not quiet:
            self._meter(inputs, before)
        if inputs.buttons:
            self._press(inputs.buttons)
        for text in inputs.keyed:
            self._key_in(text)
        if self._ports.lines or inputs.opened:  # as at few of a year's ticks
            self._ports.hear(inputs, line_now, self, self._pusher.port)
        if inputs.buttons and Button.DISPLAY in inputs.buttons:
            for line in self._ports.lines.values():
                line.push(self.readout(None), line_now)
        self._pusher.go_on(inputs, line_now)
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

    def counted(self) -> None:
        """Make durable which invocation counters the management client has used.

        Called when an association begins and when it ends. A flash that does not take it keeps
        nobody out: what a replayed AARQ meets after a restart is a new challenge.
        """
        self._note_counter()
        state, durable = self._state, self._memory.state
        if state.counters is not durable.counters or state.received is not durable.received:
            self._commit(otherwise=state, all_of_it=True)

    def next(self) -> int:
        """Return an invocation counter of ours, reserved in flash before it is used.

        Raises:
            CountersExhausted: 32 bits are used up, or the flash takes no reservation.
        """
        before = self._state
        self._state = self._counting.reserve(before)
        if self._state is not before and not self._commit(otherwise=before, all_of_it=True):
            raise CountersExhausted("the flash takes no reservation of counters")
        return self._counting.take()

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
            if self._counting.rekeyed(view.state, self._state):
                self._security.guard = self._counting.book()
        if push.is_asked(request, answered.response):
            self._pusher.ask(push.Cause.ASKED)
        return answered.response

    def locked(self, port: Port, *, by_key: bool) -> bool:
        """Whether nobody who needs a secret gets in at a port; or, ``by_key``, a key."""
        return port_protection.locked(self._state, port, self._now, by_key=by_key)

    def attempted(self, port: Port, *, good: bool) -> None:
        """Count an attempt to get in at a port, and make that durable."""
        counted = port_protection.attempted(self._state, port, self._now, good=good)
        if counted is not self._state:
            self._state = counted
            self._commit(otherwise=counted)  # a worn flash shall not open the door

    def space(self, logical: int) -> ShortNames:
        """Return what lies where in a logical device that is spoken to by short names."""
        return self._model.spaces[logical]

    def confirmed(self, number: int) -> None:
        """Hear that a client has the push of that number."""
        self._pusher.confirmed(number)

    def keep_pushed(self, pushed: Pushed, *, at_once: bool) -> None:
        """Take over the record of pushes; ``at_once`` it is made durable now."""
        self._state = state = self._state.but(pushed=pushed)
        if at_once:
            self._commit(otherwise=state)

    def readout(self, address: str | None) -> tuple[DataSet, ...]:
        """Return what the local port reads out: all of it, or one register."""
        return readout.data_sets(self.view, address)

    def _outputs(self) -> Outputs:
        coil, self._coil = self._coil, None
        view = self.view
        show = partial(display.page, view, self._page)
        wake_at, line_wake_at = self._wake_at(view), self._pusher.line_wake_at()
        if self._ports.silent:
            return Outputs(show, wake_at, coil=coil, line_wake_at=line_wake_at)
        said = self._ports.said()
        return Outputs(
            show,
            wake_at,
            tx=said.tx,
            baud=said.baud,
            close=said.close,
            dial=said.dial,
            coil=coil,
            line_wake_at=earliest(line_wake_at, said.line_wake_at),
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
            self._edge = edge = next_edge(view, self._windows, self._watch)
        push_at, pulse_at = self._pusher.wake_at(), self._feedback.wake_at()
        if push_at is None and pulse_at is None:  # as at most of a year's ticks
            return edge
        return earliest(edge, push_at, pulse_at) or edge

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
        before = self._memory.state
        touched = self._state.touched(before)
        urgent = not VOLATILE.issuperset(touched)
        if not (touched and (urgent or all_of_it)):
            return True
        if urgent:  # energy and its charge are no event
            recorded = events.record(before, self.view)
            if recorded is not self._state:
                self._state, touched = recorded, recorded.touched(before)
        if not self._memory.keep(self._state, touched):
            self._state = otherwise
            if not self._worn:  # told while the meter has power: to keep it there is no room
                self._worn = True
                self._state = events.note(self.view, events.Code.MEMORY_ERROR, -1)
            return False
        if before.relay.control is not self._state.relay.control:
            self._steer()
        for cause, state in push.happened(before, self._state) if urgent else ():
            self._pusher.ask(cause, state)
        return True

    def _steer(self) -> None:
        """Pulse the coil to where the committed state has the relay."""
        closed = self._state.relay.control is ControlState.CONNECTED
        self._coil = Coil.CLOSE if closed else Coil.OPEN

    def _note_counter(self) -> None:
        """Take over the last invocation counter that was accepted from the management client."""
        state = self._state
        self._state = noted = self._counting.noted(state)
        if self._judged is state:  # no rule looks at counters
            self._judged = noted

"""The event logs: what has happened to the meter, found by comparing two states, and kept in rings.

Nobody reports an event. Before a state is committed it is compared with the one committed before,
and what differs is written down in the same record, so that a log says neither more nor less than
what has happened. What has no trace in the state (power, a cover) is noted by the kernel.

Two logs, at their usual places, each with the objects that hold its last code, and how many
events there were:

| log | event code | event counter | keeps |
|---|---|---|---|
| 0-0:99.98.0 standard event log | 0-0:96.11.0 | 0-0:96.15.0 | what is not the relay's |
| 0-0:99.98.2 disconnect control log | 0-0:96.11.2 | 0-0:96.15.2 | relay, limiter, contact |

An event code stays until the next event. Two events of one code are told apart by the counter
beside it, which counts all that went into that log since manufacture: whoever is pushed both
knows what is new, and how much was not told. Public sources that have 0-0:96.15.e beside
0-0:96.11.e: the object list of EnergyICT's ``eict.ukhub.zigbee.gas.ObisCodeProvider`` (e = 0 to 3
and 6, with logs 0-0:99.98.e), the event logs of Italian gas meters as readers of them list their
columns, and the push of a simulator made with gurux (clock, 0-0:96.11.2, 0-0:96.15.2). Others count
other things there: French meters, by EnergyICT's ``G3RegisterMapper``, covers and breakers opened.

Codes below 200 are those of IDIS meters, as the public EnergyICT protocol classes read them from
two families of meters of different makers: ``dlms.idis.events.StandardEventLog`` with
``DisconnectorControlLog`` and the logs of AM540 and AM550, and ``dlms.as220.EventNumber``, which
has them up to 67. Both come from one house, so they are two uses and not two readings of a book.
Others use the same places with codes of their own: EDP's meters in Portugal, and those of India.
From 200 on they are ours; AM550 and AS220 have their makers' own there too. None of them says what
belongs to an event, so that is a column more here, which others leave aside.

Wear is bounded by what causes an event, since each is written with its cause. The one that
anybody can bring about by pulling a plug, *power up*, waits for the next commit.
"""

from collections.abc import Iterator
from enum import IntEnum
from operator import attrgetter, is_not
from typing import Any, Final, NamedTuple

from meter_fw.identity import data
from meter_fw.line_state import KEY_FIELDS
from meter_fw.nvram import Finding
from meter_fw.profile_generic import Column, profile_generic
from meter_fw.relay import OPERATORS, Cause, bits
from meter_fw.server import CosemObject
from meter_fw.state import (
    EVENTS_KEPT,
    RELAY_EVENTS_KEPT,
    LoggedEvent,
    MeterState,
    RelayEvent,
)
from meter_fw.transactions import balance, clamp, recall
from meter_fw.view import READERS, View
from obis import catalogue
from prepay.credit import CreditStatus
from prepay.transactions import Kind, Outcome
from protocol.cosem import vendor_shown
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem.types import DATE_TIME, DOUBLE_LONG, DOUBLE_LONG_UNSIGNED, ENUM, UNSIGNED


class Code(IntEnum):
    """What happened; behind it, what the value of its row is."""

    POWER_DOWN = 1
    POWER_UP = 2
    CLOCK_BEFORE = 4  # the clock was set; the row's time is the old one. By how many s
    CLOCK_SET = 5  # the row's time is the new one. By how many s
    CLOCK_INVALID = 6
    MEMORY_ERROR = 14  # 0 repaired, 1 rolled back, 2 lost, -1: the flash takes no more
    COVER_OPENED = 44
    COVER_CLOSED = 45
    PORT_LOCKED = 46  # which port: too many failed attempts
    KEYS_CHANGED = 48  # which, by the bits of KEYS
    LOW_CREDIT = 200  # the balance, minor units; also of the next four
    EMERGENCY_TAKEN = 201
    EMERGENCY_IN_USE = 202
    EMERGENCY_USED_UP = 203
    USED_UP = 204
    CUT = 205  # the balance
    MINIMUM_SUPPLY = 206  # began, in place of a cut; the balance
    MINIMUM_SUPPLY_ENDED = 207  # the balance
    RECURRENT_DEFAULTER = 208
    CUSTOMER_CHANGED = 209  # 1 protected, 2 never cut
    TOKEN_ENTERED = 210  # the amount
    TOKEN_REFUSED = 211  # the outcome
    OPENED = 212  # prepayment began; the balance
    CLOSED = 213  # and ended; the closing balance
    PLAN_MADE = 214  # the kind that was ordered
    PLAN_CARRIED_OUT = 215  # the kind that was ordered
    CALENDAR_ENDING = 216
    CALENDAR_CHANGED = 217
    PLAN_WITHDRAWN = 218  # the kind that was ordered


class RelayCode(IntEnum):
    """What happened to the relay."""

    READY_FOR_HAND = 59  # nothing holds it open any more but a hand on the button
    MANUAL_CONNECTION = 61
    REMOTE_DISCONNECTION = 62
    REMOTE_CONNECTION = 63
    LOCAL_DISCONNECTION = 64
    LIMIT_EXCEEDED = 65
    LIMIT_OK = 66
    LIMIT_CHANGED = 67
    CONTACT_FAILED = 68  # it does not follow the coil
    LOCAL_CONNECTION = 69
    CONTACT_FOLLOWS = 200  # after all
    TAMPER = 201  # the cover was opened, and the relay is open for it
    OPERATOR_CLEARED = 202  # the operator has withdrawn what was his to withdraw


#: Values of an event counter, a double-long-unsigned.
_COUNTS: Final = 0x1_0000_0000
#: The fields of the state that hold what is secret, in the order of their bits in the value.
KEYS: Final = (*KEY_FIELDS, "password", "hls_secret")

_keys = attrgetter(*KEYS)
_calendar = attrgetter("calendar", "schedule", "special_days")
#: What of the mounting is worth an event, in the order of its values.
_DAMAGE: Final = (Finding.REBUILT, Finding.ROLLED_BACK, Finding.LOST)


class Happened(NamedTuple):
    """An event, before it is a row.

    Args:
        code: what.
        value: what belongs to it.
        ago: ms by which the row's time is before the present.
        known: whether the clock knew the time then, if that is not as it is now.
    """

    code: Code
    value: int = 0
    ago: int = 0
    known: bool | None = None


def note(view: View, code: Code, value: int = 0) -> MeterState:
    """Return the state with an event that happens now."""
    return _logged(view, [Happened(code, value)])


def powered(view: View, finding: Finding) -> MeterState:
    """Return the state with what being switched on amounts to."""
    found = [Happened(Code.POWER_UP)]
    if finding in _DAMAGE:
        found.append(Happened(Code.MEMORY_ERROR, _DAMAGE.index(finding)))
    if not view.state.clock.known:
        found.append(Happened(Code.CLOCK_INVALID))
    return _logged(view, found)


def record(before: MeterState, view: View) -> MeterState:
    """Return the state of ``view`` with what has happened since ``before``.

    It is the very same object where nothing has.
    """
    if view.state is before:
        return before
    found = list(_device(before, view))  # what was done to it comes before what followed
    found += _money(before, view)
    codes = list(_relay(before, view.state))
    if not found and not codes:
        return view.state
    state = _logged(view, found)
    return _relay_logged(view.with_state(state), codes)


def _logged(view: View, found: list[Happened]) -> MeterState:
    rows, known = view.state.events, view.state.clock.known
    for code, value, ago, then in found:
        number = rows[-1].number + 1 if rows else 0
        sure = known if then is None else then
        row = LoggedEvent(number, view.clock - ago, sure, code, clamp(value))
        rows = (*rows[-EVENTS_KEPT + 1 :], row)
    return view.state.but(events=rows) if found else view.state


def _relay_logged(view: View, codes: list[RelayCode]) -> MeterState:
    state = view.state
    rows, relay = state.relay_events, state.relay
    for code in codes:
        number = rows[-1].number + 1 if rows else 0
        row = RelayEvent(number, view.clock, state.clock.known, code, relay.control, relay.causes)
        rows = (*rows[-RELAY_EVENTS_KEPT + 1 :], row)
    return state.but(relay_events=rows) if codes else state


# --- what differs --------------------------------------------------------------------------------


def _money(before: MeterState, view: View) -> Iterator[Happened]:
    after = view.state
    if after.gateway is not before.gateway and after.gateway != before.gateway:
        yield _token(after)
    if after.plan is not before.plan and after.plan != before.plan:
        yield from _plans(before, after)
    if after.account.active is not before.account.active:
        yield _turned(before, view)
    if after.account is not before.account:
        if after.account.low_announced and not before.account.low_announced:
            yield Happened(Code.LOW_CREDIT, balance(view))
        if after.account.emergency_selected and not before.account.emergency_selected:
            yield Happened(Code.EMERGENCY_TAKEN, balance(view))
    if after.condition is not before.condition:
        yield from _conditions(before, view)
    if Cause.CREDIT in after.relay.causes & ~before.relay.causes:
        yield Happened(Code.CUT, balance(view))


def _plans(before: MeterState, after: MeterState) -> Iterator[Happened]:
    """Tell of the plan that was, by what the log says of it now, and of the one that is."""
    if before.plan.kind:
        ended = recall(after, before.plan.id)
        over = (Outcome.WITHDRAWN, Outcome.EXPIRED)  # and nothing was done
        withdrawn = ended is not None and ended.outcome in over
        code = Code.PLAN_WITHDRAWN if withdrawn else Code.PLAN_CARRIED_OUT
        yield Happened(code, before.plan.kind)
    if after.plan.kind:
        yield Happened(Code.PLAN_MADE, after.plan.kind)


def _token(after: MeterState) -> Happened:
    if after.gateway.outcome is not Outcome.DONE:
        return Happened(Code.TOKEN_REFUSED, after.gateway.outcome)
    last = after.transactions[-1] if after.transactions else None
    amount = last.amount if last is not None and last.kind is Kind.TOKEN else 0
    return Happened(Code.TOKEN_ENTERED, amount)


def _turned(before: MeterState, view: View) -> Happened:
    if view.state.account.active:
        return Happened(Code.OPENED, balance(view))
    return Happened(Code.CLOSED, balance(view.with_state(before)))


def _conditions(before: MeterState, view: View) -> Iterator[Happened]:
    old, new = before.condition, view.state.condition
    money = balance(view)
    if new.used_up and not old.used_up:
        yield Happened(Code.USED_UP, money)
    if new.emergency != old.emergency:
        if new.emergency == CreditStatus.IN_USE:
            yield Happened(Code.EMERGENCY_IN_USE, money)
        if new.emergency == CreditStatus.EXHAUSTED and old.emergency == CreditStatus.IN_USE:
            yield Happened(Code.EMERGENCY_USED_UP, money)
    if new.limited is not old.limited:
        code = Code.MINIMUM_SUPPLY if new.limited else Code.MINIMUM_SUPPLY_ENDED
        yield Happened(code, money)
    if new.recurrent and not old.recurrent:
        yield Happened(Code.RECURRENT_DEFAULTER)
    if new.ending and not old.ending:
        yield Happened(Code.CALENDAR_ENDING)


def _device(before: MeterState, view: View) -> Iterator[Happened]:
    after = view.state
    if after.clock is not before.clock:
        moved = after.clock.offset - before.clock.offset
        if moved or (after.clock.known and not before.clock.known):
            yield Happened(Code.CLOCK_BEFORE, moved // 1000, moved, before.clock.known)
            yield Happened(Code.CLOCK_SET, moved // 1000)
    if after.condition.opened is not before.condition.opened:
        yield Happened(Code.COVER_OPENED if after.condition.opened else Code.COVER_CLOSED)
    if after.customer is not before.customer and after.customer != before.customer:
        flags = after.customer.protected + 2 * after.customer.never_cut
        yield Happened(Code.CUSTOMER_CHANGED, flags)
    if any(map(is_not, _calendar(before), _calendar(after))):
        yield Happened(Code.CALENDAR_CHANGED)
    held, holds = _keys(before), _keys(after)
    changed = [new is not old and new != old for old, new in zip(held, holds, strict=True)]
    if any(changed):
        yield Happened(Code.KEYS_CHANGED, sum(1 << bit for bit, new in enumerate(changed) if new))
    if after.protections is not before.protections:
        locked = {one.port: one.until for one in before.protections}
        for one in after.protections:
            if one.until > locked.get(one.port, -1):
                yield Happened(Code.PORT_LOCKED, one.port)


def _relay(before: MeterState, after: MeterState) -> Iterator[RelayCode]:
    if after.limits is not before.limits and (
        (after.limits.normal, after.limits.emergency)
        != (before.limits.normal, before.limits.emergency)
    ):
        yield RelayCode.LIMIT_CHANGED
    old, new = before.condition, after.condition
    if (new.tripped >= 0) is not (old.tripped >= 0):
        yield RelayCode.LIMIT_EXCEEDED if new.tripped >= 0 else RelayCode.LIMIT_OK
    if after.relay is not before.relay:
        yield from _moved(before, after)
    if new.mismatch is not old.mismatch:
        yield RelayCode.CONTACT_FAILED if new.mismatch else RelayCode.CONTACT_FOLLOWS


def _moved(before: MeterState, after: MeterState) -> Iterator[RelayCode]:
    """Tell who moved the relay: that follows from where it was, and from the causes."""
    was, stands = before.relay.control, after.relay.control
    came, went = (
        after.relay.causes & ~before.relay.causes,
        before.relay.causes & ~after.relay.causes,
    )
    by_operator = bool(went & OPERATORS) or was is ControlState.DISCONNECTED
    if Cause.TAMPER in came:
        yield RelayCode.TAMPER
    if stands is ControlState.DISCONNECTED and stands is not was:
        yield RelayCode.REMOTE_DISCONNECTION
    elif stands is ControlState.READY_FOR_RECONNECTION and was is ControlState.CONNECTED:
        yield RelayCode.LOCAL_DISCONNECTION
    elif stands is ControlState.CONNECTED and stands is not was:
        if by_operator:
            yield RelayCode.REMOTE_CONNECTION
        else:  # causes that go close it by themselves; with none there, a hand did
            yield RelayCode.LOCAL_CONNECTION if went else RelayCode.MANUAL_CONNECTION
    elif stands is ControlState.READY_FOR_RECONNECTION:
        if not after.relay.causes:
            yield RelayCode.READY_FOR_HAND
        elif by_operator:
            yield RelayCode.OPERATOR_CLEARED


# --- the objects ---------------------------------------------------------------------------------


def _rows(view: View) -> list[tuple[Any, ...]]:
    return [
        (view.stamp(row.time, known=row.known), row.code, row.value) for row in view.state.events
    ]


def _relay_rows(view: View) -> list[tuple[Any, ...]]:
    return [
        (
            view.stamp(row.time, known=row.known),
            row.code,
            int(row.control),
            bits(row.causes),
        )
        for row in view.state.relay_events
    ]


def objects() -> tuple[CosemObject, ...]:
    """Return both logs, and the event objects."""
    stamp = Column(8, catalogue.CLOCK, 2, DATE_TIME)
    return (
        data(catalogue.EVENT, UNSIGNED, lambda view: _last(view.state.events).code),
        data(catalogue.EVENT_VALUE, DOUBLE_LONG, lambda view: _last(view.state.events).value),
        data(catalogue.EVENT_COUNTER, DOUBLE_LONG_UNSIGNED, lambda view: count(view.state.events)),
        data(catalogue.RELAY_EVENT, UNSIGNED, _last_code),
        data(
            catalogue.RELAY_EVENT_COUNTER,
            DOUBLE_LONG_UNSIGNED,
            lambda view: count(view.state.relay_events),
        ),
        profile_generic(
            catalogue.EVENT_LOG,
            columns=(
                stamp,
                Column(1, catalogue.EVENT, 2, UNSIGNED),
                Column(1, catalogue.EVENT_VALUE, 2, DOUBLE_LONG),
            ),
            rows=_rows,
            entries=EVENTS_KEPT,
            readers=READERS,
        ),
        profile_generic(
            catalogue.RELAY_EVENT_LOG,
            columns=(
                stamp,
                Column(1, catalogue.RELAY_EVENT, 2, UNSIGNED),
                Column(70, catalogue.DISCONNECT_CONTROL, 3, ENUM),
                Column(1, catalogue.RELAY_CAUSES, 2, vendor_shown.RELAY_CAUSES_TYPE),
            ),
            rows=_relay_rows,
            entries=RELAY_EVENTS_KEPT,
            readers=READERS,
        ),
    )


def count(rows: tuple[LoggedEvent, ...] | tuple[RelayEvent, ...]) -> int:
    """Return how many events went into a log since manufacture: of the last one, its number."""
    return (rows[-1].number + 1) % _COUNTS if rows else 0


def _last(rows: tuple[LoggedEvent, ...]) -> LoggedEvent:
    return rows[-1] if rows else LoggedEvent()


def _last_code(view: View) -> int:
    rows = view.state.relay_events
    return rows[-1].code if rows else 0

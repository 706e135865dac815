"""The limiter (class 71): a threshold of power, watched, that opens the relay and closes it again.

The theory
    ``threshold_active`` is the lowest of what is in force, and 0 where nothing is:

    | in force | while |
    |---|---|
    | minimum supply, of the profile | supply is limited, in place of a cut |
    | threshold_normal | a head-end has written one that is not 0 |
    | threshold_emergency, in place of that | the emergency profile is active, and this is not 0 |

    So the two that tell it to work are never mistaken for one another: threshold_normal is what
    a head-end has written and nothing else, and minimum supply, which is a customer's due, is
    neither written there nor ended by writing there.

    | state    | nothing in force | below    | above    | above for so long | below for so long |
    |----------|------------------|----------|----------|-------------------|-------------------|
    | idle     | idle             | watching | over     | over              | watching          |
    | watching | idle             | watching | over     | over              | watching          |
    | over     | idle             | watching | over     | tripped           | watching          |
    | tripped  | idle             | tripped  | tripped  | tripped           | watching          |

    "For so long" is min_over_threshold_duration from the moment at which *over* began, and
    min_under_threshold_duration from the last moment above it: with the relay open nothing is
    drawn, so a trip is the beginning of the rest. While *tripped* the cause "limiter" holds the
    relay open, again and again, as often as it takes. Durations run on the board's clock, which
    nobody sets; only the emergency profile is told by the meter's own.

    A trip outlives a power cut, and so does its rest. A count that has not come to a trip does
    not: nobody knows what was drawn meanwhile.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from meter_fw.server import Attribute, CosemObject, Setter
from meter_fw.state import MAX_GROUPS, Limits, MeterState
from meter_fw.view import READERS, Change, Role, View, is_never
from obis import catalogue
from obis.values import replace
from protocol.codes import DataAccessResult
from protocol.cosem.limiter import LIMITER
from protocol.cosem.types import DOUBLE_LONG_UNSIGNED
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import AccessRefused, DecodeError
from protocol.timing import Instant, later

#: s of a meter whose profile has no minimum supply, until a head-end says otherwise.
_OVER, _UNDER = 60, 60
#: A script that is none: what the limiter does to the relay it does itself.
_NO_SCRIPT: Final = (bytes(6), 0)
_LIMITER: Final = LIMITER.typed(
    threshold_active=DOUBLE_LONG_UNSIGNED,
    threshold_normal=DOUBLE_LONG_UNSIGNED,
    threshold_emergency=DOUBLE_LONG_UNSIGNED,
)


class State(Enum):
    """Where the limiter stands."""

    IDLE = "idle"
    WATCHING = "watching"
    OVER = "over"
    TRIPPED = "tripped"


class Seen(Enum):
    """What it sees at a moment."""

    NOTHING_IN_FORCE = "nothing in force"
    BELOW = "below"
    ABOVE = "above"
    LONG_ABOVE = "above for so long"
    LONG_BELOW = "below for so long"


_I, _W, _O, _T = State
#: The table above, row by row; nothing in force leads to idle from everywhere.
TABLE: Final[Mapping[tuple[State, Seen], State]] = MappingProxyType(
    {
        (state, seen): target
        for state, targets in {
            _I: (_I, _W, _O, _O, _W),
            _W: (_I, _W, _O, _O, _W),
            _O: (_I, _W, _O, _T, _W),
            _T: (_I, _T, _T, _T, _W),
        }.items()
        for seen, target in zip(Seen, targets, strict=True)
    }
)


class Watch(Struct, frozen=True):
    """The limiter at a moment.

    Args:
        state: of the table.
        since: of *over*, when it began; of *tripped*, the last moment above; the board's time.
    """

    state: State = State.IDLE
    since: Instant = Instant(0)

    @classmethod
    def of(cls, state: MeterState) -> "Watch":
        """Return what a meter that is switched on knows of it."""
        tripped = state.condition.tripped
        return cls() if tripped < 0 else cls(State.TRIPPED, Instant(tripped))

    def look(self, threshold: int, power: int, over: int, under: int, now: Instant) -> "Watch":
        """Return the limiter after a look at the power.

        Args:
            threshold: W in force, 0 for none.
            power: W at ``now``.
            over: s above before it trips.
            under: s below before it returns.
            now: the board's time.
        """
        seen = self._seen(threshold, power, over, under, now)
        target = TABLE[self.state, seen]
        if target is State.OVER and not over:  # it takes no time
            target = State.TRIPPED
        if target is not self.state:
            return Watch(target, now)
        if target is State.TRIPPED and seen in (Seen.ABOVE, Seen.LONG_ABOVE):
            return replace(self, since=now)  # the contact does not follow: the rest has not begun
        return self

    def _seen(self, threshold: int, power: int, over: int, under: int, now: Instant) -> Seen:
        if not threshold:
            return Seen.NOTHING_IN_FORCE
        elapsed = now - self.since
        if power > threshold:
            long = self.state is State.OVER and elapsed >= over * 1000
            return Seen.LONG_ABOVE if long else Seen.ABOVE
        long = self.state is State.TRIPPED and elapsed >= under * 1000
        return Seen.LONG_BELOW if long else Seen.BELOW

    def wake_at(self, over: int, under: int) -> Instant | None:
        """When it has to look again although nothing came in."""
        if self.state is State.OVER:
            return later(self.since, over * 1000)
        if self.state is State.TRIPPED:
            return later(self.since, under * 1000)
        return None


# --- what is in force ----------------------------------------------------------------------------


def emergency_span(view: View) -> tuple[int, int] | None:
    """Return when the emergency profile of this meter begins and ends, ms of its clock."""
    limits = view.state.limits
    if not limits.grouped:  # as on most meters, and asked for at each tick
        return None
    if is_never(limits.activation) or limits.profile not in _groups(limits):
        return None
    begin = _moment(view, limits.activation)
    return begin, begin + limits.duration * 1000


def emergency_active(view: View) -> bool:
    """Say whether the emergency profile is; not while nobody knows the time."""
    span = emergency_span(view)
    return span is not None and view.state.clock.known and span[0] <= view.clock < span[1]


def threshold(view: View) -> int:
    """Return the W in force, 0 for none."""
    state, rules = view.state, view.factory.profile.protection
    limits = state.limits
    asked = limits.normal
    if limits.emergency and emergency_active(view):  # the first is the quicker to ask
        asked = limits.emergency
    least = rules.threshold if rules is not None and state.condition.limited else 0
    return min(asked, least) if asked and least else asked or least


def durations(view: View) -> tuple[int, int]:
    """Return the s above before it trips, and those below before it returns."""
    limits, rules = view.state.limits, view.factory.profile.protection
    over, under = (_OVER, _UNDER) if rules is None else (rules.over, rules.rest)
    return (
        over if limits.over < 0 else limits.over,
        under if limits.under < 0 else limits.under,
    )


def watch(before: Watch, view: View) -> Watch:
    """Return the limiter at this moment."""
    allowed = threshold(view)
    if not allowed:
        return before if before.state is State.IDLE else Watch()
    return before.look(allowed, view.power, *durations(view), view.board)


def keep(view: View, now: Watch) -> MeterState:
    """Return the state with what has to outlive a power cut: the very same where that is so."""
    condition = view.state.condition
    tripped = now.state is State.TRIPPED
    if tripped is (condition.tripped >= 0):
        return view.state
    since = int(now.since) if tripped else -1
    return view.state.but(condition=replace(condition, tripped=since))


def deadlines(view: View, now: Watch) -> tuple[Instant, ...]:
    """Return when the limiter may decide otherwise although nothing comes in."""
    if now.state is State.IDLE and not view.state.limits.grouped:  # as at most of a year's ticks
        return ()
    found = []
    wake = now.wake_at(*durations(view)) if now.state in (State.OVER, State.TRIPPED) else None
    if wake is not None:
        found.append(wake)
    span = emergency_span(view)
    if span is not None:
        offset = view.state.clock.offset
        found += [Instant(edge - offset) for edge in span if edge > view.clock]
    return tuple(found)


# --- the object ----------------------------------------------------------------------------------


def _groups(limits: Limits) -> list[int]:
    octets = limits.groups[: 2 * limits.grouped]
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]


def _moment(view: View, octets: bytes) -> int:
    return view.moment(CosemDateTime.from_bytes(octets))


def _with(view: View, **settings: Any) -> Change:
    return Change(view.state.but(limits=replace(view.state.limits, **settings)))


def _set_profile(view: View, value: tuple[int, bytes, int]) -> Change:
    """Take an emergency profile; one whose activation time is all wild is none."""
    profile, activation, duration = value
    try:
        if not is_never(activation):
            _moment(view, activation)
    except (DecodeError, WildcardError) as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
    return _with(view, profile=profile, activation=activation, duration=duration)


def _set_groups(view: View, value: list[int]) -> Change:
    if len(value) > MAX_GROUPS:
        raise AccessRefused(DataAccessResult.OTHER_REASON, f"at most {MAX_GROUPS} groups")
    octets = b"".join(group.to_bytes(2, "big") for group in value)
    return _with(view, groups=octets.ljust(2 * MAX_GROUPS, b"\0"), grouped=len(value))


def _profile(view: View) -> tuple[int, bytes, int]:
    limits = view.state.limits
    return (limits.profile, limits.activation, limits.duration)


def _setting(name: str) -> Setter:
    return lambda view, value: _with(view, **{name: value})


def objects() -> tuple[CosemObject, ...]:
    """Return the limiter. What is watched, and what is done about it, is fixed: the relay."""
    power = (3, catalogue.ACTIVE_POWER_IMPORT.to_bytes(), 2)
    manager = Role.MANAGEMENT
    attributes = {
        2: Attribute(lambda view: power, READERS),
        3: Attribute(threshold, READERS),
        4: Attribute(lambda view: view.state.limits.normal, READERS, _setting("normal"), manager),
        5: Attribute(
            lambda view: view.state.limits.emergency, READERS, _setting("emergency"), manager
        ),
        6: Attribute(lambda view: durations(view)[0], READERS, _setting("over"), manager),
        7: Attribute(lambda view: durations(view)[1], READERS, _setting("under"), manager),
        8: Attribute(_profile, READERS, _set_profile, manager),
        9: Attribute(lambda view: _groups(view.state.limits), READERS, _set_groups, manager),
        10: Attribute(emergency_active, READERS),
        11: Attribute(lambda view: (_NO_SCRIPT, _NO_SCRIPT), READERS),
    }
    return (CosemObject(_LIMITER, catalogue.LIMITER, attributes),)

"""A meter on a bench: the real kernel on flash of software, asked without a line in between."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from meter_fw.board import Button, Coil, Flash, Inputs, Outputs
from meter_fw.events import Code
from meter_fw.factory import Factory
from meter_fw.kernel import Kernel
from meter_fw.state import MeterState
from meter_fw.view import Caller, Role
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from prepay.calendars import of_windows
from prepay.friendly import DatedWindow, WeeklyWindow
from prepay.keys import LAB_KEYS, MeterKeys
from prepay.profile import load_profile
from prepay.schedule import Schedule, Tables, weekly_entries
from prepay.tokens.vend import vend_lab
from prepay.transactions import Kind, transaction_id
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from protocol.events import (
    ActionRequest,
    ActionResponse,
    AttributeRef,
    GetRequest,
    GetResponse,
    MethodRef,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.timing import Instant
from sim.flash import MemoryFlash

NAME = "OPP0000000000001"
MANAGER = Caller(Role.MANAGEMENT, 1)
READER = Caller(Role.READER, 2)
PUBLIC = Caller(Role.PUBLIC, 16)


def instant(moment: datetime) -> Instant:
    """Return an aware moment as the board counts it."""
    return Instant((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1))


def factory(
    profile: str = "be-wal",
    dated: tuple[DatedWindow, ...] = (),
    until: datetime | None = None,
    keys: MeterKeys = LAB_KEYS,
) -> Factory:
    """Return a commissioned meter's fixed data; ``until`` its dated windows are complete."""
    title = b"OPP\0\0\0\0\1"
    windows = _windows(profile, dated, until)
    return Factory(load_profile(profile), NAME, "00000001", title, keys, windows)


@cache
def _windows(profile: str, dated: tuple[DatedWindow, ...], until: datetime | None) -> Schedule:
    """Return a calendar that, where it has an end, has its beginning at the first dated window."""
    since = dated[0].start if dated and until else None
    return of_windows(load_profile(profile), dated, since, until)


def number(value: int) -> bytes:
    """Return the id of the ``value``-th transaction."""
    return transaction_id(1_700_000_000_000 + value, value.to_bytes(10, "big"))


@dataclass
class Rig:
    """One meter, its board's time and its flash.

    Args:
        profile: be-wal or il.
        start: local time at boot, ISO 8601, in the profile's zone.
        flash: its memory.
        dated: dated friendly windows.
        until_when: until when they are complete.
        keys: its secrets.
        weekly: a weekly window from and to, in the place of the profile's windows.
    """

    profile: str = "be-wal"
    start: str = "2026-11-23T12:00"  # a Monday, outside every window
    flash: Flash = field(default_factory=lambda: MemoryFlash(2, 32 * 1024))
    dated: tuple[DatedWindow, ...] = ()
    until_when: datetime | None = None
    keys: MeterKeys = LAB_KEYS
    weekly: tuple[str, str] | None = None
    now: Instant = field(init=False)
    kernel: Kernel = field(init=False)
    last: Outputs = field(init=False)
    coils: list[Coil] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.factory = factory(self.profile, self.dated, self.until_when, self.keys)
        if self.weekly is not None:
            window = WeeklyWindow.parse(*self.weekly)
            windows = Schedule(self.factory.zone, Tables(tuple(weekly_entries([window]))))
            self.factory = replace(self.factory, windows=windows)
        self.now = self._instant(self.start)
        self.boot()

    def _instant(self, local: str) -> Instant:
        return instant(datetime.fromisoformat(local).replace(tzinfo=self.factory.zone))

    def boot(self) -> None:
        """Switch it on, with what its flash holds."""
        self.kernel = Kernel(self.flash, self.factory, bytes, self.now)
        self.tick()

    def tick(self, **inputs: Any) -> Outputs:
        """Tick at the present moment."""
        self.last = self.kernel.tick(self.now, Inputs(**inputs))
        if self.last.coil is not None:
            self.coils.append(self.last.coil)
        return self.last

    def until(self, local: str, watt_hours: int = 0) -> None:
        """Let time pass to a local moment, stopping at each wake-up; the energy comes first."""
        end = self._instant(local)
        assert end >= self.now
        if watt_hours:
            self.tick(pulses=watt_hours)
        while self.now < end:
            self.now = min(end, self.last.wake_at)
            self.tick()

    def use(self, watt_hours: int) -> None:
        """Let energy be used, in no time."""
        self.tick(pulses=watt_hours)

    def press(self, button: Button) -> None:
        """Press a button."""
        self.tick(buttons=frozenset({button}))

    # --- asking ----------------------------------------------------------------------------

    def get(
        self,
        name: ObisCode,
        class_id: int,
        index: int = 2,
        *,
        caller: Caller = MANAGER,
        access: SelectiveAccess | None = None,
    ) -> Data | DataAccessResult:
        """GET an attribute."""
        request = GetRequest(AttributeRef(class_id, name, index), access)
        response = self.kernel.answer(caller, request)
        assert isinstance(response, GetResponse)
        return response.result

    def set(
        self,
        name: ObisCode,
        class_id: int,
        value: Data,
        index: int = 2,
        *,
        caller: Caller = MANAGER,
    ) -> DataAccessResult:
        """SET an attribute."""
        request = SetRequest(AttributeRef(class_id, name, index), value)
        response = self.kernel.answer(caller, request)
        assert isinstance(response, SetResponse)
        self.tick()
        return response.result

    def act(
        self,
        name: ObisCode,
        class_id: int,
        index: int,
        parameter: Data | None = None,
        *,
        caller: Caller = MANAGER,
    ) -> ActionResult:
        """Call a method and return its result."""
        return self.call(name, class_id, index, parameter, caller=caller).result

    def call(
        self,
        name: ObisCode,
        class_id: int,
        index: int,
        parameter: Data | None = None,
        *,
        caller: Caller = MANAGER,
    ) -> ActionResponse:
        """Call a method and return its response, what it gives back included."""
        request = ActionRequest(MethodRef(class_id, name, index), parameter)
        response = self.kernel.answer(caller, request)
        assert isinstance(response, ActionResponse)
        self.tick()
        return response

    # --- transactions ----------------------------------------------------------------------

    def order(
        self, identity: int, kind: Kind, parameters: Any = None, *, caller: Caller = MANAGER
    ) -> DataAccessResult:
        """Order a transaction through the door."""
        order = vendor.Order(number(identity), kind, parameters)
        return self.set(catalogue.TRANSACTION, 1, order.to_data(), caller=caller)

    def snapshot(self, sequence: int, balance: int, emergency: int = 1200) -> vendor.Snapshot:
        """Return a snapshot as of now."""
        return vendor.Snapshot(sequence, balance, emergency, self.stamp())

    def stamp(self, local: str | None = None) -> CosemDateTime:
        """Return a local moment, the present one by default."""
        view = self.kernel.view
        moment = view.local
        if local is not None:
            moment = datetime.fromisoformat(local).replace(tzinfo=self.factory.zone)
        return CosemDateTime.from_datetime(moment)

    def token(self, identity: int, amount: int) -> bytes:
        """Vend a token for this meter."""
        return vend_lab(LAB_KEYS.token_key, NAME.encode(), number(identity), amount)

    def enter(self, token: bytes) -> ActionResult:
        """Enter a token."""
        from protocol.axdr import octet_string

        return self.act(catalogue.TOKEN_GATEWAY, 115, 1, octet_string(token))

    def last_outcome(self) -> vendor.LastOutcome:
        """Read what became of the last transaction."""
        value = self.get(catalogue.TRANSACTION, 1)
        assert isinstance(value, Data)
        return vendor.LastOutcome.from_data(value)

    @property
    def balance(self) -> int:
        """The balance that the credit object shows."""
        value = self.get(catalogue.TOKEN_CREDIT, 112)
        assert isinstance(value, Data)
        return int(value.value)

    @property
    def lasting(self) -> MeterState:
        """The state without the event logs, which a restart alone adds to."""
        return self.kernel.state.but(events=(), relay_events=())

    @property
    def codes(self) -> list[int]:
        """The codes of the standard event log, oldest first, but for those of being switched on."""
        return [row.code for row in self.kernel.state.events if row.code != Code.POWER_UP]

    @property
    def relay_codes(self) -> list[int]:
        """The codes of the disconnect control log, oldest first."""
        return [row.code for row in self.kernel.state.relay_events]

    @property
    def relay(self) -> str:
        """The control state, as the display names it."""
        return self.kernel.view.state.relay.control.name.lower()

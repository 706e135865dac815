"""A meter as the head-end sees it through a session: each question and order by its name.

What a meter of ours answers is typed by the declarations of ``protocol.cosem``; a meter that
answers something else ends the command in one clear line.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from headend.errors import Refused
from headend.session import ExceptionAnswered, Session
from obis import catalogue
from obis.code import ObisCode
from prepay.transactions import REMEMBERED, Outcome
from protocol import axdr
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem import types, vendor, vendor_shown
from protocol.cosem.account import MODE_AND_STATUS, AccountStatus, PaymentMode
from protocol.cosem.disconnect_control import ControlState
from protocol.cosem.register import SCALER_UNIT
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, ProtocolError
from protocol.events import AttributeRef, MethodRef

#: The interface classes that are asked here.
DATA, REGISTER, PROFILE_GENERIC, CLOCK, DISCONNECT_CONTROL = 1, 3, 7, 8, 70
ACCOUNT, CREDIT, CHARGE, TOKEN_GATEWAY = 111, 112, 113, 115
ASSOCIATION_SN, ASSOCIATION_LN = 12, 15
#: Attribute 2 is the value of nearly every class.
VALUE = 2

#: What ``name``, ``clock``, ``prepayment`` and ``snapshot`` ask for.
NAME = AttributeRef(DATA, catalogue.LOGICAL_DEVICE_NAME, VALUE)
TIME = AttributeRef(CLOCK, catalogue.CLOCK, VALUE)
STATUS = AttributeRef(ACCOUNT, catalogue.ACCOUNT, VALUE)
SNAPSHOT = AttributeRef(DATA, catalogue.SNAPSHOT, VALUE)

_PREPAYMENT_ACTIVE = (PaymentMode.PREPAYMENT, AccountStatus.ACTIVE)
_CAUSES = {
    vendor_shown.RelayCauseBit.CREDIT: "credit",
    vendor_shown.RelayCauseBit.OPERATOR: "operator",
    vendor_shown.RelayCauseBit.LIMITER: "limiter",
    vendor_shown.RelayCauseBit.TAMPER: "tamper",
    vendor_shown.RelayCauseBit.GAS_SAFETY: "gas safety",
}

if TYPE_CHECKING:  # the rules of prepayment take time, and a plain read needs none
    from prepay.cut import BalanceMode

_Made = TypeVar("_Made")

_DAY = types.structure_of(stamp=types.DATE_TIME, reading=types.AnyType())
_TOKEN_STATUS = types.structure_of(code=types.ENUM, value=types.AnyType())


class Device(Struct, frozen=True):
    """A meter at the other end of an open session."""

    session: Session

    def get(self, code: ObisCode, class_id: int = DATA, index: int = VALUE) -> Data:
        """Read an attribute; a refusal names the object.

        Raises:
            Refused: the meter refused.
        """
        try:
            return self.session.get(AttributeRef(class_id, code, index))
        except AccessRefused as error:
            if error.result is DataAccessResult.OBJECT_UNDEFINED:
                seen = f"client {self.session.client} does not see {code}"
                raise Refused(f"{seen}, or the meter has none") from error
            raise Refused(f"{code} attribute {index} of class {class_id}: {error}") from error

    # --- who it is -----------------------------------------------------------------------------

    def name(self) -> str:
        """Return the logical device name."""
        return _text(self.get(catalogue.LOGICAL_DEVICE_NAME))

    def serial(self) -> str:
        """Return the serial number."""
        return _text(self.get(catalogue.SERIAL_NUMBER))

    def profile(self) -> str:
        """Return the name of the profile, empty for a meter that has none."""
        try:
            return _text(self.session.get(AttributeRef(DATA, catalogue.PROFILE_NAME, VALUE)))
        except AccessRefused:
            return ""

    def mode(self) -> "BalanceMode":
        """Return who keeps the balance."""
        from prepay.cut import BalanceMode

        return BalanceMode(_typed(types.ENUM, self.get(catalogue.BALANCE_MODE)))

    def invocation_counter(self) -> int:
        """Return the last invocation counter that the meter accepted."""
        return _number(self.get(catalogue.INVOCATION_COUNTER))

    def security_setup(self, *, short_names: bool = False) -> ObisCode:
        """Return the security setup of this association, which a meter may have several of.

        Its own where it names one, as attribute 9 of class 15 or 4 of class 12; else the first.

        Args:
            short_names: the association is by short names.
        """
        class_id, index = (ASSOCIATION_SN, 4) if short_names else (ASSOCIATION_LN, 9)
        ref = AttributeRef(class_id, catalogue.CURRENT_ASSOCIATION, index)
        try:
            named: bytes = types.LOGICAL_NAME.from_data(self.session.get(ref))
        except (AccessRefused, ExceptionAnswered, types.TypeMismatch):
            return catalogue.SECURITY_SETUP
        return ObisCode.from_bytes(named) if any(named) else catalogue.SECURITY_SETUP

    # --- clock and registers -------------------------------------------------------------------

    def clock(self) -> CosemDateTime:
        """Return the time by the meter's clock."""
        return _moment(self.get(catalogue.CLOCK, CLOCK))

    def energy(self) -> int:
        """Return the imported active energy in Wh."""
        register = catalogue.ACTIVE_ENERGY_IMPORT
        scaler, _unit = _typed(SCALER_UNIT, self.get(register, REGISTER, 3))
        value = _number(self.get(register, REGISTER))
        return int(value // 10**-scaler) if scaler < 0 else int(value * 10**scaler)

    def daily_readings(self) -> list[tuple[CosemDateTime, int]]:
        """Return the register readings in Wh at the local midnights that the meter remembers."""
        rows = _rows(self.get(catalogue.DAILY_PROFILE, PROFILE_GENERIC))
        days = [_typed(_DAY, row) for row in rows]
        return [(_moment(axdr.octet_string(stamp)), _number(reading)) for stamp, reading in days]

    # --- money ---------------------------------------------------------------------------------

    def prepayment(self) -> bool:
        """Whether prepayment is active."""
        status = _typed(MODE_AND_STATUS, self.get(catalogue.ACCOUNT, ACCOUNT))
        return bool(status == _PREPAYMENT_ACTIVE)

    def credit_in_use(self) -> int | None:
        """Return the index of the credit that carries the supply; None when none does."""
        index = _number(self.get(catalogue.ACCOUNT, ACCOUNT, 3))
        credits = _rows(self.get(catalogue.ACCOUNT, ACCOUNT, 9))
        return index if index < len(credits) else None

    def local_balance(self) -> int:
        """Return the live balance of a meter that keeps its own, in minor units."""
        return _number(self.get(catalogue.TOKEN_CREDIT, CREDIT))

    def emergency_credit(self) -> int:
        """Return what is left of the emergency credit, in minor units; 0 without one."""
        ref = AttributeRef(CREDIT, catalogue.EMERGENCY_CREDIT, VALUE)
        try:
            return _number(self.session.get(ref))
        except AccessRefused:
            return 0

    def snapshot(self) -> vendor.Snapshot:
        """Return the last snapshot that the meter took; its sequence is 0 before the first."""
        return _made(vendor.Snapshot.from_data, self.get(catalogue.SNAPSHOT))

    def armed(self) -> vendor_shown.ArmedCut:
        """Return whether a cut is armed, for which snapshot, and until when."""
        return _made(vendor_shown.ArmedCut.from_data, self.get(catalogue.ARMED_CUT))

    def low_credit(self) -> bool:
        """Whether the meter announces low credit."""
        return bool(_typed(types.BOOLEAN, self.get(catalogue.LOW_CREDIT)))

    def friendly(self) -> bool:
        """Whether a friendly window is in force."""
        return bool(_typed(types.BOOLEAN, self.get(catalogue.FRIENDLY_WINDOW)))

    def customer(self) -> vendor_shown.CustomerStatus:
        """Return what is due to the customer, and what has come of it."""
        return _made(vendor_shown.CustomerStatus.from_data, self.get(catalogue.CUSTOMER))

    def settlement(self) -> vendor_shown.Settlement:
        """Return what the last closing, or hand-over to a head-end, left to be settled."""
        return _made(vendor_shown.Settlement.from_data, self.get(catalogue.SETTLEMENT))

    def opened(self) -> CosemDateTime:
        """Return when the account was last activated, by the meter's clock."""
        return _moment(self.get(catalogue.ACCOUNT, ACCOUNT, 13))

    def plan(self) -> vendor_shown.Plan:
        """Return the plan that waits for its moment; its kind is 0 where there is none."""
        return _made(vendor_shown.Plan.from_data, self.get(catalogue.PLAN))

    def carried_out(self) -> tuple[vendor_shown.CarriedOut, ...]:
        """Return the last plans that the meter carried out, with the registers of that moment."""
        return _made(vendor_shown.CarriedOut.all_from_data, self.get(catalogue.CARRIED_OUT))

    def remaining(self, slot: int) -> int:
        """Return what remains of the debt in a slot of the account, in minor units."""
        return _number(self.get(catalogue.CHARGES[slot], CHARGE, 12))

    # --- relay ---------------------------------------------------------------------------------

    def relay(self) -> str:
        """Return the relay's control state."""
        state = _number(self.get(catalogue.DISCONNECT_CONTROL, DISCONNECT_CONTROL, 3))
        try:
            return ControlState(state).name.lower()
        except ValueError:
            return f"state {state}"

    def contact_closed(self) -> bool:
        """Whether the relay's contact is closed, whatever the relay was told."""
        state = self.get(catalogue.DISCONNECT_CONTROL, DISCONNECT_CONTROL)
        return bool(_typed(types.BOOLEAN, state))

    def relay_causes(self) -> list[str]:
        """Return what holds the relay open."""
        bits = _typed(vendor_shown.RELAY_CAUSES_TYPE, self.get(catalogue.RELAY_CAUSES))
        return [name for cause, name in _CAUSES.items() if bits[cause] == "1"]

    # --- transactions --------------------------------------------------------------------------

    def order(self, order: vendor.Order) -> None:
        """Order a transaction.

        Raises:
            AccessRefused: the meter refused; ``recall`` says why.
        """
        ref = AttributeRef(DATA, catalogue.TRANSACTION, VALUE)
        self.session.set(ref, order.to_data())

    def enter_token(self, token: bytes) -> None:
        """Enter a token at the token gateway.

        Raises:
            ActionRefused: the meter refused; ``token_outcome`` says why.
        """
        gateway = MethodRef(TOKEN_GATEWAY, catalogue.TOKEN_GATEWAY, 1)
        self.session.action(gateway, axdr.octet_string(token))

    def token_outcome(self) -> Outcome | None:
        """Return what became of the token entered last; None where the meter does not say.

        Our meters give the outcome's number as the bit string of token_status.
        """
        status = self.get(catalogue.TOKEN_GATEWAY, TOKEN_GATEWAY, 6)
        _code, value = _typed(_TOKEN_STATUS, status)
        try:
            return Outcome(int(value.value, 2))
        except (ValueError, TypeError):
            return None

    def remembers(self, transaction: bytes) -> bool:
        """Say whether the meter's log reaches back to an id, so that it would be there."""
        rows = _rows(self.get(catalogue.TRANSACTION_LOG, PROFILE_GENERIC))
        ids = [_made(vendor.ID.from_data, _rows(row)[1]) for row in rows]
        return len(ids) < REMEMBERED or min(ids) < transaction

    def recall(self, transaction: bytes) -> vendor.LastOutcome | None:
        """Return what the meter remembers of a transaction; None when it does not know it.

        The last outcome is asked first, since it is usually the one; then the whole log.
        """
        last = _made(vendor.LastOutcome.from_data, self.get(catalogue.TRANSACTION))
        if last.id == transaction:
            return last
        return next((logged for logged in self.log() if logged.id == transaction), None)

    def log(self) -> list[vendor.LastOutcome]:
        """Return what the meter remembers of all transactions, oldest first."""
        rows = _rows(self.get(catalogue.TRANSACTION_LOG, PROFILE_GENERIC))
        entries = [axdr.structure(*_rows(row)[1:]) for row in rows]  # the first column is the time
        return [_made(vendor.LastOutcome.from_data, entry) for entry in entries]


def _typed(declared: types.Type, data: Data) -> Any:
    return _made(declared.from_data, data)


def _made(make: Callable[[Data], _Made], data: Data) -> _Made:
    try:
        return make(data)
    except ProtocolError as error:
        raise Refused(f"the meter's answer is not what this head-end knows: {error}") from error


def _rows(data: Data) -> tuple[Data, ...]:
    if data.tag not in (Tag.ARRAY, Tag.STRUCTURE):
        raise Refused(f"the meter answered with {data.tag.type_name} where a list was expected")
    rows: tuple[Data, ...] = data.value
    return rows


def _number(data: Data) -> int:
    if not isinstance(data.value, int):
        raise Refused(f"the meter answered with {data.tag.type_name} where a number was expected")
    return data.value


def _text(data: Data) -> str:
    value = data.value
    if isinstance(value, bytes):
        readable = value.isascii() and value.decode("ascii").isprintable()
        return value.decode("ascii") if readable and value else value.hex().upper()
    if isinstance(value, str):
        return value
    raise Refused(f"the meter answered with {data.tag.type_name} where a name was expected")


def _moment(data: Data) -> CosemDateTime:
    if not isinstance(data.value, bytes):
        raise Refused(f"the meter answered with {data.tag.type_name} where a time was expected")
    try:
        return CosemDateTime.from_bytes(data.value)
    except ProtocolError as error:
        raise Refused(f"the meter's answer is no time: {error}") from error

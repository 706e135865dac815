"""Our manufacturer-specific objects: the transaction door and its log, and what status needs."""

import zlib
from types import UnionType
from typing import Any

from meter_fw import supply
from meter_fw.identity import data
from meter_fw.money_state import unpack_debts
from meter_fw.profile_generic import Column, profile_generic
from meter_fw.relay import bits
from meter_fw.server import Attribute, CosemObject
from meter_fw.state import Customer, Snapshot
from meter_fw.transactions import HANDLERS, Order, clamp, execute
from meter_fw.view import READERS, Change, Role, View, is_never
from obis import catalogue
from prepay.cut import Arm, BalanceMode
from prepay.transactions import REMEMBERED, Kind
from protocol import axdr
from protocol.codes import DataAccessResult
from protocol.cosem import vendor, vendor_shown
from protocol.cosem.data import DATA
from protocol.cosem.types import (
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    ENUM,
    VISIBLE_STRING,
    TypeMismatch,
)
from protocol.cosem_time import CosemDateTime, WildcardError
from protocol.errors import AccessRefused

#: A register on the wire rolls over there.
_ROLLOVER = 1 << 32
#: What each kind of order has to carry.
_PARAMETERS: dict[Kind, type | UnionType] = {
    Kind.ACTIVATE: vendor.Snapshot | vendor.Opening,
    Kind.SNAPSHOT: vendor.Snapshot,
    Kind.ARM: vendor.Arm,
    Kind.ADJUST: int,
    Kind.DEACTIVATE: type(None) | CosemDateTime,
    Kind.MODE: vendor.ModeChange,
    Kind.DEBT: vendor.Debt,
    Kind.CANCEL: type(None),
    Kind.DISARM: type(None),
    Kind.CUSTOMER: vendor.Customer,
    Kind.WITHDRAW: type(None),
    Kind.REFUND: int,
    Kind.DISCONNECT: type(None) | CosemDateTime,
    Kind.CONNECT: type(None),
}


def _order(view: View, value: axdr.Data) -> Change:
    """Execute what was SET; an order of the wrong form is refused before it has an id."""
    try:
        asked = vendor.Order.from_data(value)
        kind = Kind(asked.kind)
        if kind not in HANDLERS or not isinstance(asked.parameters, _PARAMETERS[kind]):
            raise TypeMismatch(f"not the parameters of kind {asked.kind}")
        order = _read(view, asked, kind, zlib.crc32(axdr.encode(value)))
    except (TypeMismatch, WildcardError, ValueError) as error:
        raise AccessRefused(DataAccessResult.TYPE_UNMATCHED, str(error)) from error
    return execute(view, order)


def _read(view: View, asked: vendor.Order, kind: Kind, content: int) -> Order:
    given = asked.parameters
    if isinstance(given, vendor.Snapshot):
        as_of = given.as_of.to_bytes()
        snapshot = Snapshot(given.sequence, given.balance, given.emergency, as_of)
        return Order(asked.id, kind, content, snapshot=snapshot)
    if isinstance(given, vendor.Arm):
        expiry = view.moment(given.expiry)
        stamp = given.expiry.to_bytes()
        return Order(
            asked.id, kind, content, sequence=given.sequence, expiry=expiry, expiry_stamp=stamp
        )
    if isinstance(given, vendor.Customer):
        return Order(asked.id, kind, content, customer=_customer(view, given))
    return _of_money(view, asked.id, kind, content, given)


def _of_money(
    view: View,
    identity: bytes,
    kind: Kind,
    content: int,
    given: vendor.Opening | vendor.ModeChange | vendor.Debt | CosemDateTime | int | None,
) -> Order:
    match given:
        case vendor.Opening():
            first = given.snapshot
            at, paid = _at(view, given.at), _day(given.paid)
            if at >= 0 and paid is not None:
                raise TypeMismatch("a planned opening follows no other meter")
            return Order(
                identity,
                kind,
                content,
                snapshot=Snapshot(
                    first.sequence, first.balance, first.emergency, first.as_of.to_bytes()
                ),
                at=at,
                anchor=_day(given.anchor),
                debts=tuple((debt.slot, debt.amount) for debt in given.debts),
                paid=paid,
            )
        case vendor.ModeChange():
            return Order(
                identity,
                kind,
                content,
                sequence=given.sequence,
                amount=given.balance,
                mode=BalanceMode(given.mode),
                register=given.register,
                as_of=given.as_of.to_bytes(),
            )
        case vendor.Debt():
            return Order(identity, kind, content, amount=given.amount, slot=given.slot)
        case CosemDateTime():
            return Order(identity, kind, content, at=_at(view, given))
    return Order(identity, kind, content, amount=given or 0)


def _at(view: View, moment: CosemDateTime) -> int:
    """Return a planned moment in ms since 1970; -1 for now."""
    if is_never(moment.to_bytes()):
        return -1
    return max(view.moment(moment), 0)


def _day(moment: CosemDateTime) -> int | None:
    """Return the ordinal of a local date; None where it is all wild."""
    if is_never(moment.to_bytes()):
        return None
    return moment.date.to_date().toordinal()


def _customer(view: View, given: vendor.Customer) -> Customer:
    now = is_never(given.since.to_bytes())
    since = -1 if now else view.moment(given.since)
    return Customer(given.protected, given.never_cut, since)


def _customer_status(view: View) -> tuple[bool, bool, bytes, bool, bool]:
    held, condition = view.state.customer, view.state.condition
    since = view.stamp(held.since)
    return (held.protected, held.never_cut, since, condition.limited, condition.recurrent)


def _last(view: View) -> Any:
    if not view.state.transactions:
        return vendor.LastOutcome(bytes(16), 0, 0, 0, 0).to_data()
    last = view.state.transactions[-1]
    return vendor.LastOutcome(last.id, last.kind, last.outcome, last.amount, last.balance).to_data()


def _log(view: View) -> list[tuple[Any, ...]]:
    return [
        (view.stamp(e.time), e.id, int(e.kind), int(e.outcome), e.amount, e.balance)
        for e in view.state.transactions
    ]


def _causes(view: View) -> str:
    return bits(view.state.relay.causes)


def _snapshot(view: View) -> tuple[int, int, int, bytes]:
    held = view.state.snapshot
    return (held.sequence, held.balance, held.emergency, held.as_of)


def _armed(view: View) -> tuple[bool, int, bytes]:
    armed = view.state.armed
    return (supply.arm(view) is Arm.ARMED, armed.sequence, armed.expiry_stamp)


def _settlement(view: View) -> tuple[Any, ...]:
    last = view.state.settled
    return (
        last.id,
        view.stamp(last.time),
        last.imported % _ROLLOVER,
        last.exported % _ROLLOVER,
        clamp(last.balance),
        clamp(last.returned),
        list(unpack_debts(last.debts)),
    )


def _plan(view: View) -> tuple[int, bytes, bytes]:
    waiting = view.state.plan
    return (waiting.kind, waiting.id, view.stamp(waiting.at))


def _carried_out(view: View) -> list[tuple[Any, ...]]:
    return [
        (
            each.id,
            each.kind,
            view.stamp(each.time),
            each.imported % _ROLLOVER,
            each.exported % _ROLLOVER,
        )
        for each in view.state.carried_out
    ]


def objects() -> tuple[CosemObject, ...]:
    """Return the manufacturer-specific objects."""
    part = catalogue.TRANSACTION
    return (
        CosemObject(
            DATA,
            catalogue.TRANSACTION,
            {2: Attribute(_last, READERS, _order, Role.MANAGEMENT)},
        ),
        profile_generic(
            catalogue.TRANSACTION_LOG,
            columns=(
                Column(8, catalogue.CLOCK, 2, DATE_TIME),
                Column(1, part, 2, vendor.ID, 1),
                Column(1, part, 2, ENUM, 2),
                Column(1, part, 2, ENUM, 3),
                Column(1, part, 2, DOUBLE_LONG, 4),
                Column(1, part, 2, DOUBLE_LONG, 5),
            ),
            rows=_log,
            entries=REMEMBERED,
            readers=READERS,
        ),
        data(catalogue.PROFILE_NAME, VISIBLE_STRING, lambda view: view.factory.profile.name),
        data(catalogue.BALANCE_MODE, ENUM, lambda view: int(view.mode)),
        data(catalogue.FRIENDLY_WINDOW, BOOLEAN, lambda view: view.friendly),
        data(catalogue.RELAY_CAUSES, vendor_shown.RELAY_CAUSES_TYPE, _causes),
        data(catalogue.SNAPSHOT, vendor.SNAPSHOT_TYPE, _snapshot),
        data(catalogue.ARMED_CUT, vendor_shown.ARMED_CUT_TYPE, _armed),
        data(catalogue.SETTLEMENT, vendor_shown.SETTLEMENT_TYPE, _settlement),
        data(catalogue.PLAN, vendor_shown.PLAN_TYPE, _plan),
        data(catalogue.CARRIED_OUT, vendor_shown.CARRIED_OUT_TYPE, _carried_out),
        data(catalogue.LOW_CREDIT, BOOLEAN, lambda view: view.state.account.low_announced),
        data(catalogue.CUSTOMER, vendor_shown.CUSTOMER_STATUS_TYPE, _customer_status),
    )

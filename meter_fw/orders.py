"""Our manufacturer-specific objects: the transaction door and its log, and what status needs."""

import zlib
from typing import Any

from meter_fw import supply
from meter_fw.identity import data
from meter_fw.profile_generic import Column, profile_generic
from meter_fw.relay import Cause
from meter_fw.server import Attribute, CosemObject
from meter_fw.state import Snapshot
from meter_fw.transactions import HANDLERS, Order, execute
from meter_fw.view import READERS, Change, Role, View, milliseconds
from obis import catalogue
from prepay.cut import Arm
from prepay.transactions import REMEMBERED, Kind
from protocol import axdr
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from protocol.cosem.data import DATA
from protocol.cosem.types import (
    BOOLEAN,
    DATE_TIME,
    DOUBLE_LONG,
    ENUM,
    VISIBLE_STRING,
    TypeMismatch,
)
from protocol.cosem_time import WildcardError
from protocol.errors import AccessRefused

#: What each kind of order has to carry.
_PARAMETERS: dict[Kind, type] = {
    Kind.ACTIVATE: vendor.Snapshot,
    Kind.SNAPSHOT: vendor.Snapshot,
    Kind.ARM: vendor.Arm,
    Kind.ADJUST: int,
    Kind.DEACTIVATE: type(None),
    Kind.DISARM: type(None),
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
        expiry = milliseconds(given.expiry.to_datetime(view.factory.zone))
        stamp = given.expiry.to_bytes()
        return Order(
            asked.id, kind, content, sequence=given.sequence, expiry=expiry, expiry_stamp=stamp
        )
    return Order(asked.id, kind, content, amount=given or 0)


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
    causes = view.state.relay.causes
    return "".join("1" if cause in causes else "0" for cause in Cause).ljust(8, "0")


def _snapshot(view: View) -> tuple[int, int, int, bytes]:
    held = view.state.snapshot
    return (held.sequence, held.balance, held.emergency, held.as_of)


def _armed(view: View) -> tuple[bool, int, bytes]:
    armed = view.state.armed
    return (supply.arm(view) is Arm.ARMED, armed.sequence, armed.expiry_stamp)


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
        data(catalogue.BALANCE_MODE, ENUM, lambda view: int(view.factory.profile.mode)),
        data(catalogue.FRIENDLY_WINDOW, BOOLEAN, lambda view: view.friendly),
        data(catalogue.RELAY_CAUSES, vendor.RELAY_CAUSES_TYPE, _causes),
        data(catalogue.SNAPSHOT, vendor.SNAPSHOT_TYPE, _snapshot),
        data(catalogue.ARMED_CUT, vendor.ARMED_CUT_TYPE, _armed),
        data(catalogue.LOW_CREDIT, BOOLEAN, lambda view: view.state.account.low_announced),
    )

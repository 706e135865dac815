"""How the cells of an account lie in flash: kinds 45 to 56.

The kinds and versions here never change their meaning; a new layout takes a new one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from construct import Bytes, Int8sb, Int8ub, Int16sb, Int32sb, Int32ub, Int64sb, Int64ub, Struct

from meter_fw.money_state import (
    DEBTS,
    AccountTerms,
    CarriedOut,
    ChargeTerms,
    Plan,
    Regime,
    Registers,
    Settled,
    TokenRecord,
    TokenShares,
)
from meter_fw.nvram import Cell
from prepay.holdings import NEVER, Advance, ChargeState, Provision
from prepay.transactions import ID_LENGTH


class _Charge(msgspec.Struct, frozen=True):
    """``ChargeState`` with its bases one by one, as a cell has them."""

    slot: int = 0
    paid: int = 0
    remaining: int = 0
    remainder: int = 0
    base_1: int = 0
    base_2: int = 0
    base_3: int = 0
    base_4: int = 0
    next_day: int = NEVER
    last_time: int = NEVER
    last_amount: int = 0
    ahead: int = 0


def _flat(value: ChargeState) -> tuple[Any, ...]:
    return (
        value.slot,
        value.paid,
        value.remaining,
        value.remainder,
        *value.bases,
        value.next_day,
        value.last_time,
        value.last_amount,
        value.ahead,
    )


class _ChargeCell(Cell[Any]):
    """The cell of a ``ChargeState``."""

    def _picker(self, names: Sequence[str]) -> Callable[[ChargeState], tuple[Any, ...]]:
        """Return what gives the fields of a value; see ``Cell``."""
        return _flat

    def decode(self, octets: bytes) -> ChargeState:
        """Return the value that ``octets`` hold; see ``Cell``."""
        flat: _Charge = super().decode(octets)
        return ChargeState(
            flat.slot,
            flat.paid,
            flat.remaining,
            flat.remainder,
            (flat.base_1, flat.base_2, flat.base_3, flat.base_4),
            flat.next_day,
            flat.last_time,
            flat.last_amount,
            flat.ahead,
        )


CHARGE = _ChargeCell(
    45,
    1,
    _Charge,
    Struct(
        "slot" / Int8ub,
        "paid" / Int64sb,
        "remaining" / Int64sb,
        "remainder" / Int32ub,
        "base_1" / Int64ub,
        "base_2" / Int64ub,
        "base_3" / Int64ub,
        "base_4" / Int64ub,
        "next_day" / Int64sb,
        "last_time" / Int64sb,
        "last_amount" / Int64sb,
        "ahead" / Int64sb,
    ),
)
PROVISION = Cell(46, 1, Provision, Struct("since" / Int64sb, "taken" / Int64sb))
REGISTERS = Cell(
    47,
    1,
    Registers,
    Struct(
        "exported" / Int64ub,
        "rate" / Int8ub,
        "imported_1" / Int64ub,
        "imported_2" / Int64ub,
        "imported_3" / Int64ub,
        "imported_4" / Int64ub,
        "exported_1" / Int64ub,
        "exported_2" / Int64ub,
        "exported_3" / Int64ub,
        "exported_4" / Int64ub,
    ),
)
CHARGE_TERMS = Cell(
    48,
    1,
    ChargeTerms,
    Struct(
        "slot" / Int8ub,
        "rates" / Int8ub,
        "scale" / Int8sb,
        "price_1" / Int16sb,
        "price_2" / Int16sb,
        "price_3" / Int16sb,
        "price_4" / Int16sb,
        "next_rates" / Int8ub,
        "next_scale" / Int8sb,
        "next_1" / Int16sb,
        "next_2" / Int16sb,
        "next_3" / Int16sb,
        "next_4" / Int16sb,
        "activation" / Int64sb,
        "activation_stamp" / Bytes(12),
        "proportion" / Int16sb,
        "when" / Int8sb,
    ),
)
REGIME = Cell(49, 1, Regime, Struct("mode" / Int8sb))
PLAN = Cell(
    50,
    1,
    Plan,
    Struct(
        "kind" / Int8ub,
        "id" / Bytes(ID_LENGTH),
        "at" / Int64sb,
        "sequence" / Int32ub,
        "balance" / Int32sb,
        "emergency" / Int32sb,
        "as_of" / Bytes(12),
        "anchor" / Int64sb,
        "debts" / Bytes(DEBTS),
    ),
)
SETTLED = Cell(
    51,
    1,
    Settled,
    Struct(
        "id" / Bytes(ID_LENGTH),
        "time" / Int64sb,
        "imported" / Int64ub,
        "exported" / Int64ub,
        "balance" / Int64sb,
        "returned" / Int64sb,
        "debts" / Bytes(DEBTS),
    ),
)
TOKEN_RECORD = Cell(
    52,
    1,
    TokenRecord,
    Struct(
        "number" / Int32ub,
        "time" / Int64sb,
        "id" / Bytes(ID_LENGTH),
        "delivery" / Int8ub,
        "status" / Int8ub,
        "outcome" / Int8ub,
        "gross" / Int32sb,
        "credited" / Int32sb,
    ),
)
ACCOUNT_TERMS = Cell(
    53,
    1,
    AccountTerms,
    Struct(
        "low_threshold" / Int64sb,
        "emergency_threshold" / Int64sb,
        "clearance" / Int64sb,
        "max_provision" / Int64sb,
        "provision_period" / Int64sb,
        "debt_share" / Int64sb,
    ),
)
CARRIED_OUT = Cell(
    54,
    1,
    CarriedOut,
    Struct(
        "number" / Int32ub,
        "id" / Bytes(ID_LENGTH),
        "kind" / Int8ub,
        "time" / Int64sb,
        "imported" / Int64ub,
        "exported" / Int64ub,
    ),
)
TOKEN_SHARES = Cell(55, 1, TokenShares, Struct("token" / Int8sb, "emergency" / Int8sb))
ADVANCE = Cell(56, 1, Advance, Struct("owed" / Int64sb))

#: The cells of single values, by the name of the field.
SINGLES: Final[Mapping[str, Cell[Any]]] = {
    "provision": PROVISION,
    "registers": REGISTERS,
    "regime": REGIME,
    "plan": PLAN,
    "settled": SETTLED,
    "terms": ACCOUNT_TERMS,
    "shares": TOKEN_SHARES,
    "advance": ADVANCE,
}
#: The cells of rings, one for each place.
RINGS: Final[Mapping[str, Cell[Any]]] = {
    "charges": CHARGE,
    "charge_terms": CHARGE_TERMS,
    "tokens": TOKEN_RECORD,
    "carried_out": CARRIED_OUT,
}

"""The cells of an account in local mode that ``prepay.holdings`` does not have already.

Money is in whole minor units, energy in Wh, a moment in milliseconds since 1970 by the meter's
clock. How each lies in flash stands in ``meter_fw/money_cells.py``.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from prepay.account_rules import MAX_CHARGES
from prepay.charge import MAX_RATES
from prepay.transactions import ID_LENGTH, Outcome

#: Tokens that the token log keeps.
TOKENS_KEPT: Final = 32
#: Plans that were carried out and are remembered with the registers of their moment.
CARRIED_OUT_KEPT: Final = 4
#: A term that nobody has changed: the profile's holds.
AS_MADE: Final = -(1 << 63)
#: Octets of a debt as it is kept: its slot, and the amount that remains.
_DEBT: Final = 5
DEBTS: Final = _DEBT * MAX_CHARGES
_NO_SLOT: Final = 0xFF

_NEVER: Final = b"\xff" * 12

Debts = tuple[tuple[int, int], ...]


def pack_debts(debts: Iterable[tuple[int, int]]) -> bytes:
    """Return debts, slot and amount remaining of each, as the cells keep them.

    Raises:
        OverflowError: an amount that no double-long carries.
        ValueError: more debts than an account has charges.
    """
    packed = b"".join(bytes([slot]) + amount.to_bytes(4, "big") for slot, amount in debts)
    if len(packed) > DEBTS:
        raise ValueError(f"more than {MAX_CHARGES} debts")
    return packed.ljust(DEBTS, bytes([_NO_SLOT]))


def unpack_debts(octets: bytes) -> Debts:
    """Return what ``pack_debts`` has packed."""
    rows = (octets[at : at + _DEBT] for at in range(0, len(octets), _DEBT))
    return tuple((row[0], int.from_bytes(row[1:], "big")) for row in rows if row[0] != _NO_SLOT)


class Registers(Struct, frozen=True):
    """The energy registers beside the import total, and the rate that is active.

    Args:
        exported: the export total, Wh.
        rate: the rate register that counts now, from 0; of no account without rates.
        imported_1: import register of the first rate, and so on.
        exported_1: export register of the first rate, and so on.
    """

    exported: int = 0
    rate: int = 0
    imported_1: int = 0
    imported_2: int = 0
    imported_3: int = 0
    imported_4: int = 0
    exported_1: int = 0
    exported_2: int = 0
    exported_3: int = 0
    exported_4: int = 0

    @property
    def imported_rates(self) -> tuple[int, int, int, int]:
        """The import registers by rate."""
        return (self.imported_1, self.imported_2, self.imported_3, self.imported_4)

    @property
    def exported_rates(self) -> tuple[int, int, int, int]:
        """The export registers by rate."""
        return (self.exported_1, self.exported_2, self.exported_3, self.exported_4)


class PriceList(Struct, frozen=True):
    """Prices as class 113 carries them: each ``price`` x 10^``scale``.

    Args:
        rates: how many of the prices count; 0 for no price list at all.
        scale: price_scale.
        prices: charge_per_unit by rate; those that do not count are 0.
    """

    rates: int = 0
    scale: int = 0
    prices: tuple[int, ...] = (0,) * MAX_RATES

    @classmethod
    def of(cls, scale: int, prices: tuple[int, ...]) -> "PriceList":
        """Return the list of these prices, 1 to ``MAX_RATES`` of them."""
        return cls(len(prices), scale, (*prices, *(0,) * MAX_RATES)[:MAX_RATES])

    @property
    def counting(self) -> tuple[int, ...]:
        """The prices that count."""
        return self.prices[: self.rates]


class ChargeTerms(Struct, frozen=True):
    """What a head-end has changed of one charge.

    Args:
        slot: of the charge.
        rates: prices in force that count, 0: those of the profile.
        scale: price_scale of them.
        price_1: charge_per_unit of the first rate, and so on.
        next_rates: passive prices that count, 0: there are none.
        next_scale: price_scale of them.
        next_1: charge_per_unit of the first rate, and so on.
        activation: when the passive prices take over; -1 for never.
        activation_stamp: the same as it was given.
        proportion: in 1/10000, -1: that of the profile.
        when: collection_configuration, bit 0 first, -1: that of the profile.
    """

    slot: int = 0
    rates: int = 0
    scale: int = 0
    price_1: int = 0
    price_2: int = 0
    price_3: int = 0
    price_4: int = 0
    next_rates: int = 0
    next_scale: int = 0
    next_1: int = 0
    next_2: int = 0
    next_3: int = 0
    next_4: int = 0
    activation: int = -1
    activation_stamp: bytes = _NEVER
    proportion: int = -1
    when: int = -1

    @property
    def number(self) -> int:
        """Its place in the order."""
        return self.slot

    @property
    def active(self) -> PriceList:
        """The prices in force."""
        prices = (self.price_1, self.price_2, self.price_3, self.price_4)
        return PriceList(self.rates, self.scale, prices)

    @property
    def passive(self) -> PriceList:
        """The prices that wait."""
        prices = (self.next_1, self.next_2, self.next_3, self.next_4)
        return PriceList(self.next_rates, self.next_scale, prices)


class AccountTerms(Struct, frozen=True):
    """What a head-end has changed of the account; ``AS_MADE`` where the profile's holds.

    Args:
        low_threshold: low_credit_threshold.
        emergency_threshold: next_credit_available_threshold.
        clearance: clearance_threshold.
        max_provision: the most that debts collect in one period.
        provision_period: of that, in s.
        debt_share: what debts take of a payment together, in 1/10000.
    """

    low_threshold: int = AS_MADE
    emergency_threshold: int = AS_MADE
    clearance: int = AS_MADE
    max_provision: int = AS_MADE
    provision_period: int = AS_MADE
    debt_share: int = AS_MADE


class TokenShares(Struct, frozen=True):
    """token_gateway_configuration: percent of a token for each credit; -1: it is not named.

    Args:
        token: the token credit's.
        emergency: the emergency credit's.
    """

    token: int = 100
    emergency: int = -1


class Regime(Struct, frozen=True):
    """Who keeps the balance; -1: whom the profile names."""

    mode: int = -1


class Plan(Struct, frozen=True):
    """An activation or a closing that waits for its moment.

    Args:
        kind: of the order, 0 for no plan.
        id: of the order.
        at: its moment.
        sequence: of the first snapshot, and its other fields.
        anchor: ordinal of a local day on which a period begins, -1: that of the opening.
        debts: that are brought along, packed.
    """

    kind: int = 0
    id: bytes = bytes(ID_LENGTH)
    at: int = -1
    sequence: int = 0
    balance: int = 0
    emergency: int = 0
    as_of: bytes = _NEVER
    anchor: int = -1
    debts: bytes = pack_debts(())


class Settled(Struct, frozen=True):
    """What the last closing left to be settled by invoice, or the head-end was handed over.

    Args:
        id: of the order; zeros where there was none.
        time: of the closing; -1: there was none yet.
        imported: the registers then, Wh.
        balance: what the customer gets back, or owes where it is below 0.
        returned: what came back of standing charges; it is in the balance.
        debts: what remained of each, packed.
    """

    id: bytes = bytes(ID_LENGTH)
    time: int = -1
    imported: int = 0
    exported: int = 0
    balance: int = 0
    returned: int = 0
    debts: bytes = pack_debts(())


class CarriedOut(Struct, frozen=True):
    """An activation or a closing that was ordered for a moment and done then.

    A head-end that prices energy itself was not there to read the registers.

    Args:
        number: since manufacture.
        id: of the order.
        kind: of the order.
        time: when it was done.
        imported: the registers then, Wh.
        exported: likewise.
    """

    number: int = 0
    id: bytes = bytes(ID_LENGTH)
    kind: int = 0
    time: int = -1
    imported: int = 0
    exported: int = 0

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % CARRIED_OUT_KEPT


class TokenRecord(Struct, frozen=True):
    """One row of the token log: a token that came, taken or not.

    Args:
        number: since manufacture.
        time: when.
        id: zeros where it had none that is true.
        delivery: how it came, ``DeliveryMethod``.
        status: how far it came, ``TokenStatusCode``.
        outcome: what came of it.
        gross: what it carried; 0 unless it was true.
        credited: what of that came to the balance.
    """

    number: int = 0
    time: int = -1
    id: bytes = bytes(ID_LENGTH)
    delivery: int = 0
    status: int = 0
    outcome: Outcome = Outcome.DONE
    gross: int = 0
    credited: int = 0

    @property
    def slot(self) -> int:
        """Its place in the ring."""
        return self.number % TOKENS_KEPT

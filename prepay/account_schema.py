"""The tables of a profile's file that say what is charged for: ``[[charges]]`` and ``[debts]``."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated, Final, Literal, get_args

from prepay.account_rules import MAX_CHARGES, DebtRules, RulesError
from prepay.charge import MAX_RATES, Charge, ChargeError, ChargeType, Tariff, When
from prepay.money import Currency, parse_amount
from prepay.schema_table import Limits, Table, Text

_TYPES: Final = {
    "consumption": ChargeType.CONSUMPTION,
    "time": ChargeType.TIME,
    "payment": ChargeType.PAYMENT_EVENT,
}
_Situation = Literal["disconnected", "limited", "friendly"]
_SITUATIONS: Final = get_args(_Situation)
_Base = Literal["payment", "rest"]

#: Turns what a rule refuses into a profile's error at a key.
At = Callable[..., AbstractContextManager[None]]


class ChargeTable(Table, keys={"register_": "register"}):
    """One charge, as it is written."""

    name: Annotated[str, Limits(min_length=1, max_length=32)]
    type: Literal["consumption", "time", "payment"]
    priority: int = 1
    until_paid: bool = False
    when: Annotated[list[_Situation], Limits(max_length=3)] | None = None
    register_: Text | None = None
    price: Text | None = None
    prices: Annotated[list[Text], Limits(min_length=1, max_length=MAX_RATES)] | None = None
    amount: Text = "0"
    period_days: int = 0
    proportion: int = 0
    of: _Base = "payment"


class DebtsTable(Table):
    """What the debts together take of a top-up, as it is written."""

    proportion: int = 0
    of: _Base = "payment"
    amount: Text = "0"
    max_provision: Text = "0"
    provision_period: int = 0


#: All charges of a file.
ChargeTables = Annotated[list[ChargeTable], Limits(min_length=1, max_length=MAX_CHARGES)]


def charge_of(table: ChargeTable, place: int, currency: Currency, at: At) -> Charge:
    """Return the charge that a table describes.

    Args:
        table: as read.
        place: its place in the list.
        currency: of its amounts.
        at: names the key of what is refused.
    """
    tariffs = tuple(_tariffs(table, place, at))
    with at("charges", place, "amount"):
        amount = parse_amount(table.amount, currency)
        Tariff.of_amount(amount, currency)  # class 113 has to carry it, too
    when = _SITUATIONS if table.when is None else table.when
    with at("charges", place, "when"):
        if len(set(when)) != len(when):
            raise ChargeError("when", "a situation is there twice")
    try:
        return Charge(
            name=table.name,
            type=_TYPES[table.type],
            priority=table.priority,
            continuous=not table.until_paid,
            when=When(*(situation in when for situation in _SITUATIONS)),
            register=table.register_ or "",
            tariffs=tariffs,
            amount=amount,
            period_days=table.period_days,
            proportion=table.proportion,
            of_rest=table.of == "rest",
        )
    except ChargeError as error:
        with at("charges", place, error.field):
            raise


def _tariffs(table: ChargeTable, place: int, at: At) -> list[Tariff]:
    with at("charges", place, "price"):
        if table.price is not None and table.prices is not None:
            raise ChargeError("price", "one price, or prices by rate, not both")
    if table.price is not None:
        with at("charges", place, "price"):
            return [Tariff.per_kwh(table.price)]
    with at("charges", place, "prices"):
        return [Tariff.per_kwh(price) for price in table.prices or ()]


def debts_of(table: DebtsTable | None, currency: Currency, at: At) -> DebtRules:
    """Return what a file says about debts; nothing is taken where it says nothing.

    Args:
        table: as read.
        currency: of its amounts.
        at: names the key of what is refused.
    """
    if table is None:
        return DebtRules()
    amounts = {}
    for key in ("amount", "max_provision"):
        with at("debts", key):
            amounts[key] = parse_amount(getattr(table, key), currency)
    try:
        return DebtRules(
            proportion=table.proportion,
            of_rest=table.of == "rest",
            provision_period=table.provision_period,
            **amounts,
        )
    except RulesError as error:
        with at(*error.where):
            raise

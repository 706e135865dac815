"""What an account begins with: balance and debts of before, start credit, and the moment."""

from datetime import date, datetime, time
from typing import Final

from msgspec import Struct, field

from headend.line import Line
from headend.plans.planning import stamp
from headend.store.transactions import Parameters
from prepay.ledger import Post, Reason, credit_post


class Opening(Struct, frozen=True):
    """What the customer brings to an account that is opened, and when that is.

    Args:
        balance: of before, minor units.
        debts: slot and amount of each.
        anchor: a day on which a period of the standing charges begins; None for the first day.
        at: the planned moment; None for now.
        start_credit: whether the profile's start credit is given.
        paid: the last day that standing charges were paid for, to the meter before this one.
        noted: kept with the transaction, and not sent.
    """

    balance: int = 0
    debts: tuple[tuple[int, int], ...] = ()
    anchor: date | None = None
    at: datetime | None = None
    start_credit: bool = True
    paid: date | None = None
    noted: Parameters = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but the profile's start credit to say."""
        return self == PLAIN

    def first_balance(self, line: Line, held: int) -> int:
        """Return the first balance, where ``held`` is there already."""
        brought = held + self.balance
        return line.profile.start_credit.first_balance(brought) if self.start_credit else brought

    def posts(self, line: Line, identity: str, held: int) -> list[Post]:
        """Return what of the first balance was brought and what is start credit."""
        advance = self.first_balance(line, held) - held - self.balance
        parts = ((Reason.OPENING, self.balance), (Reason.START_CREDIT, advance))
        told = [(reason, amount) for reason, amount in parts if amount]
        return [
            credit_post(identity, reason, amount, line.now, leg)
            for leg, (reason, amount) in enumerate(told)
        ]

    def parameters(self, line: Line) -> Parameters:
        """Return what is sent of it beside the balance."""
        if self.is_plain:
            return {}
        values: dict[str, int | str] = {
            "debts": " ".join(f"{slot}:{amount}" for slot, amount in self.debts)
        }
        for name, day in (("anchor", self.anchor), ("paid", self.paid)):
            if day is not None:
                midnight = datetime.combine(day, time(), line.profile.zone)
                values[name] = stamp(line, midnight)
        if self.at is not None:
            values["at"] = stamp(line, self.at)
        return {**values, **self.noted}


PLAIN: Final = Opening()

"""What becomes of a payment: the order of a top-up, step by step.

Each step takes from what the steps before have left, and the rest is the customer's. The steps
are those of the profile; what each may take stands in the table of the rule book.

    payment ->  balance  ->  fee, VAT ...  ->  debts, within share and provision  ->  credit
                (set aside)  (charges)         (charges, by priority)                (the rest)

What is set aside and the rest come to the credits. Of them a share may repay the emergency credit
(``repayment``): what had been used of it is then owed beside the balance, and shrinks by that
share; the balance gets the other.
"""

from msgspec import Struct

from obis.values import replace
from prepay.account_rules import AccountRules
from prepay.charge import BALANCE_STEP, CREDIT_STEP, DEBTS_STEP, WHOLE
from prepay.credit import PERCENT, CreditRules
from prepay.holdings import NEVER, Advance, ChargeState, Provision, Purse


class Share(Struct, frozen=True):
    """What one step has taken of a payment: a charge by its name, "balance", or "credit"."""

    name: str
    amount: int


class TopUp(Struct, frozen=True):
    """What became of a payment.

    Args:
        purse: after it.
        shares: in the order of the steps, only those that took something; their sum is the
            payment. What repays an advance that is owed beside the balance is in them.
        credited: what came to the credits, such a repayment among it.
    """

    purse: Purse
    shares: tuple[Share, ...]
    credited: int


def top_up(
    rules: AccountRules, purse: Purse, amount: int, at_ms: int, *, advanced: bool = False
) -> TopUp:
    """Share out a payment.

    Args:
        rules: of the account.
        purse: before.
        amount: of the payment, in minor units.
        at_ms: now; the provision period is counted by it.
        advanced: the emergency credit is taken.

    Raises:
        TopUpTooSmall: not above 0.
        TopUpTooLarge: above the greatest top-up.
        CreditTooLarge: the balance would rise above the greatest credit.
    """
    shared = _Sharing(rules, purse, amount, at_ms)
    for step in rules.order:
        shared.take(step)
    charged = sum(shared.collected.values())
    after = _repaid(rules.credit, shared.purse_after(charged), purse.balance, advanced)
    rules.limits.check_payment(amount, after.balance, rules.currency)
    return TopUp(after, tuple(shared.shares), amount - charged)


class _Sharing:
    """A payment on its way through the steps."""

    def __init__(self, rules: AccountRules, purse: Purse, amount: int, at_ms: int) -> None:
        self._rules = rules
        self._purse = purse
        self._payment = amount
        self._left = amount
        self._at = at_ms
        self._provision = purse.provision
        self.collected: dict[int, int] = {}
        self.shares: list[Share] = []

    def take(self, step: str) -> None:
        """Let one step take its part."""
        if step == BALANCE_STEP:
            self._give(step, max(-self._purse.balance, 0))
        elif step == CREDIT_STEP:
            self._give(step, self._left)
        elif step == DEBTS_STEP:
            self._pay_debts()
        else:
            slot = self._rules.slot_of(step)
            charge = self._rules.charges[slot]
            self._charge(slot, self._asked(charge.amount, charge.proportion, charge.of_rest))

    def purse_after(self, charged: int) -> Purse:
        """Return the purse once the payment is booked."""
        totals = self._purse.totals
        totals = replace(totals, paid=totals.paid + self._payment, charged=totals.charged + charged)
        changed: dict[int, ChargeState] = {
            slot: self._purse.charges[slot].collected(amount, self._at)
            for slot, amount in self.collected.items()
        }
        charges = tuple(changed.get(state.slot, state) for state in self._purse.charges)
        return replace(self._purse, totals=totals, charges=charges, provision=self._provision)

    def _asked(self, amount: int, proportion: int, of_rest: bool) -> int:
        if not proportion:
            return amount
        return (self._left if of_rest else self._payment) * proportion // WHOLE

    def _give(self, name: str, asked: int) -> int:
        """Take at most what is left, and say how much it was."""
        amount = min(asked, self._left)
        if amount > 0:
            self._left -= amount
            self.shares.append(Share(name, amount))
        return max(amount, 0)

    def _charge(self, slot: int, asked: int) -> int:
        amount = self._give(self._rules.charges[slot].name, asked)
        if amount:
            self.collected[slot] = amount
        return amount

    def _pay_debts(self) -> None:
        rules = self._rules.debts
        share = self._asked(rules.amount, rules.proportion, rules.of_rest)
        provision = _running(self._provision, rules.provision_period, self._at)
        if rules.max_provision:
            share = min(share, max(rules.max_provision - provision.taken, 0))
        taken = 0
        for slot in self._rules.payment_debts:
            taken += self._charge(slot, min(self._purse.charges[slot].remaining, share - taken))
        if taken and rules.max_provision:
            self._provision = replace(provision, taken=provision.taken + taken)


def _repaid(rules: CreditRules, purse: Purse, before: int, advanced: bool) -> Purse:
    """Return the purse with its share of a payment gone to the emergency credit.

    Args:
        rules: of the credits.
        purse: with all that came to the credits on its balance.
        before: the balance before the payment.
        advanced: the emergency credit is taken.
    """
    owed, came = purse.advance.owed, purse.balance - before
    if rules.repayment is None:  # no share any more: what is still owed comes first
        repaid = min(came, owed)
    else:
        if advanced:  # what has been used of it becomes a debt of its own
            owed = rules.used(before, owed)
        repaid = min(came * rules.repayment // PERCENT, owed)
    if owed - repaid == purse.advance.owed:
        return purse
    return replace(purse, advance=Advance(owed - repaid))


def _running(provision: Provision, period: int, at_ms: int) -> Provision:
    """Return the provision period that a collection of now belongs to.

    A stamp of the future was made by a clock that has been set back since: the period is counted
    from now, with what was taken in it, or it might not end for years.
    """
    if provision.since == NEVER or at_ms >= provision.since + period * 1000:
        return Provision(at_ms, 0)
    return replace(provision, since=min(provision.since, at_ms))

"""The money of an account in local mode, and what happens to it: one door to all of it.

The rules are values (``account_rules``), what the account holds is one (``holdings``), and each
thing that happens is a function from one purse to the next: energy is used (``consumption``),
days begin (``periods``), money comes in (``topup_order``), an account begins and ends
(``billing``). At any moment

    balance = started + paid + adjusted - charged - settled + owed
    charged = the sum of ``paid`` over all charges

in whole minor units. Nothing here reads a clock; a function that has nothing to do returns the
very purse it was given.
"""

from prepay.account_rules import AccountRules, DebtRules, RulesError
from prepay.billing import Opening, Settlement, blank, close_account, open_account
from prepay.consumption import (
    change_prices,
    collect_consumption,
    collect_uncollected,
    collected,
    cost_of,
    rebased,
)
from prepay.holdings import (
    NEVER,
    Advance,
    BalanceOutOfRange,
    ChargeState,
    DebtOutOfRange,
    NoSuchCharge,
    Provision,
    Purse,
    Readings,
    Situation,
    Totals,
    adjust,
    set_remaining,
)
from prepay.periods import clock_set, collect_time
from prepay.topup_order import Share, TopUp, top_up

__all__ = [
    "NEVER",
    "AccountRules",
    "Advance",
    "BalanceOutOfRange",
    "ChargeState",
    "DebtOutOfRange",
    "DebtRules",
    "NoSuchCharge",
    "Opening",
    "Provision",
    "Purse",
    "Readings",
    "RulesError",
    "Settlement",
    "Share",
    "Situation",
    "TopUp",
    "Totals",
    "adjust",
    "blank",
    "change_prices",
    "clock_set",
    "close_account",
    "collect_consumption",
    "collect_time",
    "collect_uncollected",
    "collected",
    "cost_of",
    "open_account",
    "rebased",
    "set_remaining",
    "top_up",
]

"""The cut: a decision table, checked against the same rules told as a story."""

from itertools import product

import pytest

from prepay.credit import CreditRules, EmergencySelection, Standing, standing
from prepay.cut import CREDIT_LEFT, Arm, BalanceMode, Reason, Supply, Verdict, judge

WALLONIA = CreditRules(
    emergency_amount=1200,
    emergency_selection=EmergencySelection.BUTTON,
    window_void_in_emergency=True,
)
ISRAEL = CreditRules(limit=-5000)

LEFT = standing(WALLONIA, 100, False)
USED_UP = standing(WALLONIA, -300, False)
IN_EMERGENCY = standing(WALLONIA, -300, True)
EMERGENCY_USED_UP = standing(WALLONIA, -1200, True)
DEBT_ATE_IT = standing(WALLONIA, -1200, False)
CENTRAL, LOCAL = BalanceMode


def verdict(
    mode: BalanceMode,
    credit: Standing,
    *,
    active: bool = True,
    friendly: bool = False,
    armed: Arm = Arm.ARMED,
    clock_known: bool = True,
    already_cut: bool = False,
    protected: bool = False,
    never_cut: bool = False,
) -> Verdict:
    """Judge with the usual values for what a case does not speak of."""
    return judge(
        mode,
        active,
        credit,
        friendly=friendly,
        armed=armed,
        clock_known=clock_known,
        already_cut=already_cut,
        protected=protected,
        never_cut=never_cut,
    )


FULL, LIMITED, NONE = Supply


@pytest.mark.parametrize("mode", BalanceMode)
class TestInBothModes:
    """What does not depend on who keeps the balance."""

    def test_credit_means_supply_at_once(self, mode: BalanceMode) -> None:
        """Also for a meter that was cut: nothing else has to happen."""
        for cut, known in product((False, True), repeat=2):
            answer = verdict(mode, LEFT, already_cut=cut, clock_known=known)
            assert answer == Verdict(FULL, Reason.CREDIT_LEFT)

    def test_used_up_and_no_window_is_a_cut(self, mode: BalanceMode) -> None:
        """Armed, where that is needed."""
        assert verdict(mode, USED_UP) == Verdict(NONE, Reason.USED_UP)

    def test_a_window_holds_the_cut_back(self, mode: BalanceMode) -> None:
        """The balance goes on falling; the cut is judged again when the window ends."""
        assert verdict(mode, USED_UP, friendly=True) == Verdict(FULL, Reason.FRIENDLY_WINDOW)

    def test_a_window_does_not_bring_back_a_supply_that_was_cut_before(
        self, mode: BalanceMode
    ) -> None:
        """Friday 15:00 cut, Friday 16:00 still cut."""
        answer = verdict(mode, USED_UP, friendly=True, already_cut=True)
        assert answer == Verdict(NONE, Reason.STILL_CUT)

    def test_emergency_credit_supplies(self, mode: BalanceMode) -> None:
        """The button brings the supply back by itself."""
        assert verdict(mode, IN_EMERGENCY, already_cut=True).supply

    def test_a_window_is_void_once_emergency_credit_was_taken(self, mode: BalanceMode) -> None:
        """Wallonia: with the advance used up the cut comes on Saturday too."""
        assert verdict(mode, EMERGENCY_USED_UP, friendly=True) == Verdict(NONE, Reason.USED_UP)

    def test_a_window_holds_for_who_has_not_taken_emergency_credit(self, mode: BalanceMode) -> None:
        """Though night-time debt has eaten all of it."""
        assert verdict(mode, DEBT_ATE_IT, friendly=True).supply

    def test_without_the_time_there_is_no_cut(self, mode: BalanceMode) -> None:
        """There may be a window; but what was cut stays cut."""
        answer = verdict(mode, USED_UP, clock_known=False)
        assert answer == Verdict(FULL, Reason.CLOCK_UNKNOWN)
        assert not verdict(mode, USED_UP, clock_known=False, already_cut=True).supply

    def test_without_prepayment_there_is_supply(self, mode: BalanceMode) -> None:
        """Deactivation ends a cut."""
        answer = verdict(mode, USED_UP, active=False, already_cut=True)
        assert answer == Verdict(FULL, Reason.NOT_PREPAID)

    def test_a_protected_customer_has_minimum_supply_in_place_of_a_cut(
        self, mode: BalanceMode
    ) -> None:
        """Energy flows, as far as the limiter lets it; and so it stays, in a window too."""
        answer = verdict(mode, USED_UP, protected=True)
        assert answer == Verdict(LIMITED, Reason.MINIMUM)
        assert answer.supply
        assert answer.limited
        for friendly, known in product((False, True), repeat=2):
            later = verdict(
                mode,
                USED_UP,
                protected=True,
                already_cut=True,
                friendly=friendly,
                clock_known=known,
            )
            assert later == Verdict(LIMITED, Reason.STILL_MINIMUM)

    def test_what_holds_a_cut_back_holds_minimum_supply_back(self, mode: BalanceMode) -> None:
        """A window, and a clock that may be in one."""
        held = verdict(mode, USED_UP, protected=True, friendly=True)
        assert held == Verdict(FULL, Reason.FRIENDLY_WINDOW)
        assert not verdict(mode, USED_UP, protected=True, clock_known=False).limited

    def test_protection_given_to_who_is_cut_brings_minimum_supply(self, mode: BalanceMode) -> None:
        """And taken away, it ends in the cut that stood: in a window too."""
        assert verdict(mode, USED_UP, protected=True, already_cut=True).limited
        answer = verdict(mode, USED_UP, already_cut=True, friendly=True)
        assert answer == Verdict(NONE, Reason.STILL_CUT)

    def test_never_cut_is_never_cut(self, mode: BalanceMode) -> None:
        """Whatever else is so; protection would be less, and gives way."""
        for cut, known, protected in product((False, True), repeat=3):
            answer = verdict(
                mode,
                EMERGENCY_USED_UP,
                never_cut=True,
                already_cut=cut,
                clock_known=known,
                protected=protected,
            )
            assert answer == Verdict(FULL, Reason.NEVER_CUT)


def test_an_overdraft_is_credit() -> None:
    """Israel: down to ILS -50."""
    assert verdict(LOCAL, standing(ISRAEL, -4999, False)).supply
    assert not verdict(LOCAL, standing(ISRAEL, -5000, False)).supply


def test_a_local_meter_needs_no_arm() -> None:
    """It owns the balance."""
    for arm in Arm:
        assert not verdict(LOCAL, USED_UP, armed=arm).supply


@pytest.mark.parametrize(
    ("armed", "already_cut", "protected", "supply", "reason"),
    [
        (Arm.NONE, False, False, FULL, Reason.NOT_ARMED),
        (Arm.EXPIRED, False, False, FULL, Reason.ARM_LAPSED),
        (Arm.ANOTHER_SEQUENCE, False, False, FULL, Reason.ARM_LAPSED),
        (Arm.ARMED, False, False, NONE, Reason.USED_UP),
        (Arm.ARMED, True, False, NONE, Reason.STILL_CUT),
        (Arm.NONE, True, False, FULL, Reason.NOT_ARMED),
        (Arm.EXPIRED, True, False, NONE, Reason.STILL_CUT),
        (Arm.ANOTHER_SEQUENCE, True, False, NONE, Reason.STILL_CUT),
        (Arm.NONE, False, True, FULL, Reason.NOT_ARMED),
        (Arm.EXPIRED, False, True, FULL, Reason.ARM_LAPSED),
        (Arm.ANOTHER_SEQUENCE, False, True, FULL, Reason.ARM_LAPSED),
        (Arm.ARMED, False, True, LIMITED, Reason.MINIMUM),
        (Arm.ARMED, True, True, LIMITED, Reason.STILL_MINIMUM),
        (Arm.NONE, True, True, FULL, Reason.NOT_ARMED),
        (Arm.EXPIRED, True, True, LIMITED, Reason.STILL_MINIMUM),
        (Arm.ANOTHER_SEQUENCE, True, True, LIMITED, Reason.STILL_MINIMUM),
    ],
)
def test_a_central_meter_begins_a_cut_only_while_armed(
    armed: Arm, already_cut: bool, protected: bool, supply: Supply, reason: Reason
) -> None:
    """A disarm ends a cut; the expiry and the next morning's snapshot do not."""
    answer = verdict(CENTRAL, USED_UP, armed=armed, already_cut=already_cut, protected=protected)
    assert answer == Verdict(supply, reason)


def test_the_table_says_what_the_story_says() -> None:
    """Every combination of the inputs, against the rules written down as sentences."""
    standings = [LEFT, USED_UP, IN_EMERGENCY, EMERGENCY_USED_UP, DEBT_ATE_IT]
    flags = product((False, True), repeat=6)
    cases = list(product(BalanceMode, standings, Arm, flags))
    for mode, credit, arm, (active, friendly, known, cut, protected, never) in cases:
        answer = verdict(
            mode,
            credit,
            active=active,
            friendly=friendly,
            armed=arm,
            clock_known=known,
            already_cut=cut,
            protected=protected,
            never_cut=never,
        )
        owes = active and credit.out_of_credit and not never
        ends = not owes or _story(mode, credit, arm, friendly, known, cut)
        told = FULL if ends else LIMITED if protected else NONE
        case = (mode, credit.balance, arm, active, friendly, known, cut, protected, never)
        assert answer.flow is told, case
        assert (answer.supply, answer.limited) == (told is not NONE, told is LIMITED)
        # what is taken for granted of who has credit left, without a look at the rest
        assert (answer == CREDIT_LEFT) is (active and not credit.out_of_credit), case
    assert len(cases) == 2 * 5 * 4 * 64


def _story(
    mode: BalanceMode,
    credit: Standing,
    arm: Arm,
    friendly: bool,
    known: bool,
    cut: bool,
) -> bool:
    """Say whether who owes, and is not exempt, has his whole supply all the same."""
    if mode is CENTRAL and arm is Arm.NONE:
        return True
    if cut:
        return False
    may_begin = mode is LOCAL or arm is Arm.ARMED
    protected = not known or (friendly and not credit.window_void)
    return not may_begin or protected

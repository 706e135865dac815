"""token_gateway_configuration (class 111, attribute 12): how a token is split between credits."""

from collections.abc import Iterator

import pytest

from meter_fw.kernel import Kernel
from meter_fw.money_state import TokenShares
from meter_fw.view import Caller
from obis import catalogue
from obis.values import replace
from prepay.cut import BalanceMode
from prepay.profile import load_profile
from prepay.transactions import Kind
from protocol.axdr import (
    Data,
    array,
    double_long,
    integer,
    long_unsigned,
    octet_string,
    structure,
    unsigned,
)
from protocol.codes import ActionResult, DataAccessResult
from protocol.cosem import vendor
from sim.flash import MemoryFlash
from tests.meter_fw.accounts import DONE, account, balanced, made, opened, opening, settlement
from tests.meter_fw.powercut import Remains, run_with_every_cut
from tests.meter_fw.rig import PUBLIC, READER, Rig

TOKEN, EMERGENCY = catalogue.TOKEN_CREDIT, catalogue.EMERGENCY_CREDIT
SCOPE = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
TYPE = DataAccessResult.TYPE_UNMATCHED
T, E = TOKEN.to_bytes(), EMERGENCY.to_bytes()
#: Be-wal with its balance in the meter: an advance of 12.00 by button, offered at 0.
WALLOON = replace(load_profile("be-wal"), mode=BalanceMode.LOCAL)


def shares(*named: tuple[bytes, int]) -> Data:
    """Return the attribute as it goes over the line."""
    return array(*(structure(octet_string(name), unsigned(part)) for name, part in named))


def set_shares(rig: Rig, *named: tuple[bytes, int]) -> DataAccessResult:
    """Write the attribute."""
    return rig.set(catalogue.ACCOUNT, 111, shares(*named), 12)


def read(rig: Rig) -> list[tuple[bytes, int]]:
    """Read the attribute."""
    return [(row.value[0].value, row.value[1].value) for row in account(rig, 12)]


def emergency(rig: Rig, index: int) -> object:
    """Return the plain value of an attribute of the emergency credit."""
    found = rig.get(EMERGENCY, 112, index)
    assert isinstance(found, Data)
    return found.value


def spent(*named: tuple[bytes, int], balance: int = -1200) -> Rig:
    """Return a meter with these shares, the advance taken, and a balance."""
    rig = opened(WALLOON, 0)
    if named:
        assert set_shares(rig, *named) is DONE
    assert rig.act(EMERGENCY, 112, 3, integer(0)) is ActionResult.SUCCESS
    assert rig.order(1, Kind.ADJUST, balance) is DONE
    return rig


def test_as_made_all_of_a_token_goes_to_the_token_credit() -> None:
    """And what is used of the emergency credit is repaid by it, first and whole."""
    rig = spent()
    assert read(rig) == [(T, 100)]
    rig.enter(rig.token(5, 1_000))
    assert (rig.balance, emergency(rig, 2), account(rig, 6)) == (-200, 1_000, 200)
    assert rig.kernel.state.advance.owed == 0


@pytest.mark.parametrize(
    ("named", "then"),
    [
        ([], []),
        ([(T, 100)], [(T, 100)]),
        ([(T, 0)], [(T, 0)]),
        ([(T, 70), (E, 30)], [(T, 70), (E, 30)]),
        ([(E, 30), (T, 70)], [(T, 70), (E, 30)]),
        ([(E, 100)], [(E, 100)]),
        ([(T, 20), (E, 20)], [(T, 20), (E, 20)]),
        ([(T, 0), (E, 0)], [(T, 0), (E, 0)]),
    ],
)
def test_what_is_named_is_read_back_by_priority(
    named: list[tuple[bytes, int]], then: list[tuple[bytes, int]]
) -> None:
    """Also after the meter was switched off."""
    rig = opened(WALLOON)
    assert set_shares(rig, *named) is DONE
    assert read(rig) == then
    rig.boot()
    assert read(rig) == then


@pytest.mark.parametrize(
    ("value", "answer", "why"),
    [
        (shares((T, 101)), SCOPE, "above the whole"),
        (shares((T, 255)), SCOPE, "as far above as an unsigned goes"),
        (shares((T, 71), (E, 30)), SCOPE, "101 together"),
        (shares((T, 50), (T, 50)), SCOPE, "a credit twice"),
        (shares((T, 50), (E, 25), (E, 25)), SCOPE, "more rows than credits"),
        (shares((catalogue.CHARGES[0].to_bytes(), 10)), SCOPE, "a charge is no credit"),
        (shares((bytes(6), 10)), SCOPE, "no object at all"),
        (shares((T[:5], 10)), TYPE, "not a logical name"),
        (shares((b"", 10)), TYPE, "not a logical name"),
        (structure(octet_string(T), unsigned(100)), TYPE, "not an array"),
        (array(octet_string(T)), TYPE, "not an array of structures"),
        (array(structure(octet_string(T))), TYPE, "without a percentage"),
        (array(structure(octet_string(T), long_unsigned(100))), TYPE, "a wider percentage"),
        (array(structure(unsigned(100), octet_string(T))), TYPE, "the other way round"),
    ],
)
def test_what_is_refused_is_refused_by_name_and_changes_nothing(
    value: Data, answer: DataAccessResult, why: str
) -> None:
    """Scope of access violated for what contradicts the account, type unmatched for the form."""
    rig = opened(WALLOON)
    assert set_shares(rig, (T, 70), (E, 30)) is DONE
    held = rig.kernel.state.shares
    assert rig.set(catalogue.ACCOUNT, 111, value, 12) is answer, why
    assert rig.kernel.state.shares is held


def test_an_account_without_an_emergency_credit_names_the_token_credit_alone() -> None:
    """Israel has none: naming it is naming a credit that the account has not got."""
    rig = opened()
    assert set_shares(rig, (T, 70), (E, 30)) is SCOPE
    assert set_shares(rig, (T, 70)) is DONE


@pytest.mark.parametrize(
    ("caller", "answer"),
    [
        (READER, DataAccessResult.READ_WRITE_DENIED),
        (PUBLIC, DataAccessResult.OBJECT_UNDEFINED),
    ],
)
def test_only_the_management_may_share_tokens_out(caller: Caller, answer: DataAccessResult) -> None:
    """A reader may not, and the public client sees no account."""
    rig = opened(WALLOON)
    asked = rig.set(catalogue.ACCOUNT, 111, shares((T, 70), (E, 30)), 12, caller=caller)
    assert asked is answer
    assert rig.kernel.state.shares == TokenShares()


def test_a_share_of_a_token_repays_the_emergency_credit() -> None:
    """12.00 used; of 10.00 30 % repay it: 7.00 of credit, 9.00 owed, and supply is back."""
    rig = spent((T, 70), (E, 30))
    assert (rig.relay, account(rig, 3)) == ("ready_for_reconnection", 2)
    rig.enter(rig.token(5, 1_000))
    assert (rig.balance, emergency(rig, 2)) == (700, 300)
    assert account(rig, 3) == 0
    assert (account(rig, 5), account(rig, 6)) == (700, 200)
    assert emergency(rig, 7) == "11101"  # tokens repay it
    assert rig.relay == "connected"
    assert balanced(rig)
    rig.boot()
    assert (rig.balance, emergency(rig, 2)) == (700, 300)


def test_what_is_owed_is_repaid_token_by_token() -> None:
    """30 % of 10.00, of 20.00, and the last 3.00 of another 20.00."""
    rig = spent((E, 30))
    found = []
    for number, amount in ((5, 1_000), (6, 2_000), (7, 2_000)):
        rig.enter(rig.token(number, amount))
        found.append((rig.balance, emergency(rig, 2), rig.kernel.state.advance.owed))
    assert found == [(700, 300, 900), (2_100, 900, 300), (3_800, 1_200, 0)]


def test_a_share_that_is_withdrawn_leaves_what_is_owed_to_be_repaid_first() -> None:
    """9.00 are owed; of 10.00 all of them, and 1.00 is credit."""
    rig = spent((T, 70), (E, 30))
    rig.enter(rig.token(5, 1_000))
    assert set_shares(rig, (T, 100)) is DONE
    assert rig.balance == 700
    rig.enter(rig.token(6, 1_000))
    assert (rig.balance, rig.kernel.state.advance.owed) == (800, 0)


def test_setting_the_amount_of_the_token_credit_sets_what_it_reads() -> None:
    """What is owed beside it stays owed."""
    rig = spent((E, 30))
    rig.enter(rig.token(5, 1_000))
    assert rig.act(TOKEN, 112, 2, double_long(2_000)) is ActionResult.SUCCESS
    assert (rig.balance, rig.kernel.state.advance.owed) == (2_000, 900)


def test_closing_settles_what_is_owed_and_the_next_account_owes_nothing() -> None:
    """7.00 of credit and 9.00 owed: 2.00 to pay."""
    rig = spent((T, 70), (E, 30))
    rig.enter(rig.token(5, 1_000))
    assert rig.order(2, Kind.DEACTIVATE, None) is DONE
    assert settlement(rig).balance == -200
    assert rig.order(3, Kind.ACTIVATE, opening(rig, 500)) is DONE
    assert (rig.balance, rig.kernel.state.advance.owed, emergency(rig, 2)) == (500, 0, 1_200)
    assert read(rig) == [(T, 70), (E, 30)]


def test_the_head_end_is_handed_one_number() -> None:
    """7.00 less the 9.00: a balance of -2.00 in the snapshot, and nothing owed beside it."""
    rig = spent((T, 70), (E, 30))
    rig.enter(rig.token(5, 1_000))
    change = vendor.ModeChange(BalanceMode.CENTRAL, 9, 0, 0, rig.stamp())
    assert rig.order(2, Kind.MODE, change) is DONE
    assert rig.kernel.state.snapshot.balance == -200
    assert (rig.balance, rig.kernel.state.advance.owed) == (-200, 0)


# --- power cuts --------------------------------------------------------------------------------


def _on(flash: MemoryFlash) -> Rig:
    rig = made(WALLOON)
    rig.flash = flash
    rig.kernel = Kernel(flash, rig.factory, bytes, rig.now)
    return rig


def _lasting(rig: Rig) -> tuple[object, ...]:
    state = rig.kernel.state
    return (state.totals, state.advance, state.shares)


def _shared(flash: MemoryFlash) -> Iterator[tuple[object, ...]]:
    rig = _on(flash)
    yield _lasting(rig)
    set_shares(rig, (T, 70), (E, 30))
    yield _lasting(rig)
    rig.enter(rig.token(5, 1_000))
    yield _lasting(rig)


def test_shares_and_what_is_owed_survive_a_power_cut_at_any_write() -> None:
    """Each is there wholly or not at all; what is owed comes in one record with its token."""
    base = spent()
    assert isinstance(base.flash, MemoryFlash)
    image = base.flash.image

    def make() -> MemoryFlash:
        fresh = MemoryFlash(2, 32 * 1024)
        fresh.fill(image)
        return fresh

    def check(remains: Remains[tuple[object, ...]]) -> None:
        rig = _on(remains.flash)
        assert _lasting(rig) in (remains.before, remains.after)
        set_shares(rig, (T, 70), (E, 30))
        rig.enter(rig.token(5, 1_000))
        assert (rig.balance, rig.kernel.state.advance.owed) == (700, 900)

    assert run_with_every_cut(make, _shared, check) > 5

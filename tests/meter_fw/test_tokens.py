"""Tokens at the gateway (class 115): over the line and keyed in, and the log of both."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meter_fw.kernel import Kernel
from meter_fw.money_state import TOKENS_KEPT
from obis import catalogue
from obis.values import replace
from prepay.tokens import scheme
from prepay.tokens.errors import TokenMalformed
from prepay.topup import TopUpLimits
from prepay.transactions import Kind, Outcome
from protocol.axdr import Data
from protocol.codes import ActionResult
from protocol.cosem.token_gateway import DeliveryMethod, TokenStatusCode
from sim.flash import MemoryFlash
from tests.meter_fw.accounts import PRINCIPAL, balanced, charge, made, opened, priced
from tests.meter_fw.powercut import Remains, run_with_every_cut
from tests.meter_fw.rig import Rig, number


def rows(rig: Rig) -> list[tuple[Any, ...]]:
    """Return the token log without its times."""
    found = rig.get(catalogue.TOKEN_LOG, 7)
    assert isinstance(found, Data)
    return [tuple(cell.value for cell in row.value[1:]) for row in found.value]


def gateway(rig: Rig, index: int) -> Any:
    """Return the plain value of an attribute of the gateway."""
    found = rig.get(catalogue.TOKEN_GATEWAY, 115, index)
    assert isinstance(found, Data)
    return found.value


# --- keyed in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [0, 4, 5], ids=["in one", "by four", "by five"])
def test_a_token_counts_as_well_when_somebody_types_it(group: int) -> None:
    """In groups or not; how it came is written down."""
    rig = opened()
    digits = rig.token(5, 10_000).hex().upper()
    step = group or len(digits)
    text = "-".join(digits[at : at + step] for at in range(0, len(digits), step))
    before = rig.balance
    rig.tick(keyed=(text,))
    assert rig.balance > before
    assert gateway(rig, 5) == DeliveryMethod.MANUAL
    assert rows(rig)[-1][:4] == (number(5), DeliveryMethod.MANUAL, 3, Outcome.DONE)
    rig.boot()
    assert rig.balance > before


@pytest.mark.parametrize("text", ["", " ", "123", "zz" * 37, "0" * 10_000, "ä" * 74, "0" * 74])
def test_what_is_no_token_is_written_down_and_changes_no_balance(text: str) -> None:
    """Whatever somebody types."""
    rig = opened()
    before = rig.kernel.state.totals
    rig.tick(keyed=(text,))
    assert rig.kernel.state.totals is before
    assert rows(rig)[-1] == (
        bytes(16),
        DeliveryMethod.MANUAL,
        TokenStatusCode.FORMAT_FAILED,
        Outcome.TOKEN_FALSE,
        0,
        0,
    )
    assert len(gateway(rig, 2)) <= 64


def test_a_token_that_is_entered_and_also_pushed_counts_once() -> None:
    """Both in one tick or one after the other."""
    rig = opened()
    token = rig.token(5, 10_000)
    rig.tick(keyed=(token.hex(), token.hex()))
    once = rig.balance
    assert rig.enter(token) is ActionResult.OTHER_REASON
    assert rig.balance == once
    assert [row[3] for row in rows(rig)] == [Outcome.DONE, Outcome.TOKEN_USED, Outcome.TOKEN_USED]
    assert [row[1] for row in rows(rig)] == [2, 2, 0]


@given(st.text(max_size=200))
def test_typing_ends_in_octets_or_in_one_named_error(text: str) -> None:
    """Never in a fault."""
    with suppress(TokenMalformed):
        assert len(scheme.typed(text)) == 37


# --- refusals ----------------------------------------------------------------------------------


def limited() -> Rig:
    """Return a meter that takes tokens of up to 300.00 and a balance of up to 400.00."""
    return opened(priced(top_up=TopUpLimits(100, 30_000, 40_000)), 3_000, anchor="2026-11-23")


def test_a_token_above_the_greatest_top_up_is_refused_and_not_used_up() -> None:
    """One agora more than 300.00."""
    rig = limited()
    assert rig.enter(rig.token(5, 30_001)) is ActionResult.OTHER_REASON
    assert rows(rig)[-1] == (number(5), 0, 7, Outcome.OVER_MAX_TOP_UP, 30_001, 0)
    assert rig.balance == 0


def test_a_token_that_would_lift_the_balance_too_high_may_be_entered_again_later() -> None:
    """214.00 from 270.00 are too much with 400.00; 54.00 later they are not."""
    rig = limited()
    rig.enter(rig.token(5, 30_000))  # less 2.00 and 30.00
    assert rig.balance == 26_800
    again = rig.token(6, 15_000)  # 133.00 of it
    assert rig.enter(again) is ActionResult.OTHER_REASON
    assert rows(rig)[-1] == (number(6), 0, 7, Outcome.OVER_MAX_CREDIT, 15_000, 0)
    rig.use(2_000)
    assert rig.enter(again) is ActionResult.SUCCESS
    assert rig.balance == 40_000


def test_the_log_is_a_ring() -> None:
    """The last 32, oldest first; after a power cut too."""
    rig = opened()
    for identity in range(TOKENS_KEPT + 3):
        rig.enter(rig.token(10 + identity, 1_000))
    rig.boot()
    found = [row[0] for row in rows(rig)]
    assert found == [number(10 + identity) for identity in range(3, TOKENS_KEPT + 3)]


def test_the_gateway_names_its_schemes() -> None:
    """The lab token is the only one yet."""
    assert [each.value for each in gateway(made(priced()), 4)] == [b"lab"]


# --- power cuts --------------------------------------------------------------------------------


def _money(rig: Rig) -> tuple[object, ...]:
    state = rig.kernel.state
    ids = tuple(entry.id for entry in state.transactions if entry.kind is Kind.TOKEN)
    return (state.totals, state.charges, state.provision, state.tokens, ids)


def _entered(flash: MemoryFlash) -> Iterator[tuple[object, ...]]:
    """Yield what is durable before a token with shares is entered, and after it."""
    rig = _on(flash)
    yield _money(rig)
    rig.enter(rig.token(5, 20_000))
    yield _money(rig)


def _on(flash: MemoryFlash) -> Rig:
    rig = made(_bounded())
    rig.flash = flash
    rig.kernel = Kernel(flash, rig.factory, bytes, rig.now)
    return rig


def _bounded() -> Any:
    debts = replace(priced().debts, max_provision=5_000, provision_period=86_400)
    return priced(debts=debts)


def test_a_power_cut_at_any_write_leaves_a_token_with_all_its_shares_or_none() -> None:
    """And the token entered once more after it counts once."""
    flash = MemoryFlash(2, 32 * 1024)
    opened(_bounded(), 0, (PRINCIPAL, 50_000), flash=flash)
    image = flash.image

    def make() -> MemoryFlash:
        fresh = MemoryFlash(2, 32 * 1024)
        fresh.fill(image)
        return fresh

    def check(remains: Remains[tuple[object, ...]]) -> None:
        rig = _on(remains.flash)
        assert _money(rig) in (remains.before, remains.after)
        rig.enter(rig.token(5, 20_000))
        assert charge(rig, PRINCIPAL, 12) == 45_000
        assert rig.balance == -3_000 + 20_000 - 200 - 2_000 - 5_000
        assert balanced(rig)

    assert run_with_every_cut(make, _entered, check, torn_seeds=5) == 7  # one record

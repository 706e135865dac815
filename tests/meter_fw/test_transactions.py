"""The transactional door: what each order comes to, once and never twice."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obis import catalogue
from prepay.transactions import REMEMBERED, Kind, Outcome
from protocol import axdr
from protocol.axdr import Data
from protocol.codes import DataAccessResult
from protocol.cosem import vendor
from protocol.cosem_time import CosemDateTime
from tests.meter_fw.rig import NAME, PUBLIC, READER, Rig, number

DONE = DataAccessResult.SUCCESS
REFUSED = DataAccessResult.OTHER_REASON
BAD_ID = DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def active(profile: str = "be-wal", balance: int = 2000) -> Rig:
    """Return a meter with prepayment on, by transaction 0."""
    rig = Rig(profile)
    sequence = 1 if profile == "be-wal" else 0
    assert rig.order(0, Kind.ACTIVATE, rig.snapshot(sequence, balance)) is DONE
    return rig


Given = Callable[[], Rig]

# name, the meter, kind, parameters, outcome, balance after (minor units)
REFUSALS = [
    ("snapshot before activation", Rig, Kind.SNAPSHOT, (1, 500), Outcome.NOT_ACTIVE, 0),
    ("deactivate before activation", Rig, Kind.DEACTIVATE, None, Outcome.NOT_ACTIVE, 0),
    ("activate twice", active, Kind.ACTIVATE, (9, 700), Outcome.ALREADY_ACTIVE, 2000),
    ("same sequence, other balance", active, Kind.SNAPSHOT, (1, 9), Outcome.STALE_SEQUENCE, 2000),
    ("older sequence", active, Kind.SNAPSHOT, (0, 9), Outcome.STALE_SEQUENCE, 2000),
    ("arm for another snapshot", active, Kind.ARM, 7, Outcome.SEQUENCE_MISMATCH, 2000),
    ("adjust a central balance", active, Kind.ADJUST, 5, Outcome.WRONG_MODE, 2000),
    (
        "snapshot to a local meter",
        lambda: active("il", 0),
        Kind.SNAPSHOT,
        (1, 9),
        Outcome.WRONG_MODE,
        0,
    ),
    ("arm a local meter", lambda: active("il", 0), Kind.ARM, 0, Outcome.WRONG_MODE, 0),
    ("disarm a local meter", lambda: active("il", 0), Kind.DISARM, None, Outcome.WRONG_MODE, 0),
    (
        "adjust beyond 32 bits",
        lambda: active("il", 2**31 - 1),
        Kind.ADJUST,
        1,
        Outcome.AMOUNT_OUT_OF_RANGE,
        2**31 - 1,
    ),
    (
        "start with a debt",
        lambda: Rig("il"),
        Kind.ACTIVATE,
        (0, -1),
        Outcome.AMOUNT_OUT_OF_RANGE,
        0,
    ),
]


def parameters(rig: Rig, kind: Kind, given: object) -> object:
    """Return the parameters of an order from their short form in the table."""
    if isinstance(given, tuple):
        return rig.snapshot(*given)
    if kind is Kind.ARM and isinstance(given, int):
        return vendor.Arm(given, rig.stamp("2026-11-26T06:00"))
    return given


@pytest.mark.parametrize(
    ("make", "kind", "given", "outcome", "balance"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
def test_an_order_that_does_not_fit_is_refused_and_its_outcome_can_be_read(
    make: Given, kind: Kind, given: object, outcome: Outcome, balance: int
) -> None:
    """The SET is refused, the reason is the last outcome, and the balance has not moved."""
    rig = make()
    assert rig.order(1, kind, parameters(rig, kind, given)) is REFUSED
    last = rig.last_outcome()
    assert (last.id, last.kind, last.outcome) == (number(1), kind, outcome)
    assert rig.balance == balance


def test_an_arm_that_has_expired_already_is_refused() -> None:
    """A leave to cut that comes too late is no leave."""
    rig = active()
    late = vendor.Arm(1, rig.stamp("2026-11-23T11:59"))
    assert rig.order(1, Kind.ARM, late) is REFUSED
    assert rig.last_outcome().outcome == Outcome.EXPIRED


def test_the_same_order_again_is_answered_as_the_first_time_and_changes_nothing() -> None:
    """A head-end that lost the reply may repeat itself."""
    rig = active("il", 0)
    assert rig.order(1, Kind.ADJUST, 500) is DONE
    assert rig.order(1, Kind.ADJUST, 500) is DONE
    assert rig.balance == 500
    assert len(rig.kernel.state.transactions) == 2


def test_a_refused_order_stays_refused_under_its_id() -> None:
    """Even when it would be welcome by now."""
    rig = Rig()
    first = rig.snapshot(1, 500)
    assert rig.order(1, Kind.SNAPSHOT, first) is REFUSED
    assert rig.order(2, Kind.ACTIVATE, rig.snapshot(0 + 1, 100)) is DONE
    assert rig.order(1, Kind.SNAPSHOT, first) is REFUSED
    assert rig.balance == 100


@pytest.mark.parametrize(("kind", "given"), [(Kind.ADJUST, 501), (Kind.DEACTIVATE, None)])
def test_an_id_that_came_with_another_content_is_refused_as_such(kind: Kind, given: object) -> None:
    """It is answered differently from a refusal by the rules, and leaves no entry."""
    rig = active("il", 0)
    assert rig.order(1, Kind.ADJUST, 500) is DONE
    assert rig.order(1, kind, given) is BAD_ID
    assert rig.balance == 500
    assert rig.kernel.state.account.active


def test_the_same_snapshot_under_a_new_id_is_done_again() -> None:
    """Setting a snapshot that the meter holds is no news and no fault."""
    rig = active()
    pushed = rig.snapshot(2, 777)
    assert rig.order(1, Kind.SNAPSHOT, pushed) is DONE
    assert rig.order(2, Kind.SNAPSHOT, pushed) is DONE


def test_what_was_forgotten_is_refused_and_not_executed_again() -> None:
    """An order older than the meter's memory might have been executed, so it is not."""
    rig = active("il", 0)
    for identity in range(10, 10 + REMEMBERED + 1):
        assert rig.order(identity, Kind.ADJUST, 1) is DONE
    assert rig.order(10, Kind.ADJUST, 1) is BAD_ID
    assert rig.balance == REMEMBERED + 1


@settings(max_examples=30, deadline=None)
@given(ids=st.lists(st.integers(0, 40), max_size=150))
def test_no_id_is_ever_executed_twice_in_whatever_order_they_come(ids: list[int]) -> None:
    """Late, repeated and shuffled orders: each counts once at the most, the young ones always."""
    rig = active("il", 0)
    for identity in ids:
        rig.order(100 + identity, Kind.ADJUST, 1)
    assert rig.balance == len(set(ids))


def test_the_closing_balance_is_the_amount_of_the_deactivation() -> None:
    """That is what the settlement is made from; a local balance is paid out with it."""
    rig = active("il", 0)
    rig.order(1, Kind.ADJUST, 1234)
    assert rig.order(2, Kind.DEACTIVATE) is DONE
    last = rig.last_outcome()
    assert (last.amount, last.balance, rig.balance) == (1234, 0, 0)


MALFORMED = {
    "no structure": axdr.double_long(1),
    "an id of 15 octets": axdr.structure(axdr.octet_string(bytes(15)), axdr.enum(2), axdr.null()),
    "no such kind": axdr.structure(axdr.octet_string(number(1)), axdr.enum(99), axdr.null()),
    "a token as an order": axdr.structure(
        axdr.octet_string(number(1)), axdr.enum(Kind.TOKEN), axdr.null()
    ),
    "a snapshot without parameters": axdr.structure(
        axdr.octet_string(number(1)), axdr.enum(Kind.SNAPSHOT), axdr.null()
    ),
    "an amount for a deactivation": axdr.structure(
        axdr.octet_string(number(1)), axdr.enum(Kind.DEACTIVATE), axdr.double_long(1)
    ),
    "an arm without an expiry": vendor.Order(
        number(1), Kind.ARM, vendor.Arm(1, CosemDateTime())
    ).to_data(),
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_an_order_of_the_wrong_form_is_type_unmatched_and_leaves_no_entry(value: Data) -> None:
    """It has no id that could be remembered."""
    rig = active()
    assert rig.set(catalogue.TRANSACTION, 1, value) is DataAccessResult.TYPE_UNMATCHED
    assert len(rig.kernel.state.transactions) == 1


@pytest.mark.parametrize("caller", [READER, PUBLIC])
def test_only_the_management_client_may_order(caller: object) -> None:
    """A reader may not move money."""
    rig = active("il", 0)
    assert rig.order(1, Kind.ADJUST, 500, caller=caller) is not DONE  # type: ignore[arg-type]  # one of the two above
    assert rig.balance == 0


def test_a_token_counts_once() -> None:
    """Entered again it is used; the answer, the status and the log say so."""
    rig = active("il", 0)
    token = rig.token(5, 10_000)
    assert rig.enter(token).name == "SUCCESS"
    assert rig.enter(token).name == "OTHER_REASON"
    assert rig.balance == 10_000
    status = rig.get(catalogue.TOKEN_GATEWAY, 115, 6)
    assert isinstance(status, Data)
    assert [part.value for part in status.value] == [6, f"{Outcome.TOKEN_USED:08b}"]
    assert [(e.kind, e.outcome) for e in rig.kernel.state.transactions[1:]] == [
        (Kind.TOKEN, Outcome.DONE)
    ]


@pytest.mark.parametrize("bit", range(0, 37 * 8, 7))
def test_a_token_with_a_bit_wrong_is_worth_nothing(bit: int) -> None:
    """Every octet of it is under the check."""
    rig = active("il", 0)
    token = bytearray(rig.token(5, 10_000))
    token[bit // 8] ^= 1 << bit % 8
    assert rig.enter(bytes(token)).name == "OTHER_REASON"
    assert rig.balance == 0
    assert len(rig.kernel.state.transactions) == 1


@pytest.mark.parametrize(
    ("make", "outcome", "code"),
    [
        (lambda: Rig("il"), Outcome.NOT_ACTIVE, 7),
        (active, Outcome.WRONG_MODE, 7),
        (lambda: active("il", 2**31 - 2), Outcome.AMOUNT_OUT_OF_RANGE, 7),
    ],
    ids=["prepayment off", "central mode", "beyond 32 bits"],
)
def test_a_token_that_cannot_be_executed_is_not_used_up(
    make: Given, outcome: Outcome, code: int
) -> None:
    """It may be entered again when it fits."""
    rig = make()
    assert rig.enter(rig.token(5, 10_000)).name == "OTHER_REASON"
    gateway = rig.kernel.state.gateway
    assert (gateway.outcome, gateway.status) == (outcome, code)
    assert all(entry.kind is not Kind.TOKEN for entry in rig.kernel.state.transactions)


@pytest.mark.parametrize("length", [0, 1, 36, 38, 64, 65, 400])
def test_octets_that_are_no_token_fail_by_their_format(length: int) -> None:
    """Whatever their length; at most 64 of them are kept for reading back."""
    rig = active("il", 0)
    assert rig.enter(bytes(length)).name == "OTHER_REASON"
    gateway = rig.kernel.state.gateway
    assert (gateway.status, gateway.length) == (4, min(length, 64))


def test_a_token_older_than_the_memory_is_refused() -> None:
    """Keyed in again after many others it must not be credited twice."""
    rig = active("il", 0)
    token = rig.token(5, 100)
    rig.enter(token)
    for identity in range(10, 10 + REMEMBERED):
        rig.enter(rig.token(identity, 100))
    balance = rig.balance
    assert rig.enter(token).name == "OTHER_REASON"
    assert rig.kernel.state.gateway.outcome is Outcome.TOO_OLD
    assert rig.balance == balance


def test_a_token_of_another_meter_is_false() -> None:
    """The check is over the meter's name."""
    from prepay.keys import LAB_KEYS
    from prepay.tokens.vend import vend_lab

    rig = active("il", 0)
    other = vend_lab(LAB_KEYS.token_key, NAME.encode()[:-1] + b"2", number(5), 100)
    assert rig.enter(other).name == "OTHER_REASON"
    assert rig.kernel.state.gateway.status == 5

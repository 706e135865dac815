"""The values of our manufacturer-specific objects, there and back, and pinned on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from obis.values import field_names
from protocol import axdr
from protocol.axdr import Data, decode, encode
from protocol.cosem.data import DATA
from protocol.cosem.structure_value import StructureValue
from protocol.cosem.types import TypeMismatch
from protocol.cosem.vendor import (
    TRANSACTION_TYPE,
    Arm,
    Debt,
    LastOutcome,
    ModeChange,
    Opening,
    Order,
    Snapshot,
)
from protocol.cosem.vendor_shown import (
    CARRIED_OUT_TYPE,
    RELAY_CAUSES_TYPE,
    ArmedCut,
    CarriedOut,
    CustomerStatus,
    Plan,
    RelayCauseBit,
    Settlement,
)
from protocol.cosem_time import ClockStatus, CosemDate, CosemDateTime, CosemTime
from tests.strategies import cosem_date_times, data

ids = st.binary(min_size=16, max_size=16)
kinds = st.integers(0, 255)
amounts = st.integers(-(1 << 31), (1 << 31) - 1)
sequences = st.integers(0, (1 << 32) - 1)
snapshots = st.builds(Snapshot, sequences, amounts, amounts, cosem_date_times())
arms = st.builds(Arm, sequences, cosem_date_times())
debts = st.builds(Debt, st.integers(0, 255), amounts)
moments = cosem_date_times() | st.just(CosemDateTime())
openings = st.builds(
    Opening, snapshots, moments, st.lists(debts, max_size=3).map(tuple), moments, moments
)
orders = st.builds(Order, ids, kinds, st.none() | amounts | snapshots | arms | openings)

MORNING = CosemDateTime(CosemDate(2026, 11, 23, 1), CosemTime(6, 0, 0, 0), -60, ClockStatus.OK)
STAMP = "090C07EA0B170106000000FFC400"
WILD = "090C" + CosemDateTime().to_bytes().hex().upper()


settlements = st.builds(
    Settlement,
    ids,
    moments,
    sequences,
    sequences,
    amounts,
    amounts,
    st.lists(debts, max_size=3).map(tuple),
)
VALUES: dict[str, SearchStrategy[StructureValue]] = {
    "snapshot": snapshots,
    "arm": arms,
    "debt": debts,
    "mode change": st.builds(ModeChange, kinds, sequences, amounts, sequences, moments),
    "plan": st.builds(Plan, kinds, ids, moments),
    "settlement": settlements,
    "customer": st.builds(
        CustomerStatus, st.booleans(), st.booleans(), moments, st.booleans(), st.booleans()
    ),
    "armed cut": st.builds(ArmedCut, st.booleans(), sequences, cosem_date_times()),
    "order": orders,
    "last outcome": st.builds(LastOutcome, ids, kinds, kinds, amounts, amounts),
}


@pytest.mark.parametrize("name", VALUES)
@given(st.data())
def test_values_go_there_and_back(name: str, source: st.DataObject) -> None:
    """Over the wire and back to the same value."""
    value = source.draw(VALUES[name])
    assert type(value).from_data(decode(encode(value.to_data()))) == value


@pytest.mark.parametrize("kind", StructureValue.__subclasses__(), ids=lambda kind: kind.__name__)
def test_fields_are_the_members_of_the_structure(kind: type[StructureValue]) -> None:
    """By name and in order: by that a value goes to the wire and back."""
    assert field_names(kind) == tuple(name for name, _ in kind.TYPE.fields)


def test_plans_that_were_carried_out_are_read_one_by_one() -> None:
    """The meter's array, the oldest first."""
    done = [CarriedOut(bytes([n]) * 16, 2, MORNING, 1000 + n, 0) for n in range(3)]
    listed = CARRIED_OUT_TYPE.to_data([one.plain() for one in done])
    assert CarriedOut.all_from_data(decode(encode(listed))) == tuple(done)


PINNED: list[tuple[Snapshot | ArmedCut | Order | LastOutcome, str]] = [
    (
        Order(bytes(16), 1, Snapshot(7, 2000, 1200, MORNING)),
        "0203" "0910" + "00" * 16 + "1601" "0204" "0600000007" "05000007D0" "05000004B0" + STAMP,
    ),
    (Order(bytes(16), 2), "0203" "0910" + "00" * 16 + "1602" "00"),
    (  # an opening that says nothing of another meter has 7 members, as it always had
        Order(bytes(16), 1, Opening(Snapshot(0, 2000, 0, MORNING), MORNING, (Debt(4, 700),))),
        "0203" "0910" + "00" * 16 + "1601" "0207" "0600000000" "05000007D0" "0500000000" + STAMP
        + STAMP + "0101" "0202" "1104" "05000002BC" + WILD,
    ),
    (  # the day that was paid to that one is the eighth
        Order(bytes(16), 1, Opening(Snapshot(0, 2000, 0, MORNING), MORNING, (), paid=MORNING)),
        "0203" "0910" + "00" * 16 + "1601" "0208" "0600000000" "05000007D0" "0500000000" + STAMP
        + STAMP + "0100" + WILD + STAMP,
    ),
    (
        Order(bytes(16), 4, Arm(7, MORNING)),
        "0203" "0910" + "00" * 16 + "1604" "0202" "0600000007" + STAMP,
    ),
    (Order(bytes(16), 6, -500), "0203" "0910" + "00" * 16 + "1606" "05FFFFFE0C"),
    (
        LastOutcome(bytes(16), 6, 0, -500, 1500),
        "0205" "0910" + "00" * 16 + "1606" "1600" "05FFFFFE0C" "05000005DC",
    ),
    (Snapshot(7, -320, 0, MORNING), "0204" "0600000007" "05FFFFFEC0" "0500000000" + STAMP),
    (ArmedCut(True, 7, MORNING), "0203" "0301" "0600000007" + STAMP),
]  # fmt: skip


@pytest.mark.parametrize(("value", "octets"), PINNED, ids=lambda case: type(case).__name__)
def test_octets_are_pinned(value: Snapshot | ArmedCut | Order | LastOutcome, octets: str) -> None:
    """Meters in the field keep this layout: it may grow new kinds, never change."""
    assert encode(value.to_data()).hex().upper() == octets
    assert type(value).from_data(decode(bytes.fromhex(octets))) == value


@given(orders, st.builds(LastOutcome, ids, kinds, kinds, amounts, amounts))
def test_the_transaction_object_takes_orders_and_gives_outcomes(
    order: Order, outcome: LastOutcome
) -> None:
    """One attribute, two shapes: three members are an order, five an outcome."""
    declared = DATA.typed(value=TRANSACTION_TYPE).attribute("value")
    assert declared is not None
    for tagged in (order.to_data(), outcome.to_data()):
        assert declared.type.to_data(declared.type.from_data(tagged)) == tagged


GOOD = Order(bytes(16), 1, Snapshot(7, 2000, 1200, MORNING)).to_data()
BAD_TIME = axdr.octet_string(bytes(12))


@pytest.mark.parametrize(
    "tagged",
    [
        axdr.null(),
        axdr.structure(),
        axdr.structure(axdr.octet_string(bytes(15)), axdr.enum(1), axdr.null()),
        axdr.structure(axdr.octet_string(bytes(16)), axdr.unsigned(1), axdr.null()),
        axdr.structure(axdr.octet_string(bytes(16)), axdr.enum(1), axdr.enum(1)),
        axdr.structure(axdr.octet_string(bytes(16)), axdr.enum(1), axdr.structure()),
        axdr.structure(
            axdr.octet_string(bytes(16)),
            axdr.enum(4),
            axdr.structure(axdr.double_long_unsigned(1), BAD_TIME),
        ),
        axdr.structure(*GOOD.value, axdr.null()),
    ],
)
def test_what_is_no_order_is_a_mismatch(tagged: Data) -> None:
    """A date-time of impossible octets is one too."""
    with pytest.raises(TypeMismatch):
        Order.from_data(tagged)


@given(data())
def test_any_value_is_an_order_or_a_mismatch(value: Data) -> None:
    """Nothing else comes out, whatever is SET."""
    for made in (Order, LastOutcome, Snapshot, ArmedCut):
        try:
            made.from_data(value)
        except TypeMismatch:
            continue


def test_relay_causes_fit_their_bit_string() -> None:
    """Bit 0 is the first character and 0x80 on the wire."""
    causes = {RelayCauseBit.CREDIT, RelayCauseBit.LIMITER}
    plain = "".join("1" if bit in causes else "0" for bit in range(8))
    assert encode(RELAY_CAUSES_TYPE.to_data(plain)).hex() == "0408a0"

"""Invocation counters: none used twice, none accepted twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import CountersExhausted, ReplayError
from protocol.security import MAX_COUNTER, CounterLease, ReplayGuard


def test_a_lease_counts_up_to_its_end() -> None:
    """Its end is the first counter that is not handed out."""
    lease = CounterLease(5, 8)
    assert [lease.next() for _ in range(lease.remaining)] == [5, 6, 7]
    with pytest.raises(CountersExhausted):
        lease.next()
    with pytest.raises(CountersExhausted):
        lease.next()


def test_the_last_counter_of_all_is_never_used() -> None:
    """0xFFFFFFFF says that the key is worn out."""
    lease = CounterLease(MAX_COUNTER - 1)
    assert lease.next() == MAX_COUNTER - 1
    with pytest.raises(CountersExhausted):
        lease.next()


@pytest.mark.parametrize(("first", "end"), [(-1, 5), (6, 5), (0, MAX_COUNTER + 1)])
def test_no_lease_outside_32_bits(first: int, end: int) -> None:
    """Such a range is a mistake of ours."""
    with pytest.raises(ValueError, match="range"):
        CounterLease(first, end)


def test_an_empty_lease_is_a_lease() -> None:
    """It just has nothing to give."""
    assert CounterLease(MAX_COUNTER, MAX_COUNTER).remaining == 0


def test_a_new_guard_accepts_zero() -> None:
    """Clients may begin to count there."""
    guard = ReplayGuard()
    guard.accept(0)
    assert guard.last == 0


@pytest.mark.parametrize("counter", [0, 9, 10])
def test_a_counter_that_is_not_greater_is_refused(counter: int) -> None:
    """The error names the least that would have done, and nothing changes."""
    guard = ReplayGuard(10)
    with pytest.raises(ReplayError) as refused:
        guard.accept(counter)
    assert refused.value.expected == 11
    assert guard.last == 10


@given(st.lists(st.integers(0, MAX_COUNTER), max_size=30))
def test_what_a_guard_accepts_only_grows(counters: list[int]) -> None:
    """Whatever comes: exactly the running maxima are accepted."""
    guard = ReplayGuard()
    accepted = []
    for counter in counters:
        try:
            guard.accept(counter)
        except ReplayError:
            continue
        accepted.append(counter)
    maxima = [c for i, c in enumerate(counters) if all(c > before for before in counters[:i])]
    assert accepted == maxima

"""The table of states: what can happen in each, and that nothing leads out of the final ones."""

import pytest

from headend.engine.states import FINAL, NEXT, OPEN, Happening, Impossible, State, after

S, H = State, Happening
#: Worked out by hand from the promises of the command line; a dash cannot happen.
TABLE = """
            DUE     BEGUN    SUCCEEDED  DENIED   SILENT   LOST     WITHDRAWN  TOO_LATE
PLANNED     queued  -        -          -        -        -        cancelled  expired
QUEUED      -       running  -          -        -        -        cancelled  expired
RUNNING     -       running  done       refused  queued   unknown  cancelled  expired
UNKNOWN     -       unknown  settled    refused  unknown  unknown  -          -
DONE        -       -        -          -        -        -        -          -
SETTLED     -       -        -          -        -        -        -          -
REFUSED     -       -        -          -        -        -        -          -
EXPIRED     -       -        -          -        -        -        -          -
CANCELLED   -       -        -          -        -        -        -          -
"""
_HEAD, *_ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    (S[row[0]], H[head], None if cell == "-" else S(cell))
    for row in _ROWS
    for head, cell in zip(_HEAD, row[1:], strict=True)
]


@pytest.mark.parametrize(("state", "happening", "expected"), CELLS)
def test_each_cell(state: State, happening: Happening, expected: State | None) -> None:
    """What follows is what the table says; a dash is refused."""
    if expected is None:
        with pytest.raises(Impossible):
            after(state, happening)
    else:
        assert after(state, happening) is expected


def test_the_table_is_whole() -> None:
    """Every state has a row and every happening a column, here and there."""
    assert len(CELLS) == len(State) * len(Happening)
    assert len(NEXT) == sum(expected is not None for _, _, expected in CELLS)


def test_each_state_is_open_or_final() -> None:
    """The two lists share none and leave none out."""
    assert set(OPEN) | set(FINAL) == set(State)
    assert not set(OPEN) & set(FINAL)


def test_every_open_state_has_a_way_to_an_end() -> None:
    """No command can be stuck where nothing leads out."""
    reached = set(FINAL)
    while True:
        more = {before for (before, _), then in NEXT.items() if then in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(State)

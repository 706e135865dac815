"""Hypothesis strategies for the journal's tests."""

from hypothesis import strategies as st

from meter_fw.nvram import MAX_VALUE, CellKey
from meter_fw.nvram.layout import MODULUS

numbers = st.integers(0, MODULUS - 1)
keys = st.builds(CellKey, st.integers(0, 255), st.integers(0, 65535))
values = st.binary(max_size=MAX_VALUE)
changes = st.dictionaries(keys, st.none() | values, max_size=8)

#: Few keys and short values, so that commits meet each other.
near_keys = st.builds(CellKey, st.integers(0, 2), st.integers(0, 2))
near_values = st.binary(max_size=12)
near_changes = st.dictionaries(near_keys, st.none() | near_values, min_size=1, max_size=4)

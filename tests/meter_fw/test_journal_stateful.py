"""Commits, cuts and remounts in any order, against a dict."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meter_fw.nvram import CellKey, Finding, Journal
from sim.flash import Cut, MemoryFlash, PowerCut, Tear
from tests.meter_fw.journal_day import Commit, State, apply
from tests.meter_fw.journal_strategies import near_changes

HARMLESS = (Finding.FRESH, Finding.CLEAN, Finding.INTERRUPTED)


class JournalMachine(RuleBasedStateMachine):
    """A meter's memory through power cuts, and the dict it has to equal."""

    @initialize(blocks=st.integers(2, 3), size=st.sampled_from([300, 420]))
    def new(self, blocks: int, size: int) -> None:
        self.flash = MemoryFlash(blocks, size, strict=True)
        self.model: State = {}
        self.mount()

    def mount(self) -> None:
        self.journal = Journal(self.flash, range(self.flash.block_count))
        found = self.journal.mount()
        assert found.finding in HARMLESS
        self.found = found.cells

    @rule(changes=near_changes)
    def commit(self, changes: Commit) -> None:
        self.journal.commit(changes)
        self.model = apply(self.model, changes)

    @rule()
    def restart(self) -> None:
        self.mount()
        assert self.found == self.model

    @rule(
        changes=near_changes,
        ahead=st.integers(0, 2),
        tear=st.sampled_from(Tear),
        seed=st.integers(0, 2**16),
    )
    def commit_and_cut(self, changes: Commit, ahead: int, tear: Tear, seed: int) -> None:
        self.flash.cut_at(Cut(self.flash.operations + ahead, tear, seed))
        after = apply(self.model, changes)
        try:
            self.journal.commit(changes)
        except PowerCut:
            self.flash.power_on()
            self.mount()
            assert self.found in (self.model, after)
            self.model = self.found
        else:
            self.flash.cut_at(None)
            self.model = after

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def refused(self, data: st.DataObject) -> None:
        """A commit that is refused leaves everything as it is."""
        key = data.draw(st.sampled_from(sorted(self.model)))
        operations = self.flash.operations
        with pytest.raises(Exception, match="cell"):
            self.journal.commit({key: None, CellKey(300): b""})
        assert self.flash.operations == operations

    @invariant()
    def the_view_is_the_model(self) -> None:
        assert self.journal.cells == self.model


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(stateful_step_count=40, deadline=None)

"""What a command reported comes out of its row as it went in."""

import json

from headend.engine.answers import LONGEST, frozen, thawed
from headend.report import Report


def test_a_report_comes_back_as_it_was() -> None:
    """By way of JSON text."""
    report = Report({"a": 1}, ["x"], ["c"], [["1"]], "title", 1)
    assert thawed(json.loads(json.dumps(frozen(report)))) == report


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    """But that there was one, and how long, and how the command ended."""
    kept = thawed(frozen(Report({"a": "x" * LONGEST}, exit_code=1)))
    assert kept.data["omitted"] > LONGEST
    assert kept.exit_code == 1
    assert len(json.dumps(frozen(kept))) < 1_000

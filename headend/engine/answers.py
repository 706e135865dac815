"""A report as JSON and back: what a command said is kept in its row."""

import json
from collections.abc import Mapping
from typing import Any, Final

from headend.report import Report

#: Characters of the longest answer that is kept.
LONGEST: Final = 1 << 20


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON, from which ``thawed`` makes it again."""
    return {
        "data": dict(report.data),
        "lines": list(report.lines),
        "columns": list(report.columns),
        "rows": [list(row) for row in report.rows],
        "panel": report.panel,
        "exit_code": report.exit_code,
    }


def frozen(report: Report) -> dict[str, Any]:
    """Return a report as JSON that can be kept: of what is too long, that it is."""
    answer = as_json(report)
    length = len(json.dumps(answer))
    if length <= LONGEST:
        return answer
    said = (
        f"done; its answer has {length} characters, more than are kept: give the command directly"
    )
    return frozen(Report({"omitted": length}, (said,), exit_code=report.exit_code))


def thawed(answer: Mapping[str, Any]) -> Report:
    """Return the report of an answer."""
    return Report(**answer)

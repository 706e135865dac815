"""Tables: ids whole, words where there is room for them, and nothing that only fills a line."""

import io
import sys
from typing import Any

import pytest

from headend.engine.typed import typed
from headend.report import Report, show

ID = "019a20000000700080000000000000ab"
WHY = "no answer from the meter within 30 seconds: is the line up, and is the meter running?"
COLUMNS = ("command", "created", "name", "state", "reason")
ROW = (ID, "2026-11-22T10:50:04", "calendar --years 10", "queued", WHY)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def shown(
    monkeypatch: pytest.MonkeyPatch, row: tuple[str, ...], width: str, screen: io.StringIO
) -> list[str]:
    """Return the lines of a table."""
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setattr(sys, "stdout", screen)
    show(Report({}, (), COLUMNS, [row]), as_json=False)
    return screen.getvalue().split("\n")[:-1]


@pytest.mark.parametrize("width", ["40", "80", "100", "200"])
def test_an_id_is_whole_and_a_reason_is_one_line(
    monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """However narrow the terminal is; a reason that is cut ends in "…", the rest is in show."""
    _, rule, *lines = shown(monkeypatch, ROW, width, Screen())
    assert set(rule) == {"─"}
    assert lines[0].startswith(ID)
    whole = width == "200"
    assert any(line.endswith(WHY if whole else "…") for line in lines)
    assert sum("no" in line.split() for line in lines) == 1
    assert len(lines) == 1 if whole else len(lines) > 1


def test_words_go_on_below_and_moments_are_broken_between_date_and_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was typed is all there; nothing of it stands under another column."""
    *_, first, second, third = shown(monkeypatch, ROW, "80", Screen())
    assert first.split()[:4] == [ID, "2026-11-22", "calendar", "queued"]
    assert second.split() == ["10:50:04", "--years"]
    assert third.split() == ["10"]


@pytest.mark.parametrize(("width", "below"), [("60", True), ("100", True), ("200", False)])
def test_details_stand_below_where_a_line_has_no_room_for_them(
    monkeypatch: pytest.MonkeyPatch, width: str, below: bool
) -> None:
    """In lines of their own, not in a column of single words; all of them is there."""
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    columns = ("moment", "caller", "action", "subject", "details")
    row = ("2026-11-22T17:10:25+00:00", "root", "command queued", ID, f"meter {ID}, amount 25.00")
    show(Report({}, (), columns, [row]), as_json=False)
    _, rule, first, *others = screen.getvalue().splitlines()
    assert len(rule) <= int(width)
    assert " ".join([first, *others]).split() == " ".join(row).split()
    assert bool(others) is below
    assert all(line.startswith("    ") and len(line) <= 60 for line in others)


def test_into_a_pipe_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, without a rule, and with nothing behind it; with COLUMNS as on a terminal."""
    lines = shown(monkeypatch, ROW, "", io.StringIO())
    assert lines[0].split() == list(COLUMNS)
    assert lines[1:] == ["  ".join(ROW)]
    assert len(shown(monkeypatch, ROW, "80", io.StringIO())) > 2


def test_a_cell_moves_no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger may have said it; a line break in a reason is none in a table."""
    lines = shown(monkeypatch, (*ROW[:4], "a\nb\x1b[2J"), "", io.StringIO())
    assert lines[1:] == ["  ".join((*ROW[:4], "a b [2J"))]


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("topup", {"amount": "5"}, "topup 5"),
        ("adjust", {"amount": "-5", "reason": "two words"}, "adjust -5 --reason 'two words'"),
        ("clock", {"moment": "now"}, "clock --set now"),
        ("status", {}, "status"),
        ("connect", {"flag": False}, "connect"),
        ("gone", {"a_flag": True, "more": [1, "x"], "none": None}, "gone --a-flag --more 1 x"),
    ],
)
def test_arguments_are_shown_as_they_are_typed(
    name: str, arguments: dict[str, Any], line: str
) -> None:
    """By the command's own declarations; of a command that is no more, by the names kept."""
    assert typed(name, arguments) == line

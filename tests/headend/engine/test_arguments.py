"""The parameters of a command as JSON: what comes out of a row is judged like a command line."""

import json
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.cli import main
from headend.context import Context, Settings
from headend.engine.arguments import _known, durable, freeze, rehearse, thaw
from headend.errors import UsageError

LINES = [
    ("topup", ["25.00"]),
    ("topup", ["-5"]),
    ("read", ["94.32.2 1", "--attribute", "3"]),
    ("set", ["0-0:96.1.0*255", "octet-string:00", "--class", "1"]),
    ("clock", ["--set"]),
    ("clock", ["--set", "2026-11-23T06:00:00"]),
    ("connect", []),
    ("activate", ["--opening", "-3.50", "--debt", "a=1.00", "--debt", "b=2.00"]),
    ("status", []),
]


def parameters(name: str, words: list[str]) -> dict[str, Any]:
    """Return what click makes of a command line."""
    params: dict[str, Any] = durable(name).declared.make_context(name, list(words)).params
    return params


@pytest.mark.parametrize(("name", "words"), LINES)
def test_a_command_line_comes_back_as_it_was(name: str, words: list[str]) -> None:
    """By way of JSON text, as it lies in its row."""
    of = durable(name)
    before = parameters(name, words)
    row = json.loads(json.dumps(freeze(of, before)))
    assert thaw(of, row) == before


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_value_is_taken_for_an_option(amount: str, moment: str) -> None:
    """Whatever it begins with, and whatever is in it."""
    assert thaw(durable("topup"), {"amount": amount}) == {"amount": amount, "identity": None}
    try:
        assert thaw(durable("clock"), {"moment": moment})["moment"] == moment
    except UsageError:
        assert moment.startswith("-")  # where a value may be left out, click takes this for options


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("topup", {}),
        ("topup", {"amount": "5", "identity": "01" * 16}),
        ("topup", {"amount": "5", "db": "elsewhere"}),
        ("topup", {"amount": ["5"]}),
        ("topup", {"amount": {"a": 1}}),
        ("topup", {"amount": True}),
        ("read", {"codes": ["1.8.0"], "attribute": 128}),
        ("read", {"codes": ["1.8.0"], "attribute": "x"}),
        ("read", {"codes": ["1.8.0"], "class_id": [1]}),
        ("activate", {"debts": "a=1"}),
        ("activate", {"debts": [["a"]]}),
    ],
)
def test_a_row_that_is_none_of_ours_is_refused(name: str, row: dict[str, Any]) -> None:
    """Unknown names, missing ones, and values that no command line could have."""
    with pytest.raises(UsageError):
        thaw(durable(name), row)


@pytest.mark.parametrize(
    "name", ["listen", "decode", "ledger", "meters", "serve", "worker", "commands", "campaign", "x"]
)
def test_what_asks_no_meter_cannot_be_queued(name: str) -> None:
    """Nor what talks for ever, nor what does not exist."""
    with pytest.raises(UsageError):
        durable(name)


def test_every_command_that_asks_a_meter_can_be_queued() -> None:
    """Whatever file a later one has in its folder: its parameters are of types that JSON has."""
    scope = click.Context(main)
    found = {}
    for name in main.list_commands(scope):
        try:
            found[name] = durable(name)
        except UsageError:
            continue
    assert {"topup", "read", "connect", "disconnect", "activate", "clock"} <= set(found)
    for name, of in found.items():
        assert of.name == name
        assert 0 <= of.priority <= 1_000
        gone: list[str] = []
        context = Nowhere(gone)
        rehearse(of, parameters(name, WELL.get(name, [])), context)
        assert (gone, context.from_outside) == (["to its meter"], True), name


#: Parameters that are well written, of the commands that need any.
WELL = {
    "topup": ["5"],
    "adjust": ["5", "--reason", "why"],
    "refund": ["5", "--reason", "why"],
    "read": ["1.8.0"],
    "set": ["1.8.0", "long:1"],
    "action": ["1.8.0"],
    "mode": ["local"],
    "protect": ["--on"],
}


class Nowhere(Context):
    """One without database and ports, which notes that a rehearsal got as far as it should."""

    def __init__(self, gone: list[str]) -> None:
        super().__init__(Settings())
        self._gone = gone

    def __setattr__(self, name: str, value: Any) -> None:
        """Note the call of what a rehearsal is stopped by."""
        if name == "set_out" and "_gone" in self.__dict__:
            stop = value

            def value() -> None:
                self._gone.append("to its meter")
                stop()

        super().__setattr__(name, value)


def test_a_rotation_is_rehearsed_without_a_meter_or_keys() -> None:
    """For a campaign, which names the meters itself."""
    gone: list[str] = []
    of = durable("keys rotate")
    rehearse(of, parameters("keys rotate", []), Nowhere(gone))
    assert gone == ["to its meter"]


def test_what_a_customer_waits_for_goes_first() -> None:
    """A cancel before a top-up, both before a reading."""
    assert durable("cancel").priority < durable("topup").priority < durable("read").priority
    assert durable("connect").priority < durable("read").priority


def test_a_file_of_this_machine_cannot_be_queued() -> None:
    """Another process on another machine would have to read or write it."""
    of = durable("objects")
    with pytest.raises(UsageError, match="file"):
        freeze(of, parameters("objects", ["--out", "dump.xml"]))


def test_more_than_a_row_should_hold_is_refused() -> None:
    """Before it is written."""
    with pytest.raises(UsageError, match="characters"):
        freeze(durable("set"), {"code": "1.8.0", "value": "x" * 70_000})


def test_a_list_of_commands_that_could_not_be_read_is_not_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where no file can be opened any more: else a worker refused all payments until its end."""
    _known.cache_clear()
    with monkeypatch.context() as short:
        short.setattr("headend.engine.arguments.iter_modules", lambda path: iter(()))
        with pytest.raises(OSError, match="cannot be listed"):
            durable("topup")
    assert durable("topup").moves

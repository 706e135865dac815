"""A command line over a rig's database and meter, and what it came to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from headend.cli import Invocation, main
from headend.store import commands
from tests.headend.bench import PATIENCE
from tests.headend.engine.rig import Rig


@dataclass
class Said:
    """What a command line came to: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON object on stdout."""
        return json.loads(self.out)


class Prompt:
    """A command line over a rig's database and meter."""

    def __init__(self, rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
        self.rig, self._capsys = rig, capsys

    def __call__(self, *words: str) -> Said:
        """Run ``prepay``."""
        edge = {
            "now": self.rig.bench.clock,
            "entropy": self.rig.bench.entropy,
            "transports": self.rig.bench._open,
            "store": self.rig.bench.store,
            "patience": PATIENCE,
        }
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words), obj=Invocation(**edge))
        said = self._capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    def queue(self, *words: str) -> Said:
        """Queue a command for the rig's meter."""
        return self("--json", "--meter", self.rig.name, *words, "--queue")


def all_of(prepay: Prompt) -> Sequence[commands.Command]:
    """Return every command that was queued, oldest first."""
    with prepay.rig.bench.store.read() as db:
        return commands.newest(db)[::-1]

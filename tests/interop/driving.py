"""Runs a peer's driver in its own process and reads the report it prints."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.interop.environments import Peer

BLOCK_KEY = "000102030405060708090A0B0C0D0E0F"
AUTHENTICATION_KEY = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
CLIENT_SYSTEM_TITLE = "4D4D4D0000BC614E"
LLS_PASSWORD = "12345678"
# The driver ends itself at 60 s; what is still there after that has broken its word.
PATIENCE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Access:
    """Who a client says it is, and how it proves it.

    Args:
        name: for a report's reader.
        client: client SAP.
        mechanism: none, lls or gmac, as a driver's command line has it.
        options: what else the driver needs for it.
    """

    name: str
    client: int
    mechanism: str
    options: tuple[str, ...] = ()


_KEYS = ("--block-key", BLOCK_KEY, "--auth-key", AUTHENTICATION_KEY)
_TITLE = ("--system-title", CLIENT_SYSTEM_TITLE)
PUBLIC = Access("public", 16, "none")
READER = Access("reader", 2, "lls", ("--password", LLS_PASSWORD))
MANAGEMENT = Access("management", 1, "gmac", _KEYS + _TITLE)
MANAGEMENT_DEDICATED = Access(
    "management, dedicated key", 1, "gmac", (*_KEYS, *_TITLE, "--dedicated-key")
)


@dataclass(frozen=True, slots=True)
class Line:
    """Where a server listens: a driver's transport and its address."""

    transport: str
    address: str


@dataclass(frozen=True)
class Outcome:
    """What became of one operation; the fields are the report's."""

    ok: bool
    value: Any
    refused: str | None
    error: str | None
    octets: list[list[str]]

    @cached_property
    def verdict(self) -> str:
        """One word for the table: done, refused or failed."""
        if self.ok:
            return "done"
        return "refused" if self.refused else "failed"

    def __str__(self) -> str:
        reason = self.refused or self.error or ""
        lines = [f"{self.verdict} {reason}".strip()]
        return "\n".join(lines + [f"  {way:8} {octets}" for way, octets in self.octets])


@dataclass(frozen=True)
class Report:
    """A driver's document."""

    document: dict[str, Any]

    @property
    def peer(self) -> str:
        """The peer and its version."""
        return f"{self.document['peer']} {self.document['version']}"

    @property
    def connect(self) -> Outcome:
        """How the connection and the association came about."""
        found = self.document["connect"]
        if found is None:
            return Outcome(False, None, None, "deadline", self.document.get("unfinished", []))
        return Outcome(**found)

    def operation(self, name: str) -> Outcome:
        """The outcome of an operation; without it, why nothing came of it."""
        found = self.document["operations"].get(name)
        if found is not None:
            return Outcome(**found)
        if not self.connect.ok:
            return self.connect
        return Outcome(False, None, None, "deadline", self.document.get("unfinished", []))


def drive(
    interpreter: Path,
    peer: Peer,
    line: Line,
    access: Access,
    operations: Sequence[str],
    extra: Sequence[str] = (),
) -> Report:
    """Run a driver to its end.

    Args:
        interpreter: of the peer's environment.
        operations: in order, on one association.
        extra: further options, such as a server address size.
    """
    command = [str(interpreter), "-B", str(peer.driver), "--transport", line.transport]
    command += ["--address", line.address, "--client", str(access.client)]
    command += ["--mechanism", access.mechanism, *access.options]
    command += ["--operations", ",".join(operations), *extra]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    if done.returncode or not done.stdout:
        raise AssertionError(f"the driver of {peer.name} broke down:\n{done.stderr}")
    return Report(json.loads(done.stdout))


class Drivers:
    """Peers by name that are driven through all of some operations once, and asked often.

    Args:
        peers: by name, each with the driver that knows the operations.
        operations: in the order in which they are done.
    """

    def __init__(self, peers: Mapping[str, Peer], operations: Sequence[str]) -> None:
        self._peers = peers
        self._operations = operations
        self._found: dict[tuple[str, str, str], Report] = {}

    def asked(
        self,
        interpreters: Mapping[str, Path],
        lines: Mapping[str, Line],
        cell: tuple[str, str],
        access: Access,
    ) -> Report:
        """Return what came of all the operations of a peer on a transport, run once."""
        name, transport = cell
        key = (name, transport, access.name)
        if key not in self._found:
            self._found[key] = drive(
                interpreters[name], self._peers[name], lines[transport], access, self._operations
            )
        return self._found[key]


def done(report: Report, operation: str) -> Any:
    """Return what an operation returned, which has to be done."""
    found = report.operation(operation)
    assert found.ok, found
    return found.value

"""Meters with keys of their own, and peers that are told the same keys.

The keys follow from their names, none is the lab's, and none is a part of another: one that shows
up in an output is one that leaked.
"""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import shake_256
from pathlib import Path
from typing import Any

from headend.security import public_of
from prepay.keys import MECHANISMS, MeterKeys, parse_keys, private_length, symmetric_length
from protocol.security import PrivateKey, SecuritySuite
from tests.interop.environments import HERE
from tests.interop.processes import running

PATIENCE_SECONDS = 60.0
TITLE = bytes.fromhex("4D4D4D0000BC614E")
#: Every suite with every mechanism that it has.
WAYS = [(suite, name) for suite in (0, 1, 2) for name in MECHANISMS if suite or name != "hls-ecdsa"]


def octets(name: str, length: int) -> bytes:
    """Return a key of a name; below the order of either curve, and nothing that is ASCII."""
    return b"\x1f" + shake_256(name.encode()).digest(length - 1)


def key_file(suite: int, mechanism: str = "hls-gmac", protection: str = "") -> str:
    """Return the text of a key file, with every key that there is.

    Args:
        suite: 0 to 2.
        mechanism: of the management client.
        protection: the least of its APDUs; empty is the file's default.
    """
    symmetric, private = symmetric_length(suite), private_length(suite)
    tables = {
        "management": {
            "block_cipher_key": symmetric,
            "authentication_key": symmetric,
            "broadcast_key": symmetric,
            "master_key": symmetric,
            "secret": 16,
        },
        "meter": {"signing_key": private, "agreement_key": private},
        "client": {"signing_key": private, "agreement_key": private},
        "tokens": {"key": 32},
    }
    lines = [f"suite = {suite}", f'mechanism = "{mechanism}"']
    lines += [f'protection = "{protection}"'] if protection else []
    lines += ["[reader]", f'password = "the reader of {suite}"']
    for table, entries in tables.items():
        lines.append(f"[{table}]")
        lines += [
            f'{name} = "{octets(f"{suite} {table} {name}", length).hex()}"'
            for name, length in entries.items()
        ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Secured:
    """A meter at work.

    Args:
        keys: its keys.
        file: where they are.
        tcp: the port of its wrapper.
        hdlc: the port of its HDLC over TCP.
    """

    keys: MeterKeys
    file: Path
    tcp: int
    hdlc: int


@contextmanager
def secured_meters(directory: Path, texts: Mapping[Any, str]) -> Iterator[dict[Any, Secured]]:
    """Run a meter for each key file, all in one process.

    Args:
        directory: for the files and what the process says.
        texts: the key files by whatever the meters are called.
    """
    files = []
    for number, text in enumerate(texts.values()):
        files.append(directory / f"keys{number}.toml")
        files[-1].write_text(text)
    command = [sys.executable, "-m", "tests.interop.many_meters", *map(str, files)]
    with running(command, directory, "meters") as process:
        specs = json.loads(process.first_line())
        ports = [[int(spec.rpartition(":")[2]) for spec in meter] for meter in specs]
        yield {
            name: Secured(parse_keys(text), file, *both)
            for (name, text), file, both in zip(texts.items(), files, ports, strict=True)
        }


class PeerProcess:
    """A peer's process, which answers a line of JSON by a line of JSON.

    Args:
        interpreter: of the peer's environment.
        script: under ``peers/``.
    """

    def __init__(self, interpreter: Path, script: str) -> None:
        self._process = subprocess.Popen(
            [str(interpreter), "-B", str(HERE / "peers" / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str, told: Mapping[str, Any]) -> Any:
        """Have something done; what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **told}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the peer broke down at {what}"
        return json.loads(answer)

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE_SECONDS)


def told(keys: MeterKeys) -> dict[str, Any]:
    """Return the management client's side of the keys, as the peers' scripts want them."""
    found: dict[str, Any] = {
        "suite": keys.suite,
        "mechanism": keys.mechanism,
        "block": keys.block_cipher_key.hex(),
        "authentication": keys.authentication_key.hex(),
        "broadcast": keys.broadcast_key.hex(),
        "master": keys.master_key.hex(),
        "secret": keys.secret.hex(),
        "title": TITLE.hex(),
    }
    if keys.suite:
        suite = SecuritySuite(keys.suite)
        found |= {
            "signing": keys.client.signing_key.hex(),
            "agreement": keys.client.agreement_key.hex(),
            "peer_signing": public_of(suite, keys.meter.signing_key).point.hex(),
            "peer_agreement": public_of(suite, keys.meter.agreement_key).point.hex(),
        }
    return found


class Manager:
    """A peer as the management client of one meter.

    Args:
        peer: its process.
        meter: the meter.
        counters: an invocation counter for each association, room for its APDUs in between.
    """

    def __init__(self, peer: PeerProcess, meter: Secured, counters: Iterator[int]) -> None:
        self._peer = peer
        self._counters = counters
        self.meter = meter
        self.told = told(meter.keys)

    def __call__(self, what: str, **more: Any) -> Any:
        """Have something done in an association; what came of it."""
        case = self.told | {"port": self.meter.tcp, "counter": next(self._counters)} | more
        return self._peer.ask(what, case)

    def done(self, what: str, **more: Any) -> Any:
        """Have something done that is done; what it gave."""
        answer = self(what, **more)
        assert "returned" in answer, answer
        return answer["returned"]

    def is_refused(self, **more: Any) -> bool:
        """Whether it is the meter that lets nobody in, and says so."""
        answer = self("use", **more)
        return "rejected" in answer.get("text", "") and answer["octets"][-1][0] == "received"


Managing = Callable[[Any], Manager]


def managers(
    interpreter: Path,
    script: str,
    meters: dict[Any, Secured],
    counters: dict[Any, Iterator[int]],
) -> Iterator[Managing]:
    """Run a peer's script; give it as the management client of the meter of a name."""
    with PeerProcess(interpreter, script) as peer:
        known = {name: Manager(peer, meter, counters[name]) for name, meter in meters.items()}
        yield known.__getitem__


def leaked(text: str, keys: MeterKeys) -> list[str]:
    """Return in which forms a text shows keys: as hexadecimal, octets, a number or base64.

    The reader's password is not looked for: it goes over the line as it is.
    """
    bare = "".join(text.lower().split()).replace(":", "")
    unescaped = text.replace("\\", "")
    found = []
    for secret in secrets(keys):
        found += ["hexadecimal"] if secret.hex() in bare else []
        found += ["octets"] if repr(secret)[2:-1].replace("\\", "") in unescaped else []
        found += ["number"] if str(int.from_bytes(secret)) in bare else []
        found += ["base64"] if b64encode(secret).decode().rstrip("=") in text else []
    return found


def secrets(keys: MeterKeys) -> Sequence[bytes]:
    """Return every secret of a key file, the reader's password aside."""
    return (
        keys.block_cipher_key,
        keys.authentication_key,
        keys.broadcast_key,
        keys.master_key,
        keys.secret,
        keys.token_key,
        keys.meter.signing_key,
        keys.meter.agreement_key,
        keys.client.signing_key,
        keys.client.agreement_key,
    )


def simulated(keys: MeterKeys) -> dict[str, Any]:
    """Return a meter's side of the keys, as the peers' scripts want them."""
    found = told(keys)
    if keys.suite:
        suite = SecuritySuite(keys.suite)
        found |= {
            "signing": keys.meter.signing_key.hex(),
            "agreement": keys.meter.agreement_key.hex(),
            "peer_signing": PrivateKey(suite, keys.client.signing_key).public.point.hex(),
            "peer_agreement": PrivateKey(suite, keys.client.agreement_key).public.point.hex(),
        }
    return found

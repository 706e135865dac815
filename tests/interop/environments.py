"""One virtual environment for each peer, made on demand and kept.

The peers' licences and dependencies keep them out of our own environment: they run as separate
processes under interpreters of their own. ``python -m tests.interop.environments DIRECTORY``
makes them ahead of time, for instance in a CI job's cache.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
DIRECTORY_VARIABLE = "OPENPREPAY_PEERS"
INSTALL_SECONDS = 600


class PeersUnavailableError(Exception):
    """An environment could not be made, mostly for want of a package index."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's implementation.

    Args:
        name: its distribution's name, and the name of its environment's folder.
        requirements: the file in this folder that pins it.
        script: the driver under ``peers/``.
    """

    name: str
    requirements: str
    script: str

    @property
    def requirements_file(self) -> Path:
        """The full path of the requirements."""
        return HERE / self.requirements

    @property
    def driver(self) -> Path:
        """The full path of the driver."""
        return HERE / "peers" / self.script


GURUX = Peer("gurux-dlms", "requirements-gurux.txt", "gurux_client.py")
DLMS_COSEM = Peer("dlms-cosem", "requirements-dlms-cosem.txt", "dlms_cosem_client.py")
PYDLMS = Peer("pydlms-client", "requirements-pydlms.txt", "pydlms_client_driver.py")
IEC_62056_21 = Peer("iec62056-21", "requirements-iec62056-21.txt", "iec62056_21_reader.py")
PEERS = (GURUX, DLMS_COSEM, PYDLMS, IEC_62056_21)


def default_directory() -> Path:
    """Where the environments are: the variable's value, else ``.peers`` in the checkout."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or CHECKOUT / ".peers")


def interpreter(directory: Path, peer: Peer) -> Path:
    """The interpreter of a peer's environment, whether it has been made or not."""
    return directory / peer.name / "bin" / "python"


def fingerprint(peer: Peer) -> str:
    """What an environment was made from: the requirements and the Python that made it."""
    python = f"{sys.version_info[:3]} {sys.base_prefix}"
    return hashlib.sha256(peer.requirements_file.read_bytes() + python.encode()).hexdigest()


def ensure(directory: Path, peer: Peer) -> Path:
    """Make a peer's environment unless it stands, and return its interpreter.

    Any number of processes may call this at once: one makes it, the others wait. One that was
    cut off half way has no stamp and is made anew.

    Raises:
        PeersUnavailableError: it could not be made.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    home, stamp = directory / peer.name, directory / f"{peer.name}.stamp"
    with _locked(directory / f"{peer.name}.lock"):
        if _reads(stamp) != fingerprint(peer):
            stamp.unlink(missing_ok=True)
            shutil.rmtree(home, ignore_errors=True)
            _make(home, peer)
            stamp.write_text(fingerprint(peer))
    return interpreter(directory, peer)


def ensure_all(directory: Path) -> dict[str, Path]:
    """Make every peer's environment, all at a time; interpreters by the peers' names.

    Raises:
        PeersUnavailableError: one could not be made.
    """
    with ThreadPoolExecutor(len(PEERS)) as pool:
        made = pool.map(lambda peer: ensure(directory, peer), PEERS)
        return {peer.name: python for peer, python in zip(PEERS, made, strict=True)}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reads(stamp: Path) -> str | None:
    return stamp.read_text() if stamp.is_file() else None


def _make(home: Path, peer: Peer) -> None:
    ours = find_spec("pip") is not None  # it can install into other environments
    try:
        venv.create(home, with_pip=not ours)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeersUnavailableError(
            f"no virtual environment at {home} (on Debian: apt install python3-venv): {error}"
        ) from error
    python = str(home / "bin" / "python")
    command = [sys.executable, "-m", "pip", "--python", python] if ours else [python, "-m", "pip"]
    command += ["install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--requirement", str(peer.requirements_file)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PeersUnavailableError(f"installing {peer.name} took too long") from error
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise PeersUnavailableError(
            f"{peer.name} could not be installed; without a package index run the tests with "
            f'-m "not interop"\n{tail}'
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make all the environments and print their interpreters."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.environments")
    parser.add_argument("directory", nargs="?", type=Path, default=default_directory())
    try:
        made = ensure_all(parser.parse_args(arguments).directory)
    except PeersUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    for name, python in made.items():
        print(f"{name}: {python}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

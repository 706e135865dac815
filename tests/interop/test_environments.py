"""The peers' environments are made once, made whole, and by one process at a time."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.environments import Peer, PeersUnavailableError, ensure, fingerprint
from tests.interop.processes import environment

pytestmark = pytest.mark.interop

MAKE = """
import sys
from pathlib import Path
from tests.interop.environments import Peer, ensure
print(ensure(Path(sys.argv[1]), Peer("nothing", sys.argv[2], "")))
"""


@pytest.fixture
def nothing(tmp_path: Path) -> Peer:
    """A peer with no distribution to it, which needs no package index."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    return Peer("nothing", str(requirements), "")


def test_an_environment_is_made_once_and_anew_when_it_was_not_finished(
    tmp_path: Path, nothing: Peer
) -> None:
    """It is kept while its stamp is right; cut off half way it has none, and is made anew."""
    directory = tmp_path / "peers"
    python = ensure(directory, nothing)
    mark = python.parent / "mark"
    mark.touch()
    assert ensure(directory, nothing) == python
    assert mark.exists()
    (directory / "nothing.stamp").unlink()
    ensure(directory, nothing)
    assert not mark.exists()
    assert subprocess.run([str(python), "-c", ""], check=False).returncode == 0


def test_other_pins_are_another_environment(nothing: Peer) -> None:
    """The stamp is of the requirements' content."""
    before = fingerprint(nothing)
    nothing.requirements_file.write_text("# something\n")
    assert fingerprint(nothing) != before


def test_one_process_at_a_time_makes_an_environment(tmp_path: Path, nothing: Peer) -> None:
    """While somebody holds the lock the others wait, and then all have the same interpreter."""
    directory = tmp_path / "peers"
    directory.mkdir()
    command = [sys.executable, "-c", MAKE, str(directory), nothing.requirements]
    with (directory / "nothing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
            for _ in range(2)
        ]
        with pytest.raises(subprocess.TimeoutExpired):
            waiting[0].wait(2)
        assert not (directory / "nothing").exists()
    printed = [process.communicate(timeout=120)[0].strip() for process in waiting]
    assert printed == [str(directory / "nothing" / "bin" / "python")] * 2


def test_what_cannot_be_installed_is_an_error_that_says_what_to_do(
    tmp_path: Path, nothing: Peer
) -> None:
    """Without a package index the message names the way to run without the peers."""
    nothing.requirements_file.write_text("--no-index\nopenprepay-has-no-such-peer==1\n")
    with pytest.raises(PeersUnavailableError, match='-m "not interop"'):
        ensure(tmp_path / "peers", nothing)

"""``prepay decode --keys`` on what pydlms-client and our meter said to each other.

The peer opens an association with each mechanism and envelope and changes the reader's password;
what was on the line is explained with the meter's key file. So keys that the peer has wrapped or
agreed on, signatures that it has made, and its answers to challenges are judged by us, and ours by
it, for it has taken them.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headend.cli import Invocation, main
from tests.interop.environments import PYDLMS
from tests.interop.secured import PeerProcess, Secured, key_file, octets, secured_meters, told

pytestmark = pytest.mark.interop

NEW = octets("a password", 20)
# suite, mechanism, envelope; how many signatures are right, of each side
CASES = [
    (0, "hls-gmac", "wrapped", 0),
    (1, "hls-ecdsa", "one-pass", 0),
    (2, "hls-sha256", "one-pass", 0),
    (1, "hls-md5", "static", 0),
    (2, "hls-ecdsa", "static", 0),
    (0, "hls", "ded", 0),
    (1, "hls-gmac", "signed glo", 1),
    (2, "hls-sha1", "signed one-pass", 1),
]
COUNTERS = count(1, 100)


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Secured]]:
    """One for each case."""
    texts = {(suite, mechanism): key_file(suite, mechanism) for suite, mechanism, *_ in CASES}
    with secured_meters(tmp_path_factory.mktemp("decoded"), texts) as found:
        yield found


@pytest.fixture(scope="module")
def peer(interpreters: dict[str, Path]) -> Iterator[PeerProcess]:
    """pydlms-client's process."""
    with PeerProcess(interpreters[PYDLMS.name], "pydlms_secrets.py") as found:
        yield found


def trace(peer: PeerProcess, meter: Secured, envelope: str) -> str:
    """What was on the line while the peer changed the password, as ``--trace`` prints it."""
    case = told(meter.keys) | {"port": meter.tcp, "counter": next(COUNTERS), "envelope": envelope}
    answer = peer.ask("change", case | {"which": "password", "new": NEW.hex()})
    assert "returned" in answer, answer
    assert answer["returned"]["refused"] is None
    marks = {"sent": ">", "received": "<"}
    return "\n".join(f"{marks[way]} {sent}" for way, sent in answer["returned"]["octets"])


def decoded(keys: Path, text: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    words = ["--keys", str(keys), "decode", "-"]
    done = CliRunner().invoke(main, words, obj=Invocation(), input=text)
    return done.exit_code, done.stdout


@pytest.mark.parametrize(("suite", "mechanism", "envelope", "signed"), CASES)
def test_everything_on_the_line_is_deciphered_and_right(
    peer: PeerProcess,
    meters: dict[Any, Secured],
    suite: int,
    mechanism: str,
    envelope: str,
    signed: int,
) -> None:
    """The new password shows, both proofs are right, and so is each signature."""
    meter = meters[suite, mechanism]
    text = trace(peer, meter, envelope)
    code, shown = decoded(meter.file, text)
    assert code == 0, shown
    assert "not deciphered" not in shown
    assert NEW.hex().upper() in shown.replace(" ", "").replace("\n", "")
    assert shown.count("f(StoC) is right") == shown.count("f(CtoS) is right") == 1
    for side in ("client", "server"):
        assert bool(shown.count(f"right, of the {side}'s key")) is bool(signed)


def test_with_another_meters_keys_it_is_all_wrong(
    peer: PeerProcess, meters: dict[Any, Secured]
) -> None:
    """Exit code 1, and the password does not show."""
    text = trace(peer, meters[1, "hls-gmac"], "signed glo")
    code, shown = decoded(meters[2, "hls-sha1"].file, text)
    assert code == 1
    assert "false" in shown
    assert NEW.hex().upper() not in shown.replace(" ", "")

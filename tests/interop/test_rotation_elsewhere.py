"""Our rotation of keys at somebody else's meter, which unwraps what it is sent with its own code.

The meter is pydlms-client's simulator, with method 2 of class 64 around its `unwrap_key`. It is
asked afterwards which keys it has: they are those of our vault. What our command line prints
meanwhile, traces included, shows none of them. gurux-dlms judges the octets that went there.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headend.cli import main as headend
from headend.errors import ExitCode
from headend.store import Store, registry
from headend.store.registry import Entry
from headend.vault import masters
from headend.vault.turning import ATTEMPTS
from obis.values import replace
from prepay.keys import MeterKeys, format_keys, parse_keys
from protocol.timing import Instant
from tests.interop.environments import GURUX, PYDLMS
from tests.interop.secured import PeerProcess, key_file, leaked, octets, simulated

pytestmark = pytest.mark.interop

#: The keys that class 64 transfers, by the numbers that they have there.
TRANSFERRED = {
    "block_cipher_key": "0",
    "broadcast_key": "1",
    "authentication_key": "2",
    "master_key": "3",
}
WAYS = [(0, "hls-gmac"), (0, "hls-sha256"), (1, "hls-gmac"), (1, "hls-ecdsa"), (2, "hls-gmac")]
SETUP, ANOTHER_SETUP = "0.0.43.0.0.255", "0.0.43.0.2.255"
#: A meter that hears all, uses a key from the next association on, and has one security setup.
MEEK = {"at_once": False, "unheard": {}, "lost": {}, "setup": SETUP, "reference": ""}
NAMES = count(1)


class Elsewhere:
    """A meter of a peer's, and our command line with a vault that has its keys.

    Args:
        peer: the process that the meter is in.
        folder: for database and files.
        way: suite and mechanism.
        meter: of the meter, what its script wants to know besides.
    """

    def __init__(self, peer: PeerProcess, folder: Path, way: tuple[int, str], **meter: Any) -> None:
        self._peer, self._folder = peer, folder
        self.name = f"PYD{next(NAMES):013}"
        self.before = parse_keys(key_file(*way))
        (folder / "keys.toml").write_text(key_file(*way))
        case = simulated(self.before) | {"name": self.name} | MEEK | meter
        self._spec = f"tcp:127.0.0.1:{peer.ask('start', case)['returned']}"
        with closing(Store(str(folder / "headend.db"))) as store, store.begin() as db:
            registry.add(db, [Entry(self.name, transport=self._spec)], Instant(0))
        masters.write_private(
            folder / "master.key", masters.text_of((masters.new_master(os.urandom),))
        )
        self.said = ""
        self("keys", "import", self.name, str(folder / "keys.toml"))

    def __call__(self, *words: str, code: int = ExitCode.DONE) -> Any:
        """Run our command line; what it said last, as an object."""
        environment = {
            "PREPAY_DB": str(self._folder / "headend.db"),
            "PREPAY_MASTER_KEY_FILE": str(self._folder / "master.key"),
        }
        done = CliRunner().invoke(headend, ["--json", "--trace", *words], env=environment)
        assert done.exit_code == code, done.output
        self.said += done.output
        return json.loads((done.stdout or done.stderr).strip().splitlines()[-1])

    def rotate(self, *kinds: str, code: int = ExitCode.DONE) -> Mapping[str, str]:
        """Rotate keys of these kinds; what became of each."""
        words = [word for kind in kinds for word in ("--kind", kind)]
        told = self("keys", "rotate", self.name, *words, code=code)
        return {each["kind"]: each["end"] for each in told.get("keys", ())}

    def has(self) -> Mapping[str, str]:
        """Return the keys that the meter says it has."""
        found: Mapping[str, str] = self._asked("keys")["keys"]
        return found

    def transferred(self) -> list[int]:
        """Return which keys the meter unwrapped, in order."""
        found: list[int] = self._asked("keys")["transferred"]
        return found

    def _asked(self, what: str) -> Any:
        return self._peer.ask(what, {"name": self.name})["returned"]

    def heard(self) -> list[dict[str, str]]:
        """Return the key transfers as they were on the line, with the keys of then."""
        found: list[dict[str, str]] = self._asked("heard")
        return found

    def vaulted(self) -> MeterKeys:
        """Return the keys that our vault has."""
        out = self._folder / f"out{next(NAMES)}.toml"
        self("keys", "export", self.name, str(out), "--reason", "to compare them")
        return parse_keys(out.read_text())

    def clock(self) -> str:
        """Read the meter's clock with the keys of the vault."""
        told: str = self("--meter", self.name, "read", "clock")["value"]
        return told

    def refuses(self, keys: MeterKeys) -> bool:
        """Whether the meter lets nobody in with these keys."""
        file = self._folder / f"refused{next(NAMES)}.toml"
        file.write_text(format_keys(keys))
        words = ("--port", self._spec, "--keys", str(file), "read", "clock")
        error: str = self(*words, code=ExitCode.REFUSED)["error"]
        return error.startswith("the meter refused the association")


def in_hexadecimal(keys: MeterKeys) -> Mapping[str, str]:
    """Return the keys that class 64 transfers by their numbers."""
    return {number: getattr(keys, name).hex() for name, number in TRANSFERRED.items()}


@pytest.fixture(scope="module")
def pydlms(interpreters: dict[str, Path]) -> Iterator[PeerProcess]:
    """The process in which pydlms-client's meters are."""
    with PeerProcess(interpreters[PYDLMS.name], "pydlms_keyed_meter.py") as peer:
        yield peer


Meter = Callable[..., Elsewhere]


@pytest.fixture
def at_pydlms(pydlms: PeerProcess, tmp_path: Path) -> Meter:
    """A meter of pydlms-client's in a suite and with a mechanism."""

    def start(way: tuple[int, str], **meter: Any) -> Elsewhere:
        return Elsewhere(pydlms, tmp_path, way, **meter)

    return start


@pytest.mark.parametrize(
    ("way", "at_once"),
    [*((way, False) for way in WAYS), ((0, "hls-gmac"), True), ((2, "hls-gmac"), True)],
)
def test_a_foreign_meter_unwraps_every_key_and_goes_on_under_the_new_ones(
    at_pydlms: Meter, way: tuple[int, str], at_once: bool
) -> None:
    """Four keys, of which none is what it was; whoever has the old ones stays outside.

    A meter may use a key from its answer on, in which case it cannot read our release, or from
    the next association on.
    """
    meter = at_pydlms(way, at_once=at_once)
    assert meter.rotate(*TRANSFERRED) == dict.fromkeys(TRANSFERRED, "new")
    held = meter.has()
    before, after = in_hexadecimal(meter.before), in_hexadecimal(meter.vaulted())
    assert held == after
    assert all(before[number] != key for number, key in held.items())
    assert meter.transferred() == [int(number) for number in TRANSFERRED.values()]
    assert meter.clock().startswith("2024-05-01")
    for name in ("block_cipher_key", "authentication_key"):
        assert meter.refuses(replace(meter.vaulted(), **{name: getattr(meter.before, name)}))
    assert leaked(meter.said, meter.before) == leaked(meter.said, meter.vaulted()) == []


def test_a_meter_with_several_security_setups_is_sent_keys_at_that_of_the_association(
    at_pydlms: Meter,
) -> None:
    """It says which, as attribute 9 of class 15, and there is none at 0-0:43.0.0."""
    meter = at_pydlms((0, "hls-gmac"), setup=ANOTHER_SETUP, reference="00002B0002FF")
    assert meter.rotate(*TRANSFERRED) == dict.fromkeys(TRANSFERRED, "new")
    assert meter.has() == in_hexadecimal(meter.vaulted())


@pytest.mark.parametrize("reference", ["00002B0000FF", "000000000000", "2B00"])
def test_a_reference_to_the_first_security_setup_or_to_none_is_the_first(
    at_pydlms: Meter, reference: str
) -> None:
    """Zeros and what is no logical name say nothing."""
    meter = at_pydlms((0, "hls-gmac"), reference=reference)
    assert meter.rotate("block_cipher_key") == {"block_cipher_key": "new"}
    assert meter.has() == in_hexadecimal(meter.vaulted())


def test_a_meter_that_does_not_say_where_its_security_setup_is_keeps_its_keys(
    at_pydlms: Meter,
) -> None:
    """The object that most meters have is none of its, and both sides stay as they were."""
    meter = at_pydlms((0, "hls-gmac"), setup=ANOTHER_SETUP)
    meter.rotate(*TRANSFERRED, code=ExitCode.REFUSED)
    assert meter.has() == in_hexadecimal(meter.before) == in_hexadecimal(meter.vaulted())


@pytest.mark.parametrize(
    ("kind", "loss", "at_once"),
    [
        *((kind, loss, False) for kind in TRANSFERRED for loss in ("unheard", "lost")),
        ("block_cipher_key", "lost", True),
        ("master_key", "lost", True),
    ],
)
def test_a_foreign_meter_has_the_new_key_though_request_or_answer_was_lost(
    at_pydlms: Meter, kind: str, loss: str, at_once: bool
) -> None:
    """The line breaks once, before the meter hears of the key or after it took it.

    A key that opens associations is not sent again to a meter that has it. Any other is, a master
    key wrapped under itself, which a meter can unwrap that has it already.
    """
    number = TRANSFERRED[kind]
    meter = at_pydlms((0, "hls-gmac"), at_once=at_once, **{loss: {number: 1}})
    assert meter.rotate(kind) == {kind: "new"}
    again = loss == "lost" and kind in ("master_key", "broadcast_key")
    assert meter.transferred() == [int(number)] * (2 if again else 1)
    assert meter.has() == in_hexadecimal(meter.vaulted())
    assert getattr(meter.vaulted(), kind) != getattr(meter.before, kind)
    assert meter.clock()


@pytest.mark.parametrize(
    ("kind", "loss"),
    [(kind, "unheard") for kind in TRANSFERRED]
    + [(kind, "lost") for kind in ("master_key", "broadcast_key")],
)
def test_a_key_of_unknown_outcome_is_settled_by_the_same_command(
    at_pydlms: Meter, kind: str, loss: str
) -> None:
    """The line breaks at each attempt of the first run; both keys are kept until the second."""
    meter = at_pydlms((0, "hls-gmac"), **{loss: {TRANSFERRED[kind]: ATTEMPTS}})
    assert meter.rotate(kind, code=ExitCode.UNKNOWN) == {}
    shown = meter("keys", "show", meter.name)["keys"]
    assert {each["state"] for each in shown if each["kind"] == kind} == {"current", "pending"}
    assert meter.rotate(kind) == {kind: "new"}
    assert meter.has() == in_hexadecimal(meter.vaulted())
    assert getattr(meter.vaulted(), kind) != getattr(meter.before, kind)
    assert meter.clock()


def test_a_foreign_meter_refuses_keys_that_are_wrapped_under_another_master_key(
    at_pydlms: Meter,
) -> None:
    """Neither side changes anything, and nothing is left pending."""
    meter = at_pydlms((0, "hls-gmac"), master=octets("a master key of nobody's", 16).hex())
    meter.rotate(*TRANSFERRED, code=ExitCode.REFUSED)
    assert len(meter.heard()) == len(TRANSFERRED)
    assert meter.transferred() == []
    assert in_hexadecimal(meter.vaulted()) == in_hexadecimal(meter.before)
    shown = meter("keys", "show", meter.name)["keys"]
    assert "pending" not in {each["state"] for each in shown}
    assert meter.clock()


@pytest.mark.parametrize("suite", [0, 1])
def test_gurux_makes_the_octets_by_which_we_transferred_keys(
    at_pydlms: Meter, interpreters: dict[str, Path], suite: int
) -> None:
    """Its class 64 wraps the same keys under the same master key; but for the invoke-id.

    Its own meter cannot take a key (KNOWN_FAULTS.md, 60 and 61), and it has no master key of
    suite 2 (45).
    """
    meter = at_pydlms((suite, "hls-gmac"))
    meter.rotate(*TRANSFERRED)
    new, heard = in_hexadecimal(meter.vaulted()), meter.heard()
    with PeerProcess(interpreters[GURUX.name], "gurux_key_transfer.py") as gurux:
        for number, case in zip(TRANSFERRED.values(), heard, strict=True):
            made = gurux.ask("made", case | {"key_id": number, "key": new[number]})["returned"]
            ours = gurux.ask("deciphered", case)["returned"]
            assert made[:4] == ours[:4] == "c301"
            assert made[6:] == ours[6:]

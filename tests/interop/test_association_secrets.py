"""The secrets of the meter's associations, changed by other people's management clients.

Each changes the reader's password and its own secret of HLS, comes back with the new one, and is
refused with the old. None of them wraps a secret: what keeps it from being read on the line is the
ciphering of the association. By short names pydlms-client alone can cipher (fault 39).
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import GURUX, PYDLMS
from tests.interop.secured import PeerProcess, Secured, key_file, octets, secured_meters, told

pytestmark = pytest.mark.interop

BY_SECRET = ["hls", "hls-md5", "hls-sha1", "hls-sha256"]
SCRIPTS = {PYDLMS.name: "pydlms_secrets.py", GURUX.name: "gurux_secrets.py"}
#: Who changes it: the peer, and whether by short names.
WAYS = [(PYDLMS.name, False), (PYDLMS.name, True), (GURUX.name, False)]
#: Invocation counters of all associations here, with room for the APDUs of each.
COUNTERS = count(1, 100)
DENIED, REFUSED = "read-write-denied", "other-reason"
#: How an association is refused whose secret is false: the AARQ, or pass 3 of HLS.
REFUSALS = {"diagnostic=authentication-failure", REFUSED}


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Secured]]:
    """One for each mechanism and way."""
    texts: dict[Any, str] = {
        (mechanism, *way): key_file(0, mechanism)
        for mechanism in (*BY_SECRET, "hls-gmac")
        for way in WAYS
    }
    texts["long"] = key_file(0, "hls")
    texts["clear"] = key_file(0, "hls-sha256", protection="authenticated")
    with secured_meters(tmp_path_factory.mktemp("secrets"), texts) as found:
        yield found


@pytest.fixture(scope="module")
def peers(interpreters: dict[str, Path]) -> Iterator[dict[str, PeerProcess]]:
    """The peers' processes."""
    pydlms = PeerProcess(interpreters[PYDLMS.name], SCRIPTS[PYDLMS.name])
    gurux = PeerProcess(interpreters[GURUX.name], SCRIPTS[GURUX.name])
    with pydlms, gurux:
        yield {PYDLMS.name: pydlms, GURUX.name: gurux}


class Changer:
    """A peer as the management client of a meter whose secrets it changes.

    Args:
        peer: its process.
        meter: the meter.
        short: by short names.
    """

    def __init__(self, peer: PeerProcess, meter: Secured, *, short: bool = False) -> None:
        self._peer, self.meter = peer, meter
        self._told = told(meter.keys) | {"port": meter.tcp, "short names": short}

    def ask(self, what: str, **more: Any) -> Any:
        """Have something done; what came of it."""
        return self._peer.ask(what, self._told | {"counter": next(COUNTERS)} | more)

    def change(self, which: str, new: bytes, **more: Any) -> Any:
        """Change a secret; what came of it, which does not have the secret's octets in it."""
        answer = self.ask("change", which=which, new=new.hex(), **more)
        assert "returned" in answer, answer
        assert not any(new.hex() in sent.lower() for _, sent in answer["returned"].pop("octets"))
        return answer["returned"]

    def gets_in(self, what: str, **more: Any) -> bool:
        """Whether the meter opens an association; if not it has to have said so."""
        answer = self.ask(what, **more)
        name = answer.get("returned")
        assert name or REFUSALS & set(answer["text"].replace("_", "-").lower().split()), answer
        return name is not None and str(name).startswith("OPP")


@pytest.mark.parametrize(("peer", "short"), WAYS)
def test_a_peer_changes_the_password_and_the_reader_comes_back_with_it(
    peers: dict[str, PeerProcess], meters: dict[Any, Secured], peer: str, short: bool
) -> None:
    """The reader is pydlms-client; nobody reads the password, management included."""
    changer = Changer(peers[peer], meters["hls-gmac", peer, short], short=short)
    reader = Changer(peers[PYDLMS.name], changer.meter)
    old, new = changer.meter.keys.password, octets("a password", 20)
    assert reader.gets_in("open_reader", password=old.hex())
    found = changer.change("password", new)
    assert found.pop("refused") is None
    assert found in ({}, {"read": DENIED})
    assert reader.gets_in("open_reader", password=new.hex())
    assert not reader.gets_in("open_reader", password=old.hex())


@pytest.mark.parametrize(("peer", "short"), WAYS)
@pytest.mark.parametrize("mechanism", BY_SECRET)
def test_a_peer_changes_its_own_secret_and_comes_back_with_it(
    peers: dict[str, PeerProcess],
    meters: dict[Any, Secured],
    mechanism: str,
    peer: str,
    short: bool,
) -> None:
    """By method 2 of class 15, or method 6 of class 12."""
    changer = Changer(peers[peer], meters[mechanism, peer, short], short=short)
    # Of mechanism 2, 16 octets are the key of AES; of the others, what they like.
    new = octets(f"a secret of {mechanism}", 16 if mechanism == "hls" else 24)
    assert changer.change("secret", new) == {"refused": None}
    assert changer.gets_in("open_management", secret=new.hex())
    assert not changer.gets_in("open_management")


def test_a_secret_longer_than_the_challenge_shuts_gurux_out_of_hls_2(
    peers: dict[str, PeerProcess], meters: dict[Any, Secured]
) -> None:
    """Fault 58: its answer has 32 octets; pydlms-client gets in with that secret."""
    new = octets("a long secret", 24)
    gurux = Changer(peers[GURUX.name], meters["long"])
    assert gurux.change("secret", new) == {"refused": None}
    assert not gurux.gets_in("open_management", secret=new.hex())
    pydlms = Changer(peers[PYDLMS.name], gurux.meter)
    assert pydlms.gets_in("open_management", secret=new.hex())


@pytest.mark.parametrize("short", [False, True])
def test_gmac_has_no_secret_to_change(
    peers: dict[str, PeerProcess], meters: dict[Any, Secured], short: bool
) -> None:
    """The meter refuses it to pydlms-client."""
    changer = Changer(peers[PYDLMS.name], meters["hls-gmac", PYDLMS.name, short], short=short)
    assert changer.change("secret", octets("none", 16)) == {"refused": REFUSED}


def test_gurux_does_not_ask_for_a_new_secret_of_gmac(
    peers: dict[str, PeerProcess], meters: dict[Any, Secured]
) -> None:
    """It says itself what changes there."""
    changer = Changer(peers[GURUX.name], meters["hls-gmac", GURUX.name, False])
    answer = changer.ask("change", which="secret", new=octets("none", 16).hex())
    assert answer["text"] == "HighGMAC secret is updated using Security setup."


@pytest.mark.parametrize("which", ["password", "secret"])
def test_what_may_have_gone_in_clear_is_no_secret(
    peers: dict[str, PeerProcess], meters: dict[Any, Secured], which: str
) -> None:
    """Where the policy asks for authentication alone; here the peer does encrypt, as it happens."""
    changer = Changer(peers[PYDLMS.name], meters["clear"])
    assert changer.change(which, octets("clear", 16))["refused"] == REFUSED

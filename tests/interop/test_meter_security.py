"""The meter with any key file, judged by other people's clients: suites, mechanisms, class 64.

Each client opens an association as the management client, reads, sets, is refused, moves the relay
and releases; then it does what the security setup is for: new keys, policies and certificates.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from protocol.security import PrivateKey, SecuritySuite
from tests.interop.environments import GURUX, PYDLMS
from tests.interop.secured import (
    TITLE,
    WAYS,
    Manager,
    Managing,
    Secured,
    key_file,
    managers,
    octets,
    secured_meters,
)
from tests.interop.table import CELL

pytestmark = pytest.mark.interop

Recorder = Callable[[str, Any], None]

#: The envelopes, and the tags of the requests and of the answers in them.
GLO, DED = {(200, 204), (201, 205), (203, 207)}, {(208, 212), (209, 213), (211, 215)}
ENVELOPES: dict[str, set[tuple[int, int]]] = {
    "glo": GLO,
    "ded": DED,
    "general-glo": {(219, 219)},
    "general-ded": {(220, 220)},
    "identified": {(221, 221)},
    "wrapped": {(221, 221)},
}
CURVES: dict[str, set[tuple[int, int]]] = {
    "one-pass": {(221, 221)},
    "static": {(221, 221)},
    "signed glo": {(223, 223)},
    "signed ded": {(223, 223)},
    "signed identified": {(223, 223)},
    "signed wrapped": {(223, 223)},
    "signed one-pass": {(223, 223)},
    "signed static": {(223, 223)},
}
CELLS = [
    (suite, mechanism, envelope)
    for suite, mechanism in WAYS
    for envelope in [*ENVELOPES, *(CURVES if suite else [])]
]
#: Key ids of class 64.
UNICAST, BROADCAST, AUTHENTICATION, MASTER = "0", "1", "2", "3"
REFUSED = "other-reason"


@pytest.fixture(scope="module")
def meters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Secured]]:
    """One for each way, and for each test that changes one."""
    texts: dict[Any, str] = {way: key_file(*way) for way in WAYS}
    for suite in (0, 1, 2):
        texts |= {(name, suite): key_file(suite) for name in ("transfer", "gurux transfer")}
        texts["policy", suite] = key_file(suite, protection="authenticated")
        texts["agree", suite] = key_file(suite)
        mechanism = "hls-ecdsa" if suite else "hls-gmac"
        texts["commission", suite] = key_file(suite, mechanism)
    texts |= {("guess", name): key_file(1, name) for name in GUESSED}
    texts["guess", "password"] = key_file(0)
    with secured_meters(tmp_path_factory.mktemp("secured"), texts) as found:
        yield found


@pytest.fixture(scope="module")
def counters(meters: dict[Any, Secured]) -> dict[Any, Iterator[int]]:
    """The invocation counters of the management client of each meter, whoever that is."""
    return {name: count(1, 100) for name in meters}


@pytest.fixture(scope="module")
def pydlms(
    interpreters: dict[str, Path], meters: dict[Any, Secured], counters: dict[Any, Iterator[int]]
) -> Iterator[Managing]:
    """pydlms-client as the management client."""
    yield from managers(interpreters[PYDLMS.name], "pydlms_security.py", meters, counters)


@pytest.fixture(scope="module")
def gurux(
    interpreters: dict[str, Path], meters: dict[Any, Secured], counters: dict[Any, Iterator[int]]
) -> Iterator[Managing]:
    """gurux-dlms as the management client."""
    yield from managers(interpreters[GURUX.name], "gurux_security.py", meters, counters)


def check_use(found: Any) -> None:
    """Check that a client could do all that it may, and nothing else."""
    assert found["name"].startswith("OPP")
    assert found["set accepted"] is None
    assert found["set refused"] == "read-write-denied"
    assert found["relay off"] is None
    assert found["relay"] is False


def cell(record: Recorder, client: str, column: str, answer: Any) -> None:
    """Put what came of a case into the table."""
    found = "done" if "returned" in answer else answer["text"]
    record(CELL, {"row": client, "column": column, "found": found})


# --- suites, mechanisms and envelopes ------------------------------------------------------------


@pytest.mark.parametrize(("suite", "mechanism", "envelope"), CELLS)
def test_pydlms_does_what_it_may_in_every_envelope(
    pydlms: Managing, record_property: Recorder, suite: int, mechanism: str, envelope: str
) -> None:
    """Each request goes in that envelope, and each answer comes in the same; the release too."""
    answer = pydlms((suite, mechanism))("use", envelope=envelope)
    cell(record_property, f"pydlms-client, suite {suite}, {mechanism}", envelope, answer)
    assert "returned" in answer, answer
    check_use(answer["returned"])
    assert {tuple(pair) for pair in answer["returned"]["tags"]} == (ENVELOPES | CURVES)[envelope]
    assert answer["returned"]["release"] == "verified"


@pytest.mark.parametrize(
    ("suite", "mechanism", "envelope"),
    [
        (0, "hls-sha256", "ded"),
        (1, "hls-ecdsa", "signed one-pass"),
        (2, "hls-ecdsa", "signed static"),
        (2, "hls-gmac", "general-ded"),
    ],
)
def test_pydlms_does_the_same_on_hdlc(
    pydlms: Managing, record_property: Recorder, suite: int, mechanism: str, envelope: str
) -> None:
    """The longest of them go in several frames of 128 octets."""
    manager = pydlms((suite, mechanism))
    answer = manager("use", envelope=envelope, hdlc=True, port=manager.meter.hdlc)
    cell(record_property, f"pydlms-client, hdlc, suite {suite}, {mechanism}", envelope, answer)
    assert "returned" in answer, answer
    check_use(answer["returned"])


@pytest.mark.parametrize("envelope", ["glo", "ded"])
@pytest.mark.parametrize(("suite", "mechanism"), WAYS)
def test_gurux_does_what_it_may(
    gurux: Managing, record_property: Recorder, suite: int, mechanism: str, envelope: str
) -> None:
    """It ciphers generally, because the meter grants it, under the global or its dedicated key."""
    answer = gurux((suite, mechanism))("use", envelope=envelope)
    cell(record_property, f"gurux-dlms, suite {suite}, {mechanism}", envelope, answer)
    if (suite, mechanism) == (2, "hls-ecdsa"):
        # it signs with P-256 alone: KNOWN_FAULTS.md, 37
        assert answer["text"] == "Invalid private key scheme."
        return
    assert "returned" in answer, answer
    check_use(answer["returned"])
    tags = (203, 207), (220, 220) if envelope == "ded" else (219, 219)
    assert {tuple(pair) for pair in answer["returned"]["tags"]} == set(tags)


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_gurux_reads_the_security_setup_and_the_port_protection(
    gurux: Managing, suite: int
) -> None:
    """Version 0 of class 64 has the policy as a number, version 1 as bits and a list besides."""
    found = gurux((suite, "hls-gmac")).done("read_setup")
    policy, of, client, server, *certificates = found["setup"]
    assert (policy, of) == (0x6C if suite else 3, suite)
    assert client == {"octets": TITLE.hex()}
    assert server["octets"].startswith(b"OPP".hex())
    assert len(certificates) == (1 if suite else 0)
    assert found["protection"] == [1, 10, 30, 2, 900, {"octets": "0000190000ff"}, 0, 0, 0]


@pytest.mark.parametrize("control", [0x10, 0x20], ids=["authenticated", "encrypted"])
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_half_a_protection_gets_nobody_in(pydlms: Managing, suite: int, control: int) -> None:
    """Where the key file asks for both, which is what it does when it says nothing."""
    assert pydlms((suite, "hls-gmac")).is_refused(control=control)
    assert pydlms((suite, "hls-gmac")).done("use")


# --- new keys ------------------------------------------------------------------------------------


def new_key(name: str, suite: int) -> str:
    """Return a key that no key file has."""
    return octets(f"new {name} {suite}", 32 if suite == 2 else 16).hex()


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_pydlms_transfers_each_key_and_comes_back_with_it(pydlms: Managing, suite: int) -> None:
    """The old one gets nobody in from then on, and an old master key wraps nothing any more."""
    manager = pydlms(("transfer", suite))
    for key_id, entry in ((UNICAST, "block"), (AUTHENTICATION, "authentication")):
        new = {entry: new_key(entry, suite)}
        assert manager.done("transfer", keys={key_id: new[entry]}) is None
        assert manager.is_refused()
        assert manager.is_refused(**{entry: new_key("a stranger's", suite)})
        manager.told |= new
        check_use(manager.done("use"))
    broadcast, master = new_key("broadcast", suite), new_key("master", suite)
    assert manager.done("transfer", keys={BROADCAST: broadcast, MASTER: master}) is None
    assert manager.done("transfer", keys={UNICAST: new_key("a third", suite)}) == REFUSED
    check_use(manager.done("use"))
    manager.told["master"] = master
    third = new_key("a third", suite)
    assert manager.done("transfer", keys={UNICAST: third}) is None
    manager.told["block"] = third
    check_use(manager.done("use"))


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_gurux_transfers_two_keys_at_once(gurux: Managing, suite: int) -> None:
    """By its own class 64, which wraps with a master key of 16 octets alone."""
    manager = gurux(("gurux transfer", suite))
    block, authentication = new_key("block", suite), new_key("authentication", suite)
    answer = manager("transfer", keys={UNICAST: block, AUTHENTICATION: authentication})
    if suite == 2:
        # KNOWN_FAULTS.md, 45
        assert answer["text"] == "Key Encrypting Key"
        return
    assert answer == {"returned": None}
    assert manager.is_refused()
    manager.told |= {"block": block, "authentication": authentication}
    check_use(manager.done("use"))


@pytest.mark.parametrize("suite", [1, 2])
def test_pydlms_agrees_on_keys_and_comes_back_with_them(pydlms: Managing, suite: int) -> None:
    """Both sides have reckoned the same out of two ephemeral keys; the old ones are refused."""
    manager = pydlms(("agree", suite))
    agreed = manager.done("agree", keys=[int(UNICAST), int(BROADCAST), int(AUTHENTICATION)])
    assert manager.is_refused()
    manager.told |= {
        "block": agreed[UNICAST]["octets"],
        "broadcast": agreed[BROADCAST]["octets"],
        "authentication": agreed[AUTHENTICATION]["octets"],
    }
    check_use(manager.done("use"))
    check_use(manager.done("use", envelope="signed one-pass"))


@pytest.mark.parametrize("suite", [1, 2])
def test_the_meter_agrees_with_nobody_who_signs_with_another_key(
    pydlms: Managing, suite: int
) -> None:
    """It has the symmetric keys and another's signature: refused, and nothing changes."""
    manager = pydlms((suite, "hls-gmac"))
    answer = manager("agree", keys=[int(UNICAST)], signing=manager.told["agreement"])
    assert "raised" in answer
    check_use(manager.done("use"))


# --- policies ------------------------------------------------------------------------------------

# suite; policies asked for in a row; why each is refused, or not; what holds in the end
POLICIES: list[tuple[int, list[int], list[str | None], int]] = [
    (0, [0, 2, 3, 1], [REFUSED, REFUSED, None, REFUSED], 3),
    (1, [0x00, 0x64, 0xFC, 0x6C], [REFUSED, None, None, REFUSED], 0xFC),
    (2, [0x04, 0x2C, 0xFC, 0x00], [REFUSED, None, None, REFUSED], 0xFC),
]


@pytest.mark.parametrize(("suite", "wanted", "refused", "left"), POLICIES)
def test_pydlms_strengthens_the_policy_and_never_weakens_it(
    pydlms: Managing, suite: int, wanted: list[int], refused: list[str | None], left: int
) -> None:
    """A key file that asks for authentication alone; the new policy is the next association's."""
    manager = pydlms(("policy", suite))
    check_use(manager.done("use", control=0x10))
    found = manager.done("activate", control=0x10, policies=wanted)
    assert found == {"refused": refused, "policy": left}
    assert manager.is_refused(control=0x10)
    if suite:
        assert manager.is_refused(), "the policy asks for signatures as well"
        check_use(manager.done("use", envelope="signed glo"))
    else:
        check_use(manager.done("use"))


# --- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [1, 2])
def test_pydlms_commissions_the_meter_with_an_authority_of_its_own(
    pydlms: Managing, suite: int
) -> None:
    """New key pairs, requests, certificates; then signatures of the new keys alone are taken."""
    manager = pydlms(("commission", suite))
    ours = PrivateKey(SecuritySuite(suite), octets("ours", 48 if suite == 2 else 32))
    found = manager.done("commission", new_signing=ours.scalar.hex())
    points = found.pop("points")
    assert found == {
        **dict.fromkeys(
            ("orphan", "stranger", "second authority", "another's key", "expired"), REFUSED
        ),
        "listed": [[2, 3], [0, 0], [0, 1], [1, 0]],
        "exported": {"by serial": True, "by entity": True, "its own": True},
    }
    assert manager.is_refused(), "the client's old key, and the meter's"
    before = dict(manager.told)
    manager.told |= {
        "peer_signing": points["DIGITAL_SIGNATURE"],
        "peer_agreement": points["KEY_AGREEMENT"],
    }
    assert manager.is_refused(), "the client's old key"
    manager.told["signing"] = ours.scalar.hex()
    check_use(manager.done("use", envelope="signed one-pass"))
    check_use(manager.done("use", envelope="signed static"))
    another = {"title": b"OPPHEAD2".hex(), "signing": before["signing"]}
    check_use(manager.done("use", **another))  # a certificate is for its own title
    assert manager.done("remove") == {
        "listed": [[2, 3], [0, 0], [0, 1]],
        "again": "object-unavailable",
    }
    assert manager.is_refused(), "the key whose certificate is gone"
    manager.told["signing"] = before["signing"]
    check_use(manager.done("use", envelope="signed glo"))


# --- guessing ------------------------------------------------------------------------------------

#: What is guessed, by mechanism.
GUESSED = {
    "hls": "secret",
    "hls-md5": "secret",
    "hls-sha1": "secret",
    "hls-gmac": "authentication",
    "hls-sha256": "secret",
    "hls-ecdsa": "signing",
}
ATTEMPTS = 10
PROTECTION = {"class": 124, "obis": "0.0.44.2.1.255", "of": [8, 9, 10]}
UNLOCKED, LOCKED = 0, 1
RESET = {"class": 124, "obis": "0.0.44.2.1.255", "method": 1}


def check_locked(manager: Manager) -> None:
    """Check that the network is locked, the local port is not, and that management unlocks it."""
    local = {"hdlc": True, "port": manager.meter.hdlc}
    status, failed, ever = manager.done("read", **PROTECTION, **local)
    assert status == LOCKED
    assert failed == ever == ATTEMPTS
    assert manager.done("act", **RESET, **local) is None
    assert manager.done("read", **PROTECTION) == [UNLOCKED, 0, ATTEMPTS]


@pytest.mark.parametrize("mechanism", GUESSED)
def test_ten_false_attempts_lock_the_port(pydlms: Managing, mechanism: str) -> None:
    """Whatever is guessed at; then a right secret or password waits too, a right key does not."""
    manager = pydlms(("guess", mechanism))
    entry, password = GUESSED[mechanism], manager.meter.keys.password.decode()
    false = octets("a guess", len(bytes.fromhex(manager.told[entry]))).hex()
    check_use(manager.done("use"))
    for _ in range(ATTEMPTS):
        assert manager.is_refused(**{entry: false})
    if entry == "secret":
        assert "result=2" in manager("use")["text"]
    else:
        check_use(manager.done("use"))
        assert manager.is_refused(**{entry: false})
    assert "result=2" in manager("read_by_password", password=password)["text"]
    check_locked(manager)
    check_use(manager.done("use"))
    assert manager.done("read_by_password", password=password)


def test_ten_false_passwords_lock_the_port_for_all_but_the_public_client(
    pydlms: Managing,
) -> None:
    """pydlms-client as the reader."""
    manager = pydlms(("guess", "password"))
    password = manager.meter.keys.password.decode()
    assert manager.done("read_by_password", password=password)
    for number in range(ATTEMPTS):
        assert "result=1" in manager("read_by_password", password=f"guess {number}")["text"]
    assert "result=2" in manager("read_by_password", password=password)["text"]
    check_locked(manager)
    assert manager.done("read_by_password", password=password)

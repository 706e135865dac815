"""The peers' faults of security, shown without our code: see KNOWN_FAULTS.md."""

from pathlib import Path

import pytest

from prepay.keys import parse_keys
from tests.interop.environments import GURUX, PYDLMS
from tests.interop.secured import PeerProcess, key_file, leaked, simulated, told

pytestmark = pytest.mark.interop

SCRIPT = "security_faults.py"


def test_gurux_wraps_keys_under_a_master_key_of_16_octets_alone(
    interpreters: dict[str, Path],
) -> None:
    """Those of suite 2 have 32, and so none is ever transferred to it."""
    with PeerProcess(interpreters[GURUX.name], SCRIPT) as peer:
        assert len(peer.ask("gurux_wraps_a_key", {"length": 16})["returned"]) == 2 * 24
        assert peer.ask("gurux_wraps_a_key", {"length": 32})["raised"] == "ValueError"


def test_gurux_prints_its_private_key_when_it_proves_itself(
    interpreters: dict[str, Path],
) -> None:
    """On standard output, as hexadecimal."""
    keys = parse_keys(key_file(1, "hls-ecdsa"))
    with PeerProcess(interpreters[GURUX.name], SCRIPT) as peer:
        printed = peer.ask("gurux_prints_while_it_signs", told(keys))["returned"]
    assert leaked(printed, keys) == ["hexadecimal"]


def test_the_server_of_gurux_answers_nobody(interpreters: dict[str, Path]) -> None:
    """The AARQ of its own client, without security: what it would answer has nowhere to go."""
    with PeerProcess(interpreters[GURUX.name], SCRIPT) as peer:
        answer = peer.ask("gurux_answers_an_aarq", {})
    assert answer["raised"] == "AttributeError"
    assert "setReply" in answer["text"]


def test_gurux_unwraps_no_key(interpreters: dict[str, Path]) -> None:
    """Not even one that it has wrapped itself: it counts by floats."""
    with PeerProcess(interpreters[GURUX.name], SCRIPT) as peer:
        assert peer.ask("gurux_unwraps_a_key", {})["raised"] == "TypeError"


def test_gurux_takes_a_false_tag_of_what_is_encrypted(interpreters: dict[str, Path]) -> None:
    """What is authenticated alone it refuses; with encryption it looks at no tag."""
    with PeerProcess(interpreters[GURUX.name], SCRIPT) as peer:
        authenticated, both = (
            peer.ask("gurux_deciphers_with_a_false_tag", {"security": security})
            for security in (0x10, 0x30)
        )
    assert authenticated["text"] == "Decrypt failed. Invalid tag."
    assert both == {"returned": "genuine"}


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_pydlms_simulates_a_proof_by_gmac_of_suite_0_in_every_suite(
    interpreters: dict[str, Path], suite: int
) -> None:
    """Its own client believes it in suite 0, and refuses it in the others."""
    keys = parse_keys(key_file(suite, "hls-gmac"))
    case = {"client": told(keys), "meter": simulated(keys)}
    with PeerProcess(interpreters[PYDLMS.name], SCRIPT) as peer:
        answer = peer.ask("pydlms_meets_its_own_simulator", case)
    if suite == 0:
        assert answer == {"returned": "associated"}
    else:
        assert "SC 0x10 is not of suite" in answer["text"]
        assert answer["octets"][-1][0] == "received"

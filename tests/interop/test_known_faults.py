"""The peers' faults, shown without our code: what KNOWN_FAULTS.md says is still so.

A test that fails here means that a peer has mended a fault: strike it from the list, and take out
of the drivers what was done about it.
"""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.environments import DLMS_COSEM, GURUX, HERE, PYDLMS, Peer

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 30
Show = Callable[[Peer, str], Any]


@pytest.fixture
def show(interpreters: dict[str, Path]) -> Show:
    """Have a peer show a fault in its own process."""

    def ask(peer: Peer, fault: str) -> Any:
        command = [str(interpreters[peer.name]), "-B", str(HERE / "peers" / "faults.py"), fault]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return ask


def test_dlms_cosem_makes_two_tags_under_one_counter(show: Show) -> None:
    """The GMAC of HLS pass 3 and the APDU around it have the same IV; each should have its own."""
    found = show(DLMS_COSEM, "one_counter_twice")
    assert found["gmac"] == found["apdu"]


def test_dlms_cosem_sends_its_title_where_nothing_is_ciphered(show: Show) -> None:
    """Application context 1, and still a calling-AP-title of 8 octets."""
    aarq = show(DLMS_COSEM, "calling_title_without_ciphering")
    assert aarq.startswith("6029a109060760857405080101a60a0408")


def test_dlms_cosem_refuses_an_aare_longer_than_127_octets(show: Show) -> None:
    """127 octets are read; 128, with a length of two octets, are not."""
    found = show(DLMS_COSEM, "aare_longer_than_127")
    assert "returned" in found["127"]
    assert "raised" in found["128"]


def test_dlms_cosem_writes_a_long_general_glo_with_a_short_length(show: Show) -> None:
    """205 octets want the length 81 CD; it writes CD, which announces a length of 77 octets."""
    assert show(DLMS_COSEM, "general_glo_longer_than_127") == "db084d4d4d0000bc614ecd30"


def test_dlms_cosem_refuses_a_first_counter_of_zero(show: Show) -> None:
    """A meter may begin to count at 0."""
    assert show(DLMS_COSEM, "first_counter_zero")["raised"] == "LocalDlmsProtocolError"


@pytest.mark.parametrize("fault", ["end_of_file", "octets_behind_a_value"])
def test_dlms_cosem_works_for_ever_on_some_input(show: Show, fault: str) -> None:
    """A closed connection, and a value with an octet behind it, are taken for a reason to wait."""
    assert show(DLMS_COSEM, fault)["raised"] == "EndlessError"


def test_dlms_cosem_takes_the_end_of_an_fcs_for_a_flag(show: Show) -> None:
    """It stops reading one octet before the end of the frame."""
    found = show(DLMS_COSEM, "fcs_ends_in_a_flag")
    assert found["frame"] == found["read"] + "7e"


def test_dlms_cosem_cannot_take_an_exception_response_to_a_set_or_an_action(show: Show) -> None:
    """Its state table has no row for it."""
    found = show(DLMS_COSEM, "exception_response")
    assert [answer["raised"] for answer in found.values()] == ["LocalDlmsProtocolError"] * 2


def test_dlms_cosem_decodes_neither_bit_strings_nor_utf8_strings(show: Show) -> None:
    """It knows their tags, and raises."""
    found = show(DLMS_COSEM, "undecodable_types")
    assert [answer["raised"] for answer in found.values()] == ["NotImplementedError"] * 2


def test_dlms_cosem_has_an_entry_descriptor_without_octets(show: Show) -> None:
    """It can be made, and not be sent."""
    assert show(DLMS_COSEM, "entry_descriptor")["raised"] == "NotImplementedError"


def test_dlms_cosem_writes_long_octet_strings_with_a_short_length(show: Show) -> None:
    """200 octets want 09 81 C8, of which it leaves the 81 out; 2500 do not go into an octet."""
    found = show(DLMS_COSEM, "long_octet_string")
    assert found["200"] == {"returned": "09c80000"}
    assert found["2500"]["raised"] == "ValueError"


def test_gurux_announces_too_short_a_frame_when_it_has_512_octets(show: Show) -> None:
    """Between the flags are 518 octets, and the frame format says A906, which is 262."""
    frame = bytes.fromhex(show(GURUX, "frame_of_512_octets"))
    assert len(frame) - 2 == 518
    assert frame[1:3] == b"\xa9\x06"


def test_gurux_leaves_the_system_title_out_of_an_apdus_length(show: Show) -> None:
    """The server takes 1024 octets; a block in general-glo-ciphering has 1032."""
    apdu = bytes.fromhex(show(GURUX, "general_glo_longer_than_agreed"))
    assert apdu[:14] == bytes.fromhex("db084d4d4d0000bc614e8203fb30")
    assert len(apdu) == 1032


def test_gurux_reads_an_empty_array_as_null_data(show: Show) -> None:
    """Both are None."""
    assert show(GURUX, "empty_array") == [None, None]


def test_gurux_releases_a_ciphered_association_in_clear(show: Show) -> None:
    """No user information, so anybody could have sent it."""
    assert show(GURUX, "release_in_clear") == "6203800100"


def test_gurux_proposes_general_protection_without_keys(show: Show) -> None:
    """Conformance 40 1E 5D in an association without security."""
    assert show(GURUX, "general_protection_without_keys").endswith("5f1f0400401e5dffff")


def test_gurux_takes_no_buffer_before_the_capture_objects(show: Show) -> None:
    """The order of reading matters to it."""
    assert show(GURUX, "buffer_before_capture_objects")["text"] == "Read capture objects first."


def test_pydlms_has_the_types_of_three_prepayment_attributes_wrong(show: Show) -> None:
    """Account 11 and 12 are arrays, Credit 11 is a date-time; its models say otherwise."""
    found = show(PYDLMS, "prepayment_types")
    assert {name for name, answer in found.items() if "raised" in answer} == {
        "111/11",
        "111/12",
        "112/11",
    }


def test_gurux_loses_the_last_frame_of_a_window(show: Show) -> None:
    """Three I frames, the last final: dropped after a request, an error after RR."""
    after_request, after_ready = show(GURUX, "window_received")
    assert after_request == [{"returned": "True"}, {"returned": "True"}, {"returned": "False"}]
    assert [answer.get("raised") for answer in after_ready] == [None, None, "UnboundLocalError"]


def test_pydlms_polls_before_it_has_the_turn(show: Show) -> None:
    """Of three I frames behind a lost one only the last gives it away; each gets an RR."""
    assert show(PYDLMS, "polls_in_a_window") == ["7ea00703211115a67e"] * 3


def test_pydlms_does_not_poll_for_the_rest_of_a_window_of_blocks(show: Show) -> None:
    """Over HDLC, with its own simulator: 600 octets by windows of 1, and not by windows of 3."""
    one, three = show(PYDLMS, "pydlms_window_over_hdlc")
    assert one == {"returned": "600"}
    assert three["text"].startswith("GBT: timeout waiting for block")


def test_gurux_cannot_take_general_blocks_one_by_one(show: Show) -> None:
    """It can neither acknowledge one nor see an answer that is numbered on: refused is 3."""
    found = show(GURUX, "gurux_general_blocks")
    assert found["acknowledging"]["raised"] == "AttributeError"
    assert found["numbered on"] == 0


def test_gurux_cannot_write_by_access(show: Show) -> None:
    """It can read by it."""
    assert show(GURUX, "gurux_access_that_writes")["raised"] == "AttributeError"


def test_gurux_cannot_write_a_list(show: Show) -> None:
    """Its items have no method that the list asks them for."""
    assert show(GURUX, "gurux_write_list")["raised"] == "AttributeError"


def test_gurux_calls_a_structure_none(show: Show) -> None:
    """The type it reports of it is 0; the tag is 2."""
    assert show(GURUX, "gurux_structure_type") == 0


def test_gurux_prints_while_it_deciphers(show: Show) -> None:
    """To standard output, whoever's that is."""
    assert show(GURUX, "gurux_prints") == "Authentication is applied.\n"


def test_gurux_signs_alike_when_random_repeats_itself(show: Show) -> None:
    """The number k is drawn from a generator whose state can be put back, or reckoned."""
    first, second = show(GURUX, "gurux_signs_alike")
    assert first == second


def test_gurux_proposes_no_blocks_by_short_names(show: Show) -> None:
    """Conformance 1C 03 20 has none of bits 11 to 13."""
    assert show(GURUX, "gurux_short_names_conformance").endswith("5f1f04001c0320ffff")


def test_the_simulator_of_pydlms_offers_no_short_names(show: Show) -> None:
    """Of READ, WRITE and UnconfirmedWrite none, in every context."""
    found = show(PYDLMS, "pydlms_short_names_conformance")
    by_short_names = 0x1C0000
    assert int(found["due"]) & by_short_names == by_short_names
    assert not int(found["offered"]) & by_short_names


def test_the_list_is_numbered_without_gaps_and_says_where_each_fault_is_shown() -> None:
    """Each row is shown here, or names the file of tests that shows it."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (HERE / "KNOWN_FAULTS.md").read_text().splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert len({row[2] for row in rows}) == len(rows), "no fault is there twice"
    for number, *cells in rows:
        assert len(cells) == 5, number
        named = re.findall(r"`(test_\w+\.py)`", cells[-1])
        assert cells[-1] == "yes" or named, number
        assert all((HERE / name).is_file() for name in named), number

"""Explanations of ciphered APDUs: with the right keys, with wrong ones, and without."""

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.explain import Conversation, Node, explain
from protocol.security import KeySet, Protection, protect
from tests.protocol.explain_tools import covers

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "security.json").read_text()
)
KEYS = KeySet(
    bytes.fromhex(VECTORS["block_cipher_key"]), bytes.fromhex(VECTORS["authentication_key"])
)
TITLE = bytes.fromhex(VECTORS["system_title"])
SERVER = bytes.fromhex("4D4D4D0000000001")
GET = bytes.fromhex("C001C100080000010000FF0200")
NAMES = [case["name"] for case in VECTORS["ciphered"]]


def explained(octets: bytes, talk: Conversation) -> Node:
    """Return an explanation, which has to cover its octets, those deciphered too."""
    root = explain(octets, talk)
    assert covers(root, octets)
    return root


def ciphered(tag: int, plain: bytes, keys: KeySet = KEYS, title: bytes = TITLE) -> bytes:
    """Return a service-specific ciphered APDU."""
    protection = Protection.AUTHENTICATED_ENCRYPTED
    body = b"\x30" + bytes(4) + protect(keys, title, 0, protection, plain)
    return bytes((tag, len(body))) + body


@pytest.mark.parametrize("case", VECTORS["ciphered"], ids=NAMES)
def test_the_published_examples_are_deciphered(case: dict[str, str]) -> None:
    """The plain APDU is inside, or in its place where it is only authenticated."""
    root = explained(bytes.fromhex(case["apdu"]), Conversation(KEYS, titles=(TITLE,)))
    assert not root.faults()
    made = [node.inside.octets.hex().upper() for node in root.walk() if node.inside]
    assert made == ([] if case["control"] == "10" else [case["plain"]])
    assert root.find("get-request") or root.find("initiate-request")
    tag = root.find("authentication-tag")
    assert (tag is None) == (case["control"] == "20")
    assert tag is None or tag.meaning.startswith("right")


@pytest.mark.parametrize("case", VECTORS["ciphered"], ids=NAMES)
def test_a_changed_octet_makes_the_tag_false(case: dict[str, str]) -> None:
    """Which is a fault, where there is a tag."""
    octets = bytearray.fromhex(case["apdu"])
    octets[-13] ^= 1
    root = explained(bytes(octets), Conversation(KEYS, titles=(TITLE,)))
    reasons = [node.fault for node in root.faults()]
    if case["control"] == "20":
        assert not any("tag is false" in reason for reason in reasons)
    else:
        assert any(reason.startswith("the authentication tag is false") for reason in reasons)


def test_a_wrong_authentication_key_still_shows_what_the_other_key_deciphers() -> None:
    """So one sees which of the two keys is wrong."""
    keys = KeySet(KEYS.block_cipher_key, bytes(16))
    root = explained(
        bytes.fromhex(VECTORS["ciphered"][2]["apdu"]), Conversation(keys, titles=(TITLE,))
    )
    assert [node.name for node in root.faults()] == ["authentication-tag"]
    made = root.find("ciphertext")
    assert made is not None
    assert made.inside is not None
    assert made.inside.how == "deciphered although the authentication tag is false"


def test_keys_that_are_only_tried_and_do_not_fit_are_no_fault() -> None:
    """Nobody said that they are the right ones."""
    keys = KeySet(bytes(16), bytes(16))
    root = explained(ciphered(0xC8, GET), Conversation(keys, certain=False, titles=(TITLE,)))
    assert not root.faults()
    node = root.find("ciphertext")
    assert node is not None
    assert "not deciphered" in node.meaning


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (Conversation(), "no keys"),
        (Conversation(KEYS), "the sender's system title is not known"),
    ],
)
def test_what_cannot_be_deciphered_says_why(talk: Conversation, why: str) -> None:
    """And is no fault."""
    root = explained(ciphered(0xC8, GET), talk)
    node = root.find("ciphertext")
    assert node is not None
    assert node.meaning == f"13 octets, not deciphered: {why}"
    assert not root.faults()


def test_titles_come_from_aarq_and_aare() -> None:
    """Requests are by the client, answers by the server."""
    talk = Conversation(KEYS)
    explained(bytes.fromhex("6017A109060760857405080103A60A0408") + TITLE, talk)
    aare = "6123A109060760857405080103A203020100A305A103020100A40A0408"
    explained(bytes.fromhex(aare) + SERVER, talk)
    assert not explained(ciphered(0xC8, GET), talk).faults()
    answer = bytes.fromhex("C401C1000600001391")
    root = explained(ciphered(0xCC, answer, title=SERVER), talk)
    assert not root.faults()
    node = root.find("data")
    assert node is not None
    assert node.value == 5009


def test_a_dedicated_key_comes_from_the_initiate_request() -> None:
    """Without it a ded- APDU stays shut."""
    dedicated = KeySet(bytes.fromhex("00112233445566778899AABBCCDDEEFF"), KEYS.authentication_key)
    octets = ciphered(0xD0, GET, dedicated)
    talk = Conversation(KEYS, titles=(TITLE,))
    assert explained(octets, talk).find("get-request") is None
    explained(bytes.fromhex(VECTORS["ciphered"][3]["apdu"]), talk)
    assert explained(octets, talk).find("get-request") is not None


def test_an_envelope_that_names_another_apdu_is_found_out_by_its_content() -> None:
    """Encrypted without a tag only the first octet can tell."""
    body = b"\x20" + bytes(4) + protect(KEYS, TITLE, 0, Protection.ENCRYPTED, GET)
    octets = bytes((0xC9, len(body))) + body
    root = explained(octets, Conversation(KEYS, titles=(TITLE,)))
    assert [node.fault for node in root.faults()] == [
        "deciphers to no APDU: another key or another system title"
    ]


def test_general_ciphering_under_the_global_key_is_deciphered() -> None:
    """Its header is authenticated too, or not, as implementations differ."""
    header = bytes.fromhex("010108") + TITLE + bytes.fromhex("000000")
    protection = Protection.AUTHENTICATED_ENCRYPTED
    for said in (header, b""):
        body = b"\x30" + bytes(4) + protect(KEYS, TITLE, 0, protection, GET, said)
        octets = b"\xdd" + header + bytes((0, len(body))) + body
        root = explained(octets, Conversation(KEYS))
        assert not root.faults()
        assert root.find("get-request") is not None


def test_what_is_broadcast_is_under_the_broadcast_key() -> None:
    """The security control octet says so."""
    broadcast = KEYS.under(bytes(16), broadcast=True)
    body = protect(broadcast, TITLE, 0, Protection.AUTHENTICATED_ENCRYPTED, GET)
    octets = bytes((0xC8, len(body) + 5)) + b"\x70" + bytes(4) + body
    for known in (None, broadcast):
        root = explained(octets, Conversation(KEYS, titles=(TITLE,), broadcast=known))
        assert not root.faults()
        assert (root.find("get-request") is None) == (known is None)


def test_no_key_shows_in_a_repr() -> None:
    """Of what the conversation holds."""
    talk = Conversation(KEYS, dedicated=KEYS)
    for key in (KEYS.block_cipher_key, KEYS.authentication_key):
        assert repr(key) not in repr(talk)
        assert key.hex() not in repr(talk)

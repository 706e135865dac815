"""Explanations with a whole key file: content keys, signatures, and answers to challenges.

The conversations are those of our own client and server, of every kind that they can have.
"""

from typing import Any

import pytest

from obis.values import replace
from protocol.apdu import (
    BlockNumberAccess,
    ReadBlock,
    ReadDataBlockAccess,
    ReadRequestApdu,
    ReadResponseApdu,
    WriteDataBlockAccess,
    WriteRequestApdu,
)
from protocol.association.envelope import KeyKind
from protocol.axdr import double_long_unsigned, encode, octet_string, unsigned
from protocol.codes import ApplicationContext, Mechanism
from protocol.events import GetRequest, ShortName
from protocol.explain import Conversation, Node, explain
from protocol.explain.vault import CLIENT, SERVER, Pair, Vault
from protocol.security import PrivateKey, SecuritySuite
from tests.protocol.association_tools import CLIENT_TITLE, CLOCK, SERVER_TITLE, Pipe
from tests.protocol.explain_tools import covers
from tests.protocol.security_tools import SUITE_0, SUITE_1, SUITE_2, keys, private_key
from tests.protocol.test_security_associations import AGREED, ENVELOPES, SECRET, pair

HLS = [mechanism for mechanism in Mechanism if mechanism >= Mechanism.HLS]
CASES = [
    *(pytest.param(SUITE_0, how, id=f"0 {name}") for name, how in ENVELOPES.items()),
    *(
        pytest.param(suite, how, id=f"{int(suite)} {name}")
        for suite in (SUITE_1, SUITE_2)
        for name, how in (ENVELOPES | AGREED).items()
    ),
]


def vault(suite: SecuritySuite) -> Vault:
    """Both sides' secrets."""
    if suite is SUITE_0:
        return Vault(b"M" * suite.key_length, SECRET)
    pairs = {
        side: Pair(private_key(suite, f"{side} signs"), private_key(suite, f"{side} agrees"))
        for side in (CLIENT, SERVER)
    }
    return Vault(b"M" * suite.key_length, SECRET, pairs)


def known(suite: SecuritySuite, **changes: Any) -> Conversation:
    """A conversation of which every key is known."""
    broadcast = keys(suite).under(b"B" * suite.key_length, broadcast=True)
    return replace(Conversation(keys(suite), broadcast=broadcast, vault=vault(suite)), **changes)


def messages(pipe: Pipe) -> list[bytes]:
    """What both sides have sent, by turns."""
    return [apdu for both in zip(pipe.to_server, pipe.to_client, strict=True) for apdu in both]


def explained(apdus: list[bytes], talk: Conversation) -> list[Node]:
    """The explanations of a conversation; each covers its octets."""
    roots = [explain(apdu, talk) for apdu in apdus]
    assert all(covers(root, apdu) for root, apdu in zip(roots, apdus, strict=True))
    return roots


def faults(roots: list[Node]) -> list[str]:
    """All that is wrong."""
    return [node.fault for root in roots for node in root.faults()]


def everything(roots: list[Node]) -> list[Node]:
    """All nodes, those of what was made from octets too."""
    return [node for root in roots for node in root.walk(inside=True)]


def words(roots: list[Node], name: str) -> list[str]:
    """The meanings of all nodes of a name."""
    return [node.meaning for node in everything(roots) if node.name == name]


# --- content keys and signatures -----------------------------------------------------------------


def conversation(suite: SecuritySuite, how: dict[str, Any]) -> list[bytes]:
    """An association in which the clock is read."""
    pipe = pair(suite, Mechanism.HLS_GMAC, client=how)
    pipe.open()
    pipe.send(GetRequest(CLOCK))
    return messages(pipe)


@pytest.mark.parametrize(("suite", "how"), CASES)
def test_every_envelope_is_opened_with_both_sides_keys(
    suite: SecuritySuite, how: dict[str, Any]
) -> None:
    """Wrapped, agreed, signed: request and value show, signatures are right, nothing is wrong."""
    roots = explained(conversation(suite, how), known(suite))
    assert not faults(roots)
    assert roots[-2].find("get-request")
    answer = roots[-1].find("data")
    assert answer is not None
    assert answer.value == b"value"
    if "signing" in how:
        assert any("right, of the client's key" in one for one in words(roots, "signature"))
        assert any("right, of the server's key" in one for one in words(roots, "signature"))


STRANGER = PrivateKey(SUITE_1, bytes([7] * 32))


@pytest.mark.parametrize("name", ["general-ciphering, wrapped", *AGREED])
@pytest.mark.parametrize("certain", [True, False])
def test_with_another_sides_keys_nothing_opens_and_nothing_is_right(
    name: str, certain: bool
) -> None:
    """Faults if these are said to be the keys; if they were only tried it says just that."""
    apdus = conversation(SUITE_1, (ENVELOPES | AGREED)[name])
    pairs = dict.fromkeys((CLIENT, SERVER), Pair(STRANGER, STRANGER))
    other = Vault(b"N" * 16, SECRET, pairs)
    roots = explained(apdus, known(SUITE_1, vault=other, certain=certain))
    assert not any("right, of" in one for one in words(roots, "signature"))
    assert bool(faults(roots)) is certain
    if "signed" not in name:
        assert roots[-2].find("get-request") is None


@pytest.mark.parametrize("name", AGREED)
def test_of_the_meters_pairs_the_public_keys_open_what_rests_on_ours(name: str) -> None:
    """A head-end's file of a meter that made its own: the request by ephemeral key stays shut."""
    talk = known(SUITE_1)
    assert talk.vault is not None
    server = talk.vault.pairs[SERVER]
    halves = {CLIENT: talk.vault.pairs[CLIENT], SERVER: Pair(server.signs, server.agrees)}
    talk = replace(talk, vault=replace(talk.vault, pairs=halves))
    roots = explained(conversation(SUITE_1, AGREED[name]), talk)
    exchange = AGREED[name].get("exchange")
    ephemeral = exchange is not None and exchange.kind is KeyKind.ONE_PASS
    assert (roots[-2].find("get-request") is None) is ephemeral
    assert roots[-1].find("data") is not None
    assert bool(faults(roots)) is ephemeral
    if "signed" in name:
        assert any("right, of the server's key" in one for one in words(roots, "signature"))


def test_without_a_vault_what_was_agreed_on_stays_shut() -> None:
    """And a signature is so many octets."""
    apdus = conversation(SUITE_1, AGREED["signed general-ciphering"])
    roots = explained(apdus, known(SUITE_1, vault=None))
    assert not faults(roots)
    assert roots[-2].find("get-request") is None
    assert set(words(roots, "signature")) == {"64 octets"}


def test_a_changed_octet_under_a_signature_is_found() -> None:
    """Whatever else it breaks."""
    apdus = conversation(SUITE_1, AGREED["signed glo"])
    changed = bytearray(apdus[-2])
    changed[5] ^= 1  # of the transaction-id
    roots = explained([*apdus[:-2], bytes(changed)], known(SUITE_1))
    assert any(reason.startswith("the signature is false") for reason in faults(roots))


# --- answers to challenges -----------------------------------------------------------------------


def opening(suite: SecuritySuite, mechanism: Mechanism, *, short: bool = False) -> list[bytes]:
    """The four passes."""
    contexts = ApplicationContext.LN_CIPHERED, ApplicationContext.SN_CIPHERED
    pipe = pair(
        suite,
        mechanism,
        client={"context": contexts[short]},
        server={"short_names": True},
    )
    pipe.open()
    return messages(pipe)


@pytest.mark.parametrize("short", [False, True], ids=["logical", "short"])
@pytest.mark.parametrize("mechanism", HLS)
@pytest.mark.parametrize("suite", SecuritySuite)
def test_both_proofs_of_every_mechanism_are_right(
    suite: SecuritySuite, mechanism: Mechanism, short: bool
) -> None:
    """f(StoC) in the request and f(CtoS) in the answer."""
    if suite is SUITE_0 and mechanism is Mechanism.HLS_ECDSA:
        return
    roots = explained(opening(suite, mechanism, short=short), known(suite))
    assert not faults(roots)
    shown = [node.meaning for node in everything(roots)]
    assert sum(one.endswith("f(StoC) is right") for one in shown) == 1
    assert sum(one.endswith("f(CtoS) is right") for one in shown) == 1


@pytest.mark.parametrize("mechanism", HLS)
def test_a_proof_of_another_secret_is_a_fault(mechanism: Mechanism) -> None:
    """Both are, whatever the mechanism rests on; not if the keys were only tried."""
    apdus = opening(SUITE_1, mechanism)
    pairs = dict.fromkeys((CLIENT, SERVER), Pair(STRANGER, STRANGER))
    others = Vault(secret=b"another", pairs=pairs)
    # GMAC rests on the keys that also decipher: there another challenge does what they would
    talk = known(SUITE_1, vault=others)
    if mechanism is Mechanism.HLS_GMAC:
        apdus[:2] = opening_of_another()
    found = faults(explained(apdus, talk))
    assert [reason[:17] for reason in found] == ["f(StoC) is false:", "f(CtoS) is false:"]
    tried = known(SUITE_1, vault=others, certain=False)
    assert not faults(explained(apdus, tried))


def opening_of_another() -> list[bytes]:
    """AARQ and AARE with other challenges."""
    pipe = pair(SUITE_1, Mechanism.HLS_GMAC, client={"challenge_length": 40})
    pipe.server = pair(SUITE_1, Mechanism.HLS_GMAC, server={"challenge_length": 40}).server
    pipe.open()
    return messages(pipe)[:2]


def test_without_the_opening_nothing_is_said_of_a_proof() -> None:
    """Its challenge is not among the messages."""
    apdus = opening(SUITE_1, Mechanism.HLS_GMAC)[2:]
    roots = explained(apdus, known(SUITE_1, titles=(CLIENT_TITLE, SERVER_TITLE)))
    assert not faults(roots)
    assert not any("f(" in node.meaning for node in everything(roots))


def test_no_secret_shows_in_a_repr() -> None:
    """Of the vault, and of the conversation that has it."""
    for suite in (SUITE_0, SUITE_1):
        shown = repr(known(suite)) + repr(vault(suite))
        for secret in (SECRET, b"M" * 16, private_key(SUITE_1, "client signs").scalar):
            assert repr(secret)[2:-1] not in shown
            assert secret.hex() not in shown


# --- blocks of short names -----------------------------------------------------------------------

ONE, TWO = ShortName(0x0108), ShortName(0x0208)
VALUES = encode(octet_string(bytes(range(40)))), encode(double_long_unsigned(5009))


def pieces(octets: bytes, size: int = 9) -> list[tuple[bool, int, bytes]]:
    """Octets in blocks: whether it is the last, its number, and what it has."""
    starts = range(0, len(octets), size)
    return [(at + size >= len(octets), at // size + 1, octets[at : at + size]) for at in starts]


def sn(*apdus: Any) -> list[Node]:
    """The explanations of APDUs in a row."""
    return explained([one.encode() for one in apdus], Conversation())


def whole(roots: list[Node]) -> Node:
    """The node that the last block has hung the whole at; no other has one."""
    made = [node for root in roots for node in root.walk() if node.inside]
    assert len(made) == 1
    assert made[0] in list(roots[-1].walk())
    assert made[0].inside is not None
    assert "put together from" in made[0].inside.how
    return made[0]


@pytest.mark.parametrize("asked", [True, False])
def test_the_blocks_of_a_value_are_put_together(asked: bool) -> None:
    """Of one variable they are its value; also where the request is not known."""
    request = [ReadRequestApdu((ONE,))] if asked else []
    talk: list[Any] = []
    for last, number, octets in pieces(VALUES[0]):
        talk.append(ReadResponseApdu((ReadBlock(last, number, octets),)))
        if not last:
            talk.append(ReadRequestApdu((BlockNumberAccess(number),)))
    node = whole(sn(*request, *talk))
    assert node.inside is not None
    assert node.inside.parts[0].value == bytes(range(40))


@pytest.mark.parametrize("asked", [True, False])
def test_the_blocks_of_several_results_are_put_together(asked: bool) -> None:
    """They are the list of results."""
    request = [ReadRequestApdu((ONE, TWO))] if asked else []
    results = b"\x02" + b"".join(b"\x00" + value for value in VALUES)
    talk = [ReadResponseApdu((ReadBlock(*piece),)) for piece in pieces(results)]
    node = whole(sn(*request, *talk))
    assert node.inside is not None
    found = [one.value for part in node.inside.parts for one in part.walk()]
    assert 5009 in found


def test_the_blocks_of_a_long_read_request_are_put_together() -> None:
    """They are the variables; and its answer knows how many there were."""
    variables = ReadRequestApdu((ONE, TWO)).encode()[1:]
    talk = [ReadRequestApdu((ReadDataBlockAccess(*piece),)) for piece in pieces(variables, 3)]
    node = whole(sn(*talk))
    assert node.inside is not None
    addresses = [one.value for part in node.inside.parts for one in part.walk()]
    assert [one for one in addresses if one in (0x0108, 0x0208)] == [0x0108, 0x0208]


def test_the_blocks_of_a_long_write_are_put_together() -> None:
    """Each is an octet-string."""
    octets = WriteRequestApdu((ONE,), (unsigned(7),)).encode()[1:]
    talk = [
        WriteRequestApdu((WriteDataBlockAccess(last, number),), (octet_string(piece),))
        for last, number, piece in pieces(octets, 3)
    ]
    node = whole(sn(*talk))
    assert node.inside is not None
    assert 7 in [one.value for part in node.inside.parts for one in part.walk()]


def test_a_missing_block_leaves_the_pieces_alone() -> None:
    """Nothing is put together."""
    talk = [ReadResponseApdu((ReadBlock(*piece),)) for piece in pieces(VALUES[0])]
    roots = sn(*talk[:1], *talk[2:])
    assert not any(node.inside for root in roots for node in root.walk())

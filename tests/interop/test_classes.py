"""Our interface classes against those of gurux-dlms and pydlms-client, in their own processes.

First the tables: counts, names and types of attributes, counts, names, parameters and return types
of methods. Then values: what our types allow is taken by the peer's own class, which writes it back
octet by octet. Each disagreement has its row in ``class_differences.py``.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from protocol.axdr import Data, encode
from protocol.cosem import CLASSES
from protocol.cosem.interface import Attribute, InterfaceClass
from protocol.cosem.types import AnyType, ArrayOf, ChoiceOf, Simple, StructureOf, Type
from tests.cosem_values import ANYTHING, PLAIN, Manner, values
from tests.interop.class_differences import ABSENT, GURUX, LABELS, PYDLMS, TABLE, VALUES
from tests.interop.environments import HERE

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 30
EXAMPLES = 8
SCRIPT = str(HERE / "peers" / "classes.py")
OPEN = "any"
peers = pytest.mark.parametrize("peer", [GURUX, PYDLMS])


@pytest.fixture(scope="module")
def tables(interpreters: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """The class tables of each peer."""

    def ask(peer: str) -> Any:
        command = [str(interpreters[peer]), "-B", SCRIPT, "tables"]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return {peer: ask(peer) for peer in (GURUX, PYDLMS)}


class Asked:
    """A peer in a process of its own that takes values, one a line, and writes them back."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-B", SCRIPT, "values"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, declared: InterfaceClass, index: int, octets: bytes) -> str:
        """Return the octets that came back, in hexadecimal, or what was raised instead."""
        asked = {"class": declared.class_id, "version": declared.version, "index": index}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**asked, "octets": octets.hex()}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return str(answer.get("octets", answer.get("raised")))

    def close(self) -> None:
        """End the process: it ends by itself when there is nothing more to read."""
        self._process.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def takers(interpreters: dict[str, Path]) -> Iterator[dict[str, Asked]]:
    """The peers that take values."""
    started = {peer: Asked(interpreters[peer]) for peer in (GURUX, PYDLMS)}
    yield started
    for asked in started.values():
        asked.close()


# --- tables --------------------------------------------------------------------------------------


def shape(declared: Type) -> Any:
    """A declared type in the words of the peers' tables."""
    match declared:
        case AnyType():
            return OPEN
        case Simple(tag):
            return tag.type_name
        case StructureOf(fields):
            return ["structure", *(shape(member) for _, member in fields)]
        case ArrayOf(element):
            return ["array", shape(element)]
        case ChoiceOf(alternatives):
            return ["choice", *(shape(one) for one in alternatives)]
    raise TypeError(declared)


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two shapes say the same, as far as the peer says anything."""
    if OPEN in (ours, theirs):
        return True
    if isinstance(ours, list) and ours[0] == "choice":
        return any(agree(one, theirs) for one in ours[1:])
    if isinstance(theirs, str):  # the outermost level is all that some of them say
        return bool(theirs == (ours[0] if isinstance(ours, list) else ours))
    if not isinstance(ours, list) or ours[0] != theirs[0] or len(ours) != len(theirs):
        return False
    return all(map(agree, ours[1:], theirs[1:]))


def word(name: str) -> str:
    """A name in lower case, its words parted by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def disagreements(peer: str, table: dict[str, Any]) -> set[tuple[int, str]]:
    """The classes and places in which a peer's table is not ours."""
    found = set()
    for (number, version), declared in CLASSES.items():
        theirs = table.get(f"{number}.{version}")
        if theirs is None:
            continue
        for kind in ("attributes", "methods"):
            if len(getattr(declared, kind)) != len(theirs[kind]):
                found.add((number, kind))
        labels = LABELS.get(number, {}) if peer == GURUX else {}
        for attribute, other in zip(declared.attributes, theirs["attributes"], strict=False):
            expected = labels.get(attribute.index, word(attribute.name))
            named = other["name"] is None or word(other["name"]) == expected
            if not named or not agree(shape(attribute.type), other["type"]):
                found.add((number, f"attribute {attribute.index}"))
        for method, other in zip(declared.methods, theirs["methods"], strict=False):
            named = other["name"] is None or word(other["name"]) == word(method.name)
            takes = agree(shape(method.parameter), other.get("parameter", OPEN))
            # a method without a return type is one of which the peer says nothing
            returns = agree(shape(method.returns), other.get("returns") or OPEN)
            if not (named and takes and returns):
                found.add((number, f"method {method.index}"))
    return found


@peers
def test_each_class_version_is_known_to_the_peer_or_listed(
    tables: dict[str, dict[str, Any]], peer: str
) -> None:
    """A class that a peer learns, or one that we add, is noticed."""
    ours = set(CLASSES)
    unknown = {key for key in ours if f"{key[0]}.{key[1]}" not in tables[peer]}
    assert unknown == ABSENT[peer]


@peers
def test_names_types_and_counts_are_the_peers_but_for_the_listed(
    tables: dict[str, dict[str, Any]], peer: str
) -> None:
    """Each way: what is not listed agrees, and what is listed still differs."""
    listed = {(row.class_id, row.place) for row in TABLE if row.peer == peer}
    assert disagreements(peer, tables[peer]) == listed


def test_a_wrong_type_a_wrong_name_and_a_wrong_count_are_disagreements(
    tables: dict[str, dict[str, Any]],
) -> None:
    """The comparison itself can fail."""
    table = json.loads(json.dumps(tables[PYDLMS]))
    before = disagreements(PYDLMS, table)
    table["9.0"]["attributes"][1]["type"] = ["array", "unsigned"]
    table["70.0"]["attributes"][1]["name"] = "state"
    table["18.0"]["methods"].pop()
    made = {(9, "attribute 2"), (70, "attribute 2"), (18, "methods")}
    assert disagreements(PYDLMS, table) - before == made


# --- values --------------------------------------------------------------------------------------

#: Declared and judged with their services: short names, logical devices, push, the port.
_ELSEWHERE = {12, 17, 40, 41}


def _spoken(peer: str) -> list[InterfaceClass]:
    """The versions whose types a peer knows: pydlms-client has those of the newest only."""
    newest = dict(sorted(CLASSES))
    return [
        declared
        for key, declared in CLASSES.items()
        if key not in ABSENT[peer]
        and declared.class_id not in _ELSEWHERE
        and (peer == GURUX or newest[key[0]] == key[1] or key == (70, 0))
    ]


CASES = [(peer, declared) for peer in (GURUX, PYDLMS) for declared in _spoken(peer)]


def changed(
    taker: Asked, declared: InterfaceClass, attribute: Attribute, manner: Manner
) -> list[tuple[str, str]]:
    """The values that do not come back as they were, with what came instead."""
    found: list[tuple[str, str]] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values(attribute.type, manner))
    def show(value: Data) -> None:
        octets = encode(value)
        answer = taker(declared, attribute.index, octets)
        if answer != octets.hex():
            found.append((octets.hex(), answer))

    show()
    return found


@pytest.mark.parametrize(
    ("peer", "declared"), CASES, ids=lambda one: one if isinstance(one, str) else one.name
)
def test_values_of_our_types_come_back_from_the_peers_classes(
    takers: dict[str, Asked], peer: str, declared: InterfaceClass
) -> None:
    """Octet by octet, but for the attributes that are listed, which still do not."""
    manner = PLAIN if peer == GURUX else ANYTHING
    for attribute in declared.attributes[1:]:
        other = changed(takers[peer], declared, attribute, manner)
        if (declared.class_id, attribute.index) in VALUES[peer]:
            assert other, f"{attribute.name} comes back now: strike it from the list"
        else:
            assert not other, f"{attribute.name}: {other[0]}"


@peers
def test_a_value_of_another_type_is_not_taken(takers: dict[str, Asked], peer: str) -> None:
    """A string where the limiter has its group list raises, so the peers do look."""
    declared = CLASSES[71, 0]
    assert takers[peer](declared, 9, bytes.fromhex("0A03414243")) != "0a03414243"

"""Our explanations and dumps beside the translator of gurux-dlms: the same services and values."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from headend.reading.dump_xml import ELEMENTS, value_to_xml
from protocol import axdr
from protocol.axdr import Data, Tag
from protocol.explain import Node, explain
from tests.interop.environments import GURUX, HERE
from tests.interop.processes import environment

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 60
VECTORS = HERE.parent / "vectors"

#: Forms of services of which the vectors have none; their layout is that of the tests of codecs.
FORMS = {
    "READ": "0501020008",
    "READ, parameterized": "0501040008011105",
    "READ response": "0C01001105",
    "READ response, error": "0C010104",
    "WRITE": "0601020008011105",
    "WRITE response": "0D0100",
    "ACTION": "C301C100460000600 30AFF01010F00".replace(" ", ""),
    "ACTION response": "C701C10000",
    "SET with list": "C104C101000100002A0000FF0200011105",
    "SET response": "C501C100",
    "GET response with list": "C403C102001105001200AA",
    "GET response, types": "C401C100020B0301030004088005FFFFFFFE06000000010904010203FF"
    "0A034142430FFF10FFFE12000814000000000000000A",
    "EventNotification": "C20000030100010800FF020600000005",
    "DataNotification": "0F00000001000203110516011200AA",
    "ACCESS": "D9400000010001010008000001 0000FF020100".replace(" ", ""),
    "general block": "E0400001000003C00101",
    "exception": "D80101",
    "RLRQ": "6203800100",
}
#: Our names of the fields that the translator shows with their octets.
FIELDS = {
    "InvokeIdAndPriority": "invoke-id-and-priority",
    "ClassId": "class-id",
    "InstanceId": "instance-id",
    "AttributeId": "attribute-id",
    "MethodId": "method-id",
    "ProposedDlmsVersionNumber": "proposed-dlms-version-number",
    "ProposedMaxPduSize": "client-max-receive-pdu-size",
    "NegotiatedDlmsVersionNumber": "negotiated-dlms-version-number",
    "NegotiatedMaxPduSize": "server-max-receive-pdu-size",
    "VaaName": "vaa-name",
    "VariableName": "variable-name",
}
#: Where the translator calls an APDU by another name than the book's tag.
SERVICES = {
    "associationrequest": "aarq",
    "associationresponse": "aare",
    "releaserequest": "rlrq",
    "releaseresponse": "rlre",
    "eventnotificationrequest": "eventnotification",
    "generalblocktransfer": "generalblocktransfer",
}
_TYPES = {tag.type_name: tag for tag in Tag}
_MECHANISMS = {"Low": "lls", "HighGmac": "hls-gmac"}


def _vectors() -> dict[str, str]:
    """Return every APDU of the published vectors that is not ciphered, by file and name."""
    found: dict[str, str] = {}

    def search(where: str, thing: Any) -> None:
        if isinstance(thing, dict):
            if "apdu" in thing and "protected" not in thing:
                found[f"{where}: {thing.get('name', thing['apdu'][:16])}"] = thing["apdu"]
            for each in thing.values():
                search(where, each)
        elif isinstance(thing, list):
            for each in thing:
                search(where, each)

    for path in (VECTORS / "acse.json", VECTORS / "xdlms.json"):
        search(path.stem, json.loads(path.read_text()))
    return found


APDUS = _vectors() | FORMS
#: Values of every type that the translator writes without an error of its own.
VALUES = {
    "structure": "0203110516011200AA",
    "empty array": "0100",
    "nested": "010202021101090101020211020900",
    "boolean": "0301",
    "bits": "040BA5E0",
    "negative": "05FFFFFFFE",
    "long64": "14FFFFFFFFFFFFFFFF",
    "long64-unsigned": "15FFFFFFFFFFFFFFFF",
    "integer": "0FFF",
    "long": "108000",
    "bcd": "0D05",
    "enum": "16FE",
    "text": "0A03414243",
    "float": "173F800000",
    "double": "183FF0000000000000",
    "date-time": "1907E80501030C000000FF88FF",
    "time": "1B0C000000",
    "null": "00",
}


@pytest.fixture(scope="module")
def translated(interpreters: dict[str, Path]) -> dict[str, list[str | None]]:
    """What the translator says to all of them, in one process."""
    command = [str(interpreters[GURUX.name]), "-B", str(HERE / "peers" / "explaining.py")]
    asked = {"pdus": list(APDUS.values()), "values": list(VALUES.values())}
    done = subprocess.run(
        command,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str | None]] = json.loads(done.stdout)
    return answer


def _document(text: str | None) -> ElementTree.Element | None:
    """Return what the translator wrote; None where it raised, or wrote no XML."""
    try:
        return None if not text else ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None


def _octets_of(root: Node, name: str) -> list[str]:
    found = [node for node in root.walk() if node.name == name and not node.parts]
    return [node.octets.hex().upper() for node in found]


def _typed(root: Node) -> list[tuple[str, str | None]]:
    """Return element and ``Value`` of each COSEM value in an explanation, as a dump has them."""
    found: list[tuple[str, str | None]] = []
    for node in root.walk():
        if not node.type:
            continue
        tag = _TYPES[node.type]
        container = tag in (Tag.ARRAY, Tag.STRUCTURE)
        element = value_to_xml(Data(tag, () if container else node.value))
        found.append((element.tag, element.get("Value")))
    return found


@pytest.mark.parametrize("name", APDUS)
def test_services_fields_and_values_are_those_that_gurux_names(
    name: str, translated: dict[str, list[str | None]]
) -> None:
    """The same APDU, the same octets in the same fields, the same types with the same values."""
    octets = bytes.fromhex(APDUS[name])
    root = explain(octets, form="apdu")
    assert not root.faults()
    document = _document(translated["pdus"][list(APDUS).index(name)])
    assert document is not None, "gurux has no answer"
    service = document.tag.lower()
    ours = re.sub("-", "", root.parts[0].name).lower()
    assert ours == SERVICES.get(service, service)
    for element, field in FIELDS.items():
        theirs = [each.get("Value") for each in document.iter(element)]
        if theirs:
            assert _octets_of(root, field) == theirs, field
    known = set(ELEMENTS.values())
    shown = [(each.tag, each.get("Value")) for each in document.iter() if each.tag in known]
    values = [each for each in shown if each != ("DateTime", "")]  # a field, and not a value
    assert _typed(root) == values
    for mechanism in document.iter("MechanismName"):
        word = _MECHANISMS[mechanism.get("Value", "")]
        assert any(node.meaning.endswith(word) for node in root.walk() if node.name == "name")
    bits = len(list(document.iter("ConformanceBit")))
    services = root.find("services")
    assert services is None or bits == int.from_bytes(services.octets, "big").bit_count()


@pytest.mark.parametrize("name", VALUES)
def test_a_dumped_value_is_the_xml_that_gurux_writes(
    name: str, translated: dict[str, list[str | None]]
) -> None:
    """Elements and attributes of ``prepay objects --xml`` are those of its translator."""
    theirs = _document(translated["values"][list(VALUES).index(name)])
    assert theirs is not None
    ours = value_to_xml(axdr.decode(bytes.fromhex(VALUES[name])))
    for one, other in zip(ours.iter(), theirs.iter(), strict=True):
        assert (one.tag, one.attrib) == (other.tag, other.attrib)

"""``prepay objects --json`` and ``--xml``: a meter whole."""

import json
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from headend.reading.dump import _Right
from headend.reading.dump_xml import ELEMENTS, value_to_xml
from headend.transports import LinkKind
from protocol import axdr
from protocol.axdr import Data, Tag
from tests import strategies
from tests.headend.bench import SPECS, Bench
from tests.headend.test_cli import prepay

SPEC = SPECS[LinkKind.WRAPPER]
_TAGS = {name: tag for tag, name in ELEMENTS.items()}


@pytest.fixture(scope="module")
def bench() -> Bench:
    """A meter that nobody changes."""
    return Bench("be-wal", LinkKind.WRAPPER)


@pytest.fixture(scope="module")
def dumped(bench: Bench) -> list[dict[str, Any]]:
    """The objects of the JSON dump."""
    done = prepay("--port", SPEC, "objects", "--json", bench=bench)
    assert done.exit_code == 0, done.stderr
    objects: list[dict[str, Any]] = json.loads(done.stdout)["objects"]
    return objects


@pytest.fixture(scope="module")
def document(bench: Bench) -> ElementTree.Element:
    """The XML dump."""
    done = prepay("--port", SPEC, "objects", "--xml", bench=bench)
    assert done.exit_code == 0, done.stderr
    return ElementTree.fromstring(done.stdout)


def find(objects: list[dict[str, Any]], code: str) -> dict[str, Any]:
    """Return the one object of a code."""
    (found,) = [each for each in objects if each["code"] == code]
    return found


def test_every_listed_object_is_there_in_order(dumped: list[dict[str, Any]], bench: Bench) -> None:
    """The same as the list for people, sorted by code and class."""
    listed = prepay("--port", SPEC, "objects", bench=bench).stdout
    assert all(each["code"] in listed for each in dumped)
    assert len(dumped) == len(listed.strip().splitlines()) - 1  # the heading
    assert len({(each["code"], each["class"]) for each in dumped}) == len(dumped)


def test_attributes_have_rights_types_and_values(dumped: list[dict[str, Any]]) -> None:
    """The register's value and its scaler and unit, named by the class."""
    register = find(dumped, "1-0:1.8.0*255")
    assert (register["class_name"], register["name"]) == ("Register", "active energy import")
    assert [each["name"] for each in register["attributes"]] == [
        "logical_name", "value", "scaler_unit",
    ]  # fmt: skip # a table
    value = register["attributes"][1]
    assert (value["access"], value["type"]) == ("read-only", "double-long-unsigned")
    assert register["attributes"][2]["value"] == [0, 30]


def test_what_may_not_be_read_says_so(dumped: list[dict[str, Any]]) -> None:
    """The secret of the association is not even asked for."""
    association = find(dumped, "0-0:40.0.0*255")
    (secret,) = [each for each in association["attributes"] if each["name"] == "secret"]
    assert "value" not in secret
    assert secret["error"] == "no right to read"


def test_methods_have_rights(dumped: list[dict[str, Any]]) -> None:
    """What may be executed and what not."""
    relay = find(dumped, "0-0:96.3.10*255")
    assert {each["name"]: each["access"] for each in relay["methods"]} == {
        "remote_disconnect": "access", "remote_reconnect": "access",
    }  # fmt: skip # a table


def test_the_xml_says_what_the_json_says(
    document: ElementTree.Element, dumped: list[dict[str, Any]]
) -> None:
    """Objects, members, rights and types; the values themselves below."""
    assert document.get("name", "").startswith("OPP")
    assert len(document) == len(dumped)
    for element, each in zip(document, dumped, strict=True):
        assert element.get("class") == str(each["class"])
        attributes = element.findall("Attribute")
        assert len(attributes) == len(each["attributes"])
        for one, other in zip(attributes, each["attributes"], strict=True):
            assert one.get("access") == other["access"]
            assert one.get("error") == other.get("error")
            types = [_TAGS[value.tag].type_name for value in one]
            assert types == ([other["type"]] if "type" in other else [])


def test_a_dump_goes_to_a_file(bench: Bench, tmp_path: Path) -> None:
    """XML unless JSON is asked for; the command says how many objects."""
    for words in (["objects"], ["objects", "--xml"], ["objects", "--json"]):
        path = tmp_path / "dump"
        done = prepay("--port", SPEC, *words, "--out", str(path), bench=bench)
        assert done.exit_code == 0, done.stderr
        text = path.read_text(encoding="utf-8")
        if "--json" in words:
            assert len(json.loads(text)["objects"]) == json.loads(done.stdout)["objects_written"]
        else:
            assert len(ElementTree.fromstring(text)) == int(done.stdout.split()[0])


def test_a_file_that_cannot_be_written_is_refused_in_one_line(bench: Bench) -> None:
    """And two forms at once are wrong usage."""
    path = "/nosuch/dump.xml"
    done = prepay("--port", SPEC, "objects", "--xml", "--out", path, bench=bench)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert prepay("--port", SPEC, "objects", "--xml", "--json", bench=bench).exit_code == 2


# --- values as XML -------------------------------------------------------------------------------


def read(element: ElementTree.Element) -> Data:
    """Return the value that an element writes; only this test reads them back."""
    tag = _TAGS[element.tag]
    if "Octets" in element.attrib:
        return axdr.decode(bytes.fromhex(element.attrib["Octets"]))
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        assert int(element.attrib["Qty"], 16) == len(element)
        return Data(tag, tuple(map(read, element)))
    if tag in (Tag.NULL, Tag.DONT_CARE):
        return Data(tag, None)
    if "Hex" in element.attrib:
        codec = "latin-1" if tag is Tag.VISIBLE_STRING else "utf-8"
        return Data(tag, bytes.fromhex(element.attrib["Hex"]).decode(codec))
    value = element.attrib["Value"]
    if tag is Tag.BOOLEAN:
        return Data(tag, value == "True")
    if tag in (Tag.OCTET_STRING, Tag.DATE_TIME, Tag.DATE, Tag.TIME):
        return Data(tag, bytes.fromhex(value))
    if tag in (Tag.BIT_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING):
        return Data(tag, value)
    return axdr.decode(bytes((tag,)) + bytes.fromhex(value))


@settings(max_examples=150, deadline=None)
@given(value=strategies.data())
def test_every_value_comes_back_from_its_xml(value: Data) -> None:
    """Through the text, with whatever characters a string has."""
    text = ElementTree.tostring(value_to_xml(value), encoding="unicode")
    assert axdr.encode(read(ElementTree.fromstring(text))) == axdr.encode(value)


def test_numbers_are_written_in_the_octets_of_their_type() -> None:
    """As hexadecimal, negative ones in two's complement."""
    assert value_to_xml(axdr.double_long(-2)).attrib == {"Value": "FFFFFFFE"}
    assert value_to_xml(axdr.unsigned(5)).attrib == {"Value": "05"}
    written = struct.pack(">f", 1.0).hex().upper()
    assert value_to_xml(Data(Tag.FLOAT32, 1.0)).attrib == {"Value": written}


@pytest.mark.parametrize(
    ("right", "readable", "words"),
    [
        (_Right(2, 0), False, "no-access"),
        (_Right(2, 2), False, "write-only"),
        (_Right(2, 6), True, "authenticated-read-and-write"),
        (_Right(2, 9), False, "mode 9"),
        (_Right(2, 0b101, bits=True), True, "read authenticated-request"),
        (_Right(2, 0b10, bits=True), False, "write"),
        (_Right(2, 0, bits=True), False, "no-access"),
    ],
)
def test_rights_are_read_by_the_version_of_the_association(
    right: _Right, readable: bool, words: str
) -> None:
    """A number up to version 2, a set of bits from version 3 on."""
    assert right.readable is readable
    assert right.attribute_words() == words

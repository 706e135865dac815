"""A dump of a meter, and COSEM values, as XML.

    <Meter name=".." client="1">
      <Object class="3" className="Register" version="0" logicalName="1.0.1.8.0.255" name="..">
        <Attribute index="2" name="value" access="read-only">
          <UInt32 Value="00000000" />
        </Attribute>
        <Attribute index="3" .. error="temporary-failure" />
        <Method index="1" name="reset" access="access" />
      </Object>
    </Meter>

A value has the shape that DLMS translators give it: an element by its type's short name, with
``Value``: integers as hexadecimal of their size, octets and floats as hexadecimal, bits as 0 and 1,
text as text. ``gurux-dlms`` writes the same of each. XML cannot hold every character: a text with
others has ``Hex`` instead. A compact array also has its whole encoding as ``Octets``.
"""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from headend.reading.dump import AttributeDump, ObjectDump
from protocol import axdr
from protocol.axdr import Data, Tag

#: The element of each wire type.
ELEMENTS: Final[dict[Tag, str]] = {
    Tag.NULL: "None",
    Tag.ARRAY: "Array",
    Tag.STRUCTURE: "Structure",
    Tag.BOOLEAN: "Boolean",
    Tag.BIT_STRING: "BitString",
    Tag.DOUBLE_LONG: "Int32",
    Tag.DOUBLE_LONG_UNSIGNED: "UInt32",
    Tag.OCTET_STRING: "OctetString",
    Tag.VISIBLE_STRING: "String",
    Tag.UTF8_STRING: "StringUTF8",
    Tag.BCD: "BCD",
    Tag.INTEGER: "Int8",
    Tag.LONG: "Int16",
    Tag.UNSIGNED: "UInt8",
    Tag.LONG_UNSIGNED: "UInt16",
    Tag.COMPACT_ARRAY: "CompactArray",
    Tag.LONG64: "Int64",
    Tag.LONG64_UNSIGNED: "UInt64",
    Tag.ENUM: "Enum",
    Tag.FLOAT32: "Float32",
    Tag.FLOAT64: "Float64",
    Tag.DATE_TIME: "DateTime",
    Tag.DATE: "Date",
    Tag.TIME: "Time",
    Tag.DELTA_INTEGER: "DeltaInt8",
    Tag.DELTA_LONG: "DeltaInt16",
    Tag.DELTA_DOUBLE_LONG: "DeltaInt32",
    Tag.DELTA_UNSIGNED: "DeltaUInt8",
    Tag.DELTA_LONG_UNSIGNED: "DeltaUInt16",
    Tag.DELTA_DOUBLE_LONG_UNSIGNED: "DeltaUInt32",
    Tag.DONT_CARE: "DontCare",
}
_TEXTS: Final = (Tag.VISIBLE_STRING, Tag.UTF8_STRING)
#: What XML 1.0 cannot hold, and what an attribute does not give back as it was.
_UNFIT: Final = re.compile("[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xml(meter: str, client: int, objects: Sequence[ObjectDump]) -> str:
    """Return a whole meter as a document, with its declaration and a line end."""
    root = ElementTree.Element("Meter", {"name": _fit(meter), "client": str(client)})
    for each in objects:
        parent = ElementTree.SubElement(
            root,
            "Object",
            {
                "class": str(each.class_id),
                "className": each.class_name,
                "version": str(each.version),
                "logicalName": ".".join(map(str, each.code)),
                "name": each.name,
            },
        )
        for attribute in each.attributes:
            _attribute(parent, attribute)
        for method in each.methods:
            known = {"index": str(method.index), "name": method.name, "access": method.access}
            ElementTree.SubElement(parent, "Method", known)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _attribute(parent: ElementTree.Element, attribute: AttributeDump) -> None:
    known = {
        "index": str(attribute.index),
        "name": attribute.name,
        "access": attribute.access,
    }
    if attribute.value is None:
        ElementTree.SubElement(parent, "Attribute", known | {"error": _fit(attribute.error)})
        return
    ElementTree.SubElement(parent, "Attribute", known).append(value_to_xml(attribute.value))


def value_to_xml(data: Data) -> ElementTree.Element:
    """Return a value as an element."""
    tag, value = data
    element = ElementTree.Element(ELEMENTS[tag])
    if value is None:
        return element
    if tag is Tag.COMPACT_ARRAY:
        element.set("Octets", axdr.encode(data).hex().upper())
        value = value.elements
    if isinstance(value, tuple):
        element.set("Qty", _hexadecimal(len(value)))
        element.extend([value_to_xml(one) for one in value])
    elif tag in _TEXTS and _UNFIT.search(value):
        element.set("Hex", value.encode("latin-1" if tag is Tag.VISIBLE_STRING else "utf-8").hex())
    else:
        element.set("Value", _plain(data))
    return element


def _plain(data: Data) -> str:
    tag, value = data
    if tag is Tag.BOOLEAN:
        return str(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, str):
        return value
    return axdr.encode(data)[1:].hex().upper()  # a number, in the octets of its type


def _hexadecimal(count: int) -> str:
    digits = f"{count:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _fit(text: str) -> str:
    return _UNFIT.sub("?", text)

"""COSEM values as people write and read them: ``type:value``.

| written | meaning |
|---|---|
| ``null-data`` | no value |
| ``boolean:true``, ``boolean:false`` | |
| ``integer:-5``, ``unsigned:5``, ``long:-300``, ``long-unsigned:300``, ``enum:2``, ... | a number |
| ``double-long:-5``, ``double-long-unsigned:5``, ``long64:..``, ``long64-unsigned:..`` | a number |
| ``octet-string:07EA0B17``, ``date-time:..``, ``date:..``, ``time:..`` | octets, hexadecimal |
| ``visible-string:ABC``, ``utf8-string:Ä`` | the rest of the text as it is |
| ``bit-string:10100000`` | the first is bit 0 |
| ``structure{unsigned:1,structure{},null-data}``, ``array{..}`` | the elements, with commas |

A comma or a brace inside a string within braces cannot be written.
"""

import json
from math import isfinite
from typing import Any

from headend.errors import UsageError
from protocol import axdr
from protocol.axdr import CompactArray, Data, Tag
from protocol.errors import ProtocolError

_MAX_DEPTH = axdr.MAX_DEPTH
_NUMBERS = {
    Tag.DOUBLE_LONG, Tag.DOUBLE_LONG_UNSIGNED, Tag.INTEGER, Tag.LONG, Tag.UNSIGNED,
    Tag.LONG_UNSIGNED, Tag.LONG64, Tag.LONG64_UNSIGNED, Tag.ENUM, Tag.BCD,
}  # fmt: skip
_OCTETS = {Tag.OCTET_STRING, Tag.DATE_TIME, Tag.DATE, Tag.TIME}
_TEXTS = {Tag.VISIBLE_STRING, Tag.UTF8_STRING}
_WRITABLE = _NUMBERS | _OCTETS | _TEXTS
_BY_NAME = {tag.type_name: tag for tag in Tag}


def parse_value(text: str) -> Data:
    """Return the value that ``text`` writes.

    Raises:
        UsageError: it writes none; the message says what is wrong.
    """
    data, rest = _parse(text.strip(), 0)
    if rest:
        raise UsageError(f"value: {_shown(rest)} is too much")
    try:
        axdr.encode(data)  # a number out of its type's range shows here, not on the line
    except ProtocolError as error:
        raise UsageError(f"value: {error}") from error
    return data


def format_value(data: Data) -> str:
    """Return the value as ``parse_value`` reads it, as far as it can be written."""
    tag, value = data.tag, data.value
    if value is None:
        return tag.type_name
    if isinstance(value, CompactArray):
        return "array{" + ",".join(format_value(element) for element in value.elements) + "}"
    if isinstance(value, tuple):
        return tag.type_name + "{" + ",".join(format_value(element) for element in value) + "}"
    return f"{tag.type_name}:{_plain(value)}"


def to_json(data: Data) -> Any:
    """Return the value for a JSON document: octets as hexadecimal, structures as lists."""
    value = data.value
    if isinstance(value, CompactArray):
        return [to_json(element) for element in value.elements]
    if isinstance(value, tuple):
        return [to_json(element) for element in value]
    return one_to_json(value)


def one_to_json(value: Any) -> Any:
    """Return a value without elements for a JSON document.

    A number that JSON has not is a word: NaN, Infinity or -Infinity.
    """
    if isinstance(value, float) and not isfinite(value):
        return json.dumps(value)
    return value.hex().upper() if isinstance(value, bytes) else value


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.hex().upper() if isinstance(value, bytes) else str(value)


def _parse(text: str, depth: int) -> tuple[Data, str]:
    """Return the value at the start of ``text``, and the text after it."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"value: nested deeper than {_MAX_DEPTH}")
    end = next((i for i, letter in enumerate(text) if letter in ":{,}"), len(text))
    tag = _BY_NAME.get(text[:end].strip().lower())
    if tag is None:
        known = ", ".join(sorted(tag.type_name for tag in _WRITABLE))
        raise UsageError(f"value: {_shown(text[:end])} is no type: write type:value with {known}")
    opener, rest = text[end : end + 1], text[end + 1 :]
    if tag is Tag.NULL and opener != ":" and opener != "{":
        return axdr.null(), text[end:]
    if tag in (Tag.STRUCTURE, Tag.ARRAY) and opener == "{":
        return _parse_elements(tag, rest, depth)
    if opener != ":" or tag in (Tag.NULL, Tag.STRUCTURE, Tag.ARRAY):
        raise UsageError(f"value: write {tag.type_name} as {_example(tag)}")
    stop = next((i for i, letter in enumerate(rest) if depth and letter in ",}"), len(rest))
    return Data(tag, _parse_plain(tag, rest[:stop])), rest[stop:]


def _parse_elements(tag: Tag, text: str, depth: int) -> tuple[Data, str]:
    elements: list[Data] = []
    text = text.lstrip()
    while not text.startswith("}"):
        element, text = _parse(text, depth + 1)
        elements.append(element)
        text = text.lstrip()
        if text.startswith(","):
            text = text[1:].lstrip()
        elif not text.startswith("}"):
            raise UsageError(f"value: a closing brace of {tag.type_name} is missing")
    return Data(tag, tuple(elements)), text[1:].lstrip()


def _parse_plain(tag: Tag, text: str) -> object:
    try:
        if tag in _NUMBERS:
            return int(text)
        if tag in _OCTETS:
            return bytes.fromhex(text)
    except ValueError as error:
        raise UsageError(f"value: write {tag.type_name} as {_example(tag)}") from error
    if tag in _TEXTS:
        return text
    if tag is Tag.BOOLEAN and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag is Tag.BIT_STRING and set(text) <= {"0", "1"}:
        return text
    raise UsageError(f"value: write {tag.type_name} as {_example(tag)}")


def _example(tag: Tag) -> str:
    if tag in _NUMBERS:
        return f"{tag.type_name}:5"
    if tag in _OCTETS:
        return f"{tag.type_name}:07EA0B17, an even number of hexadecimal digits"
    examples = {
        Tag.BOOLEAN: "boolean:true or boolean:false",
        Tag.BIT_STRING: "bit-string:10100000",
        Tag.NULL: "null-data",
        Tag.STRUCTURE: "structure{unsigned:1,..}",
        Tag.ARRAY: "array{unsigned:1,..}",
    }
    return examples.get(tag, "something that cannot be written here")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 24 else text[:24] + "...")

"""Class 62, Compact data, versions 0 and 1: captured values without their types.

Names and types as ``pydlms-client`` (which has version 1) and Gurux.DLMS.Net (which has both)
agree on them; the ``gurux-dlms`` of Python does not know the class. Of a column in version 1 they
say different things: the former has the four members of version 0, the latter a fifth, by which
what is captured is restricted, and of which it reads three members where push setup has two. So
both are read, and the fifth is left open.
"""

from enum import IntEnum
from typing import Final

from protocol.axdr import Data, Tag, decode_by_template, decode_template
from protocol.cosem.interface import Access, Attribute, InterfaceClass, Method
from protocol.cosem.profile_generic import CAPTURE_OBJECT
from protocol.cosem.types import (
    ANY,
    ENUM,
    INTEGER,
    LOGICAL_NAME,
    LONG_UNSIGNED,
    OCTET_STRING,
    UNSIGNED,
    ArrayOf,
    ChoiceOf,
    Type,
    structure_of,
)
from protocol.errors import DecodeError


class CaptureMethod(IntEnum):
    """When the values are captured."""

    INVOKE = 0  # by the method
    IMPLICIT = 1  # whenever the buffer is read


#: A column of version 1 that takes a part of an attribute only.
RESTRICTED_CAPTURE_OBJECT: Final = structure_of(
    class_id=LONG_UNSIGNED,
    logical_name=LOGICAL_NAME,
    attribute_index=INTEGER,
    data_index=LONG_UNSIGNED,
    restriction=ANY,
)


def _attributes(column: Type) -> tuple[Attribute, ...]:
    return (
        Attribute(2, "compact_buffer", OCTET_STRING),
        Attribute(3, "capture_objects", ArrayOf(column), Access.READ_WRITE),
        Attribute(4, "template_id", UNSIGNED, Access.READ_WRITE),
        # the description of the contents, as a compact array carries one
        Attribute(5, "template_description", OCTET_STRING),
        Attribute(6, "capture_method", ENUM, Access.READ_WRITE),
    )


_METHODS: Final = (
    Method(1, "reset"),
    Method(2, "capture"),
)

COMPACT_DATA_0: Final = InterfaceClass(
    class_id=62,
    version=0,
    name="Compact data",
    attributes=_attributes(CAPTURE_OBJECT),
    methods=_METHODS,
)
COMPACT_DATA: Final = InterfaceClass(
    class_id=62,
    version=1,
    name="Compact data",
    attributes=_attributes(ChoiceOf((CAPTURE_OBJECT, RESTRICTED_CAPTURE_OBJECT))),
    methods=_METHODS,
)


def decode_buffer(template: bytes, buffer: bytes) -> tuple[Data, ...]:
    """Return the captured values, one for each column.

    Args:
        template: attribute 5.
        buffer: attribute 2; empty where nothing has been captured yet.

    Raises:
        DecodeError: the template is none, or the buffer does not go with it.
    """
    description = decode_template(template)
    if description.tag != Tag.STRUCTURE:
        raise DecodeError(f"a template is a structure, not {Tag(description.tag).type_name}")
    if not buffer:
        return ()
    values: tuple[Data, ...] = decode_by_template(buffer, description).value
    return values

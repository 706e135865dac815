"""The xDLMS services by short names, as field tables: READ, WRITE, InformationReport.

Layouts as ``gurux-dlms`` and ``pydlms-client`` agree on them.
"""

from protocol.apdu.tags import ApduTag
from protocol.codes import DataAccessResult
from protocol.explain.readers import (
    Reader,
    Table,
    any_value,
    balanced,
    choice,
    code,
    fields,
    flag,
    list_of,
    nothing,
    number,
    octets,
    optional,
    selection,
)
from protocol.explain.walker import Walker


def _variable_name(walker: Walker, name: str) -> int:
    """Read an ObjectName: base name and offset, of which only the meter knows which is which."""
    value = walker.number(2)
    walker.leaf(name, f"0x{value:04X}", value)
    return value


_NAME: Table = (("variable-name", _variable_name),)
_BLOCK: Table = (("last-block", flag), ("block-number", number(2)))
_VARIABLE = choice({
    2: ("variable-name", _variable_name),
    4: ("parameterized-access", fields((*_NAME, ("parameter", selection)))),
    5: ("block-number-access", fields((("block-number", number(2)),))),
    6: ("read-data-block-access", fields((*_BLOCK, ("raw-data", octets)))),
    7: ("write-data-block-access", fields(_BLOCK)),
})  # fmt: skip # a table
_VARIABLES: Table = (("variable-access-specification", list_of(_VARIABLE, "variable")),)
_VALUES: Table = (("list-of-data", list_of(any_value, "value")),)
_ERROR = code(DataAccessResult)

_READ_RESULT = choice({
    0: ("data", any_value),
    1: ("data-access-error", _ERROR),
    2: ("data-block-result", fields((*_BLOCK, ("raw-data", octets)))),
    3: ("block-number", number(2)),
})  # fmt: skip # a table
_WRITE_RESULT = choice({
    0: ("success", nothing),
    1: ("data-access-error", _ERROR),
    2: ("block-number", number(2)),
})  # fmt: skip # a table


def _time(walker: Walker, name: str) -> str:
    """Read a GeneralizedTime, which is text."""
    text = walker.take(walker.length()).decode("latin-1")
    walker.leaf(name, repr(text), text)
    return text


_LISTS = ("variable-access-specification", "list-of-data")
_WRITE = balanced((*_VARIABLES, *_VALUES), *_LISTS)

#: What follows the tag, by the tag.
SERVICES: dict[int, Reader] = {
    ApduTag.READ_REQUEST: fields(_VARIABLES),
    ApduTag.READ_RESPONSE: fields((("list-of-results", list_of(_READ_RESULT, "result")),)),
    ApduTag.WRITE_REQUEST: _WRITE,
    ApduTag.UNCONFIRMED_WRITE_REQUEST: _WRITE,
    ApduTag.WRITE_RESPONSE: fields((("list-of-results", list_of(_WRITE_RESULT, "result")),)),
    ApduTag.INFORMATION_REPORT_REQUEST: balanced(
        (("current-time", optional(_time)), *_VARIABLES, *_VALUES), *_LISTS
    ),
}

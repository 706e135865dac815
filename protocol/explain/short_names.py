"""The xDLMS services by short names, as field tables: READ, WRITE, InformationReport.

Layouts as ``gurux-dlms`` and ``pydlms-client`` agree on them. What the blocks of a response make
depends on its request: of one variable they are its value, of several the list of results. Where
the request is not known they are whichever of the two they can be.
"""

from typing import Any

from protocol import axdr
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data, Tag
from protocol.codes import DataAccessResult
from protocol.cosem.association_sn import ASSOCIATION_SN
from protocol.cosem.short_names import CURRENT_ASSOCIATION, method_offset
from protocol.errors import DecodeError
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
    optional,
    selection,
)
from protocol.explain.services import judge, proving, raw_data, together
from protocol.explain.vault import CLIENT, SERVER
from protocol.explain.walker import Walker

#: The method that answers a challenge.
_REPLY_TO_HLS = CURRENT_ASSOCIATION + method_offset(ASSOCIATION_SN, 8)
_READ, _READ_REQUEST, _WRITE_REQUEST = "read", "read-request", "write-request"


def _variable_name(walker: Walker, name: str) -> int:
    """Read an ObjectName: base name and offset, of which only the meter knows which is which."""
    value = walker.number(2)
    walker.leaf(name, f"0x{value:04X}", value)
    return value


_NAME: Table = (("variable-name", _variable_name),)
_BLOCK: Table = (("last-block", flag), ("block-number", number(2)))


def _request_block(walker: Walker, _name: str) -> dict[str, Any]:
    """Read a block of a READ request; the last one shows the whole."""
    found: dict[str, Any] = fields(_BLOCK)(walker, "")
    octets, node = raw_data(walker, "raw-data")
    walker.talk.block(_READ_REQUEST, 0, found["block-number"], octets)
    if found["last-block"]:
        together(walker, node, walker.talk.whole(_READ_REQUEST, 0), _read_request)
    return found


_VARIABLE = choice({
    2: ("variable-name", _variable_name),
    4: ("parameterized-access", fields((*_NAME, ("parameter", selection)))),
    5: ("block-number-access", fields((("block-number", number(2)),))),
    6: ("read-data-block-access", _request_block),
    7: ("write-data-block-access", fields(_BLOCK)),
})  # fmt: skip # a table
_VARIABLES: Table = (("variable-access-specification", list_of(_VARIABLE, "variable")),)
_VALUES: Table = (("list-of-data", list_of(any_value, "value")),)
_ERROR = code(DataAccessResult)


def _read_request(walker: Walker, _name: str) -> None:
    variables = fields(_VARIABLES)(walker, "")["variable-access-specification"]
    if any(_is_block(one) for one in variables):
        return
    talk = walker.talk
    talk.variables, talk.proof_due = len(variables), False
    for one in variables:
        if isinstance(one, dict) and one["variable-name"] == _REPLY_TO_HLS:
            talk.proof_due = True
            given = one["parameter"]
            if len(variables) == 1 and isinstance(given, Data) and given.tag is Tag.OCTET_STRING:
                judge(walker, CLIENT, given.value)


def _is_block(variable: Any) -> bool:
    return isinstance(variable, dict) and "block-number" in variable


def _response_block(walker: Walker, _name: str) -> None:
    """Read a block of a READ response; the last one shows the whole."""
    found: dict[str, Any] = fields(_BLOCK)(walker, "")
    octets, node = raw_data(walker, "raw-data")
    walker.talk.block(_READ, 0, found["block-number"], octets)
    if found["last-block"]:
        pieces = walker.talk.whole(_READ, 0)
        one = walker.talk.variables == 1
        if not walker.talk.variables:
            one = _is_value(b"".join(pieces))
        together(walker, node, pieces, any_value if one else list_of(_READ_RESULT, "result"))


def _is_value(octets: bytes) -> bool:
    try:
        axdr.decode(octets)
    except DecodeError:
        return False
    return True


_READ_RESULT = choice({
    0: ("data", proving(any_value, SERVER)),
    1: ("data-access-error", _ERROR),
    2: ("data-block-result", _response_block),
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
_PLAIN_WRITE = balanced((*_VARIABLES, *_VALUES), *_LISTS)


def _write(walker: Walker, name: str) -> None:
    """Read a WRITE; a block of one is an octet-string, of which the last one shows the whole."""
    found = _PLAIN_WRITE(walker, name)
    variables, values = (found[one] for one in _LISTS)
    if len(variables) != 1 or len(values) != 1 or not _is_block(variables[0]):
        return
    (block,), (piece,) = variables, values
    if piece.tag is not Tag.OCTET_STRING or "last-block" not in block:
        return
    node = walker.newest()
    walker.talk.block(_WRITE_REQUEST, 0, block["block-number"], piece.value)
    if block["last-block"]:
        together(walker, node, walker.talk.whole(_WRITE_REQUEST, 0), _write)


#: What follows the tag, by the tag.
SERVICES: dict[int, Reader] = {
    ApduTag.READ_REQUEST: _read_request,
    ApduTag.READ_RESPONSE: fields((("list-of-results", list_of(_READ_RESULT, "result")),)),
    ApduTag.WRITE_REQUEST: _write,
    ApduTag.UNCONFIRMED_WRITE_REQUEST: _write,
    ApduTag.WRITE_RESPONSE: fields((("list-of-results", list_of(_WRITE_RESULT, "result")),)),
    ApduTag.INFORMATION_REPORT_REQUEST: balanced(
        (("current-time", optional(_time)), *_VARIABLES, *_VALUES), *_LISTS
    ),
}

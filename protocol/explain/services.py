"""The xDLMS services by logical names, as field tables: GET, SET, ACTION, ACCESS, notifications.

Layouts as ``protocol.apdu`` reads and writes them, and as ``gurux-dlms`` and ``pydlms-client``
agree on those that it does not have.
"""

from collections.abc import Callable
from typing import Any

from protocol.apdu.tags import ApduTag
from protocol.axdr import Data, Tag
from protocol.codes import ActionResult, DataAccessResult, ServiceError, StateError
from protocol.explain import readers
from protocol.explain.nodes import Node
from protocol.explain.readers import (
    Reader,
    Table,
    attribute,
    balanced,
    choice,
    code,
    fields,
    flag,
    group,
    list_of,
    long_invoke_id,
    made,
    method,
    moment,
    number,
    optional,
    parameter,
    selected_attribute,
    selection,
    value,
)
from protocol.explain.vault import CLIENT, SERVER, proof
from protocol.explain.walker import Walker

_INVOKE = "invoke-id-and-priority"
_LONG_INVOKE = "long-invoke-id-and-priority"


def _asking(service: str, *, several: bool = False) -> Reader:
    def read(walker: Walker, name: str) -> int:
        invoke = readers.invoke_id(walker, name)
        walker.talk.asks(service, invoke, several=several)
        return invoke

    return read


def _answering(service: str) -> Reader:
    def read(walker: Walker, name: str) -> int:
        invoke = readers.invoke_id(walker, name)
        walker.talk.answers(service, invoke)
        return invoke

    return read


def proving(reader: Reader, side: str) -> Reader:
    """Return the reader of a value that may be a side's answer to a challenge, and judge it."""

    def read(walker: Walker, name: str) -> Any:
        found = reader(walker, name)
        if walker.talk.proof_due and isinstance(found, Data) and found.tag is Tag.OCTET_STRING:
            judge(walker, side, found.value)
        return found

    return read


def judge(walker: Walker, side: str, octets: bytes) -> None:
    """Say at the newest node whether it is the right answer to a challenge."""
    node, verdict = walker.newest(), proof(walker.talk, side, octets)
    if verdict.meaning:
        node.meaning += f", {verdict.meaning}"
    if verdict.fault:
        walker.wrong(node, verdict.fault)


def _long_asking(walker: Walker, name: str) -> int:
    invoke = long_invoke_id(walker, name)
    walker.talk.asks("access", invoke)
    return invoke


def _long_answering(walker: Walker, name: str) -> int:
    invoke = long_invoke_id(walker, name)
    walker.talk.answers("access", invoke)
    return invoke


def block_row(table: Table, raw: Callable[[Walker, str], tuple[bytes, Node]]) -> Reader:
    """Return the reader of a datablock, whose last field is the raw data."""

    def read(walker: Walker, name: str) -> Any:
        with walker.group(name):
            known = {field: reader(walker, field) for field, reader in table}
            known["raw-data"] = raw(walker, "raw-data")
            return known

    return read


def raw_data(walker: Walker, name: str) -> tuple[bytes, Node]:
    """Read the octets of a block; return their node too, for what the blocks are together."""
    octets = walker.take(walker.length())
    return octets, walker.leaf(name, f"{len(octets)} octets", octets)


_BLOCK_HEAD: Table = (("last-block", flag), ("block-number", number(4)))
_PBLOCK = block_row(_BLOCK_HEAD, raw_data)


def _in_blocks(
    service: str, invoke: Reader, what: Table, inside: Reader, several: Reader
) -> Reader:
    """Return the reader of an APDU with a block of a request; the last one shows the whole.

    Args:
        service: keeps the blocks apart from others'.
        invoke: reads the invoke id.
        what: the fields before the block.
        inside: reads what the blocks are together.
        several: the same, of a request with a list.
    """

    def read(walker: Walker, _name: str) -> None:
        known = invoke(walker, _INVOKE)
        for field, reader in what:
            reader(walker, field)
        block = _PBLOCK(walker, "datablock")
        octets, node = block["raw-data"]
        walker.talk.block(service, known, block["block-number"], octets)
        if block["last-block"]:
            reader = several if walker.talk.asked_several(known) else inside
            together(walker, node, walker.talk.whole(service, known), reader)

    return read


def together(walker: Walker, node: Node, blocks: list[bytes], reader: Reader) -> None:
    """Show what blocks are together at the node of the last one; nothing where some are missing."""
    if blocks:
        how = f"put together from {len(blocks)} block{'s' * (len(blocks) > 1)}"
        made(walker, node, how, b"".join(blocks), lambda inner: reader(inner, "value"))


# --- GET -----------------------------------------------------------------------------------------

_DATA_RESULT = choice({0: ("data", value), 1: ("data-access-result", code(DataAccessResult))})
_PROOF_RESULT = choice({
    0: ("data", proving(value, SERVER)), 1: ("data-access-result", code(DataAccessResult)),
})  # fmt: skip # a table
_ATTRIBUTES = list_of(selected_attribute, "attribute")
_RESULTS = list_of(code(DataAccessResult), "result")
_SELECTED: Table = (
    ("cosem-attribute-descriptor", attribute),
    ("access-selection", optional(selection)),
)

_GET_REQUEST = choice({
    1: ("get-request-normal", fields(((_INVOKE, _asking("get")), *_SELECTED))),
    2: ("get-request-next", fields(((_INVOKE, readers.invoke_id), ("block-number", number(4))))),
    3: ("get-request-with-list", fields((
        (_INVOKE, _asking("get", several=True)), ("attribute-descriptor-list", _ATTRIBUTES),
    ))),
})  # fmt: skip # a table


def _get_datablock(walker: Walker, _name: str) -> None:
    invoke = _answering("get")(walker, _INVOKE)
    with walker.group("result"):
        last, block = flag(walker, "last-block"), number(4)(walker, "block-number")
        raw = choice(
            {0: ("raw-data", raw_data), 1: ("data-access-result", code(DataAccessResult))}
        )(walker, "result")
    if not isinstance(raw, tuple):
        walker.talk.whole("get", invoke)
        return
    octets, node = raw
    walker.talk.block("get", invoke, block, octets)
    if last:
        several = list_of(_DATA_RESULT, "result")
        reader = several if walker.talk.asked_several(invoke) else value
        together(walker, node, walker.talk.whole("get", invoke), reader)


_GET_RESPONSE = choice({
    1: ("get-response-normal", fields(((_INVOKE, _answering("get")), ("result", _DATA_RESULT)))),
    2: ("get-response-with-datablock", _get_datablock),
    3: ("get-response-with-list", fields((
        (_INVOKE, _answering("get")), ("result", list_of(_DATA_RESULT, "result")),
    ))),
})  # fmt: skip # a table

# --- SET -----------------------------------------------------------------------------------------

_VALUES = list_of(value, "value")
_ATTRIBUTE_LIST: Table = (("attribute-descriptor-list", _ATTRIBUTES),)
_SET = _asking("set")
_SET_LIST = _asking("set", several=True)

_SET_REQUEST = choice({
    1: ("set-request-normal", fields(((_INVOKE, _SET), *_SELECTED, ("value", value)))),
    2: ("set-request-with-first-datablock", _in_blocks("set", _SET, _SELECTED, value, _VALUES)),
    3: ("set-request-with-datablock", _in_blocks("set", readers.invoke_id, (), value, _VALUES)),
    4: ("set-request-with-list", balanced(
        ((_INVOKE, _SET_LIST), *_ATTRIBUTE_LIST, ("value-list", _VALUES)),
        "attribute-descriptor-list", "value-list",
    )),
    5: ("set-request-with-list-and-first-datablock",
        _in_blocks("set", _SET_LIST, _ATTRIBUTE_LIST, value, _VALUES)),
})  # fmt: skip # a table

_RESULT: Table = (("result", code(DataAccessResult)),)
_BLOCK_NUMBER: Table = (("block-number", number(4)),)
_ID: Table = ((_INVOKE, readers.invoke_id),)

_SET_RESPONSE = choice({
    1: ("set-response-normal", fields((*_ID, *_RESULT))),
    2: ("set-response-datablock", fields((*_ID, *_BLOCK_NUMBER))),
    3: ("set-response-last-datablock", fields((*_ID, *_RESULT, *_BLOCK_NUMBER))),
    4: ("set-response-last-datablock-with-list",
        fields((*_ID, ("result", _RESULTS), *_BLOCK_NUMBER))),
    5: ("set-response-with-list", fields((*_ID, ("result", _RESULTS)))),
})  # fmt: skip # a table

# --- ACTION --------------------------------------------------------------------------------------

_METHOD: Table = (("cosem-method-descriptor", method),)
_METHODS: Table = (("method-descriptor-list", list_of(method, "method")),)
_PARAMETERS = list_of(parameter, "parameter")
_ACTION = _asking("action")
_ACTION_LIST = _asking("action", several=True)

_ACTION_REQUEST = choice({
    1: ("action-request-normal", fields((
        (_INVOKE, _ACTION), *_METHOD,
        ("method-invocation-parameters", optional(proving(parameter, CLIENT))),
    ))),
    2: ("action-request-next-pblock", fields((*_ID, *_BLOCK_NUMBER))),
    3: ("action-request-with-list", balanced(
        ((_INVOKE, _ACTION_LIST), *_METHODS, ("method-invocation-parameters", _PARAMETERS)),
        "method-descriptor-list", "method-invocation-parameters",
    )),
    4: ("action-request-with-first-pblock",
        _in_blocks("action", _ACTION, _METHOD, parameter, _PARAMETERS)),
    5: ("action-request-with-list-and-first-pblock",
        _in_blocks("action", _ACTION_LIST, _METHODS, parameter, _PARAMETERS)),
    6: ("action-request-with-pblock",
        _in_blocks("action", readers.invoke_id, (), parameter, _PARAMETERS)),
})  # fmt: skip # a table

_RETURNED: Table = (
    ("result", code(ActionResult)),
    ("return-parameters", optional(_DATA_RESULT)),
)


def _action_normal(walker: Walker, _name: str) -> None:
    _answering("action")(walker, _INVOKE)
    code(ActionResult)(walker, "result")
    if walker.left:  # some meters leave the flag of the return parameters out
        optional(_PROOF_RESULT)(walker, "return-parameters")


_ACTION_RESPONSE = choice({
    1: ("action-response-normal", _action_normal),
    2: ("action-response-with-pblock", _in_blocks(
        "returned", _answering("action"), (), value, list_of(group(_RETURNED), "response"),
    )),
    3: ("action-response-with-list", fields((
        (_INVOKE, _answering("action")),
        ("list-of-responses", list_of(group(_RETURNED), "response")),
    ))),
    4: ("action-response-next-pblock", fields((*_ID, *_BLOCK_NUMBER))),
})  # fmt: skip # a table

# --- ACCESS --------------------------------------------------------------------------------------

_SELECTION: Table = (("access-selection", group((("selection", selection),))),)
_ATTRIBUTE: Table = (("cosem-attribute-descriptor", attribute),)
_SPECIFICATION = list_of(
    choice({
        1: ("access-request-get", fields(_ATTRIBUTE)),
        2: ("access-request-set", fields(_ATTRIBUTE)),
        3: ("access-request-action", fields(_METHOD)),
        4: ("access-request-get-with-selection", fields((*_ATTRIBUTE, *_SELECTION))),
        5: ("access-request-set-with-selection", fields((*_ATTRIBUTE, *_SELECTION))),
    }),
    "specification",
)  # fmt: skip # a table
_OUTCOMES = list_of(
    choice({
        1: ("access-response-get", code(DataAccessResult)),
        2: ("access-response-set", code(DataAccessResult)),
        3: ("access-response-action", code(ActionResult)),
    }),
    "response",
)  # fmt: skip # a table

_REQUESTED, _GIVEN = "access-request-specification", "access-request-list-of-data"
_RETURNED_DATA, _ENDED = "access-response-list-of-data", "access-response-specification"
_ACCESS_REQUEST = balanced(
    (
        (_LONG_INVOKE, _long_asking),
        ("date-time", moment),
        (_REQUESTED, _SPECIFICATION),
        (_GIVEN, _VALUES),
    ),
    _REQUESTED,
    _GIVEN,
)
_ACCESS_RESPONSE = balanced(
    (
        (_LONG_INVOKE, _long_answering),
        ("date-time", moment),
        (_REQUESTED, optional(_SPECIFICATION)),
        (_RETURNED_DATA, _VALUES),
        (_ENDED, _OUTCOMES),
    ),
    _REQUESTED,
    _RETURNED_DATA,
    _ENDED,
)

# --- unasked, and errors -------------------------------------------------------------------------

_DATA_NOTIFICATION = fields((
    (_LONG_INVOKE, long_invoke_id), ("date-time", moment), ("notification-body", readers.any_value),
))  # fmt: skip # a table
_DATA_NOTIFICATION_CONFIRM = fields(((_LONG_INVOKE, long_invoke_id), ("date-time", moment)))


def _event_notification(walker: Walker, _name: str) -> None:
    walker.talk.asks("event", 0)
    optional(moment)(walker, "time")
    attribute(walker, "cosem-attribute-descriptor")
    value(walker, "attribute-value")


def _exception(walker: Walker, _name: str) -> None:
    code(StateError)(walker, "state-error")
    service = code(ServiceError)(walker, "service-error")
    if service == ServiceError.INVOCATION_COUNTER_ERROR and walker.left:
        number(4)(walker, "invocation-counter")


#: What follows the tag, by the tag.
SERVICES: dict[int, Reader] = {
    ApduTag.GET_REQUEST: _GET_REQUEST,
    ApduTag.GET_RESPONSE: _GET_RESPONSE,
    ApduTag.SET_REQUEST: _SET_REQUEST,
    ApduTag.SET_RESPONSE: _SET_RESPONSE,
    ApduTag.ACTION_REQUEST: _ACTION_REQUEST,
    ApduTag.ACTION_RESPONSE: _ACTION_RESPONSE,
    ApduTag.ACCESS_REQUEST: _ACCESS_REQUEST,
    ApduTag.ACCESS_RESPONSE: _ACCESS_RESPONSE,
    ApduTag.EVENT_NOTIFICATION: _event_notification,
    ApduTag.DATA_NOTIFICATION: _DATA_NOTIFICATION,
    ApduTag.DATA_NOTIFICATION_CONFIRM: _DATA_NOTIFICATION_CONFIRM,
    ApduTag.EXCEPTION_RESPONSE: _exception,
}

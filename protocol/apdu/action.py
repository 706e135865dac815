"""ACTION: invoking methods, one or a list, their parameters and results in one APDU or in blocks.

The blocks carry the bare value: of the parameters in a request, of the return parameters in a
response, where blocks imply success (``pydlms-client`` reads and writes them so). Those of a list
make the list as it would stand in one APDU: in a request that of the parameters, where null-data
stands for none, and in a response that of the results, each with its return parameters.
"""

from msgspec import Struct

from protocol import axdr
from protocol.apdu import fields
from protocol.apdu.fields import Reader
from protocol.apdu.get import encode_result, read_result
from protocol.apdu.tags import ApduTag
from protocol.axdr import Data
from protocol.codes import ActionResult, DataAccessResult
from protocol.events import InvokeId, MethodRef

_REQUEST = bytes((ApduTag.ACTION_REQUEST,))
_RESPONSE = bytes((ApduTag.ACTION_RESPONSE,))
_NORMAL, _NEXT_PBLOCK, _WITH_LIST, _FIRST_PBLOCK, _LIST_FIRST_PBLOCK, _PBLOCK = 1, 2, 3, 4, 5, 6
_RESPONSE_PBLOCK, _RESPONSE_NEXT_PBLOCK = 2, 4
_LEAST_OUTCOME = 2

#: The result of one method of a list, and what it returned if it returned anything.
ActionOutcome = tuple[ActionResult, Data | DataAccessResult | None]


class ActionRequestNormal(Struct, frozen=True):
    """An invocation of one method."""

    invoke: InvokeId
    method: MethodRef
    parameter: Data | None = None

    def encode(self) -> bytes:
        """Return the APDU."""
        parameter = b"\x00" if self.parameter is None else b"\x01" + axdr.encode(self.parameter)
        return (
            fields.head(_REQUEST, _NORMAL, self.invoke) + fields.descriptor(self.method) + parameter
        )


class ActionRequestNextPblock(Struct, frozen=True):
    """A request for the block of the return parameters after ``block_number``."""

    invoke: InvokeId
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_REQUEST, _NEXT_PBLOCK, self.invoke) + fields.number(
            self.block_number, 4
        )


class ActionRequestFirstPblock(Struct, frozen=True):
    """What to invoke, and the first octets of its parameters."""

    invoke: InvokeId
    method: MethodRef
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _FIRST_PBLOCK, self.invoke)
            + fields.descriptor(self.method)
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


class ActionRequestPblock(Struct, frozen=True):
    """The next octets of the parameters."""

    invoke: InvokeId
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_REQUEST, _PBLOCK, self.invoke) + fields.datablock(
            self.last, self.block_number, self.raw_data
        )


class ActionRequestWithList(Struct, frozen=True):
    """An invocation of several methods, and a parameter for each, null-data for none."""

    invoke: InvokeId
    methods: tuple[MethodRef, ...]
    parameters: tuple[Data, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _WITH_LIST, self.invoke)
            + fields.sequence([fields.descriptor(method) for method in self.methods])
            + fields.data_list(self.parameters)
        )


class ActionRequestListFirstPblock(Struct, frozen=True):
    """Which methods to invoke, and the first octets of the list of their parameters."""

    invoke: InvokeId
    methods: tuple[MethodRef, ...]
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return (
            fields.head(_REQUEST, _LIST_FIRST_PBLOCK, self.invoke)
            + fields.sequence([fields.descriptor(method) for method in self.methods])
            + fields.datablock(self.last, self.block_number, self.raw_data)
        )


class ActionResponseNormal(Struct, frozen=True):
    """How an invocation ended, and what it returned if it returned anything."""

    invoke: InvokeId
    result: ActionResult
    value: Data | DataAccessResult | None = None

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_RESPONSE, _NORMAL, self.invoke)
        return head + _encode_outcome((self.result, self.value))


class ActionResponsePblock(Struct, frozen=True):
    """A piece of the return parameters."""

    invoke: InvokeId
    last: bool
    block_number: int
    raw_data: bytes

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_RESPONSE, _RESPONSE_PBLOCK, self.invoke) + fields.datablock(
            self.last, self.block_number, self.raw_data
        )


class ActionResponseNextPblock(Struct, frozen=True):
    """A block of the parameters has come; the next may."""

    invoke: InvokeId
    block_number: int

    def encode(self) -> bytes:
        """Return the APDU."""
        return fields.head(_RESPONSE, _RESPONSE_NEXT_PBLOCK, self.invoke) + fields.number(
            self.block_number, 4
        )


class ActionResponseWithList(Struct, frozen=True):
    """How the invocations of a list ended, and what each returned."""

    invoke: InvokeId
    outcomes: tuple[ActionOutcome, ...]

    def encode(self) -> bytes:
        """Return the APDU."""
        head = fields.head(_RESPONSE, _WITH_LIST, self.invoke)
        return head + encode_outcomes(self.outcomes)


ActionRequestApdu = (
    ActionRequestNormal
    | ActionRequestNextPblock
    | ActionRequestWithList
    | ActionRequestFirstPblock
    | ActionRequestListFirstPblock
    | ActionRequestPblock
)
ActionResponseApdu = (
    ActionResponseNormal | ActionResponsePblock | ActionResponseWithList | ActionResponseNextPblock
)


def decode_action_request(apdu: bytes) -> ActionRequestApdu:
    """Read an ACTION request.

    Raises:
        DecodeError: cut short, malformed or too long, or a list with fewer parameters than
            methods or more.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.ACTION_REQUEST)
    kind = reader.choice(
        _NORMAL, _NEXT_PBLOCK, _WITH_LIST, _FIRST_PBLOCK, _LIST_FIRST_PBLOCK, _PBLOCK
    )
    invoke = reader.invoke()
    request: ActionRequestApdu
    if kind == _NORMAL:
        method = reader.method()
        request = ActionRequestNormal(
            invoke, method, reader.data() if reader.choice(0, 1) else None
        )
    elif kind == _NEXT_PBLOCK:
        request = ActionRequestNextPblock(invoke, reader.number(4))
    elif kind == _FIRST_PBLOCK:
        request = ActionRequestFirstPblock(
            invoke, reader.method(), reader.flag(), reader.number(4), reader.octet_string()
        )
    elif kind == _PBLOCK:
        request = ActionRequestPblock(
            invoke, reader.flag(), reader.number(4), reader.octet_string()
        )
    else:
        count = reader.count(fields.LEAST_DESCRIPTOR)
        methods = tuple(reader.method() for _ in range(count))
        if kind == _WITH_LIST:
            request = ActionRequestWithList(invoke, methods, reader.data_list(count))
        else:
            request = ActionRequestListFirstPblock(
                invoke, methods, reader.flag(), reader.number(4), reader.octet_string()
            )
    reader.end()
    return request


def decode_action_response(apdu: bytes) -> ActionResponseApdu:
    """Read an ACTION response; one that ends after its result, as some meters send, will do.

    Raises:
        DecodeError: cut short, malformed or too long.
    """
    reader = Reader(apdu)
    reader.choice(ApduTag.ACTION_RESPONSE)
    kind = reader.choice(_NORMAL, _RESPONSE_PBLOCK, _WITH_LIST, _RESPONSE_NEXT_PBLOCK)
    invoke = reader.invoke()
    response: ActionResponseApdu
    if kind == _NORMAL:
        result = reader.code(ActionResult)
        returned = not reader.at_end() and reader.choice(0, 1)
        response = ActionResponseNormal(invoke, result, read_result(reader) if returned else None)
    elif kind == _RESPONSE_PBLOCK:
        response = ActionResponsePblock(
            invoke, reader.flag(), reader.number(4), reader.octet_string()
        )
    elif kind == _RESPONSE_NEXT_PBLOCK:
        response = ActionResponseNextPblock(invoke, reader.number(4))
    else:
        response = ActionResponseWithList(invoke, read_outcomes(reader))
    reader.end()
    return response


def read_outcomes(reader: Reader) -> tuple[ActionOutcome, ...]:
    """Return a SEQUENCE OF Action-Response-With-Optional-Data."""
    count = reader.count(_LEAST_OUTCOME)
    return tuple(
        (reader.code(ActionResult), read_result(reader) if reader.choice(0, 1) else None)
        for _ in range(count)
    )


def encode_outcomes(outcomes: tuple[ActionOutcome, ...]) -> bytes:
    """Return a SEQUENCE OF Action-Response-With-Optional-Data.

    Raises:
        EncodeError: a value does not fit its type.
    """
    return fields.sequence([_encode_outcome(outcome) for outcome in outcomes])


def _encode_outcome(outcome: ActionOutcome) -> bytes:
    result, value = outcome
    return bytes((result,)) + (b"\x00" if value is None else b"\x01" + encode_result(value))

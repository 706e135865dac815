"""Every APDU that the encoders make, and what a tree of nodes says, for tests of explanations."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from obis.values import field_names
from protocol import apdu
from protocol.axdr import CompactArray, Data
from protocol.codes import (
    ActionResult,
    ApplicationContext,
    AssociationResult,
    Conformance,
    DataAccessResult,
    InitiateError,
    Mechanism,
    ProviderDiagnostic,
    ServiceError,
    StateError,
    UserDiagnostic,
)
from protocol.events import (
    AttributeRef,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    InformationReport,
    InvokeId,
    LongInvokeId,
    MethodRef,
    SelectiveAccess,
    ShortName,
)
from protocol.explain import Node
from protocol.security import Protection
from tests import strategies

_octet = st.integers(0, 0xFF)
_word = st.integers(0, 0xFFFF)
_block = st.integers(0, 0xFFFF_FFFF)
_raw = st.binary(max_size=20)
_title = st.just(b"") | st.binary(min_size=8, max_size=8)
_moment = st.just(b"") | strategies.cosem_date_times().map(lambda moment: moment.to_bytes())
_values = strategies.data(max_leaves=3)
_codes = st.sampled_from(DataAccessResult)
_results = _values | _codes
_invoke = st.builds(InvokeId, st.integers(0, 15), st.booleans(), st.booleans())
_long_invoke = st.builds(LongInvokeId, st.integers(0, 0xFFFFFF), *(st.booleans() for _ in range(4)))
_attribute = st.builds(AttributeRef, _word, strategies.obis_codes(), _octet)
_method = st.builds(MethodRef, _word, strategies.obis_codes(), _octet)
_access = st.none() | st.builds(SelectiveAccess, _octet, _values)
_selected = st.tuples(_attribute, _access)
_blocks = (st.booleans(), _block, _raw)


def _encoded(one: Any) -> bytes:
    return bytes(one.encode())


def _several(*elements: SearchStrategy[Any]) -> SearchStrategy[list[Any]]:
    """Lists of the same count, as tuples."""

    def of(count: int) -> SearchStrategy[Any]:
        return st.tuples(*(st.tuples(*[one] * count) for one in elements))

    return st.integers(0, 3).flatmap(of)


def _tuple(element: SearchStrategy[Any]) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, max_size=3).map(tuple)


_outcomes = st.tuples(st.sampled_from(ActionResult), st.none() | _results)
_GET = (
    st.builds(apdu.GetRequestNormal, _invoke, _attribute, _access),
    st.builds(apdu.GetRequestNext, _invoke, _block),
    st.builds(apdu.GetRequestWithList, _invoke, _tuple(_selected)),
    st.builds(apdu.GetResponseNormal, _invoke, _results),
    st.builds(apdu.GetResponseDatablock, _invoke, st.just(False), _block, _raw | _codes),
    st.builds(apdu.GetResponseWithList, _invoke, _tuple(_results)),
)
_SET = (
    st.builds(apdu.SetRequestNormal, _invoke, _attribute, _access, _values),
    st.builds(apdu.SetRequestFirstDatablock, _invoke, _attribute, _access, st.just(False),
              _block, _raw),
    st.builds(apdu.SetRequestDatablock, _invoke, *_blocks),
    _several(_selected, _values).flatmap(
        lambda two: st.builds(apdu.SetRequestWithList, _invoke, st.just(two[0]), st.just(two[1]))
    ),
    st.builds(apdu.SetRequestListFirstDatablock, _invoke, _tuple(_selected), st.just(False),
              _block, _raw),
    st.builds(apdu.SetResponseNormal, _invoke, _codes),
    st.builds(apdu.SetResponseDatablock, _invoke, _block),
    st.builds(apdu.SetResponseLastDatablock, _invoke, _codes, _block),
    st.builds(apdu.SetResponseWithList, _invoke, _tuple(_codes)),
    st.builds(apdu.SetResponseLastDatablockWithList, _invoke, _tuple(_codes), _block),
)  # fmt: skip # a table
_ACTION = (
    st.builds(apdu.ActionRequestNormal, _invoke, _method, st.none() | _values),
    st.builds(apdu.ActionRequestNextPblock, _invoke, _block),
    st.builds(apdu.ActionRequestFirstPblock, _invoke, _method, st.just(False), _block, _raw),
    st.builds(apdu.ActionRequestPblock, _invoke, *_blocks),
    _several(_method, _values).flatmap(
        lambda two: st.builds(apdu.ActionRequestWithList, _invoke, st.just(two[0]),
                              st.just(two[1]))
    ),
    st.builds(apdu.ActionRequestListFirstPblock, _invoke, _tuple(_method), st.just(False),
              _block, _raw),
    st.builds(apdu.ActionResponseNormal, _invoke, st.sampled_from(ActionResult),
              st.none() | _results),
    st.builds(apdu.ActionResponsePblock, _invoke, st.just(False), _block, _raw),
    st.builds(apdu.ActionResponseNextPblock, _invoke, _block),
    st.builds(apdu.ActionResponseWithList, _invoke, _tuple(_outcomes)),
)  # fmt: skip # a table

_selecting = st.builds(SelectiveAccess, _octet, _values)
_specification = (
    st.builds(
        apdu.AccessSpecification,
        st.sampled_from((apdu.AccessKind.GET, apdu.AccessKind.SET)),
        _attribute,
    )
    | st.builds(
        apdu.AccessSpecification,
        st.sampled_from((apdu.AccessKind.GET_WITH_SELECTION, apdu.AccessKind.SET_WITH_SELECTION)),
        _attribute,
        _selecting,
    )
    | st.builds(apdu.AccessSpecification, st.just(apdu.AccessKind.ACTION), _method)
)
_access_result = st.builds(
    apdu.AccessResult, st.sampled_from((apdu.AccessKind.GET, apdu.AccessKind.SET)), _codes
) | st.builds(apdu.AccessResult, st.just(apdu.AccessKind.ACTION), st.sampled_from(ActionResult))
_ACCESS = (
    _several(_specification, _values).flatmap(
        lambda two: st.builds(apdu.AccessRequestApdu, _long_invoke, _moment, *map(st.just, two))
    ),
    _several(_specification, _values, _access_result).flatmap(
        lambda three: st.builds(
            apdu.AccessResponseApdu, _long_invoke, _moment, st.none() | st.just(three[0]),
            st.just(three[1]), st.just(three[2]),
        )
    ),
)  # fmt: skip # a table

_variable = st.builds(ShortName, _word, _access)
_plain_variable = st.builds(ShortName, _word)
_read_block = st.builds(apdu.ReadBlock, st.booleans(), _word, _raw)
_SHORT_NAMES = (
    st.builds(apdu.ReadRequestApdu, _tuple(
        _variable
        | st.builds(apdu.BlockNumberAccess, _word)
        | st.builds(apdu.ReadDataBlockAccess, st.booleans(), _word, _raw)
    )),
    st.builds(apdu.ReadResponseApdu, _tuple(
        _results | _read_block | st.builds(apdu.ReadBlockNumber, _word)
    )),
    _several(
        _variable | st.builds(apdu.WriteDataBlockAccess, st.booleans(), _word), _values
    ).flatmap(
        lambda two: st.builds(apdu.WriteRequestApdu, *map(st.just, two), st.booleans())
    ),
    st.builds(apdu.WriteResponseApdu, _tuple(_codes | st.builds(apdu.WriteBlockNumber, _word))),
    _several(_plain_variable, _values).flatmap(
        lambda two: st.builds(apdu.InformationReportApdu, st.builds(
            InformationReport, *map(st.just, two), st.sampled_from(("", "20261122001500Z")),
        ))
    ),
)  # fmt: skip # a table

_NOTIFICATIONS = (
    st.builds(apdu.DataNotificationApdu, st.builds(
        DataNotification, _values, _long_invoke, _moment,
    )),
    st.builds(apdu.DataNotificationConfirmApdu, st.builds(
        DataNotificationConfirm, _long_invoke, _moment,
    )),
    st.builds(apdu.EventNotificationApdu, st.builds(
        EventNotification, _attribute, _values, _moment,
    )),
)  # fmt: skip # a table

_conformance = st.sets(st.sampled_from(list(Conformance))).map(
    lambda bits: Conformance(sum(map(int, bits)))
)
_quality = st.none() | st.integers(0, 127)
_INITIATES = (
    st.builds(apdu.InitiateRequest, _conformance, _word, _octet,
              st.sampled_from((b"", bytes(16))), st.booleans(), _quality),
    st.builds(apdu.InitiateResponse, _conformance, _word, _octet, _word, _quality),
    st.sampled_from(InitiateError).map(apdu.ConfirmedServiceError.initiate),
)  # fmt: skip # a table
_information = st.just(b"") | st.one_of(*_INITIATES).map(_encoded)
_context, _mechanism = st.sampled_from(ApplicationContext), st.none() | st.sampled_from(Mechanism)
_diagnostic = st.sampled_from(UserDiagnostic) | st.sampled_from(ProviderDiagnostic)
_ACSE = (
    st.builds(apdu.Aarq, _context, _title, _mechanism, st.none() | _raw, _information),
    st.builds(apdu.Aare, _context, st.sampled_from(AssociationResult), _diagnostic, _title,
              _mechanism, st.none() | _raw, _information),
    st.builds(apdu.Rlrq, st.sampled_from((None, 0, 1, 30)), _information),
    st.builds(apdu.Rlre, st.sampled_from((None, 0, 1, 30)), _information),
)  # fmt: skip # a table

_protection = st.sampled_from(
    (Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.AUTHENTICATED_ENCRYPTED)
)
#: Under encryption nothing inside shows, so any octets will do.
_encrypted = st.sampled_from((Protection.ENCRYPTED, Protection.AUTHENTICATED_ENCRYPTED))
_protected = st.binary(min_size=12, max_size=40)
_header = st.builds(apdu.GeneralHeader, _raw, _title, _title, _moment, _raw)
_key_info = (
    st.none()
    | st.builds(apdu.IdentifiedKey, st.integers(0, 1))
    | st.builds(apdu.WrappedKey, _raw)
    | st.builds(apdu.AgreedKey, st.sampled_from((b"\x01", b"\x02")), _raw)
)
_ENVELOPES = (
    st.builds(apdu.Ciphered, st.sampled_from(sorted(apdu.PLAIN_BY_GLO)), _encrypted, _block,
              _protected),
    st.builds(apdu.Ciphered, st.sampled_from(sorted(apdu.PLAIN_BY_DED)), _encrypted, _block,
              _protected),
    st.builds(apdu.Ciphered, st.just(apdu.ApduTag.GENERAL_GLO_CIPHERING), _encrypted, _block,
              _protected, _title),
    st.builds(apdu.GeneralCiphering, _header, _key_info, _encrypted, _block, _protected),
    st.builds(apdu.GeneralSigning, _header, st.one_of(*_GET).map(_encoded),
              st.binary(min_size=64, max_size=64)),
    st.builds(apdu.GeneralBlock, st.just(False), st.booleans(), st.integers(0, 63), _word, _word,
              _raw),
)  # fmt: skip # a table
_ERRORS = (
    st.builds(apdu.ExceptionResponse, st.sampled_from(StateError), st.sampled_from(
        [error for error in ServiceError if error is not ServiceError.INVOCATION_COUNTER_ERROR]
    )),
    st.builds(apdu.ExceptionResponse, st.sampled_from(StateError),
              st.just(ServiceError.INVOCATION_COUNTER_ERROR), _block),
)  # fmt: skip # a table

#: Strategies of APDUs by the part of the book that they are of.
FAMILIES: dict[str, SearchStrategy[Any]] = {
    "get": st.one_of(_GET),
    "set": st.one_of(_SET),
    "action": st.one_of(_ACTION),
    "access": st.one_of(_ACCESS),
    "short names": st.one_of(_SHORT_NAMES),
    "notifications": st.one_of(_NOTIFICATIONS),
    "initiate": st.one_of(_INITIATES),
    "acse": st.one_of(_ACSE),
    "envelopes": st.one_of(_ENVELOPES),
    "errors": st.one_of(_ERRORS),
}
_KINDS = (
    _GET, _SET, _ACTION, _ACCESS, _SHORT_NAMES, _NOTIFICATIONS, _INITIATES, _ACSE, _ENVELOPES,
    _ERRORS,
)  # fmt: skip # a table


def apdus() -> SearchStrategy[bytes]:
    """Encoded APDUs of every kind."""
    return st.one_of(*(kind for kinds in _KINDS for kind in kinds)).map(
        lambda one: bytes(one.encode())
    )


def covers(root: Node, octets: bytes) -> bool:
    """Whether the nodes' own octets are the input, each once, in its order, at its offset."""
    offset = 0
    for node in root.walk():
        if node is not root and node.offset != offset:
            return False
        offset += len(node.octets)
    made = all(
        covers(Node("", 0, parts=node.inside.parts), node.inside.octets)
        for node in root.walk()
        if node.inside is not None
    )
    return made and b"".join(node.octets for node in root.walk()) == octets


#: What the tree shows in other words: the last arc of a name, flags of one octet, octets as nodes.
_OTHERWISE = frozenset((
    "context", "mechanism", "user_information", "protection", "suite", "broadcast", "tag",
    "octets", "content", "streaming", "window", "initiate", "dedicated_key", "confirmed", "kind",
    "response_allowed", "protocol_version",
))  # fmt: skip # a table


def plain_values(decoded: Any) -> Iterator[Any]:
    """Give every plain value in a decoded APDU."""
    if isinstance(decoded, Data):
        yield from _data_values(decoded)
    elif isinstance(decoded, InvokeId | LongInvokeId):
        return  # one octet or four, with flags
    elif names := field_names(decoded):
        for name in names:
            last = name == "last" and hasattr(decoded, "window")
            if name not in _OTHERWISE and not last:
                yield from plain_values(getattr(decoded, name))
    elif isinstance(decoded, tuple) and not hasattr(decoded, "_fields"):
        for one in decoded:
            yield from plain_values(one)
    elif isinstance(decoded, tuple):
        yield bytes(decoded)  # an OBIS code
    elif decoded is not None and decoded not in (b"", ""):
        yield decoded


def _data_values(data: Data) -> Iterator[Any]:
    value = data.value
    elements = value.elements if isinstance(value, CompactArray) else value
    if isinstance(elements, tuple):
        for one in elements:
            yield from _data_values(one)
    elif value is not None:
        yield value


def tells(root: Node, decoded: Any) -> Counter[str]:
    """Return the plain values of a decoded APDU that no node has; none is as it should be."""
    told = Counter(_key(node.value) for node in root.walk() if node.value is not None)
    return Counter(map(_key, plain_values(decoded))) - told


def _key(value: Any) -> str:
    return f"{int(value)}" if isinstance(value, bool | int) else repr(value)

"""The push setup (class 40, version 2): what is pushed, where to, when, and how often it is tried.

The objects of the list are read with the rights of the reader client; what it may not read, or
the meter has not, is pushed as null-data. Objects are pushed whole: no part of a buffer, no
restriction, no columns.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from msgspec import Struct

from meter_fw.board import Dial, PortKind
from meter_fw.line_state import (
    MAX_DESTINATION,
    MAX_PUSH_WINDOWS,
    MAX_PUSHED,
    PUSH_WINDOW,
    PUSHED_OBJECT,
    PushList,
    PushSetup,
)
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from protocol.axdr import null
from protocol.codes import DataAccessResult
from protocol.cosem.push_setup import (
    PUSH_SETUP,
    MessageType,
    PushOperationMethod,
    RestrictionType,
    TransportService,
)
from protocol.cosem_time import CosemDateTime
from protocol.errors import AccessRefused, DecodeError
from protocol.events import AttributeRef

#: Client SAPs of the pre-established associations: ciphered, and in clear.
PUSH_SAP: Final = 102
PLAIN_PUSH_SAP: Final = 103
#: What a new meter pushes: by what, who, when, what may have happened, and the last event of either
#: log, with the counter that tells it from another one of that code.
AS_MADE: Final = (
    AttributeRef(40, catalogue.PUSH_SETUP, 1),
    AttributeRef(1, catalogue.LOGICAL_DEVICE_NAME, 2),
    AttributeRef(8, catalogue.CLOCK, 2),
    AttributeRef(70, catalogue.DISCONNECT_CONTROL, 3),
    AttributeRef(1, catalogue.RELAY_CAUSES, 2),
    AttributeRef(111, catalogue.ACCOUNT, 2),
    AttributeRef(1, catalogue.LOW_CREDIT, 2),
    AttributeRef(1, catalogue.EVENT, 2),
    AttributeRef(1, catalogue.EVENT_COUNTER, 2),
    AttributeRef(1, catalogue.RELAY_EVENT, 2),
    AttributeRef(1, catalogue.RELAY_EVENT_COUNTER, 2),
)
_NEVER: Final = CosemDateTime().to_bytes()
_SERVICES: Final = {
    "tcp": (TransportService.TCP, PortKind.WRAPPER),
    "udp": (TransportService.UDP, PortKind.UDP),
    "hdlc": (TransportService.HDLC, PortKind.HDLC),
}
_KINDS: Final = {service.value: kind for service, kind in _SERVICES.values()}


class Span(Struct, frozen=True):
    """A time during which pushing is allowed; the fields that are wild do not count.

    Args:
        start: as it was given, 12 octets.
        end: the same; not part of the time itself.
    """

    start: bytes
    end: bytes

    def covers(self, local: Sequence[int]) -> bool:
        """Say whether ``local`` (year, month, day, hour, minute, second) lies in it.

        An end before the start, as in 22:00 to 06:00, is reached by going over the turn.
        """
        first, last = _fields(self.start), _fields(self.end)
        counted = [
            (a, b, c)
            for a, b, c in zip(first, last, local, strict=True)
            if a is not None and b is not None
        ]
        begin, end, here = ([each[part] for each in counted] for part in range(3))
        return begin <= here < end if begin <= end else here >= begin or here < end


def destination(view: View) -> tuple[int, bytes]:
    """Return transport service and address that pushes go to.

    The address is empty for nowhere, and where the service is HDLC: the local port has none.
    """
    held = view.state.push_setup
    if held.length or held.service == TransportService.HDLC:
        return held.service, held.destination[: held.length]
    scheme, _, address = view.factory.push_to.partition(":")
    service = _SERVICES.get(scheme, _SERVICES["tcp"])[0]
    return int(service), address.encode("ascii")


def dial(view: View) -> Dial | None:
    """Return whom to call for a push; None where there is nobody.

    Nobody is called at the local HDLC port: whoever listens there hears it.
    """
    service, address = destination(view)
    kind = _KINDS.get(service)
    if kind is PortKind.HDLC:
        return None if view.factory.shared_line else Dial(kind, "")
    return Dial(kind, address.decode("ascii")) if kind is not None and address else None


def listed(view: View) -> tuple[AttributeRef, ...]:
    """Return what is pushed."""
    held = view.state.push_list
    if held.listed < 0:
        return AS_MADE
    rows = _pieces(held.objects, PUSHED_OBJECT)[: held.listed]
    return tuple(
        AttributeRef(int.from_bytes(row[:2], "big"), ObisCode.from_bytes(row[2:8]), row[8])
        for row in rows
    )


def allowed(view: View) -> bool:
    """Say whether pushing is allowed at this moment."""
    held = view.state.push_list
    spans = _spans(held)
    return not spans or any(span.covers(view.local.timetuple()[:6]) for span in spans)


# --- attributes ----------------------------------------------------------------------------------


def _get_objects(view: View) -> Any:
    return [
        (
            ref.class_id,
            ref.logical_name.to_bytes(),
            ref.index,
            0,
            (int(RestrictionType.NONE), null()),
            [],
        )
        for ref in listed(view)
    ]


def _set_objects(view: View, value: Any) -> Change:
    if len(value) > MAX_PUSHED:
        raise _refused(f"at most {MAX_PUSHED} objects")
    octets = b""
    for class_id, name, index, data_index, (restriction, _), columns in value:
        if index < 1 or data_index or restriction != RestrictionType.NONE or columns:
            raise _refused("an attribute is pushed whole")
        octets += class_id.to_bytes(2, "big") + name + bytes((index,))
    held = replace(
        view.state.push_list,
        listed=len(value),
        objects=octets.ljust(PUSHED_OBJECT * MAX_PUSHED, b"\0"),
    )
    return Change(replace(view.state, push_list=held))


def _get_destination(view: View) -> Any:
    return (*destination(view), int(MessageType.A_XDR))


def _set_destination(view: View, value: Any) -> Change:
    service, address, message = value
    if service not in _KINDS or message != MessageType.A_XDR:
        raise _refused("A-XDR over TCP, UDP or HDLC")
    if service == TransportService.HDLC:
        if address or view.factory.shared_line:
            raise _refused("the local HDLC port, without an address, and alone on its line")
    elif len(address) > MAX_DESTINATION or not _is_address(address):
        raise _refused("HOST:PORT in ASCII, the host a number: there is no name server to ask")
    return _change(
        view,
        service=service,
        length=len(address),
        destination=address.ljust(MAX_DESTINATION, b"\0"),
    )


def _is_address(address: bytes) -> bool:
    """Whether octets are HOST:PORT; a host of IPv6 stands in brackets."""
    if not address.isascii():
        return False
    host, _, port = address.decode("ascii").rpartition(":")
    named = host[1:-1] if host[:1] + host[-1:] == "[]" else host
    try:
        version = ip_address(named).version
    except ValueError:
        return False
    written = f"[{named}]" if version == 6 else named
    return host == written and port.isdigit() and 0 < int(port) < 0x10000


def _set_windows(view: View, value: Any) -> Change:
    if len(value) > MAX_PUSH_WINDOWS:
        raise _refused(f"at most {MAX_PUSH_WINDOWS} windows")
    try:
        for pair in value:
            for stamp in pair:
                CosemDateTime.from_bytes(stamp)
    except DecodeError as error:
        raise _refused(str(error)) from error
    octets = b"".join(start + end for start, end in value)
    held = replace(
        view.state.push_list,
        windows=len(value),
        spans=octets.ljust(PUSH_WINDOW * MAX_PUSH_WINDOWS, b"\0"),
    )
    return Change(replace(view.state, push_list=held))


def _set_delay(view: View, value: Any) -> Change:
    least, exponent, longest = value
    if least > longest:
        raise _refused("the least delay is longer than the longest")
    return _change(view, delay=least, exponent=exponent, longest=longest)


def _set_client(view: View, value: Any) -> Change:
    if value not in (PUSH_SAP, PLAIN_PUSH_SAP):
        raise _refused(f"{PUSH_SAP} ciphered, {PLAIN_PUSH_SAP} in clear")
    return _change(view, client=value)


def _set_method(view: View, value: Any) -> Change:
    if value not in tuple(PushOperationMethod):
        raise _refused("no such push operation method")
    return _change(view, method=value)


def _push(view: View, parameter: Any) -> Change:
    """Push now; the kernel sees to it once this has been answered."""
    if dial(view) is None:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "nobody to push to")
    return Change(view.state)


def objects() -> tuple[CosemObject, ...]:
    """Return the push setup."""

    def settable(get: Callable[[View], Any], change: Callable[[View, Any], Change]) -> Attribute:
        return Attribute(get, READERS, change, Role.MANAGEMENT)

    return (
        CosemObject(
            PUSH_SETUP,
            catalogue.PUSH_SETUP,
            {
                2: settable(_get_objects, _set_objects),
                3: settable(_get_destination, _set_destination),
                4: settable(
                    lambda view: [(span.start, span.end) for span in _spans(view.state.push_list)],
                    _set_windows,
                ),
                5: settable(
                    lambda view: view.state.push_setup.randomisation,
                    lambda view, value: _change(view, randomisation=value),
                ),
                6: settable(
                    lambda view: view.state.push_setup.retries,
                    lambda view, value: _change(view, retries=value),
                ),
                7: settable(_get_delay, _set_delay),
                8: Attribute(_port, READERS),
                9: settable(lambda view: view.state.push_setup.client, _set_client),
                10: Attribute(lambda view: [], READERS),
                11: settable(lambda view: view.state.push_setup.method, _set_method),
                12: Attribute(lambda view: (_NEVER, 0), READERS),
                13: Attribute(lambda view: view.stamp(view.state.pushed.confirmed), READERS),
            },
            {1: Method(_push, Role.MANAGEMENT)},
        ),
    )


def _port(view: View) -> bytes:
    by_hdlc = destination(view)[0] == TransportService.HDLC
    return (catalogue.HDLC_SETUP if by_hdlc else catalogue.TCP_UDP_SETUP).to_bytes()


def _get_delay(view: View) -> Any:
    held = view.state.push_setup
    return (held.delay, held.exponent, held.longest)


def _change(view: View, **fields: Any) -> Change:
    held: PushSetup = replace(view.state.push_setup, **fields)
    return Change(replace(view.state, push_setup=held))


def _refused(why: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.OTHER_REASON, why)


def _spans(held: PushList) -> list[Span]:
    pieces = _pieces(held.spans, PUSH_WINDOW)[: held.windows]
    return [Span(piece[: PUSH_WINDOW // 2], piece[PUSH_WINDOW // 2 :]) for piece in pieces]


def _pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[start : start + size] for start in range(0, len(octets), size)]


def _fields(stamp: bytes) -> tuple[int | None, ...]:
    moment = CosemDateTime.from_bytes(stamp)
    date, time = moment.date, moment.time
    return (date.year, date.month, date.day, time.hour, time.minute, time.second)

"""The client half of an association, over any transport: send, wait, give up in time.

The protocol's machines say what to send and when to wake; this is the loop that owns the port
and the clock for them. Silence ends in ``NoAnswer``, a refusal in an error of the protocol.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from headend.clock import Clock
from headend.errors import NoAnswer, Refused
from headend.transports import Transport
from protocol.axdr import Data
from protocol.codes import (
    ActionResult,
    Conformance,
    DataAccessResult,
    ProviderDiagnostic,
    ServiceError,
    UserDiagnostic,
)
from protocol.errors import (
    AccessRefused,
    ActionRefused,
    LocalProtocolError,
    RemoteProtocolError,
)
from protocol.events import (
    AccessRequest,
    AccessResponse,
    ActionRequest,
    ActionResponse,
    AssociationEvent,
    AttributeRef,
    DisconnectReason,
    ExceptionRaised,
    GetListRequest,
    GetListResponse,
    GetRequest,
    GetResponse,
    InvokeId,
    LinkConnect,
    LinkConnected,
    LinkData,
    LinkDisconnect,
    LinkDisconnected,
    LinkEvent,
    LinkWanted,
    LongInvokeId,
    MethodRef,
    Opened,
    OpenRefused,
    OpenRequest,
    Peer,
    Released,
    ReleaseRequest,
    SelectiveAccess,
    SetRequest,
    SetResponse,
)
from protocol.link import Link
from protocol.timing import Instant, earliest, later
from protocol.udp import DatagramLink

_E = TypeVar("_E")

#: How many attributes are asked for in one request: more than other meters than ours may like.
_MOST_AT_ONCE = 20
_INVOKE_IDS = 15
#: Octets of an attribute in a list, and of everything around the list, an envelope included.
_DESCRIPTOR = 10
_LIST_HEAD = 48


class ClientAssociation(Protocol):
    """What a session needs of ``protocol.association.Association``."""

    def receive(self, apdu: bytes, now: Instant) -> list[AssociationEvent]:
        """Take one whole APDU and say what it meant."""
        ...

    def send(self, event: AssociationEvent, now: Instant) -> None:
        """Queue what ``event`` asks for."""
        ...

    def outgoing(self) -> bytes:
        """Return the next whole APDU, ``b""`` when there is none."""
        ...

    def wake_at(self) -> Instant | None:
        """When to call ``receive(b"", now)`` at the latest."""
        ...


class Patience(Struct, frozen=True):
    """How long to wait, in milliseconds.

    Args:
        silence: for the next APDU of an answer, or the connection.
        whole: for a whole answer, however many blocks it has.
        farewell: for the answers to RLRQ and DISC, which change nothing any more.
    """

    silence: int = 10_000
    whole: int = 180_000
    farewell: int = 1_500


class NeverHeard(NoAnswer):
    """Not even the link was answered: perhaps something else is spoken there."""


class AssociationRefused(Refused):
    """The meter refused the association.

    Args:
        message: why, for a human.
        event: what the meter answered.
    """

    def __init__(self, message: str, event: OpenRefused | ExceptionRaised) -> None:
        super().__init__(message)
        self.event = event


class ExceptionAnswered(Refused):
    """The meter answered a request with an exception response."""

    def __init__(self, event: ExceptionRaised) -> None:
        super().__init__(f"the meter answered with an exception: {_fault(event)}")
        self.event = event


class Overtaken(NoAnswer):
    """The meter has since seen higher invocation counters: another session with it has begun."""


class Session:
    """An open association. Make one with ``open``, end it with ``close``.

    Args:
        transport: an open transport; ``close`` closes it.
        link: the client half of HDLC or of the wrapper.
        association: the client half of an association.
        peer: whom to talk to.
        now: the clock that deadlines are told by.
        patience: how long to wait.
    """

    def __init__(
        self,
        transport: Transport,
        link: Link,
        association: ClientAssociation,
        peer: Peer,
        now: Clock,
        patience: Patience,
    ) -> None:
        self._transport = transport
        self._link = link
        self._association = association
        self._peer = peer
        self._now = now
        self._patience = patience
        self._events: deque[AssociationEvent | LinkConnected | LinkDisconnected] = deque()
        self._connected = False
        self._closed = False
        #: Called once the port has been closed: by whoever has something to give back then.
        self.afterwards: Callable[[], None] = lambda: None
        self._heard = False  # whether anything came that the link understood
        self._invoke = 1  # the number of the last request; HLS pass 3 has 1
        self.opened: Opened | None = None
        self._foreseen: dict[AttributeRef, Data] = {}

    @classmethod
    def open(
        cls,
        transport: Transport,
        link: Link,
        association: ClientAssociation,
        peer: Peer,
        now: Clock,
        patience: Patience | None = None,
    ) -> "Session":
        """Connect the link and open the association; on failure the transport is closed.

        Raises:
            NeverHeard: nobody answered in time, or what came was no answer.
            NoAnswer: the same, after the link had been answered.
            AssociationRefused: the meter refused.
        """
        session = cls(transport, link, association, peer, now, patience or Patience())
        try:
            session._connect()
            session._associate()
        except BaseException as error:  # Ctrl-C included: the port is given back
            heard = session._heard
            session.close()
            if isinstance(error, NoAnswer) and not heard:
                raise NeverHeard(str(error), error.hint) from error
            raise
        return session

    @property
    def client(self) -> int:
        """Client address of this side."""
        return self._peer.client

    def get(self, attribute: AttributeRef, access: SelectiveAccess | None = None) -> Data:
        """Read one attribute.

        Raises:
            AccessRefused: the meter refused, and how.
            ExceptionAnswered, NoAnswer: see there.
        """
        foreseen = None if access is not None else self._foreseen.pop(attribute, None)
        if foreseen is not None:
            return foreseen
        request = GetRequest(attribute, access, self._next())
        result = self._exchange(request, GetResponse).result
        if isinstance(result, DataAccessResult):
            raise AccessRefused(result)
        return result

    def foresee(self, attributes: Sequence[AttributeRef]) -> None:
        """Read attributes at once that are about to be asked for one by one.

        ``get`` gives each value once, and no more once anything was written or executed. Nothing
        is read of a meter that takes one reference at a time, or does not answer a list; what it
        refuses in a list it may tell who asks for that alone.

        Raises:
            NoAnswer: see there.
        """
        if self._at_once() < len(attributes) or len(attributes) < 2:
            return
        try:
            answers = self.get_many(attributes)
        except ExceptionAnswered:
            return
        self._foreseen = {
            attribute: answer
            for attribute, answer in zip(attributes, answers, strict=True)
            if not isinstance(answer, DataAccessResult)
        }

    def get_many(self, attributes: Sequence[AttributeRef]) -> list[Data | DataAccessResult]:
        """Read attributes, as many at once as the meter grants: values, or why there is none.

        Raises:
            ExceptionAnswered, NoAnswer: see there.
        """
        results: list[Data | DataAccessResult] = []
        at_once = self._at_once()
        for start in range(0, len(attributes), at_once):
            invoke = self._next()
            asked = tuple(
                GetRequest(one, None, invoke) for one in attributes[start : start + at_once]
            )
            if len(asked) == 1:
                results.append(self._exchange(asked[0], GetResponse).result)
            else:
                results += self._exchange(GetListRequest(asked, invoke), GetListResponse).results
        return results

    def access(
        self,
        requests: Sequence[GetRequest | SetRequest | ActionRequest],
        *,
        break_on_error: bool = False,
    ) -> tuple[GetResponse | SetResponse | ActionResponse, ...]:
        """Read, write and execute in one request, if the meter grants ACCESS.

        Args:
            requests: in their order; a failure of one is its response, and stops no other.
            break_on_error: leave out what follows the first failure.

        Raises:
            Refused: the meter does not grant it.
            ExceptionAnswered, NoAnswer: see there.
        """
        self._foreseen.clear()
        invoke = LongInvokeId(self._next().number, break_on_error=break_on_error)
        request = AccessRequest(tuple(requests), invoke)
        return self._exchange(request, AccessResponse).responses

    def _next(self) -> InvokeId:
        """Return the next invoke id, 1 to 15 in turn: a late answer has another number."""
        self._invoke = self._invoke % _INVOKE_IDS + 1
        return InvokeId(self._invoke)

    def _at_once(self) -> int:
        """Return how many attributes a GET may name."""
        opened = self.opened
        if opened is None or Conformance.MULTIPLE_REFERENCES not in opened.conformance:
            return 1
        room = (opened.max_pdu or _MOST_AT_ONCE * _DESCRIPTOR) - _LIST_HEAD
        return max(1, min(room // _DESCRIPTOR, _MOST_AT_ONCE))

    def set(self, attribute: AttributeRef, value: Data) -> None:
        """Write one attribute.

        Raises:
            AccessRefused: the meter refused, and how.
            ExceptionAnswered, NoAnswer: see there.
        """
        self._foreseen.clear()
        request = SetRequest(attribute, value, invoke=self._next())
        response = self._exchange(request, SetResponse)
        if response.result is not DataAccessResult.SUCCESS:
            raise AccessRefused(response.result)

    def action(self, method: MethodRef, parameter: Data | None = None) -> Data | None:
        """Execute one method and return what it returns.

        Raises:
            ActionRefused: the meter refused, and how.
            ExceptionAnswered, NoAnswer: see there.
        """
        self._foreseen.clear()
        request = ActionRequest(method, parameter, self._next())
        response = self._exchange(request, ActionResponse)
        if response.result is not ActionResult.SUCCESS:
            raise ActionRefused(response.result)
        return None if isinstance(response.value, DataAccessResult) else response.value

    def close(self) -> None:
        """Release, disconnect and close the port; errors on the way out do not matter."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.opened is not None and self._connected:
                self._send(ReleaseRequest())
                self._await(self._patience.farewell, Released)
            if self._connected:
                self._link.send(LinkDisconnect(self._peer), self._now())
                self._await(self._patience.farewell, LinkDisconnected)
        except (NoAnswer, Refused):
            pass  # the association was over anyway, and the meter will find out by its timeout
        except LocalProtocolError:
            pass  # no counter left for a release, or the link's state does not need one
        finally:
            try:
                self._transport.close()
            finally:
                self.afterwards()

    # --- the loop ------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._link.send(LinkConnect(self._peer), self._now())
        self._await(self._patience.silence, LinkConnected)
        self._connected = True

    def _associate(self) -> None:
        self._send(OpenRequest())
        event = self._await(self._patience.whole, Opened, OpenRefused, ExceptionRaised)
        if isinstance(event, Opened):
            self.opened = event
        elif isinstance(event, OpenRefused):
            raise AssociationRefused(_why_refused(event), event)
        elif isinstance(event, ExceptionRaised):
            raise AssociationRefused(f"the meter refused the association: {_fault(event)}", event)

    def _exchange(self, request: AssociationEvent, wanted: type[_E]) -> _E:
        self._send(request)
        event = self._await(self._patience.whole, wanted, ExceptionRaised)
        if isinstance(event, ExceptionRaised):
            if event.service_error is ServiceError.INVOCATION_COUNTER_ERROR:
                raise Overtaken("no answer to this session: another one has begun meanwhile")
            raise ExceptionAnswered(event)
        assert isinstance(event, wanted)  # the only other kind that was waited for
        return event

    def _send(self, event: AssociationEvent) -> None:
        try:
            self._association.send(event, self._now())
        except LocalProtocolError as error:
            raise Refused(f"cannot be asked: {error}") from error

    def _await(self, patience: int, *wanted: type[object]) -> object:
        """Run the line until an event of a wanted kind comes, for so many milliseconds.

        Raises:
            NoAnswer: it does not come in time, or the connection ends.
        """
        limit = later(self._now(), patience)
        silence = later(self._now(), self._patience.silence)
        came = False  # something, but not what is waited for
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, wanted):
                    return event
                if isinstance(event, LinkDisconnected):
                    self._connected = False
                    raise NoAnswer(_why_disconnected(event.reason))
            self._flush(more=came)
            deadline = earliest(limit, silence)
            if deadline is None or self._now() >= deadline:
                lost = isinstance(self._link, DatagramLink)
                hint = "; or a datagram was lost: ask again" if lost else ""
                raise NoAnswer(f"no answer from the meter: it stays silent{hint}")
            came = self._step(deadline)
            if came:
                silence = later(self._now(), self._patience.silence)

    def _flush(self, *, more: bool) -> None:
        """Hand down what is to be sent, APDU by APDU, and put it on the line.

        Args:
            more: something came, and more is to come.
        """
        now = self._now()
        try:
            while apdu := self._association.outgoing():
                self._link.send(LinkData(self._peer, apdu), now)
            if more:
                self._link.send(LinkWanted(self._peer), now)
        except LocalProtocolError as error:  # longer than the link carries, or the link is gone
            raise Refused(f"cannot be sent: {error}") from error
        while octets := self._link.outgoing():
            self._transport.write(octets)

    def _step(self, deadline: Instant) -> bool:
        """Wait for octets or for a machine's wake-up; say whether an APDU or event came of it."""
        wake = earliest(deadline, self._link.wake_at(), self._association.wake_at())
        assert wake is not None  # the deadline is among them
        octets = self._transport.read(wake)
        now = self._now()
        try:
            link_events = self._link.receive(octets, now)
            for event in link_events:
                self._take(event, now)
            due = self._association.wake_at()
            if due is not None and now >= due:
                self._events.extend(self._association.receive(b"", now))
        except RemoteProtocolError as error:
            raise NoAnswer(f"what came was no answer: {error}") from error
        self._heard = self._heard or bool(octets and link_events)
        return bool(link_events)

    def _take(self, event: LinkEvent, now: Instant) -> None:
        if isinstance(event, LinkData):
            self._events.extend(self._association.receive(event.apdu, now))
        elif isinstance(event, LinkConnected | LinkDisconnected):
            self._events.append(event)


def _why_refused(event: OpenRefused) -> str:
    if event.diagnostic in (UserDiagnostic.NULL, ProviderDiagnostic.NULL):
        reason = event.detail or _words(event.result.name)
    else:
        reason = _words(event.diagnostic.name) + (f" ({event.detail})" if event.detail else "")
    return f"the meter refused the association: {reason}"


def _why_disconnected(reason: DisconnectReason) -> str:
    if reason is DisconnectReason.TIMEOUT:
        return "no answer from the meter: it stays silent"
    return f"the meter ended the connection: {reason.value}"


def _fault(event: ExceptionRaised) -> str:
    return f"{_words(event.state_error.name)}, {_words(event.service_error.name)}"


def _words(name: str) -> str:
    return name.lower().replace("_", " ")

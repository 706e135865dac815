"""Reaching a meter: which client to be, and who answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from headend.context import Context
from headend.device import Device
from headend.errors import NoAnswer, Refused, UsageError
from headend.links import make_link, make_peer
from headend.session import AssociationRefused, ClientAssociation, NeverHeard, Session
from headend.trace import TracedTransport
from headend.transports import LinkKind, Transport
from obis.values import replace
from protocol.association import Association, ClientSettings
from protocol.association.settings import SHORT_NAMES
from protocol.codes import Conformance, Mechanism, ServiceError, UserDiagnostic
from protocol.security import CounterLease, CounterSource, Protection, ReplayGuard

if TYPE_CHECKING:  # who opens no ciphered session needs no database
    from headend.store.meters import Meter

#: The client address that each mechanism has on our meters.
CLIENTS = {Mechanism.NONE: 16, Mechanism.LLS: 2, Mechanism.HLS_GMAC: 1}
#: The names that ``--mechanism`` has for them.
MECHANISMS = {
    "none": Mechanism.NONE,
    "lls": Mechanism.LLS,
    "gmac": Mechanism.HLS_GMAC,
    "hls": Mechanism.HLS,
    "md5": Mechanism.HLS_MD5,
    "sha1": Mechanism.HLS_SHA1,
    "sha256": Mechanism.HLS_SHA256,
    "ecdsa": Mechanism.HLS_ECDSA,
}
#: What a peer that does not answer on one of these may speak instead.
_OTHER_SCHEME = {"tcp": "hdlc+tcp", "hdlc+tcp": "tcp"}
_WORDS = {mechanism: word for word, mechanism in MECHANISMS.items()}
_WRONG_KEY = (ServiceError.DECIPHERING_ERROR,)
#: How a meter refuses a client that it does not know, or that comes with another's mechanism.
_WRONG_CLIENT = (
    UserDiagnostic.NO_REASON_GIVEN,
    UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED,
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED,
    UserDiagnostic.AUTHENTICATION_REQUIRED,
)


_WRONG_MECHANISM = (
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED,
    UserDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED,
)


class Standing(Struct, frozen=True):
    """What the database knew of a meter when its turn began, so that nobody has to ask it again.

    Args:
        meter: its row.
        waiting: how many of its transactions were open.
    """

    meter: "Meter"
    waiting: int


class Reached(Struct, frozen=True):
    """A meter at the other end of a session.

    Args:
        session: open.
        name: its logical device name; a made one where the meter has none; empty where nobody
            asked.
        standing: what was read while nobody else could speak to it; None where nobody looked.
    """

    session: Session
    name: str
    standing: Standing | None = None

    @property
    def device(self) -> Device:
        """The meter's own questions and orders."""
        return Device(self.session)


def mechanism_of(context: Context) -> Mechanism:
    """Return how to authenticate: as told, or as the client address does on our meters.

    The management client does it as the key file says.
    """
    settings = context.settings
    if settings.mechanism is not None:
        return MECHANISMS[settings.mechanism]
    plain = {client_of(mechanism): mechanism for mechanism in (Mechanism.NONE, Mechanism.LLS)}
    found = plain.get(settings.client or 1)
    return Mechanism(context.keys.mechanism) if found is None else found


def client_of(mechanism: Mechanism) -> int:
    """Return the client address that a mechanism has on our meters."""
    return CLIENTS.get(mechanism, CLIENTS[Mechanism.HLS_GMAC])


def reach(context: Context) -> Reached:
    """Open a session as the settings say; a ciphered one finds out who answers.

    Raises:
        NoAnswer, AssociationRefused, PortUnusable, UsageError: see there.
    """
    context.set_out()
    context.permit()
    mechanism = mechanism_of(context)
    if mechanism >= Mechanism.HLS:
        assert context.keys  # a key file that is wrong says so before the port is opened
        from headend.ciphered import reach_ciphered  # it needs the database, which takes time

        return _as_named(context, reach_ciphered(context))
    if mechanism is Mechanism.LLS and context.registered is not None:
        from headend.vault.answering import open_reader  # the vault may have a new password

        return _as_named(context, open_reader(context, _open_plainly))
    return _as_named(context, _open_plainly(context))


def _open_plainly(context: Context) -> Reached:
    return Reached(open_plain(context, mechanism_of(context), context.settings.client), "")


def _as_named(context: Context, found: Reached) -> Reached:
    """Hold who answers to the name that was given.

    A client without ciphering that is not told the name takes whoever is there: it moves no money.

    Raises:
        NoAnswer: another meter answers in its place; it has been let go.
    """
    entry = context.registered
    if entry is None:
        return found
    name = found.name
    try:
        name = name or found.device.name() or entry.name
    except Refused:
        name = entry.name
    except BaseException:  # whatever it was: the port is given back
        found.session.close()
        raise
    if name != entry.name:
        found.session.close()
        raise NoAnswer(
            f"no answer from {entry.name}: {name} answers in its place at {context.place}"
        )
    return found


@contextmanager
def reached(context: Context) -> Iterator[Device]:
    """Give whatever meter answers, and release it at the end."""
    found = reach(context)
    try:
        yield found.device
    finally:
        found.session.close()


def open_plain(context: Context, mechanism: Mechanism, client: int | None = None) -> Session:
    """Open a session without ciphering: public, or with the low-level password."""
    secret = b""
    if mechanism is Mechanism.LLS:
        password = context.settings.password
        try:
            secret = context.keys.password if password is None else password.encode("latin-1")
        except UnicodeEncodeError as error:
            raise UsageError("--password: octets, so letters of Latin-1 only") from error
    try:
        settings = ClientSettings(mechanism=mechanism, secret=secret)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return open_session(context, client or client_of(mechanism), settings, CounterLease(0, 0))


def open_session(
    context: Context, client: int, settings: ClientSettings, counters: CounterSource
) -> Session:
    """Open the port, the link and the association."""
    peer = make_peer(context.settings, client)
    link, peer = make_link(context.port.link, peer, context.settings, context.port.hdlc)
    if context.port.link is LinkKind.DATAGRAMS:
        # General blocks have no invoke id: a late one could pass for one of the next answer.
        asked = settings.conformance & ~Conformance.GENERAL_BLOCK_TRANSFER
        settings = replace(settings, conformance=asked, datagrams=True)
    if context.settings.short_names:
        settings = replace(settings, context=SHORT_NAMES[settings.context])
    made = Association.client(settings, context.entropy, counters, ReplayGuard())
    if context.port.link is LinkKind.HDLC:
        made.at_a_stretch(1)  # a turn each
    association: ClientAssociation = made
    if context.settings.short_names:
        from protocol.association.short_names_view import ByShortNames  # and with it every class

        association = ByShortNames(made)
    transport = context.transports(context.port, context.now)
    transport = _observed(context, transport)
    try:
        return Session.open(transport, link, association, peer, context.now, context.patience)
    except NeverHeard as error:
        raise NoAnswer(f"{error}{_whereabouts(context)}", error.hint) from error
    except AssociationRefused as error:
        name = None if context.registered is None else context.registered.name
        hint = _hint(error, settings, client, name)
        raise AssociationRefused(f"{error}{hint}", error.event) from error


def _observed(context: Context, transport: Transport) -> Transport:
    """Return a transport that shows, writes down and tells what passes, as the run asks."""
    if context.settings.capture is not None:
        from headend.observe.capture import captured  # what few runs ask for

        transport = captured(context, transport)
    if context.settings.trace:
        transport = TracedTransport(transport, context.trace)
    if context.watch is not None:
        from headend.observe.watching import WatchedTransport

        transport = WatchedTransport(transport, context.watch, context.place)
    return transport


def _whereabouts(context: Context) -> str:
    """Return what to try when nothing was ever heard, empty where nothing comes to mind."""
    scheme, settings = context.port.scheme, context.settings
    other = _OTHER_SCHEME.get(scheme)
    hints = [f"is it {other}: rather than {scheme}:?"] if other else []
    hdlc = context.port.link is LinkKind.HDLC
    flat = context.port.link is LinkKind.WRAPPER
    asked = {"--logical": settings.logical != 1 and (hdlc or flat)}
    asked |= {"--physical": hdlc and settings.physical is not None}
    asked |= {"--address-size": hdlc and settings.address_size is not None}
    if named := [option for option, given in asked.items() if given]:
        hints.append(f"does anybody there have that {' and '.join(named)}?")
    return f" ({' '.join(hints)})" if hints else ""


def _hint(
    error: AssociationRefused, settings: ClientSettings, client: int, name: str | None
) -> str:
    """Return what to try after a refusal, empty where nothing comes to mind."""
    if getattr(error.event, "invocation_counter", None) is not None:
        return ""  # the caller knows what to do
    diagnostic = getattr(error.event, "diagnostic", None)
    fault = getattr(error.event, "service_error", None)
    if diagnostic is UserDiagnostic.AUTHENTICATION_FAILURE or fault in _WRONG_KEY:
        less = settings.mechanism >= Mechanism.HLS and (
            settings.protection is not Protection.AUTHENTICATED_ENCRYPTED
        )
        weak = ", or a --protection that the meter finds too weak" if less else ""
        kept = "" if name is None else f"prepay keys import {name} FILE, "
        return f" (wrong key or password? {kept}--keys FILE, --password{weak})"
    if diagnostic in _WRONG_MECHANISM and client == CLIENTS[Mechanism.HLS_GMAC]:
        return " (it wants another --mechanism: give --keys the file that the meter has)"
    if diagnostic not in _WRONG_CLIENT:
        return ""
    if client_of(settings.mechanism) == client:
        locked = diagnostic is UserDiagnostic.NO_REASON_GIVEN
        return " (after many failures a port is locked for a while: wait)" if locked else ""
    usual = {known: _WORDS[mechanism] for mechanism, known in CLIENTS.items()}
    if client in usual:
        return f" (client {client} has {usual[client]} on our meters: leave out --mechanism)"
    return " (--client: our meters have 1 management, 2 reader and 16 public)"

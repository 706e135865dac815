"""Reaching a meter: which client to be, and who answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from headend.context import Context
from headend.device import Device
from headend.errors import UsageError
from headend.links import make_link, make_peer
from headend.session import Session
from headend.trace import TracedTransport
from protocol.association import Association, ClientSettings
from protocol.codes import Mechanism
from protocol.security import CounterLease, CounterSource, ReplayGuard

#: The client address that each mechanism has on our meters.
CLIENTS = {Mechanism.NONE: 16, Mechanism.LLS: 2, Mechanism.HLS_GMAC: 1}
_MECHANISMS = {"none": Mechanism.NONE, "lls": Mechanism.LLS, "gmac": Mechanism.HLS_GMAC}


@dataclass(frozen=True, slots=True)
class Reached:
    """A meter at the other end of a session.

    Args:
        session: open.
        name: its logical device name; a made one where the meter has none; empty where nobody
            asked.
    """

    session: Session
    name: str

    @property
    def device(self) -> Device:
        """The meter's own questions and orders."""
        return Device(self.session)


def mechanism_of(context: Context) -> Mechanism:
    """Return how to authenticate: as told, or as the client address does on our meters."""
    settings = context.settings
    if settings.mechanism is not None:
        return _MECHANISMS[settings.mechanism]
    by_client = {client: mechanism for mechanism, client in CLIENTS.items()}
    return by_client.get(settings.client or 1, Mechanism.HLS_GMAC)


def reach(context: Context) -> Reached:
    """Open a session as the settings say; a ciphered one finds out who answers.

    Raises:
        NoAnswer, AssociationRefused, PortUnusable, UsageError: see there.
    """
    mechanism = mechanism_of(context)
    if mechanism is Mechanism.HLS_GMAC:
        assert context.keys  # a key file that is wrong says so before the port is opened
        from headend.ciphered import reach_ciphered  # it needs the database, which takes time

        return reach_ciphered(context)
    return Reached(open_plain(context, mechanism, context.settings.client), "")


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
    return open_session(context, client or CLIENTS[mechanism], settings, CounterLease(0, 0))


def open_session(
    context: Context, client: int, settings: ClientSettings, counters: CounterSource
) -> Session:
    """Open the port, the link and the association."""
    peer = make_peer(context.settings, client)
    link, peer = make_link(context.port.link, peer, context.settings)
    association = Association.client(settings, context.entropy, counters, ReplayGuard())
    transport = context.transports(context.port, context.now)
    if context.settings.trace:
        transport = TracedTransport(transport, context.trace)
    return Session.open(transport, link, association, peer, context.now, context.patience)

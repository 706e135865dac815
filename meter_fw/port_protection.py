"""Communication port protection: who guesses too often has to wait, and ever longer.

An attempt fails when an AARQ brings a false password, false ciphering or a false answer to the
challenge. With ``allowed`` failures in a row the port is locked for ``initial`` seconds, and after
each further one for ``steepness`` times as long, up to ``longest``; one good association opens the
count anew. The time runs on the board's clock, so that nobody unlocks a port by setting the
meter's. Who needs no secret, the public client, gets in all the same: he has nothing to guess. So
does who proves to have a key (HLS 5 and 7) while the port is locked for a time, or strangers could
keep the head-end out; mode "locked" is for him too. A password of the local port's programming
mode counts as one of an association.
"""

from enum import IntEnum
from typing import Any, Final

from msgspec import Struct

from meter_fw.line_state import PortProtection
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MeterState
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.code import ObisCode
from obis.values import replace
from protocol.codes import DataAccessResult
from protocol.cosem.communication_port_protection import (
    COMMUNICATION_PORT_PROTECTION,
    ProtectionMode,
    ProtectionStatus,
)
from protocol.errors import AccessRefused
from protocol.timing import Instant

_SECOND: Final = 1000
_MOST: Final = 0xFFFFFFFF


class Port(IntEnum):
    """The protected ports, as far as they lock one by one."""

    LOCAL = 0
    NETWORK = 1


class Protected(Struct, frozen=True):
    """What of class 124 belongs to one port.

    Args:
        port: which.
        logical_name: of its object.
        reference: of the object that describes the port.
    """

    port: Port
    logical_name: ObisCode
    reference: ObisCode


PORTS: Final = (
    Protected(Port.LOCAL, catalogue.LOCAL_PORT_PROTECTION, catalogue.HDLC_SETUP),
    Protected(Port.NETWORK, catalogue.NETWORK_PORT_PROTECTION, catalogue.TCP_UDP_SETUP),
)


def protection(state: MeterState, port: Port) -> PortProtection:
    """Return what is known of a port; as new until something has happened there."""
    found = next((one for one in state.protections if one.port == port), None)
    return found or PortProtection(port)


def with_protection(state: MeterState, changed: PortProtection) -> MeterState:
    """Return ``state`` with another port protection."""
    others = [one for one in state.protections if one.port != changed.port]
    protections = tuple(sorted([*others, changed], key=lambda one: one.port))
    return replace(state, protections=protections)


def status(one: PortProtection, now: Instant) -> ProtectionStatus:
    """Return whether a port is locked at ``now``, the board's time."""
    if one.mode == ProtectionMode.LOCKED:
        return ProtectionStatus.LOCKED
    if one.mode == ProtectionMode.LOCKED_ON_FAILED_ATTEMPTS and now < one.until:
        return ProtectionStatus.TEMPORARILY_LOCKED
    return ProtectionStatus.UNLOCKED


def locked(state: MeterState, port: Port, now: Instant, *, by_key: bool) -> bool:
    """Say whether a port is locked, because somebody has guessed there too often.

    That keeps nobody out who proves to have a key: else whoever can reach the port could
    shut the head-end out for good, at the price of one false attempt in a while.
    """
    found = status(protection(state, port), now)
    if by_key:
        return found is ProtectionStatus.LOCKED
    return found is not ProtectionStatus.UNLOCKED


def attempted(state: MeterState, port: Port, now: Instant, *, good: bool) -> MeterState:
    """Return ``state`` after an attempt to get in; the very same where nothing is counted.

    While a port is locked nothing is: flash would wear by what strangers say, and a head-end that
    comes with its key would open the port to who is guessing there.
    """
    one = protection(state, port)
    if status(one, now) is not ProtectionStatus.UNLOCKED or (good and not one.failed):
        return state
    return with_protection(state, succeeded(one) if good else failed(one, now))


def failed(one: PortProtection, now: Instant) -> PortProtection:
    """Return a port's protection after one more attempt that failed."""
    counted = replace(
        one, failed=min(one.failed + 1, _MOST), cumulative=min(one.cumulative + 1, _MOST)
    )
    if counted.mode != ProtectionMode.LOCKED_ON_FAILED_ATTEMPTS:
        return counted
    beyond = counted.failed - counted.allowed
    if beyond < 0:
        return counted
    return replace(counted, until=now + lockout_time(counted, beyond) * _SECOND)


def lockout_time(one: PortProtection, beyond: int) -> int:
    """Return for how many s a port is locked at the ``beyond``-th failure over the limit."""
    seconds = one.initial
    while beyond > 0 and seconds < one.longest and one.steepness > 1 and seconds > 0:
        seconds *= one.steepness
        beyond -= 1
    return min(seconds, one.longest)


def succeeded(one: PortProtection) -> PortProtection:
    """Return a port's protection after an attempt that did not fail."""
    return replace(one, failed=0, until=-1)


def _object(place: Protected) -> CosemObject:
    def of(view: View) -> PortProtection:
        return protection(view.state, place.port)

    def configured(field: str, least: int = 0) -> Any:
        def write(view: View, value: Any) -> Change:
            if value < least or (field == "mode" and value not in set(ProtectionMode)):
                raise AccessRefused(DataAccessResult.OTHER_REASON, f"{field} {value}")
            changed = replace(of(view), **{field: int(value)})
            return Change(with_protection(view.state, changed))

        return write

    def attribute(field: str, least: int = 0) -> Attribute:
        return Attribute(
            lambda view: getattr(of(view), field),
            READERS,
            configured(field, least),
            Role.MANAGEMENT,
        )

    def reset(view: View, parameter: Any) -> Change:
        del parameter
        return Change(with_protection(view.state, succeeded(of(view))))

    return CosemObject(
        COMMUNICATION_PORT_PROTECTION,
        place.logical_name,
        {
            2: attribute("mode"),
            3: attribute("allowed", least=1),
            4: attribute("initial"),
            5: attribute("steepness", least=1),
            6: attribute("longest"),
            7: Attribute(lambda view: place.reference.to_bytes(), READERS),
            8: Attribute(lambda view: status(of(view), view.board), READERS),
            9: Attribute(lambda view: of(view).failed, READERS),
            10: Attribute(lambda view: of(view).cumulative, READERS),
        },
        {1: Method(reset, Role.MANAGEMENT)},
    )


def objects() -> tuple[CosemObject, ...]:
    """Return the protection of each port."""
    return tuple(_object(place) for place in PORTS)

"""Key pairs of suites 1 and 2 over the line: class 64 makes, certifies, lists and removes.

A certificate of ours counts from the moment that there is no other for the same title and the same
use: of several the meter takes the first that it got. So the new one is imported, and then whatever
stood in its place is removed; either is one step for the meter, and after each it has one of the
two keys.

Of its own pairs a meter shows the public key only, in a request that it signs with the private one.
Who finds its request to be for another key than is known here knows which one is in force. Until
then what the meter signs cannot be judged: it is noted (``Unjudged``), the association being
ciphered and authenticated by the symmetric keys, and is judged once the key is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from headend.context import Context
from headend.device import Device
from headend.errors import Refused
from headend.security import public_of
from headend.vault.authority import Authority
from headend.vault.held import Held
from headend.vault.kinds import OUR_PAIRS, OWN_PAIRS, known_half
from obis.code import ObisCode
from protocol import axdr
from protocol.cosem.security_setup import CERTIFICATE_IDENTIFICATION, CERTIFICATE_INFO
from protocol.cosem.types import ENUM, OCTET_STRING, ArrayOf, TypeMismatch, to_data
from protocol.errors import DecodeError, SecurityError
from protocol.events import AttributeRef, MethodRef
from protocol.security import (
    Certificate,
    CertificateEntity,
    CertificateType,
    PrivateKey,
    PublicKey,
    SecuritySuite,
)
from protocol.security.certificates import read_request

_SECURITY_SETUP, _CERTIFICATES = 64, 6
_GENERATE, _REQUEST, _IMPORT, _EXPORT, _REMOVE = 4, 5, 6, 7, 8
_BY_SERIAL: Final = 1
#: More certificates than a meter lists, and more signatures than there are in a short session.
_MOST_LISTED: Final = 64
_MOST_HEARD: Final = 64


class Setup(Struct, frozen=True):
    """The security setup of an open association.

    Args:
        device: the meter.
        code: where it is, since a meter may have several.
    """

    device: Device
    code: ObisCode

    @classmethod
    def of(cls, device: Device) -> "Setup":
        """Return that of a meter's open session."""
        opened = device.session.opened
        assert opened is not None  # the session is open
        return cls(device, device.security_setup(short_names=opened.by_short_names))

    @property
    def title(self) -> bytes:
        """The meter's system title."""
        opened = self.device.session.opened
        assert opened is not None  # the session is open
        return opened.server_system_title

    def act(self, index: int, parameter: axdr.Data) -> axdr.Data | None:
        """Execute a method."""
        return self.device.session.action(MethodRef(_SECURITY_SETUP, self.code, index), parameter)


class Mistrusted(Refused):
    """The meter takes no certificate of ours, or has one that cannot be replaced by ours."""


class Unproven(Refused):
    """What a meter shows of a pair of its own does not hold."""


# --- whose certificates the meter has ------------------------------------------------------------


class Entry(Struct, frozen=True):
    """A line of the meter's list of certificates.

    Args:
        entity, purpose: whose it is and what for, as the meter says.
        serial, issuer, subject: by which it is named.
    """

    entity: int
    purpose: int
    serial: bytes
    issuer: bytes
    subject: bytes

    def is_of(self, certificate: Certificate) -> bool:
        """Whether it is the line of a certificate."""
        number = int.from_bytes(self.serial, "big", signed=True)
        return (number, self.issuer) == (certificate.serial_number, certificate.issuer)


def listed(setup: Setup) -> list[Entry]:
    """Return the certificates that the meter has.

    Raises:
        AccessRefused: it does not list them.
        Refused: the list is none.
    """
    ref = AttributeRef(_SECURITY_SETUP, setup.code, _CERTIFICATES)
    data = setup.device.session.get(ref)
    try:
        rows = ArrayOf(CERTIFICATE_INFO).from_data(data)
    except TypeMismatch as error:
        raise Refused(f"the meter's list of certificates is none: {error}") from error
    return [Entry(*row[:5]) for row in rows[:_MOST_LISTED]]


def entrust(setup: Setup, authority: Authority) -> None:
    """See to it that the meter knows our authority; a meter that knows none takes the first.

    Raises:
        Mistrusted: it knows another one alone.
        AccessRefused, ActionRefused: the meter refuses.
    """
    ours = authority.certificate
    known = [
        entry
        for entry in listed(setup)
        if entry.entity == CertificateEntity.CERTIFICATION_AUTHORITY
    ]
    if not known:
        _import(setup, ours)
    elif not any(_is_ours(setup, entry, ours) for entry in known):
        names = ", ".join(_name(setup, entry) for entry in known)
        orders = "; ".join(_removal(setup, entry) for entry in known)
        raise Mistrusted(
            f"it trusts {names}, and so takes nothing that our {authority.name} certifies. Have "
            f"that authority certify ours (prepay keys authority), or have the meter forget it: "
            f"{orders}; and rotate again"
        )


def _is_ours(setup: Setup, entry: Entry, ours: Certificate) -> bool:
    """Whether a line is our authority's, certified by itself or by another one."""
    if entry.subject != ours.subject:
        return False
    found = None if entry.is_of(ours) else _export(setup, entry)
    return entry.is_of(ours) or (found is not None and found.key == ours.key)


def _name(setup: Setup, entry: Entry) -> str:
    found = _export(setup, entry)
    return ascii(found.subject_name[:64]) if found else "another authority"


def _removal(setup: Setup, entry: Entry) -> str:
    """Return the command that removes a certificate."""
    serial, issuer = entry.serial.hex(), entry.issuer.hex()
    named = f"structure{{octet-string:{serial},octet-string:{issuer}}}"
    value = f"structure{{enum:{_BY_SERIAL},{named}}}"
    return f"prepay action {setup.code} '{value}' --class {_SECURITY_SETUP} --method {_REMOVE}"


def _clear(setup: Setup, made: Certificate, purpose: CertificateType, entity: int) -> None:
    """Remove what else there is for the same title and use as a certificate of ours."""
    for entry in _rivals(setup, made, purpose, entity):
        name = (_BY_SERIAL, (entry.serial, entry.issuer))
        setup.act(_REMOVE, to_data(CERTIFICATE_IDENTIFICATION, name))


def _rivals(
    setup: Setup, made: Certificate, purpose: CertificateType, entity: int
) -> Iterator[Entry]:
    """Yield what else there is for the same title and use.

    Raises:
        Mistrusted: one of them is for the other use as well, so that it cannot be spared.
    """
    for entry in listed(setup):
        if entry.entity != entity or entry.is_of(made):
            continue
        found = _export(setup, entry)
        if found is None or found.title != made.title or purpose not in found.usage:
            continue
        if len(found.usage) > 1:
            raise Mistrusted(
                "it has a certificate for this key that is for signatures and key agreement at "
                "once, which stands before ours: remove it (class 64), and rotate again"
            )
        yield entry


def _export(setup: Setup, entry: Entry) -> Certificate | None:
    """Return a certificate that the meter has; None where it cannot be read."""
    name = (_BY_SERIAL, (entry.serial, entry.issuer))
    answer = setup.act(_EXPORT, to_data(CERTIFICATE_IDENTIFICATION, name))
    try:
        return Certificate.decode(_octets(answer))
    except (TypeMismatch, DecodeError):
        return None


# --- our pairs -----------------------------------------------------------------------------------


def certify_ours(setup: Setup, context: Context, held: Held) -> None:
    """Have the meter take the pending key of a pair of ours, with a certificate of it.

    Raises:
        Mistrusted: it trusts another authority, or keeps what stands before ours.
        AccessRefused, ActionRefused: the meter refuses it.
        NoAnswer, ExceptionAnswered: it is not known what became of it.
    """
    assert held.pending is not None  # it was written down before
    suite, purpose = SecuritySuite(held.keys.suite), OUR_PAIRS[held.pending]
    authority = context.vault.authority(suite, context.now(), context.caller)
    title = context.store.leases.system_title(context.entropy)
    public = PrivateKey(suite, held.new).public
    made = authority.issue(title, public, purpose, held.created)
    entrust(setup, authority)
    tuple(_rivals(setup, made, purpose, CertificateEntity.CLIENT))  # all of them can be spared
    _import(setup, made)
    _clear(setup, made, purpose, CertificateEntity.CLIENT)


# --- the meter's own pairs -----------------------------------------------------------------------


def generate(setup: Setup, purpose: CertificateType) -> None:
    """Have the meter make itself a new pair.

    Raises:
        ActionRefused: it refuses.
        NoAnswer, ExceptionAnswered: it is not known whether it has.
    """
    setup.act(_GENERATE, to_data(ENUM, int(purpose)))


def requested(setup: Setup, suite: SecuritySuite, purpose: CertificateType) -> PublicKey:
    """Return the public key that the meter asks a certificate for: the one that it has.

    It has signed the request with the private key, so it has that one.

    Raises:
        ActionRefused: the meter refuses.
        Unproven: the request is none, is for another title or curve, or its signature is false.
    """
    answer = setup.act(_REQUEST, to_data(ENUM, int(purpose)))
    try:
        title, key = read_request(_octets(answer))
    except (TypeMismatch, DecodeError, SecurityError) as error:
        raise Unproven(f"what the meter gave is no request for a certificate: {error}") from error
    if title != setup.title:
        raise Unproven("the meter asks for a certificate in another one's name")
    if key.suite != suite:
        raise Unproven(f"the meter asks for a certificate of a key that is not of suite {suite:d}")
    return key


def certify_own(setup: Setup, context: Context, held: Held) -> None:
    """Give the meter a certificate of the key that it has made, and remove those before it.

    Raises:
        Mistrusted, AccessRefused, ActionRefused: it does not take it.
        NoAnswer, ExceptionAnswered: it is not known whether it has taken it.
    """
    assert held.pending is not None  # it was written down before
    suite, purpose = SecuritySuite(held.keys.suite), OWN_PAIRS[held.pending]
    authority = context.vault.authority(suite, context.now(), context.caller)
    public = public_of(suite, known_half(suite, held.new))
    made = authority.issue(setup.title, public, purpose, held.created)
    entrust(setup, authority)
    _import(setup, made)
    _clear(setup, made, purpose, CertificateEntity.SERVER)


@dataclass(frozen=True)
class Unjudged(PublicKey):
    """A meter's key for signatures that may have changed: what it signed is noted.

    Args:
        heard: messages and signatures.
    """

    heard: list[tuple[bytes, bytes]] = field(default_factory=list, compare=False, repr=False)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Note a signature.

        Raises:
            SecurityError: there are more than a short session has.
        """
        if len(self.heard) >= _MOST_HEARD:
            raise SecurityError("more signatures than can be judged later")
        self.heard.append((message, signature))

    def judge(self, key: PublicKey) -> None:
        """Check all that was noted.

        Raises:
            Unproven: one was not made by that key.
        """
        try:
            for message, signature in self.heard:
                key.verify(message, signature)
        except SecurityError as error:
            raise Unproven(
                "the meter signs with another key than the one that it asks a certificate for"
            ) from error


# --- over the line -------------------------------------------------------------------------------


def _import(setup: Setup, certificate: Certificate) -> None:
    setup.act(_IMPORT, axdr.octet_string(certificate.octets))


def _octets(answer: axdr.Data | None) -> bytes:
    """Return what a method gave back.

    Raises:
        TypeMismatch: nothing, or no octet-string.
    """
    if answer is None:
        raise TypeMismatch("nothing was given back")
    octets: bytes = OCTET_STRING.from_data(answer)
    return octets

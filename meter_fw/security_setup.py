"""Security setup: the policy, and the keys and certificates that come over the line.

What counts for whom:

* ``security_activate`` only ever demands more. The new policy is for the next association.
* ``key_transfer`` takes keys wrapped with the master key, all of them or none.
* ``key_agreement`` makes keys out of two ephemeral ones, each signed by its side.
* A new global unicast key begins with new invocation counters of the client; ours go on rising.
* The first certificate of an authority is taken from the management client as it comes, as long as
  there is none; from then on only what a known authority has issued, and valid by the meter's
  clock. A certificate for the meter itself has to be for the key that it has.

The association in which a key changes goes on with the old one; the next begins with the new.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from meter_fw.factory import Factory
from meter_fw.keyring import (
    FIELDS,
    MAX_STORED,
    Keyring,
    with_certificate,
    without_certificate,
)
from meter_fw.line_state import Counters, Key, Policy, Received
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MeterState
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from obis.values import replace
from protocol.codes import DataAccessResult
from protocol.cosem.security_setup import SECURITY_SETUP, SECURITY_SETUP_1
from protocol.errors import AccessRefused, DecodeError, SecurityError
from protocol.security import (
    Certificate,
    CertificateEntity,
    CertificateType,
    Demands,
    KeyId,
    PrivateKey,
    PublicKey,
    answer_offer,
    demands,
    unwrap_key,
    weakens,
)
from protocol.security.certificates import request_certificate
from protocol.timing import Instant

_BY_ENTITY: Final = 0
_PAIRS: Final = {
    CertificateType.DIGITAL_SIGNATURE: "signing_key",
    CertificateType.KEY_AGREEMENT: "agreement_key",
}


#: Where the bits of version 0 stand in version 1, for requests and for responses.
_REQUEST: Final = 2
_RESPONSE: Final = 5


def _version(factory: Factory) -> int:
    """Suites 1 and 2 need what only version 1 of the class has."""
    return 1 if factory.keys.suite else 0


def policy(factory: Factory, state: MeterState) -> int:
    """Return the policy in force, in the coding of the class's version for the suite."""
    if state.policy.value >= 0:
        return state.policy.value
    made = factory.keys.protection
    return made << _REQUEST | made << _RESPONSE if factory.keys.suite else made


def demanded(factory: Factory, state: MeterState) -> Demands:
    """Return what the policy in force demands."""
    return demands(policy(factory, state), _version(factory))


def security_setup(suite: int) -> CosemObject:
    """Return the object of a meter of that suite."""
    attributes = {
        2: Attribute(lambda view: policy(view.factory, view.state), READERS),
        3: Attribute(lambda view: view.factory.keys.suite, READERS),
        4: Attribute(_client_system_title, READERS),
        5: Attribute(lambda view: view.factory.system_title, READERS),
    }
    methods: dict[int, Callable[[View, Any], Change]] = {1: _activate, 2: _transfer}
    if suite:
        attributes[6] = Attribute(_certificates, READERS)
        methods |= {
            3: _agree,
            4: _generate_pair,
            5: _request,
            6: _import,
            7: _export,
            8: _remove,
        }
    return CosemObject(
        SECURITY_SETUP_1 if suite else SECURITY_SETUP,
        catalogue.SECURITY_SETUP,
        attributes,
        {index: Method(call, Role.MANAGEMENT) for index, call in methods.items()},
    )


def _client_system_title(view: View) -> bytes:
    """The title of whoever asks: any is accepted, none is configured."""
    return view.caller.system_title if view.caller else b""


def _refused(reason: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.OTHER_REASON, reason)


def _activate(view: View, wanted: int) -> Change:
    now = policy(view.factory, view.state)
    try:
        more = demands(wanted, _version(view.factory))
        if weakens(now, wanted, _version(view.factory)):
            raise _refused("a policy is only ever strengthened")
    except ValueError as error:
        raise _refused(str(error)) from error
    if (more.request_signed or more.response_signed) and not view.factory.keys.suite:
        raise _refused("suite 0 has no signatures")
    return Change(replace(view.state, policy=Policy(wanted)))


# --- symmetric keys ------------------------------------------------------------------------------


def _transfer(view: View, entries: list[tuple[int, bytes]]) -> Change:
    ring = Keyring(view.factory, view.state)
    wrapping = ring.symmetric(KeyId.MASTER)
    keys = {}
    for key_id, wrapped in _named(entries):
        try:
            keys[key_id] = unwrap_key(wrapping, wrapped)
        except SecurityError as error:
            raise _refused(str(error)) from error
    return Change(_with_keys(view, keys))


def _agree(view: View, entries: list[tuple[int, bytes]]) -> Change:
    ring = Keyring(view.factory, view.state)
    signer = ring.own(CertificateType.DIGITAL_SIGNATURE)
    title = _client_system_title(view)
    client = ring.client(CertificateType.DIGITAL_SIGNATURE, title)
    assert signer is not None  # the method is there in suites 1 and 2 alone
    assert client is not None
    titles = (title, view.factory.system_title)
    keys, answers = {}, []
    for key_id, offered in _named(entries):
        try:
            answer, key = answer_offer(offered, key_id, signer, client, titles, view.entropy)
        except SecurityError as error:
            raise _refused(str(error)) from error
        keys[key_id] = key
        answers.append((key_id, answer))
    return Change(_with_keys(view, keys), value=answers)


def _named(entries: list[tuple[int, bytes]]) -> list[tuple[KeyId, bytes]]:
    """Return the entries by key; at least one, and none twice."""
    known = set(KeyId)
    if not entries or any(key_id not in known for key_id, _ in entries):
        raise _refused("no key, or one that there is not")
    if len({key_id for key_id, _ in entries}) != len(entries):
        raise _refused("a key comes twice")
    return [(KeyId(key_id), octets) for key_id, octets in entries]


def _with_keys(view: View, keys: Mapping[KeyId, bytes]) -> MeterState:
    """Return the state with new keys; those of the wrong length are refused."""
    ring = Keyring(view.factory, view.state)
    state = view.state
    for key_id, key in keys.items():
        if len(key) != ring.suite.key_length:
            raise _refused(f"a key of {len(key)} octets")
        if key == ring.symmetric(key_id):
            continue  # nothing changes, and the counters under it go on
        new: dict[str, Any] = {FIELDS[key_id]: Key.of(key)}
        state = replace(state, **new)
        if key_id is KeyId.GLOBAL_UNICAST_ENCRYPTION:
            state = replace(state, counters=Counters(state.counters.reserved))
        if key_id is KeyId.GLOBAL_BROADCAST_ENCRYPTION:
            state = replace(state, received=Received())
    return state


# --- key pairs and certificates ------------------------------------------------------------------


def _kind(number: int) -> CertificateType:
    if number not in _PAIRS:
        raise _refused("no key pair of that kind")
    return CertificateType(number)


def _generate_pair(view: View, number: int) -> Change:
    ring = Keyring(view.factory, view.state)
    kind = _kind(number)
    made = PrivateKey.from_entropy(ring.suite, view.entropy)
    new: dict[str, Any] = {_PAIRS[kind]: Key.of(made.scalar)}
    return Change(replace(view.state, **new))


def _request(view: View, number: int) -> Change:
    key = Keyring(view.factory, view.state).own(_kind(number))
    assert key is not None  # the method is there in suites 1 and 2 alone
    return Change(view.state, value=request_certificate(key, view.factory.system_title))


def _import(view: View, octets: bytes) -> Change:
    ring = Keyring(view.factory, view.state)
    if len(octets) > MAX_STORED:
        raise _refused(f"a certificate of more than {MAX_STORED} octets")
    try:
        certificate = Certificate.decode(octets)
    except DecodeError as error:
        raise _refused(str(error)) from error
    if any(known.octets == octets for known in ring.certificates()):
        return Change(view.state)
    _trust(view, ring, certificate)
    state = with_certificate(view.state, octets)
    if state is None:
        raise _refused("there is no room for a further certificate")
    return Change(state)


def _trust(view: View, ring: Keyring, certificate: Certificate) -> None:
    """Refuse a certificate that nobody known vouches for, or that is for another key of ours."""
    authorities = tuple(one for one in ring.certificates() if _is_authority(one))
    if _is_authority(certificate) and not authorities:
        if not certificate.issued_by(certificate):
            raise _refused("the first authority has to vouch for itself")
        return
    if not view.state.clock.known:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "the clock is not known")
    issuers = [one for one in authorities if certificate.issued_by(one)]
    now = Instant(view.clock)
    if not issuers or not (certificate.is_valid_at(now) and issuers[0].is_valid_at(now)):
        raise _refused("issued by nobody known, or not valid now")
    if certificate.key.suite != ring.suite:
        raise _refused("a key of another suite")
    if certificate.title == view.factory.system_title:
        _check_ours(ring, certificate)


def _check_ours(ring: Keyring, certificate: Certificate) -> None:
    ours: list[PublicKey] = []
    for kind in _PAIRS:
        key = ring.own(kind)
        if key is not None and kind in certificate.usage:
            ours.append(key.public)
    if certificate.key not in ours:
        raise _refused("a certificate in our name for a key that is not ours")


def _is_authority(certificate: Certificate) -> bool:
    return certificate.may_certify and not certificate.title


def _entity(view: View, certificate: Certificate) -> CertificateEntity:
    if _is_authority(certificate):
        return CertificateEntity.CERTIFICATION_AUTHORITY
    if certificate.title == view.factory.system_title:
        return CertificateEntity.SERVER
    return CertificateEntity.CLIENT if certificate.title else CertificateEntity.OTHER


def _type(certificate: Certificate) -> CertificateType:
    return min(certificate.usage, default=CertificateType.OTHER)


def _certificates(view: View) -> list[Any]:
    return [
        (
            _entity(view, one),
            _type(one),
            _serial(one),
            one.issuer,
            one.subject,
            b"",
        )
        for one in Keyring(view.factory, view.state).certificates()
    ]


def _serial(certificate: Certificate) -> bytes:
    """The serial number as the certificate has it: a signed integer, big-endian."""
    number = certificate.serial_number
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _named_certificate(view: View, name: tuple[int, tuple[Any, ...]]) -> Certificate:
    """Return the certificate that an identification names, by entity or by serial number."""
    kind, options = name
    for one in Keyring(view.factory, view.state).certificates():
        by_entity = (_entity(view, one), _type(one), one.title)
        by_serial = (_serial(one), one.issuer)
        if tuple(options) == (by_entity if kind == _BY_ENTITY else by_serial):
            return one
    raise AccessRefused(DataAccessResult.OBJECT_UNAVAILABLE, "there is no such certificate")


def _export(view: View, name: tuple[int, tuple[Any, ...]]) -> Change:
    return Change(view.state, value=_named_certificate(view, name).octets)


def _remove(view: View, name: tuple[int, tuple[Any, ...]]) -> Change:
    return Change(without_certificate(view.state, _named_certificate(view, name).octets))

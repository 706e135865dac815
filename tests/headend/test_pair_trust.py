"""Key pairs of meters: who is believed, what is refused, and the authority that certifies."""

import re
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from headend.commands.action import execute
from headend.commands.keys import rotate
from headend.errors import Refused
from headend.reach import reached
from headend.store import Store
from headend.vault import Kind, MasterKey, Masters, Vault, pairs
from headend.vault.authority import SUITES, Authorities, Authority
from headend.vault.pairs import Setup, Unjudged, Unproven
from headend.vault.wrapping import Unreadable
from meter_fw import security_setup
from meter_fw.keyring import Keyring
from protocol.codes import DataAccessResult
from protocol.errors import AccessRefused, SecurityError
from protocol.security import (
    Certificate,
    CertificateType,
    PrivateKey,
    SecuritySuite,
)
from protocol.security.certificates import request_certificate
from protocol.timing import Instant
from tests.headend.bench import Bench, Standing
from tests.headend.paired import (
    ECDSA,
    NOW,
    PAIRS,
    SIGNS,
    again,
    authority_of,
    kept,
    rotated_once,
    title_of,
)
from tests.headend.vaulted import (
    IDENTITY,
    MASTERS,
    answers,
    bench,
    by_name,
    meters_own,
    ours,
    pending,
    states,
    vault_of,
)
from tests.interop.secured import leaked
from tests.meter_fw.rig import NAME


@pytest.fixture(scope="module")
def standing() -> Standing:
    """A meter of suite 1 with HLS-ECDSA that is known, all of whose pairs were rotated once."""
    return rotated_once()


# --- refusals ------------------------------------------------------------------------------------


def stranger(made: Bench, suite: int = 1) -> Authority:
    """Another head-end's authority, which the meter knows."""
    other = Authority(PrivateKey.from_entropy(SecuritySuite(suite), made.entropy), made.now)
    with reached(by_name(made)) as device:
        pairs.entrust(Setup.of(device), other)
    return other


@pytest.mark.parametrize("kind", PAIRS)
def test_a_meter_that_trusts_another_authority_keeps_its_keys(kind: Kind) -> None:
    """It says whom it trusts and what to do; nothing is pending, and the meter made no pair."""
    made = bench(ECDSA)
    other = stranger(made)
    before = meters_own(made)
    with pytest.raises(Refused, match="have the meter forget it") as raised:
        rotate(by_name(made), kinds=[kind])
    assert f"trusts '{other.name}'" in str(raised.value)
    assert pending(made) is None
    assert meters_own(made) == before == ours(made)
    assert answers(made)
    ordered = re.search(r"prepay action (\S+) '(\S+)' --class 64 --method 8", str(raised.value))
    assert ordered is not None
    execute(by_name(made), ordered[1], ordered[2], 64, 8)  # as the message says
    rotate(by_name(made), kinds=[kind])
    assert meters_own(made) == ours(made) != before
    made.close()


def test_an_authority_that_certifies_ours_is_enough() -> None:
    """What we issue is then taken as well; one of our name with another key is not ours."""
    made = bench(ECDSA)
    other, now = stranger(made), made.now
    ours_too = vault_of(made.store).authority(SecuritySuite.SUITE_1, now, "tester")
    false = other._signed(ours_too.name, other.certificate.key, "key_cert_sign", now)
    true = other._signed(ours_too.name, ours_too.certificate.key, "key_cert_sign", now)
    with reached(by_name(made)) as device:
        pairs._import(Setup.of(device), false)
    with pytest.raises(Refused, match="have the meter forget it"):
        rotate(by_name(made), kinds=PAIRS)
    with reached(by_name(made)) as device:
        pairs._import(Setup.of(device), true)
    rotate(by_name(made), kinds=PAIRS)
    assert meters_own(made) == ours(made)
    assert len(kept(made)) == 3 + len(PAIRS)  # every place of the meter but one
    made.close()


def test_a_meter_that_makes_no_pair_keeps_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its refusal, or a yes after which it shows the old one."""
    made = bench(ECDSA)
    before = meters_own(made)

    class Unwilling:
        """In the place of the firmware's keys."""

        @staticmethod
        def from_entropy(*_: object) -> PrivateKey:
            """Refuse to make one."""
            raise AccessRefused(DataAccessResult.OTHER_REASON, "not today")

    class Lying:
        """The same."""

        @staticmethod
        def from_entropy(*_: object) -> PrivateKey:
            """Make the one that there is."""
            found = Keyring(made.factory, made.kernel.state).own(SIGNS)
            assert found is not None
            return found

    monkeypatch.setattr(security_setup, "PrivateKey", Lying)
    with pytest.raises(Refused, match="says that it has, and has the one before"):
        rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    monkeypatch.setattr(security_setup, "PrivateKey", Unwilling)
    with pytest.raises(Refused, match="the meter refuses it"):
        rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    assert states(made)["meter_signing_key"] == ["current", "refused", "refused"]
    assert meters_own(made) == before == ours(made)
    monkeypatch.undo()
    rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    assert meters_own(made) == ours(made) != before
    made.close()


def test_a_new_pair_without_a_certificate_is_in_force_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The meter has no other key any more; it is said what is lacking."""
    made = bench(ECDSA)
    rotate(by_name(made), kinds=[Kind.CLIENT_SIGNING])

    def unwilling(*_: object) -> None:
        raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE, "the clock is not known")

    monkeypatch.setattr(security_setup, "_trust", unwilling)
    report = rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    assert report.data["keys"][0]["end"] == "new"
    assert "in force, but the meter refuses its certificate" in report.data["keys"][0]["why"]
    assert meters_own(made) == ours(made)
    monkeypatch.undo()
    assert answers(made)
    made.close()


def test_a_pair_that_counts_with_its_certificate_alone_is_not_believed_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another maker's meter that shows its new key, and signs with the old one until then."""
    made = bench(ECDSA)
    before = meters_own(made)
    title, keys = made.factory.system_title, iter([ANOTHER])
    old = Keyring(made.factory, made.kernel.state).own(SIGNS)
    assert old is not None
    before_it, shown = old, [old]

    class Staged:
        """In the place of the firmware's keys: the new one is in a place of its own."""

        @staticmethod
        def from_entropy(*_: object) -> PrivateKey:
            """Show the new one from now on."""
            shown[0] = next(keys)
            return before_it

    monkeypatch.setattr(security_setup, "PrivateKey", Staged)
    monkeypatch.setattr(
        security_setup, "request_certificate", lambda *_: request_certificate(shown[0], title)
    )
    with pytest.raises(Refused, match="refused, the meter refuses its certificate"):
        rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    assert pending(made) is None
    assert meters_own(made) == before == ours(made)
    assert answers(made)
    made.close()


def test_a_certificate_for_both_uses_is_not_taken_away() -> None:
    """It stands before ours, and its other use may be somebody's: people remove it."""
    made = bench(ECDSA)
    rotate(by_name(made), kinds=[Kind.CLIENT_SIGNING])
    before = ours(made)
    authority = authority_of(made)
    dual = both_uses(authority, title_of(made), before[Kind.CLIENT_AGREEMENT])
    with reached(by_name(made)) as device:
        pairs._import(Setup.of(device), dual)
    with pytest.raises(Refused, match="for signatures and key agreement at once"):
        rotate(by_name(made), kinds=[Kind.CLIENT_AGREEMENT])
    assert pending(made) is None
    assert ours(made) == before
    made.close()


def both_uses(authority: Authority, title: bytes, point: bytes) -> Certificate:
    """Return a certificate of a key for signatures and for key agreement."""
    from protocol.security import PublicKey

    made = authority.issue(
        title,
        PublicKey(SecuritySuite.SUITE_1, point),
        CertificateType.KEY_AGREEMENT,
        authority.created,
    )
    found = x509.load_der_x509_certificate(made.octets)
    key = found.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    usages = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"),
            *("crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    builder = x509.CertificateBuilder(
        found.issuer,
        found.subject,
        key,
        4711,
        found.not_valid_before_utc,
        found.not_valid_after_utc,
    ).add_extension(
        x509.KeyUsage(digital_signature=True, key_agreement=True, **usages), critical=True
    )
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    signed = builder.sign(authority._key.key, hashes.SHA256())
    return Certificate.decode(signed.public_bytes(Encoding.DER))


# --- who lies, and who writes into the database --------------------------------------------------

ANOTHER = PrivateKey.from_entropy(SecuritySuite.SUITE_1, lambda length: b"A".ljust(length))
LARGER = PrivateKey.from_entropy(SecuritySuite.SUITE_2, lambda length: b"B".ljust(length))


def forged(title: bytes) -> bytes:
    """Return a request whose signature somebody has changed."""
    octets = bytearray(request_certificate(ANOTHER, title))
    octets[-1] ^= 1
    return bytes(octets)


FALSE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no octets": (lambda title: b"", "no request"),
    "no request": (lambda title: b"\x30\x03\x02\x01\x00", "no request"),
    "too long": (lambda title: bytes(5_000), "no request"),
    "another's title": (lambda title: request_certificate(ANOTHER, b"ANOTHER1"), "another one's"),
    "another curve": (lambda title: request_certificate(LARGER, title), "not of suite 1"),
    "a false signature": (forged, "false signature"),
}


@pytest.mark.parametrize(("make", "why"), FALSE.values(), ids=list(FALSE))
def test_a_request_that_does_not_hold_teaches_nothing(
    make: Callable[[bytes], bytes], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written down, and also where a pair may have been made."""
    made = bench(ECDSA)
    octets = make(made.factory.system_title)
    monkeypatch.setattr(security_setup, "request_certificate", lambda *_: octets)
    with pytest.raises(Refused, match=f"meter_signing_key: refused, .*{why}"):
        rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    assert pending(made) is None
    vault = vault_of(made.store)
    vault.begin_rotation(NAME, Kind.METER_SIGNING, lambda _: b"", IDENTITY, made.now, "one")
    assert answers(made)  # with the key of before
    held = vault.held(NAME)
    assert held is not None
    assert held.unknown
    made.close()


def test_who_signs_with_another_key_than_he_shows_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has the symmetric keys alone cannot pass another's request on as his own."""
    made = bench(ECDSA)
    vault, title = vault_of(made.store), made.factory.system_title
    vault.begin_rotation(NAME, Kind.METER_SIGNING, lambda _: b"", IDENTITY, made.now, "one")
    theirs = request_certificate(ANOTHER, title)
    monkeypatch.setattr(security_setup, "request_certificate", lambda *_: theirs)
    assert answers(made)
    held = vault.held(NAME)
    assert held is not None
    assert held.unknown  # the request is right, and is not believed
    made.close()


def test_signatures_are_noted_and_judged_later() -> None:
    """All of them by one key; and there is an end to how many are noted."""
    suite = SecuritySuite.SUITE_1
    unjudged = Unjudged(suite, ANOTHER.public.point)
    unjudged.verify(b"one", ANOTHER.sign(b"one"))
    unjudged.judge(ANOTHER.public)
    unjudged.verify(b"two", ANOTHER.sign(b"one"))
    with pytest.raises(Unproven, match="signs with another key"):
        unjudged.judge(ANOTHER.public)
    assert "two" not in repr(unjudged)
    for _ in range(62):
        unjudged.verify(b"more", b"")
    with pytest.raises(SecurityError, match="more signatures"):
        unjudged.verify(b"one too many", b"")


def test_rows_that_are_swapped_in_the_database_do_not_open(standing: Standing) -> None:
    """A public key in the place of another, of another version, and the authorities'."""
    for swap in (
        "UPDATE meter_keys SET wrapped = (SELECT wrapped FROM meter_keys AS o WHERE "
        "o.kind = 'meter_agreement_key' AND o.state = 'current') WHERE kind = 'meter_signing_key'",
        "UPDATE meter_keys SET wrapped = (SELECT wrapped FROM meter_keys AS o WHERE "
        "o.kind = 'meter_signing_key' AND o.version = 1) WHERE kind = 'meter_signing_key'",
    ):
        made = again(standing)
        with made.store.begin() as db:
            db.exec_driver_sql(swap)
        with pytest.raises(Unreadable, match=r"wrapped meter_signing_key \d was changed"):
            vault_of(made.store).held(NAME)
        made.close()
    made = again(standing)
    found = vault_of(made.store).authorities
    found.made(SecuritySuite.SUITE_2, made.now, "tester")
    with made.store.begin() as db:
        db.exec_driver_sql(
            "UPDATE settings SET value = (SELECT value FROM settings AS o WHERE "
            "o.name = 'authority 2') WHERE name = 'authority 1'"
        )
    with pytest.raises(Unreadable, match="head-end: the wrapped authority_1 1 was changed"):
        found.find(SecuritySuite.SUITE_1)
    with pytest.raises(Unreadable):
        vault_of(made.store).check()
    with made.store.begin() as db:
        db.exec_driver_sql("UPDATE settings SET value = 'x' WHERE name = 'authority 1'")
    with pytest.raises(Unreadable):
        rotate(by_name(made), kinds=[Kind.CLIENT_SIGNING])
    made.close()


@pytest.mark.parametrize("kind", PAIRS)
def test_an_old_key_that_is_called_pending_again_locks_nobody_out(
    standing: Standing, kind: Kind
) -> None:
    """The state of a row is not under the seal: who writes there can make a retired key pending."""
    made = again(standing)
    with made.store.begin() as db:
        db.exec_driver_sql(
            f"UPDATE meter_keys SET state = 'pending' WHERE kind = '{kind}' AND state = 'retired'"
        )
    assert pending(made) is kind
    assert answers(made)
    rotate(by_name(made), kinds=[kind])
    assert pending(made) is None
    assert meters_own(made) == ours(made)
    made.boot()
    assert answers(made)
    made.close()


def test_people_do_not_decide_what_the_meter_can_be_asked() -> None:
    """``keys decide`` would make a key current that nobody knows."""
    from headend.commands.keys import decide

    made = bench(ECDSA)
    vault_of(made.store).begin_rotation(
        NAME, Kind.METER_SIGNING, lambda _: b"", IDENTITY, made.now, "one"
    )
    for taken in (True, False):
        with pytest.raises(Refused, match="prepay keys rotate"):
            decide(by_name(made), NAME, "as I please", taken=taken)
    assert pending(made) is Kind.METER_SIGNING
    made.close()


def test_no_private_key_shows_in_anything_that_is_said() -> None:
    """Trace, report, refusals with their tracebacks, reprs and the audit log; ours and theirs."""
    made = bench(ECDSA)
    lines: list[str] = []
    rotate(by_name(made, trace_to=lines), kinds=PAIRS)
    stranger_says = by_name(made, trace_to=lines)
    rotate(stranger_says, kinds=PAIRS)
    keys = vault_of(made.store).keys_of(NAME)
    assert keys is not None
    authority = authority_of(made)
    state = made.kernel.state
    with made.store.read() as db:
        lines += [str(row) for row in db.exec_driver_sql("SELECT * FROM audit").fetchall()]
        lines += [str(row) for row in db.exec_driver_sql("SELECT * FROM settings").fetchall()]
        lines += [str(row) for row in db.exec_driver_sql("SELECT * FROM meter_keys").fetchall()]
    lines += [repr(authority.__dict__), repr(stranger_says.held), repr(stranger_says.keys)]
    text = "\n".join(lines)
    assert leaked(text, ECDSA) == leaked(text, keys) == []
    hidden = (authority._key.scalar, state.signing_key.value, state.agreement_key.value)
    for secret in hidden:
        assert len(secret) == 32
        assert secret.hex() not in "".join(text.lower().split())
        assert str(int.from_bytes(secret)) not in text
    made.close()


# --- the authority -------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[Store]:
    """A database in memory."""
    opened = Store("sqlite://")
    yield opened
    opened.close()


@pytest.mark.parametrize("suite", [SecuritySuite.SUITE_1, SecuritySuite.SUITE_2])
def test_what_is_issued_twice_is_the_same_and_anything_else_is_not(
    store: Store, suite: SecuritySuite
) -> None:
    """Octet for octet, from the key and the moment that are kept; numbers differ where they do."""
    authority = vault_of(store).authority(suite, NOW, "tester")
    again = vault_of(store).authority(suite, Instant(NOW + 1), "another")
    assert again.certificate == authority.certificate
    key = PrivateKey.from_entropy(suite, lambda length: b"a key".ljust(length)).public
    made = authority.issue(b"TITLE\0\0\1", key, SIGNS, NOW)
    assert again.issue(b"TITLE\0\0\1", key, SIGNS, NOW).octets == made.octets
    others = [
        authority.issue(b"TITLE\0\0\2", key, SIGNS, NOW),
        authority.issue(b"TITLE\0\0\1", key, CertificateType.KEY_AGREEMENT, NOW),
        authority.issue(b"TITLE\0\0\1", key, SIGNS, Instant(NOW + 1)),
        authority.issue(b"TITLE\0\0\1", authority.certificate.key, SIGNS, NOW),
    ]
    numbers = {each.serial_number for each in (made, authority.certificate, *others)}
    assert len(numbers) == 6
    assert all(0 < number < 2**128 for number in numbers)
    assert (made.title, set(made.usage)) == (b"TITLE\0\0\1", {SIGNS})
    assert not made.may_certify
    assert made.issued_by(authority.certificate)


def test_of_two_that_make_an_authority_at_once_the_first_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process finds out, uses that one, and writes nothing into the audit log."""
    first, second = vault_of(store).authorities, vault_of(store).authorities
    real, looked = Authorities.find, count()

    def find(self: Authorities, suite: SecuritySuite) -> Authority | None:
        if self is second and next(looked) == 0:
            first.made(suite, NOW, "the quicker")
            return None
        return real(self, suite)

    monkeypatch.setattr(Authorities, "find", find)
    found = second.made(SecuritySuite.SUITE_1, NOW, "the slower")
    monkeypatch.undo()
    kept_one = first.find(SecuritySuite.SUITE_1)
    assert kept_one is not None
    assert found.certificate == kept_one.certificate
    with store.read() as db:
        rows = db.exec_driver_sql("SELECT caller, action FROM audit").fetchall()
    assert [tuple(row) for row in rows] == [("the quicker", "keys.authority")]


def test_the_authorities_are_wrapped_under_a_new_master_key(store: Store) -> None:
    """And then the old one is of no more use; that is in the audit log."""
    old, new = MASTERS, Masters((MasterKey(bytes(32)), *MASTERS.keys), "the test")
    made = [Vault(store, old).authority(suite, NOW, "tester") for suite in SUITES]
    assert Vault(store, new).check() == {old.first.fingerprint: 2}
    assert Vault(store, new).rewrap(NOW, "tester") == 2
    assert Vault(store, new).rewrap(NOW, "tester") == 0
    alone = Vault(store, Masters(new.keys[:1], "the test"))
    assert alone.check() == {new.first.fingerprint: 2}
    for suite, before in zip(SUITES, made, strict=True):
        found = alone.authorities.find(suite)
        assert found is not None
        assert found.certificate == before.certificate
    with pytest.raises(Unreadable):
        Vault(store, old).authorities.find(SUITES[0])
    with store.read() as db:
        rows = db.exec_driver_sql("SELECT action FROM audit").scalars().all()
    assert rows == ["keys.authority"] * 2 + ["keys.rewrap"]

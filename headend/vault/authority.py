"""The head-end's own authority: what certifies key pairs of suites 1 and 2, one for each curve.

Its key is made when it is first needed, and kept among the facts about the database, wrapped under
the master key like meters' keys, together with the moment at which it was made.

A certificate follows from the authority, the key and the moment at which that was written down:
its number is a digest of them, and signatures are made by RFC 6979. So nobody has to keep any, and
what is made once more after a death is the same, octet for octet, which a meter takes as nothing
new. They begin a day before that moment, for clocks that are slow, and have no end, as certificates
of devices often have none: they end with the next rotation, and a clock that went astray locks
nobody out.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from headend.store import Store, audit, authorities
from headend.vault.masters import Masters
from headend.vault.wrapping import Entropy, label, rewrap, unwrap, wrap
from protocol.security import Certificate, CertificateType, PrivateKey, PublicKey, SecuritySuite
from protocol.timing import Instant

if TYPE_CHECKING:
    from cryptography import x509

#: Those that have a curve.
SUITES: Final = (SecuritySuite.SUITE_1, SecuritySuite.SUITE_2)
#: In the place of a meter's name and of a key's kind: no kind is called so.
_WHOSE, _KIND = "head-end", "authority_{}"
_MOMENT: Final = 8
_EARLY: Final = timedelta(days=1)
_NEVER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
#: Octets of a serial number: a positive number in as many.
_SERIAL: Final = 16
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_FOR: Final = {
    CertificateType.DIGITAL_SIGNATURE: "digital_signature",
    CertificateType.KEY_AGREEMENT: "key_agreement",
}


class Authority:
    """An authority, with its private key, which does not show.

    Args:
        key: its key.
        created: when it was made.
    """

    def __init__(self, key: PrivateKey, created: Instant) -> None:
        self._key = key
        self.created = created

    @property
    def suite(self) -> SecuritySuite:
        """The suite whose curve its key is on."""
        return self._key.suite

    @property
    def name(self) -> str:
        """Its common name, another one for each authority."""
        return f"OpenPrepay {hashlib.sha256(self._key.public.point).hexdigest()[:8].upper()}"

    @cached_property
    def certificate(self) -> Certificate:
        """Its own certificate, signed by itself."""
        return self._signed(self.name, self._key.public, "key_cert_sign", self.created)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, by which people compare it."""
        return hashlib.sha256(self.certificate.octets).hexdigest()

    def issue(
        self, title: bytes, key: PublicKey, purpose: CertificateType, created: Instant
    ) -> Certificate:
        """Return the certificate of a key, always the same one.

        Args:
            title: system title of whose key it is, 8 octets.
            key: on the curve of the suite.
            purpose: to sign, or to agree on keys.
            created: when the key was written down.
        """
        return self._signed(title.hex().upper(), key, _FOR[purpose], created)

    def _signed(self, subject: str, key: PublicKey, usage: str, created: Instant) -> Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding

        begin = datetime.fromtimestamp(created // 1000, UTC) - _EARLY
        algorithm = hashes.SHA384() if self.suite is SecuritySuite.SUITE_2 else hashes.SHA256()
        own = self._key.public.key
        builder = x509.CertificateBuilder(
            _name(self.name), _name(subject), key.key, self._serial(subject, key, usage, created)
        )
        builder = builder.not_valid_before(begin).not_valid_after(_NEVER)
        usages = {name: name == usage for name in _USAGES}
        if usage == "key_cert_sign":
            builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
        builder = builder.add_extension(x509.KeyUsage(**usages), critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.key), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False
        )
        made = builder.sign(self._key.key, algorithm, ecdsa_deterministic=True)
        return Certificate.decode(made.public_bytes(Encoding.DER))

    def _serial(self, subject: str, key: PublicKey, usage: str, created: Instant) -> int:
        """Return a serial number: positive, and another one for all that is not the same."""
        said = f"{subject} {usage} {int(created)}".encode() + key.point + self._key.public.point
        digest = hashlib.sha256(b"OpenPrepay certificate" + said).digest()[:_SERIAL]
        return int.from_bytes(digest) >> 1 | 1


def _name(common: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authorities:
    """The authorities in a database.

    Args:
        store: the database.
        masters: the master keys at hand; the first wraps.
        entropy: gives that many random octets.
    """

    def __init__(self, store: Store, masters: Masters, entropy: Entropy) -> None:
        self._store = store
        self._masters = masters
        self._entropy = entropy

    def find(self, suite: SecuritySuite) -> Authority | None:
        """Return the authority of a suite; None before it was made.

        Raises:
            Unreadable: it cannot be opened.
        """
        with self._store.read() as db:
            kept = authorities.of_suite(db, suite)
        return None if kept is None else self._opened(suite, kept)

    def made(self, suite: SecuritySuite, now: Instant, caller: str) -> Authority:
        """Return the authority of a suite, made where there is none yet.

        Args:
            suite: 1 or 2.
            now: when.
            caller: for the audit log.

        Raises:
            Unreadable: it cannot be opened.
        """
        found = self.find(suite)
        if found is not None:
            return found
        new = PrivateKey.from_entropy(suite, self._entropy)
        master = self._masters.first
        octets = new.scalar + int(now).to_bytes(_MOMENT)
        wrapped = wrap(master, octets, _place(suite), self._entropy)
        with self._store.begin() as db:
            if authorities.add(db, suite, authorities.Kept(wrapped, master.fingerprint)):
                details = {"suite": int(suite), "name": Authority(new, now).name}
                audit.append(db, now, caller, "keys.authority", "", details)
        found = self.find(suite)  # another process may have been quicker
        assert found is not None  # it was written a line ago
        return found

    def rewrapped(self, now: Instant, caller: str) -> int:
        """Wrap those that are under another master key than the first; return how many.

        Args:
            now: for the audit log.
            caller: the same.

        Raises:
            Unreadable: one cannot be opened.
        """
        done, first = 0, self._masters.first.fingerprint
        for suite, kept in self._kept():
            if kept.master != first:
                new = rewrap(self._masters, kept.master, kept.wrapped, _place(suite), self._entropy)
                after = authorities.Kept(new, first)
                with self._store.begin() as db:
                    done += authorities.wrap_anew(db, suite, kept, after)
        if done:
            with self._store.begin() as db:
                details = {"master": first, "keys": done}
                audit.append(db, now, caller, "keys.rewrap", "", details)
        return done

    def check(self) -> Iterator[str]:
        """Open each; yield the fingerprint of the master key that it is under.

        Raises:
            Unreadable: one cannot be opened.
        """
        for suite, kept in self._kept():
            self._opened(suite, kept)
            yield kept.master

    def _kept(self) -> list[tuple[SecuritySuite, authorities.Kept]]:
        with self._store.read() as db:
            found = [(suite, authorities.of_suite(db, suite)) for suite in SUITES]
        return [(suite, kept) for suite, kept in found if kept is not None]

    def _opened(self, suite: SecuritySuite, kept: authorities.Kept) -> Authority:
        octets = unwrap(self._masters, kept.master, kept.wrapped, _place(suite))
        key, moment = octets[:-_MOMENT], octets[-_MOMENT:]
        return Authority(PrivateKey(suite, key), Instant(int.from_bytes(moment)))


def pem(certificate: Certificate) -> str:
    """Return a certificate as a text."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = x509.load_der_x509_certificate(certificate.octets)
    return found.public_bytes(Encoding.PEM).decode("ascii")


def _place(suite: SecuritySuite) -> bytes:
    return label(_WHOSE, _KIND.format(int(suite)), 1)

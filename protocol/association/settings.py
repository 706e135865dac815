"""What each side of an association is set up with. Secrets never show in ``repr``."""

from msgspec import Struct

from obis.code import ObisCode
from obis.values import hiding
from protocol.apdu.general_block_transfer import MAX_WINDOW
from protocol.association.envelope import Envelope, Exchange, Signing
from protocol.codes import ApplicationContext, Conformance, Mechanism
from protocol.events import MethodRef
from protocol.security import (
    CHALLENGE_LENGTHS,
    LEAST_ECDSA_CHALLENGE,
    TITLE_LENGTH,
    KeySet,
    ManufacturerFunction,
    Protection,
    SecurityMaterial,
    SecuritySuite,
    aes_reply,
)

#: What this package can do, whichever side it is on.
SUPPORTED = (
    Conformance.GENERAL_PROTECTION
    | Conformance.PRIORITY_MANAGEMENT
    | Conformance.BLOCK_TRANSFER_GET
    | Conformance.BLOCK_TRANSFER_SET
    | Conformance.BLOCK_TRANSFER_ACTION
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.ACTION
    | Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
    | Conformance.INFORMATION_REPORT
    | Conformance.PARAMETERIZED_ACCESS
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.DATA_NOTIFICATION
)

#: The method that HLS pass 3 invokes, on the current association.
REPLY_TO_HLS = MethodRef(15, ObisCode(0, 0, 40, 0, 0, 255), 1)

#: The context with short names, by the one with logical names of the same ciphering.
SHORT_NAMES = {
    ApplicationContext.LN: ApplicationContext.SN,
    ApplicationContext.LN_CIPHERED: ApplicationContext.SN_CIPHERED,
}

#: The least APDU size a client may ask for where nothing is ciphered: a block of two octets.
LEAST_PDU = 12
#: The same with ciphering or HLS. The server's proof cannot be split into blocks, and takes 53
#: octets in general-glo-ciphering.
LEAST_SECURE_PDU = 64
#: The same with HLS by ECDSA: the proof is a signature of up to 96 octets.
LEAST_SIGNED_PDU = 160
#: An APDU size of 0 says "no limit"; no link of ours carries more than this.
GREATEST_PDU = 0xFFFF


#: The mechanisms that prove by a secret that both sides have.
BY_SECRET = (Mechanism.HLS, Mechanism.HLS_MD5, Mechanism.HLS_SHA1, Mechanism.HLS_SHA256)
#: The mechanisms whose proof has the system titles in it.
_BY_TITLE = (Mechanism.HLS_GMAC, Mechanism.HLS_SHA256, Mechanism.HLS_ECDSA)


class _Common(Struct, frozen=True):
    """What both sides have to agree on, and their own identities.

    Args:
        mechanism: any.
        context: LN or LN_CIPHERED; a client's also SN or SN_CIPHERED.
        secret: the LLS password, or the secret of HLS 2, 3, 4 and 6.
        keys: needed for ciphering and HLS_GMAC; they say which security suite is in use.
        system_title: our own, 8 octets; needed where keys are, and for HLS_SHA256 and HLS_ECDSA.
        protection: server: the least that a request must have; client: what requests get.
        conformance: what this side offers, within ``SUPPORTED``.
        max_pdu_receive: the largest APDU in octets that this side takes, 64..65535.
        max_assembly: the longest value in octets that is put together from blocks.
        block_window: how many general blocks this side takes at a stretch, 1..63.
        pre_established: the association stands from the beginning, without AARQ and without
            end; both sides know ``conformance`` and ``max_pdu_receive`` of both beforehand.
        material: all keys beside the global unicast ones.
        hls_function: f of HLS 2, which is the manufacturer's; takes challenge and secret.

    Raises:
        ValueError: they do not fit together.
    """

    mechanism: Mechanism = Mechanism.NONE
    context: ApplicationContext = ApplicationContext.LN
    secret: bytes = b""
    keys: KeySet | None = None
    system_title: bytes = b""
    protection: Protection = Protection.AUTHENTICATED_ENCRYPTED
    conformance: Conformance = SUPPORTED
    max_pdu_receive: int = 1024
    max_assembly: int = 64 * 1024
    block_window: int = 8
    pre_established: bool = False
    material: SecurityMaterial = SecurityMaterial()
    hls_function: ManufacturerFunction = aes_reply

    __repr__ = hiding("secret")

    def __post_init__(self) -> None:
        self._check_keys()
        if self.mechanism == Mechanism.LLS and not self.secret:
            raise ValueError("LLS needs a password")
        if self.mechanism in BY_SECRET and not self.secret:
            raise ValueError(f"{self.mechanism.name} needs a secret")
        if self.pre_established and self.mechanism != Mechanism.NONE:
            raise ValueError("a pre-established association authenticates nobody")
        if self.conformance & ~SUPPORTED:
            raise ValueError(f"not supported: {self.conformance & ~SUPPORTED!r}")
        if not 1 <= self.block_window <= MAX_WINDOW:
            raise ValueError(f"block_window {self.block_window} is not within 1..{MAX_WINDOW}")
        if not LEAST_SECURE_PDU <= self.max_pdu_receive <= GREATEST_PDU:
            raise ValueError(f"max_pdu_receive {self.max_pdu_receive} is not within 64..65535")

    def _check_keys(self) -> None:
        if self.is_secure and len(self.system_title) != TITLE_LENGTH:
            raise ValueError("ciphering and HLS 5, 6 and 7 need a system title of 8 octets")
        if self.needs_keys and self.keys is None:
            raise ValueError("ciphering and HLS_GMAC need keys")
        material = self.material
        pairs = (
            material.signing_key,
            material.agreement_key,
            material.peer_signing_key,
            material.peer_agreement_key,
        )
        suite = self.suite
        for key in pairs:
            if self.keys is not None and key is not None and key.suite != suite:
                raise ValueError(f"a key on the curve of another suite than {int(suite)}")
        if self.mechanism == Mechanism.HLS_ECDSA:
            if material.signing_key is None:
                raise ValueError("HLS_ECDSA needs a signing key")
            if material.peer_signing_key is None and not material.authorities:
                raise ValueError("HLS_ECDSA needs the other side's key, or who may certify it")
        for name in ("broadcast_key", "master_key"):
            length = len(getattr(material, name))
            if self.keys is not None and length not in (0, suite.key_length):
                raise ValueError(f"{name} is not {suite.key_length} octets long")

    @property
    def suite(self) -> SecuritySuite:
        """The security suite of the keys; without them, that of the signing key."""
        if self.keys is not None:
            return self.keys.suite
        signer = self.material.signing_key
        return SecuritySuite.SUITE_0 if signer is None else signer.suite

    @property
    def is_challenged(self) -> bool:
        """Whether there are HLS passes 3 and 4."""
        return self.mechanism >= Mechanism.HLS

    @property
    def needs_keys(self) -> bool:
        """Whether the global unicast keys are needed."""
        return self.is_ciphered or self.mechanism == Mechanism.HLS_GMAC

    @property
    def is_ciphered(self) -> bool:
        """Whether the services are ciphered."""
        return self.context in (ApplicationContext.LN_CIPHERED, ApplicationContext.SN_CIPHERED)

    @property
    def by_short_names(self) -> bool:
        """Whether a client of these settings speaks by short names."""
        return self.context in SHORT_NAMES.values()

    @property
    def is_secure(self) -> bool:
        """Whether system titles are needed, and mostly keys with them."""
        return self.is_ciphered or self.mechanism in _BY_TITLE


class ServerPolicy(_Common, frozen=True):
    """What a server asks of the client at one client SAP.

    Args:
        client_sap: the client address that this policy is for; the association itself does not
            look at it.
        challenge_length: how many octets StoC has, 8..64.
        client_system_title: pre-established: the title the client must have; empty to take that
            of the first APDU that proves to be genuine.
        short_names: the context with short names of the same ciphering will do as well.
        response_protection: the least that a response has; it never has less than its request.
        request_signed: whether a request has to be signed.
        response_signed: whether a response is signed; it is if its request is.
        locked: nobody gets in for the time being, whatever he knows.
    """

    client_sap: int = 16
    challenge_length: int = 16
    client_system_title: bytes = b""
    short_names: bool = False
    response_protection: Protection = Protection.NONE
    request_signed: bool = False
    response_signed: bool = False
    locked: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_challenge_length(self.challenge_length)
        if self.request_signed or self.response_signed:
            _check_signing(self)
        if self.response_protection and not self.is_ciphered:
            raise ValueError("protected responses need a ciphered context")
        if self.context not in SHORT_NAMES:
            raise ValueError(f"a server has short names beside {self.context.name}, not alone")

    @property
    def stoc_length(self) -> int:
        """How many octets StoC has: 32 at least with HLS_ECDSA."""
        return _challenge_length(self.mechanism, self.challenge_length)

    def answering(self, envelope: Envelope | None) -> Envelope | None:
        """Return the envelope for the answer to a request in ``envelope``."""
        protection, signed = self.response_protection, self.response_signed
        if envelope is not None:
            return envelope.answering(protection, signed)
        if not (protection or signed):
            return None
        return Envelope(protection, signing=Signing() if signed else None, suite=self.suite)

    @property
    def contexts(self) -> tuple[ApplicationContext, ...]:
        """The application contexts that are accepted."""
        return (self.context, SHORT_NAMES[self.context]) if self.short_names else (self.context,)


class ClientSettings(_Common, frozen=True):
    """How a client opens an association.

    Args:
        server_system_title: the title the server must have; empty to take what its AARE says.
        challenge_length: how many octets CtoS has, 8..64.
        general_ciphering: cipher services as general-glo-ciphering, if the server agrees to it.
        max_assembly: a client reads long load profiles, hence the larger default.
        general_blocks: send a request that does not fit in general blocks, where the server
            agreed to them, rather than in those of its service.
        block_silence: how many milliseconds of silence in a general block transfer pass before
            what may be lost is asked for again.
        dedicated_key: propose a key for this association alone, and cipher services with it.
        exchange: cipher services as general-ciphering under such a key.
        signing: sign services.
        broadcast: cipher services with the broadcast key.
        response_allowed: False for an association that nobody answers: unconfirmed services
            alone, and the client never hears whether it stands.
        called_ap_title: name the server that is meant in the AARQ.
        user_id: which user of the client asks, 0..255.
        datagrams: the line may bring an APDU twice, or late: such a one is read over.
    """

    max_assembly: int = 4 * 1024 * 1024
    server_system_title: bytes = b""
    challenge_length: int = 16
    general_ciphering: bool = False
    general_blocks: bool = False
    block_silence: int = 3_000
    dedicated_key: bool = False
    exchange: Exchange | None = None
    signing: Signing | None = None
    broadcast: bool = False
    response_allowed: bool = True
    called_ap_title: bytes = b""
    user_id: int | None = None
    datagrams: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_challenge_length(self.challenge_length)
        if self.is_ciphered and not self.protection:
            raise ValueError("a ciphered context needs authentication, encryption or both")
        particular = self.dedicated_key or self.exchange or self.signing or self.broadcast
        if particular and not self.is_ciphered:
            raise ValueError("keys of their own, and signing, need a ciphered context")
        if self.dedicated_key and (self.exchange or self.broadcast):
            raise ValueError("a dedicated key, and services under another key")
        if self.signing is not None:
            _check_signing(self)
        if self.broadcast and not self.material.broadcast_key:
            raise ValueError("there is no broadcast key")
        if self.is_challenged and not self.response_allowed:
            raise ValueError("HLS needs the server's answers")
        if len(self.server_system_title) not in (0, TITLE_LENGTH):
            raise ValueError("server_system_title is neither empty nor 8 octets")

    @property
    def ctos_length(self) -> int:
        """How many octets CtoS has: 32 at least with HLS_ECDSA."""
        return _challenge_length(self.mechanism, self.challenge_length)

    def envelope(self, conformance: Conformance) -> Envelope | None:
        """Return the envelope of services.

        Args:
            conformance: what both sides can do; general-protection allows the general forms.
        """
        if not self.is_ciphered:
            return None
        return Envelope(
            self.protection,
            self.general_ciphering and Conformance.GENERAL_PROTECTION in conformance,
            self.dedicated_key,
            self.broadcast,
            self.exchange,
            self.signing,
            self.suite,
        )

    @property
    def initiate_envelope(self) -> Envelope | None:
        """The envelope of what opens and ends an association: the global unicast key."""
        return Envelope(self.protection, suite=self.suite) if self.is_ciphered else None


def _challenge_length(mechanism: Mechanism, length: int) -> int:
    return max(length, LEAST_ECDSA_CHALLENGE) if mechanism == Mechanism.HLS_ECDSA else length


def _check_signing(settings: _Common) -> None:
    if not settings.is_ciphered:
        raise ValueError("signing needs a ciphered context")
    material = settings.material
    if material.signing_key is None or settings.suite is SecuritySuite.SUITE_0:
        raise ValueError("signing needs a signing key of suite 1 or 2")
    if material.peer_signing_key is None and not material.authorities:
        raise ValueError("signing needs the other side's key, or who may certify it")


def _check_challenge_length(length: int) -> None:
    if length not in CHALLENGE_LENGTHS:
        raise ValueError(f"a challenge has 8..64 octets, not {length}")

"""What each side of an association is set up with. Secrets never show in ``repr``."""

from dataclasses import dataclass, field

from obis.code import ObisCode
from protocol.codes import ApplicationContext, Conformance, Mechanism
from protocol.events import MethodRef
from protocol.security import CHALLENGE_LENGTHS, TITLE_LENGTH, KeySet, Protection

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
)

#: The method that HLS pass 3 invokes, on the current association.
REPLY_TO_HLS = MethodRef(15, ObisCode(0, 0, 40, 0, 0, 255), 1)

#: The least APDU size a client may ask for where nothing is ciphered: a block of two octets.
LEAST_PDU = 12
#: The same with ciphering or HLS. The server's proof cannot be split into blocks, and takes 53
#: octets in general-glo-ciphering.
LEAST_SECURE_PDU = 64
#: An APDU size of 0 says "no limit"; no link of ours carries more than this.
GREATEST_PDU = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Common:
    """What both sides have to agree on, and their own identities.

    Args:
        mechanism: NONE, LLS or HLS_GMAC.
        context: LN or LN_CIPHERED.
        secret: the LLS password.
        keys: needed for LN_CIPHERED and HLS_GMAC.
        system_title: our own, 8 octets; needed where keys are.
        protection: server: the least that a request must have; client: what requests get.
        conformance: what this side offers, within ``SUPPORTED``.
        max_pdu_receive: the largest APDU in octets that this side takes, 64..65535.
        max_assembly: the longest value in octets that is put together from blocks.

    Raises:
        ValueError: they do not fit together.
    """

    mechanism: Mechanism = Mechanism.NONE
    context: ApplicationContext = ApplicationContext.LN
    secret: bytes = field(default=b"", repr=False)
    keys: KeySet | None = None
    system_title: bytes = b""
    protection: Protection = Protection.AUTHENTICATED_ENCRYPTED
    conformance: Conformance = SUPPORTED
    max_pdu_receive: int = 1024
    max_assembly: int = 64 * 1024

    def __post_init__(self) -> None:
        if self.mechanism not in (Mechanism.NONE, Mechanism.LLS, Mechanism.HLS_GMAC):
            raise ValueError(f"mechanism {self.mechanism.name} is not supported")
        if self.context not in (ApplicationContext.LN, ApplicationContext.LN_CIPHERED):
            raise ValueError(f"context {self.context.name} is not supported")
        if self.is_secure and (self.keys is None or len(self.system_title) != TITLE_LENGTH):
            raise ValueError("ciphering and HLS_GMAC need keys and a system title of 8 octets")
        if self.is_ciphered and not self.protection:
            raise ValueError("a ciphered context needs authentication, encryption or both")
        if self.mechanism == Mechanism.LLS and not self.secret:
            raise ValueError("LLS needs a password")
        if self.conformance & ~SUPPORTED:
            raise ValueError(f"not supported: {self.conformance & ~SUPPORTED!r}")
        if not LEAST_SECURE_PDU <= self.max_pdu_receive <= GREATEST_PDU:
            raise ValueError(f"max_pdu_receive {self.max_pdu_receive} is not within 64..65535")

    @property
    def is_ciphered(self) -> bool:
        """Whether the services are ciphered."""
        return self.context == ApplicationContext.LN_CIPHERED

    @property
    def is_secure(self) -> bool:
        """Whether keys and system titles are needed."""
        return self.is_ciphered or self.mechanism == Mechanism.HLS_GMAC


@dataclass(frozen=True, slots=True)
class ServerPolicy(_Common):
    """What a server asks of the client at one client SAP.

    Args:
        client_sap: the client address that this policy is for; the association itself does not
            look at it.
        challenge_length: how many octets StoC has, 8..64.
    """

    client_sap: int = 16
    challenge_length: int = 16

    def __post_init__(self) -> None:
        # slots=True makes a new class, so the argumentless super() would miss.
        _Common.__post_init__(self)
        _check_challenge_length(self.challenge_length)


@dataclass(frozen=True, slots=True)
class ClientSettings(_Common):
    """How a client opens an association.

    Args:
        server_system_title: the title the server must have; empty to take what its AARE says.
        challenge_length: how many octets CtoS has, 8..64.
        general_ciphering: cipher services as general-glo-ciphering, if the server agrees to it.
        max_assembly: a client reads long load profiles, hence the larger default.
    """

    max_assembly: int = 4 * 1024 * 1024
    server_system_title: bytes = b""
    challenge_length: int = 16
    general_ciphering: bool = False

    def __post_init__(self) -> None:
        # slots=True makes a new class, so the argumentless super() would miss.
        _Common.__post_init__(self)
        _check_challenge_length(self.challenge_length)
        if len(self.server_system_title) not in (0, TITLE_LENGTH):
            raise ValueError("server_system_title is neither empty nor 8 octets")


def _check_challenge_length(length: int) -> None:
    if length not in CHALLENGE_LENGTHS:
        raise ValueError(f"a challenge has 8..64 octets, not {length}")

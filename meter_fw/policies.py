"""What is asked of the client at each client SAP.

| client SAP | role | context | mechanism | for |
|---|---|---|---|---|
| 16 | public | without ciphering | none | names, counters and clock |
| 2 | reader | without ciphering | low level | reading |
| 1 | management | ciphered, by the policy of the security setup | HLS, that of the key file | all |
| 102, 103 | push | pre-established: plain, ciphered | none | what the meter sends by itself |
| any other | nobody | without ciphering | low level, a password that nobody knows | nothing |

Logical names and short names are both understood, except where the meter speaks first.
"""

from collections.abc import Callable
from operator import attrgetter, is_not
from typing import Final

from meter_fw.association_secrets import hls_secret, reader_password
from meter_fw.factory import Factory
from meter_fw.keyring import Keyring
from meter_fw.line_state import KEY_FIELDS
from meter_fw.push_setup import PLAIN_PUSH_SAP, PUSH_SAP
from meter_fw.security_setup import demanded
from meter_fw.state import MeterState
from meter_fw.view import Role
from protocol.association import ServerPolicy
from protocol.codes import ApplicationContext, Conformance, Mechanism

PUBLIC_SAP: Final = 16
READER_SAP: Final = 2
MANAGEMENT_SAP: Final = 1
#: The longest APDU that the meter takes, in octets.
MAX_PDU: Final = 1024

ROLES: Final = {
    PUBLIC_SAP: Role.PUBLIC,
    READER_SAP: Role.READER,
    MANAGEMENT_SAP: Role.MANAGEMENT,
}

_READING: Final = (
    Conformance.GET
    | Conformance.BLOCK_TRANSFER_GET
    | Conformance.GENERAL_BLOCK_TRANSFER
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.SELECTIVE_ACCESS
    | Conformance.READ
    | Conformance.PARAMETERIZED_ACCESS
)

#: All that the pre-established associations are for: whoever replays something there gets nothing.
_PUSHING: Final = (
    Conformance.DATA_NOTIFICATION
    | Conformance.GENERAL_PROTECTION
    | Conformance.GENERAL_BLOCK_TRANSFER
)

#: The cells that what is asked of the management client is made of.
_CELLS: Final[Callable[[MeterState], tuple[object, ...]]] = attrgetter(
    *KEY_FIELDS, "certificates", "policy", "hls_secret"
)

Entropy = Callable[[int], bytes]


class Policies:
    """What is asked at each client SAP of one meter.

    The management client comes again and again: what is asked of him is kept as long as the cells
    that it is made of are, and with it the key schedule of the cipher.

    Args:
        factory: the meter as it was made.
        entropy: for the password that nobody knows.
    """

    def __init__(self, factory: Factory, entropy: Entropy) -> None:
        self._factory = factory
        self._entropy = entropy
        self._cells: tuple[object, ...] = ()
        self._management: ServerPolicy | None = None

    def of(self, state: MeterState, sap: int) -> ServerPolicy:
        """Return what is asked of the client at ``sap``.

        Args:
            state: the meter as it is, with the keys and secrets that came over the line.
            sap: the client's address.
        """
        if sap != MANAGEMENT_SAP:
            return _policy(self._factory, state, sap, self._entropy)
        cells = _CELLS(state)
        if self._management is None or any(map(is_not, cells, self._cells)):
            self._cells, self._management = cells, _management(self._factory, state)
        return self._management


def _policy(factory: Factory, state: MeterState, sap: int, entropy: Entropy) -> ServerPolicy:
    if sap == PUBLIC_SAP:
        return ServerPolicy(
            client_sap=sap, conformance=_READING, max_pdu_receive=MAX_PDU, short_names=True
        )
    if sap == PUSH_SAP:
        return _ciphered_push(factory, state)
    if sap == PLAIN_PUSH_SAP:
        return ServerPolicy(
            client_sap=sap, conformance=_PUSHING, max_pdu_receive=MAX_PDU, pre_established=True
        )
    return ServerPolicy(
        client_sap=sap,
        mechanism=Mechanism.LLS,
        secret=reader_password(factory, state) if sap == READER_SAP else entropy(16),
        max_pdu_receive=MAX_PDU,
        short_names=True,
    )


def _management(factory: Factory, state: MeterState) -> ServerPolicy:
    ring = Keyring(factory, state)
    asked = demanded(factory, state)
    return ServerPolicy(
        client_sap=MANAGEMENT_SAP,
        mechanism=Mechanism(factory.keys.mechanism),
        context=ApplicationContext.LN_CIPHERED,
        secret=hls_secret(factory, state),
        keys=ring.key_set(),
        system_title=factory.system_title,
        material=ring.material(),
        protection=asked.request,
        response_protection=asked.response,
        request_signed=asked.request_signed,
        response_signed=asked.response_signed,
        max_pdu_receive=MAX_PDU,
        short_names=True,
    )


def _ciphered_push(factory: Factory, state: MeterState) -> ServerPolicy:
    return ServerPolicy(
        client_sap=PUSH_SAP,
        context=ApplicationContext.LN_CIPHERED,
        keys=Keyring(factory, state).key_set(),
        system_title=factory.system_title,
        conformance=_PUSHING,
        max_pdu_receive=MAX_PDU,
        pre_established=True,
    )

"""The secrets of associations, as they were made and as they came over the line since.

| what | whose | changed by class 15 | by class 12 |
|---|---|---|---|
| password | the reader's, low-level security | attribute 7, written | method 5 |
| secret of HLS 2, 3, 4 and 6 | the management client's | method 2 | method 6 |

Both are changed by the management client alone, and only while the policy asks for encrypted
requests: else they may have been on the line for everybody to read. They come as they are, of no
wrapped form: ``gurux-dlms`` and ``pydlms-client`` have none. HLS 5 and 7 rest on keys, which
change by the security setup. Nobody reads a secret. The new one is for the next association.
"""

from typing import Final

from meter_fw.factory import Factory
from meter_fw.line_state import MAX_SECRET, Secret
from meter_fw.security_setup import demanded
from meter_fw.state import MeterState
from meter_fw.view import Change, View
from obis.values import replace
from protocol.association.settings import BY_SECRET
from protocol.codes import DataAccessResult, Mechanism
from protocol.errors import AccessRefused
from protocol.security import Protection

#: Octets of the shortest secret of HLS.
LEAST_HLS_SECRET: Final = 16


def reader_password(factory: Factory, state: MeterState) -> bytes:
    """Return the password of low-level security in force."""
    return state.password.value or factory.keys.password


def hls_secret(factory: Factory, state: MeterState) -> bytes:
    """Return the secret of HLS 2, 3, 4 and 6 in force."""
    return state.hls_secret.value or factory.keys.secret


def change_password(view: View, secret: bytes) -> Change:
    """Give the reader another password, of 1 to ``MAX_SECRET`` octets."""
    return Change(replace(view.state, password=_taken(view, secret, 1)))


def change_hls_secret(view: View, secret: bytes) -> Change:
    """Give the management client another secret, of ``LEAST_HLS_SECRET`` octets or more."""
    mechanism = Mechanism(view.factory.keys.mechanism)
    if mechanism not in BY_SECRET:
        raise _refused(f"{mechanism.name} has keys and no secret: the security setup changes them")
    return Change(replace(view.state, hls_secret=_taken(view, secret, LEAST_HLS_SECRET)))


def _taken(view: View, secret: bytes, least: int) -> Secret:
    if not demanded(view.factory, view.state).request.meets(Protection.ENCRYPTED):
        raise _refused("the policy does not ask for encrypted requests")
    if not least <= len(secret) <= MAX_SECRET:
        raise _refused(f"a secret of {len(secret)} octets, not of {least} to {MAX_SECRET}")
    return Secret.of(secret)


def _refused(reason: str) -> AccessRefused:
    return AccessRefused(DataAccessResult.OTHER_REASON, reason)

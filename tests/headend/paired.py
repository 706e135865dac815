"""Meters of suites 1 and 2 whose key pairs are rotated, and what they have afterwards."""

import os
from functools import cache

from headend.commands.keys import rotate
from headend.store import Store, counters
from headend.transports import LinkKind
from headend.vault.authority import Authority
from headend.vault.kinds import OUR_PAIRS, OWN_PAIRS
from meter_fw.keyring import Keyring
from prepay.keys import MeterKeys
from protocol.security import (
    Certificate,
    CertificateType,
    SecuritySuite,
)
from protocol.timing import Instant
from tests.headend.bench import Bench, Loss, Standing, new_store
from tests.headend.vaulted import (
    bench,
    by_name,
    own_keys,
    vault_of,
)

PAIRS = (*OUR_PAIRS, *OWN_PAIRS)
NOW = Instant(1_700_000_000_000)
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
FOR = {**OUR_PAIRS, **OWN_PAIRS}
#: Suites and mechanisms: with HLS-ECDSA an association rests on both signing keys.
WAYS = [(1, "hls-ecdsa"), (1, "hls-gmac"), (2, "hls-ecdsa"), (2, "hls-gmac")]
ECDSA = own_keys(1, "hls-ecdsa")
SIGNS = CertificateType.DIGITAL_SIGNATURE


def kept(made: Bench) -> list[Certificate]:
    """Return the certificates that the meter has."""
    return list(Keyring(made.factory, made.kernel.state).certificates())


def title_of(made: Bench) -> bytes:
    """Return our system title."""
    with made.store.read() as db:
        title = counters.known_title(db)
    assert title is not None
    return title


def authority_of(made: Bench, suite: int = 1) -> Authority:
    """Return our authority, which is there already."""
    found = vault_of(made.store).authorities.find(SecuritySuite(suite))
    assert found is not None
    return found


@cache
def rotated_once() -> Standing:
    """Where a later rotation begins: all pairs were rotated, and the head-end is known.

    So everything that a rotation takes away is there: certificates of the keys before.
    """
    made = bench(ECDSA)
    rotate(by_name(made), kinds=PAIRS)
    found = made.save()
    made.close()
    return found


def again(
    standing: Standing,
    keys: MeterKeys = ECDSA,
    store: Store | None = None,
    loss: Loss | None = None,
) -> Bench:
    """Return a bench that goes on, and draws nothing that was drawn before."""
    store, loss = store or new_store(), loss or Loss()
    made = Bench("be-wal", LinkKind.WRAPPER, standing, loss, store, keys)
    made._random = 1 << 20
    return made

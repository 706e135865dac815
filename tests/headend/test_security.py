"""The head-end in every suite, mechanism and envelope: top-ups arrive, a stranger's do not."""

import pytest

from headend import context, reach, security
from headend.commands.activate import activate
from headend.commands.topup import top_up
from headend.errors import UsageError
from headend.session import AssociationRefused
from headend.transports import LinkKind
from obis.values import replace
from prepay.keys import MECHANISMS, MeterKeys, lab_keys
from protocol.association import ClientSettings
from protocol.codes import Mechanism
from protocol.security import SecuritySuite
from tests.headend.bench import Bench

COMBINATIONS = [
    (suite, name) for suite in (0, 1, 2) for name in MECHANISMS if suite or name != "hls-ecdsa"
]
#: What suite 0 has not got.
CURVES = ("one-pass", "static")
#: The start credit of the profile and what is paid.
CREDIT = 2000 + 2500


def bench(keys: MeterKeys) -> Bench:
    """A Walloon meter and its head-end with these keys."""
    return Bench("be-wal", LinkKind.WRAPPER, keys=keys)


def paid(made: Bench, **settings: object) -> int:
    """Activate the meter, top it up, and return the balance that both sides have then."""
    activate(made.context(**settings))
    report = top_up(made.context(**settings), "25.00")
    booked = report.data["balance"]
    pushed = made.kernel.state.snapshot.balance
    assert booked == f"{pushed / 100:.2f}"
    return pushed


@pytest.mark.parametrize(("suite", "mechanism"), COMBINATIONS)
def test_a_top_up_arrives_by_every_mechanism_of_every_suite(suite: int, mechanism: str) -> None:
    """The key file says both, and the command needs no further option."""
    assert paid(bench(replace(lab_keys(suite), mechanism=MECHANISMS[mechanism]))) == CREDIT


@pytest.mark.parametrize("envelope", context.ENVELOPES)
@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_top_up_arrives_in_every_envelope(suite: int, envelope: str) -> None:
    """Where there is no curve there is nothing to agree on, and the command says so."""
    made = bench(lab_keys(suite))
    if suite == 0 and envelope in CURVES:
        with pytest.raises(UsageError, match="suite 0"):
            paid(made, envelope=envelope)
        return
    assert paid(made, envelope=envelope) == CREDIT


@pytest.mark.parametrize("suite", [1, 2])
def test_a_signed_top_up_arrives(suite: int) -> None:
    """Signed by the head-end's key, and the answers by the meter's."""
    assert paid(bench(lab_keys(suite)), sign=True) == CREDIT


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_a_head_end_with_a_false_key_books_and_changes_nothing(suite: int) -> None:
    """It is refused by name, and the owner is served afterwards."""
    made = bench(lab_keys(suite))
    strangers = replace(made.keys, block_cipher_key=made.keys.master_key)
    before = made.kernel.state
    asked = made.context()
    asked.__dict__["keys"] = strangers
    with pytest.raises(AssociationRefused, match="wrong key"):
        activate(asked)
    assert made.kernel.state.snapshot == before.snapshot
    assert made.kernel.state.account == before.account
    assert paid(made) == CREDIT


def test_what_the_options_offer_is_what_there_is() -> None:
    """The names stand apart from their meaning, so that --help imports little."""
    assert set(context.MECHANISMS) == set(reach.MECHANISMS)
    assert set(context.ENVELOPES) == set(security.ENVELOPES)
    assert set(context.PROTECTIONS) == set(security.PROTECTIONS)


def test_settings_show_no_key() -> None:
    """Neither ours nor the meter's."""
    keys = lab_keys(2)
    made: ClientSettings = security.management(keys, b"OPPHEAD1", Mechanism.HLS_ECDSA)
    shown = repr(made).lower()
    assert made.suite is SecuritySuite.SUITE_2
    for secret in (keys.block_cipher_key, keys.master_key, keys.secret, keys.client.signing_key):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1].lower() not in shown

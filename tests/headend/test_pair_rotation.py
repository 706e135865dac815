"""Rotation of the key pairs of suites 1 and 2: certificates, and keys that nobody is shown."""

import json
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import pytest

from headend.commands.keys import rotate, take_out
from headend.engine.arguments import durable, freeze, thaw
from headend.errors import NoAnswer, OutcomeUnknown, Refused
from headend.reach import reached
from headend.store import Store
from headend.transports import LinkKind
from headend.vault import Kind
from headend.vault.kinds import OUR_PAIRS, OWN_PAIRS, pair_of
from meter_fw.state import MeterState
from prepay.keys import is_public, parse_keys
from protocol.security import (
    PrivateKey,
    SecuritySuite,
)
from tests.headend.bench import Bench, Loss, Standing
from tests.headend.paired import (
    ECDSA,
    FOR,
    PAIRS,
    SOAK,
    WAYS,
    again,
    authority_of,
    kept,
    rotated_once,
    title_of,
)
from tests.headend.vaulted import (
    IDENTITY,
    answers,
    bench,
    by_name,
    check_goes_on,
    dies_at_every_write,
    meters_own,
    ours,
    own_keys,
    states,
    vault_of,
    vaulted,
)
from tests.meter_fw.rig import NAME
from tests.postgres import Postgres

pytestmark = pytest.mark.spread


@pytest.fixture(scope="module")
def standing() -> Standing:
    """A meter of suite 1 with HLS-ECDSA that is known, all of whose pairs were rotated once."""
    return rotated_once()


# --- what is changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "mechanism"), WAYS)
def test_the_meter_ends_with_one_certificate_of_each_key_and_of_the_authority(
    suite: int, mechanism: str
) -> None:
    """However often it was rotated; each is for the right title and use, and by our authority."""
    made = bench(own_keys(suite, mechanism))
    for _ in range(2):
        rotate(by_name(made), kinds=PAIRS)
        assert meters_own(made) == ours(made)
        certificates = kept(made)
        assert len(certificates) == 1 + len(PAIRS)
        authority = authority_of(made, suite).certificate
        assert authority in certificates
        assert authority.issued_by(authority)
        leaves = [each for each in certificates if each != authority]
        assert all(each.issued_by(authority) for each in leaves)
        assert all(each.is_valid_at(made.now) and not each.may_certify for each in leaves)
        found = {(each.title, *each.usage): each.key.point for each in leaves}
        titles = dict.fromkeys(OUR_PAIRS, title_of(made))
        titles |= dict.fromkeys(OWN_PAIRS, made.factory.system_title)
        assert found == {(titles[kind], FOR[kind]): ours(made)[kind] for kind in PAIRS}
    assert all(states(made)[kind] == ["retired", "retired", "current"] for kind in PAIRS)
    made.boot()
    assert answers(made)
    made.close()


def test_the_vault_has_of_the_meters_own_pairs_the_public_keys_alone() -> None:
    """And so has the file that is written; ours come with their private keys."""
    made = bench(ECDSA)
    rotate(by_name(made), kinds=PAIRS)
    keys = vault_of(made.store).keys_of(NAME)
    assert keys is not None
    assert is_public(keys.meter.signing_key)
    assert is_public(keys.meter.agreement_key)
    assert not is_public(keys.client.signing_key)
    assert PrivateKey(SecuritySuite(1), keys.client.signing_key)
    made.close()


@pytest.mark.parametrize("envelope", ["static", "one-pass"])
def test_keys_are_agreed_on_and_services_signed_with_the_new_pairs(envelope: str) -> None:
    """Both of the meter's keys and both of ours, in force on either side."""
    made = bench(ECDSA)
    rotate(by_name(made), kinds=PAIRS)
    with reached(by_name(made, envelope=envelope, sign=True)) as device:
        assert device.name() == NAME
    made.close()


def test_the_exported_file_works_as_a_key_file(tmp_path: object) -> None:
    """The next head-end reads the meter with it; the report says what is not in it."""
    from pathlib import Path

    folder = Path(str(tmp_path))
    made = bench(ECDSA)
    rotate(by_name(made), kinds=PAIRS)
    report = take_out(by_name(made), NAME, folder / "keys.toml", "handed over")
    assert report.data["public"] == ["meter_signing_key", "meter_agreement_key"]
    assert "public key only" in report.lines[-2]
    assert title_of(made).hex().upper() in report.lines[-1]
    keys = parse_keys((folder / "keys.toml").read_text())
    assert keys == vault_of(made.store).keys_of(NAME)
    assert vault_of(made.store).put(NAME, keys, made.now, "tester") == []
    context = by_name(made, keys=str(folder / "keys.toml"))
    with reached(context) as device:
        assert device.name() == NAME
    made.close()


def test_two_rotations_of_one_meter_by_short_names() -> None:
    """Class 64 is the same there."""
    made = bench(own_keys(1))
    for _ in range(2):
        rotate(by_name(made, short_names=True), kinds=PAIRS)
        assert meters_own(made) == ours(made)
    made.close()


def test_the_same_id_makes_no_second_pair() -> None:
    """A durable command that is carried out twice: the meter is not even called."""
    made = bench(ECDSA)
    rotate(by_name(made), kinds=PAIRS, identity=IDENTITY)
    first, ports = meters_own(made), made.ports
    rotate(by_name(made), kinds=PAIRS, identity=IDENTITY)
    assert (meters_own(made), made.ports) == (first, ports)
    made.close()


def test_a_rotation_of_pairs_can_be_queued() -> None:
    """Its parameters go through JSON and back, and so does what it reports."""
    made = bench(ECDSA)
    of = durable("keys rotate")
    arguments = json.loads(json.dumps(freeze(of, {"kinds": PAIRS, "meter_name": None})))
    report = of.run(by_name(made), **thaw(of, arguments) | {"identity": IDENTITY})
    told = json.loads(json.dumps(report.data))["keys"]
    assert told == [{"kind": kind.value, "end": "new", "why": ""} for kind in PAIRS]
    assert meters_own(made) == ours(made)
    made.close()


@pytest.mark.parametrize("kind", PAIRS)
def test_a_session_of_before_the_rotation_finds_the_keys_of_after_it(kind: Kind) -> None:
    """A context that has its keys already, while another process turns them, or dies over it."""
    for changes in (1, 99):
        made = bench(ECDSA)
        rotate(by_name(made), kinds=[kind])
        waiting = by_name(made)
        assert waiting.held is not None
        made.loss = Severed(made, changes)
        with suppress(OutcomeUnknown):
            rotate(by_name(made), kinds=[kind])
        made.loss = Loss()
        with reached(waiting) as device:
            assert device.name() == NAME
        made.close()


def test_suite_0_has_no_pairs_and_says_so() -> None:
    """Nothing is refused."""
    made = bench(own_keys(0))
    report = rotate(by_name(made), kinds=PAIRS)
    assert {each["why"] for each in report.data["keys"]} == {"suite 0 has no key pairs"}
    assert {each["end"] for each in report.data["keys"]} == {"kept"}
    made.close()


# --- what is lost --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAIRS)
def test_a_head_end_that_dies_at_any_write_goes_on_with_the_same_key(kind: Kind) -> None:
    """Before and after each transaction of the first rotation, the authority's included."""
    store = Store("sqlite://")
    made = bench(ECDSA)
    assert answers(made)
    known = made.save()
    made.close()
    make = partial(again, known, ECDSA, store)
    assert dies_at_every_write([kind], make) == {None, kind}
    store.close()


@pytest.mark.parametrize("kind", PAIRS if SOAK else [Kind.METER_SIGNING])
def test_on_postgresql_too(kind: Kind, postgres: Postgres) -> None:
    """The same deaths."""
    stores: list[Store] = []

    def make() -> Bench:
        for store in stores[-1:]:
            store.close()
        stores.append(Store(postgres.database()))
        return vaulted(Bench("be-wal", LinkKind.WRAPPER, store=stores[-1], keys=ECDSA))

    assert dies_at_every_write([kind], make) == {None, kind}
    stores[-1].close()


class Severed(Loss):
    """A line that is dead from the moment that the meter has changed something for the nth time.

    Args:
        made: head-end and meter.
        changes: how many of its keys and certificates that is; then nothing comes through.
    """

    def __init__(self, made: Bench, changes: int) -> None:
        super().__init__()
        self._made, self._left = made, changes
        self._last = self._looks()

    def _looks(self) -> object:
        state: MeterState = self._made.kernel.state
        return state.certificates, state.signing_key, state.agreement_key

    @property
    def is_dead(self) -> bool:
        """Whether it is."""
        looks = self._looks()
        if looks != self._last:
            self._last, self._left = looks, self._left - 1
        return self._left <= 0

    def back(self, octets: bytes) -> bytes:
        """Lose everything once it is dead."""
        return b"" if self.is_dead else octets

    def towards(self, octets: bytes) -> bytes:
        """The same for the other way."""
        return self.back(octets)


def severed(kind: Kind, make: "partial[Bench]", rotations: int, **asked: object) -> int:
    """Sever the line after each thing that the meter changes; return how many there were."""
    for changes in count(1):
        made = make()
        made.loss = line = Severed(made, changes)
        try:
            rotate(by_name(made, **asked), kinds=[kind], identity=IDENTITY)
        except (OutcomeUnknown, NoAnswer):
            assert line.is_dead
        if not line.is_dead:
            return changes - 1
        made.loss = Loss()
        check_goes_on(made, [kind], booted=bool(changes % 2), rotations=rotations)
        assert len(kept(made)) <= 1 + len(PAIRS)
    raise AssertionError("unreachable")


#: Of a later rotation: the certificate is there, the one before is gone; a pair is made before.
STEPS = {**dict.fromkeys(OUR_PAIRS, 2), **dict.fromkeys(OWN_PAIRS, 3)}


@pytest.mark.parametrize("kind", PAIRS)
def test_whatever_the_meter_did_last_the_same_key_comes_into_force(
    standing: Standing, kind: Kind
) -> None:
    """With HLS-ECDSA: of each change at the meter nobody hears, and then it answers at once."""
    store = Store("sqlite://")
    make = partial(again, standing, ECDSA, store)
    assert severed(kind, make, 2) == STEPS[kind]
    store.close()


@pytest.mark.parametrize(("suite", "mechanism"), [(1, "hls-gmac"), (2, "hls-ecdsa")])
@pytest.mark.parametrize("kind", PAIRS)
def test_from_the_keys_of_the_factory_too(kind: Kind, suite: int, mechanism: str) -> None:
    """The authority's certificate is the first that the meter takes, and none is removed."""
    given = own_keys(suite, mechanism)
    store, made = Store("sqlite://"), bench(given)
    assert answers(made)
    make = partial(again, made.save(), given, store)
    made.close()
    assert severed(kind, make, 1) == STEPS[kind]
    store.close()


@pytest.mark.parametrize("kind", PAIRS)
def test_services_that_are_signed_and_keys_that_are_agreed_on_find_out_as_well(
    standing: Standing, kind: Kind
) -> None:
    """Whoever reaches the meter next may rest on any of the pairs."""
    signs = kind in (Kind.CLIENT_SIGNING, Kind.METER_SIGNING)
    for changes in range(1, STEPS[kind] + 1):
        envelope = "static" if changes % 2 else "one-pass"
        way: dict[str, Any] = {"sign": True} if signs else {"envelope": envelope}
        made = again(standing)
        made.loss = Severed(made, changes)
        with pytest.raises((OutcomeUnknown, NoAnswer)):
            rotate(by_name(made), kinds=[kind], identity=IDENTITY)
        made.loss = Loss()
        with reached(by_name(made, **way)) as device:
            assert device.name() == NAME
        rotate(by_name(made, **way), kinds=[kind], identity=IDENTITY)
        assert meters_own(made) == ours(made)
        made.close()


@pytest.mark.parametrize("direction", ["to_meter", "from_meter"])
@pytest.mark.parametrize("kind", [Kind.CLIENT_SIGNING, Kind.METER_SIGNING])
def test_whichever_octet_is_lost_the_same_key_comes_into_force_too(
    standing: Standing, kind: Kind, direction: str
) -> None:
    """Positions of a whole rotation; the meter boots in between."""
    store, seen = Store("sqlite://"), Loss()
    made = again(standing, ECDSA, store, seen)
    rotate(by_name(made), kinds=[kind], identity=IDENTITY)
    octets = seen.seen_to if direction == "to_meter" else seen.seen_from
    assert octets > 1_000
    for position in range(0, octets, 1 if SOAK else 797):
        loss = Loss(position) if direction == "to_meter" else Loss(None, position)
        made = again(standing, ECDSA, store, loss)
        with suppress(NoAnswer, OutcomeUnknown, Refused):
            rotate(by_name(made), kinds=[kind], identity=IDENTITY)
        made.loss = Loss()
        check_goes_on(made, [kind], booted=True, rotations=2)
    store.close()


def test_a_pair_that_was_made_and_not_shown_is_known_to_whoever_comes_next(
    standing: Standing,
) -> None:
    """A plain reading asks, and writes it down; the rotation then gives it its certificate."""
    made = again(standing)
    before = meters_own(made)[Kind.METER_SIGNING]
    made.loss = Severed(made, 1)
    with pytest.raises(OutcomeUnknown, match="made itself a new meter_signing_key"):
        rotate(by_name(made), kinds=[Kind.METER_SIGNING])
    made.loss = Loss()
    held = vault_of(made.store).held(NAME)
    assert held is not None
    assert held.unknown
    assert held.turned == held.keys
    assert meters_own(made)[Kind.METER_SIGNING] != before == ours(made)[Kind.METER_SIGNING]
    assert answers(made)
    learnt = vault_of(made.store).held(NAME)
    assert learnt is not None
    assert not learnt.unknown
    new = pair_of(learnt.turned, Kind.METER_SIGNING)
    assert new == meters_own(made)[Kind.METER_SIGNING]
    made.close()

"""Rotation of a meter's keys: two phases, whatever is lost and whenever the head-end dies."""

import json
import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import pytest

from headend.commands.activate import activate
from headend.commands.keys import KINDS, rotate
from headend.commands.topup import top_up
from headend.engine.arguments import durable, freeze, thaw
from headend.errors import Expired, HeadendError, OutcomeUnknown, Refused, UsageError
from headend.reach import reached
from headend.store import Store, keys
from headend.store.keys import State
from headend.transports import LinkKind
from headend.vault import Held, Kind
from headend.vault.kinds import CHANGEABLE, OUR_PAIRS, OWN_PAIRS
from meter_fw import security_setup
from obis.values import replace
from prepay.keys import LAB_KEYS, MECHANISMS
from protocol.codes import DataAccessResult
from protocol.errors import AccessRefused
from protocol.timing import later
from tests.headend.bench import Bench, Loss, Standing
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
    pending,
    states,
    vault_of,
)
from tests.interop.secured import leaked
from tests.meter_fw.rig import NAME

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
WAYS = [
    *((0, name) for name in MECHANISMS if name != "hls-ecdsa"),
    *((1, "hls-ecdsa"), (2, "hls-gmac"), (2, "hls-sha256")),
]
BY_SECRET = ("hls", "hls-md5", "hls-sha1", "hls-sha256")
PAIRS = (*OUR_PAIRS, *OWN_PAIRS)  # suite 0 has none
#: What a meter of any suite has.
SYMMETRIC = tuple(kind for kind in CHANGEABLE if kind not in PAIRS)
#: What is cut at every write and octet: one of each way to settle it; in a soak, all.
TRIED = SYMMETRIC if SOAK else (Kind.MASTER, Kind.BLOCK_CIPHER, Kind.PASSWORD)


# --- what is changed -----------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "mechanism"), WAYS)
def test_every_key_that_the_meter_lets_be_changed_is_changed(suite: int, mechanism: str) -> None:
    """Meter and vault have the same new ones; the secret only where something rests on it."""
    made = bench(own_keys(suite, mechanism))
    before = meters_own(made)
    report = rotate(by_name(made))
    after = meters_own(made)
    kept = set() if mechanism in BY_SECRET else {Kind.SECRET}
    there = [kind for kind in CHANGEABLE if suite or kind not in PAIRS]
    assert list(after) == list(before)
    assert set(after) == set(there)
    assert {kind for kind in after if after[kind] == before[kind]} == kept
    assert after == ours(made)
    assert {each["kind"] for each in report.data["keys"] if each["end"] == "kept"} == {
        *kept,
        *(PAIRS if not suite else ()),
    }
    assert all(
        states(made)[kind] == (["current"] if kind in kept else ["retired", "current"])
        for kind in there
    )
    made.boot()  # what counts is what survives
    assert answers(made)
    made.close()


@pytest.mark.parametrize("kind", [LinkKind.HDLC, LinkKind.DATAGRAMS])
def test_the_other_transports_do_too(kind: LinkKind) -> None:
    """Over HDLC and over UDP."""
    made = bench(own_keys(), kind)
    rotate(by_name(made))
    assert meters_own(made) == ours(made)
    made.close()


@pytest.mark.parametrize("mechanism", ["hls-gmac", "hls-sha256"])
def test_by_short_names_it_is_class_12(mechanism: str) -> None:
    """Its methods 5 and 6, and class 64 as it is."""
    made = bench(own_keys(0, mechanism))
    before = meters_own(made)
    rotate(by_name(made, short_names=True))
    assert meters_own(made) == ours(made)
    assert meters_own(made)[Kind.PASSWORD] != before[Kind.PASSWORD]
    made.close()


def test_money_goes_on_and_the_reader_has_the_new_password() -> None:
    """A top-up before and one after; client 2 by low-level security."""
    made = bench(own_keys())
    activate(by_name(made))
    rotate(by_name(made))
    assert top_up(by_name(made), "25.00").data["balance"] == "45.00"
    with reached(by_name(made, client=2)) as device:
        assert device.name() == NAME
    made.close()


def test_one_kind_alone_leaves_the_others() -> None:
    """As ``--kind`` asks."""
    made = bench(own_keys())
    before = meters_own(made)
    rotate(by_name(made), kinds=["broadcast_key"])
    after = meters_own(made)
    assert {kind for kind in after if after[kind] != before[kind]} == {Kind.BROADCAST}
    made.close()


def test_the_kinds_of_the_command_are_those_that_can_be_changed() -> None:
    """The command has them written out, so that its help costs no import."""
    assert list(KINDS) == [kind.value for kind in CHANGEABLE]


def test_the_same_id_changes_once_and_another_once_more() -> None:
    """A durable command that is carried out twice rotates once."""
    made = bench(own_keys())
    rotate(by_name(made), identity=IDENTITY)
    first = meters_own(made)
    ports = made.ports
    rotate(by_name(made), identity=IDENTITY)
    assert (meters_own(made), made.ports) == (first, ports)  # nobody was even called
    rotate(by_name(made))
    assert meters_own(made)[Kind.BLOCK_CIPHER] != first[Kind.BLOCK_CIPHER]
    made.close()


def test_each_new_cipher_key_has_counters_of_its_own() -> None:
    """A row a key, each begun at the beginning: no nonce is used twice under one key."""
    made = bench(own_keys())
    with made.store.begin() as db:
        before = db.exec_driver_sql("SELECT count(*) FROM counters").scalar()
    rotate(by_name(made), kinds=["block_cipher_key"])
    rotate(by_name(made), kinds=["block_cipher_key", "authentication_key"])
    with made.store.begin() as db:
        rows = db.exec_driver_sql("SELECT unleased FROM counters ORDER BY rowid").scalars().all()
    assert (before, len(rows)) == (0, 3)
    assert made.kernel.state.counters.received < rows[-1] < 1_000
    made.close()


# --- refusals ------------------------------------------------------------------------------------


def test_a_key_that_the_meter_refuses_is_written_down_as_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old one stays in force, the other kinds are changed, and the command says no."""
    made = bench(own_keys())
    real = security_setup._named

    def unwilling(entries: list[tuple[int, bytes]]) -> object:
        if entries[0][0] in (0, 1):  # the cipher keys
            raise AccessRefused(DataAccessResult.OTHER_REASON, "not today")
        return real(entries)

    monkeypatch.setattr(security_setup, "_named", unwilling)
    with pytest.raises(Refused, match=r"block_cipher_key: refused, .*authentication_key: new"):
        rotate(by_name(made))
    found = states(made)
    assert found["block_cipher_key"] == found["broadcast_key"] == ["current", "refused"]
    assert found["master_key"] == ["retired", "current"]
    assert pending(made) is None
    assert meters_own(made) == ours(made)
    monkeypatch.undo()
    rotate(by_name(made), kinds=["block_cipher_key"])
    assert states(made)["block_cipher_key"] == ["retired", "refused", "current"]
    made.close()


def test_a_secret_is_not_sent_where_others_can_read_it() -> None:
    """Authentication alone does not hide it; wrapped keys go, as they are hidden anyway."""
    made = bench(replace(own_keys(0, "hls-sha256"), protection=1))
    report = rotate(by_name(made, protection="authenticated"))
    ends = {each["kind"]: each["end"] for each in report.data["keys"]}
    kept = {kind for kind, end in ends.items() if end == "kept"}
    assert kept == {"secret", "password", *PAIRS}
    assert answers(made)
    vault = vault_of(made.store)
    vault.begin_rotation(NAME, Kind.PASSWORD, lambda _: b"pending", IDENTITY, made.now, "one")
    rotate(by_name(made, protection="authenticated"))  # nor one that is pending already
    assert pending(made) is Kind.PASSWORD
    assert made.kernel.state.password.value == b""
    made.close()


def test_too_late_or_withdrawn_is_before_anything_is_written_down() -> None:
    """A durable command's not-after and its cancellation."""
    made = bench(own_keys())
    late = by_name(made)
    late.not_after = later(made.now, -1)
    withdrawn = by_name(made)
    withdrawn.cancelled = lambda: True
    for context in (late, withdrawn):
        with pytest.raises((Expired, Refused)):
            rotate(context)
    assert all(found == ["current"] for found in states(made).values())
    made.close()


def test_what_was_changed_in_time_counts_although_the_rest_is_too_late() -> None:
    """The command is not said to have expired before anything was sent."""
    made = bench(own_keys())
    context = by_name(made)
    context.cancelled = lambda: states(made)["master_key"] == ["retired", "current"]
    report = rotate(context)
    ends = {each["kind"]: each["end"] for each in report.data["keys"]}
    assert ends.pop("master_key") == "new"
    assert set(ends.values()) == {"kept"}
    assert meters_own(made) == ours(made)
    made.close()


def test_a_rotation_can_be_queued() -> None:
    """By the name of group and command; its parameters go through JSON and back."""
    made = bench(own_keys())
    of = durable("keys rotate")
    arguments = json.loads(
        json.dumps(freeze(of, {"kinds": ("broadcast_key",), "meter_name": None}))
    )
    assert of.moves
    report = of.run(by_name(made), **thaw(of, arguments) | {"identity": IDENTITY})
    assert report.data["keys"] == [{"kind": "broadcast_key", "end": "new", "why": ""}]
    assert report.data["transaction"] == IDENTITY
    made.close()


def test_who_settles_late_settles_nothing_else() -> None:
    """A process that slept while another one settled its key and began the next."""
    made = bench(own_keys())
    vault = vault_of(made.store)

    def begin() -> Held:
        new = scattered(16)
        return vault.begin_rotation(NAME, Kind.BROADCAST, lambda _: new, IDENTITY, made.now, "one")

    late = begin()
    vault.settle(late, made.now, "another", taken=False, why="refused")
    second = begin()
    vault.settle(late, made.now, "one", taken=True, why="late")
    assert vault.held(NAME) == second
    made.close()


def test_who_is_not_the_management_client_rotates_nothing() -> None:
    """Nor who gives keys from elsewhere, or no meter by its name."""
    made = bench(own_keys())
    with pytest.raises(UsageError, match="management"):
        rotate(by_name(made, client=2))
    unnamed = by_name(made)
    unnamed.chosen = replace(unnamed.chosen, meter=None)
    with pytest.raises(UsageError, match="which meter"):
        rotate(unnamed)
    made.close()


# --- what is lost --------------------------------------------------------------------------------


#: A secret counts as well, so every kind can be changed.
SECRETIVE = own_keys(0, "hls-sha256")


@pytest.fixture(scope="module")
def standing() -> Standing:
    """Where a rotation begins: a meter that is known, and all of its keys too."""
    made = bench(SECRETIVE)
    assert answers(made)
    found = made.save()
    made.close()
    return found


@pytest.mark.parametrize("kind", TRIED)
def test_a_head_end_that_dies_at_any_write_goes_on_with_the_same_key(
    standing: Standing, kind: Kind
) -> None:
    """Before and after each transaction: the meter answers, and the key was drawn once."""
    store = Store("sqlite://")
    make = partial(Bench, "be-wal", LinkKind.WRAPPER, standing, store=store, keys=SECRETIVE)
    assert dies_at_every_write([kind], make) == {None, kind}
    store.close()


@pytest.mark.skipif(not SOAK, reason="long: each kind has its own")
def test_a_rotation_of_all_that_dies_at_any_write_goes_on(standing: Standing) -> None:
    """Kinds that were changed before the death are not changed again."""
    kinds = [kind.value for kind in SYMMETRIC]
    store = Store("sqlite://")
    make = partial(Bench, "be-wal", LinkKind.WRAPPER, standing, store=store, keys=SECRETIVE)
    assert dies_at_every_write(kinds, make) == {None, *SYMMETRIC}
    store.close()


@pytest.mark.parametrize("direction", ["to_meter", "from_meter"])
@pytest.mark.parametrize("kind", TRIED)
def test_whichever_octet_is_lost_the_same_key_comes_into_force(
    standing: Standing, kind: Kind, direction: str
) -> None:
    """Positions of a whole rotation, all of them in a soak; the meter boots in between."""
    store, seen = Store("sqlite://"), Loss()
    made = Bench("be-wal", LinkKind.WRAPPER, standing, seen, store, SECRETIVE)
    rotate(by_name(made), kinds=[kind], identity=IDENTITY)
    octets = seen.seen_to if direction == "to_meter" else seen.seen_from
    assert octets > 200
    step = 1 if SOAK else 157
    for position in range(0, octets, step):
        loss = Loss(position) if direction == "to_meter" else Loss(None, position)
        made = Bench("be-wal", LinkKind.WRAPPER, standing, loss, store, SECRETIVE)
        with suppress(HeadendError):
            rotate(by_name(made), kinds=[kind], identity=IDENTITY)
        made.loss = Loss()
        check_goes_on(made, [kind], booted=True)
    store.close()


class Dead(Loss):
    """A line that is dead from the moment that the meter has a new key of a kind."""

    def __init__(self, made: Bench, kind: Kind) -> None:
        super().__init__()
        self._made, self._kind, self._before = made, kind, meters_own(made)[kind]

    def back(self, octets: bytes) -> bytes:
        """Lose everything once the key is there."""
        return octets if meters_own(self._made)[self._kind] == self._before else b""

    def towards(self, octets: bytes) -> bytes:
        """The same for the other way."""
        return self.back(octets)


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_a_key_whose_answer_is_lost_is_found_out_about(kind: Kind) -> None:
    """The meter has it, and nobody heard so: unknown, kept, and settled by whoever comes next."""
    made = bench(SECRETIVE)
    before = ours(made)[kind]
    made.loss = Dead(made, kind)
    with pytest.raises(OutcomeUnknown, match=f"its new {kind}") as raised:
        rotate(by_name(made), kinds=[kind], identity=IDENTITY)
    assert raised.value.transaction_id == IDENTITY
    assert (pending(made), ours(made)[kind]) == (kind, before)
    assert meters_own(made)[kind] != before
    made.loss = Loss()
    assert answers(made)
    opening = kind in (Kind.BLOCK_CIPHER, Kind.AUTHENTICATION, Kind.SECRET)
    assert (pending(made) is None) is opening  # a plain reading has settled it
    with reached(by_name(made, client=2)) as device:
        assert device.name() == NAME  # by whichever password
    rotate(by_name(made), kinds=[kind], identity=IDENTITY)
    assert pending(made) is None
    assert meters_own(made) == ours(made)
    made.close()


def test_a_refusal_of_what_the_meter_may_have_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are kept, nothing else is begun, and people decide with ``keys decide``."""
    made = bench(own_keys())
    made.loss = Dead(made, Kind.BROADCAST)
    with pytest.raises(OutcomeUnknown):
        rotate(by_name(made), kinds=["broadcast_key"])
    made.loss = Loss()

    def unwilling(entries: object) -> object:
        raise AccessRefused(DataAccessResult.OTHER_REASON, "I have that one")

    monkeypatch.setattr(security_setup, "_named", unwilling)
    with pytest.raises(Refused, match="may have it from before"):
        rotate(by_name(made))
    assert pending(made) is Kind.BROADCAST
    assert states(made)["block_cipher_key"] == ["current"]
    held = vault_of(made.store).held(NAME)
    assert held is not None
    vault_of(made.store).settle(held, made.now, "tester", taken=True, why="read in the workshop")
    assert meters_own(made) == ours(made)
    made.close()


def test_a_session_of_before_the_rotation_finds_the_keys_of_after_it() -> None:
    """A context that has its keys already, while another process turns them."""
    made = bench(own_keys())
    waiting = by_name(made)
    assert waiting.keys == made.keys
    rotate(by_name(made))
    with reached(waiting) as device:
        assert device.name() == NAME
    made.close()


# --- nothing is shown ----------------------------------------------------------------------------


def shown(made: Bench, lines: Sequence[str]) -> str:
    """Return all that a rotation leaves where somebody may look, the database included."""
    with made.store.begin() as db:
        raw = db.connection.driver_connection
    database: bytes = raw.serialize()  # type: ignore[union-attr]  # SQLite has one
    return "\n".join([*lines, database.decode("latin-1"), database.hex()])


@pytest.mark.parametrize(("suite", "mechanism"), [(0, "hls-gmac"), (0, "hls-sha256"), (2, "hls")])
def test_no_key_shows_in_anything_that_a_rotation_says_or_writes(
    suite: int, mechanism: str
) -> None:
    """Trace, reports, errors with their tracebacks, reprs, the audit log and the database."""
    given = own_keys(suite, mechanism)
    made = bench(given)
    made.entropy = scattered  # type: ignore[method-assign]  # keys that are no count
    lines: list[str] = []
    context = by_name(made, trace_to=lines)
    report = rotate(context, identity=IDENTITY)
    lines += [*report.lines, json.dumps(report.data)]
    new = vault_of(made.store).keys_of(NAME)
    for kind in (Kind.BLOCK_CIPHER, Kind.MASTER, Kind.PASSWORD):
        made.loss = Dead(made, kind)
        try:
            rotate(by_name(made, trace_to=lines), kinds=[kind])
        except OutcomeUnknown as error:
            lines += traceback.format_exception(error)
            lines.append(repr(error.__dict__))
        made.loss = Loss()
        held = vault_of(made.store).held(NAME)
        assert held is not None
        lines += [repr(held), repr(context.__dict__), repr(by_name(made).vault.__dict__)]
        assert leaked("\n".join(lines), held.turned) == []
        rotate(by_name(made, trace_to=lines), kinds=[kind])
    lines += [repr(each) for each in vault_of(made.store).listed(NAME)]
    text = shown(made, lines)
    last = vault_of(made.store).keys_of(NAME)
    assert new is not None
    assert last is not None
    for known in (given, new, last):
        assert leaked(text, known) == []
        word = known.password
        assert word.decode() not in text
        assert word.hex() not in "".join(text.lower().split())
    assert "< " in text, "there was a trace"
    made.close()


def test_the_search_for_keys_finds_one() -> None:
    """A test that cannot fail would be none: a key in the trace is found."""
    given = own_keys()
    assert leaked(f"> {given.master_key.hex(' ').upper()}", given)


_drawn = 0


def scattered(count: int) -> bytes:
    """Return octets that look like nothing else."""
    global _drawn
    _drawn += 1
    from tests.interop.secured import octets

    return octets(f"drawn {_drawn}", count) if count > 1 else bytes(count)


def test_the_lab_keys_are_what_a_meter_by_port_still_has() -> None:
    """Only a meter given by its name has the vault's."""
    made = bench(own_keys())
    unnamed = by_name(made)
    unnamed.chosen = replace(unnamed.chosen, meter=None, port="tcp:meter:1")
    assert unnamed.keys == LAB_KEYS
    assert by_name(made).keys == made.keys
    with made.store.begin() as db:
        assert keys.of_meter(db, 1, State.CURRENT)
    made.close()

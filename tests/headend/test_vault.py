"""The vault: keys wrapped for their place, the master key and where it comes from, the commands."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from headend.cli import Invocation, main
from headend.context import Context, Settings
from headend.errors import Refused, UsageError
from headend.store import Store, audit, keys, meters, schema
from headend.store.keys import State
from headend.vault import Kind, MasterKey, Masters, Vault, masters
from headend.vault.kinds import assemble, parts
from headend.vault.wrapping import LONGEST, Unreadable, label, rewrap, unwrap, wrap
from obis.values import replace
from prepay.keys import LAB_KEYS, MeterKeys, lab_keys, parse_keys
from protocol.timing import Instant
from tests.headend.vaulted import Killed, dying, own_keys
from tests.interop.secured import key_file, leaked

NOW = Instant(1_700_000_000_000)
OLD, NEW = MasterKey(bytes(range(32))), MasterKey(bytes(range(100, 132)))
PLACE = label("OPP1", "master_key", 1)


def at_hand(*found: MasterKey) -> Masters:
    """Return master keys, of which the first wraps."""
    return Masters(found, "the test")


@pytest.fixture
def store() -> Iterator[Store]:
    """A database in memory with two meters."""
    opened = Store("sqlite://")
    for name in ("OPP1", "OPP2"):
        meet(opened, name)
    yield opened
    opened.close()


def meet(store: Store, name: str) -> int:
    """Return the row number of a meter that was met."""
    with store.begin() as db:
        return meters.meet(db, name, f"tcp:{name}:1", NOW).id


# --- wrapping ------------------------------------------------------------------------------------


@given(st.binary(max_size=LONGEST), st.text(max_size=64), st.integers(1, 10**9))
def test_what_was_wrapped_for_a_place_opens_there(key: bytes, name: str, version: int) -> None:
    """Whatever the key; and all wrappings are of one length, which tells nothing of the key's."""
    place = label(name, "password", version)
    wrapped = wrap(OLD, key, place, os.urandom)
    assert unwrap(at_hand(OLD), OLD.fingerprint, wrapped, place) == key
    assert len(wrapped) == 142
    assert len(key) < 4 or key not in wrapped


@pytest.mark.parametrize(
    "place",
    [
        label("OPP2", "master_key", 1),
        label("OPP1", "password", 1),
        label("OPP1", "master_key", 2),
        label("OPP", "1master_key", 1),
        label("OPP1master_key", "", 1),
    ],
)
def test_a_row_that_is_copied_to_another_place_does_not_open(place: bytes) -> None:
    """Of another meter, kind or version, nor where the words only read alike."""
    wrapped = wrap(OLD, bytes(16), PLACE, os.urandom)
    with pytest.raises(Unreadable, match="was changed, or is another key's"):
        unwrap(at_hand(OLD), OLD.fingerprint, wrapped, place)


def test_each_single_bit_counts() -> None:
    """Whatever bit is changed, the wrapping does not open, and nothing else is raised."""
    wrapped = wrap(OLD, b"k" * 16, PLACE, os.urandom)
    for bit in range(8 * len(wrapped)):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Unreadable):
            unwrap(at_hand(OLD), OLD.fingerprint, bytes(changed), PLACE)
    for length in (0, 1, len(wrapped) - 1, len(wrapped) + 1):
        with pytest.raises(Unreadable):
            unwrap(at_hand(OLD), OLD.fingerprint, wrapped.ljust(length, b"\0")[:length], PLACE)


def test_another_master_key_opens_nothing_and_is_named() -> None:
    """By fingerprints, which are of no use for finding the keys."""
    wrapped = wrap(OLD, b"k" * 16, PLACE, os.urandom)
    with pytest.raises(Unreadable, match=f"{OLD.fingerprint}.*there is {NEW.fingerprint}"):
        unwrap(at_hand(NEW), OLD.fingerprint, wrapped, PLACE)
    with pytest.raises(Unreadable):
        unwrap(at_hand(NEW), NEW.fingerprint, wrapped, PLACE)


def test_the_same_key_is_never_wrapped_the_same_twice() -> None:
    """Nonce and data key are drawn each time."""
    assert wrap(OLD, bytes(16), PLACE, os.urandom) != wrap(OLD, bytes(16), PLACE, os.urandom)


def test_wrapping_anew_leaves_the_key_wrapped() -> None:
    """Only the data key is opened: the part that has the key stays as it is."""
    wrapped = wrap(OLD, b"k" * 16, PLACE, os.urandom)
    anew = rewrap(at_hand(NEW, OLD), OLD.fingerprint, wrapped, PLACE, os.urandom)
    assert anew[61:] == wrapped[61:]
    assert anew[:61] != wrapped[:61]
    assert unwrap(at_hand(NEW), NEW.fingerprint, anew, PLACE) == b"k" * 16


def test_a_key_that_is_too_long_is_not_wrapped() -> None:
    """64 octets are the most that a key file takes."""
    with pytest.raises(ValueError, match="65 octets"):
        wrap(OLD, bytes(65), PLACE, os.urandom)


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_taking_keys_apart_loses_nothing(suite: int) -> None:
    """All that a key file has; suite 0 has no pairs."""
    for known in (lab_keys(suite), own_keys(suite, "hls-sha256")):
        assert assemble(parts(known)) == known


# --- the master key ------------------------------------------------------------------------------

HEX = OLD.octets.hex()
WRONG = {
    "empty": "",
    "a remark alone": "# nothing",
    "too short": HEX[:-2],
    "too long": f"{HEX}00",
    "no hexadecimal": "x" * 64,
    "one good and one not": f"{HEX}\n{HEX[:-1]}",
    "too many": f"{HEX}\n" * 17,
}


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_what_is_no_master_key_is_refused_without_showing_it(text: str) -> None:
    """One clear line, with nothing of the text in it."""
    with pytest.raises(UsageError) as raised:
        masters.parse(text, "the test")
    assert HEX[:12] not in str(raised.value)


def test_several_master_keys_are_read_in_their_order() -> None:
    """One a line, remarks and capitals as one likes; the first wraps."""
    found = masters.parse(f"# new\n{NEW.octets.hex().upper()}  # of today\n\n{HEX}\n", "here")
    assert found.keys == (NEW, OLD)
    assert masters.parse(masters.text_of(found.keys), "here") == found


def test_a_master_key_shows_in_no_repr() -> None:
    """Neither it nor what holds it."""
    assert HEX not in repr(at_hand(OLD)).lower()
    assert "octets" not in repr(OLD)


@pytest.mark.parametrize(
    ("mode", "accepted"),
    [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o666, False), (0o610, False)],
)
def test_a_master_key_file_is_its_owners_alone(tmp_path: Path, mode: int, accepted: bool) -> None:
    """Others may neither read nor write it."""
    path = tmp_path / "master.key"
    path.write_text(HEX)
    path.chmod(mode)
    if accepted:
        assert masters.from_file(path).first == OLD
        return
    with pytest.raises(UsageError, match="others may read it"):
        masters.from_file(path)


def test_what_is_no_master_key_file_is_one_clear_error(tmp_path: Path) -> None:
    """Missing, a folder, a pipe that nobody writes into, too long, no text."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for name, octets in {"long": b"#" * 5000, "binary": b"\xff" * 32}.items():
        (tmp_path / name).write_bytes(octets)
        (tmp_path / name).chmod(0o600)
    for path in (tmp_path, pipe, *(tmp_path / name for name in ("none", "long", "binary"))):
        with pytest.raises(UsageError, match="master key file"):
            masters.from_file(path)


def test_a_new_file_is_private_and_never_in_the_place_of_another(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask; a file that is there is left alone."""
    path = tmp_path / "master.key"
    before = os.umask(0)
    try:
        masters.write_private(path, masters.text_of((OLD,)))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="is there already"):
        masters.write_private(path, masters.text_of((NEW,)))
    assert masters.from_file(path).keys == (OLD,)
    assert masters.put_before(path, NEW).keys == (NEW, OLD)
    assert masters.from_file(path).keys == (NEW, OLD)


class InMemory(keyring.backend.KeyringBackend):
    """A desktop's keyring that forgets everything."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's has no types
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        if self.locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep something."""
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""
        del self.kept[service, username]


@pytest.fixture
def desktop() -> Iterator[InMemory]:
    """A keyring in memory, in the place of the desktop's."""
    before, ours = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def test_the_places_are_looked_at_in_their_order(tmp_path: Path, desktop: InMemory) -> None:
    """The environment's key, the file it names, the keyring."""
    third = MasterKey(bytes(32))
    desktop.kept[masters.SERVICE, masters.USER] = masters.text_of((third,))
    path = tmp_path / "master.key"
    masters.write_private(path, masters.text_of((NEW,)))
    environment = {masters.KEY_VARIABLE: HEX, masters.FILE_VARIABLE: str(path)}
    assert masters.find(environment).first == OLD
    assert masters.find({masters.FILE_VARIABLE: str(path), masters.KEY_VARIABLE: ""}).first == NEW
    assert masters.find({}).first == third


def test_without_any_master_key_it_is_said_where_one_goes(desktop: InMemory) -> None:
    """And a keyring that refuses says so."""
    with pytest.raises(UsageError, match="prepay keys master new"):
        masters.find({})
    desktop.locked = True
    with pytest.raises(UsageError, match="the keyring refuses: locked"):
        masters.find({})


# --- keys of meters ------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [0, 1, 2])
def test_what_was_put_is_what_there_is(store: Store, suite: int) -> None:
    """Of each meter its own."""
    vault, mine = Vault(store, at_hand(OLD)), own_keys(suite)
    assert vault.keys_of("OPP1") is None
    assert vault.keys_of("nobody") is None
    vault.put("OPP1", mine, NOW, "me")
    vault.put("OPP2", lab_keys(suite), NOW, "me")
    assert (vault.keys_of("OPP1"), vault.keys_of("OPP2")) == (mine, lab_keys(suite))


def test_only_what_is_new_gets_a_new_version(store: Store) -> None:
    """The key before is kept, retired; the same again is nothing."""
    vault, mine = Vault(store, at_hand(OLD)), own_keys()
    vault.put("OPP1", mine, NOW, "me")
    assert vault.put("OPP1", mine, NOW, "me") == []
    changed = replace(mine, broadcast_key=bytes(16))
    assert vault.put("OPP1", changed, NOW, "me") == [Kind.BROADCAST]
    shown = [each for each in vault.listed("OPP1") if each.kind == Kind.BROADCAST]
    assert [(each.version, each.state) for each in shown] == [
        (1, State.RETIRED),
        (2, State.CURRENT),
    ]
    assert shown[0].mark != shown[1].mark


def test_keys_that_are_swapped_in_the_database_do_not_open(store: Store) -> None:
    """Who can write into the database cannot give one meter the keys of another."""
    vault = Vault(store, at_hand(OLD))
    vault.put("OPP1", own_keys(), NOW, "me")
    vault.put("OPP2", LAB_KEYS, NOW, "me")
    with store.begin() as db:
        db.exec_driver_sql(
            "UPDATE meter_keys SET wrapped = (SELECT wrapped FROM meter_keys AS other "
            "WHERE other.meter_id = 2 AND other.kind = meter_keys.kind) WHERE meter_id = 1"
        )
    with pytest.raises(Unreadable, match="OPP1"):
        vault.keys_of("OPP1")
    with pytest.raises(Unreadable, match="OPP1"):
        vault.check()
    assert vault.keys_of("OPP2") == LAB_KEYS


def test_a_meter_that_gets_its_name_keeps_its_keys(store: Store) -> None:
    """They are bound to the name, so they are bound anew with it."""
    vault = Vault(store, at_hand(OLD))
    vault.put("OPP1", own_keys(), NOW, "me")
    with store.begin() as db:
        meter = meters.by_name(db, "OPP1")
        assert meter is not None
        vault.rename(db, meter.id, "ANOTHER")
        meters.rename(db, meter, "ANOTHER")
    assert vault.keys_of("ANOTHER") == own_keys()


def test_nothing_is_imported_while_a_rotation_is_under_way(store: Store) -> None:
    """Else a key that the meter may have would be forgotten."""
    vault = Vault(store, at_hand(OLD))
    vault.put("OPP1", own_keys(), NOW, "me")

    def begin(kind: Kind) -> None:
        vault.begin_rotation("OPP1", kind, lambda _: bytes(16), "01" * 16, NOW, "me")

    begin(Kind.MASTER)
    begin(Kind.MASTER)  # the same is pending still
    with pytest.raises(Refused, match="pending"):
        vault.put("OPP1", own_keys(), NOW, "me")
    with pytest.raises(Refused, match="a new master_key of OPP1 is pending"):
        begin(Kind.BROADCAST)
    assert [each.version for each in vault.listed("OPP1") if each.kind == Kind.MASTER] == [1, 2]


def test_each_key_operation_is_in_the_audit_log_without_a_key(store: Store) -> None:
    """Who, what, of which meter and why; the rows hang together by their digests."""
    vault, mine = Vault(store, at_hand(OLD)), own_keys()
    vault.put("OPP1", mine, NOW, "me")
    held = vault.begin_rotation("OPP1", Kind.MASTER, lambda _: bytes(16), "01" * 16, NOW, "me")
    vault.settle(held, NOW, "me", taken=True, why="seen")
    vault.export("OPP1", NOW, "me", "for the workshop")
    Vault(store, at_hand(NEW, OLD)).rewrap(NOW, "me")
    with store.read() as db:
        rows = [row._mapping for row in db.execute(schema.audit.select())]
    assert [row["action"] for row in rows] == [
        "keys.import", "keys.rotate", "keys.current", "keys.export", "keys.rewrap",
    ]  # fmt: skip # one line
    previous = audit.GENESIS
    for row in rows:
        sealed = {name: row[name] for name in ("number", "moment", "caller", "action", "subject")}
        assert row["previous"] == previous
        previous = audit.seal(previous, sealed | {"details": row["details"]})
        assert row["digest"] == previous
    assert "for the workshop" in rows[3]["details"]
    assert leaked(str(rows), mine) == []


def test_a_database_of_other_hands_has_no_key_in_it(store: Store) -> None:
    """Whoever has the file and no master key has nothing."""
    mine = own_keys(2)
    Vault(store, at_hand(OLD)).put("OPP1", mine, NOW, "me")
    with store.begin() as db:
        raw = db.connection.driver_connection
    octets: bytes = raw.serialize()  # type: ignore[union-attr]  # SQLite has one
    text = octets.decode("latin-1") + octets.hex()
    assert leaked(text, mine) == []
    assert mine.password not in octets
    assert mine.password.hex() not in text


def test_an_export_needs_a_reason(store: Store) -> None:
    """Blank is none."""
    vault = Vault(store, at_hand(OLD))
    vault.put("OPP1", own_keys(), NOW, "me")
    with pytest.raises(UsageError, match="--reason"):
        vault.export("OPP1", NOW, "me", "  ")


# --- another master key --------------------------------------------------------------------------


def test_wrapping_everything_anew_may_die_at_any_write(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile and afterwards all keys are there; run again it comes to its end."""
    monkeypatch.setattr("headend.vault.vault._PORTION", 5)
    Vault(store, at_hand(OLD)).put("OPP1", own_keys(2), NOW, "me")
    Vault(store, at_hand(OLD)).put("OPP2", LAB_KEYS, NOW, "me")
    both, deaths = Vault(store, at_hand(NEW, OLD)), 0
    while True:
        try:
            with dying(store, 1):  # after its first transaction, each time
                both.rewrap(NOW, "me")
                break
        except Killed:
            deaths += 1
        assert (both.keys_of("OPP1"), both.keys_of("OPP2")) == (own_keys(2), LAB_KEYS)
        with store.read() as db:
            if not keys.not_under(db, NEW.fingerprint, 1):
                break
    assert deaths == 4
    alone = Vault(store, at_hand(NEW))
    assert dict(alone.check()) == {NEW.fingerprint: 20}
    assert (alone.keys_of("OPP1"), alone.keys_of("OPP2")) == (own_keys(2), LAB_KEYS)
    with pytest.raises(Unreadable, match=NEW.fingerprint):
        Vault(store, at_hand(OLD)).keys_of("OPP1")


def test_what_is_lost_with_its_master_key_is_said_so(store: Store) -> None:
    """Check and rewrap name the master key that is missing."""
    Vault(store, at_hand(OLD)).put("OPP1", own_keys(), NOW, "me")
    stranger = Vault(store, at_hand(NEW))
    for step in (stranger.check, lambda: stranger.rewrap(NOW, "me")):
        with pytest.raises(Unreadable, match=OLD.fingerprint):
            step()
    assert {each.mark for each in stranger.listed("OPP1")} == {""}


# --- on both databases ---------------------------------------------------------------------------


def test_the_vault_works_on_either_database(database: str) -> None:
    """Put, turned, settled, wrapped anew; on SQLite and on PostgreSQL."""
    store = Store(database)
    meet(store, "OPP1")
    vault, mine = Vault(store, at_hand(NEW, OLD)), own_keys(1)
    Vault(store, at_hand(OLD)).put("OPP1", mine, NOW, "me")
    held = vault.begin_rotation("OPP1", Kind.MASTER, lambda _: b"m" * 16, "01" * 16, NOW, "me")
    assert (held.pending, held.turned.master_key) == (Kind.MASTER, b"m" * 16)
    vault.settle(held, NOW, "me", taken=True, why="seen")
    assert vault.rewrap(NOW, "me") == 12
    assert dict(vault.check()) == {NEW.fingerprint: 13}
    assert vault.keys_of("OPP1") == replace(mine, master_key=b"m" * 16)
    store.close()


# --- the command line ----------------------------------------------------------------------------


class Line:
    """The command line with a database and a master key of its own.

    Args:
        folder: for both.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.environment = {
            "PREPAY_DB": str(folder / "headend.db"),
            "PREPAY_MASTER_KEY_FILE": str(folder / "master.key"),
            **dict.fromkeys(
                ("PREPAY_PORT", "PREPAY_KEYS", "PREPAY_METER", "PREPAY_MASTER_KEY"), ""
            ),
        }

    def __call__(self, *words: str, code: int = 0) -> Result:
        """Run a command and check how it ends."""
        env = self.environment
        done = CliRunner().invoke(main, ["keys", *words], obj=Invocation(), env=env)
        assert done.exit_code == code, done.output
        self.said.append(done.output)
        return done

    def json(self, *words: str) -> Any:
        """Run a command and return what it says to machines."""
        return json.loads(self(*words, "--json").stdout)


@pytest.fixture
def line(tmp_path: Path, desktop: InMemory) -> Line:
    """With a master key, a meter that was met, and its key file."""
    found = Line(tmp_path)
    assert isinstance(desktop, InMemory)  # whatever is on this machine is left alone
    found("master", "new", str(tmp_path / "master.key"))
    store = Store(found.environment["PREPAY_DB"])
    meet(store, "OPP1")
    store.close()
    (tmp_path / "keys.toml").write_text(key_file(1))
    return found


def test_keys_go_in_are_shown_by_marks_and_come_out_as_they_were(line: Line) -> None:
    """Import, show, export: the file that comes out is the file that went in, and private."""
    given_keys = parse_keys(key_file(1))
    assert "12 keys" in line("import", "OPP1", str(line.folder / "keys.toml")).output
    listed = line.json("show", "OPP1")["keys"]
    assert {each["kind"] for each in listed} == {kind.value for kind in parts(given_keys)}
    assert all(re.fullmatch("[0-9a-f]{12}", each["mark"]) for each in listed)
    assert "OPP1" in line("show", "OPP1", "--json").output
    out = line.folder / "out.toml"
    line("export", "OPP1", str(out), "--reason", "for the workshop")
    assert parse_keys(out.read_text()) == given_keys
    assert out.stat().st_mode & 0o777 == 0o600
    line("export", "OPP1", str(out), "--reason", "once more", code=2)
    assert leaked("".join(line.said), given_keys) == []


def test_a_named_meter_has_the_vaults_keys_unless_a_file_is_given(line: Line) -> None:
    """``--keys``, the vault's for a meter by its name, the lab's."""
    line("import", "OPP1", str(line.folder / "keys.toml"))
    store = Store(line.environment["PREPAY_DB"])
    found = masters.from_file(line.folder / "master.key")

    def keys_of(**settings: Any) -> MeterKeys:
        return Context(Settings(**settings), store=store, masters=found).keys

    (line.folder / "other.toml").write_text(key_file(2))
    assert keys_of(meter="OPP1") == parse_keys(key_file(1))
    assert keys_of(meter="OPP1", keys=str(line.folder / "other.toml")) == parse_keys(key_file(2))
    assert keys_of(port="tcp:x:1") == LAB_KEYS
    meet(store, "OPP2")
    assert keys_of(meter="OPP2") == LAB_KEYS
    with store.begin() as db:
        assert keys.has_any(db, 1)
    store.close()


def test_the_authority_is_made_once_shown_and_written(line: Line) -> None:
    """A file that any tool reads, of its certificate alone; a new master key takes it along."""
    assert "none yet" in line("authority").output
    assert line.json("authority") == {"authorities": [], "file": None}
    path = line.folder / "authority.pem"
    line("authority", "--suite", "2", str(path))
    shown = line.json("authority")["authorities"]
    assert [each["suite"] for each in shown] == [2]
    written = x509.load_pem_x509_certificate(path.read_bytes())
    assert written.public_bytes(Encoding.DER).hex() == shown[0]["certificate"]
    assert written.fingerprint(SHA256()).hex() == shown[0]["sha256"]
    assert written.subject.rfc4514_string() == f"CN={shown[0]['name']}"
    written.verify_directly_issued_by(written)
    assert written.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "PRIVATE" not in path.read_text()
    line("authority", "--suite", "1")
    line("master", "new", str(line.folder / "master.key"), "--add")
    assert line.json("rewrap")["wrapped"] == 2
    assert line.json("authority", "--suite", "2")["authorities"] == shown
    assert [each["suite"] for each in line.json("authority")["authorities"]] == [1, 2]


def test_a_second_master_key_and_the_end_of_the_first(line: Line) -> None:
    """Put before the other, everything wrapped under it, the other taken out."""
    path = line.folder / "master.key"
    line("import", "OPP1", str(line.folder / "keys.toml"))
    assert "1 keys" not in line("master", "check").output
    line("master", "new", str(path), "--add")
    new, old = masters.from_file(path).keys
    assert "prepay keys rewrap" in line("master", "check").output
    assert line.json("rewrap") == {"wrapped": 12, "master": new.fingerprint}
    assert line.json("rewrap")["wrapped"] == 0
    path.write_text(masters.text_of((new,)))
    assert line.json("master", "check")["keys"] == {new.fingerprint: 12}
    path.write_text(masters.text_of((old,)))
    assert new.fingerprint in line("master", "check", code=1).output
    assert new.octets.hex() not in "".join(line.said).lower()


def test_a_master_key_in_the_keyring(line: Line, desktop: InMemory) -> None:
    """Made there, found there, and never overwritten."""
    line.environment["PREPAY_MASTER_KEY_FILE"] = ""
    line("master", "new", "--keyring")
    line("import", "OPP1", str(line.folder / "keys.toml"))
    assert "from the keyring" in line("master", "check").output
    line("master", "new", "--keyring", code=2)
    line("master", "new", "--keyring", "--add")
    assert len(desktop.kept[masters.SERVICE, masters.USER].split()) == 2
    line("rewrap")


USAGE = {
    "no such meter": ["import", "OPP9", "keys.toml"],
    "no key file": ["import", "OPP1", "none.toml"],
    "a folder": ["import", "OPP1", "."],
    "no keys in it": ["import", "OPP1", "headend.db"],
    "no reason": ["export", "OPP1", "out.toml"],
    "a blank reason": ["export", "OPP1", "out.toml", "--reason", " "],
    "no meter to rotate": ["rotate"],
    "no such kind": ["rotate", "OPP1", "--kind", "token_key"],
    "no id": ["rotate", "OPP1", "--id", "12"],
    "an authority's file of no suite": ["authority", "authority.pem"],
    "an authority of suite 0": ["authority", "--suite", "0"],
    "an authority over another file": ["authority", "keys.toml", "--suite", "1"],
    "a master key nowhere": ["master", "new"],
    "a master key in two places": ["master", "new", "x", "--keyring"],
    "a master key over another": ["master", "new", "master.key"],
    "nothing to add to": ["master", "new", "none", "--add"],
    "a check of a file": ["master", "check", "master.key"],
}


@pytest.mark.parametrize("words", USAGE.values(), ids=list(USAGE))
def test_wrong_usage_is_one_line_and_changes_nothing(
    line: Line, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2."""
    monkeypatch.chdir(line.folder)
    line("import", "OPP1", "keys.toml")
    before = line.json("show", "OPP1")
    done = line(*words, code=2)
    assert done.stderr.startswith("prepay: ")
    assert done.stderr.count("\n") == 1
    assert line.json("show", "OPP1") == before


def test_what_nobody_can_say_people_decide(line: Line) -> None:
    """Only where a key is pending, and with a reason."""
    line("import", "OPP1", str(line.folder / "keys.toml"))
    line("decide", "OPP1", "--new", "--reason", "seen", code=1)
    store = Store(line.environment["PREPAY_DB"])
    vault = Vault(store, masters.from_file(line.folder / "master.key"))
    vault.begin_rotation("OPP1", Kind.MASTER, lambda _: bytes(16), "01" * 16, NOW, "me")
    line("decide", "OPP1", "--reason", "seen", code=2)
    line("decide", "OPP1", "--old", "--reason", "read in the workshop")
    assert vault.keys_of("OPP1") == parse_keys(key_file(1))
    assert "refused" in line("show", "OPP1").output
    store.close()

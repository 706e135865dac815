"""The keys of meters in the database: put there, read, turned, and wrapped under another master.

Whatever changes a key writes a row of the audit log in the same transaction.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from headend.errors import Refused, UsageError
from headend.store import Store, audit, keys, meters
from headend.store.connection import Connection
from headend.store.keys import State, Wrapped
from headend.vault.held import Held, Listed
from headend.vault.kinds import Kind, assemble, parts
from headend.vault.masters import Masters
from headend.vault.wrapping import Unreadable, label, rewrap, unwrap, wrap
from obis.values import replace
from prepay.keys import MeterKeys
from protocol.timing import Instant

if TYPE_CHECKING:  # few meters have key pairs
    from headend.vault.authority import Authorities, Authority
    from protocol.security import SecuritySuite

#: Keys that one transaction wraps anew: it keeps others waiting for some milliseconds.
_PORTION: Final = 200


class Vault:
    """The keys in a database, with the master key that opens them.

    Args:
        store: the database.
        masters: the master keys at hand; the first wraps.
        entropy: gives that many random octets.
    """

    def __init__(
        self, store: Store, masters: Masters, entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._store = store
        self.masters = masters
        self._entropy = entropy

    # --- reading ---------------------------------------------------------------------------------

    def held(self, name: str) -> Held | None:
        """Return the keys of a meter; None where the vault has none of it.

        Raises:
            Unreadable: they cannot be opened.
        """
        with self._store.read() as db:
            meter = meters.by_name(db, name)
            rows = [] if meter is None else keys.of_meter(db, meter.id)
        if meter is None or not rows:
            return None
        current = {Kind(r.kind): self._open(r) for r in rows if r.state is State.CURRENT}
        pending = next((r for r in rows if r.state is State.PENDING), None)
        try:
            found = assemble(current)
        except (KeyError, ValueError) as error:
            raise Unreadable(f"{name}: not all of its keys are there: import them again") from error
        drawn = {Kind(r.kind): r.transaction_id for r in rows if r.state is State.CURRENT}
        if pending is None:
            return Held(meter.id, name, found, drawn=drawn)
        kind, new = Kind(pending.kind), self._open(pending)
        return Held(meter.id, name, found, kind, new, pending.version, drawn, pending.created)

    def keys_of(self, name: str) -> MeterKeys | None:
        """Return the keys of a meter that are in force; None where the vault has none of it.

        Raises:
            Unreadable: they cannot be opened.
        """
        held = self.held(name)
        return None if held is None else held.keys

    def listed(self, name: str) -> list[Listed]:
        """Return every key of a meter as people may see it, by kind and version."""
        with self._store.read() as db:
            rows = keys.of_meter(db, _known(db, name))
        return [
            Listed(r.kind, r.version, r.state, r.created, r.master, self._mark(r)) for r in rows
        ]

    def _mark(self, row: Wrapped) -> str:
        if self.masters.by_fingerprint(row.master) is None:
            return ""
        key = self._open(row)
        return self.masters.first.mark(key) if key else ""

    def _open(self, row: Wrapped) -> bytes:
        place = label(row.meter, row.kind, row.version)
        return unwrap(self.masters, row.master, row.wrapped, place)

    # --- writing ---------------------------------------------------------------------------------

    def put(self, name: str, given: MeterKeys, now: Instant, caller: str) -> list[Kind]:
        """Take a meter's keys in, as those that it has now; those before are retired.

        Returns:
            The kinds that are new or others than before.

        Raises:
            UsageError: there is no such meter.
            Refused: a rotation of the meter is under way.
        """
        with self._store.begin() as db:
            meter_id = _known(db, name)
            meters.hold(db, meter_id)
            known = {r.kind: r for r in keys.of_meter(db, meter_id, State.CURRENT)}
            _check_settled(db, meter_id, name)
            wanted = parts(given)
            changed = [
                kind
                for kind, key in wanted.items()
                if kind not in known or self._open(known[kind]) != key
            ]
            for kind, row in known.items():
                if kind in changed or kind not in wanted:  # a key pair, and now the suite is 0
                    keys.set_state(db, row, State.RETIRED)
            for kind in changed:
                self._add(db, meter_id, name, kind, wanted[kind], State.CURRENT, now)
            if changed:
                details = {"kinds": sorted(changed)}
                audit.append(db, now, caller, "keys.import", name, details)
        return changed

    def begin_rotation(
        self,
        name: str,
        kind: Kind,
        make: Callable[[MeterKeys], bytes],
        identity: str,
        now: Instant,
        caller: str,
    ) -> Held:
        """Write down a new key of a meter before it is sent; the one that is pending if there is.

        Args:
            name: of the meter.
            kind: what is to be changed.
            make: makes the new key, in the knowledge of those in force.
            identity: transaction id of the rotation.
            now: for the row.
            caller: for the audit log.

        Raises:
            Refused: the vault has no keys of it, or another kind is pending.
        """
        held = self._held(name)
        with self._store.begin() as db:
            meters.hold(db, held.meter_id)
            pending = keys.of_meter(db, held.meter_id, State.PENDING)
            if not pending:
                new = make(held.keys)
                version = self._add(
                    db, held.meter_id, name, kind, new, State.PENDING, now, identity
                )
                details = {"kind": kind, "version": version, "transaction": identity}
                audit.append(db, now, caller, "keys.rotate", name, details)
        if pending and pending[0].kind != kind:
            _check_pending(pending[0], name)
        return self._held(name)

    def learn(self, held: Held, key: bytes, now: Instant, caller: str) -> None:
        """Note which pair a meter has made itself; nothing where that is settled.

        Args:
            held: the meter; its pending key was not known, or not rightly.
            key: the public one, as ``kinds.kept_public`` has it.
            now: for the audit log.
            caller: the same.
        """
        master = self.masters.first
        with self._store.begin() as db:
            meters.hold(db, held.meter_id)
            for row in keys.of_meter(db, held.meter_id, State.PENDING):
                if (row.kind, row.version) != (held.pending, held.version):
                    continue
                place = label(held.meter, row.kind, row.version)
                keys.wrap_anew(db, row, wrap(master, key, place, self._entropy), master.fingerprint)
                details = {"kind": held.pending, "version": held.version}
                audit.append(db, now, caller, "keys.learnt", held.meter, details)

    def settle(self, held: Held, now: Instant, caller: str, *, taken: bool, why: str) -> None:
        """Note whether the meter has its pending key; nothing where it is not pending any more.

        Args:
            held: the meter, with the key that is pending.
            now: for the audit log.
            caller: the same.
            taken: the key is current and the one before retired; else it is refused.
            why: for the audit log.
        """
        assert not (taken and held.unknown)  # nobody can use a key that nobody knows
        with self._store.begin() as db:
            meters.hold(db, held.meter_id)
            rows = keys.of_meter(db, held.meter_id, State.PENDING, State.CURRENT)
            mine = [row for row in rows if row.kind == held.pending]
            pending = [r for r in mine if (r.state, r.version) == (State.PENDING, held.version)]
            if not pending:
                return  # another process has settled it: its word stands
            for row in mine if taken else ():
                if row.state is State.CURRENT:
                    keys.set_state(db, row, State.RETIRED)
            keys.set_state(db, pending[0], State.CURRENT if taken else State.REFUSED)
            details = {"kind": held.pending, "version": held.version, "why": why}
            action = "keys.current" if taken else "keys.refused"
            audit.append(db, now, caller, action, held.meter, details)

    def export(self, name: str, now: Instant, caller: str, reason: str) -> MeterKeys:
        """Return a meter's keys in force for people to read; that is written down first.

        Raises:
            UsageError: the reason is empty.
            Refused: the vault has no keys of it.
        """
        if not reason.strip():
            raise UsageError("--reason: say why the keys are taken out")
        held = self._held(name)
        with self._store.begin() as db:
            details = {"reason": reason, "pending": held.pending}
            audit.append(db, now, caller, "keys.export", name, details)
        return held.keys

    def rename(self, db: Connection, meter_id: int, name: str) -> None:
        """Bind a meter's keys to another name, in the transaction that gives it that name.

        Args:
            db: the connection; the meter still has its old name.
            meter_id: the meter's row number.
            name: the new one.
        """
        meters.hold(db, meter_id)
        for row in keys.of_meter(db, meter_id):
            place = label(name, row.kind, row.version)
            wrapped = wrap(self.masters.first, self._open(row), place, self._entropy)
            keys.wrap_anew(db, row, wrapped, self.masters.first.fingerprint)

    def _held(self, name: str) -> Held:
        held = self.held(name)
        if held is None:
            raise Refused(
                f"the vault has no keys of {name}: prepay keys import {name} FILE; those of a "
                "simulated meter: prepay-sim keys > lab.keys"
            )
        return held

    def _add(
        self,
        db: Connection,
        meter_id: int,
        name: str,
        kind: Kind,
        key: bytes,
        state: State,
        now: Instant,
        identity: str | None = None,
    ) -> int:
        version = keys.next_version(db, meter_id, kind)
        master = self.masters.first
        wrapped = wrap(master, key, label(name, kind, version), self._entropy)
        row = Wrapped(meter_id, name, kind, version, state, wrapped, master.fingerprint, now)
        keys.add(db, replace(row, transaction_id=identity))
        return version

    # --- what certifies key pairs ----------------------------------------------------------------

    @property
    def authorities(self) -> "Authorities":
        """Our authorities, whose keys are under the same master keys."""
        from headend.vault.authority import Authorities

        return Authorities(self._store, self.masters, self._entropy)

    def authority(self, suite: "SecuritySuite", now: Instant, caller: str) -> "Authority":
        """Return our authority of a suite that has a curve, made where there is none yet."""
        return self.authorities.made(suite, now, caller)

    # --- the master key --------------------------------------------------------------------------

    def rewrap(
        self, now: Instant, caller: str, progress: Callable[[int], None] = lambda done: None
    ) -> int:
        """Wrap every key under the first master key; stopped anywhere, it goes on when run again.

        Args:
            now: for the audit log.
            caller: the same.
            progress: told how many keys have been wrapped, after each portion.

        Returns:
            How many keys were wrapped.

        Raises:
            Unreadable: one cannot be opened; those before it are wrapped.
        """
        first, done = self.masters.first, 0
        while True:
            with self._store.begin() as db:
                rows = keys.not_under(db, first.fingerprint, _PORTION)
                for row in rows:
                    place = label(row.meter, row.kind, row.version)
                    new = rewrap(self.masters, row.master, row.wrapped, place, self._entropy)
                    done += keys.wrap_anew(db, row, new, first.fingerprint)
                if rows:
                    details = {"master": first.fingerprint, "keys": len(rows)}
                    audit.append(db, now, caller, "keys.rewrap", "", details)
            if not rows:
                return done + self.authorities.rewrapped(now, caller)
            progress(done)

    def check(self) -> Mapping[str, int]:
        """Open every key of the database.

        Returns:
            How many keys are wrapped under each master key, by its fingerprint.

        Raises:
            Unreadable: one was changed, or no master key for it is at hand.
        """
        place = (0, "", 0)
        while True:
            with self._store.read() as db:
                rows = keys.after(db, place, _PORTION)
                count = keys.by_master(db)
            for row in rows:
                self._open(row)
            if not rows:
                return MappingProxyType(dict(Counter(count) + Counter(self.authorities.check())))
            last = rows[-1]
            place = (last.meter_id, last.kind, last.version)


def _known(db: Connection, name: str) -> int:
    """Return the row number of a meter.

    Raises:
        UsageError: there is no such meter.
    """
    meter = meters.by_name(db, name)
    if meter is None:
        raise UsageError(f"no meter of the name {name[:64]}: prepay meters lists them")
    return meter.id


def _check_settled(db: Connection, meter_id: int, name: str) -> None:
    for row in keys.of_meter(db, meter_id, State.PENDING):
        _check_pending(row, name)


def _check_pending(row: Wrapped, name: str) -> None:
    raise Refused(
        f"a new {row.kind} of {name} is pending: prepay keys rotate {name} finds out first "
        "whether the meter has it"
    )

"""Keep meters' keys in the database, wrapped; bring new ones to the meters; the master key."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec.structs import asdict

from headend.cli import with_context
from headend.context import Context
from headend.errors import Refused, UsageError
from headend.report import Report
from obis.values import replace

#: Only a rotation asks a meter.
OFFLINE = True
REACHING = ("rotate",)

#: No key file is as long.
_LARGEST_FILE = 65_536
#: The kinds that a rotation can change, as ``vault.kinds.CHANGEABLE`` has them, which takes time.
KINDS = (
    "master_key",
    "block_cipher_key",
    "authentication_key",
    "broadcast_key",
    "secret",
    "password",
    "client_signing_key",
    "client_agreement_key",
    "meter_agreement_key",
    "meter_signing_key",
)


@click.group("keys")
def command() -> None:
    """Keep meters' keys in the database, wrapped under a master key.

    The master key comes from PREPAY_MASTER_KEY_FILE, PREPAY_MASTER_KEY or the desktop's keyring.

    Example: prepay keys master new master.key; export PREPAY_MASTER_KEY_FILE=master.key

    Next: prepay keys import NAME keys.toml; then --meter NAME needs no --keys.
    """


# --- in and out ----------------------------------------------------------------------------------


@command.command("import")
@click.argument("meter_name", metavar="METER")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@with_context
def import_command(context: Context, meter_name: str, file: Path) -> Report:
    """Take the keys of FILE (TOML) in, as those that METER has.

    Example: prepay keys import OPP0000000000001 keys.toml

    Next: prepay keys rotate; and the file is deleted, the keys in it are in clear.
    """
    return take_in(context, meter_name, file)


def take_in(context: Context, meter_name: str, file: Path) -> Report:
    """Take the keys of a file in.

    Raises:
        UsageError: no such meter, no key file, or no master key.
        Refused: a rotation of the meter is under way.
    """
    from prepay.keys import KeyFileError, is_published, parse_keys

    name = _name(context, meter_name)
    try:
        with file.open("rb") as opened:
            octets = opened.read(_LARGEST_FILE + 1)
        if len(octets) > _LARGEST_FILE:
            raise UsageError(f"key file {file}: it is too long for one")
        keys = parse_keys(octets.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"key file {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"key file {file}: not a text file") from error
    except KeyFileError as error:
        raise UsageError(f"key file {file}: {error}") from error
    changed = context.vault.put(name, keys, context.now(), context.caller)
    published = is_published(keys)
    lines = [f"{name}: {len(changed)} keys taken in" if changed else f"{name}: nothing is new"]
    if published:
        lines.append("some are the lab's, which everybody knows: prepay keys rotate changes them")
    data = {"meter": name, "taken": [str(kind) for kind in changed], "published": published}
    return Report(data, lines)


@command.command("show")
@click.argument("meter_name", metavar="METER")
@with_context
def show_command(context: Context, meter_name: str) -> Report:
    """Show which keys of METER there are, with marks to tell them apart; never a key.

    Example: prepay keys show OPP0000000000001
    """
    name = _name(context, meter_name)
    listed = context.vault.listed(name)
    rows = [
        (each.kind, str(each.version), each.state.value, each.mark, _day(each.created), each.master)
        for each in listed
    ]
    return Report(
        {"meter": name, "keys": [asdict(each) for each in listed]},
        () if rows else (f"no keys of {name}: prepay keys import {name} FILE",),
        ("key", "version", "state", "mark", "created", "master key") if rows else (),
        rows,
    )


@command.command("export")
@click.argument("meter_name", metavar="METER")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--reason", required=True, help="Why; it goes into the audit log.")
@with_context
def export_command(context: Context, meter_name: str, file: Path, reason: str) -> Report:
    """Write the keys of METER in clear into FILE, which is new and yours alone.

    Example: prepay keys export OPP0000000000001 keys.toml --reason "handed to the workshop"
    """
    return take_out(context, meter_name, file, reason)


def take_out(context: Context, meter_name: str, file: Path, reason: str) -> Report:
    """Write a meter's keys in force into a new file, once that is in the audit log.

    Raises:
        UsageError: no such meter, no reason, or the file is there already.
        Refused: the vault has no keys of it.
    """
    from headend.vault.kinds import OUR_PAIRS
    from headend.vault.masters import write_private
    from prepay.keys import format_keys, is_public

    name = _name(context, meter_name)
    if file.exists():
        raise UsageError(f"{file} is there already: nothing was written")
    keys = context.vault.export(name, context.now(), context.caller, reason)
    write_private(file, format_keys(keys))
    pending = context.vault.held(name)
    lines = [f"{name}: keys in clear written to {file}"]
    data = {"meter": name, "file": str(file), "pending": pending and pending.pending}
    if pending is not None and pending.pending is not None:
        lines.append(f"a new {pending.pending} is pending: the file has the one before")
    halves = {"meter_signing_key": keys.meter.signing_key}
    halves |= {"meter_agreement_key": keys.meter.agreement_key}
    public = [kind for kind, key in halves.items() if is_public(key)]
    if public:
        lines.append(
            f"of {' and '.join(public)} the file has the public key only: the meter made the pair "
            "itself, and shows the private key to nobody"
        )
    if pending is not None and any(pending.drawn.get(kind) for kind in OUR_PAIRS):
        title = context.store.leases.system_title(context.entropy).hex().upper()
        lines.append(f"the meter knows the client's pairs by the system title {title} alone")
    return Report({**data, "public": public}, lines)


# --- rotation ------------------------------------------------------------------------------------


@command.command("rotate")
@click.argument("meter_name", metavar="[METER]", required=False)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="Only these keys.")
@click.option("--id", "identity", metavar="HEX", help="Transaction id; the same id changes once.")
@with_context
def rotate_command(
    context: Context, meter_name: str | None, kinds: Sequence[str], identity: str | None
) -> Report:
    """Bring new keys to METER: all that can be changed over the line, one after the other.

    A new key is written down before it is sent. When its answer gets lost, both are kept, and
    whatever reaches the meter next finds out which one it has. The key pairs of suites 1 and 2 go
    with certificates of our own authority (prepay keys authority).

    Example: prepay keys rotate OPP0000000000001

    Next: prepay keys show; after exit code 4, the same command again.
    """
    return rotate(context, meter_name, kinds, identity)


def rotate(
    context: Context,
    meter_name: str | None = None,
    kinds: Sequence[str] = (),
    identity: str | None = None,
) -> Report:
    """Bring new keys to a meter.

    Args:
        context: the run of the command.
        meter_name: name or EAN; None is the context's.
        kinds: of ``KINDS``; none are all.
        identity: transaction id: what was changed under it is not changed again; None draws one.

    Raises:
        UsageError: no such meter or id.
        Refused: by the meter, or the vault has no keys of it.
        NoAnswer: the meter was not reached; what was changed before stays changed.
        OutcomeUnknown: a key was sent, and its answer got lost.
    """
    from headend.plans.planning import check_id
    from headend.vault.kinds import Kind
    from headend.vault.turning import End
    from headend.vault.turning import rotate as turn
    from prepay.transactions import transaction_id

    if identity is None:
        identity = transaction_id(context.now(), context.entropy(10)).hex()
    else:
        identity = check_id(identity, context.now())
    context.set_out()
    if meter_name is not None:
        context.chosen = replace(context.chosen, meter=_name(context, meter_name))
    if context.registered is None:
        raise UsageError("which meter? prepay keys rotate METER, or --meter NAME")
    name = context.registered.name
    done = turn(context, [Kind(kind) for kind in kinds or KINDS], identity)
    lines = [f"{each.kind}: {each.end}" + (f", {each.why}" if each.why else "") for each in done]
    refused = [each for each in done if each.end is End.REFUSED]
    if refused:
        raise Refused(f"{name}: {'; '.join(lines)}")
    data = {"meter": name, "transaction": identity, "keys": [asdict(each) for each in done]}
    return Report(data, [name, *lines])


@command.command("decide")
@click.argument("meter_name", metavar="METER")
@click.option("--new/--old", "taken", default=None, help="Which key the meter has.")
@click.option("--reason", required=True, help="How you know; it goes into the audit log.")
@with_context
def decide_command(context: Context, meter_name: str, taken: bool | None, reason: str) -> Report:
    """Say which key METER has, where a new one is pending and the meter itself cannot be asked.

    Example: prepay keys decide OPP0000000000001 --old --reason "read in the workshop"
    """
    return decide(context, meter_name, reason, taken=taken)


def decide(context: Context, meter_name: str, reason: str, *, taken: bool | None) -> Report:
    """Say which key a meter has.

    Raises:
        UsageError: no such meter, or neither which nor why is said.
        Refused: none is pending, or the meter can be asked.
    """
    name = _name(context, meter_name)
    held = context.vault.held(name)
    if held is None or held.pending is None:
        raise Refused(f"no key of {name} is pending")
    if held.pending in ("meter_signing_key", "meter_agreement_key"):
        raise Refused(
            f"a new {held.pending} is made by the meter itself, which can be asked which one it "
            f"has: prepay keys rotate {name} --kind {held.pending}"
        )
    if taken is None or not reason.strip():
        raise UsageError("say which key the meter has, --new or --old, and how you know")
    context.vault.settle(held, context.now(), context.caller, taken=taken, why=reason)
    which = "new" if taken else "old"
    data = {"meter": name, "kind": held.pending, "in_force": which}
    return Report(data, (f"{name}: the {which} {held.pending} is in force",))


# --- what certifies key pairs --------------------------------------------------------------------


@command.command("authority")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--suite", type=click.Choice(["1", "2"]), help="Make it if there is none yet.")
@with_context
def authority_command(context: Context, file: Path | None, suite: str | None) -> Report:
    """Show our authority, which certifies key pairs of suites 1 and 2; its certificate into FILE.

    The first rotation of a key pair makes it, and meters that know no authority take it then. FILE
    is new, and is written as PEM.

    Example: prepay keys authority --suite 1 authority.pem
    """
    from headend.commands._authority import authority

    return authority(context, file, None if suite is None else int(suite))


# --- the master key ------------------------------------------------------------------------------


@command.command("rewrap")
@with_context
def rewrap_command(context: Context) -> Report:
    """Wrap all keys under the first of the master keys at hand.

    Stopped anywhere, it goes on when it is run again; meters can be reached meanwhile.

    Example: prepay keys master new master.key --add; prepay keys rewrap

    Next: prepay keys master check; then the old master key is taken out of the file.
    """
    done = context.vault.rewrap(context.now(), context.caller)
    first = context.vault.masters.first.fingerprint
    return Report({"wrapped": done, "master": first}, (f"{done} keys wrapped under {first}",))


@command.command("master")
@click.argument("what", metavar="new|check", type=click.Choice(["new", "check"]))
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--keyring", "desktop", is_flag=True, help="Into the desktop's keyring.")
@click.option("--add", is_flag=True, help="Before the master keys that are there.")
@with_context
def master_command(
    context: Context, what: str, file: Path | None, desktop: bool, add: bool
) -> Report:
    """Make a master key, in FILE or the keyring; or check that it opens every key.

    Who loses the master key loses the meters' keys: keep a copy of it away from the database.

    Example: prepay keys master new master.key
    """
    if what == "check":
        if file is not None or desktop or add:
            raise UsageError("check looks where every command does: it takes neither FILE nor more")
        return check(context)
    if (file is None) is not desktop:
        raise UsageError("say where the new master key goes: FILE, or --keyring")
    return make(context, file, add=add)


def make(context: Context, file: Path | None, *, add: bool) -> Report:
    """Make a master key.

    Args:
        context: the run of the command.
        file: where it goes; None is the keyring.
        add: it is put before those that are there; else there must be none.

    Raises:
        UsageError: there is one already, or it cannot be written.
    """
    from headend.vault import masters

    key = masters.new_master(context.entropy)
    where = "the keyring" if file is None else str(file)
    if file is None:
        known = masters.from_keyring()
        if (known is not None) is not add:
            wrong = "it has none to add to" if add else "it has one already; --add puts one before"
            raise UsageError(f"the keyring: {wrong}")
        masters.into_keyring((key, *(known.keys if known else ())))
    elif add:
        masters.put_before(file, key)
    else:
        masters.write_private(file, masters.text_of((key,)))
    lines = [f"master key {key.fingerprint} in {where}; keep a copy away from the database"]
    if add:
        lines.append("prepay keys rewrap wraps all keys under it")
    return Report({"master": key.fingerprint, "where": where}, lines)


def check(context: Context) -> Report:
    """Open every key in the database.

    Raises:
        Refused: one cannot be opened.
    """
    vault = context.vault
    found = vault.check()
    at_hand = [key.fingerprint for key in vault.masters.keys]
    lines = [
        f"from {vault.masters.source}: {', '.join(at_hand)}",
        *(f"{count} keys under {master}: all of them open" for master, count in found.items()),
    ]
    if any(master != at_hand[0] for master in found):
        lines.append("prepay keys rewrap wraps all under the first")
    data = {"source": vault.masters.source, "at_hand": at_hand, "keys": dict(found)}
    return Report(data, lines)


def _name(context: Context, text: str) -> str:
    """Return the name of a meter of the registry, which may be given by its EAN.

    Raises:
        UsageError: there is none.
    """
    from headend.registry.finding import find

    with context.store.read() as db:
        return find(db, text).name


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="seconds")

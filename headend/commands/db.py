"""Look after the database: upgrade, check, back up, restore, take balances over."""

from pathlib import Path

import click

from headend.cli import with_context
from headend.context import Context
from headend.errors import ExitCode
from headend.report import Report, plural

#: No meter is asked ...
OFFLINE = True
#: ... except for what it holds.
REACHING = ("adopt",)
DURABLE = False

#: So many findings are shown; more of them say nothing more.
_SHOWN = 100


@click.group("db")
def command() -> None:
    """Look after the database: upgrade, check, back up, restore, take balances over.

    It is one SQLite file, or PostgreSQL: --db postgresql://USER:PASSWORD@HOST/DATABASE.

    Example: prepay db check
    """


@command.command("upgrade")
@with_context
def upgrade_command(context: Context) -> Report:
    """Make the tables of this version, or bring older ones up to date.

    Every command does so when it has to; this one does nothing else.

    Example: prepay --db postgresql://prepay@localhost/prepay db upgrade
    """
    return upgrade(context)


def upgrade(context: Context) -> Report:
    """Bring the database up to date; opening it has done so.

    Raises:
        StoreError: it cannot be used.
    """
    from headend.store.dialects import whereabouts
    from headend.store.opening import revision

    with context.store.read() as db:
        now = revision(db)
    where = whereabouts(context.store.url)
    return Report({"database": where, "revision": now}, (f"{where} is at revision {now}",))


@command.command("check")
@with_context
def check_command(context: Context) -> Report:
    """Check the file, and that the books obey the laws of the ledger.

    A line for each finding, and exit code 1 when there is one. Nothing is repaired: a backup can
    be restored, and what the meters have since can be adopted.

    Example: prepay db check
    """
    return check(context)


def check(context: Context) -> Report:
    """Check the database; its exit code is 1 where there are findings.

    Raises:
        StoreError: it cannot even be read.
    """
    from headend.store import laws
    from headend.store.dialects import whereabouts

    with context.store.read() as db:
        found = laws.check(db, context.now())
    where = whereabouts(context.store.url)
    told = [{"law": f.law, "subject": f.subject, "found": f.said} for f in found]
    lines = [f"{f.law}: {f.subject} {f.said}" for f in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more")
    if not found:
        lines = [f"{where}: nothing is wrong"]
    code = ExitCode.REFUSED if found else ExitCode.DONE
    return Report({"database": where, "findings": told}, lines, exit_code=int(code))


@command.command("backup")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@with_context
def backup_command(context: Context, file: Path) -> Report:
    """Write a copy of the database to FILE, while it is in use.

    Keep it as you keep the ledger: with the wrapped keys of the meters in it.

    Example: prepay db backup prepay-2026-11-22.backup
    """
    return backup(context, file)


def backup(context: Context, file: Path) -> Report:
    """Write a copy of the database.

    Raises:
        UsageError, Refused: see ``maintenance``.
    """
    from headend.store import maintenance

    octets = maintenance.backup(context.store, file)
    return Report({"file": str(file), "octets": octets}, (f"{file}: {octets} octets",))


@command.command("restore")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Give up what the database has now.")
@with_context
def restore_command(context: Context, file: Path, overwrite: bool) -> Report:
    """Bring a backup back: all of it, or nothing is changed.

    No worker may be running. The meters have gone on since the backup: what is open is found out
    by prepay settle (for all: prepay campaign start --query life=in-service settle), and a
    central meter that holds a newer balance wants prepay db adopt.

    Example: prepay db restore prepay-2026-11-22.backup --overwrite
    """
    return restore(context, file, overwrite=overwrite)


def restore(context: Context, file: Path, *, overwrite: bool = False) -> Report:
    """Bring a backup back.

    Raises:
        UsageError, Refused: see ``maintenance``.
    """
    from headend.store import audit, maintenance, meters
    from headend.store.opening import default_url, parse_url

    maintenance.restore(parse_url(context.settings.db or default_url()), file, overwrite=overwrite)
    with context.store.begin() as db:
        known = len(meters.every(db))
        audit.append(db, context.now(), context.caller, "db.restore", file.name, {"meters": known})
    lines = (
        f"restored, with {plural(known, 'meter')}",
        "what came after the backup: prepay campaign start --query life=in-service settle, or "
        "prepay settle for each meter; prepay db adopt where a meter holds a newer balance",
    )
    return Report({"file": str(file), "meters": known}, lines)


@command.command("adopt")
@click.option(
    "--register", type=click.IntRange(0), metavar="WH",
    help="Take it as priced up to here, where that cannot be proven.",
)  # fmt: skip # one option
@with_context
def adopt_command(context: Context, register: int | None) -> Report:
    """Take over a balance that the meter holds and nobody here knows.

    For a meter in central mode, after an older database was restored. The meter's log proves what
    was paid and priced since, and each order is written down under its own id; where it does not,
    --register says up to where energy is paid for. Never while another head-end keeps the balance:
    both would.

    Example: prepay --meter OPP0000000000017 db adopt

    Next: prepay ledger shows what was written down.
    """
    return adopt(context, register)


def adopt(context: Context, register: int | None = None) -> Report:
    """Take over what the meter at the context's port holds.

    Raises:
        Refused: it cannot be proven, or there is nothing to take over; nothing was changed.
        NoAnswer, OutcomeUnknown: see there.
    """
    from headend import adopting
    from headend.line import open_line

    with open_line(context) as line:
        found = adopting.adopt(line, register)
        if found is None:
            words = f"{line.meter.name}: this database knows of all that the meter holds"
            return Report({"meter": line.meter.name, "adopted": False}, (words,))
        data = {
            "meter": line.meter.name,
            "adopted": True,
            "sequence": found.sequence,
            "before": line.decimal(found.before),
            "balance": line.decimal(found.after),
            "priced_wh": found.priced,
            "orders": [
                {"transaction": each.id, "kind": each.kind.value, "amount": each.amount}
                for each in found.orders
            ],
        }
        lines = [
            f"{line.meter.name}: balance {line.money(found.before)} is now "
            f"{line.money(found.after)}, snapshot {found.sequence}, priced to {found.priced} Wh",
            *(f"{each.kind.value} {line.money(each.amount)}, transaction {each.id}"
              for each in found.orders),
        ]  # fmt: skip # a line each
        return Report(data, lines)

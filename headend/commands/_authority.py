"""Our authority for key pairs of suites 1 and 2: shown, and its certificate written to a file."""

from pathlib import Path

from headend.context import Context
from headend.errors import UsageError
from headend.report import Report
from headend.times import utc


def authority(context: Context, file: Path | None = None, suite: int | None = None) -> Report:
    """Show our authorities.

    Args:
        context: the run of the command.
        file: where the certificate of the suite goes; None is nowhere.
        suite: 1 or 2; None shows those that there are.

    Raises:
        UsageError: which one goes into the file is not said, or the file cannot be written.
    """
    from headend.vault.authority import SUITES, pem
    from headend.vault.masters import write_private

    if file is not None and suite is None:
        raise UsageError("which authority goes into the file? --suite 1 or 2")
    known = context.vault.authorities
    if suite is None:
        found = [one for one in map(known.find, SUITES) if one is not None]
    else:
        found = [known.made(SUITES[suite - 1], context.now(), context.caller)]
    if file is not None:
        write_private(file, pem(found[0].certificate))
    rows = [(str(int(one.suite)), one.name, one.fingerprint, utc(one.created)) for one in found]
    told = [
        {
            "suite": int(one.suite),
            "name": one.name,
            "sha256": one.fingerprint,
            "created": one.created,
            "certificate": one.certificate.octets.hex(),
        }
        for one in found
    ]
    lines = [f"its certificate is in {file}"] if file is not None else []
    if not found:
        lines = ["none yet: the first rotation of a key pair makes it, and so does --suite"]
    heading = ("suite", "name", "SHA-256 of its certificate", "made") if rows else ()
    return Report({"authorities": told, "file": file and str(file)}, lines, heading, rows)

"""``python -m tests.kill``: run a campaign, or go on with one, and print what came of it."""

import argparse
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.kill import plan
from tests.kill.campaign import Campaign, Failed, draw
from tests.kill.checker import Audit
from tests.kill.plan import Plan


def main() -> int:
    """Run what the command line says; return 0 when nothing was found."""
    words = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    words.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    words.add_argument("--folder", type=Path, help="where it is; one that was broken off goes on")
    words.add_argument("--topups", type=int, default=5_000)
    words.add_argument("--meters", type=int, default=24)
    words.add_argument("--kills", type=int, default=30, help="of each victim at each point")
    words.add_argument("--sessions", type=int, default=8)
    given = words.parse_args()
    folder = (given.folder or Path("build/kill") / given.store).absolute()
    if (folder / "finished").exists():
        shutil.rmtree(folder)
    found = plan.load(folder)
    if found is None:
        found = draw(folder, given.store, given.topups, given.meters, given.kills, given.sessions)
    print(f"{found.store}, {len(found.payments)} top-ups, in {folder}", flush=True)
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        campaign = Campaign(folder, found, lambda line: print(line, flush=True))
        audited = campaign.run()
    except Failed as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    short = report(folder, campaign.plan, audited, time.monotonic() - begun)
    if audited.findings or short:
        return 1
    (folder / "finished").touch()
    if campaign.plan.server:
        shutil.rmtree(campaign.plan.server)
    return 0


def report(folder: Path, found: Plan, audited: Audit, seconds: float) -> bool:
    """Print the table of a campaign; return whether a kill is missing."""
    kills = plan.lines(folder / "kills.jsonl")
    counts = {
        (victim, point): sum(each["victim"] == victim and each["point"] == point for each in kills)
        for victim in found.kills
        for point in found.points
    }
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {found.store}, {seconds:.0f} s\n")
    print(f"| killed (-9) | {' | '.join(found.kills)} |")
    print("|---|" + "---|" * len(found.kills))
    for point in found.points:
        print(f"| {point} | {' | '.join(str(counts[v, point]) for v in found.kills)} |")
    print()
    for name, figure in audited.figures.items():
        print(f"{name:>10}  {figure}")
    print(f"{'findings':>10}  {len(audited.findings)}")
    for finding in audited.findings[:40]:
        print(f"  {finding}")
    return any(counts[v, p] < wanted for v, wanted in found.kills.items() for p in found.points)


if __name__ == "__main__":
    sys.exit(main())

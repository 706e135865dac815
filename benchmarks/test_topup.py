"""A whole top-up session: the head-end's own command against the whole kernel, in memory.

From a closed port to a closed port: link, association by HLS-GMAC, the reads that tell who the
meter is, the order with its commit to flash, the booking in SQLite, and the release. The lab's
meter answers in no time, so this is what our own code costs. No peer has prepayment.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.comparing import Ratios, Row
from benchmarks.peers.timing import clock
from headend.commands.activate import activate
from headend.commands.topup import top_up
from headend.store import Store
from headend.transports import LinkKind
from tests.headend.bench import Bench, Loss, Standing

pytestmark = pytest.mark.benchmark(group="top-up", timer=clock)

AMOUNTS = {"be-wal": "25.00", "il": "150.00"}
MODES = {"be-wal": "central mode", "il": "local mode"}
LINKS = {LinkKind.HDLC: "HDLC", LinkKind.WRAPPER: "the wrapper"}
SESSIONS = 15


@pytest.fixture
def store() -> Iterator[Store]:
    """A head-end's database in memory."""
    made = Store("sqlite://")
    yield made
    made.close()


def prepared(profile: str, kind: LinkKind) -> Standing:
    """Return where a session begins: a meter that is prepaid and known."""
    bench = Bench(profile, kind)
    activate(bench.context())
    standing = bench.save()
    bench.close()
    return standing


@pytest.mark.parametrize("kind", LINKS, ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize("profile", AMOUNTS)
def test_top_up(benchmark: Any, ratios: Ratios, store: Store, profile: str, kind: LinkKind) -> None:
    """Each session begins at the same standing, so that no memory grows with the rounds."""
    standing = prepared(profile, kind)

    def begin() -> tuple[tuple[Bench], dict[str, Any]]:
        return (Bench(profile, kind, standing, Loss(), store),), {}

    def session(bench: Bench) -> None:
        top_up(bench.context(), AMOUNTS[profile])

    benchmark.pedantic(session, setup=begin, rounds=SESSIONS, warmup_rounds=1)
    if benchmark.stats is not None:
        name = f"top-up over {LINKS[kind]}, {MODES[profile]}"
        ratios.rows.append(Row(name, benchmark.stats.stats.median, {}))

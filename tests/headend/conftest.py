"""The meters and databases that most tests of the head-end begin with."""

from collections.abc import Iterator

import pytest

from headend.store import Store
from headend.transports import LinkKind
from tests.headend.accounts import paid
from tests.headend.bench import Bench, Standing


@pytest.fixture
def wal() -> Iterator[Bench]:
    """A Walloon meter (central mode) on a Tuesday at noon in November, over the wrapper."""
    bench = Bench("be-wal", LinkKind.WRAPPER)
    yield bench
    bench.close()


@pytest.fixture
def il() -> Iterator[Bench]:
    """An Israeli meter (local mode) at the same moment, over HDLC."""
    bench = Bench("il", LinkKind.HDLC)
    yield bench
    bench.close()


@pytest.fixture(scope="module", params=["be-wal", "il"])
def standing(request: pytest.FixtureRequest) -> tuple[str, Standing]:
    """A profile, and where its meter and head-end stand with 100.00 paid; in either mode."""
    bench = paid(request.param)
    saved = bench.save()
    bench.close()
    return request.param, saved


@pytest.fixture
def prepaid(standing: tuple[str, Standing]) -> Iterator[Bench]:
    """A meter that is prepaid, with 100.00 paid: in central mode, and in local mode."""
    bench = Bench(standing[0], LinkKind.WRAPPER, standing[1])
    yield bench
    bench.close()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty database of each kind."""
    opened = Store(database)
    yield opened
    opened.close()

"""What all tests share: how hypothesis runs, and how long.

``HYPOTHESIS_PROFILE=soak`` makes every property that leaves the number of its examples to the
profile, and every campaign of hostile octets, fifty times as long.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Postgres, server

os.environ.pop("COLUMNS", None)  # whoever runs the tests has a width; tables have that of a pipe

SOAK = 50
#: How long an example takes says more of the machine than of the code: no deadline.
settings.register_profile("default", derandomize=False, deadline=None, print_blob=True)
settings.register_profile("soak", settings.get_profile("default"), max_examples=100 * SOAK)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, then those of many tests.

    ``make`` gives a file to one worker, for what its tests share: a process, a peer's report. In
    this order none has much to do still when the others have ended.
    """
    tests = Counter(item.path for item in items)
    long = {item.path for item in items if any(map(item.get_closest_marker, ("spread", "interop")))}
    items.sort(key=lambda item: (item.path not in long, -tests[item.path], item.path))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the tests' own, which does not wait for the disk."""
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a new database with all tables: what uses it runs on both kinds."""
    if request.param == "sqlite":
        yield str(tmp_path / "headend.db")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.database()
    yield url
    postgres.drop(url)

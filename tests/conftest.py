"""What all tests share: how hypothesis runs, and how long.

``HYPOTHESIS_PROFILE=soak`` makes every property that leaves the number of its examples to the
profile, and every campaign of hostile octets, fifty times as long.
"""

import os

import pytest
from hypothesis import settings

SOAK = 50
#: How long an example takes says more of the machine than of the code: no deadline.
settings.register_profile("default", derandomize=False, deadline=None, print_blob=True)
settings.register_profile("soak", settings.get_profile("default"), max_examples=100 * SOAK)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, for what they share; long ones may go anywhere."""
    for item in items:
        if item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))

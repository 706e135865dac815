"""How often a top-up goes to and fro: each time costs both sides, and on a slow line a second."""

import pytest

from headend.commands.activate import activate
from headend.commands.topup import top_up
from headend.transports import LinkKind
from tests.headend.bench import Bench
from tests.headend.unplugged import Unplugged

_PLENTY = 100


@pytest.mark.parametrize(
    ("profile", "amount", "requests"),
    [
        # AARQ, HLS pass 3, what has to be known, the snapshot, RLRQ
        ("be-wal", "25.00", 5),
        # ... the token, and the meter's own balance afterwards
        ("il", "100.00", 6),
    ],
)
def test_a_top_up_takes_few_requests(profile: str, amount: str, requests: int) -> None:
    """Name, clock, state and snapshot are asked at once of a meter that was met before."""
    own = Bench(profile, LinkKind.WRAPPER)
    activate(own.context())
    line = Unplugged(own, _PLENTY)
    report = top_up(line.context(), amount)
    assert report.data["state"] == "done"
    assert _PLENTY - line.writes == requests
    own.close()

"""A meter's life in the registry, as a table.

    met ---> registered ---> commissioned ---> in-service <---> out-of-service
                 ^                                 |                  |
                 '------------------- retired <----+------------------'

| life | what it means | spoken to | money |
|---|---|---|---|
| met | it answered at a port; nobody registered it | yes | yes |
| registered | known from paper; it has not answered under its keys | yes | no |
| commissioned | it has answered its management client, as itself | yes | yes |
| in-service | it supplies a customer | yes | yes |
| out-of-service | taken out for a while: a repair, a dispute, an empty house | yes | no |
| retired | its life is over; what was booked stays | no | no |

Two steps are taken by themselves: the first management session of a registered meter commissions
it, in the same database transaction that notes where it was met, so no payment is ever refused
for want of a step by hand; and an activation of prepayment that is done puts a commissioned meter
into service. Every other step is a person's.

"No money" is checked where an order is written down, before anything is sent: what was ordered
earlier still comes to its end, in every life in which the meter is spoken to. So a meter is
retired only when nothing is open with it and prepayment is off, unless its owner insists: one
that burnt cannot be asked any more. A retired meter that comes back from the workshop is
registered anew, and keeps its books. A meter never goes back to "met": it stays in the registry.
"""

from collections.abc import Mapping
from enum import StrEnum

from headend.errors import Refused


class Life(StrEnum):
    """How far a meter's life has come."""

    MET = "met"
    REGISTERED = "registered"
    COMMISSIONED = "commissioned"
    IN_SERVICE = "in-service"
    OUT_OF_SERVICE = "out-of-service"
    RETIRED = "retired"


#: What may follow each life; itself always may.
STEPS: Mapping[Life, tuple[Life, ...]] = {
    Life.MET: (Life.REGISTERED, Life.COMMISSIONED, Life.IN_SERVICE, Life.RETIRED),
    Life.REGISTERED: (Life.COMMISSIONED, Life.IN_SERVICE, Life.RETIRED),
    Life.COMMISSIONED: (Life.REGISTERED, Life.IN_SERVICE, Life.OUT_OF_SERVICE, Life.RETIRED),
    Life.IN_SERVICE: (Life.OUT_OF_SERVICE, Life.RETIRED),
    Life.OUT_OF_SERVICE: (Life.IN_SERVICE, Life.RETIRED),
    Life.RETIRED: (Life.REGISTERED,),
}
#: Lives in which no new order that moves money is taken.
NO_MONEY = (Life.REGISTERED, Life.OUT_OF_SERVICE, Life.RETIRED)
#: Orders that move none, by their kind in ``store.transactions``: any other does.
MOVES_NOTHING = ("arm", "customer", "withdraw", "cancel", "disconnect", "connect")

_WAY_ON = {
    Life.REGISTERED: "it has not answered yet: prepay --meter {name} status makes its acquaintance",
    Life.OUT_OF_SERVICE: "prepay meters set {name} --life in-service, then again",
    Life.RETIRED: "prepay ledger --meter {name} still shows its books",
}


def check_step(name: str, before: str, after: str) -> None:
    """Refuse a step that a life does not take.

    Raises:
        Refused: there is no such step; the message says which there are.
    """
    if before == after or after in STEPS[Life(before)]:
        return
    ways = ", ".join(STEPS[Life(before)])
    raise Refused(f"{name} is {before}, from where it does not become {after}, only {ways}")


def check_reachable(name: str, life: str) -> None:
    """Refuse to speak to a meter whose life is over.

    Raises:
        Refused: it is retired.
    """
    if life == Life.RETIRED:
        raise Refused(f"{name} is retired: {_WAY_ON[Life.RETIRED].format(name=name)}")


def check_order(name: str, life: str, kind: str) -> None:
    """Refuse a new order that moves money, where a life has no money.

    Args:
        name: of the meter.
        life: of the meter.
        kind: of the order, as ``store.transactions.Order`` names it.

    Raises:
        Refused: not in this life.
    """
    if life in NO_MONEY and kind not in MOVES_NOTHING:
        why = _WAY_ON[Life(life)].format(name=name)
        raise Refused(f"{name} is {life}, so no money moves: {why}")

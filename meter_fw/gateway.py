"""Token gateway (class 115): a token in, a post and its id in one record, then the answer.

How a token ends, in ``token_status`` (whose bit string is the `Outcome`) and in the answer:

| token | status code | outcome | answer |
|---|---|---|---|
| not of this form | 4 format failed | TOKEN_FALSE | other-reason |
| another meter's, garbled | 5 authentication failed | TOKEN_FALSE | other-reason |
| used before | 6 validation failed | TOKEN_USED | other-reason |
| older than what is remembered | 6 validation failed | TOO_OLD | other-reason |
| in central mode, or prepayment off | 7 execution failed | WRONG_MODE, NOT_ACTIVE | other-reason |
| takes the balance beyond 32 bits | 7 execution failed | AMOUNT_OUT_OF_RANGE | other-reason |
| taken | 3 execution ok | DONE | success |

Only a token that was taken has its id remembered, so a refused one may be entered again later.
"""

from dataclasses import dataclass, replace

from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MAX_TOKEN, Gateway, MeterState
from meter_fw.transactions import Done, Order, fits, forgotten, recall, remember
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from prepay.cut import BalanceMode
from prepay.tokens import lab
from prepay.transactions import Kind, Outcome
from protocol.codes import DataAccessResult
from protocol.cosem.token_gateway import TOKEN_GATEWAY, DeliveryMethod, TokenStatusCode


@dataclass(frozen=True, slots=True)
class _Verdict:
    code: TokenStatusCode
    outcome: Outcome
    state: MeterState


def enter(view: View, octets: bytes) -> Change:
    """Return what entering a token comes to."""
    verdict = _take(view, octets)
    kept = octets[:MAX_TOKEN]
    gateway = Gateway(
        kept.ljust(MAX_TOKEN, b"\0"), len(kept), view.clock, verdict.code, verdict.outcome
    )
    done = verdict.outcome is Outcome.DONE
    return Change(
        replace(verdict.state, gateway=gateway),
        DataAccessResult.SUCCESS if done else DataAccessResult.OTHER_REASON,
    )


def _take(view: View, octets: bytes) -> _Verdict:
    factory, state = view.factory, view.state
    try:
        token = lab.decode(factory.keys.token_key, factory.name.encode("ascii"), octets)
    except lab.TokenMalformed:
        return _Verdict(TokenStatusCode.FORMAT_FAILED, Outcome.TOKEN_FALSE, state)
    except lab.TokenFalse:
        return _Verdict(TokenStatusCode.AUTHENTICATION_FAILED, Outcome.TOKEN_FALSE, state)
    if recall(state, token.id) is not None:
        return _Verdict(TokenStatusCode.VALIDATION_FAILED, Outcome.TOKEN_USED, state)
    if forgotten(state, token.id):
        return _Verdict(TokenStatusCode.VALIDATION_FAILED, Outcome.TOO_OLD, state)
    refusal = _refusal(view, token.amount)
    if refusal is not None:
        return _Verdict(TokenStatusCode.EXECUTION_FAILED, refusal, state)
    totals = replace(state.totals, paid=state.totals.paid + token.amount)
    done = Done(replace(state, totals=totals), Outcome.DONE, token.amount)
    order = Order(token.id, Kind.TOKEN, content=0)
    return _Verdict(TokenStatusCode.EXECUTION_OK, Outcome.DONE, remember(view, order, done))


def _refusal(view: View, amount: int) -> Outcome | None:
    if view.factory.profile.mode is BalanceMode.CENTRAL:
        return Outcome.WRONG_MODE
    if not view.state.account.active:
        return Outcome.NOT_ACTIVE
    if not fits(view.state.totals.balance + amount):
        return Outcome.AMOUNT_OUT_OF_RANGE
    return None


def _token(view: View) -> bytes:
    """The last token, as far as it is kept."""
    return view.state.gateway.token[: view.state.gateway.length]


def objects() -> tuple[CosemObject, ...]:
    """Return the token gateway."""
    return (
        CosemObject(
            TOKEN_GATEWAY,
            catalogue.TOKEN_GATEWAY,
            {
                2: Attribute(_token, READERS),
                3: Attribute(lambda view: view.stamp(view.state.gateway.time), READERS),
                4: Attribute(lambda view: [b"lab"], READERS),
                5: Attribute(lambda view: DeliveryMethod.REMOTE, READERS),
                6: Attribute(
                    lambda view: (
                        view.state.gateway.status,
                        f"{view.state.gateway.outcome:08b}",
                    ),
                    READERS,
                ),
            },
            {1: Method(enter, Role.MANAGEMENT)},
        ),
    )

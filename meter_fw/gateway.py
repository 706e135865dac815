"""Token gateway (class 115): a token in, a post and its id in one record, then the answer.

How a token ends, in ``token_status`` (whose bit string is the `Outcome`), in the token log and in
the answer, whether it came over the line or was keyed in, and whatever its scheme:

| token | status code | outcome | answer |
|---|---|---|---|
| not of this form | 4 format failed | TOKEN_FALSE | other-reason |
| another meter's, garbled | 5 authentication failed | TOKEN_FALSE | other-reason |
| used before | 6 validation failed | TOKEN_USED | other-reason |
| older than what is remembered | 6 validation failed | TOO_OLD | other-reason |
| in central mode, or prepayment off | 7 execution failed | WRONG_MODE, NOT_ACTIVE | other-reason |
| above the greatest top-up | 7 execution failed | OVER_MAX_TOP_UP | other-reason |
| takes the balance above its greatest | 7 execution failed | OVER_MAX_CREDIT | other-reason |
| takes the balance beyond 32 bits | 7 execution failed | AMOUNT_OUT_OF_RANGE | other-reason |
| taken | 3 execution ok | DONE | success |

Only a token that was taken has its id remembered, so a refused one may be entered again later.
The checks are made in the order of the table. What was typed is answered by the display alone.
"""

from typing import Any

from msgspec import Struct

from meter_fw import money
from meter_fw.money_state import TOKENS_KEPT, TokenRecord
from meter_fw.ordering import Done, Order, central, clamp, fits
from meter_fw.profile_generic import Column, profile_generic
from meter_fw.server import Attribute, CosemObject, Method
from meter_fw.state import MAX_TOKEN, Gateway, MeterState
from meter_fw.transactions import forgotten, recall, remember
from meter_fw.view import READERS, Change, Role, View
from obis import catalogue
from prepay.purse import top_up
from prepay.tokens import scheme
from prepay.tokens.errors import TokenFalse, TokenMalformed
from prepay.tokens.scheme import Token
from prepay.topup import CreditTooLarge, TopUpError, TopUpTooLarge
from prepay.transactions import ID_LENGTH, Kind, Outcome
from protocol.codes import DataAccessResult
from protocol.cosem import vendor_shown
from protocol.cosem.data import DATA
from protocol.cosem.token_gateway import TOKEN_GATEWAY, DeliveryMethod, TokenStatusCode
from protocol.cosem.types import DATE_TIME


class _Verdict(Struct, frozen=True):
    """What becomes of a token.

    Args:
        code: how far it came.
        outcome: what came of it.
        state: after it, without its record.
        token: what it says, where it is true.
        credited: what came to the balance, minor units.
    """

    code: TokenStatusCode
    outcome: Outcome
    state: MeterState
    token: Token | None = None
    credited: int = 0


def enter(view: View, octets: bytes) -> Change:
    """Return what entering a token over the line comes to."""
    verdict = _take(view, octets)
    state = _record(view, verdict, octets, DeliveryMethod.REMOTE)
    done = verdict.outcome is Outcome.DONE
    return Change(state, DataAccessResult.SUCCESS if done else DataAccessResult.OTHER_REASON)


def key_in(view: View, text: str) -> MeterState:
    """Return what a token comes to that somebody has typed, as a person types it."""
    try:
        octets = scheme.typed(text)
    except TokenMalformed:
        octets = text.encode("ascii", "replace")
        malformed = TokenStatusCode.FORMAT_FAILED
        verdict = _Verdict(malformed, Outcome.TOKEN_FALSE, view.state)
    else:
        verdict = _take(view, octets)
    return _record(view, verdict, octets, DeliveryMethod.MANUAL)


def _record(view: View, verdict: _Verdict, octets: bytes, delivery: DeliveryMethod) -> MeterState:
    """Return the state with a token in the gateway's attributes and in the token log."""
    state, kept = verdict.state, octets[:MAX_TOKEN]
    gateway = Gateway(
        kept.ljust(MAX_TOKEN, b"\0"), len(kept), view.clock, verdict.code, verdict.outcome
    )
    log = state.tokens
    row = TokenRecord(
        number=log[-1].number + 1 if log else 0,
        time=view.clock,
        id=verdict.token.id if verdict.token else bytes(ID_LENGTH),
        delivery=delivery,
        status=verdict.code,
        outcome=verdict.outcome,
        gross=verdict.token.amount if verdict.token else 0,
        credited=clamp(verdict.credited),
    )
    older = [each for each in log if each.number > row.number - TOKENS_KEPT]
    return state.but(gateway=gateway, tokens=(*older, row))


def _take(view: View, octets: bytes) -> _Verdict:
    factory, state = view.factory, view.state
    try:
        token = scheme.decode(factory.keys.token_key, factory.name.encode("ascii"), octets)
    except TokenMalformed:
        return _Verdict(TokenStatusCode.FORMAT_FAILED, Outcome.TOKEN_FALSE, state)
    except TokenFalse:
        return _Verdict(TokenStatusCode.AUTHENTICATION_FAILED, Outcome.TOKEN_FALSE, state)
    if recall(state, token.id) is not None:
        return _Verdict(TokenStatusCode.VALIDATION_FAILED, Outcome.TOKEN_USED, state, token)
    if forgotten(state, token.id):
        return _Verdict(TokenStatusCode.VALIDATION_FAILED, Outcome.TOO_OLD, state, token)
    return _execute(view, token)


def _execute(view: View, token: Token) -> _Verdict:
    """Share a payment out, and remember its id with it."""
    state = view.state

    def refused(outcome: Outcome) -> _Verdict:
        return _Verdict(TokenStatusCode.EXECUTION_FAILED, outcome, state, token)

    if central(view):
        return refused(Outcome.WRONG_MODE)
    if not state.account.active:
        return refused(Outcome.NOT_ACTIVE)
    purse, advanced = money.purse_of(state), state.account.emergency_selected
    try:
        paid = top_up(view.rules, purse, token.amount, view.clock, advanced=advanced)
    except TopUpTooLarge:
        return refused(Outcome.OVER_MAX_TOP_UP)
    except CreditTooLarge:
        beyond = not fits(purse.balance + token.amount)
        return refused(Outcome.AMOUNT_OUT_OF_RANGE if beyond else Outcome.OVER_MAX_CREDIT)
    except TopUpError:
        return refused(Outcome.AMOUNT_OUT_OF_RANGE)
    done = Done(money.with_purse(state, paid.purse), Outcome.DONE, token.amount)
    state = remember(view, Order(token.id, Kind.TOKEN, content=0), done)
    return _Verdict(TokenStatusCode.EXECUTION_OK, Outcome.DONE, state, token, paid.credited)


def _token(view: View) -> bytes:
    """The last token, as far as it is kept."""
    return view.state.gateway.token[: view.state.gateway.length]


def _delivery(view: View) -> int:
    log = view.state.tokens
    return log[-1].delivery if log else DeliveryMethod.REMOTE


def _values(row: TokenRecord) -> tuple[Any, ...]:
    return (row.id, row.delivery, row.status, int(row.outcome), row.gross, row.credited)


def _last(view: View) -> tuple[Any, ...]:
    log = view.state.tokens
    return _values(log[-1] if log else TokenRecord())


def _log(view: View) -> list[tuple[Any, ...]]:
    return [(view.stamp(row.time), *_values(row)) for row in view.state.tokens]


def objects() -> tuple[CosemObject, ...]:
    """Return the token gateway and its log."""
    columns = [
        Column(1, catalogue.LAST_TOKEN, 2, kind, place)
        for place, (_, kind) in enumerate(vendor_shown.TOKEN_TYPE.fields, start=1)
    ]
    return (
        CosemObject(
            TOKEN_GATEWAY,
            catalogue.TOKEN_GATEWAY,
            {
                2: Attribute(_token, READERS),
                3: Attribute(lambda view: view.stamp(view.state.gateway.time), READERS),
                4: Attribute(lambda view: [each.name.encode() for each in scheme.SCHEMES], READERS),
                5: Attribute(_delivery, READERS),
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
        CosemObject(
            DATA.typed(value=vendor_shown.TOKEN_TYPE),
            catalogue.LAST_TOKEN,
            {2: Attribute(_last, READERS)},
        ),
        profile_generic(
            catalogue.TOKEN_LOG,
            columns=(Column(8, catalogue.CLOCK, 2, DATE_TIME), *columns),
            rows=_log,
            entries=TOKENS_KEPT,
            readers=READERS,
        ),
    )

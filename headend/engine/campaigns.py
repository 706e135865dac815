"""Campaigns: one command for many meters, queued whole or not at all."""

import json
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

import click
from msgspec import Struct

from headend.context import Context
from headend.engine.arguments import IDENTITY, METER, Durable, durable, freeze, rehearse
from headend.engine.queueing import Terms, check_terms, prepared, told_of, whoami
from headend.engine.states import State
from headend.engine.typed import typed
from headend.engine.views import DIGITS, LEAST
from headend.engine.wake import wake, wake_with
from headend.errors import ExitCode, HeadendError, Refused, UsageError
from headend.registry.meters import Selection, select
from headend.report import Report, show_aside
from headend.store import audit, campaigns, commands, meters
from headend.store.campaigns import Campaign
from headend.store.connection import Connection
from headend.times import utc
from prepay.transactions import transaction_id

#: Seconds from one look at a campaign that is watched to the next.
_LOOK = 0.25
_LONGEST_LABEL = 64
#: Of the meters that did not do it, so many are told, and so many are shown to people.
_MOST_TOLD, _MOST_SHOWN = 1_000, 20


class Wish(Struct, frozen=True):
    """A campaign that is to begin.

    Args:
        words: the command and its arguments, as on the command line.
        selection: for which meters.
        terms: on what terms each of its commands is queued; the key is the campaign's.
        label: what people call it.
        at_once: how many of it may be under way at a time.
    """

    words: tuple[str, ...]
    selection: Selection
    terms: Terms
    label: str = ""
    at_once: int | None = None


def _command_of(words: Sequence[str]) -> tuple[Durable, list[str]]:
    """Return a command, and the words behind its name.

    Raises:
        UsageError: there is none, or it cannot be queued.
    """
    with suppress(UsageError):  # one of a group has two words
        return durable(" ".join(words[:2])), list(words[2:])
    return durable(words[0]), list(words[1:])


def check_order(words: Sequence[str], ours: Collection[str]) -> None:
    """Refuse an option of a campaign that stands behind its command.

    Args:
        words: the command and its arguments, as on the command line.
        ours: the options of ``prepay campaign start``.

    Raises:
        UsageError: which one; or there is no such command.
    """
    of, rest = _command_of(words)
    theirs = {o for p in of.declared.params if p.expose_value for o in (*p.opts, *p.secondary_opts)}
    for word in takewhile(lambda each: each != "--", rest):
        option = word.partition("=")[0]
        if option in ours and option not in theirs:
            raise UsageError(f"{option} is campaign start's: put it before {of.name}")


def parsed(context: Context, words: Sequence[str]) -> tuple[Durable, dict[str, Any]]:
    """Return a command and its parameters, which it has judged itself.

    Raises:
        UsageError: there is none, it cannot be queued, or its arguments are wrong.
    """
    of, rest = _command_of(words)
    try:
        scope = of.declared.make_context(of.name, rest)
    except click.exceptions.Exit:
        raise UsageError(f"prepay {of.name} --help shows its help") from None
    except click.ClickException as error:
        raise UsageError(f"prepay {of.name}: {error.format_message()}") from error
    if scope.params.get(IDENTITY) is not None:
        raise UsageError("each meter has a transaction id of its own: leave out --id")
    if scope.params.get(METER) is not None:
        raise UsageError(f"the campaign says which meters: leave out {scope.params[METER][:40]!r}")
    frozen = freeze(of, scope.params)
    rehearse(of, scope.params, context)
    return of, frozen


def start(context: Context, wish: Wish) -> tuple[Campaign, bool]:
    """Queue a campaign; return it, and whether it is one of the same idempotency key, found again.

    Raises:
        UsageError: a command, a selection or terms that cannot be; a key of another campaign.
        Refused: no meter is meant.
    """
    of, arguments = parsed(context, wish.words)
    now, caller = context.now(), whoami()
    check_terms(wish.terms, now)
    key = wish.terms.idempotency_key
    with context.store.begin() as db:
        if key is not None:
            commands.begin_claiming(db)  # two callers with one key come one after the other
            known = campaigns.of_key(db, key)
            if known is not None:
                return _same(known, of, arguments, wish.selection), True
        chosen = _chosen(db, wish.selection)
        made = campaigns.add(
            db,
            transaction_id(now, context.entropy(10)).hex(),
            of.name,
            arguments,
            wish.selection.to_json(),
            label=wish.label[:_LONGEST_LABEL],
            at_once=wish.at_once,
            caller=caller,
            idempotency_key=key,
            now=now,
        )
        terms = Terms(wish.terms.not_before, wish.terms.not_after, wish.terms.priority)
        rows = [prepared(of, arguments, each, terms, context, made.number) for each in chosen]
        commands.add(db, rows, now)
        details = {"command": of.name, "meters": len(chosen), "selection": dict(made.selection)}
        details |= told_of(of, arguments)
        audit.append(db, now, caller, "campaign started", made.id, details)
        wake_with(db)
    wake(context.store.url)
    return made, False


def _same(
    known: Campaign, of: Durable, arguments: Mapping[str, Any], selection: Selection
) -> Campaign:
    """Hold a campaign that was found by its key to what is asked for: command and selection.

    Raises:
        UsageError: it is another. Whom a tag or a query means today is not compared.
    """
    asked = (of.name, dict(arguments), json.loads(json.dumps(selection.to_json())))
    if (known.command, dict(known.arguments), dict(known.selection)) != asked:
        raise UsageError(
            f"idempotency key {known.idempotency_key} is of another campaign, or of other meters: "
            f"{known.command}, {known.id}"
        )
    return known


def _chosen(db: Connection, selection: Selection) -> list[int]:
    chosen = select(db, selection)
    if not chosen:
        raise Refused("no meter is meant: prepay meters takes the same --tag, --file and --query")
    return chosen


def meant(context: Context, wish: Wish) -> Report:
    """Return which meters are meant; nothing is written."""
    of, arguments = parsed(context, wish.words)
    check_terms(wish.terms, context.now())
    with context.store.read() as db:
        names = [meters.by_id(db, each).name for each in _chosen(db, wish.selection)]
    data = {"dry_run": True, "command": of.name, "arguments": arguments, "meters": names}
    return Report(
        data, (f"would be queued: {typed(of.name, arguments)} for {len(names)} meters", *names)
    )


def found(db: Connection, campaign_id: str) -> Campaign:
    """Return the campaign of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    text = campaign_id.lower()
    if len(text) < LEAST:
        raise UsageError(f"{text!r}: a campaign is named by {LEAST} digits of its id, or more")
    known = campaigns.beginning_with(db, text)
    if len(known) == 1:
        return known[0]
    if known:
        raise UsageError(f"more than one campaign begins with {text[:40]!r}: give more digits")
    raise UsageError(f"there is no campaign {text[:40]!r}: prepay campaign list")


def _told(campaign: Campaign, counts: Mapping[State, int]) -> dict[str, Any]:
    return {
        "campaign": campaign.id,
        "label": campaign.label,
        "command": campaign.command,
        "arguments": dict(campaign.arguments),
        "selection": dict(campaign.selection),
        "state": campaign.state.value,
        "at_once": campaign.at_once,
        "caller": campaign.caller,
        "created": utc(campaign.created),
        "finished": None if campaign.finished is None else utc(campaign.finished),
        "meters": sum(counts.values()),
        "through": sum(n for state, n in counts.items() if state.is_final),
        "counts": {state.value: counts[state] for state in State if state in counts},
    }


def _words(campaign: Campaign) -> str:
    return typed(campaign.command, campaign.arguments)


def _said(counts: Mapping[State, int]) -> str:
    return ", ".join(f"{counts[state]} {state.value}" for state in State if state in counts)


def _standing(context: Context, campaign_id: str) -> tuple[Campaign, dict[State, int]]:
    """Return a campaign and the states of its commands; one that is through is finished by then."""
    with context.store.read() as db:
        campaign = found(db, campaign_id)
        counts = commands.counts(db, campaign.number)
    return _finished(context, campaign, counts), counts


def _finished(context: Context, campaign: Campaign, counts: Mapping[State, int]) -> Campaign:
    """Note that a campaign is through, if it is: the workers look for that only now and then."""
    if not campaigns.MOVES[campaign.state] or not all(state.is_final for state in counts):
        return campaign
    with context.store.begin() as db:
        campaigns.move(db, campaign, campaigns.State.FINISHED, context.now())
        return campaigns.get(db, campaign.id) or campaign


def shown(context: Context, campaign_id: str, *, again: bool = False) -> Report:
    """Return how far a campaign has come, and which of its meters did not do it.

    Args:
        context: the run of the command.
        campaign_id: its id, or the first digits of it.
        again: it was found by the key under which it was to be begun.
    """
    campaign, counts = _standing(context, campaign_id)
    with context.store.read() as db:
        undone = commands.undone(db, campaign.number, _MOST_TOLD)
    name = f" ({campaign.label})" if campaign.label else ""
    lines = [
        f"campaign {campaign.id}{name}: {_words(campaign)}, {campaign.state.value}",
        f"{sum(counts.values())} meters: {_said(counts)}",
    ]
    data = _told(campaign, counts)
    if again:
        data["again"] = True
        lines.insert(0, f"begun already at {utc(campaign.created)}; nothing was queued anew")
    data["undone"] = [
        {
            "meter": each.meter,
            "state": each.state.value,
            "reason": each.reason,
            "command": each.id,
            "transaction": each.transaction_id,
        }
        for each in undone
    ]
    if not undone:
        return Report(data, lines)
    if len(undone) > _MOST_SHOWN:
        more = "more" if len(undone) == _MOST_TOLD else len(undone)
        lines.append(f"{_MOST_SHOWN} of {more}: prepay commands list --campaign {campaign.id}")
    rows = [
        (each.meter, each.state.value, each.id[:DIGITS], each.reason or "")
        for each in undone[:_MOST_SHOWN]
    ]
    return Report(data, [*lines, ""], ("meter", "state", "command", "reason"), rows)


def listed(context: Context) -> Report:
    """Return the newest campaigns."""
    with context.store.read() as db:
        newest = campaigns.newest(db)
        counted = [commands.counts(db, each.number) for each in newest]
    newest = [_finished(context, *each) for each in zip(newest, counted, strict=True)]
    rows = [
        (c.id[:16], utc(c.created)[:19], c.label, _words(c), c.state.value, _said(counts))
        for c, counts in zip(newest, counted, strict=True)
    ]
    data = {"campaigns": [_told(c, n) for c, n in zip(newest, counted, strict=True)]}
    columns = ("campaign", "created", "label", "name", "state", "meters")
    lines = () if newest else ("no campaign yet: prepay campaign start --help",)
    return Report(data, lines, columns if newest else (), rows)


def move(context: Context, campaign_id: str, state: str) -> Report:
    """Pause, resume or cancel a campaign.

    Raises:
        Refused: it is over.
    """
    now, aim = context.now(), campaigns.State(state)
    with context.store.begin() as db:
        campaign = found(db, campaign_id)
        if campaigns.MOVES[campaign.state] and commands.all_final(db, campaign.number):
            raise Refused(f"campaign {campaign.id} is through: each of its commands is final")
        if campaign.state is not aim and not campaigns.move(db, campaign, aim, now):
            raise Refused(f"campaign {campaign.id} is {campaign.state.value} already")
        if aim is campaigns.State.CANCELLED:
            commands.cancel_campaign(db, campaign.number, now)
        audit.append(db, now, whoami(), f"campaign {state}", campaign.id, {})
        wake_with(db)
    wake(context.store.url)
    return shown(context, campaign.id)


def watch(
    context: Context, campaign_id: str, seconds: float | None = None, *, again: bool = False
) -> Report:
    """Return how a campaign went, once each of its commands is final; show how it goes.

    Args:
        context: the run of the command.
        campaign_id: its id, or the first digits of it.
        seconds: how long it is waited for at most; None for as long as it takes.
        again: as ``shown``.

    Raises:
        Imperfect: some of them are not done.
        StillGoing: the time is over, or somebody has interrupted this.
    """
    campaign, counts = _standing(context, campaign_id)
    if not context.chosen.json:
        show_aside(f"campaign {campaign.id}: {_words(campaign)}, {sum(counts.values())} meters")
    try:
        _wait(context, campaign.id, seconds)
    except KeyboardInterrupt:
        raise StillGoing(campaign, "interrupted", ExitCode.INTERRUPTED) from None
    campaign, counts = _standing(context, campaign.id)
    if not all(state.is_final for state in counts):
        raise StillGoing(campaign, f"still {_said(counts)}", ExitCode.NO_ANSWER)
    if counts.keys() - {State.DONE, State.SETTLED}:
        raise Imperfect(campaign, _said(counts))
    return shown(context, campaign.id, again=again)


def _wait(context: Context, campaign_id: str, seconds: float | None) -> None:
    """Return once each command of a campaign is final, or the time is over."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    begun = time.monotonic()
    with bar:
        task = bar.add_task("campaign", total=None, said="")
        while True:
            _, counts = _standing(context, campaign_id)
            through = sum(n for state, n in counts.items() if state.is_final)
            bar.update(task, total=sum(counts.values()), completed=through, said=_said(counts))
            over = seconds is not None and time.monotonic() - begun >= seconds
            if over or through == sum(counts.values()):
                return
            time.sleep(_LOOK)


class StillGoing(HeadendError):
    """A campaign goes on, and nobody waits for it any more."""

    def __init__(self, campaign: Campaign, why: str, code: ExitCode) -> None:
        super().__init__(
            f"{why}; campaign {campaign.id} goes on: prepay campaign show {campaign.id} --wait, "
            f"or prepay campaign cancel {campaign.id}"
        )
        self.exit_code = code  # type: ignore[misc] # each one's own
        self.details = {"campaign": campaign.id, "state": campaign.state.value}


class Imperfect(HeadendError):
    """A campaign is through, and not every meter did what it was told."""

    def __init__(self, campaign: Campaign, said: str) -> None:
        super().__init__(
            f"campaign {campaign.id}: {said}; prepay campaign show {campaign.id} says which, and "
            "why"
        )
        self.details = {"campaign": campaign.id, "state": campaign.state.value}

"""Campaigns: one command for many meters, queued whole or not at all."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Connection

from headend.context import Context
from headend.engine.arguments import IDENTITY, Durable, durable, freeze
from headend.engine.queueing import Terms, check_terms, prepared, whoami
from headend.engine.states import State
from headend.engine.wake import wake, wake_with
from headend.errors import HeadendError, Refused, UsageError
from headend.registry import Selection, select
from headend.report import Report
from headend.store import audit, campaigns, commands, meters
from headend.store.campaigns import Campaign
from headend.times import utc
from prepay.transactions import transaction_id

#: Seconds from one look at a campaign that is watched to the next.
_LOOK = 0.25
_LONGEST_LABEL = 64


@dataclass(frozen=True, slots=True)
class Wish:
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


def parsed(words: tuple[str, ...]) -> tuple[Durable, dict[str, Any]]:
    """Return a command and its parameters.

    Raises:
        UsageError: there is none, it cannot be queued, or its arguments are wrong.
    """
    for many in (2, 1):  # one of a group has two words
        try:
            of = durable(" ".join(words[:many]))
        except UsageError:
            if many == 1:
                raise
            continue
        break
    try:
        scope = of.declared.make_context(of.name, list(words[len(of.name.split()) :]))
    except click.exceptions.Exit:
        raise UsageError(f"prepay {of.name} --help shows its help") from None
    except click.ClickException as error:
        raise UsageError(f"prepay {of.name}: {error.format_message()}") from error
    if scope.params.get(IDENTITY) is not None:
        raise UsageError("each meter has a transaction id of its own: leave out --id")
    return of, freeze(of, scope.params)


def start(context: Context, wish: Wish) -> Campaign:
    """Queue a campaign; one of the same idempotency key is found instead.

    Raises:
        UsageError: a command, a selection or terms that cannot be; a key of another campaign.
        Refused: no meter is meant.
    """
    of, arguments = parsed(wish.words)
    now, caller = context.now(), whoami()
    check_terms(wish.terms, now)
    key = wish.terms.idempotency_key
    with context.store.begin() as db:
        if key is not None:
            commands.begin_claiming(db)  # two callers with one key come one after the other
            known = campaigns.of_key(db, key)
            if known is not None:
                return _same(known, of, arguments)
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
        audit.append(db, now, caller, "campaign started", made.id, details)
        wake_with(db)
    wake(context.store.url)
    return made


def _same(known: Campaign, of: Durable, arguments: Mapping[str, Any]) -> Campaign:
    if (known.command, dict(known.arguments)) != (of.name, dict(arguments)):
        raise UsageError(
            f"idempotency key {known.idempotency_key} is of another campaign: {known.command}, "
            f"{known.id}"
        )
    return known


def _chosen(db: Connection, selection: Selection) -> list[int]:
    chosen = select(db, selection)
    if not chosen:
        raise Refused("no meter is meant: prepay meters takes the same --tag, --file and --query")
    return chosen


def meant(context: Context, wish: Wish) -> Report:
    """Return which meters are meant; nothing is written."""
    of, arguments = parsed(wish.words)
    check_terms(wish.terms, context.now())
    with context.store.read() as db:
        names = [meters.by_id(db, each).name for each in _chosen(db, wish.selection)]
    data = {"dry_run": True, "command": of.name, "arguments": arguments, "meters": names}
    return Report(data, (f"would be queued: {of.name} for {len(names)} meters", *names))


def found(db: Connection, campaign_id: str) -> Campaign:
    """Return the campaign of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    text = campaign_id.lower()
    known = campaigns.beginning_with(db, text)
    if len(known) == 1 and text:
        return known[0]
    if known and text:
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


def _said(counts: Mapping[State, int]) -> str:
    return ", ".join(f"{counts[state]} {state.value}" for state in State if state in counts)


def shown(context: Context, campaign_id: str) -> Report:
    """Return how far a campaign has come."""
    with context.store.read() as db:
        campaign = found(db, campaign_id)
        counts = commands.counts(db, campaign.number)
    name = f" ({campaign.label})" if campaign.label else ""
    lines = [
        f"campaign {campaign.id}{name}: {campaign.command}, {campaign.state.value}",
        f"{sum(counts.values())} meters: {_said(counts)}",
    ]
    return Report(_told(campaign, counts), lines)


def listed(context: Context) -> Report:
    """Return the newest campaigns."""
    with context.store.read() as db:
        newest = campaigns.newest(db)
        counted = [commands.counts(db, each.number) for each in newest]
    rows = [
        (c.id[:16], utc(c.created)[:19], c.label, c.command, c.state.value, _said(counts))
        for c, counts in zip(newest, counted, strict=True)
    ]
    data = {"campaigns": [_told(c, n) for c, n in zip(newest, counted, strict=True)]}
    columns = ("campaign", "created", "label", "command", "state", "meters")
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
        if campaign.state is not aim and not campaigns.move(db, campaign, aim, now):
            raise Refused(f"campaign {campaign.id} is {campaign.state.value} already")
        if aim is campaigns.State.CANCELLED:
            commands.cancel_campaign(db, campaign.number, now)
        audit.append(db, now, whoami(), f"campaign {state}", campaign.id, {})
        wake_with(db)
    wake(context.store.url)
    return shown(context, campaign.id)


def watch(context: Context, campaign_id: str) -> Report:
    """Return how a campaign went, once each of its commands is final; show how it goes.

    Raises:
        Imperfect: some of them are not done.
    """
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
    with bar:
        task = bar.add_task("campaign", total=None, said="")
        while True:
            with context.store.read() as db:
                campaign = found(db, campaign_id)
                counts = commands.counts(db, campaign.number)
            through = sum(n for state, n in counts.items() if state.is_final)
            bar.update(task, total=sum(counts.values()), completed=through, said=_said(counts))
            if through == sum(counts.values()):
                break
            time.sleep(_LOOK)
    good = counts.get(State.DONE, 0) + counts.get(State.SETTLED, 0)
    if good != through:
        raise Imperfect(f"campaign {campaign.id}: {_said(counts)}")
    return shown(context, campaign.id)


class Imperfect(HeadendError):
    """A campaign is through, and not every meter did what it was told."""

"""What people see of campaigns, and do to them: ``prepay campaign``."""

import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from headend.context import Context
from headend.engine.queueing import whoami
from headend.engine.states import State
from headend.engine.typed import typed
from headend.engine.views import DIGITS, only
from headend.engine.views import found as command_found
from headend.engine.wake import wake, wake_with
from headend.errors import ExitCode, HeadendError, Refused, UsageError
from headend.report import Report, plural, show_aside
from headend.store import audit, campaigns, commands
from headend.store.campaigns import Campaign
from headend.store.connection import Connection
from headend.times import utc

#: Seconds from one look at a campaign that is watched to the next.
_LOOK = 0.25
#: Of the meters that did not do it, so many are told, and so many are shown to people.
_MOST_TOLD, _MOST_SHOWN = 1_000, 20


def found(db: Connection, campaign_id: str) -> Campaign:
    """Return the campaign of an id, or of the first digits of one.

    Raises:
        UsageError: there is none, or more than one.
    """
    known = partial(campaigns.beginning_with, db)
    return only("campaign", campaign_id, known, "prepay campaign list")


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


def shown(
    context: Context, campaign_id: str, *, again: bool = False, after: str | None = None
) -> Report:
    """Return how far a campaign has come, and which of its meters did not do it.

    Args:
        context: the run of the command.
        campaign_id: its id, or the first digits of it.
        again: it was found by the key under which it was to be begun.
        after: of those meters, the ones behind that of this command; None is from the first.

    Raises:
        UsageError: there is no such campaign, or no such command in it.
    """
    campaign, counts = _standing(context, campaign_id)
    with context.store.read() as db:
        behind = 0 if after is None else _place(db, campaign, after)
        undone = commands.undone(db, campaign.number, _MOST_TOLD, behind)
        left = commands.count_undone(db, campaign.number, behind)
    name = f" ({campaign.label})" if campaign.label else ""
    lines = [
        f"campaign {campaign.id}{name}: {_words(campaign)}, {campaign.state.value}",
        f"{plural(sum(counts.values()), 'meter')}: {_said(counts)}",
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
    data["undone_left"] = left - len(undone)
    data["undone_next"] = undone[-1].id if left > len(undone) else None
    if not undone:
        return Report(data, lines)
    if left > _MOST_SHOWN:
        last = undone[_MOST_SHOWN - 1].id
        more = " more" if after else ""
        lines.append(
            f"{_MOST_SHOWN} of {left}{more} that did not do it; the next: "
            f"prepay campaign show {campaign.id} --after {last}"
        )
    rows = [
        (each.meter, each.state.value, each.id[:DIGITS], each.reason or "")
        for each in undone[:_MOST_SHOWN]
    ]
    return Report(data, [*lines, ""], ("meter", "state", "command", "reason"), rows)


def _place(db: Connection, campaign: Campaign, command_id: str) -> int:
    """Return the number of a command of a campaign.

    Raises:
        UsageError: there is no such command, or it is of another one.
    """
    command = command_found(db, command_id)
    if command.campaign_id != campaign.number:
        raise UsageError(f"command {command.id} is not of campaign {campaign.id}")
    return command.number


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
    context: Context,
    campaign_id: str,
    seconds: float | None = None,
    *,
    again: bool = False,
    after: str | None = None,
) -> Report:
    """Return how a campaign went, once each of its commands is final; show how it goes.

    Args:
        context: the run of the command.
        campaign_id: its id, or the first digits of it.
        seconds: how long it is waited for at most; None for as long as it takes.
        again, after: as ``shown``.

    Raises:
        Imperfect: some of them are not done.
        StillGoing: the time is over, or somebody has interrupted this.
    """
    campaign, counts = _standing(context, campaign_id)
    if not context.chosen.json:
        show_aside(
            f"campaign {campaign.id}: {_words(campaign)}, {plural(sum(counts.values()), 'meter')}"
        )
    try:
        _wait(context, campaign.id, seconds)
    except KeyboardInterrupt:
        raise StillGoing(campaign, "interrupted", ExitCode.INTERRUPTED) from None
    campaign, counts = _standing(context, campaign.id)
    if not all(state.is_final for state in counts):
        raise StillGoing(campaign, f"still {_said(counts)}", ExitCode.NO_ANSWER)
    if counts.keys() - {State.DONE, State.SETTLED}:
        raise Imperfect(campaign, _said(counts))
    return shown(context, campaign.id, again=again, after=after)


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

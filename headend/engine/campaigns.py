"""Campaigns: one command for many meters, queued whole or not at all.

What people see of them is in ``headend.engine.campaign_views``.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

import click
from msgspec import Struct

from headend.context import Context
from headend.engine.arguments import IDENTITY, METER, Durable, durable, freeze, rehearse, thaw
from headend.engine.queueing import Terms, check_terms, prepared, told_of, whoami
from headend.engine.typed import typed
from headend.engine.wake import wake, wake_with
from headend.errors import ExitCode, HeadendError, Refused, UsageError
from headend.registry.meters import Selection, select
from headend.report import Report, plural
from headend.store import audit, campaigns, commands, registry
from headend.store.campaigns import Campaign
from headend.store.connection import Connection
from headend.store.entry import Entry
from prepay.transactions import transaction_id

_LONGEST_LABEL = 64
#: Of the meters that would refuse it, so many are shown to people.
_MOST_SHOWN = 20


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
        Unfit: a meter that is meant would refuse it.
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
        _check_each(context, of, arguments, registry.profiles(db, chosen))
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


class Unfit(HeadendError):
    """Meters that are meant would refuse a campaign's command, so none of it was queued.

    Args:
        refused: of each of them its name, its profile, and what it would say.
        meant: how many meters are meant.
        code: what the command would exit with there.
    """

    def __init__(self, refused: Sequence[tuple[str, str, str]], meant: int, code: ExitCode) -> None:
        self.refused = refused
        self.exit_code = code  # type: ignore[misc] # each one's own
        reasons = {why for _, _, why in refused}
        name, profile, why = refused[0]
        first = f": {why}" if len(reasons) == 1 else f"; {name}: {why}"
        leave = f"; --query profile!={profile} leaves out those of its profile"
        super().__init__(
            f"{len(refused)} of {plural(meant, 'meter')} would refuse it, so nothing was queued"
            f"{first}{'' if len(refused) == meant else leave}"
        )

    def report(self) -> Report:
        """Return which meters those are, and why."""
        data = {
            "queued": 0,
            "refused": [{"meter": n, "profile": p, "error": why} for n, p, why in self.refused],
        }
        shown, left = self.refused[:_MOST_SHOWN], len(self.refused) - _MOST_SHOWN
        lines = () if left <= 0 else (f"{_MOST_SHOWN} of {len(self.refused)}; --json has all", "")
        return Report(data, lines, ("meter", "profile", "reason"), shown)


def _check_each(
    context: Context,
    of: Durable,
    arguments: Mapping[str, Any],
    profiles: Sequence[tuple[str, str]],
) -> None:
    """Let a command be judged by the profile of each of its meters, as far as it is known.

    Args:
        context: the run of the command.
        of, arguments: the command, which was judged without any.
        profiles: name and profile of each meter.

    Raises:
        Unfit: some of them would refuse it.
    """
    faults: dict[str, HeadendError] = {}
    parameters = thaw(of, arguments)
    for profile, name in {profile: name for name, profile in profiles if profile}.items():
        try:
            rehearse(of, parameters, context, Entry(name, profile=profile))
        except HeadendError as error:
            faults[profile] = error
    if faults:
        refused = [
            (n, profile, str(faults[profile])) for n, profile in profiles if profile in faults
        ]
        codes = {error.exit_code for error in faults.values()}
        raise Unfit(refused, len(profiles), codes.pop() if len(codes) == 1 else ExitCode.REFUSED)


def meant(context: Context, wish: Wish) -> Report:
    """Return which meters are meant; nothing is written.

    Raises:
        UsageError, Refused, Unfit: as ``start``.
    """
    of, arguments = parsed(context, wish.words)
    check_terms(wish.terms, context.now())
    with context.store.read() as db:
        profiles = registry.profiles(db, _chosen(db, wish.selection))
    _check_each(context, of, arguments, profiles)
    names = [name for name, _ in profiles]
    data = {"dry_run": True, "command": of.name, "arguments": arguments, "meters": names}
    return Report(
        data,
        (f"would be queued: {typed(of.name, arguments)} for {plural(len(names), 'meter')}", *names),
    )

"""The auditor of a campaign: reads both ledgers, and takes nobody's word.

It has nothing in common with the head-end: the database is read by plain SQL, the meters' money
from their own memory, and what happened to them from what the fleet wrote down. A finding is a
sentence; a campaign is good when there are none.

1. Each payment has one command, which is final, paid, and handed out to nobody.
2. Each command has one transaction of its own, of that meter and amount; nobody else's is there.
3. Each payment has one post, from cash to the customer's credit; each balance is the sum of its
   posts, and all accounts of a meter add up to 0.
4. A meter executed no id twice; one that keeps its own balance executed each payment.
5. What a meter holds is what was paid for it, to the cent, and what the head-end's books say.
6. No meter ever saw two sessions at once.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from meter_fw.cells import restore
from meter_fw.nvram import Journal
from meter_fw.state import MeterState
from sim.flash import MemoryFlash
from sim.making import FLASH_BLOCK_SIZE, FLASH_BLOCKS
from sim.statedir import look
from tests.kill import plan
from tests.kill.plan import Payment, Plan

#: Of the head-end's accounts: what customers paid in, and the customer's credit.
_CASH, _CREDIT = 0, 1
_PAID: Final = ("done", "settled")
_FINAL: Final = (*_PAID, "refused", "expired", "cancelled")
_Row = dict[str, Any]


@dataclass
class Audit:
    """What was found.

    Args:
        findings: what is wrong.
        figures: what was counted.
    """

    findings: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def expect(self, good: bool, finding: str) -> None:
        """Note what is wrong unless it is good."""
        if not good:
            self.findings.append(finding)


@dataclass(frozen=True, slots=True)
class Books:
    """The head-end's database, as plain rows."""

    commands: list[_Row]
    transactions: list[_Row]
    posts: list[_Row]
    balances: list[_Row]


_QUERIES: Final = {
    "commands": "SELECT c.id, m.name AS meter, c.name, c.arguments, c.state, c.reason, c.ticket, "
    "c.attempts, c.transaction_id, c.idempotency_key FROM commands c "
    "JOIN meters m ON m.id = c.meter_id",
    "transactions": "SELECT t.id, m.name AS meter, t.kind, t.amount, t.state "
    "FROM transactions t JOIN meters m ON m.id = t.meter_id",
    "posts": "SELECT p.transaction_id, m.name AS meter, p.debit, p.credit, p.amount "
    "FROM posts p JOIN meters m ON m.id = p.meter_id",
    "balances": "SELECT m.name AS meter, b.account, b.amount FROM balances b "
    "JOIN meters m ON m.id = b.meter_id",
}


def read_books(database: str) -> Books:
    """Return what stands in a database."""
    if database.startswith("postgresql"):
        import psycopg
        from psycopg.rows import dict_row

        with psycopg.connect(database, row_factory=dict_row) as server:
            tables = {name: server.execute(q.encode()).fetchall() for name, q in _QUERIES.items()}
        return Books(**tables)
    path = database if "://" not in database else urlsplit(database).path[1:]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
        file.row_factory = sqlite3.Row
        found = {name: [dict(r) for r in file.execute(q)] for name, q in _QUERIES.items()}
    file.close()
    return Books(**found)


def read_meter(folder: Path) -> MeterState:
    """Return what a meter's memory holds; the meter has to be off."""
    flash = MemoryFlash(FLASH_BLOCKS, FLASH_BLOCK_SIZE)
    flash.fill(look(folder).memory)
    return restore(Journal(flash).mount().cells)


def audit(folder: Path, found: Plan) -> Audit:
    """Audit a campaign whose workers and meters have ended."""
    done = Audit()
    books = read_books(found.database)
    trace = plan.lines(folder / "trace.jsonl")
    _commands(done, found, books)
    _posts(done, books)
    _traces(done, found, books, trace)
    for meter in found.meters:
        state = read_meter(folder / "meters" / meter.name)
        paid = sum(each.amount for each in found.payments if each.meter == meter.name)
        _money(done, meter.name, state, paid, books)
        executed = {each["number"] for each in trace if each["meter"] == meter.name}
        seen = executed == set(range(state.history.ordered))
        done.expect(seen, f"{meter.name}: the trace has not all that the meter executed")
    sessions = plan.lines(folder / "sessions.jsonl")
    begun = [each for each in sessions if each["event"] == "begin"]
    overlaps = [each for each in begun if each["others"]]
    done.figures |= {"sessions": len(begun), "overlaps": len(overlaps)}
    for each in overlaps:
        done.findings.append(f"{each['meter']}: {each['line']} began beside {each['others']} more")
    return done


def _commands(done: Audit, found: Plan, books: Books) -> None:
    """Check the first two sentences."""
    known: dict[str, list[_Row]] = defaultdict(list)
    for command in books.commands:
        known[command["idempotency_key"]].append(command)
        done.expect(command["state"] in _FINAL, f"{_called(command)}: not final")
        done.expect(command["ticket"] is None, f"{_called(command)}: still handed out")
    booked = {each["id"]: each for each in books.transactions if each["kind"] == "topup"}
    used = Counter(each["transaction_id"] for each in books.commands)
    for payment in found.payments:
        of_it = known.pop(payment.key, [])
        done.expect(len(of_it) == 1, f"payment {payment.key} has {len(of_it)} commands")
        for command in of_it:
            _paid(done, payment, command, booked.get(command["transaction_id"]))
    done.expect(not known, f"{len(known)} commands that nobody has paid for")
    reversed_ = {each["id"] for each in booked.values() if each["state"] == "refused"}
    alone = (set(booked) - reversed_) ^ set(used)
    done.expect(not alone, f"{len(alone)} payments without a pair")
    done.expect(max(used.values(), default=1) == 1, "commands share a transaction")
    states = Counter(each["state"] for each in books.commands)
    done.figures |= {"payments": len(found.payments), **states}
    done.figures["attempts"] = sum(each["attempts"] for each in books.commands)


def _paid(done: Audit, payment: Payment, command: _Row, booked: _Row | None) -> None:
    called = _called(command)
    done.expect(command["state"] in _PAID, f"{called}: {command['reason']}")
    asked = json.loads(command["arguments"]).get("amount")
    done.expect(asked == decimal(payment.amount), f"{called}: {asked} was asked for")
    if booked is None:
        done.findings.append(f"{called}: nothing is booked")
        return
    same = (booked["meter"], booked["amount"]) == (payment.meter, payment.amount)
    done.expect(same and command["meter"] == payment.meter, f"{called}: another's is booked")
    done.expect(booked["state"] in _PAID, f"{called}: its transaction is {booked['state']}")


def _posts(done: Audit, books: Books) -> None:
    """Check the third sentence."""
    topups = {each["id"]: each for each in books.transactions if each["kind"] == "topup"}
    known = {each["id"] for each in books.transactions}
    of: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    folded: Counter[tuple[str, int]] = Counter()
    for post in books.posts:
        of[post["transaction_id"]].append((post["debit"], post["credit"], post["amount"]))
        folded[post["meter"], post["debit"]] -= post["amount"]
        folded[post["meter"], post["credit"]] += post["amount"]
        done.expect(post["transaction_id"] in known, f"a post of no transaction: {post}")
    for identity, topup in topups.items():
        posts = [(_CASH, _CREDIT, topup["amount"])]
        if topup["state"] == "refused":  # never taken: reversed, and paid under another id
            posts.append((_CREDIT, _CASH, topup["amount"]))
            done.figures["reversed"] = done.figures.get("reversed", 0) + 1
        done.expect(of[identity] == posts, f"transaction {identity}: its posts are {of[identity]}")
    told = {(each["meter"], each["account"]): each["amount"] for each in books.balances}
    done.expect(_but_zero(told) == _but_zero(folded), "balances that are not the sum of posts")
    sums: Counter[str] = Counter()
    for (meter, _account), amount in told.items():
        sums[meter] += amount
    done.expect(not any(sums.values()), "a meter's accounts do not add up to 0")
    done.figures["posts"] = len(books.posts)


def _but_zero(amounts: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
    return {key: amount for key, amount in amounts.items() if amount}


def _traces(done: Audit, found: Plan, books: Books, trace: Iterable[_Row]) -> None:
    """Check the fourth sentence."""
    once = {(each["meter"], each["number"]): each for each in trace}
    for each in trace:  # written again at a start, it has to be the same
        done.expect(once[each["meter"], each["number"]] == each, f"a log that changed: {each}")
    times = Counter((each["meter"], each["id"]) for each in once.values())
    for (meter, identity), number in times.items():
        done.expect(number == 1, f"{meter}: {identity} was executed {number} times")
    ours = {each["id"] for each in books.transactions}
    for meter, identity in times:
        done.expect(identity in ours, f"{meter}: {identity} is nobody's")
    done.figures["executed"] = len(once)
    entered = {
        (each["meter"], each["amount"]) for each in once.values()
        if each["kind"] == "TOKEN" and each["outcome"] == "DONE"
    }  # fmt: skip # one thought
    local = {each.name for each in found.meters if each.profile == "il"}
    wanted = {(p.meter, p.amount) for p in found.payments if p.meter in local}
    done.expect(entered == wanted, f"{len(entered ^ wanted)} tokens too few or too many")


def _money(done: Audit, name: str, state: MeterState, paid: int, books: Books) -> None:
    """Check the fifth sentence."""
    topups = {each["id"]: each for each in books.transactions if each["kind"] == "topup"}
    posts = [
        each for each in books.posts
        if each["meter"] == name
        and topups.get(each["transaction_id"], {}).get("state") != "refused"  # it adds up to 0
    ]  # fmt: skip # one thought
    opened = sum(p["amount"] for p in posts if p["transaction_id"] not in topups)
    credit = sum(each["amount"] for each in posts if each["credit"] == _CREDIT)
    done.expect(credit == opened + paid, f"{name}: {credit} in the books, {opened} + {paid} paid")
    if state.totals.paid or state.totals.started:
        held, has = state.totals.paid, state.totals.started + state.totals.paid
    else:
        held, has = state.snapshot.balance - opened, state.snapshot.balance
    done.expect(held == paid, f"{name}: {paid} was paid, and the meter was given {held}")
    done.expect(has == credit, f"{name}: the books say {credit}, and the meter {has}")
    done.figures["cents"] = done.figures.get("cents", 0) + held


def _called(command: _Row) -> str:
    return f"command {command['id']} ({command['state']}, {command['meter']})"


def decimal(minor: int) -> str:
    """Return minor units as they are typed."""
    return f"{minor // 100}.{minor % 100:02}"

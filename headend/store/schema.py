"""The tables, as the newest migration leaves them.

Money is an integer number of minor units, an amount of energy an integer number of Wh, a moment
an integer number of milliseconds since 1970-01-01T00:00:00Z (``protocol.timing.Instant``).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from headend.store.opening import HEAD as HEAD  # what its tables are the revision of

#: Of rows that are written day after day: 32 bits would be used up within years. SQLite counts its
#: rows in 64 bits by itself, and only in a column of this type.
_Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: Facts about this database itself, such as its client system title.
settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

meters = Table(
    "meters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),  # logical device name
    Column("serial", String(64), nullable=False),
    Column("profile", String(32), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("port", Text, nullable=False),  # the spec it was last met at
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("prepayment", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of the newest snapshot ordered; 0: none
    Column("priced_wh", BigInteger),  # consumption is priced up to this register reading ...
    Column("priced_at", BigInteger),  # ... which the meter had at this moment
    Column("remainder", BigInteger, nullable=False),  # of pricing, as prepay.charge counts it
    Column("ean", String(18)),  # of the point of delivery
    Column("transport", Text),  # port spec by which commands reach it; None: not by name
    Column("access", Text, nullable=False, server_default="{}"),  # JSON: addresses, mechanism ...
    Column("line", String(64)),  # in lines: what it shares with others
    Column("life", String(16), nullable=False, server_default="met"),  # registry.Life
    Column("system_title", String(16), nullable=False, server_default=""),  # as it last had it
    CheckConstraint("sequence >= 0", name="sequence"),
    Index(None, "ean", unique=True),
    Index(None, "port"),
    Index(None, "system_title"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", String(32), primary_key=True),  # 16 octets, lower-case hexadecimal
    Column("number", _Number, nullable=False, unique=True),  # order of planning
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("parameters", Text, nullable=False),  # JSON: what is sent, so that it can be sent again
    Column("state", String(16), nullable=False),
    Column("outcome", String(64)),
    Column("created", BigInteger, nullable=False),
    Column("sent", BigInteger),
    Column("settled", BigInteger),
    Column("not_after", BigInteger, nullable=False),
    Index(None, "meter_id", "state"),
    Index(None, "meter_id", "number"),
    Index(None, "meter_id", "kind"),
)

#: Immutable. A correction is another post.
posts = Table(
    "posts",
    metadata,
    Column("transaction_id", ForeignKey("transactions.id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("debit", Integer, nullable=False),  # prepay.ledger.Account
    Column("credit", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("reason", Integer, nullable=False),  # prepay.ledger.Reason
    Column("moment", BigInteger, nullable=False),
    CheckConstraint("amount > 0 AND debit <> credit", name="movement"),
    Index(None, "meter_id"),
)

#: What each meter's posts come to. Triggers of the database keep it, as they keep posts from being
#: changed, so that no program can make the two disagree.
balances = Table(
    "balances",
    metadata,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True),
    Column("account", Integer, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)

#: Invocation counters, leased ahead in blocks.
counters = Table(
    "counters",
    metadata,
    Column("key", String(16), primary_key=True),  # a fingerprint, never the key
    Column("unleased", BigInteger, nullable=False),  # the first one that nobody has leased
)

#: Lines and concentrators, with how many meters may be spoken to on each at a time.
lines = Table(
    "lines",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("permits", Integer, nullable=False),
    CheckConstraint("permits > 0", name="permits"),
)

tags = Table(
    "tags",
    metadata,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True),
    Column("tag", String(64), primary_key=True),
    Index(None, "tag"),
)

#: Keys of meters, each wrapped under the master key; never in clear.
meter_keys = Table(
    "meter_keys",
    metadata,
    Column("meter_id", ForeignKey("meters.id"), primary_key=True),
    Column("kind", String(24), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", String(16), nullable=False),  # store.keys.State
    Column("wrapped", Text, nullable=False),  # hexadecimal
    Column("master", String(16), nullable=False),  # a fingerprint of what it is wrapped under
    Column("transaction_id", String(32)),  # of the rotation that drew it; None: it was imported
    Column("created", BigInteger, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("label", String(64), nullable=False),
    Column("command", String(32), nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("selection", Text, nullable=False),  # JSON: how the meters were chosen
    Column("state", String(16), nullable=False),
    Column("at_once", Integer),  # how many of it may run at a time
    Column("caller", String(64), nullable=False),
    Column("idempotency_key", String(128), unique=True),
    Column("created", BigInteger, nullable=False),
    Column("finished", BigInteger),
)


def _partial(*columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows of which something holds."""
    of = text(where)
    return Index(None, *columns, unique=unique, sqlite_where=of, postgresql_where=of)


_WAITS: Final = "ticket IS NULL AND finished IS NULL"

#: Durable commands. The engine carries them out; what became of each stands here.
commands = Table(
    "commands",
    metadata,
    Column("number", _Number, primary_key=True),  # order of queueing
    Column("id", String(32), nullable=False, unique=True),  # 16 octets, hexadecimal
    Column("meter_id", ForeignKey("meters.id"), nullable=False),
    Column("campaign_id", ForeignKey("campaigns.number")),
    Column("name", String(32), nullable=False),  # of the file in headend.commands
    Column("arguments", Text, nullable=False),  # JSON
    Column("state", String(16), nullable=False),
    Column("reason", Text),  # why it is in that state, for people
    Column("answer", Text),  # JSON: what the command reported
    Column("priority", Integer, nullable=False),  # the smallest goes first
    Column("not_before", BigInteger),
    Column("not_after", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),  # not handed to the engine before this
    Column("attempts", Integer, nullable=False),
    Column("ticket", String(48)),  # of the attempt under way
    Column("batch", String(48)),  # by what the engine knows the claim that wrote it
    Column("worker", String(64)),
    Column("transaction_id", String(32)),  # drawn before the first attempt, kept ever after
    Column("idempotency_key", String(128), unique=True),
    Column("correlation", String(32), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("cancel", Boolean, nullable=False),  # asked for, and to be looked at before sending
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Index(None, "meter_id", "number"),
    # Of the few that are not final, since nearly all are; a query has to say the same of them.
    _partial("ticket", where="ticket IS NOT NULL", unique=True),
    _partial("state", "priority", "number", where=_WAITS),  # as the dispatcher takes them
    _partial("state", "due", where=_WAITS),
    _partial("campaign_id", "state", where="campaign_id IS NOT NULL"),
)

#: Processes that carry commands out.
workers = Table(
    "workers",
    metadata,
    Column("executor", String(64), primary_key=True),
    Column("host", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("ended", BigInteger),
)

#: Append-only; each row's digest covers the one before it.
audit = Table(
    "audit",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("moment", BigInteger, nullable=False),
    Column("caller", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Column("previous", String(64), nullable=False),  # hexadecimal SHA-256
    Column("digest", String(64), nullable=False),
)

#: What meters said unasked, each once.
notifications = Table(
    "notifications",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # of sender, number, stamp and body
    Column("meter_id", ForeignKey("meters.id")),
    Column("source", String(128), nullable=False),
    Column("system_title", String(16), nullable=False),
    Column("authenticated", Boolean, nullable=False),
    Column("service", String(32), nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("received", BigInteger, nullable=False),
    Column("times", Integer, nullable=False),  # how often it came
    Index(None, "meter_id"),
)

#: Who has proved to be genuine by a key, and the last invocation counter that was taken from him.
senders = Table(
    "senders",
    metadata,
    Column("system_title", String(16), primary_key=True),  # hexadecimal
    Column("key", String(16), primary_key=True),  # a fingerprint, never the key
    Column("meter_id", ForeignKey("meters.id")),
    Column("counter", BigInteger, nullable=False),
    Column("heard", BigInteger, nullable=False),
    Index(None, "meter_id"),
)

#: What somebody has to look after.
cases = Table(
    "cases",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("meter_id", ForeignKey("meters.id")),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("notification", ForeignKey("notifications.number")),
    Column("details", Text, nullable=False),  # JSON
    Column("opened", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Column("closed_by", String(64)),
    Index(None, "state"),
    Index(None, "meter_id", "kind", "state"),
    Index(None, "notification"),  # asked for each notification that is forgotten
)

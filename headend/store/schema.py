"""The tables, as the newest migration leaves them.

Money is an integer number of minor units, an amount of energy an integer number of Wh, a moment
an integer number of milliseconds since 1970-01-01T00:00:00Z (``protocol.timing.Instant``).
"""

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
)

#: Revision of the newest migration. Written here so that opening an up-to-date database does not
#: import Alembic, which takes longer than most commands do; a test holds it to the migrations.
HEAD = "0001"

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
    CheckConstraint("sequence >= 0", name="sequence"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", String(32), primary_key=True),  # 16 octets, lower-case hexadecimal
    Column("number", Integer, nullable=False, unique=True),  # order of planning
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

#: Invocation counters, leased ahead in blocks.
counters = Table(
    "counters",
    metadata,
    Column("key", String(16), primary_key=True),  # a fingerprint, never the key
    Column("unleased", BigInteger, nullable=False),  # the first one that nobody has leased
)

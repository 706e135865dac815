"""The first tables. A migration is history: it names each column itself and is never edited."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "meters",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("profile", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("port", sa.Text, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("prepayment", sa.Boolean, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("priced_wh", sa.BigInteger),
        sa.Column("priced_at", sa.BigInteger),
        sa.Column("remainder", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meters"),
        sa.UniqueConstraint("name", name="uq_meters_name"),
        sa.CheckConstraint("sequence >= 0", name="ck_meters_sequence"),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(64)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger),
        sa.Column("settled", sa.BigInteger),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transactions"),
        sa.UniqueConstraint("number", name="uq_transactions_number"),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name="fk_transactions_meter_id_meters"
        ),
    )
    op.create_index("ix_transactions_meter_id_state", "transactions", ["meter_id", "state"])
    op.create_table(
        "posts",
        sa.Column("transaction_id", sa.String(32), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("debit", sa.Integer, nullable=False),
        sa.Column("credit", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Integer, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "line", name="pk_posts"),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name="fk_posts_transaction_id_transactions"
        ),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_posts_meter_id_meters"),
        sa.CheckConstraint("amount > 0 AND debit <> credit", name="ck_posts_movement"),
    )
    op.create_index("ix_posts_meter_id", "posts", ["meter_id"])
    op.create_table(
        "counters",
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("unleased", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_counters"),
    )

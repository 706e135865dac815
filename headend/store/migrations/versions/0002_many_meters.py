"""What a head-end for many meters needs: registry, keys, durable commands, audit, notifications."""

import sqlalchemy as sa
from alembic import op

from headend.store import guards

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    _books()
    _registry()
    _commands()
    _watching()


def _books() -> None:
    op.create_table(
        "balances",
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("account", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "account", name="pk_balances"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_balances_meter_id_meters"),
    )
    op.execute(
        "INSERT INTO balances (meter_id, account, amount) "
        "SELECT meter_id, account, sum(amount) FROM ("
        "SELECT meter_id, credit AS account, amount FROM posts "
        "UNION ALL SELECT meter_id, debit, -amount FROM posts) AS moved GROUP BY meter_id, account"
    )
    op.create_index("ix_transactions_meter_id_number", "transactions", ["meter_id", "number"])
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for trigger in guards.SQLITE.values():
        op.execute(trigger)


def _guard_postgresql() -> None:
    op.execute("CREATE SEQUENCE transactions_number AS integer OWNED BY transactions.number")
    op.execute(
        "SELECT setval('transactions_number', coalesce(max(number), 0) + 1, false) "
        "FROM transactions"
    )
    for name, body in guards.FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
        op.execute(f"CREATE TRIGGER {name} {guards.CALLS[name]} EXECUTE FUNCTION {name}()")


def _registry() -> None:
    op.create_table(
        "lines",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("permits", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lines"),
        sa.CheckConstraint("permits > 0", name="ck_lines_permits"),
    )
    op.add_column("meters", sa.Column("ean", sa.String(18)))
    op.add_column("meters", sa.Column("transport", sa.Text))
    op.add_column("meters", sa.Column("access", sa.Text, nullable=False, server_default="{}"))
    op.add_column("meters", sa.Column("line", sa.String(64)))
    op.add_column("meters", sa.Column("life", sa.String(16), nullable=False, server_default="met"))
    title = sa.Column("system_title", sa.String(16), nullable=False, server_default="")
    op.add_column("meters", title)
    op.create_index("ix_meters_system_title", "meters", ["system_title"])
    op.create_index("ix_meters_ean", "meters", ["ean"], unique=True)
    op.create_index("ix_meters_port", "meters", ["port"])
    op.create_table(
        "tags",
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "tag", name="pk_tags"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_tags_meter_id_meters"),
    )
    op.create_index("ix_tags_tag", "tags", ["tag"])
    op.create_table(
        "meter_keys",
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("master", sa.String(16), nullable=False),
        sa.Column("transaction_id", sa.String(32)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("meter_id", "kind", "version", name="pk_meter_keys"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_meter_keys_meter_id_meters"),
    )


def _commands() -> None:
    op.create_table(
        "campaigns",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("command", sa.String(32), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at_once", sa.Integer),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("finished", sa.BigInteger),
        sa.PrimaryKeyConstraint("number", name="pk_campaigns"),
        sa.UniqueConstraint("id", name="uq_campaigns_id"),
        sa.UniqueConstraint("idempotency_key", name="uq_campaigns_idempotency_key"),
    )
    op.create_table(
        "commands",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("meter_id", sa.Integer, nullable=False),
        sa.Column("campaign_id", sa.Integer),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("not_after", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ticket", sa.String(48)),
        sa.Column("batch", sa.String(48)),
        sa.Column("worker", sa.String(64)),
        sa.Column("transaction_id", sa.String(32)),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("correlation", sa.String(32), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("cancel", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("started", sa.BigInteger),
        sa.Column("finished", sa.BigInteger),
        sa.PrimaryKeyConstraint("number", name="pk_commands"),
        sa.UniqueConstraint("id", name="uq_commands_id"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_commands_meter_id_meters"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.number"], name="fk_commands_campaign_id_campaigns"
        ),
        sa.UniqueConstraint("idempotency_key", name="uq_commands_idempotency_key"),
    )
    op.create_index("ix_commands_campaign_id_state", "commands", ["campaign_id", "state"])
    op.create_index("ix_commands_meter_id_number", "commands", ["meter_id", "number"])
    op.create_index("ix_commands_state_due", "commands", ["state", "due"])
    order = ["state", "priority", "number"]
    op.create_index("ix_commands_state_priority_number", "commands", order)
    op.create_index("ix_commands_ticket", "commands", ["ticket"], unique=True)
    op.create_table(
        "workers",
        sa.Column("executor", sa.String(64), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.PrimaryKeyConstraint("executor", name="pk_workers"),
    )


def _watching() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("moment", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_table(
        "notifications",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("meter_id", sa.Integer),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("system_title", sa.String(16), nullable=False),
        sa.Column("authenticated", sa.Boolean, nullable=False),
        sa.Column("service", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_notifications"),
        sa.UniqueConstraint("digest", name="uq_notifications_digest"),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meters.id"], name="fk_notifications_meter_id_meters"
        ),
    )
    op.create_index("ix_notifications_meter_id", "notifications", ["meter_id"])
    op.create_table(
        "senders",
        sa.Column("system_title", sa.String(16), nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("meter_id", sa.Integer),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("heard", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("system_title", "key", name="pk_senders"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_senders_meter_id_meters"),
    )
    op.create_index("ix_senders_meter_id", "senders", ["meter_id"])
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("meter_id", sa.Integer),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("notification", sa.Integer),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("closed_by", sa.String(64)),
        sa.PrimaryKeyConstraint("number", name="pk_cases"),
        sa.ForeignKeyConstraint(["meter_id"], ["meters.id"], name="fk_cases_meter_id_meters"),
        sa.ForeignKeyConstraint(
            ["notification"], ["notifications.number"], name="fk_cases_notification_notifications"
        ),
    )
    op.create_index("ix_cases_meter_id_kind_state", "cases", ["meter_id", "kind", "state"])
    op.create_index("ix_cases_state", "cases", ["state"])

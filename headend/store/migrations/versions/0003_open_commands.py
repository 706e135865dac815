"""Indexes of what is still to be done: a database that is old is claimed from as fast as a new one.

Nearly all commands are final, and none of those has a ticket. An index over all of them made each
claim read all of them on SQLite, and each change of a command cost eight entries.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    waits = "ticket IS NULL AND finished IS NULL"
    _make_partial("state_due", ["state", "due"], waits)
    _make_partial("state_priority_number", ["state", "priority", "number"], waits)
    _make_partial("campaign_id_state", ["campaign_id", "state"], "campaign_id IS NOT NULL")
    _make_partial("ticket", ["ticket"], "ticket IS NOT NULL", unique=True)
    op.create_index("ix_transactions_meter_id_kind", "transactions", ["meter_id", "kind"])


def _make_partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    name = f"ix_commands_{name}"
    op.drop_index(name, "commands")
    op.create_index(
        name,
        "commands",
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )

"""Row numbers of 64 bits, and an index by which a notification is forgotten.

What a million meters say, and what is written down about it, uses up 32 bits within months or
years; from then on nothing could be written any more. On PostgreSQL the five tables are written
anew, which takes long where they are large. SQLite has numbers of 64 bits already.

Each notification that is forgotten is looked for among the cases, as their foreign key has it.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTED = ("commands", "audit", "notifications", "cases")


def upgrade() -> None:
    """Go to this revision."""
    if op.get_bind().dialect.name == "postgresql":
        for table in (*_COUNTED, "transactions"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN number TYPE BIGINT")
        op.execute("ALTER TABLE cases ALTER COLUMN notification TYPE BIGINT")
        for sequence in ("transactions_number", *(f"{table}_number_seq" for table in _COUNTED)):
            op.execute(f"ALTER SEQUENCE {sequence} AS BIGINT")
    op.create_index("ix_cases_notification", "cases", ["notification"])

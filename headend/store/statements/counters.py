"""The statements of ``headend.store.counters``."""

from sqlalchemy import bindparam, select, text, update

from headend.store import schema

_KEY = schema.counters.c.key == bindparam("key")

UNLEASED = select(schema.counters.c.unleased).where(_KEY)
HOLD = UNLEASED.with_for_update()  # whoever else leases waits
SET = update(schema.counters).where(_KEY).values(unleased=bindparam("to"))
SETTING = select(schema.settings.c.value).where(schema.settings.c.name == bindparam("name"))
# Both databases have this clause, SQLAlchemy one for each; of two that come at once the first wins.
NEW_KEY = text("INSERT INTO counters (key, unleased) VALUES (:key, 0) ON CONFLICT DO NOTHING")
NEW_SETTING = text(
    "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"
)
# The row of a key is held while its new value is made of the old one, so no two get the same.
LEASE = text(
    "INSERT INTO counters (key, unleased) VALUES (:key, :last) "
    "ON CONFLICT (key) DO UPDATE SET unleased = :length + "
    "CASE WHEN counters.unleased > :at_least THEN counters.unleased ELSE :at_least END "
    "WHERE counters.unleased <= :room RETURNING unleased"
)

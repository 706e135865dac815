"""The statements of ``headend.store.meters``."""

from sqlalchemy import bindparam, select, text, update

from headend.store import schema
from headend.store.meters import COLUMNS

_TABLE = schema.meters
ROW = [_TABLE.c[name] for name in COLUMNS]
_EVERY = select(*ROW)
_ONE = _EVERY.where(_TABLE.c.id == bindparam("key"))
_THIS = update(_TABLE).where(_TABLE.c.id == bindparam("key"))

EVERY = _EVERY.order_by(_TABLE.c.name)
BY_NAME = _EVERY.where(_TABLE.c.name == bindparam("name"))
BY_ID = _ONE
# SQLite has no such clause; there nobody else writes anyway.
HOLD = _ONE.with_for_update()
HOLD_SEEN = _THIS.values(last_seen=bindparam("now")).returning(*ROW)
WITH_TITLE = (
    _EVERY.where(_TABLE.c.system_title == bindparam("title"))
    .order_by(_TABLE.c.id)
    .limit(bindparam("most"))
)
#: The meter last met at "port".
LAST_AT = (
    _EVERY.where(_TABLE.c.port == bindparam("port")).order_by(_TABLE.c.last_seen.desc()).limit(1)
)
# Of two that meet a new meter at once the first writes it down; both databases have this clause.
MEET = text(
    "INSERT INTO meters (name, port, serial, profile, mode, prepayment, sequence, remainder, "
    "first_seen, last_seen) VALUES (:name, :port, '', '', :mode, :off, 0, 0, :now, :now) "
    "ON CONFLICT DO NOTHING"
)
MET = (
    update(_TABLE)
    .where(_TABLE.c.name == bindparam("key"))
    .values(port=bindparam("port"), last_seen=bindparam("now"))
)
SET_SEQUENCE = _THIS.values(sequence=bindparam("to"))
RENAME = _THIS.values(name=bindparam("to"))
SET_TITLE = _THIS.values(system_title=bindparam("to"))
DESCRIBE = _THIS.values(
    serial=bindparam("to_serial"), profile=bindparam("to_profile"), mode=bindparam("to_mode")
)
SET_MODE = _THIS.values(mode=bindparam("to"))
SET_PREPAYMENT = _THIS.values(prepayment=bindparam("to"))
SET_PRICED = _THIS.values(
    priced_wh=bindparam("to_wh"), priced_at=bindparam("to_moment"), remainder=bindparam("rest")
)
SET_LIFE = _THIS.where(_TABLE.c.life == bindparam("before")).values(life=bindparam("after"))

"""The statements of ``headend.store.keys``."""

from sqlalchemy import bindparam, func, insert, select, update

from headend.store import schema
from headend.store.keys import COLUMNS

_TABLE, _METERS = schema.meter_keys, schema.meters
_ROW = [_METERS.c.name if name == "meter" else _TABLE.c[name] for name in COLUMNS]
_JOINED = select(*_ROW).join_from(_TABLE, _METERS, _METERS.c.id == _TABLE.c.meter_id)
_meter, _kind, _version = _TABLE.c.meter_id, _TABLE.c.kind, _TABLE.c.version
_THIS = update(_TABLE).where(
    _meter == bindparam("of_meter"), _kind == bindparam("of_kind"), _version == bindparam("number")
)

ANY = select(_version).where(_meter == bindparam("meter")).limit(1)
OF_METER = _JOINED.where(_meter == bindparam("meter")).order_by(_kind, _version)
NOT_UNDER = (
    _JOINED.where(_TABLE.c.master != bindparam("master"))
    .order_by(_meter, _kind, _version)
    .limit(bindparam("most"))
)
BY_MASTER = (
    select(_TABLE.c.master, func.count()).group_by(_TABLE.c.master).order_by(_TABLE.c.master)
)
_BEHIND_KIND = (_kind > bindparam("kind")) | (
    (_kind == bindparam("kind")) & (_version > bindparam("version"))
)
AFTER = (
    _JOINED.where((_meter > bindparam("meter")) | ((_meter == bindparam("meter")) & _BEHIND_KIND))
    .order_by(_meter, _kind, _version)
    .limit(bindparam("most"))
)
NEWEST_VERSION = select(func.max(_version)).where(
    _meter == bindparam("meter"), _kind == bindparam("kind")
)
ADD = insert(_TABLE).values({name: bindparam(name) for name in COLUMNS if name != "meter"})
SET_STATE = _THIS.values(state=bindparam("to"))
WRAP_ANEW = _THIS.where(_TABLE.c.wrapped == bindparam("before")).values(
    wrapped=bindparam("to_wrapped"), master=bindparam("to_master")
)

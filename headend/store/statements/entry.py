"""The statements of ``headend.store.entry``."""

from sqlalchemy import bindparam, exists, select

from headend.store import schema
from headend.store.entry import COLUMNS

_METERS, _TAGS = schema.meters, schema.tags
_WHOLE = select(
    *(_METERS.c[name] for name in COLUMNS),
    exists().where(_TAGS.c.meter_id == _METERS.c.id),
    exists().where(schema.meter_keys.c.meter_id == _METERS.c.id),
)

BY_NAME = _WHOLE.where(_METERS.c.name == bindparam("name"))
BY_EAN = _WHOLE.where(_METERS.c.ean == bindparam("ean"))
TAGS = select(_TAGS.c.tag).where(_TAGS.c.meter_id == bindparam("meter"))

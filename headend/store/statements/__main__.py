"""Writes ``texts.json``: ``python -m headend.store.statements``."""

from headend.store.statements import FILE
from headend.store.statements.texts import rendered

FILE.write_text(rendered(), encoding="utf-8")

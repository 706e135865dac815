"""The vault: meters' keys, wrapped in the database, and how they are changed at the meters.

| file | what |
|---|---|
| ``masters`` | the master key, from file, environment or keyring |
| ``wrapping`` | one key, wrapped for its place and opened again |
| ``kinds`` | which keys there are, and how each is changed over the line |
| ``vault`` | the keys of meters: put, read, turned, wrapped under another master key |
| ``answering`` | reaching a meter that may have the new key or still the old one |
| ``turning`` | a rotation: a new key brought to the meter |
"""

from headend.vault.kinds import Kind
from headend.vault.masters import MasterKey, Masters
from headend.vault.vault import Held, Vault

__all__ = ["Held", "Kind", "MasterKey", "Masters", "Vault"]

"""The vault: meters' keys, wrapped in the database, and how they are changed at the meters.

| file | what |
|---|---|
| ``masters`` | the master key, from file, environment or keyring |
| ``wrapping`` | one key, wrapped for its place and opened again |
| ``kinds`` | which keys there are, and how each is changed over the line |
| ``held`` | what is known of one meter's keys |
| ``vault`` | the keys of meters: put, read, turned, wrapped under another master key |
| ``authority`` | what certifies the key pairs of suites 1 and 2 |
| ``pairs`` | key pairs over the line: certificates, and pairs that a meter makes itself |
| ``answering`` | reaching a meter that may have the new key or still the old one |
| ``sending`` | a new key of each kind: drawn, and brought to the meter |
| ``turning`` | a rotation: the phases, and what becomes of each key |
"""

from headend.vault.held import Held
from headend.vault.kinds import Kind
from headend.vault.masters import MasterKey, Masters
from headend.vault.vault import Vault

__all__ = ["Held", "Kind", "MasterKey", "Masters", "Vault"]

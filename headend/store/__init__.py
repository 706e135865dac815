"""The head-end's database: meters, transactions, ledger, invocation counters.

``Store`` opens it; the functions of ``meters``, ``transactions``, ``ledger`` and ``counters``
work on the connection of one database transaction that their caller holds, so that what belongs
together is written together.
"""

from headend.store.opening import Store, StoreError

__all__ = ["Store", "StoreError"]

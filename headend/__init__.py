"""The head-end: meters, keys, transactions and ledgers, and the sessions that serve them."""

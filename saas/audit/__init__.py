"""The audit log: an event belongs to the transaction of its change, and every account has its chain.

``events`` is the catalogue, ``record`` the one verb, ``coverage`` refuses a change without its event, and
``chain`` writes head and events as the last statements before COMMIT.
"""

"""The desk is an app of its own, with tables of its own: it is run in its own process, by `test_adopter.py`."""

collect_ignore = ["desk"]

"""The rules. A service asks the permission, fetches in scope, checks, changes, records. No HTTP here."""

"""The history in SQLite: written by the service, read by `wayclear history`."""

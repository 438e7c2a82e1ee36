"""The runbooks of the alerts as a page of the service. `alerts.md` is a copy of `docs/alerts.md`; a test compares them."""

"""The schema of the report as JSON."""

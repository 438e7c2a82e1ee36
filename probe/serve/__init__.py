"""The service: the process, its jobs, and what it publishes."""

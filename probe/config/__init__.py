"""The configuration, the files of rule sets and CA sets, and the files that a service watches for changes."""
